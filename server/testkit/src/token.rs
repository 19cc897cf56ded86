//! Browser tokens, put together by hand: also the ones that no library would make.

use crate::{Site, now};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

#[derive(Clone, Debug)]
pub struct Token {
    pub header: Value,
    pub claims: Value,
    secret: String,
}

impl Token {
    /// Version 2, for user 7, for five minutes, without any grant.
    pub fn new(site: &Site) -> Self {
        let now = now().as_secs();
        Self {
            header: json!({"alg": "HS256", "typ": "JWT"}),
            claims: json!({
                "v": 2, "tenant_id": site.tenant_id, "site_id": site.id, "user_id": "7",
                "allowed_channel_prefixes": [], "allowed_publish_prefixes": [],
                "iat": now, "exp": now + 300,
            }),
            secret: site.jwt_secret.clone(),
        }
    }

    /// As plugins before version 2 make them.
    pub fn v1(mut self) -> Self {
        let claims = self.claims.as_object_mut().expect("claims are an object");
        claims.remove("v");
        claims.remove("allowed_publish_prefixes");
        self
    }

    pub fn subscribe(self, prefixes: &[&str]) -> Self {
        self.claim("allowed_channel_prefixes", json!(prefixes))
    }

    pub fn publish(self, prefixes: &[&str]) -> Self {
        self.claim("allowed_publish_prefixes", json!(prefixes))
    }

    pub fn user(self, user: &str) -> Self {
        self.claim("user_id", json!(user))
    }

    /// Valid from now for so many seconds; negative for one that has run out.
    pub fn expires_in(self, seconds: i64) -> Self {
        let now = i64::try_from(now().as_secs()).expect("a time");
        self.claim("iat", json!(now.min(now + seconds)))
            .claim("exp", json!(now + seconds))
    }

    pub fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.claims
            .as_object_mut()
            .expect("claims are an object")
            .remove(name);
        self
    }

    pub fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    pub fn secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    /// Header and claims, without a signature.
    pub fn unsigned(&self) -> String {
        format!("{}.{}", encode(&self.header), encode(&self.claims))
    }

    pub fn sign(&self) -> String {
        let message = self.unsigned();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any key length");
        mac.update(message.as_bytes());
        format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        )
    }
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}
