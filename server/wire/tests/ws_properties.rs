//! Properties of the codec over random frames: where the bytes are cut changes nothing, and tungstenite, which shares no rule
//! with ours, agrees on what a client said and understands what the relay says. proptest prints the case that fails and its seed.

mod support;

use std::io::{Read, Write};

use proptest::collection::vec;
use proptest::prelude::*;
use support::*;
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use wire::ws;

const MAX: usize = 4096;

/// One frame of a client, mostly within the rules.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![
        4 => Just(TEXT), 4 => Just(BINARY), 6 => Just(CONTINUATION),
        2 => Just(PING), 2 => Just(PONG), 1 => Just(CLOSE), 1 => 0u8..16,
    ];
    let payload = prop_oneof![
        4 => "\\PC{0,40}".prop_map(String::into_bytes),
        2 => vec(any::<u8>(), 0..200),
        1 => vec(Just(b'x'), 100..1500),
        // tungstenite does not know 1014 (Bad Gateway), which IANA registered after RFC 6455.
        1 => (prop_oneof![Just(1000u16), Just(4001), any::<u16>().prop_filter("1014", |code| *code != 1014)], "\\PC{0,20}")
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ];
    let reserved = prop_oneof![20 => Just(0u8), 1 => (1u8..8).prop_map(|bits| bits << 4)];
    (
        opcode,
        prop::bool::weighted(0.6),
        reserved,
        payload,
        any::<[u8; 4]>(),
    )
        .prop_map(|(opcode, last, reserved, payload, mask)| {
            let last = if last || opcode >= 8 { FIN } else { 0 };
            frame_with(last | reserved | opcode, &payload, mask)
        })
}

/// A conversation that follows the fragmentation rules, so that long ones get through.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let message = (
        prop::bool::ANY,
        "\\PC{0,300}",
        vec(0.0..1.0f64, 0..5),
        prop::option::of(vec(any::<u8>(), 0..126)),
    );
    vec((message, any::<[u8; 4]>()), 0..8).prop_map(|messages| {
        let mut bytes = Vec::new();
        for ((is_text, body, cuts, ping), mask) in messages {
            let body = body.as_bytes();
            let mut cuts: Vec<_> = cuts
                .iter()
                .map(|cut| (cut * body.len() as f64) as usize)
                .collect();
            cuts.sort_unstable();
            let mut start = 0;
            let mut opcode = if is_text { TEXT } else { BINARY };
            for end in cuts {
                bytes.extend(frame_with(opcode, &body[start..end], mask));
                opcode = CONTINUATION;
                start = end;
            }
            bytes.extend(
                ping.map(|ping| frame_with(FIN | PING, &ping, mask))
                    .unwrap_or_default(),
            );
            bytes.extend(frame_with(FIN | opcode, &body[start..], mask));
        }
        bytes
    })
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any_frame(), 0..12).prop_map(|frames| frames.concat()),
        conversation()
    ]
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![6 => frames(), 1 => vec(any::<u8>(), 0..300)]
}

/// Cuts the bytes at places given as fractions of their length.
fn chunks<'a>(bytes: &'a [u8], cuts: &[f64]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts
        .iter()
        .map(|cut| (cut * bytes.len() as f64) as usize)
        .collect();
    cuts.sort_unstable();
    let mut start = 0;
    let mut chunks = Vec::new();
    for end in cuts.into_iter().chain([bytes.len()]) {
        chunks.push(&bytes[start..end]);
        start = end;
    }
    chunks
}

