//! Requests that no client would make: refused as HTTP has it, and no request is ever smuggled inside another.

use crate::relay;
use std::io::{BufReader, Write as _};
use testkit::{Relay, http};

/// The statuses that the bytes get, until the relay closes the connection.
fn statuses(relay: &Relay, bytes: &[u8]) -> Vec<u16> {
    http::raw(relay.address(), bytes)
        .iter()
        .map(|answer| answer.status)
        .collect()
}

fn is_refused(relay: &Relay, what: &str, bytes: &[u8]) {
    let statuses = statuses(relay, bytes);
    assert!(
        statuses.iter().all(|status| (400..500).contains(status)) && statuses.len() <= 1,
        "{what}: {statuses:?}"
    );
}

/// The rest of a request that a confused relay would take for a second one.
const SMUGGLED: &str = "GET /healthz HTTP/1.1\r\nHost: smuggled\r\nConnection: close\r\n\r\n";

#[test]
fn ambiguous_lengths_are_refused() {
    let (relay, _) = relay();
    for (what, headers) in [
        (
            "content-length and chunked",
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
        ),
        (
            "chunked and content-length",
            "Transfer-Encoding: chunked\r\nContent-Length: 4",
        ),
        ("two lengths", "Content-Length: 4\r\nContent-Length: 5"),
        ("a list of lengths", "Content-Length: 4, 5"),
        ("a negative length", "Content-Length: -1"),
        ("a length with a sign", "Content-Length: +4"),
        ("a hex length", "Content-Length: 0x4"),
        (
            "a length beyond 64 bits",
            "Content-Length: 99999999999999999999999",
        ),
        ("chunked in the middle", "Transfer-Encoding: chunked, identity"),
        ("an unknown coding", "Transfer-Encoding: xchunked"),
        ("a space before the colon", "Transfer-Encoding : chunked"),
        ("a folded header", "Transfer-Encoding:\r\n chunked"),
        ("a length in a folded header", "X: y\r\n Content-Length: 4"),
    ] {
        let bytes = format!("POST /publish HTTP/1.1\r\nHost: relay\r\n{headers}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        is_refused(&relay, what, bytes.as_bytes());
    }
}

#[test]
fn broken_chunks_are_refused() {
    let (relay, _) = relay();
    for (what, body) in [
        ("a length beyond 64 bits", "FFFFFFFFFFFFFFFFF\r\n"),
        ("no number", "x\r\n"),
        ("a negative number", "-1\r\n"),
        ("no line end after the chunk", "1\r\nab\r\n0\r\n\r\n"),
    ] {
        let bytes = format!(
            "POST /publish HTTP/1.1\r\nHost: relay\r\nX-WP-Signal-Key: a\r\nX-WP-Signal-Ts: 1\r\nX-WP-Signal-Sign: b\r\n\
             Transfer-Encoding: chunked\r\n\r\n{body}{SMUGGLED}"
        );
        is_refused(&relay, what, bytes.as_bytes());
    }
}

#[test]
fn bad_bytes_in_the_head_are_refused() {
    let (relay, _) = relay();
    for (what, bytes) in [
        (
            "a bare CR in a value",
            &b"GET /healthz HTTP/1.1\r\nHost: relay\r\nX: a\rb\r\n\r\n"[..],
        ),
        (
            "NUL in a value",
            b"GET /healthz HTTP/1.1\r\nHost: relay\r\nX: a\0b\r\n\r\n",
        ),
        (
            "NUL in the path",
            b"GET /heal\0thz HTTP/1.1\r\nHost: relay\r\n\r\n",
        ),
        (
            "a space in a name",
            b"GET /healthz HTTP/1.1\r\nHost: relay\r\nX Y: z\r\n\r\n",
        ),
        (
            "no colon",
            b"GET /healthz HTTP/1.1\r\nHost: relay\r\nnonsense\r\n\r\n",
        ),
        (
            "an empty name",
            b"GET /healthz HTTP/1.1\r\nHost: relay\r\n: x\r\n\r\n",
        ),
        ("two spaces", b"GET  /healthz HTTP/1.1\r\nHost: relay\r\n\r\n"),
        ("no version", b"GET /healthz\r\n\r\n"),
        ("HTTP/0.9", b"GET /healthz HTTP/0.9\r\n\r\n"),
        ("HTTP/3.0", b"GET /healthz HTTP/3.0\r\nHost: relay\r\n\r\n"),
        ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03random\r\n\r\n",
        ),
        ("bytes", b"\xff\xfe\xfd\r\n\r\n"),
    ] {
        is_refused(&relay, what, bytes);
    }
}

