//! A site's credentials, and what is made of them: signatures of publishes and tokens of browsers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// As `hookcast site add --json` prints them; other fields of that output are of no use here.
#[derive(Clone, Deserialize)]
pub struct Credentials {
    pub site_key: String,
    pub publish_secret: String,
    pub jwt_secret: String,
}

/// The credentials with what is derived from them once.
#[derive(Clone)]
pub struct Site {
    pub key: String,
    publish_mac: Hmac<Sha256>,
    token_mac: Hmac<Sha256>,
    site_id: String,
    tenant_id: String,
}

impl Site {
    #[must_use]
    pub fn new(credentials: &Credentials) -> Self {
        let id = |kind: &str| hex::encode(Sha256::digest(format!("{kind}:{}", credentials.site_key)));
        // HMAC takes a key of any length.
        let mac = |secret: &str| Hmac::new_from_slice(secret.as_bytes()).unwrap_or_else(|_| unreachable!());
        Self {
            key: credentials.site_key.clone(),
            publish_mac: mac(&credentials.publish_secret),
            token_mac: mac(&credentials.jwt_secret),
            site_id: id("site"),
            tenant_id: id("tenant"),
        }
    }

    /// The signature of a publish: over the body as sent and the time in milliseconds.
    #[must_use]
    pub fn sign(&self, body: &[u8], unix_ms: u64) -> String {
        let mut mac = self.publish_mac.clone();
        mac.update(body);
        mac.update(format!(".{unix_ms}").as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// A version-2 token that may subscribe and publish everywhere in the site.
    #[must_use]
    pub fn token(&self, user: usize, unix_s: u64, life_s: u64) -> String {
        let grant = format!("site:{}:", self.site_id);
        let claims = serde_json::json!({
            "v": 2, "tenant_id": self.tenant_id, "site_id": self.site_id, "user_id": user.to_string(),
            "allowed_channel_prefixes": [grant], "allowed_publish_prefixes": [grant],
            "iat": unix_s, "exp": unix_s + life_s,
        });
        let mut token = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims.to_string(), &mut token);
        let mut mac = self.token_mac.clone();
        mac.update(token.as_bytes());
        let signature = mac.finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}