proptest! {
    #[test]
    fn where_the_bytes_are_cut_changes_nothing(bytes in any_bytes(), cuts in vec(0.0..1.0f64, 0..20)) {
        let whole = decode(MAX, &bytes);
        prop_assert_eq!(&decode_in_chunks(MAX, chunks(&bytes, &cuts)), &whole);
        prop_assert_eq!(&decode_in_chunks(MAX, bytes.chunks(1)), &whole);
    }

    #[test]
    fn stopping_anywhere_changes_nothing(bytes in any_bytes(), stops in vec(any::<bool>(), 1..20)) {
        let mut decoder = ws::Decoder::new(MAX);
        let mut scratch = bytes.clone();
        let mut input = ws::Input::new(&mut scratch);
        let mut seen = Vec::new();
        let mut stops = stops.iter().cycle();
        loop {
            match decoder.next(&mut input) {
                Ok(Some(event)) => seen.push(event.into()),
                Ok(None) => break,
                Err(error) => seen.push(Seen::Error(error.close.code())),
            }
            if *stops.next().unwrap() {
                decoder.save_rest(&mut input);
            }
        }
        prop_assert_eq!(seen, decode(MAX, &bytes));
    }

    #[test]
    fn tungstenite_hears_the_same(bytes in frames()) {
        let ours = decode(MAX, &bytes);
        // Ours refuses from the head; theirs looks at a frame when all of it is there, so the last one is completed.
        let padding = if ends_in_error(&ours) { MAX + 16 } else { 0 };
        let theirs = oracle(&[bytes, vec![0; padding]].concat());
        let (our_end, their_end) = (ends_in_error(&ours), ends_in_error(&theirs));
        prop_assert_eq!(our_end, their_end, "ours {:?}, theirs {:?}", &ours, &theirs);
        let good = |seen: &[Seen]| seen.iter().filter(|seen| !matches!(seen, Seen::Error(_))).cloned().collect::<Vec<_>>();
        prop_assert_eq!(good(&ours), good(&theirs));
    }

    #[test]
    fn tungstenite_understands_our_frames(payload in vec(any::<u8>(), 0..70_000), words in "\\PC{0,80}", code in 1000u16..1004) {
        let ping = &payload[..payload.len().min(125)];
        let bytes = [
            ws::text_frame(words.as_bytes()),
            ws::binary_frame(&payload),
            ws::ping_frame(&payload),
            ws::pong_frame(&payload),
            ws::close_frame(code, &words),
        ].concat();
        let heard = client_hears(&bytes);
        let reason = match heard.last() {
            Some(Seen::Close(Some(heard_code), reason)) => { prop_assert_eq!(*heard_code, code); reason }
            other => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        prop_assert!(words.starts_with(reason.as_str()) && (reason == &words || reason.len() > 119));
        let expected = [Seen::Text(words.clone()), Seen::Binary(payload.clone()), Seen::Ping(ping.to_vec()), Seen::Pong(ping.to_vec())];
        prop_assert_eq!(&heard[..4], &expected[..]);
    }
}

fn ends_in_error(seen: &[Seen]) -> bool {
    matches!(seen.last(), Some(Seen::Error(_)))
}

/// The bytes of one side; what is written to it is thrown away.
struct OneWay<'a>(&'a [u8]);

impl Read for OneWay<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        self.0.read(buf)
    }
}

impl Write for OneWay<'_> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What tungstenite's own server hears.
fn oracle(bytes: &[u8]) -> Vec<Seen> {
    hear(bytes, Role::Server)
}

fn client_hears(bytes: &[u8]) -> Vec<Seen> {
    hear(bytes, Role::Client)
}

fn hear(bytes: &[u8], role: Role) -> Vec<Seen> {
    let max = if role == Role::Server { MAX } else { 1 << 20 };
    let config = WebSocketConfig::default()
        .max_message_size(Some(max))
        .max_frame_size(Some(max));
    let mut socket = WebSocket::from_raw_socket(OneWay(bytes), role, Some(config));
    let mut seen = Vec::new();
    loop {
        match socket.read() {
            Ok(tungstenite::Message::Text(text)) => seen.push(Seen::Text(text.as_str().to_owned())),
            Ok(tungstenite::Message::Binary(bytes)) => seen.push(Seen::Binary(bytes.to_vec())),
            Ok(tungstenite::Message::Ping(bytes)) => seen.push(Seen::Ping(bytes.to_vec())),
            Ok(tungstenite::Message::Pong(bytes)) => seen.push(Seen::Pong(bytes.to_vec())),
            Ok(tungstenite::Message::Close(frame)) => {
                seen.push(match frame {
                    // How tungstenite reports a code that must not be sent.
                    Some(frame) if frame.reason.as_str() == "Protocol violation" => Seen::Error(0),
                    Some(frame) => Seen::Close(Some(frame.code.into()), frame.reason.as_str().to_owned()),
                    None => Seen::Close(None, String::new()),
                });
                return seen;
            }
            Ok(tungstenite::Message::Frame(_)) => {}
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => return seen,
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return seen,
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return seen,
            Err(_) => {
                seen.push(Seen::Error(0));
                return seen;
            }
        }
    }
}
