//! Who says nothing, or says it too slowly, is let go in time; who answers pings stays.

use crate::{options, relay, with_site};
use serde_json::json;
use std::io::{Read as _, Write as _};
use testkit::{Frame, http};

#[test]
fn a_silent_socket_is_closed_with_1001() {
    let (relay, site) =
        with_site(options().config("session.ping_interval_ms = 60000\nsession.client_silence_ms = 1000"));
    let (code, reason) = relay.ws(&site.token()).closed();
    assert_eq!(code, 1001);
    assert!(!reason.is_empty());
}

#[test]
fn a_socket_that_answers_pings_stays() {
    let (relay, site) =
        with_site(options().config("session.ping_interval_ms = 1000\nsession.client_silence_ms = 3000"));
    let mut answers = relay.ws(&site.token().v1());
    answers.subscribe(&["events"]);
    let mut silent = relay.ws(&site.token());
    // A client of its own thread that reads, answers pings and nothing else, for as long as the silent one lives twice.
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            loop {
                match answers.frame() {
                    Frame::Text(message) if message["event"] == "done" => return,
                    Frame::Text(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        });
        for _ in 0..2 {
            // Reading without answering: pings arrive, nothing goes out.
            let mut bytes = [0; 4096];
            let mut stream = silent.stream();
            while stream.read(&mut bytes).expect("the relay closes in time") > 0 {}
            silent = relay.ws(&site.token());
        }
        relay.published(&site, "events", "done", "1");
        reader.join().expect("it stayed");
    });
}

#[test]
fn a_protocol_ping_is_answered() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token());
    for payload in [&b""[..], b"hello", &[0xff; 125]] {
        socket.send_ping(payload);
        assert_eq!(socket.frame(), Frame::Pong(payload.to_vec()));
    }
    // And the relay's own kind of ping is not an answer to anything.
    socket.send(&json!({"type": "pong"}));
    assert!(socket.drain().is_empty());
}

#[test]
fn slow_heads_and_slow_bodies_are_let_go() {
    let (relay, site) =
        with_site(options().config("http.head_timeout_ms = 1000\nhttp.body_timeout_ms = 1000"));
    let mut slow_head = http::connect(relay.address()).expect("a connection");
    write!(slow_head, "GET /healthz HTTP/1.1\r\nHost: re").expect("half a head");
    let mut slow_body = http::connect(relay.address()).expect("a connection");
    let mut head = "POST /publish HTTP/1.1\r\nHost: relay\r\nContent-Length: 100\r\n".to_owned();
    for (name, value) in site.signed_headers(b"") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    write!(slow_body, "{head}\r\nhalf a body").expect("half a body");
    for stream in [&mut slow_head, &mut slow_body] {
        let mut rest = Vec::new();
        // A 408 or nothing, but an end.
        let _reset = stream.read_to_end(&mut rest);
        let rest = String::from_utf8_lossy(&rest);
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 408"), "{rest}");
    }
}

#[test]
fn one_byte_at_a_time_does_not_stretch_the_head_time() {
    let (relay, _) = with_site(options().config("http.head_timeout_ms = 1000"));
    let mut stream = http::connect(relay.address()).expect("a connection");
    let deadline = std::time::Instant::now() + testkit::WAIT;
    write!(stream, "GET /healthz HTTP/1.1\r\nX: ").expect("the beginning");
    // The kernel tells of the other side's end with an error on one of the next writes.
    while stream.write_all(b"x").is_ok() {
        assert!(
            std::time::Instant::now() < deadline,
            "still taken after {} s",
            testkit::WAIT.as_secs()
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn an_idle_connection_between_requests_is_let_go() {
    let (relay, _) = with_site(options().config("http.keep_alive_ms = 1000"));
    let mut stream = http::connect(relay.address()).expect("a connection");
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n").expect("a request");
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("an end");
    assert!(all.starts_with(b"HTTP/1.1 200"));
}
