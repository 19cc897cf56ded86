//! An operator's script: a session cookie, its CSRF token, and JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::{Answer, Relay, Site, Sse, Token, Ws, http, until};

pub const PASSWORD: &str = "a few words here";

pub struct Operator {
    to: SocketAddr,
    cookie: String,
    csrf: String,
}

impl Operator {
    /// By the link that the relay printed.
    pub fn set_up(relay: &Relay) -> Self {
        // The relay takes connections a moment before it says so.
        let link = until("the set-up link", || {
            let log = relay.log();
            let line = log
                .lines()
                .find(|line| line.contains("/dashboard/setup?token="))?;
            Some(line.to_owned())
        });
        let (_, token) = link.split_once("token=").expect("its token");
        let body = json!({"token": token.trim(), "email": "owner@relay.example", "password": PASSWORD});
        Self::from_answer(relay, &post(relay, "/api/setup", &body))
    }

    pub fn from_answer(relay: &Relay, answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a session cookie");
        Self {
            to: relay.address(),
            cookie: cookie.split(';').next().unwrap_or_default().to_owned(),
            csrf: answer.json()["csrf"].as_str().expect("a CSRF token").to_owned(),
        }
    }

    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("Cookie", self.cookie.as_str()),
            ("X-Hookcast-Csrf", self.csrf.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        http::request(self.to, method, path, &headers, body.as_bytes())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn ok(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    pub fn get(&self, path: &str) -> Value {
        self.ok("GET", path, &Value::Null)
    }

    pub fn post(&self, path: &str, body: Value) -> Value {
        self.ok("POST", path, &body)
    }

    pub fn add_site(&self, url: &str) -> Site {
        Site::from_json(&self.post("/api/sites", json!({"url": url}))["credentials"])
    }

    pub fn stream(&self, query: &str) -> Sse {
        let stream = Sse::try_open(
            self.to,
            &format!("/api/stream?{query}"),
            &[("Cookie", &self.cookie)],
        );
        assert_eq!(stream.head.status, 200, "{:?}", stream.head);
        stream
    }
}

/// As a page does that has no session yet.
pub fn post(relay: &Relay, path: &str, body: &Value) -> Answer {
    let headers = [("X-Hookcast-Csrf", "1"), ("Content-Type", "application/json")];
    relay.request("POST", path, &headers, body.to_string().as_bytes())
}

/// The stream's next event of this type that `wanted` takes.
pub fn next(stream: &mut Sse, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event = stream.json();
        if event["type"] == kind && wanted(&event) {
            return event;
        }
        assert_ne!(event["type"], "too_slow", "the stream was ended");
    }
}

/// A page that listens, past what a new subscriber is told of the channels' members.
pub fn listening(relay: &Relay, token: &Token, channels: &[&str]) -> Ws {
    let mut page = relay.ws(token);
    page.subscribe(channels);
    page.drain();
    page
}

/// Set when it goes, whichever way: threads that look at it end with a test that fails.
pub struct Stop<'a>(pub &'a std::sync::atomic::AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
