//! Signed requests (RFC 8555, section 6.2): ES256, by a key that stands in the request or is an account's.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub struct Signed {
    pub header: Value,
    /// Nothing where the payload is empty (POST-as-GET).
    pub payload: Value,
    input: String,
    signature: Vec<u8>,
}

impl Signed {
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let (header, payload) = (body["protected"].as_str()?, body["payload"].as_str()?);
        let decoded = BASE64.decode(payload).ok()?;
        Some(Self {
            header: serde_json::from_slice(&BASE64.decode(header).ok()?).ok()?,
            payload: match decoded.is_empty() {
                true => Value::Null,
                false => serde_json::from_slice(&decoded).ok()?,
            },
            input: format!("{header}.{payload}"),
            signature: BASE64.decode(body["signature"].as_str()?).ok()?,
        })
    }

    pub fn is_by(&self, key: &Value) -> bool {
        let part = |name: &str| {
            BASE64
                .decode(key[name].as_str().unwrap_or_default())
                .unwrap_or_default()
        };
        let point = [&[4][..], &part("x"), &part("y")].concat();
        self.header["alg"] == "ES256"
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(self.input.as_bytes(), &self.signature)
                .is_ok()
    }
}

/// RFC 7638, section 3.
pub fn thumbprint(key: &Value) -> String {
    let part = |name: &str| key[name].as_str().unwrap_or_default();
    let text = format!(
        r#"{{"crv":"{}","kty":"{}","x":"{}","y":"{}"}}"#,
        part("crv"),
        part("kty"),
        part("x"),
        part("y")
    );
    BASE64.encode(Sha256::digest(text))
}

pub fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}
