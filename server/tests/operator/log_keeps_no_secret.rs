//! Whatever operators and sites do, the relay's log holds none of their secrets, and nothing but the set-up link before them.

use serde_json::json;

use super::client::{Operator, PASSWORD, post};
use super::options;

#[test]
fn no_secret_is_logged() {
    let relay = options().config("[log]\nlevel = \"trace\"").start();
    let owner = Operator::set_up(&relay);
    let site = owner.add_site("https://shop.example");
    let key = owner.post("/api/keys", json!({"name": "script", "scopes": ["read"]}));
    let token = owner.post(&format!("/api/sites/{}/dispatch/token", site.key), json!({}));
    let minted = owner.post(
        &format!("/api/sites/{}/tokens", site.key),
        json!({"user": "7", "subscribe": [""], "publish": [], "lifetime_seconds": 60}),
    );
    let minted = minted["token"].as_str().expect("a token");
    let bearer = format!("Bearer {}", key["secret"].as_str().expect("a key"));
    assert_eq!(
        relay
            .request("GET", "/api/sites", &[("Authorization", &bearer)], b"")
            .status,
        200
    );
    post(
        &relay,
        "/api/login",
        &json!({"email": "owner@relay.example", "password": "typed the wrong one"}),
    );
    let mut page = testkit::Ws::open(relay.address(), &format!("/ws?token={minted}"));
    page.subscribe(&["events"]);
    page.drain();
    relay.published(&site, "events", "e", r#"{"payload":"that nobody else reads"}"#);
    page.expect_message("events", "e", &json!({"payload": "that nobody else reads"}));

    let log = relay.log();
    for secret in [
        PASSWORD,
        "typed the wrong one",
        &site.publish_secret,
        &site.jwt_secret,
        key["secret"].as_str().expect("a key"),
        token["token"].as_str().expect("a token"),
        minted,
        "that nobody else reads",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}
