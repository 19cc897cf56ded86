//! Every refusal of `POST /publish`, with its code, in the protocol's order.

use crate::{options, relay, with_site};
use serde_json::json;
use std::io::{BufReader, Write as _};
use testkit::site::{body, post};
use testkit::{Answer, Site, http, now};

fn refused(answer: &Answer) -> (u16, String) {
    (answer.status, answer.error())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Everything is wrong at first; each step mends the first thing that is wrong, and the answer is the next refusal.
#[test]
fn refusals_come_in_the_order_of_the_protocol() {
    let settings =
        "limits.publish_body_bytes_max = 1024\nlimits.publishes_per_second = 1\nlimits.publishes_burst = 1";
    let (relay, site) = with_site(options().config(settings));
    let to = relay.address();
    let unknown = Site {
        key: "0".repeat(32),
        ..site.clone()
    };
    let long = "x".repeat(2000);
    let old = (now().as_millis() - 61_000).to_string();
    let fresh = || now().as_millis().to_string();

    let mut headers = unknown.signed_headers_at(b"another body", &old);
    headers.pop();
    assert_eq!(
        refused(&post(to, &headers, long.as_bytes())),
        is(400, "invalid_request")
    );
    let headers = unknown.signed_headers_at(b"another body", &old);
    assert_eq!(
        refused(&post(to, &headers, long.as_bytes())),
        is(413, "payload_too_large")
    );
    assert_eq!(
        refused(&post(to, &headers, b"not json")),
        is(401, "unknown_site_key")
    );
    let headers = site.signed_headers_at(b"another body", &old);
    assert_eq!(
        refused(&post(to, &headers, b"not json")),
        is(401, "invalid_signature")
    );
    let headers = site.signed_headers_at(b"not json", &old);
    assert_eq!(
        refused(&post(to, &headers, b"not json")),
        is(401, "stale_timestamp")
    );
    let headers = site.signed_headers_at(b"not json", &fresh());
    assert_eq!(
        refused(&post(to, &headers, b"not json")),
        is(400, "invalid_request")
    );
    assert_eq!(
        refused(&relay.publish(&site, "wps:connections", "e", "1")),
        is(403, "forbidden")
    );
    relay.published(&site, "events", "e", "1");
    let limited = relay.publish(&site, "events", "e", "1");
    assert_eq!(refused(&limited), is(429, "rate_limited"));
    let seconds: u64 = limited
        .header("Retry-After")
        .expect("Retry-After")
        .parse()
        .expect("seconds");
    assert!((1..=60).contains(&seconds));
    assert_eq!(
        refused(&relay.publish(&site, "wps:connections", "e", "1")),
        is(403, "forbidden")
    );
}

#[test]
fn a_used_up_quota_is_quota_exceeded_and_nothing_else_is() {
    let (relay, site) = with_site(options().config("limits.publishes_per_month_max = 2"));
    for _ in 0..2 {
        relay.published(&site, "events", "e", "1");
    }
    for _ in 0..2 {
        assert_eq!(
            refused(&relay.publish(&site, "events", "e", "1")),
            is(429, "quota_exceeded")
        );
    }
}

#[test]
fn every_header_is_needed_and_the_timestamp_is_decimal() {
    let (relay, site) = relay();
    let body = body("events", "e", "1");
    for missing in 0..3 {
        let mut headers = site.signed_headers(body.as_bytes());
        headers.remove(missing);
        assert_eq!(
            refused(&post(relay.address(), &headers, body.as_bytes())),
            is(400, "invalid_request")
        );
    }
    for timestamp in [
        "",
        "+1700000000000",
        "-1",
        "1e12",
        "0x10",
        "1700000000000.5",
        "17000 00000",
        "\u{663}",
    ] {
        let headers = site.signed_headers_at(body.as_bytes(), timestamp);
        let answer = post(relay.address(), &headers, body.as_bytes());
        assert_eq!(refused(&answer), is(400, "invalid_request"), "for {timestamp:?}");
    }
    for timestamp in ["0", "99999999999999999999999999999999999999"] {
        let headers = site.signed_headers_at(body.as_bytes(), timestamp);
        let answer = post(relay.address(), &headers, body.as_bytes());
        assert_eq!(refused(&answer), is(401, "stale_timestamp"), "for {timestamp:?}");
    }
}

#[test]
fn a_timestamp_may_be_a_minute_off_either_way() {
    let (relay, site) = relay();
    let body = body("events", "e", "1");
    let now = i128::try_from(now().as_millis()).expect("a time");
    for (offset, status) in [(-62_000, 401), (-50_000, 200), (50_000, 200), (75_000, 401)] {
        let headers = site.signed_headers_at(body.as_bytes(), &(now + offset).to_string());
        let answer = post(relay.address(), &headers, body.as_bytes());
        assert_eq!(answer.status, status, "{offset} ms off: {answer:?}");
    }
}

#[test]
fn only_the_one_spelling_of_the_signature_is_taken() {
    let (relay, site) = relay();
    let body = body("events", "e", "1");
    let right = site.signature(body.as_bytes(), "0");
    let now = now().as_millis().to_string();
    let good = site.signature(body.as_bytes(), &now);
    let upper = good.to_uppercase();
    let spaced = format!("{good} {good}");
    let wrong = [
        "dummy",
        "",
        "0",
        &good[..62],
        &upper,
        &right,
        &spaced,
        &"g".repeat(64),
        &"0".repeat(64),
        &"0".repeat(4096),
    ];
    for signature in wrong {
        let headers = vec![
            ("X-WP-Signal-Key", site.key.clone()),
            ("X-WP-Signal-Ts", now.clone()),
            ("X-WP-Signal-Sign", signature.to_owned()),
        ];
        let answer = post(relay.address(), &headers, body.as_bytes());
        assert_eq!(
            refused(&answer),
            is(401, "invalid_signature"),
            "for {signature:?}"
        );
    }
    // As the plugin probes.
    let headers = vec![
        ("X-WP-Signal-Key", site.key.clone()),
        ("X-WP-Signal-Ts", now),
        ("X-WP-Signal-Sign", "dummy".to_owned()),
    ];
    assert_eq!(
        refused(&post(relay.address(), &headers, b"{}")),
        is(401, "invalid_signature")
    );
}

#[test]
fn the_signature_covers_the_bytes_as_sent() {
    let (relay, site) = relay();
    let body = body("events", "e", "1");
    let headers = site.signed_headers(body.as_bytes());
    let answer = post(relay.address(), &headers, body.replace(':', ": ").as_bytes());
    assert_eq!(refused(&answer), is(401, "invalid_signature"));
}

#[test]
fn a_body_that_is_no_message_names_the_field() {
    let (relay, site) = relay();
    let long_channel = "c".repeat(257);
    let long_event = "e".repeat(129);
    let cases = [
        ("", ""),
        ("[]", ""),
        ("null", ""),
        ("{", ""),
        (r#"{"channel":"a","event":"e","data":}"#, ""),
        (r#"{"channel":"a","event":"e"} x"#, ""),
        (r#"{"event":"e","data":1}"#, "channel"),
        (r#"{"channel":1,"event":"e","data":1}"#, "channel"),
        (r#"{"channel":"","event":"e","data":1}"#, "channel"),
        (r#"{"channel":"a\u0000b","event":"e","data":1}"#, "channel"),
        (r#"{"channel":"a\r\nb","event":"e","data":1}"#, "channel"),
        (
            &format!(r#"{{"channel":"{long_channel}","event":"e","data":1}}"#),
            "channel",
        ),
        (r#"{"channel":"a","data":1}"#, "event"),
        (r#"{"channel":"a","event":null,"data":1}"#, "event"),
        (r#"{"channel":"a","event":"","data":1}"#, "event"),
        (r#"{"channel":"a","event":"e\ndata: injected","data":1}"#, "event"),
        (
            &format!(r#"{{"channel":"a","event":"{long_event}","data":1}}"#),
            "event",
        ),
    ];
    for (body, field) in cases {
        let answer = site.publish_body(relay.address(), body.as_bytes());
        assert_eq!(refused(&answer), is(400, "invalid_request"), "for {body}");
        let message = answer.json()["message"].as_str().expect("a message").to_owned();
        assert!(message.contains(field), "{message:?} does not name {field:?}");
    }
    let answer = site.publish_body(relay.address(), b"{\"channel\":\"a\xff\",\"event\":\"e\"}");
    assert_eq!(refused(&answer), is(400, "invalid_request"));
}

#[test]
fn names_at_their_limit_are_taken() {
    let (relay, site) = relay();
    relay.published(&site, &"c".repeat(256), &"e".repeat(128), "1");
    relay.published(&site, &site.qualified(&"ü".repeat(128)), "e", "1");
}

#[test]
fn the_relays_own_names_are_forbidden() {
    let (relay, site) = relay();
    let cases = [
        ("wps:connections".to_owned(), "e"),
        (site.qualified("wps:connections"), "e"),
        ("wps:".to_owned(), "e"),
        ("events".to_owned(), "wps.presence"),
        ("events".to_owned(), "wps.anything"),
        ("site:".to_owned(), "e"),
        (format!("site:{}:events", "0".repeat(64)), "e"),
        (format!("site:{}", site.id), "e"),
    ];
    for (channel, event) in cases {
        let answer = relay.publish(&site, &channel, event, "1");
        assert_eq!(refused(&answer), is(403, "forbidden"), "for {channel} {event}");
    }
}

#[test]
fn a_large_body_is_refused_from_its_length_and_while_reading() {
    let (relay, site) = with_site(options().config("limits.publish_body_bytes_max = 1024"));
    let mut head = "POST /publish HTTP/1.1\r\nHost: relay\r\n".to_owned();
    for (name, value) in site.signed_headers(b"") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // From its length: not a byte of the body was sent.
    let mut stream = http::connect(relay.address()).expect("a connection");
    write!(stream, "{head}Content-Length: 1025\r\n\r\n").expect("the head");
    let answer = http::read_answer(&mut BufReader::new(&stream)).expect("an answer");
    assert_eq!(refused(&answer), is(413, "payload_too_large"));
    // While reading: the end never comes.
    let mut stream = http::connect(relay.address()).expect("a connection");
    write!(stream, "{head}Transfer-Encoding: chunked\r\n\r\n").expect("the head");
    for _ in 0..3 {
        write!(stream, "190\r\n{}\r\n", "x".repeat(400)).expect("a chunk");
    }
    let answer = http::read_answer(&mut BufReader::new(&stream)).expect("an answer");
    assert_eq!(refused(&answer), is(413, "payload_too_large"));
}

#[test]
fn a_chunked_body_is_as_good_as_any() {
    let (relay, site) = relay();
    let body = body("events", "e", "1");
    let mut stream = http::connect(relay.address()).expect("a connection");
    let mut request = "POST /publish HTTP/1.1\r\nHost: relay\r\nTransfer-Encoding: chunked\r\n".to_owned();
    for (name, value) in site.signed_headers(body.as_bytes()) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    for byte in body.chars() {
        request.push_str(&format!("1\r\n{byte}\r\n"));
    }
    request.push_str("0\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let answer = http::read_answer(&mut BufReader::new(&stream)).expect("an answer");
    assert_eq!((answer.status, answer.json()), (200, json!({"ok": true})));
}

#[test]
fn data_may_be_absent() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let answer = site.publish_body(relay.address(), br#"{"channel":"events","event":"e"}"#);
    assert_eq!(answer.status, 200);
    socket.expect_message("events", "e", &json!(null));
}

#[test]
fn an_archived_site_has_an_unknown_key() {
    let (relay, site) = relay();
    relay.cli(&["site", "archive", &site.key]);
    let answer = testkit::until("the relay to take it up", || {
        let answer = relay.publish(&site, "events", "e", "1");
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused(&answer), is(401, "unknown_site_key"));
}