#[test]
fn oversized_heads_are_refused() {
    let (relay, _) = relay();
    let many: String = (0..2000).map(|number| format!("X-{number}: y\r\n")).collect();
    is_refused(
        &relay,
        "2,000 headers",
        format!("GET /healthz HTTP/1.1\r\nHost: relay\r\n{many}\r\n").as_bytes(),
    );
    let long = "x".repeat(64 * 1024);
    is_refused(
        &relay,
        "a path of 64 KiB",
        format!("GET /{long} HTTP/1.1\r\nHost: relay\r\n\r\n").as_bytes(),
    );
    is_refused(
        &relay,
        "a header of 64 KiB",
        format!("GET /healthz HTTP/1.1\r\nHost: relay\r\nX: {long}\r\n\r\n").as_bytes(),
    );
    is_refused(
        &relay,
        "a head without an end",
        format!("GET /healthz HTTP/1.1\r\nX: {}", long.repeat(16)).as_bytes(),
    );
    assert_eq!(relay.get("/healthz").status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let (relay, _) = relay();
    let bytes = "GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n\
                 GET /nothing HTTP/1.1\r\nHost: relay\r\n\r\n\
                 GET /readyz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n";
    assert_eq!(statuses(&relay, bytes.as_bytes()), [200, 404, 200]);
}

#[test]
fn a_websocket_after_an_ordinary_request_on_the_same_connection() {
    let (relay, site) = relay();
    let mut stream = http::connect(relay.address()).expect("a connection");
    let mut reader = BufReader::with_capacity(1, stream.try_clone().expect("a second handle"));
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n").expect("a request");
    assert_eq!(http::read_answer(&mut reader).expect("an answer").status, 200);
    write!(
        stream,
        "GET /ws?token={} HTTP/1.1\r\nHost: relay\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        site.token().v1().sign()
    )
    .expect("a request");
    assert_eq!(http::read_head(&mut reader).expect("an answer").status, 101);
    testkit::Ws::from_stream(stream).subscribe(&["events"]);
}

#[test]
fn handshakes_that_are_none_are_refused() {
    let (relay, site) = relay();
    let path = format!("/ws?token={}", site.token().sign());
    let handshake = |version: &str, headers: &str| {
        format!("GET {path} HTTP/{version}\r\nHost: relay\r\n{headers}Connection: Upgrade, close\r\n\r\n")
            .into_bytes()
    };
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    is_refused(&relay, "no upgrade", &handshake("1.1", ""));
    is_refused(
        &relay,
        "no key",
        &handshake("1.1", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
    );
    is_refused(
        &relay,
        "a short key",
        &handshake(
            "1.1",
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: abc\r\n",
        ),
    );
    is_refused(
        &relay,
        "another protocol",
        &handshake(
            "1.1",
            &format!("Upgrade: h2c\r\nSec-WebSocket-Version: 13\r\n{key}"),
        ),
    );
    is_refused(
        &relay,
        "HTTP/1.0",
        &handshake(
            "1.0",
            &format!("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n{key}"),
        ),
    );
    let answers = http::raw(
        relay.address(),
        &handshake(
            "1.1",
            &format!("Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n{key}"),
        ),
    );
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].status, 426);
    assert_eq!(answers[0].header("Sec-WebSocket-Version"), Some("13"));
}

#[test]
fn extensions_and_subprotocols_are_not_promised() {
    let (relay, site) = relay();
    let bytes = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        site.token().sign()
    );
    let mut stream = http::connect(relay.address()).expect("a connection");
    stream.write_all(bytes.as_bytes()).expect("sent");
    let answer = http::read_head(&mut BufReader::new(stream)).expect("an answer");
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("Sec-WebSocket-Extensions"), None);
    assert_eq!(answer.header("Sec-WebSocket-Protocol"), None);
}

#[test]
fn odd_but_lawful_requests_are_served() {
    let (relay, _) = relay();
    for bytes in [
        "GET http://relay/healthz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n",
        "GET /healthz?a=b HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
        "\r\nGET /healthz HTTP/1.1\r\nhOST: relay\r\ncONNECTION: CLOSE\r\n\r\n",
    ] {
        assert_eq!(statuses(&relay, bytes.as_bytes()), [200], "for {bytes:?}");
    }
    let answers = http::raw(
        relay.address(),
        b"BREW /healthz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(answers[0].status, 405);
}
