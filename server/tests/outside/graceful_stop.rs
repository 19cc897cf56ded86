//! SIGTERM: sockets are told to come back, streams end with a `retry`, what is in flight is finished, and the exit code is 0.

use crate::{options, with_site};
use rustix::process::Signal;
use std::io::{BufReader, Write as _};
use testkit::{Relay, Site, http};

fn relay() -> (Relay, Site) {
    with_site(options().config("server.drain_ms = 300"))
}

#[test]
fn every_socket_gets_1012_and_every_stream_a_retry() {
    let (mut relay, site) = relay();
    let token = site.token().v1();
    let mut sockets: Vec<_> = (0..20).map(|_| relay.ws(&token)).collect();
    let mut streams: Vec<_> = (0..5).map(|_| relay.sse(&token, &["events"])).collect();
    for socket in &mut sockets {
        socket.subscribe(&["events"]);
    }
    relay.published(&site, "events", "last", "1");
    relay.signal(Signal::TERM);
    for socket in &mut sockets {
        socket.expect_message("events", "last", &serde_json::json!(1));
        let (code, reason) = socket.closed();
        assert_eq!(code, 1012);
        assert!(!reason.is_empty());
    }
    for stream in &mut streams {
        assert_eq!(stream.event().data.as_deref(), Some("1"));
        let mut retry = None;
        while let Some(event) = stream.event_raw() {
            retry = event.retry.or(retry);
        }
        let retry: u64 = retry
            .expect("a retry before the end")
            .parse()
            .expect("milliseconds");
        assert!((1..=60_000).contains(&retry), "{retry}");
    }
    assert_eq!(relay.wait().code(), Some(0));
}

#[test]
fn a_publish_in_flight_is_finished() {
    let (mut relay, site) = relay();
    let body = testkit::site::body("events", "e", "1");
    let mut stream = http::connect(relay.address()).expect("a connection");
    let mut head = format!(
        "POST /publish HTTP/1.1\r\nHost: relay\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in site.signed_headers(body.as_bytes()) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let (first, rest) = body.split_at(body.len() / 2);
    write!(stream, "{head}\r\n{first}").expect("the first half");
    // An answer on another connection shows that the relay has had the time to read the first half.
    assert_eq!(relay.get("/healthz").status, 200);
    relay.signal(Signal::TERM);
    testkit::until("the relay to take no more connections", || {
        http::try_get(relay.address(), "/readyz")
            .map_or(Some(()), |answer| (answer.status == 503).then_some(()))
    });
    write!(stream, "{rest}").expect("the second half");
    let answer = http::read_answer(&mut BufReader::new(stream)).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(relay.wait().code(), Some(0));
}

#[test]
fn stalled_and_idle_connections_do_not_hold_up_the_end() {
    let (mut relay, site) = relay();
    let _idle = http::connect(relay.address()).expect("a connection");
    let mut half = http::connect(relay.address()).expect("a connection");
    write!(half, "GET /healthz HT").expect("half a request");
    let path = format!("/ws?token={}", site.token().sign());
    let _never_reads: Vec<_> = (0..5)
        .map(|_| testkit::Ws::open_small(relay.address(), &path))
        .collect();
    relay.wait_for_connections(&site, 5);
    assert_eq!(relay.stop().code(), Some(0));
}

#[test]
fn sigint_is_a_graceful_stop_too() {
    let (mut relay, site) = relay();
    let mut socket = relay.ws(&site.token());
    relay.signal(Signal::INT);
    assert_eq!(socket.closed().0, 1012);
    assert_eq!(relay.wait().code(), Some(0));
}
