//! `POST /api/sites/register` and `/api/sites/unregister`, as the plugin calls them.

use crate::options;
use serde_json::{Value, json};
use testkit::{Answer, Options, Relay, Site};

struct Registrar {
    relay: Relay,
    authorization: String,
}

impl Registrar {
    fn start(options: Options) -> Self {
        let relay = options.start();
        let created = relay.cli(&["apikey", "create", "--name", "test"]);
        let key = created["api_key"].as_str().expect("an API key");
        assert!(
            key.len() == 64 && key.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "64 hex characters"
        );
        let registrar = Self {
            authorization: format!("Bearer {key}"),
            relay,
        };
        testkit::until("the relay to take up the key", || {
            let answer = registrar.post("/api/sites/register", &json!({}));
            (answer.status == 400).then_some(())
        });
        registrar
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(path, Some(&self.authorization), body)
    }

    fn post_as(&self, path: &str, authorization: Option<&str>, body: &Value) -> Answer {
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(authorization.map(|value| ("Authorization", value)));
        self.relay
            .request("POST", path, &headers, body.to_string().as_bytes())
    }

    fn register(&self, url: &str) -> Site {
        let answer = self.post(
            "/api/sites/register",
            &json!({"site_url": url, "site_name": "A site"}),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
        let json = answer.json();
        for (name, length) in [("site_key", 32), ("publish_secret", 64), ("jwt_secret", 64)] {
            let text = json[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {json}"));
            assert!(
                text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
                "{name}: {text}"
            );
        }
        Site::from_json(&json)
    }
}

#[test]
fn a_registered_site_works_at_once() {
    let registrar = Registrar::start(options());
    let site = registrar.register("https://example.com");
    let mut socket = registrar.relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    registrar.relay.published(&site, "events", "e", "1");
    socket.expect_message("events", "e", &json!(1));
}

#[test]
fn the_same_url_keeps_its_key_and_gets_new_secrets() {
    let registrar = Registrar::start(options());
    let first = registrar.register("https://example.com/blog");
    for same in ["https://example.com/blog/", "HTTPS://EXAMPLE.com/blog"] {
        let again = registrar.register(same);
        assert_eq!(again.key, first.key, "for {same}");
        assert_ne!(again.publish_secret, first.publish_secret);
        assert_ne!(again.jwt_secret, first.jwt_secret);
        assert_eq!(registrar.relay.stats(&again).status, 200);
    }
    for other in [
        "https://example.com",
        "https://example.com/Blog",
        "http://example.com/blog",
        "https://www.example.com/blog",
    ] {
        assert_ne!(registrar.register(other).key, first.key, "for {other}");
    }
}

#[test]
fn a_wrong_api_key_is_refused() {
    let registrar = Registrar::start(options());
    let body = json!({"site_url": "https://example.com", "site_name": "x"});
    let zeros = format!("Bearer {}", "0".repeat(64));
    let cut = registrar.authorization[..registrar.authorization.len() - 1].to_owned();
    let basic = registrar.authorization.replace("Bearer", "Basic");
    for authorization in [
        None,
        Some(""),
        Some("Bearer "),
        Some(zeros.as_str()),
        Some(cut.as_str()),
        Some(basic.as_str()),
    ] {
        let answer = registrar.post_as("/api/sites/register", authorization, &body);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (401, "invalid_api_key"),
            "for {authorization:?}"
        );
        assert_eq!(answer.json()["message"], "invalid API key");
    }
}

#[test]
fn a_body_that_is_no_registration_is_invalid() {
    let registrar = Registrar::start(options());
    for body in [
        json!({}),
        json!([]),
        json!({"site_name": "x"}),
        json!({"site_url": 7, "site_name": "x"}),
        json!({"site_url": "", "site_name": "x"}),
        json!({"site_url": "no url", "site_name": "x"}),
        json!({"site_url": "ftp://example.com", "site_name": "x"}),
        json!({"site_url": "javascript:alert(1)", "site_name": "x"}),
    ] {
        let answer = registrar.post("/api/sites/register", &body);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_request"),
            "for {body}"
        );
    }
}

#[test]
fn unregistering_closes_sockets_and_registering_brings_the_site_back() {
    let registrar = Registrar::start(options());
    let site = registrar.register("https://example.com");
    let mut socket = registrar.relay.ws(&site.token());
    let credentials = json!({"site_key": site.key, "publish_secret": site.publish_secret});
    let wrong = json!({"site_key": site.key, "publish_secret": "0".repeat(64)});
    let stranger = json!({"site_key": "0".repeat(32), "publish_secret": site.publish_secret});

    let answer = registrar.post("/api/sites/unregister", &stranger);
    assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"));
    let answer = registrar.post("/api/sites/unregister", &wrong);
    assert_eq!((answer.status, answer.error().as_str()), (403, "unauthorized"));
    let bad_key = format!("Bearer {}", "0".repeat(64));
    let answer = registrar.post_as("/api/sites/unregister", Some(&bad_key), &credentials);
    assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_api_key"));
    assert!(socket.drain().is_empty(), "still open");

    let answer = registrar.post("/api/sites/unregister", &credentials);
    assert_eq!((answer.status, answer.json()), (200, json!({"ok": true})));
    assert_eq!(socket.closed().0, 4003);
    let answer = registrar.relay.publish(&site, "events", "e", "1");
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (401, "unknown_site_key")
    );

    let back = registrar.register("https://example.com");
    assert_eq!(back.key, site.key);
    registrar.relay.published(&back, "events", "e", "1");
    registrar.relay.ws(&back.token().v1()).subscribe(&["events"]);
}

#[test]
fn the_site_limit_is_told_with_advice() {
    let registrar = Registrar::start(options().config("limits.sites_max = 2"));
    let register = |number: u32| {
        let body = json!({"site_url": format!("https://n{number}.example"), "site_name": "x"});
        registrar.post("/api/sites/register", &body)
    };
    assert_eq!(register(1).status, 200);
    assert_eq!(register(2).status, 200);
    let answer = register(3);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (403, "site_limit_reached")
    );
    assert_eq!(
        register(1).status,
        200,
        "the site that is there may still register again"
    );
}
