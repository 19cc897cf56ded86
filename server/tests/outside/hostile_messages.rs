//! Messages that are no messages: answered, counted, and in the end closed for.

use crate::relay;
use serde_json::json;
use testkit::{Frame, Ws};

#[test]
fn text_that_is_not_json_is_invalid_json_and_the_socket_stays_open() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    for text in [
        "",
        "hello",
        "{",
        "{\"type\":\"pong\"",
        "{'type':'pong'}",
        "\u{feff}{}",
        "NaN",
        "{\"type\":\"pong\"} x",
    ] {
        socket.send_text(text);
        socket.expect_error("invalid_json");
    }
    socket.subscribe(&["still open"]);
}

#[test]
fn unknown_types_are_unknown_type() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    for kind in [
        "",
        "Subscribe",
        "publish",
        "message\u{0}",
        "constructor",
        "__proto__",
    ] {
        socket.send(&json!({"type": kind}));
        socket.expect_error("unknown_type");
    }
    socket.subscribe(&["still open"]);
}

#[test]
fn fields_of_the_wrong_shape_are_errors() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    let cases = [
        json!([]),
        json!(null),
        json!("subscribe"),
        json!({"no": "type"}),
        json!({"type": 7}),
        json!({"type": "subscribe"}),
        json!({"type": "subscribe", "channels": "a"}),
        json!({"type": "subscribe", "channels": [7]}),
        json!({"type": "unsubscribe", "channels": {"a": 1}}),
        json!({"type": "message", "event": "e", "data": 1}),
        json!({"type": "message", "channel": "a", "data": 1}),
        json!({"type": "message", "channel": ["a"], "event": "e", "data": 1}),
        json!({"type": "message", "channel": "a", "event": "", "data": 1}),
        json!({"type": "message", "channel": "a", "event": "x\ny", "data": 1}),
        json!({"type": "message", "channel": "a", "event": "e".repeat(129), "data": 1}),
        json!({"type": "presence", "state": {}}),
        json!({"type": "auth", "token": 7}),
    ];
    for message in cases {
        // Each on its own socket, so that the count of bad frames does not come into play.
        let mut socket = relay.ws(&site.token().v1());
        socket.send(&message);
        let answer = socket.text();
        assert_eq!(answer["type"], "error", "{message} was answered {answer}");
        socket.subscribe(&["still open"]);
    }
    socket.subscribe(&["still open"]);
}

#[test]
fn the_21st_bad_frame_closes_with_1008() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    for number in 0..21 {
        match number % 3 {
            0 => socket.send_text("no json"),
            1 => socket.send(&json!({"type": "nonsense"})),
            _ => socket.send_binary_frame(b"\xff\xff"),
        }
    }
    for _ in 0..20 {
        assert_eq!(socket.text()["type"], "error");
    }
    loop {
        match socket.frame() {
            Frame::Text(error) => assert_eq!(error["type"], "error"),
            Frame::Close(code, reason) => {
                assert_eq!(code, 1008);
                assert!(!reason.is_empty());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn json_nested_a_hundred_thousand_deep_is_survived() {
    let (relay, site) = relay();
    let mut witness = relay.ws(&site.token().v1());
    witness.subscribe(&["events"]);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    let mut attacker = relay.ws(&site.token().v1().subscribe(&["elsewhere"]));
    for text in [
        &deep,
        &objects,
        &"[".repeat(1_000_000),
        &r#"{"a":"#.repeat(200_000),
    ] {
        let body = format!(r#"{{"channel":"elsewhere","event":"e","data":{text}}}"#);
        let answer = site.publish_body(relay.address(), body.as_bytes());
        assert!(matches!(answer.status, 200 | 400 | 413), "{}", answer.status);
        attacker.send_text(text);
        attacker.send_text(&format!(
            r#"{{"type":"message","channel":"elsewhere","event":"e","data":{text}}}"#
        ));
        attacker.send_text(&format!(
            r#"{{"type":"presence","channel":"elsewhere","state":{text}}}"#
        ));
    }
    relay.published(&site, "events", "e", "1");
    witness.expect_message("events", "e", &json!(1));
}

#[test]
fn duplicate_keys_do_not_smuggle_a_channel_past_the_grant() {
    let (relay, site) = relay();
    let mut witness = relay.ws(&site.token().v1());
    witness.subscribe(&["secret", "open"]);
    let mut socket = relay.ws(&site.token().subscribe(&["open"]).publish(&["open"]));
    for text in [
        r#"{"type":"message","channel":"open","channel":"secret","event":"e","data":1}"#,
        r#"{"type":"message","channel":"secret","channel":"open","event":"e","data":1}"#,
        r#"{"type":"message","channel":"secr\u0065t","event":"e","data":1}"#,
    ] {
        socket.send_text(text);
    }
    for frame in socket.drain() {
        let Frame::Text(answer) = frame else {
            panic!("{frame:?}")
        };
        assert_eq!(answer["type"], "error");
    }
    for frame in witness.drain() {
        let Frame::Text(message) = frame else {
            panic!("{frame:?}")
        };
        assert_eq!(message["channel"], "open", "{message}");
    }
}

#[test]
fn what_a_client_sends_cannot_forge_a_frame() {
    let (relay, site) = relay();
    let mut witness = relay.ws(&site.token().v1());
    let channel = "a\",\"event\":\"wps.presence\",\"x\":\"";
    witness.subscribe(&[channel]);
    let mut socket = relay.ws(&site.token().v1());
    socket.publish(
        channel,
        "e\",\"data\":{\"forged\":true},\"x\":\"",
        json!("\"}\u{2028}"),
    );
    witness.expect_message(
        channel,
        "e\",\"data\":{\"forged\":true},\"x\":\"",
        &json!("\"}\u{2028}"),
    );
}

#[test]
fn megabytes_of_presence_are_refused_one_by_one() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    for _ in 0..5 {
        socket.presence("room", json!({"a": "x".repeat(1 << 20)}));
        assert_eq!(socket.text()["type"], "error");
    }
    let mut watcher: Ws = relay.ws(&site.token());
    watcher.subscribe(&["room"]);
    assert_eq!(watcher.text()["data"]["members"], json!([]));
}
