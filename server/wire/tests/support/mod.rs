//! A client's side of the wire for tests: masked frames, and what the decoder makes of them, kept as owned values.

#![allow(
    dead_code,
    reason = "every test binary compiles this module and uses its own part of it"
)]

use wire::ws::{Decoder, Event, Input};

pub const CONTINUATION: u8 = 0x0;
pub const TEXT: u8 = 0x1;
pub const BINARY: u8 = 0x2;
pub const CLOSE: u8 = 0x8;
pub const PING: u8 = 0x9;
pub const PONG: u8 = 0xa;
pub const FIN: u8 = 0x80;

/// What a decoder gave, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
    Error(u16),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.to_owned()),
            Event::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Event::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Event::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Event::Close(code, reason) => Self::Close(code, reason.to_owned()),
        }
    }
}

/// A masked frame; `first` is the first byte of its head.
pub fn frame_with(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

pub fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame_with(first, payload.as_ref(), [0x37, 0xfa, 0x21, 0x3d])
}

pub fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | TEXT, payload)
}

pub fn binary(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | BINARY, payload)
}

pub fn ping(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | PING, payload)
}

pub fn close(code: u16, reason: impl AsRef<[u8]>) -> Vec<u8> {
    frame(FIN | CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

/// Everything that one buffer makes the decoder give.
pub fn feed(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Seen> {
    let mut scratch = bytes.to_vec();
    let mut input = Input::new(&mut scratch);
    let mut seen = Vec::new();
    loop {
        match decoder.next(&mut input) {
            Ok(Some(event)) => seen.push(event.into()),
            Ok(None) => break,
            Err(error) => seen.push(Seen::Error(error.close.code())),
        }
    }
    assert!(input.is_empty(), "a decoder that wants more has taken everything");
    seen
}

pub fn decode_in_chunks<'a>(
    message_bytes_max: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Seen> {
    let mut decoder = Decoder::new(message_bytes_max);
    chunks
        .into_iter()
        .flat_map(|chunk| feed(&mut decoder, chunk))
        .collect()
}

pub fn decode(message_bytes_max: usize, bytes: &[u8]) -> Vec<Seen> {
    decode_in_chunks(message_bytes_max, [bytes])
}

/// Frames in a row.
pub fn wire_bytes(frames: &[Vec<u8>]) -> Vec<u8> {
    frames.concat()
}
