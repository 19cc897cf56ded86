//! A client that comes back gets what it missed, once and in order, before anything new; or is told that it can't.

use crate::{options, relay, with_site};
use serde_json::{Value, json};
use testkit::{Relay, Site, Sse, Ws};

fn publish_numbers(relay: &Relay, site: &Site, channel: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        relay.published(site, channel, "n", &number.to_string());
    }
}

fn expect_numbers(socket: &mut Ws, channel: &str, numbers: std::ops::Range<u32>) -> String {
    let mut id = Value::Null;
    for number in numbers {
        let mut message = socket.text();
        id = message["id"].take();
        assert!(id.is_string(), "no id in {message}");
        message.as_object_mut().expect("an object").remove("id");
        assert_eq!(
            message,
            json!({"type": "message", "channel": channel, "event": "n", "data": number})
        );
    }
    id.as_str().expect("an id").to_owned()
}

#[test]
fn a_socket_resumes_after_the_id_it_saw() {
    let (relay, site) = relay();
    let token = site.token().v1();
    let mut socket = relay.ws_with_ids(&token);
    socket.subscribe(&["a"]);
    publish_numbers(&relay, &site, "a", 0..3);
    let id = expect_numbers(&mut socket, "a", 0..3);
    drop(socket);
    publish_numbers(&relay, &site, "a", 3..10);

    let mut socket = relay.ws_with_ids(&token);
    socket.send(&json!({"type": "subscribe", "channels": ["a"], "since": {"a": id}}));
    assert_eq!(socket.text(), json!({"type": "subscribed", "channels": ["a"]}));
    expect_numbers(&mut socket, "a", 3..10);
    publish_numbers(&relay, &site, "a", 10..11);
    expect_numbers(&mut socket, "a", 10..11);
}

#[test]
fn nothing_is_lost_or_repeated_while_publishing_goes_on() {
    let (relay, site) =
        with_site(options().config("limits.publishes_per_second = 0\nrecovery.messages_max = 2000"));
    let token = site.token().v1();
    const TOTAL: u32 = 400;
    std::thread::scope(|scope| {
        scope.spawn(|| publish_numbers(&relay, &site, "a", 0..TOTAL));
        let mut next = 0;
        let mut id: Option<String> = None;
        while next < TOTAL {
            let mut socket = relay.ws_with_ids(&token);
            // Without an id the beginning is asked for with one of another run: a gap, then all that is remembered.
            let since = id.clone().unwrap_or_else(|| "0".to_owned());
            socket.send(&json!({"type": "subscribe", "channels": ["a"], "since": {"a": since}}));
            assert_eq!(socket.text()["type"], "subscribed");
            if id.is_none() {
                assert_eq!(socket.text(), json!({"type": "gap", "channel": "a"}));
            }
            for _ in 0..37.min(TOTAL - next) {
                let message = socket.text();
                assert_eq!(message["data"], next, "lost or repeated: {message}");
                id = message["id"].as_str().map(str::to_owned);
                next += 1;
            }
        }
    });
}

#[test]
fn an_id_out_of_reach_is_a_gap_first() {
    let (relay, site) = with_site(options().config("recovery.messages_max = 4"));
    let token = site.token().v1();
    let mut socket = relay.ws_with_ids(&token);
    socket.subscribe(&["a"]);
    publish_numbers(&relay, &site, "a", 0..1);
    let id = expect_numbers(&mut socket, "a", 0..1);
    publish_numbers(&relay, &site, "a", 1..10);
    let foreign = [
        "",
        "0",
        "-1",
        "99999999999999999999999999",
        "\u{0}",
        "../../etc/passwd",
        "ffffffff-ffffffff",
    ];
    let huge = "9".repeat(5000);
    for since in foreign.into_iter().chain([id.as_str(), huge.as_str()]) {
        let mut socket = relay.ws_with_ids(&token);
        socket.send(&json!({"type": "subscribe", "channels": ["a"], "since": {"a": since}}));
        assert_eq!(socket.text(), json!({"type": "subscribed", "channels": ["a"]}));
        assert_eq!(
            socket.text(),
            json!({"type": "gap", "channel": "a"}),
            "for {since:?}"
        );
        expect_numbers(&mut socket, "a", 6..10);
    }
}

#[test]
fn recovery_that_is_off_is_a_gap() {
    let (relay, site) = with_site(options().config("recovery.messages_max = 0"));
    let mut socket = relay.ws_with_ids(&site.token().v1());
    socket.subscribe(&["a"]);
    publish_numbers(&relay, &site, "a", 0..1);
    let message = socket.text();
    assert_eq!(message["data"], 0);
    publish_numbers(&relay, &site, "a", 1..2);
    assert_eq!(socket.text()["data"], 1);
    let mut late = relay.ws_with_ids(&site.token().v1());
    let since = message["id"].as_str().unwrap_or("0");
    late.send(&json!({"type": "subscribe", "channels": ["a"], "since": {"a": since}}));
    assert_eq!(late.text()["type"], "subscribed");
    assert_eq!(late.text(), json!({"type": "gap", "channel": "a"}));
}

