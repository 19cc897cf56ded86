//! Every bound holds, answers with its code, and costs only the one that reached it.

use crate::{options, relay, with_site};
use serde_json::json;
use testkit::Frame;

#[test]
fn a_connection_has_at_most_its_channels() {
    let (relay, site) = with_site(options().config("limits.channels_per_connection_max = 3"));
    let mut socket = relay.ws(&site.token().v1());
    socket.send(&json!({"type": "subscribe", "channels": ["a", "b", "c", "d"]}));
    assert_eq!(
        socket.text(),
        json!({"type": "subscribed", "channels": ["a", "b", "c"]})
    );
    assert_eq!(socket.expect_error("limit_exceeded")["channel"], "d");
    // What is subscribed already takes no further place, and leaving gives one back.
    socket.subscribe(&["a", &site.qualified("b")]);
    socket.send(&json!({"type": "unsubscribe", "channels": ["a"]}));
    assert_eq!(socket.text()["type"], "unsubscribed");
    socket.subscribe(&["d"]);
}

#[test]
fn a_browser_that_sends_too_fast_is_rate_limited() {
    let (relay, site) = with_site(
        options().config("limits.client_messages_per_second = 1\nlimits.client_messages_burst = 3"),
    );
    let mut witness = relay.ws(&site.token().v1());
    witness.subscribe(&["events"]);
    let mut socket = relay.ws(&site.token().v1());
    for number in 0..20 {
        socket.publish("events", "n", json!(number));
    }
    let refused = socket
        .drain()
        .iter()
        .filter(|frame| matches!(frame, Frame::Text(text) if text["code"] == "rate_limited"))
        .count();
    assert!((10..=17).contains(&refused), "{refused} of 20 refused");
    for _ in 0..20 - refused {
        assert_eq!(witness.text()["event"], "n");
    }
    assert!(witness.drain().is_empty());
}

#[test]
fn presence_has_a_rate_and_a_number_of_members() {
    let (relay, site) = with_site(options().config("limits.presence_members_max = 2"));
    let mut watcher = relay.ws(&site.token());
    watcher.subscribe(&["room"]);
    assert_eq!(watcher.text()["data"]["action"], "sync");
    let mut sockets: Vec<_> = (0..3).map(|_| relay.ws(&site.token().v1())).collect();
    for socket in &mut sockets[..2] {
        socket.presence("room", json!({}));
        assert_eq!(watcher.text()["data"]["action"], "join");
    }
    sockets[2].presence("room", json!({}));
    sockets[2].expect_error("limit_exceeded");
    // A member may update, and one that leaves makes room.
    sockets[0].presence("room", json!({"n": 1}));
    assert_eq!(watcher.text()["data"]["state"], json!({"n": 1}));
    sockets[0].presence("room", json!(null));
    assert_eq!(watcher.text()["data"]["action"], "leave");
    sockets[2].presence("room", json!({}));
    assert_eq!(watcher.text()["data"]["action"], "join");
}

#[test]
fn presence_updates_have_a_rate() {
    let (relay, site) =
        with_site(options().config("limits.presence_per_second = 1\nlimits.presence_burst = 3"));
    let mut socket = relay.ws(&site.token().v1());
    for number in 0..20 {
        socket.presence("room", json!({"n": number}));
    }
    let refused = socket
        .drain()
        .iter()
        .filter(|frame| matches!(frame, Frame::Text(text) if text["code"] == "rate_limited"))
        .count();
    assert!((10..=17).contains(&refused), "{refused} of 20 refused");
}

#[test]
fn a_message_over_the_limit_closes_with_1009() {
    let (relay, site) = with_site(options().config("limits.message_bytes_max = 10000"));
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let small = "x".repeat(9000);
    socket.publish("events", "e", json!(small));
    socket.expect_message("events", "e", &json!(small));
    socket.publish("events", "e", json!("x".repeat(10_000)));
    assert_eq!(socket.closed().0, 1009);
    let mut socket = relay.ws(&site.token());
    socket.send_binary("events", &[0; 10_000]);
    assert_eq!(socket.closed().0, 1009);
}

#[test]
fn a_million_subscriptions_in_one_message_are_survived() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    let names: Vec<String> = (0..200_000).map(|number| format!("{number:x}")).collect();
    socket.send(&json!({"type": "subscribe", "channels": names}));
    // Answered or let go: either way the first answer is the hundred that fit, if there is one.
    if let Frame::Text(answer) = socket.frame()
        && answer["type"] == "subscribed"
    {
        assert_eq!(answer["channels"].as_array().expect("channels").len(), 100);
    }
    drop(socket);
    relay.wait_for_connections(&site, 0);
    let mut other = relay.ws(&site.token().v1());
    other.subscribe(&["0"]);
    relay.published(&site, "0", "e", "1");
    other.expect_message("0", "e", &json!(1));
}

#[test]
fn one_site_at_its_rate_does_not_slow_another() {
    let (relay, one) =
        with_site(options().config("limits.publishes_per_second = 1\nlimits.publishes_burst = 2"));
    let two = relay.add_site("https://two.example");
    let mut limited = false;
    for _ in 0..4 {
        limited |= relay.publish(&one, "events", "e", "1").status == 429;
    }
    assert!(limited);
    relay.published(&two, "events", "e", "1");
}
