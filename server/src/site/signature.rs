//! Server-to-server requests: `X-WP-Signal-Key`, `-Ts` and `-Sign` over the raw body.
//!
//! The protocol fixes the order of the checks. [`SignedHeaders::parse`] is what comes before the body is read (and before its
//! size is checked), [`Sites::verify`] what comes after.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Refusal, Site, SiteStatus, Sites};

/// How far a signature's timestamp may be from the relay's clock, either way.
pub const SKEW_MAX_MS: u64 = 60_000;

/// The signature headers of one request, present and of the right shape, not yet believed.
#[derive(Debug)]
pub struct SignedHeaders<'a> {
    key: &'a str,
    /// As sent: the signature covers these characters.
    timestamp: &'a str,
    timestamp_ms: u64,
    signature: &'a [u8],
}

/// A request that its site did sign, now.
#[derive(Debug)]
pub struct Verified {
    pub site: Arc<Site>,
    /// The signature: the same one within the time window is the same request again.
    pub signature: [u8; 32],
    pub timestamp_ms: u64,
}

impl<'a> SignedHeaders<'a> {
    pub fn parse(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let header = |name: &'static str| {
            headers
                .get(name)
                .ok_or_else(|| Refusal::invalid_request(format!("the header {name} is missing")))
        };
        let text = |name: &'static str| {
            header(name)?
                .to_str()
                .map_err(|_| Refusal::invalid_request(format!("the header {name} is not ASCII text")))
        };
        let key = text("X-WP-Signal-Key")?;
        let timestamp = text("X-WP-Signal-Ts")?;
        let signature = header("X-WP-Signal-Sign")?.as_bytes();
        if timestamp.is_empty() || !timestamp.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(Refusal::invalid_request(
                "X-WP-Signal-Ts is not a decimal number of milliseconds",
            ));
        }
        // Digits only, so the one way to fail is a number too large: as far in the future as can be, and stale as such.
        let timestamp_ms = timestamp.parse().unwrap_or(u64::MAX);
        Ok(Self {
            key,
            timestamp,
            timestamp_ms,
            signature,
        })
    }
}

impl Sites {
    /// Checks the site, the signature and the time, in that order. `body` is the raw body as sent.
    pub fn verify(&self, headers: &SignedHeaders<'_>, body: &[u8], now_ms: u64) -> Result<Verified, Refusal> {
        let unknown = "no site with this key is registered here; connect the site again";
        let unknown = Refusal::new(401, "unknown_site_key", unknown);
        let Some(site) = self.by_key(headers.key) else {
            return Err(unknown);
        };
        let signature = match site.status {
            SiteStatus::Active => check(site, headers, body, now_ms),
            SiteStatus::Archived => Err(unknown),
            SiteStatus::AccountDeactivated => {
                let message =
                    "the account that this site belongs to is switched off; ask the relay's operator";
                Err(Refusal::new(401, "account_deactivated", message))
            }
        };
        Ok(Verified {
            site: site.clone(),
            signature: signature.map_err(|refusal| refusal.about(site.id))?,
            timestamp_ms: headers.timestamp_ms,
        })
    }
}

fn check(site: &Site, headers: &SignedHeaders<'_>, body: &[u8], now_ms: u64) -> Result<[u8; 32], Refusal> {
    let signature = decode_signature(headers.signature).filter(|signature| {
        let secrets = site.publish_secrets.valid(now_ms);
        // Every secret is tried, so that the time says nothing about which one it was.
        secrets.fold(false, |signed, secret| {
            signed | bool::from(sign(secret, body, headers.timestamp).ct_eq(signature))
        })
    });
    let signature = signature.ok_or_else(|| {
        let message = "the signature does not match; it is the lower-case hex HMAC-SHA256 of the raw body, a dot and the \
                       timestamp, with the site's publish secret";
        Refusal::new(401, "invalid_signature", message)
    })?;
    let skew_ms = now_ms.abs_diff(headers.timestamp_ms);
    if skew_ms > SKEW_MAX_MS {
        let side = if headers.timestamp_ms < now_ms {
            "behind"
        } else {
            "ahead of"
        };
        let message = format!(
            "the timestamp is {} s {side} the relay's clock; set both clocks",
            skew_ms / 1000
        );
        return Err(Refusal::new(401, "stale_timestamp", message));
    }
    Ok(signature)
}

