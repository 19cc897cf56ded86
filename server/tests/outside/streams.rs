//! Server-Sent Events: the head, both forms, and the refusals.

use crate::{options, relay, with_site};
use serde_json::json;
use testkit::Sse;

#[test]
fn the_head_lets_browsers_and_proxies_stream() {
    let (relay, site) = relay();
    let path = format!("/sse?token={}&channels=events", site.token().v1().sign());
    let mut stream = Sse::try_open(relay.address(), &path, &[("Origin", "https://one.example")]);
    assert_eq!(stream.head.status, 200);
    let content_type = stream.head.header("Content-Type").expect("a content type");
    assert!(content_type.starts_with("text/event-stream"), "{content_type}");
    assert_eq!(stream.head.header("Cache-Control"), Some("no-store"));
    assert_eq!(stream.head.header("X-Accel-Buffering"), Some("no"));
    assert_eq!(
        stream.head.header("Access-Control-Allow-Origin"),
        Some("https://one.example")
    );
    let first = stream.event_raw().expect("something at once");
    assert!(first.comment.is_some(), "not a comment: {first:?}");
}

#[test]
fn a_quiet_stream_gets_comments() {
    let (relay, site) = with_site(options().config("session.ping_interval_ms = 1000"));
    let mut stream = relay.sse(&site.token().v1(), &["events"]);
    let mut comments = 0;
    while comments < 3 {
        let event = stream.event_raw().expect("the stream goes on");
        assert!(event.data.is_none());
        comments += usize::from(event.comment.is_some());
    }
}

#[test]
fn version_2_is_unnamed_and_version_1_is_named() {
    let (relay, site) = with_site(options().config("session.ping_interval_ms = 1000"));
    let mut new = relay.sse(&site.token().subscribe(&["events"]), &["events"]);
    let mut old = relay.sse(&site.token().v1().subscribe(&["events"]), &["events"]);
    let sync = new.json();
    let expected =
        json!({"event": "wps.presence", "channel": "events", "data": {"action": "sync", "members": []}});
    assert_eq!(sync, expected);
    relay.published(&site, "events", "post.updated", r#"{"post_id":42}"#);
    relay.published(
        &site,
        &site.qualified("events"),
        "encrypted",
        r#"{"v":1,"p":"QUJD"}"#,
    );

    let event = new.event();
    assert_eq!(event.event, None);
    assert_eq!(
        event.data.as_deref(),
        Some(r#"{"event":"post.updated","channel":"events","data":{"post_id":42}}"#)
    );
    let second = new.json();
    assert_eq!(
        second,
        json!({"event": "encrypted", "channel": site.qualified("events"), "data": {"v": 1, "p": "QUJD"}})
    );
    assert!(!new.cursor().is_empty());

    let event = old.event();
    assert_eq!(
        (event.event.as_deref(), event.data.as_deref()),
        (Some("post.updated"), Some(r#"{"post_id":42}"#))
    );
    let event = old.event();
    assert_eq!(
        (event.event.as_deref(), event.data.as_deref()),
        (Some("encrypted"), Some(r#"{"v":1,"p":"QUJD"}"#))
    );
    assert!(!old.cursor().is_empty());
}

#[test]
fn a_bad_token_is_401_and_an_unknown_site_404() {
    let (relay, site) = relay();
    let expired = site.token().expires_in(-60).sign();
    let forged = site.token().secret("wrong").sign();
    for token in ["", "abc", "a.b.c", &expired, &forged] {
        let answer = relay.get(&format!("/sse?token={token}&channels=events"));
        assert_eq!(answer.status, 401, "for {token:?}");
        assert!(!answer.error().is_empty());
    }
    assert_eq!(relay.get("/sse?channels=events").status, 401);
    let stranger = testkit::Site {
        id: "0".repeat(64),
        tenant_id: "1".repeat(64),
        ..site
    };
    let answer = relay.get(&format!("/sse?token={}&channels=events", stranger.token().sign()));
    assert_eq!(answer.status, 404);
    assert!(!answer.error().is_empty());
}

#[test]
fn one_channel_outside_the_grant_refuses_the_stream() {
    let (relay, site) = relay();
    let token = site.token().subscribe(&["events"]).sign();
    for channels in ["shop", "events,shop", "shop,events"] {
        let answer = relay.get(&format!("/sse?token={token}&channels={channels}"));
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (403, "forbidden"),
            "for {channels}"
        );
    }
}

#[test]
fn channels_are_needed_and_limited_and_decoded() {
    let (relay, site) = relay();
    let token = site.token().v1().sign();
    for query in ["", "&channels=", "&channels=%00", "&channels=a%0d%0ab"] {
        let answer = relay.get(&format!("/sse?token={token}{query}"));
        assert_eq!(answer.status, 400, "for {query:?}");
        assert!(!answer.error().is_empty());
    }
    let many: Vec<String> = (0..101).map(|number| format!("c{number}")).collect();
    let answer = relay.get(&format!("/sse?token={token}&channels={}", many.join(",")));
    assert_eq!(answer.status, 400);
    let mut stream = relay.sse(&site.token().v1(), &["woo%3Astock", "%C3%BC", "a+b"]);
    for channel in ["woo:stock", "ü", "a b"] {
        relay.published(&site, channel, "e", "1");
        assert_eq!(stream.event().data.as_deref(), Some("1"), "for {channel}");
    }
}

#[test]
fn a_stream_ends_with_its_token() {
    let (relay, site) =
        with_site(options().config("session.clock_leeway_ms = 0\nsession.token_grace_ms = 0"));
    let mut short = relay.sse(&site.token().v1().expires_in(1), &["events"]);
    let mut long = relay.sse(&site.token().v1(), &["events"]);
    while short.event_raw().is_some() {}
    relay.published(&site, "events", "e", "1");
    assert_eq!(long.event().data.as_deref(), Some("1"));
}

#[test]
fn presence_is_seen_on_a_stream() {
    let (relay, site) = relay();
    let mut stream = relay.sse(&site.token(), &["room"]);
    assert_eq!(stream.json()["data"]["action"], "sync");
    let mut member = relay.ws(&site.token());
    member.presence("room", json!({"name": "Ada"}));
    let join = stream.json();
    assert_eq!(
        (&join["event"], &join["data"]["state"]),
        (&json!("wps.presence"), &json!({"name": "Ada"}))
    );
    drop(member);
    assert_eq!(stream.json()["data"]["action"], "leave");
}
