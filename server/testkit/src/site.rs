//! A site's credentials, and the requests that its WordPress would make.

use crate::{Answer, Token, http, now};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;

#[derive(Clone, Debug)]
pub struct Site {
    pub key: String,
    pub publish_secret: String,
    pub jwt_secret: String,
    pub id: String,
    pub tenant_id: String,
}

impl Site {
    /// From what `site add --json` or a registration printed.
    pub fn from_json(json: &Value) -> Self {
        let text = |name: &str| {
            json[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {json}"))
                .to_owned()
        };
        let key = text("site_key");
        Self {
            id: hex::encode(Sha256::digest(format!("site:{key}"))),
            tenant_id: hex::encode(Sha256::digest(format!("tenant:{key}"))),
            publish_secret: text("publish_secret"),
            jwt_secret: text("jwt_secret"),
            key,
        }
    }

    /// The channel's qualified name.
    pub fn qualified(&self, channel: &str) -> String {
        format!("site:{}:{channel}", self.id)
    }

    /// A token that may do everything on the site.
    pub fn token(&self) -> Token {
        Token::new(self)
            .subscribe(&[&self.qualified("")])
            .publish(&[&self.qualified("")])
    }

    /// `X-WP-Signal-Sign` for a body at a time.
    pub fn signature(&self, body: &[u8], timestamp: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.publish_secret.as_bytes()).expect("any key length");
        mac.update(body);
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// The headers of a request signed now.
    pub fn signed_headers(&self, body: &[u8]) -> Vec<(&'static str, String)> {
        self.signed_headers_at(body, &unique_timestamp())
    }

    pub fn signed_headers_at(&self, body: &[u8], timestamp: &str) -> Vec<(&'static str, String)> {
        vec![
            ("X-WP-Signal-Key", self.key.clone()),
            ("X-WP-Signal-Ts", timestamp.to_owned()),
            ("X-WP-Signal-Sign", self.signature(body, timestamp)),
        ]
    }

    pub fn publish(&self, to: SocketAddr, channel: &str, event: &str, data: &str) -> Answer {
        self.publish_body(to, body(channel, event, data).as_bytes())
    }

    /// Sign any bytes as a publish.
    pub fn publish_body(&self, to: SocketAddr, body: &[u8]) -> Answer {
        post(to, &self.signed_headers(body), body)
    }

    pub fn stats(&self, to: SocketAddr) -> Answer {
        let headers = self.signed_headers(b"");
        http::request(to, "GET", "/site/stats", &borrowed(&headers), b"")
            .expect("an answer to GET /site/stats")
    }
}

/// The body of a publish; `data` is JSON text and stays as it is.
pub fn body(channel: &str, event: &str, data: &str) -> String {
    let (channel, event) = (Value::from(channel), Value::from(event));
    format!(r#"{{"channel":{channel},"event":{event},"data":{data}}}"#)
}

pub fn post(to: SocketAddr, headers: &[(&'static str, String)], body: &[u8]) -> Answer {
    let mut all = borrowed(headers);
    all.push(("Content-Type", "application/json"));
    http::request(to, "POST", "/publish", &all, body).expect("an answer to POST /publish")
}

fn borrowed<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

/// The time in milliseconds, moved ahead where two calls fall in one: two equal publishes are then two signatures, and not
/// a repetition.
fn unique_timestamp() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(now().as_millis()).expect("a time before the year 500 million");
    let last = LAST.fetch_max(now, Ordering::Relaxed);
    let stamp = if last >= now {
        LAST.fetch_add(1, Ordering::Relaxed) + 1
    } else {
        now
    };
    stamp.to_string()
}
