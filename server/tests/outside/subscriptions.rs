//! `subscribe` and `unsubscribe`: what is answered, in whose spelling, and what arrives.

use crate::relay;
use serde_json::{Value, json};
use testkit::{Relay, Site, Ws};

/// The `subscribed` answer and the errors, which come in any order.
fn subscribe(socket: &mut Ws, channels: &[&str]) -> (Value, Vec<(String, String)>) {
    socket.send(&json!({"type": "subscribe", "channels": channels}));
    let mut accepted = None;
    let mut refused = Vec::new();
    for frame in socket.drain() {
        let testkit::Frame::Text(frame) = frame else {
            panic!("{frame:?}")
        };
        match frame["type"].as_str() {
            Some("subscribed") => assert!(
                accepted.replace(frame["channels"].clone()).is_none(),
                "two answers"
            ),
            Some("error") => {
                let text = |name: &str| frame[name].as_str().expect("text").to_owned();
                refused.push((text("channel"), text("code")));
            }
            _ => assert!(
                frame["event"] == "wps.presence" || frame["event"] == "wps.connections",
                "{frame}"
            ),
        }
    }
    (accepted.expect("always one subscribed"), refused)
}

fn socket(relay: &Relay, site: &Site, prefixes: &[&str]) -> Ws {
    relay.ws(&site.token().subscribe(prefixes))
}

#[test]
fn both_spellings_are_one_channel_and_one_subscription() {
    let (relay, site) = relay();
    let qualified = site.qualified("events");
    let mut socket = relay.ws(&site.token().v1());
    let (accepted, refused) = subscribe(&mut socket, &["events", &qualified]);
    assert_eq!((accepted, refused.len()), (json!(["events", qualified]), 0));
    relay.published(&site, "events", "e", "1");
    relay.published(&site, &qualified, "e", "2");
    // As each publisher spelled it, and once.
    socket.expect_message("events", "e", &json!(1));
    socket.expect_message(&qualified, "e", &json!(2));
    assert!(socket.drain().is_empty());
    // Leaving by one spelling leaves.
    socket.send(&json!({"type": "unsubscribe", "channels": ["events"]}));
    assert_eq!(
        socket.text(),
        json!({"type": "unsubscribed", "channels": ["events"]})
    );
    relay.published(&site, &qualified, "e", "3");
    assert!(socket.drain().is_empty());
}

#[test]
fn grants_are_prefixes_in_either_spelling() {
    let (relay, site) = relay();
    let qualified = site.qualified("woo:");
    for prefix in ["woo:", qualified.as_str()] {
        let mut socket = socket(&relay, &site, &[prefix]);
        let full = site.qualified("woo:stock");
        let (accepted, refused) = subscribe(&mut socket, &["woo:stock", "events", &full, "wo", "woo"]);
        assert_eq!(accepted, json!(["woo:stock", full]));
        let forbidden = |channel: &str| (channel.to_owned(), "forbidden".to_owned());
        assert_eq!(refused, [forbidden("events"), forbidden("wo"), forbidden("woo")]);
    }
}

#[test]
fn each_refused_channel_has_its_own_error() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token());
    let long = "x".repeat(257);
    let names = [
        "ok",
        "",
        "nul\0",
        "line\r\nbreak",
        long.as_str(),
        "site:",
        "site:zzz:x",
        "wps:connections",
    ];
    let (accepted, refused) = subscribe(&mut socket, &names);
    assert_eq!(accepted, json!(["ok", "wps:connections"]));
    let invalid = |channel: &str| (channel.to_owned(), "invalid_channel".to_owned());
    let forbidden = |channel: &str| (channel.to_owned(), "forbidden".to_owned());
    let expected = [
        invalid(""),
        invalid("nul\0"),
        invalid("line\r\nbreak"),
        invalid(&long),
        forbidden("site:"),
        forbidden("site:zzz:x"),
    ];
    assert_eq!(refused, expected);
}

#[test]
fn an_empty_list_is_answered_too() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token());
    assert_eq!(subscribe(&mut socket, &[]), (json!([]), vec![]));
    socket.send(&json!({"type": "unsubscribe", "channels": ["never subscribed"]}));
    assert_eq!(socket.text()["type"], "unsubscribed");
}

#[test]
fn the_sender_gets_its_own_message_if_it_subscribed() {
    let (relay, site) = relay();
    let token = site.token().v1();
    let (mut inside, mut outside) = (relay.ws(&token), relay.ws(&token));
    inside.subscribe(&["events"]);
    inside.publish("events", "e", json!({"n": 1}));
    inside.expect_message("events", "e", &json!({"n": 1}));
    outside.publish(&site.qualified("events"), "e", json!({"n": 2}));
    inside.expect_message(&site.qualified("events"), "e", &json!({"n": 2}));
    assert!(outside.drain().is_empty());
}

#[test]
fn binary_frames_go_unchanged_to_every_socket_and_to_no_stream() {
    let (relay, site) = relay();
    let token = site.token().v1();
    let (mut sender, mut receiver) = (relay.ws(&token), relay.ws(&token));
    let mut stream = relay.sse(&token, &["doc"]);
    sender.subscribe(&["doc"]);
    receiver.subscribe(&[&site.qualified("doc")]);
    let every_byte: Vec<u8> = (0..=255).collect();
    for payload in [&b""[..], &every_byte, &vec![7; 300_000]] {
        for channel in ["doc", &site.qualified("doc")] {
            let frame = sender.send_binary(channel, payload);
            assert_eq!(sender.frame(), testkit::Frame::Binary(frame.clone()));
            assert_eq!(receiver.frame(), testkit::Frame::Binary(frame));
        }
    }
    relay.published(&site, "doc", "e", "1");
    assert_eq!(stream.event().data.as_deref(), Some("1"));
}

#[test]
fn sending_needs_the_publish_grant() {
    let (relay, site) = relay();
    let mut witness = relay.ws(&site.token().v1());
    witness.subscribe(&["events"]);
    let mut reader = relay.ws(&site.token().publish(&["other"]));
    reader.publish("events", "e", json!(1));
    assert_eq!(reader.expect_error("forbidden")["channel"], "events");
    reader.send_binary("events", b"x");
    reader.expect_error("forbidden");
    // Version 1 sends where it may subscribe.
    let mut old = relay.ws(&site.token().v1().subscribe(&["events"]));
    old.publish("events", "e", json!(2));
    old.publish("elsewhere", "e", json!(3));
    old.expect_error("forbidden");
    witness.expect_message("events", "e", &json!(2));
    assert!(witness.drain().is_empty());
}

#[test]
fn the_relays_own_names_cannot_be_sent() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token());
    socket.publish("wps:connections", "e", json!(1));
    socket.expect_error("forbidden");
    socket.publish("events", "wps.presence", json!({"action": "leave", "id": "x"}));
    socket.expect_error("forbidden");
    socket.send_binary("wps:connections", b"x");
    socket.expect_error("forbidden");
    socket.presence("wps:connections", json!({}));
    socket.expect_error("forbidden");
}