/// HMAC-SHA256 of `body + "." + timestamp`. The key is the secret's ASCII text itself.
pub fn sign(secret: &str, body: &[u8], timestamp: &str) -> [u8; 32] {
    // HMAC takes a key of any length; this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC accepts every key length");
    mac.update(body);
    mac.update(b".");
    mac.update(timestamp.as_bytes());
    mac.finalize().into_bytes().into()
}

/// What goes into `X-WP-Signal-Sign`.
pub fn signature_hex(secret: &str, body: &[u8], timestamp_ms: u64) -> String {
    hex::encode(sign(secret, body, &timestamp_ms.to_string()))
}

/// 64 lower-case hex characters; upper case is another spelling, and one signature must have one spelling.
fn decode_signature(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let lower = text
        .iter()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::super::fixture::{self, PUBLISH_SECRET};
    use super::super::{Secrets, site_id};
    use super::*;

    const NOW: u64 = 1_700_000_000_000;
    const BODY: &[u8] = br#"{"channel":"events","event":"e"}"#;
    /// `printf '%s.1700000000000' BODY | openssl dgst -sha256 -hmac 1111…` of [`BODY`] with [`PUBLISH_SECRET`].
    const SIGNATURE: &str = "c8044d33a6f04a871737286ae9e26a09d964011c3c6de7df6dc34dbacde7f11d";

    fn headers(key: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-wp-signal-key", key),
            ("x-wp-signal-ts", timestamp),
            ("x-wp-signal-sign", signature),
        ] {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        headers
    }

    fn signed(secret: &str, timestamp_ms: u64) -> HeaderMap {
        headers(
            &fixture::site(1).key,
            &timestamp_ms.to_string(),
            &signature_hex(secret, BODY, timestamp_ms),
        )
    }

    fn verify(sites: &Sites, headers: &HeaderMap, body: &[u8]) -> Result<Verified, (u16, &'static str)> {
        let refused = |refusal: Refusal| (refusal.status, refusal.code);
        let headers = SignedHeaders::parse(headers).map_err(refused)?;
        sites.verify(&headers, body, NOW).map_err(refused)
    }

    fn code(sites: &Sites, headers: &HeaderMap) -> &'static str {
        verify(sites, headers, BODY).map_or_else(|(_, code)| code, |_| "ok")
    }

    fn one_site() -> Sites {
        Sites::new([fixture::site(1)])
    }

    #[test]
    fn a_signature_made_elsewhere_is_accepted() {
        assert_eq!(signature_hex(PUBLISH_SECRET, BODY, NOW), SIGNATURE);
        let verified = verify(
            &one_site(),
            &headers(&fixture::site(1).key, "1700000000000", SIGNATURE),
            BODY,
        )
        .unwrap();
        assert_eq!(
            (verified.site.id, verified.timestamp_ms),
            (fixture::site(1).id, NOW)
        );
        assert_eq!(hex::encode(verified.signature), SIGNATURE);
    }

    #[test]
    fn an_empty_body_is_signed_like_any_other() {
        let signature = signature_hex(PUBLISH_SECRET, b"", NOW);
        assert!(
            verify(
                &one_site(),
                &headers(&fixture::site(1).key, &NOW.to_string(), &signature),
                b""
            )
            .is_ok()
        );
    }

    #[test]
    fn a_missing_header_is_named() {
        for name in ["X-WP-Signal-Key", "X-WP-Signal-Ts", "X-WP-Signal-Sign"] {
            let mut headers = signed(PUBLISH_SECRET, NOW);
            headers.remove(name);
            let refusal = SignedHeaders::parse(&headers).unwrap_err();
            assert_eq!((refusal.status, refusal.code), (400, "invalid_request"));
            assert!(refusal.message.contains(name), "{refusal}");
        }
    }

    #[test]
    fn a_timestamp_is_a_decimal_number() {
        for timestamp in [
            "",
            "now",
            "-1",
            "+1",
            "1.5",
            "1e12",
            "0x1",
            " 1",
            "1 ",
            "1700000000000ms",
        ] {
            let headers = headers(&fixture::site(1).key, timestamp, SIGNATURE);
            assert_eq!(
                SignedHeaders::parse(&headers).unwrap_err().code,
                "invalid_request",
                "{timestamp:?}"
            );
        }
        let mut not_ascii = signed(PUBLISH_SECRET, NOW);
        not_ascii.insert("x-wp-signal-ts", HeaderValue::from_bytes(b"1\xff").unwrap());
        assert_eq!(
            SignedHeaders::parse(&not_ascii).unwrap_err().code,
            "invalid_request"
        );
    }

    #[test]
    fn the_checks_come_in_the_order_of_the_protocol() {
        // Everything after the first mistake is wrong as well, so that only the order decides.
        let stale_and_unsigned = headers("0".repeat(32).as_str(), "1", "dummy");
        let archived = Sites::new([Site {
            status: SiteStatus::Archived,
            ..fixture::site(1)
        }]);
        let deactivated = Sites::new([Site {
            status: SiteStatus::AccountDeactivated,
            ..fixture::site(1)
        }]);
        let of_the_site = headers(&fixture::site(1).key, "1", "dummy");
        let signed_but_stale = signed(PUBLISH_SECRET, NOW - SKEW_MAX_MS - 1);
        for (sites, headers, expected) in [
            (&one_site(), &stale_and_unsigned, (401, "unknown_site_key")),
            (&archived, &of_the_site, (401, "unknown_site_key")),
            (&deactivated, &of_the_site, (401, "account_deactivated")),
            (&one_site(), &of_the_site, (401, "invalid_signature")),
            (&one_site(), &signed_but_stale, (401, "stale_timestamp")),
        ] {
            assert_eq!(verify(sites, headers, BODY).map(drop), Err(expected));
        }
    }

    #[test]
    fn the_plugins_probe_gets_the_answer_it_expects() {
        let probe = headers(&fixture::site(1).key, &NOW.to_string(), "dummy");
        assert_eq!(
            verify(&one_site(), &probe, b"{}").map(drop),
            Err((401, "invalid_signature"))
        );
    }

    #[test]
    fn signatures_of_a_wrong_form_are_wrong_signatures() {
        let upper = SIGNATURE.to_uppercase();
        let double = SIGNATURE.repeat(2);
        let not_hex = format!("g{}", &SIGNATURE[1..]);
        for signature in [
            "",
            "0",
            &SIGNATURE[..63],
            &SIGNATURE[..62],
            &upper,
            &double,
            &not_hex,
            &"0".repeat(64),
        ] {
            let headers = headers(&fixture::site(1).key, "1700000000000", signature);
            assert_eq!(code(&one_site(), &headers), "invalid_signature", "{signature:?}");
        }
        let mut bytes = signed(PUBLISH_SECRET, NOW);
        bytes.insert("x-wp-signal-sign", HeaderValue::from_bytes(&[0xff; 64]).unwrap());
        assert_eq!(code(&one_site(), &bytes), "invalid_signature");
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let headers = signed(PUBLISH_SECRET, NOW);
        for place in 0..BODY.len() {
            let mut body = BODY.to_vec();
            body[place] ^= 1;
            assert_eq!(
                verify(&one_site(), &headers, &body).map(drop),
                Err((401, "invalid_signature"))
            );
        }
        let mut other_time = headers.clone();
        other_time.insert("x-wp-signal-ts", HeaderValue::from_static("1700000000001"));
        assert_eq!(code(&one_site(), &other_time), "invalid_signature");
        let mut zero_added = headers;
        zero_added.insert("x-wp-signal-ts", HeaderValue::from_static("01700000000000"));
        assert_eq!(code(&one_site(), &zero_added), "invalid_signature");
    }

    #[test]
    fn another_sites_secret_signs_nothing() {
        let other = Site {
            publish_secrets: Secrets::only("3".repeat(64)),
            ..fixture::site(2)
        };
        let sites = Sites::new([fixture::site(1), other]);
        assert_eq!(code(&sites, &signed(&"3".repeat(64), NOW)), "invalid_signature");
        assert_ne!(site_id(&fixture::site(1).key), site_id(&fixture::site(2).key));
    }

    #[test]
    fn a_minute_either_way_is_accepted_and_no_more() {
        for (timestamp_ms, expected) in [
            (NOW - SKEW_MAX_MS, "ok"),
            (NOW + SKEW_MAX_MS, "ok"),
            (NOW - SKEW_MAX_MS - 1, "stale_timestamp"),
            (NOW + SKEW_MAX_MS + 1, "stale_timestamp"),
            (0, "stale_timestamp"),
            (u64::MAX, "stale_timestamp"),
        ] {
            assert_eq!(
                code(&one_site(), &signed(PUBLISH_SECRET, timestamp_ms)),
                expected,
                "{timestamp_ms}"
            );
        }
        let huge = "9".repeat(40);
        let signature = hex::encode(sign(PUBLISH_SECRET, BODY, &huge));
        assert_eq!(
            code(&one_site(), &headers(&fixture::site(1).key, &huge, &signature)),
            "stale_timestamp"
        );
    }

    #[test]
    fn a_stale_timestamp_says_which_clock() {
        let headers = signed(PUBLISH_SECRET, NOW - 90_000);
        let refusal = one_site()
            .verify(&SignedHeaders::parse(&headers).unwrap(), BODY, NOW)
            .unwrap_err();
        assert_eq!(
            refusal.message,
            "the timestamp is 90 s behind the relay's clock; set both clocks"
        );
    }

    #[test]
    fn both_secrets_work_during_a_rotation() {
        let mut site = fixture::site(1);
        let fresh = "4".repeat(64);
        site.publish_secrets = Secrets {
            current: fresh.clone(),
            previous: Some((PUBLISH_SECRET.into(), NOW + 1)),
        };
        let during = Sites::new([site]);
        assert_eq!(code(&during, &signed(&fresh, NOW)), "ok");
        assert_eq!(code(&during, &signed(PUBLISH_SECRET, NOW)), "ok");

        let mut site = fixture::site(1);
        site.publish_secrets = Secrets {
            current: fresh.clone(),
            previous: Some((PUBLISH_SECRET.into(), NOW)),
        };
        let after = Sites::new([site]);
        assert_eq!(code(&after, &signed(&fresh, NOW)), "ok");
        assert_eq!(code(&after, &signed(PUBLISH_SECRET, NOW)), "invalid_signature");
    }

    #[test]
    fn a_refusal_says_which_site_it_is_about() {
        let about = |headers: &HeaderMap| {
            let headers = SignedHeaders::parse(headers).unwrap();
            one_site().verify(&headers, BODY, NOW).unwrap_err().site
        };
        let key = fixture::site(1).key;
        assert_eq!(about(&headers(&key, "1", "dummy")), Some(fixture::site(1).id));
        assert_eq!(about(&signed(PUBLISH_SECRET, 1)), Some(fixture::site(1).id));
        assert_eq!(about(&headers("nobody", "1", "dummy")), None);
    }
}
