//! What works in the clear works over TLS: publishes, sockets, streams, many of them, large and slow ones.

use crate::{start, start_with};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use std::io::{Read as _, Write as _};
use testkit::{Frame, Stream, TlsClient, Ws, http, site};

#[test]
fn a_published_message_reaches_a_socket_and_a_stream() {
    let tls = start();
    let mut socket = tls.ws(&tls.site.token().v1());
    socket.subscribe(&["events"]);
    let mut stream = tls.sse(&tls.site.token().v1(), &["events"]);
    let answer = tls.publish(site::body("events", "post.updated", r#"{"n":1}"#).as_bytes());
    assert_eq!((answer.status, answer.json()), (200, json!({"ok": true})));
    socket.expect_message("events", "post.updated", &json!({"n": 1}));
    assert_eq!(stream.json(), json!({"n": 1}));
    // The other way round: from a browser over TLS to one in the clear.
    let mut plain = tls.relay.ws(&tls.site.token().v1());
    plain.subscribe(&["events"]);
    socket.publish("events", "typed", json!("hello"));
    plain.expect_message("events", "typed", &json!("hello"));
}

#[test]
fn both_versions_of_tls_are_spoken_and_http_1_1_is_chosen() {
    let tls = start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client =
            TlsClient::speaking(&tls.files.pem, crate::NAME, &[version]).offering(&["h2", "http/1.1"]);
        let stream = client.connect(tls.address).expect("a TLS connection");
        let Stream::Tls(session) = &stream else {
            panic!("a TLS client made a plain connection")
        };
        assert_eq!(session.conn.protocol_version(), Some(version.version));
        assert_eq!(session.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        let mut socket = Ws::over(
            stream,
            crate::NAME,
            &format!("/ws?token={}", tls.site.token().v1().sign()),
        );
        socket.subscribe(&["events"]);
    }
}

#[test]
fn large_messages_go_through_in_both_directions() {
    let tls = start_with("limits.message_bytes_max = 2000000\nlimits.outbox_bytes_max = 4194304");
    let mut sender = tls.ws(&tls.site.token().v1());
    let mut reader = tls.ws(&tls.site.token().v1());
    reader.subscribe(&["events"]);
    for length in [1, 4_000, 16_384, 16_385, 65_536, 70_000, 1_000_000] {
        let text = "x".repeat(length);
        sender.publish("events", "large", json!(text));
        reader.expect_message("events", "large", &json!(text));
        let published = tls.publish(site::body("events", "posted", &json!(text).to_string()).as_bytes());
        // The largest body of a publish has 1 MiB.
        assert_eq!(published.status, 200, "{published:?}");
        reader.expect_message("events", "posted", &json!(text));
    }
}

#[test]
fn frames_sent_together_with_the_handshake_are_not_lost() {
    let tls = start();
    let mut stream = tls.client.connect(tls.address).expect("a TLS connection");
    // More than the HTTP phase reads at a time, and less than a TLS record holds: the rest waits inside TLS.
    let mut bytes = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        tls.site.token().v1().sign()
    )
    .into_bytes();
    let payload = [b'p'; 100];
    for _ in 0..100 {
        bytes.extend_from_slice(&[0x89, 0x80 | 100, 0, 0, 0, 0]);
        bytes.extend_from_slice(&payload);
    }
    assert!(
        bytes.len() > 8 * 1024 && bytes.len() < 16 * 1024,
        "{}",
        bytes.len()
    );
    stream.write_all(&bytes).expect("sent in one record");
    let mut reader = std::io::BufReader::new(stream);
    let head = http::read_head(&mut reader).expect("an answer");
    assert_eq!(head.status, 101, "{head:?}");
    for number in 0..100 {
        let mut pong = [0; 102];
        reader
            .read_exact(&mut pong)
            .unwrap_or_else(|error| panic!("pong {number}: {error}"));
        assert_eq!(pong[..2], [0x8a, 100]);
        assert_eq!(pong[2..], payload);
    }
}

#[test]
fn a_thousand_subscribers_each_get_everything() {
    const SUBSCRIBERS: usize = 1_000;
    const MESSAGES: u32 = 20;
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("descriptors up to the hard limit");
    let tls = start();
    let token = tls.site.token().v1();
    let mut sockets: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut socket = tls.ws(&token);
            socket.subscribe(&["events"]);
            socket
        })
        .collect();
    for number in 0..MESSAGES {
        tls.relay.published(&tls.site, "events", "e", &number.to_string());
    }
    for (which, socket) in sockets.iter_mut().enumerate() {
        for number in 0..MESSAGES {
            assert_eq!(socket.text()["data"], number, "subscriber {which}");
        }
    }
}

