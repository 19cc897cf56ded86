//! Frames that break RFC 6455, or bend it to cost the relay something: each gets its right close code.

use crate::{options, relay, with_site};
use serde_json::json;
use std::io::{BufReader, Write as _};
use testkit::{Frame, Relay, Site, Ws, http};

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// A frame as a client sends it: first byte as given, masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | u8::try_from(length).expect("small")),
        length @ 126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).expect("small").to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// The close code that the bytes get. The socket sends nothing else, so that only they can be the reason.
fn close_code(relay: &Relay, site: &Site, bytes: &[u8]) -> u16 {
    let mut socket = relay.ws(&site.token().v1());
    socket.send_raw(bytes);
    socket.closed().0
}

fn all_close_with(code: u16, cases: &[(&str, Vec<u8>)]) {
    let (relay, site) = relay();
    for (what, bytes) in cases {
        assert_eq!(close_code(&relay, &site, bytes), code, "{what}");
    }
}

#[test]
fn broken_framing_is_1002() {
    all_close_with(
        1002,
        &[
            ("unmasked text", vec![0x81, 2, b'{', b'}']),
            ("unmasked ping", vec![0x89, 0]),
            ("RSV1", frame(0xc1, b"{}")),
            ("RSV2", frame(0xa1, b"{}")),
            ("RSV3", frame(0x91, b"{}")),
            (
                "RSV1 on a continuation",
                [frame(0x01, b"{"), frame(0xc0, b"}")].concat(),
            ),
            ("reserved data opcode 3", frame(0x83, b"")),
            ("reserved data opcode 7", frame(0x87, b"")),
            ("reserved control opcode 11", frame(0x8b, b"")),
            ("reserved control opcode 15", frame(0x8f, b"")),
            ("fragmented ping", frame(0x09, b"")),
            ("fragmented close", frame(0x08, b"")),
            ("ping of 126 bytes", frame(0x89, &[0; 126])),
            ("close of 126 bytes", frame(0x88, &[0; 126])),
            ("continuation of nothing", frame(0x80, b"x")),
            ("open continuation of nothing", frame(0x00, b"x")),
            (
                "text inside a message",
                [frame(0x01, b"{"), frame(0x81, b"}")].concat(),
            ),
            (
                "binary inside a message",
                [frame(0x01, b"{"), frame(0x82, b"}")].concat(),
            ),
            ("close with one byte", frame(0x88, &[0x03])),
        ],
    );
}

#[test]
fn bad_close_codes_are_1002_and_good_ones_are_echoed() {
    let (relay, site) = relay();
    for code in [
        0_u16, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        assert_eq!(
            close_code(&relay, &site, &frame(0x88, &code.to_be_bytes())),
            1002,
            "for {code}"
        );
    }
    for code in [
        1000_u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        assert_eq!(
            close_code(&relay, &site, &frame(0x88, &code.to_be_bytes())),
            code,
            "for {code}"
        );
    }
    assert_eq!(
        close_code(&relay, &site, &frame(0x88, b"")),
        1005,
        "an empty close is answered by one"
    );
    assert_eq!(
        close_code(&relay, &site, &frame(0x88, b"\x03\xe8\xff\xfe")),
        1007,
        "a reason that is no UTF-8"
    );
}

#[test]
fn text_that_is_no_utf8_is_1007() {
    all_close_with(
        1007,
        &[
            ("a lone byte", frame(0x81, b"\"\xff\"")),
            ("cut off", frame(0x81, b"\"\xe2\x82")),
            ("overlong", frame(0x81, b"\"\xc0\xaf\"")),
            ("a surrogate", frame(0x81, b"\"\xed\xa0\x80\"")),
            ("beyond Unicode", frame(0x81, b"\"\xf4\x90\x80\x80\"")),
            (
                "cut off across fragments",
                [frame(0x01, b"\"\xe2"), frame(0x80, b"\x82\"")].concat(),
            ),
            (
                "bad in the first of two fragments",
                [frame(0x01, b"\"\xff"), frame(0x80, b"\"")].concat(),
            ),
        ],
    );
}

#[test]
fn a_character_may_be_split_by_fragments_and_pings() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["ü"]);
    let text = r#"{"type":"message","channel":"ü","event":"e","data":"€"}"#.as_bytes();
    let mut bytes = frame(0x01, &text[..1]);
    for byte in &text[1..] {
        bytes.extend(frame(0x89, b"between"));
        bytes.extend(frame(0x00, &[*byte]));
    }
    bytes.extend(frame(0x80, b""));
    socket.send_raw(&bytes);
    for _ in &text[1..] {
        assert_eq!(socket.frame(), Frame::Pong(b"between".to_vec()));
    }
    socket.expect_message("ü", "e", &json!("€"));
}

