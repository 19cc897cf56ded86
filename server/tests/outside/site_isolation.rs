//! Two sites with the same channel names never hear each other, and no credentials of one reach into the other.

use crate::relay;
use serde_json::json;
use testkit::{Site, Ws};

#[test]
fn the_same_channel_name_is_two_channels() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let mut clients: Vec<_> = [&one, &two]
        .into_iter()
        .map(|site| {
            let mut socket = relay.ws(&site.token().v1());
            socket.subscribe(&["chat:room-1"]);
            (socket, relay.sse(&site.token().v1(), &["chat:room-1"]))
        })
        .collect();
    relay.published(&one, "chat:room-1", "hello", r#"{"from":1}"#);
    relay.published(&two, "chat:room-1", "hello", r#"{"from":2}"#);
    for (number, (socket, stream)) in (1..).zip(&mut clients) {
        socket.publish("chat:room-1", "mine", json!(number));
        socket.expect_message("chat:room-1", "hello", &json!({"from": number}));
        socket.expect_message("chat:room-1", "mine", &json!(number));
        assert_eq!(stream.json(), json!({"from": number}));
        assert_eq!(stream.json(), json!(number));
    }
    for (socket, _) in &mut clients {
        assert!(socket.drain().is_empty());
    }
}

#[test]
fn binary_frames_and_presence_stay_inside() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let (mut first, mut second) = (relay.ws(&one.token()), relay.ws(&two.token()));
    for socket in [&mut first, &mut second] {
        socket.subscribe(&["doc"]);
        let sync = socket.text();
        assert_eq!(sync["data"], json!({"action": "sync", "members": []}));
    }
    first.presence("doc", json!({"name": "Ada"}));
    assert_eq!(first.text()["data"]["action"], "join");
    let frame = first.send_binary("doc", b"\x00\x01\xff");
    assert_eq!(first.frame(), testkit::Frame::Binary(frame));
    assert!(second.drain().is_empty());
}

#[test]
fn a_channel_that_names_another_site_is_refused_everywhere() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let foreign = two.qualified("events");
    let mut socket = relay.ws(&one.token());
    let mut witness = relay.ws(&two.token());
    witness.subscribe(&["events"]);
    assert_eq!(witness.text()["event"], "wps.presence");

    let answer = relay.publish(&one, &foreign, "e", "1");
    assert_eq!((answer.status, answer.error().as_str()), (403, "forbidden"));
    assert_eq!(subscribe_is_refused(&mut socket, &foreign), "forbidden");
    socket.publish(&foreign, "e", json!(1));
    socket.expect_error("forbidden");
    socket.presence(&foreign, json!({}));
    socket.expect_error("forbidden");
    socket.send_binary(&foreign, b"payload");
    socket.expect_error("forbidden");
    let path = format!("/sse?token={}&channels={foreign}", one.token().sign());
    let answer = relay.get(&path);
    assert_eq!((answer.status, answer.error().as_str()), (403, "forbidden"));
    assert!(witness.drain().is_empty());
}

#[test]
fn a_grant_that_names_another_site_grants_nothing() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let prefixes = [two.qualified(""), "site:".to_owned(), String::new()];
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    let mut socket = relay.ws(&one.token().subscribe(&prefixes).publish(&prefixes));
    for channel in ["events", &one.qualified("events"), &two.qualified("events")] {
        assert_eq!(subscribe_is_refused(&mut socket, channel), "forbidden");
    }
    socket.publish("events", "e", json!(1));
    socket.expect_error("forbidden");
}

#[test]
fn secrets_of_one_site_do_not_sign_for_the_other() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let mixed = Site {
        publish_secret: two.publish_secret.clone(),
        ..one.clone()
    };
    let answer = relay.publish(&mixed, "events", "e", "1");
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (401, "invalid_signature")
    );
    let token = one.token().secret(&two.jwt_secret);
    assert_eq!(relay.ws(&token).closed().0, 4001);
    let token = one.token().claim("tenant_id", json!(two.tenant_id));
    assert_eq!(relay.ws(&token).closed().0, 4001);
}

/// The code of the one error that follows an empty `subscribed`.
fn subscribe_is_refused(socket: &mut Ws, channel: &str) -> String {
    socket.send(&json!({"type": "subscribe", "channels": [channel]}));
    assert_eq!(socket.text(), json!({"type": "subscribed", "channels": []}));
    let error = socket.text();
    assert_eq!(
        (&error["type"], &error["channel"]),
        (&json!("error"), &json!(channel))
    );
    error["code"].as_str().expect("a code").to_owned()
}
