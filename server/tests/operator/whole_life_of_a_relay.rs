//! One script from the set-up link to the audit log.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use testkit::{Site, Ws, until};

use super::client::{PASSWORD, Stop, listening, next};
use super::set_up;

#[test]
fn a_script_runs_a_relay_by_the_api_alone() {
    let (relay, owner) = set_up();
    let first = owner.add_site("https://first.example");
    let second = owner.add_site("https://second.example");
    let third = connect(&relay, &owner);
    let sites = owner.get("/api/sites");
    assert_eq!(sites["sites"].as_array().map(Vec::len), Some(3));

    // A trigger of each kind.
    let path = format!("/api/sites/{}/triggers", first.key);
    let trigger = |name: &str, source: Value| {
        json!({
            "name": name, "enabled": true, "source": source, "channel": "shop", "event": name,
            "data": {"kind": "fields", "fields": [{"name": "id", "value": {"kind": "path", "path": "data.id"}}]},
        })
    };
    owner.post(
        &path,
        trigger(
            "action",
            json!({"kind": "action", "hook": "save_post", "args": 3}),
        ),
    );
    owner.post(
        &path,
        trigger("post-type", json!({"kind": "post_type", "post_type": "product"})),
    );
    owner.post(
        &path,
        trigger("option", json!({"kind": "option", "option": "blogname"})),
    );
    owner.post(&path, trigger("dispatched", json!({"kind": "dispatch"})));
    let webhook = owner.post(
        &path,
        trigger("webhook", json!({"kind": "webhook", "verify": "github"})),
    );
    let headers = first.signed_headers(b"");
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect::<Vec<_>>();
    let fetched = relay.request("GET", "/site/triggers", &headers, b"");
    assert_eq!(
        fetched.json()["triggers"].as_array().map(Vec::len),
        Some(3),
        "{fetched:?}"
    );

    // Published through the webhook and the dispatch, and followed live.
    let mut page = listening(&relay, &first.token(), &["shop", "events"]);
    let mut stream = owner.stream(&format!("log=1&site={}", first.key));
    next(&mut stream, "snapshot", |_| true);
    owner.ok(
        "PUT",
        &format!("/api/sites/{}/payloads", first.key),
        &json!({"on": true}),
    );
    let body = r#"{"data":{"id":7}}"#;
    let hook = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key length");
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let path = format!("/hooks/{}", webhook["trigger"]["id"].as_str().expect("an id"));
        relay.request(
            "POST",
            &path,
            &[("X-Hub-Signature-256", &signature)],
            body.as_bytes(),
        )
    };
    assert_eq!(hook("wrong").error(), "invalid_signature");
    assert_eq!(
        hook(webhook["webhook_secret"].as_str().expect("a secret")).status,
        200
    );
    page.expect_message("shop", "webhook", &json!({"id": 7}));
    let token = owner.post(&format!("/api/sites/{}/dispatch/token", first.key), json!({}));
    let bearer = format!("Bearer {}", token["token"].as_str().expect("a token"));
    let dispatched = relay.request(
        "POST",
        "/dispatch",
        &[("Authorization", &bearer), ("Content-Type", "application/json")],
        br#"{"event":"order","data":{"id":8},"timestamp":1}"#,
    );
    assert_eq!(
        dispatched.json(),
        json!({"status": "success", "message": "Event broadcasted"})
    );
    page.expect_message("shop", "dispatched", &json!({"id": 8}));
    relay.published(&first, "events", "post.updated", r#"{"post_id":42}"#);
    page.expect_message("events", "post.updated", &json!({"post_id": 42}));

    let mut logged = Vec::new();
    while logged.len() < 3 {
        let log = next(&mut stream, "log", |_| true);
        logged.extend(log["entries"].as_array().expect("entries").clone());
    }
    let shown = logged
        .iter()
        .map(|entry| (entry["event"].as_str(), entry["origin"].as_str()))
        .collect::<Vec<_>>();
    assert_eq!(
        shown,
        [
            (Some("webhook"), Some("trigger")),
            (Some("dispatched"), Some("dispatch")),
            (Some("post.updated"), Some("wordpress"))
        ]
    );
    assert_eq!(logged[2]["payload"], r#"{"post_id":42}"#);
    until("the log to know who got it", || {
        let log = owner.get(&format!("/api/events?site={}", first.key));
        let entry = log["entries"].as_array()?.last()?.clone();
        (entry["recipients"] == 1 && entry["last_write_us"].is_u64()).then_some(())
    });

    disconnected_by_the_operator(&owner, page);
    rotated_under_load(&relay, &owner, &second);

    // An archived site's sockets close at once, and its key stops working.
    let mut page = relay.ws(&third.token());
    page.subscribe(&["events"]);
    owner.post(
        &format!("/api/sites/{}/archive", third.key),
        json!({"confirm": "Third"}),
    );
    assert_eq!(page.closed().0, 4003);
    assert_eq!(
        relay.publish(&third, "events", "e", "1").error(),
        "unknown_site_key"
    );

    // All of it reads back.
    let audit = owner.get("/api/audit?limit=500");
    let actions = audit["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["action"].as_str())
        .collect::<Vec<_>>();
    for action in [
        "relay.set_up",
        "login",
        "site.added",
        "connect.authorized",
        "site.connected",
        "trigger.added",
        "site.payloads_watched",
        "site.dispatch_token_made",
        "connection.closed",
        "site.secrets_rotated",
        "site.archived",
    ] {
        assert!(actions.contains(&Some(action)), "{action}: {actions:?}");
    }
}

/// The one-click flow, the test standing in for the browser and for WordPress.
fn connect(relay: &testkit::Relay, owner: &super::client::Operator) -> Site {
    let callback = "https://third.example/wp-admin/admin-post.php?action=wpsignal_oauth_callback";
    let query = json!({
        "state": "s", "callback_url": callback, "site_url": "https://third.example", "site_name": "Third",
    });
    assert_eq!(
        owner.post("/api/connect/describe", query.clone())["may_authorize"],
        true
    );
    let form = owner.post("/api/connect/authorize", query);
    assert_eq!(form["action"], callback);
    let body = json!({"code": form["wps_code"]}).to_string();
    let exchange = || {
        relay.request(
            "POST",
            "/api/connect/exchange",
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
    };
    let site = Site::from_json(&exchange().json());
    assert_eq!(exchange().error(), "invalid_code");
    site
}

fn disconnected_by_the_operator(owner: &super::client::Operator, mut page: Ws) {
    let listed = owner.get("/api/connections");
    assert_eq!(listed["total"], 1);
    let connection = &listed["connections"][0];
    assert_eq!(connection["transport"], "websocket");
    assert_eq!(connection["channels"], json!(["events", "shop"]));
    let path = format!("/api/connections/{}", connection["id"].as_str().expect("an id"));
    owner.ok("DELETE", &path, &json!({}));
    assert_eq!(page.closed().0, 1001);
    assert_eq!(owner.ask("DELETE", &path, &json!({})).status, 404);
}

/// WordPress publishes all the time, with the secret that it knows; a page listens with a token of the old secret. Every
/// message that was accepted arrives, and none is refused.
fn rotated_under_load(relay: &testkit::Relay, owner: &super::client::Operator, site: &Site) {
    let mut page = listening(relay, &site.token(), &["events"]);
    let (published, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let known = Arc::new(Mutex::new(site.clone()));
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        let publisher = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let with = known.lock().expect("the secrets").clone();
                let number = published.load(Ordering::Relaxed);
                relay.published(&with, "events", "n", &number.to_string());
                published.fetch_add(1, Ordering::Relaxed);
            }
        });
        let more = |count: u64| {
            let from = published.load(Ordering::Relaxed);
            until("more publishes", || {
                (publisher.is_finished() || published.load(Ordering::Relaxed) >= from + count).then_some(())
            });
            assert!(!publisher.is_finished(), "a publish was refused");
        };
        more(20);
        let rotated = owner.post(
            &format!("/api/sites/{}/rotate", site.key),
            json!({"password": PASSWORD, "overlap_seconds": 600}),
        );
        more(20);
        *known.lock().expect("the secrets") = Site::from_json(&rotated);
        more(20);
    });
    for number in 0..published.load(Ordering::Relaxed) {
        page.expect_message("events", "n", &json!(number));
    }
}
