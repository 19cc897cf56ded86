//! Several publishes under one signature: in order, answered one by one, delivered once.

use crate::{options, relay, with_site};
use serde_json::{Value, json};
use testkit::{Relay, Site};

fn batch(relay: &Relay, headers: &[(&'static str, String)], body: &str) -> testkit::http::Answer {
    let mut all: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    all.push(("Content-Type", "application/json"));
    relay.request("POST", "/publish/batch", &all, body.as_bytes())
}

fn post(relay: &Relay, site: &Site, items: &Value) -> testkit::http::Answer {
    let body = items.to_string();
    batch(relay, &site.signed_headers(body.as_bytes()), &body)
}

fn numbered(channel: &str, numbers: std::ops::Range<usize>) -> Value {
    numbers
        .map(|n| json!({"channel": channel, "event": "n", "data": n}))
        .collect()
}

#[test]
fn a_hundred_arrive_in_their_order() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let answer = post(&relay, &site, &numbered("events", 0..100));
    assert_eq!(
        (answer.status, answer.json()),
        (
            200,
            json!({"ok": true, "results": vec![json!({"ok": true}); 100]})
        )
    );
    for n in 0..100 {
        socket.expect_message("events", "n", &json!(n));
    }
}

#[test]
fn one_bad_item_does_not_keep_the_others_out() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let items = json!([
        {"channel": "events", "event": "n", "data": 1},
        {"channel": "events"},
        {"channel": "wps:connections", "event": "n"},
        7,
        {"channel": "events", "event": "n", "data": 2},
    ]);
    let results = post(&relay, &site, &items).json()["results"].clone();
    let codes: Vec<_> = results
        .as_array()
        .expect("results")
        .iter()
        .map(|result| result["error"].as_str().unwrap_or("ok"))
        .collect();
    assert_eq!(
        codes,
        ["ok", "invalid_request", "forbidden", "invalid_request", "ok"]
    );
    assert!(
        results[1]["message"]
            .as_str()
            .is_some_and(|text| text.contains("event"))
    );
    socket.expect_message("events", "n", &json!(1));
    socket.expect_message("events", "n", &json!(2));
}

#[test]
fn what_is_over_the_rate_takes_the_rest_along() {
    let (relay, site) =
        with_site(options().config("limits.publishes_per_second = 1\nlimits.publishes_burst = 3"));
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let answer = post(&relay, &site, &numbered("events", 0..6));
    let codes: Vec<_> = (0..6)
        .map(|n| answer.json()["results"][n]["error"].as_str().map(str::to_owned))
        .collect();
    let limited = Some("rate_limited".to_owned());
    assert_eq!(
        codes,
        [None, None, None, limited.clone(), limited.clone(), limited]
    );
    assert!(answer.header("retry-after").is_some());
    for n in 0..3 {
        socket.expect_message("events", "n", &json!(n));
    }
}

#[test]
fn sent_again_only_what_was_not_delivered_is() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["a", "b"]);
    let body = json!([
        {"channel": "a", "event": "n", "data": 1},
        {"channel": "b", "event": "n", "data": 1},
        {"channel": "a", "event": "n", "data": 1},
    ])
    .to_string();
    let headers = site.signed_headers(body.as_bytes());
    assert_eq!(
        batch(&relay, &headers, &body).json()["results"],
        json!([{"ok": true}, {"ok": true}, {"ok": true}])
    );
    let again = json!({"ok": true, "duplicate": true});
    assert_eq!(
        batch(&relay, &headers, &body).json()["results"],
        json!([again, again, again])
    );
    relay.published(&site, "b", "after", "2");
    let seen: Vec<_> = (0..4).map(|_| socket.text()["event"].clone()).collect();
    assert_eq!(seen.iter().filter(|event| **event == "n").count(), 3);
}

#[test]
fn refusals_of_the_whole() {
    let (relay, site) = relay();
    let refused = |body: &str, headers: &[(&'static str, String)]| {
        let answer = batch(&relay, headers, body);
        (
            answer.status,
            answer.json()["error"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let signed = |body: &str| refused(body, &site.signed_headers(body.as_bytes()));
    assert_eq!(signed("{}"), (400, "invalid_request".into()));
    assert_eq!(signed("[1"), (400, "invalid_request".into()));
    assert_eq!(
        signed(&numbered("events", 0..101).to_string()),
        (400, "invalid_request".into())
    );
    assert_eq!(signed("[]"), (200, String::new()));
    assert_eq!(refused("[]", &[]), (400, "invalid_request".into()));
    assert_eq!(
        refused("[ ]", &site.signed_headers(b"[]")),
        (401, "invalid_signature".into())
    );
    assert_eq!(relay.request("GET", "/publish/batch", &[], b"").status, 405);
}