#[test]
fn messages_have_ids_only_where_they_were_asked_for() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["a"]);
    publish_numbers(&relay, &site, "a", 0..1);
    assert_eq!(
        socket.text(),
        json!({"type": "message", "channel": "a", "event": "n", "data": 0})
    );
}

/// A cursor is known to be whole once a comment has followed it.
const QUICK_COMMENTS: &str = "session.ping_interval_ms = 1000";

/// The numbers of one channel among what a stream brings.
fn stream_numbers(stream: &mut Sse, count: usize) -> Vec<(String, u64)> {
    (0..count)
        .map(|_| {
            let message = stream.json();
            let channel = message["channel"].as_str().expect("a channel").to_owned();
            (
                channel,
                message["data"]
                    .as_u64()
                    .unwrap_or_else(|| panic!("no number: {message}")),
            )
        })
        .collect()
}

#[test]
fn a_stream_resumes_on_all_of_its_channels() {
    let (relay, site) = with_site(options().config(QUICK_COMMENTS));
    let token = site.token();
    let channels = ["a", "b", "c", "d"];
    let mut stream = relay.sse(&token, &channels);
    skip_presence_syncs(&mut stream, channels.len());
    for channel in channels {
        publish_numbers(&relay, &site, channel, 0..2);
    }
    stream_numbers(&mut stream, 8);
    let cursor = stream.cursor();
    drop(stream);
    for channel in ["a", "b", "c"] {
        publish_numbers(&relay, &site, channel, 2..5);
    }

    let mut stream = relay.sse_after(&token, &channels, &cursor);
    let mut missed = without_presence(&mut stream, 9);
    publish_numbers(&relay, &site, "d", 2..3);
    let new = without_presence(&mut stream, 1);
    assert_eq!(new[0]["data"], 2);
    missed.sort_by_key(|message| message["channel"].to_string());
    let expected: Vec<Value> = ["a", "b", "c"]
        .iter()
        .flat_map(|channel| (2..5).map(move |n| json!({"event": "n", "channel": channel, "data": n})))
        .collect();
    assert_eq!(
        missed, expected,
        "the sort is stable, so each channel's own order shows"
    );
}

#[test]
fn a_stream_with_a_senseless_cursor_is_told_first() {
    let (relay, site) = relay();
    publish_numbers(&relay, &site, "a", 0..2);
    let foreign = [
        "garbage",
        "0",
        "ffffffffffffffff",
        "a=1,b=2",
        "%00%0a",
        "\u{2028}",
    ];
    for cursor in foreign {
        let mut stream = relay.sse_after(&site.token(), &["a"], cursor);
        let messages = without_presence(&mut stream, 3);
        assert_eq!(
            messages[0],
            json!({"event": "wps.gap", "channel": "a", "data": {}}),
            "for {cursor:?}"
        );
        assert_eq!(messages[1]["data"], 0);
        assert_eq!(messages[2]["data"], 1);

        let mut stream = relay.sse_after(&site.token().v1(), &["a"], cursor);
        let gap = stream.event();
        assert_eq!(gap.event.as_deref(), Some("wps.gap"), "for {cursor:?}");
        assert_eq!(gap.data.as_deref(), Some(r#"{"channel":"a"}"#));
        assert_eq!(stream.event().data.as_deref(), Some("0"));
    }
}

#[test]
fn a_restart_is_a_gap_and_a_stream_goes_on() {
    let (mut relay, site) = with_site(options().config(QUICK_COMMENTS));
    let token = site.token().v1();
    let mut stream = relay.sse(&token, &["a"]);
    publish_numbers(&relay, &site, "a", 0..2);
    assert_eq!(stream.event().data.as_deref(), Some("0"));
    assert_eq!(stream.event().data.as_deref(), Some("1"));
    let cursor = stream.cursor();
    assert!(relay.stop().success());
    while stream.event_raw().is_some() {}

    relay.start_again();
    publish_numbers(&relay, &site, "a", 2..3);
    let mut stream = relay.sse_after(&token, &["a"], &cursor);
    assert_eq!(stream.event().event.as_deref(), Some("wps.gap"));
    assert_eq!(stream.event().data.as_deref(), Some("2"));
    publish_numbers(&relay, &site, "a", 3..4);
    assert_eq!(stream.event().data.as_deref(), Some("3"));
}

fn without_presence(stream: &mut Sse, count: usize) -> Vec<Value> {
    let mut messages = Vec::new();
    while messages.len() < count {
        let message = stream.json();
        if message["event"] != "wps.presence" {
            messages.push(message);
        }
    }
    messages
}

fn skip_presence_syncs(stream: &mut Sse, count: usize) {
    for _ in 0..count {
        let message = stream.json();
        assert_eq!(
            (&message["event"], &message["data"]["action"]),
            (&json!("wps.presence"), &json!("sync"))
        );
    }
}
