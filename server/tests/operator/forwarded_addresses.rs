//! `X-Forwarded-For` is believed from a trusted proxy and from nobody else: whoever could write it freely would guess
//! passwords from as many addresses as they like.

use serde_json::json;
use testkit::Relay;

use super::options;

fn trusting(proxies: &str) -> Relay {
    options()
        .config(&format!("server.trusted_proxies = [\"{proxies}\"]"))
        .start()
}

/// Whether a guesser is slowed down within so many guesses, each with another forwarded address.
fn slowed(relay: &Relay, guesses: u8, forwarded: impl Fn(u8) -> String) -> bool {
    (0..guesses).any(|guess| {
        let forwarded = forwarded(guess);
        let headers = [
            ("X-Hookcast-Csrf", "1"),
            ("Content-Type", "application/json"),
            ("X-Forwarded-For", forwarded.as_str()),
        ];
        let body = json!({"email": format!("{guess}@x.example"), "password": "a wrong guess"});
        let answer = relay.request("POST", "/api/login", &headers, body.to_string().as_bytes());
        assert!(matches!(answer.status, 401 | 429), "{answer:?}");
        answer.status == 429
    })
}

#[test]
fn a_stranger_cannot_claim_another_address() {
    let relay = trusting("192.0.2.1/32");
    assert!(slowed(&relay, 60, |guess| format!("198.51.100.{guess}")));
}

#[test]
fn clients_of_a_trusted_proxy_are_told_apart() {
    let relay = trusting("127.0.0.0/8");
    assert!(!slowed(&relay, 15, |guess| format!("198.51.100.{guess}")));
}

#[test]
fn what_a_client_wrote_before_the_proxy_did_is_not_believed() {
    let relay = trusting("127.0.0.0/8");
    assert!(slowed(&relay, 60, |guess| format!(
        "198.51.100.{guess}, 203.0.113.7"
    )));
}
