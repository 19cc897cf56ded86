//! Health, readiness, stats, unknown paths, wrong methods, and everything under a prefix.

use crate::{options, relay, with_site};
use serde_json::{Value, json};
use testkit::Ws;

#[test]
fn healthz_is_open_to_every_page() {
    let (relay, site) = relay();
    let _socket = relay.ws(&site.token());
    relay.wait_for_connections(&site, 1);
    relay.published(&site, "events", "e", "1");
    let answer = relay.get("/healthz");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(
        answer.json(),
        json!({"status": "ok", "active_connections": 1, "published_messages": 1})
    );
}

#[test]
fn unknown_paths_are_404_and_wrong_methods_405() {
    let (relay, _site) = relay();
    for path in [
        "/",
        "/nothing",
        "/ws/",
        "/publish/x",
        "/wsx",
        "//ws",
        "/%2e%2e/ws",
    ] {
        let answer = relay.request("GET", path, &[("Accept", "application/json")], b"");
        if path != "/" {
            assert_eq!(answer.status, 404, "for {path}");
            assert_eq!(answer.error(), "not_found");
        }
    }
    for (method, path, allowed) in [
        ("GET", "/publish", "POST"),
        ("PUT", "/publish", "POST"),
        ("POST", "/ws", "GET"),
        ("POST", "/sse", "GET"),
        ("DELETE", "/healthz", "GET"),
        ("GET", "/api/sites/register", "POST"),
    ] {
        let answer = relay.request(method, path, &[], b"");
        assert_eq!(answer.status, 405, "for {method} {path}");
        let allow = answer.header("Allow").expect("Allow");
        assert!(allow.contains(allowed), "{method} {path}: Allow: {allow}");
        assert!(!answer.error().is_empty());
    }
}

#[test]
fn stats_are_signed_like_a_publish() {
    let (relay, site) = relay();
    let headers = site.signed_headers(b"something else");
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = relay.request("GET", "/site/stats", &headers, b"");
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (401, "invalid_signature")
    );
    let answer = relay.get("/site/stats");
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"));
    assert_eq!(
        relay.stats(&site).json(),
        json!({"active_connections": 0, "max_connections": 0})
    );
}

#[test]
fn everything_sits_under_the_base_path() {
    let relay = options()
        .config("server.base_path = \"/relay\"")
        .start_under("/relay");
    let site = testkit::Site::from_json(&relay.cli(&["site", "add", "--url", "https://one.example"]));
    let token = site.token().v1().sign();
    let mut socket = testkit::until("the relay to take up the site", || {
        let mut socket = Ws::open(relay.address(), &format!("/relay/ws?token={token}"));
        socket.send(&json!({"type": "subscribe", "channels": ["events"]}));
        matches!(socket.frame(), testkit::Frame::Text(_)).then_some(socket)
    });
    let body = testkit::site::body("events", "e", "1");
    let mut headers = site.signed_headers(body.as_bytes());
    headers.push(("Content-Type", "application/json".to_owned()));
    let headers: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        relay
            .request("POST", "/relay/publish", &headers, body.as_bytes())
            .status,
        200
    );
    socket.expect_message("events", "e", &json!(1));
    let stream = testkit::Sse::try_open(
        relay.address(),
        &format!("/relay/sse?token={token}&channels=events"),
        &[],
    );
    assert_eq!(stream.head.status, 200);
    assert_eq!(relay.get("/relay/healthz").status, 200);
    assert_eq!(relay.get("/relayhealthz").status, 404);
}

#[test]
fn the_command_line_publishes_and_mints() {
    let (relay, site) = relay();
    let minted = relay.cli(&[
        "token",
        "mint",
        "--site",
        &site.key,
        "--subscribe",
        "events",
        "--ttl",
        "60",
    ]);
    let token = minted["token"].as_str().expect("a token");
    let mut socket = Ws::open(relay.address(), &format!("/ws?token={token}"));
    socket.subscribe(&["events"]);
    assert_eq!(socket.text()["event"], "wps.presence");
    relay.cli(&[
        "publish",
        "--site",
        &site.key,
        "--channel",
        "events",
        "--event",
        "e",
        "--data",
        "{\"a\":1}",
        "--url",
        &relay.url(),
    ]);
    socket.expect_message("events", "e", &json!({"a": 1}));
}

#[test]
fn secrets_tokens_and_payloads_are_not_in_the_log() {
    let (relay, site) = with_site(options().config("log.level = \"trace\""));
    let token = site.token().v1();
    let mut socket = relay.ws(&token);
    socket.subscribe(&["events"]);
    relay.published(&site, "events", "e", "\"the-payload-of-this-test\"");
    assert_eq!(socket.text()["data"], "the-payload-of-this-test");
    relay.sse(&token, &["events"]);
    assert_eq!(relay.ws(&token.clone().secret("wrong")).closed().0, 4001);
    let mut other = relay.ws(&token);
    other.send(&json!({"type": "auth", "token": token.sign()}));
    assert_eq!(other.text()["type"], "auth_ok");
    let log = relay.log();
    assert!(!log.is_empty(), "nothing was logged: the test shows nothing");
    let claims = token.unsigned();
    for secret in [
        &site.publish_secret,
        &site.jwt_secret,
        &claims,
        "the-payload-of-this-test",
    ] {
        assert!(!log.contains(secret), "the log contains {secret}");
    }
}

#[test]
fn a_site_that_is_rotated_takes_its_new_secrets() {
    let (relay, site) = relay();
    let rotated = relay.cli(&["site", "rotate", &site.key]);
    let new = testkit::Site::from_json(&rotated);
    assert_eq!(new.key, site.key);
    assert_ne!(
        (&new.publish_secret, &new.jwt_secret),
        (&site.publish_secret, &site.jwt_secret)
    );
    relay.wait_for_site(&new);
    let mut socket = relay.ws(&new.token().v1());
    socket.subscribe(&["events"]);
    relay.published(&new, "events", "e", "1");
    socket.expect_message("events", "e", &Value::from(1));
}
