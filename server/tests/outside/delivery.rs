//! What was published arrives: everything, once, in order, byte for byte, on every shard.

use crate::{options, relay, with_site};
use serde_json::json;
use testkit::{Frame, Sse, Ws};

#[test]
fn every_subscriber_gets_every_message_once_and_in_order() {
    let (relay, site) = with_site(options().config("limits.publishes_per_second = 0"));
    let qualified = site.qualified("events");
    let mut sockets: Vec<Ws> = (0..60)
        .map(|number| {
            let token = if number % 2 == 0 {
                site.token().v1()
            } else {
                site.token()
            };
            let mut socket = relay.ws(&token);
            socket.subscribe(&[if number % 3 == 0 { "events" } else { &qualified }]);
            if number % 2 == 1 {
                assert_eq!(socket.text()["data"]["action"], "sync");
            }
            socket
        })
        .collect();
    let mut streams: Vec<Sse> = (0..20)
        .map(|number| {
            relay.sse(
                &site.token().v1(),
                &[if number % 2 == 0 { "events" } else { &qualified }],
            )
        })
        .collect();
    // Two publishers; each one's messages stay in its order.
    const EACH: u64 = 150;
    std::thread::scope(|scope| {
        for publisher in 0..2 {
            let (relay, site, qualified) = (&relay, &site, &qualified);
            scope.spawn(move || {
                for number in 0..EACH {
                    let channel = if number % 2 == 0 { "events" } else { qualified };
                    relay.published(site, channel, "n", &format!("[{publisher},{number}]"));
                }
            });
        }
    });
    let mut first: Option<Vec<(u64, u64)>> = None;
    let mut check = |got: Vec<(u64, u64)>| {
        for publisher in 0..2 {
            let own: Vec<u64> = got
                .iter()
                .filter(|(from, _)| *from == publisher)
                .map(|(_, number)| *number)
                .collect();
            assert_eq!(own, (0..EACH).collect::<Vec<_>>(), "of publisher {publisher}");
        }
        // A channel has one order, the same for everybody.
        assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
    };
    let pair = |data: &serde_json::Value| {
        (
            data[0].as_u64().expect("a number"),
            data[1].as_u64().expect("a number"),
        )
    };
    for socket in &mut sockets {
        check((0..2 * EACH).map(|_| pair(&socket.text()["data"])).collect());
        assert!(socket.drain().is_empty(), "more than was published");
    }
    for stream in &mut streams {
        check((0..2 * EACH).map(|_| pair(&stream.json())).collect());
    }
}

#[test]
fn data_passes_byte_for_byte() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let mut stream = relay.sse(&site.token().v1(), &["events"]);
    let cases = [
        "1.0",
        "12345678901234567890123456789.000",
        "1.5E300",
        "-0",
        r#"{ "b" : 1,"a":2 , "b":3 }"#,
        r#""\u00e9\/\ud83d\ude00 é 😀""#,
        r#"{"v":1,"p":"SGVsbG8="}"#,
        "[ [ ], { } ]",
        "\"\\u2028 \u{2028}\u{2029}\u{85}\"",
    ];
    for data in cases {
        relay.published(&site, "events", "e", data);
        let Frame::Text(_) = socket.frame() else {
            panic!("no text")
        };
        let text = &socket.last_text;
        assert!(text.contains(&format!("\"data\":{data}")), "{data} became {text}");
        let event = stream.event();
        assert_eq!(event.data.as_deref(), Some(data));
        assert_eq!(event.event.as_deref(), Some("e"));
    }
}

#[test]
fn line_breaks_in_data_stay_inside_their_event() {
    let (relay, site) = relay();
    let mut old = relay.sse(&site.token().v1(), &["events"]);
    let mut new = relay.sse(&site.token(), &["events"]);
    assert_eq!(new.json()["event"], "wps.presence");
    for line_end in ["\n", "\r\n", "\r", "\n\n", "\r\r\n\n"] {
        let data = format!("{{\"a\":{line_end}1,{line_end}\"event\":2}}{line_end}");
        relay.published(&site, "events", "e", &data);
        assert_eq!(old.json(), json!({"a": 1, "event": 2}), "for {line_end:?}");
        assert_eq!(
            new.json(),
            json!({"event": "e", "channel": "events", "data": {"a": 1, "event": 2}})
        );
    }
    // With LF alone nothing is changed either.
    relay.published(&site, "events", "e", "[1,\n\n2]");
    assert_eq!(old.event().data.as_deref(), Some("[1,\n\n2]"));
}

#[test]
fn strange_names_arrive_as_they_are() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    for channel in [
        "a b",
        "ünï/çødé",
        "\"quoted\"",
        "\\",
        "<b>",
        "a,b",
        "%41",
        "😀",
        "SITE:x",
        "sit",
        "{}",
    ] {
        socket.subscribe(&[channel]);
        for event in [
            "e",
            "post.updated",
            "\"",
            "\\n",
            "data: x",
            " e ",
            "😀",
            "\u{2028}",
        ] {
            relay.published(&site, channel, event, "1");
            socket.expect_message(channel, event, &json!(1));
        }
    }
}

#[test]
fn a_publish_reaches_subscribers_of_every_shard() {
    let (relay, site) = with_site(options().workers(4));
    // With one listener a shard, 40 connections leave no shard without one (2 in a million runs would).
    let mut sockets: Vec<Ws> = (0..40).map(|_| relay.ws(&site.token().v1())).collect();
    for channel in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        for socket in &mut sockets {
            socket.subscribe(&[channel]);
        }
        relay.published(&site, channel, "e", "1");
        for socket in &mut sockets {
            socket.expect_message(channel, "e", &json!(1));
        }
    }
}

#[test]
fn a_killed_client_in_the_middle_disturbs_nobody() {
    let (relay, site) = relay();
    let mut sockets: Vec<Ws> = (0..10).map(|_| relay.ws(&site.token().v1())).collect();
    for socket in &mut sockets {
        socket.subscribe(&["events"]);
    }
    for number in 0..100 {
        if number % 10 == 5 && sockets.len() > 1 {
            sockets.pop();
        }
        relay.published(&site, "events", "n", &number.to_string());
        for socket in &mut sockets {
            socket.expect_message("events", "n", &json!(number));
        }
    }
    relay.wait_for_connections(&site, 1);
}