/// Only the header is sent: a relay that waited for the payload, or made room for it, would not answer.
#[test]
fn an_oversized_frame_is_refused_from_its_header() {
    let header = |length: u64| {
        let mut bytes = vec![0x82, 0xff];
        bytes.extend(length.to_be_bytes());
        bytes.extend(MASK);
        bytes
    };
    let (relay, site) = relay();
    for length in [2 * 1024 * 1024 + 1, 1 << 32, 1 << 40, (1 << 63) - 1] {
        assert_eq!(close_code(&relay, &site, &header(length)), 1009, "for {length}");
    }
    for length in [1 << 63, u64::MAX] {
        let code = close_code(&relay, &site, &header(length));
        assert!(matches!(code, 1002 | 1009), "for {length}: {code}");
    }
}

#[test]
fn fragments_without_end_are_1009() {
    let (relay, site) = with_site(options().config("limits.message_bytes_max = 10000"));
    let mut socket = relay.ws(&site.token());
    socket.send_raw(&frame(0x01, &[b'x'; 1000]));
    for _ in 0..10 {
        socket.send_raw(&frame(0x00, &[b'x'; 1000]));
    }
    assert_eq!(socket.closed().0, 1009);
}

#[test]
fn empty_continuations_without_end_do_not_delay_others() {
    let (relay, site) = with_site(options().workers(1));
    let mut victim = relay.ws(&site.token().v1());
    victim.subscribe(&["events"]);
    let mut attacker = relay.ws(&site.token());
    let flood = frame(0x00, b"").repeat(1000);
    let mut stream = attacker.stream().try_clone().expect("a second handle");
    attacker.send_raw(&frame(0x01, b"{"));
    std::thread::scope(|scope| {
        // Until the relay lets go, or a few hundred thousand were swallowed.
        scope.spawn(move || {
            for _ in 0..300 {
                if stream.write_all(&flood).is_err() {
                    return;
                }
            }
        });
        for number in 0..50 {
            victim.publish("events", "n", json!(number));
            victim.expect_message("events", "n", &json!(number));
        }
    });
}

#[test]
fn a_ping_flood_does_not_delay_others() {
    let (relay, site) = with_site(options().workers(1));
    let mut victim = relay.ws(&site.token().v1());
    victim.subscribe(&["events"]);
    let attacker = Ws::open_small(relay.address(), &format!("/ws?token={}", site.token().sign()));
    let flood = frame(0x89, &[0; 125]).repeat(500);
    let mut stream = attacker.stream().try_clone().expect("a second handle");
    stream
        .set_write_timeout(Some(std::time::Duration::from_millis(200)))
        .expect("a time limit");
    std::thread::scope(|scope| {
        // It never reads the pongs: the relay must neither keep them all nor wait.
        scope.spawn(move || {
            for _ in 0..300 {
                if stream.write_all(&flood).is_err() {
                    return;
                }
            }
        });
        for number in 0..50 {
            victim.publish("events", "n", json!(number));
            victim.expect_message("events", "n", &json!(number));
        }
    });
}

#[test]
fn frames_sent_along_with_the_upgrade_are_read() {
    let (relay, site) = relay();
    let mut stream = http::connect(relay.address()).expect("a connection");
    let head = format!(
        "GET /ws?token={} HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        site.token().v1().sign()
    );
    let mut bytes = head.into_bytes();
    bytes.extend(frame(0x81, br#"{"type":"subscribe","channels":["early"]}"#));
    bytes.extend(
        &frame(
            0x81,
            br#"{"type":"message","channel":"early","event":"e","data":1}"#,
        )[..20],
    );
    stream.write_all(&bytes).expect("all at once");
    let mut reader = BufReader::with_capacity(1, stream.try_clone().expect("a second handle"));
    let answer = http::read_head(&mut reader).expect("an answer");
    assert_eq!(answer.status, 101);
    assert_eq!(
        answer.header("Sec-WebSocket-Accept"),
        Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    );
    let rest = frame(
        0x81,
        br#"{"type":"message","channel":"early","event":"e","data":1}"#,
    )[20..]
        .to_vec();
    stream.write_all(&rest).expect("the rest");
    let mut socket = Ws::from_stream(stream);
    assert_eq!(
        socket.text(),
        json!({"type": "subscribed", "channels": ["early"]})
    );
    socket.expect_message("early", "e", &json!(1));
}

#[test]
fn frames_may_arrive_in_any_pieces() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let mut bytes = Vec::new();
    for number in 0..30 {
        let text = format!(r#"{{"type":"message","channel":"events","event":"n","data":{number}}}"#);
        bytes.extend(frame(0x81, text.as_bytes()));
    }
    let mut size = 1;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        socket.send_raw(piece);
        rest = after;
        size = size % 97 + 13;
    }
    for number in 0..30 {
        socket.expect_message("events", "n", &json!(number));
    }
}

#[test]
fn binary_frames_whose_length_lies_are_invalid_frame() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    let cases: [&[u8]; 7] = [
        b"",
        b"\x00",
        b"\x00\x05abcd",
        b"\xff\xffevents",
        b"\x00\x02\xff\xfe",
        b"\x00\x02\xc3\x28payload",
        b"\x80\x00",
    ];
    for bytes in cases {
        socket.send_binary_frame(bytes);
        socket.expect_error("invalid_frame");
    }
    socket.send_binary("", b"payload");
    assert_eq!(socket.text()["type"], "error");
    socket.subscribe(&["still open"]);
}
