//! Whether a webhook's sender is who it should be. All comparisons take the same time whatever the secret is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hookcast_api::trigger::WebhookVerify;
use http::HeaderMap;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The sender did not prove itself; the text says which header was looked at, never what it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unproven(pub &'static str);

/// Checks the body against the sender's signature, or the bearer secret.
pub fn prove(verify: WebhookVerify, secret: &str, headers: &HeaderMap, body: &[u8]) -> Result<(), Unproven> {
    let header = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    let (proof, why) = match verify {
        WebhookVerify::WooCommerce => {
            let sent = header("x-wc-webhook-signature").and_then(|sent| STANDARD.decode(sent).ok());
            (
                sent,
                "X-WC-Webhook-Signature is not the base64 HMAC-SHA256 of the body with this webhook's secret",
            )
        }
        WebhookVerify::GitHub => {
            let sent = header("x-hub-signature-256").and_then(|sent| sent.strip_prefix(b"sha256="));
            let sent = sent.and_then(|sent| hex::decode(sent).ok());
            (
                sent,
                "X-Hub-Signature-256 is not sha256= and the hex HMAC-SHA256 of the body with this webhook's secret",
            )
        }
        WebhookVerify::Bearer => {
            let sent = header("authorization").and_then(bearer);
            let good = sent.is_some_and(|sent| sent.ct_eq(secret.as_bytes()).into());
            return good
                .then_some(())
                .ok_or(Unproven("Authorization is not Bearer and this webhook's secret"));
        }
    };
    // HMAC takes a key of any length; this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC accepts every key length");
    mac.update(body);
    match proof {
        Some(proof) if mac.verify_slice(&proof).is_ok() => Ok(()),
        _ => Err(Unproven(why)),
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From GitHub's documentation of `X-Hub-Signature-256`.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_githubs_signature_is_accepted_and_every_other_one_is_not() {
        let name = "x-hub-signature-256";
        let check = |value: &str, body: &[u8]| {
            prove(WebhookVerify::GitHub, SECRET, &headers(name, value), body).is_ok()
        };
        assert!(check(&format!("sha256={HEX}"), BODY));
        assert!(!check(&format!("sha256={HEX}"), b"Hello, World?"));
        assert!(!check(HEX, BODY));
        assert!(!check(&format!("sha256={}", &HEX[..62]), BODY));
        assert!(!check(&format!("sha1={HEX}"), BODY));
        assert!(!check("sha256=", BODY));
        assert!(prove(WebhookVerify::GitHub, SECRET, &HeaderMap::new(), BODY).is_err());
    }

    #[test]
    fn woocommerce_signs_the_same_digest_in_base64() {
        let name = "x-wc-webhook-signature";
        let signature = STANDARD.encode(hex::decode(HEX).unwrap());
        let check = |value: &str, secret| {
            prove(WebhookVerify::WooCommerce, secret, &headers(name, value), BODY).is_ok()
        };
        assert!(check(&signature, SECRET));
        assert!(!check(&signature, "another secret"));
        assert!(!check(HEX, SECRET));
        assert!(!check("not base64!", SECRET));
        assert!(!check("", SECRET));
    }

    #[test]
    fn a_bearer_secret_must_be_the_whole_of_it() {
        let check = |value: &str| {
            prove(
                WebhookVerify::Bearer,
                "abc",
                &headers("authorization", value),
                BODY,
            )
            .is_ok()
        };
        assert!(check("Bearer abc") && check("bearer abc"));
        for wrong in [
            "Bearer ab",
            "Bearer abcd",
            "abc",
            "Basic abc",
            "Bearer",
            "Bearer ",
        ] {
            assert!(!check(wrong), "{wrong}");
        }
    }
}