#[test]
fn a_reader_that_stalls_is_closed_and_others_get_everything() {
    const MESSAGES: u32 = 120;
    let tls = start_with(
        "limits.outbox_bytes_max = 524288\nlimits.publishes_per_second = 0\nsession.client_silence_ms = 600000\n\
         limits.message_bytes_max = 200000\nlimits.publish_body_bytes_max = 200000",
    );
    let tcp = http::connect(tls.address).expect("a connection");
    let stream = tls.client.over(tcp).expect("a TLS connection");
    let path = format!("/ws?token={}", tls.site.token().v1().sign());
    let mut stalled = Ws::over(stream, crate::NAME, &path);
    stalled.subscribe(&["events"]);
    let mut reader = tls.ws(&tls.site.token().v1());
    reader.subscribe(&["events"]);
    let padding = "x".repeat(100_000);
    for number in 0..MESSAGES {
        tls.relay
            .published(&tls.site, "events", "e", &json!([number, padding]).to_string());
        assert_eq!(reader.text()["data"][0], number, "lost or out of order");
    }
    tls.relay.wait_for_connections(&tls.site, 1);
    let mut next = 0;
    loop {
        match stalled.frame() {
            Frame::Text(message) => {
                assert_eq!(message["data"][0], next, "a hole in what the stalled reader got");
                next += 1;
            }
            Frame::Close(code, _) => {
                assert_eq!(code, 1013);
                break;
            }
            Frame::Gone => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(next < MESSAGES, "nothing was stalled: the test shows nothing");
}

#[test]
fn a_reader_that_pauses_gets_all_of_it() {
    // Over what the kernel and TLS hold, and under what the outbox does.
    const MESSAGES: u32 = 120;
    let tls = start_with(
        "limits.publishes_per_second = 0\nlimits.outbox_bytes_max = 16777216\nsession.client_silence_ms = 600000",
    );
    let tcp = http::connect(tls.address).expect("a connection");
    let stream = tls.client.over(tcp).expect("a TLS connection");
    let mut socket = Ws::over(
        stream,
        crate::NAME,
        &format!("/ws?token={}", tls.site.token().v1().sign()),
    );
    socket.subscribe(&["events"]);
    let padding = "x".repeat(100_000);
    for number in 0..MESSAGES {
        tls.relay
            .published(&tls.site, "events", "e", &json!([number, padding]).to_string());
    }
    for number in 0..MESSAGES {
        assert_eq!(
            socket.text()["data"],
            json!([number, padding]),
            "lost or out of order"
        );
    }
}

#[test]
fn a_session_that_ends_says_goodbye_in_tls_too() {
    let mut tls = start_with("server.drain_ms = 100");
    let mut stream = tls.client.connect(tls.address).expect("a TLS connection");
    let token = tls.site.token().v1().sign();
    write!(
        stream,
        "GET /sse?token={token}&channels=events HTTP/1.1\r\nHost: relay\r\n\r\n"
    )
    .expect("sent");
    let mut socket = tls.ws(&tls.site.token().v1());
    tls.relay.wait_for_connections(&tls.site, 2);
    assert_eq!(tls.relay.stop().code(), Some(0));
    assert_eq!(socket.closed().0, 1012);
    // Without a close_notify this would be an error: the stream could have been cut off by anyone.
    let mut rest = String::new();
    stream
        .read_to_string(&mut rest)
        .expect("an end that TLS vouches for");
    assert!(rest.contains("retry:"), "{rest}");
}

#[test]
fn a_peer_that_leaves_without_goodbye_ends_its_session() {
    let tls = start();
    let socket = tls.ws(&tls.site.token().v1());
    let stream = tls.sse(&tls.site.token().v1(), &["events"]);
    tls.relay.wait_for_connections(&tls.site, 2);
    // TCP ends; TLS was not closed.
    for tcp in [socket.stream(), stream.stream()] {
        tcp.shutdown(std::net::Shutdown::Write).expect("a FIN");
    }
    tls.relay.wait_for_connections(&tls.site, 0);
}
