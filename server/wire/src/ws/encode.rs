//! Frames that the server sends: final, unmasked, never fragmented.

use bytes::Bytes;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::decode::CONTROL_BYTES_MAX;

/// What kind of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// A frame's head, in place: 2 bytes, and up to 8 more for the length.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    bytes: [u8; 10],
    len: u8,
}

impl Head {
    pub fn new(opcode: Opcode, payload_len: usize) -> Self {
        let opcode = match opcode {
            Opcode::Text => OpCode::Data(Data::Text),
            Opcode::Binary => OpCode::Data(Data::Binary),
            Opcode::Close => OpCode::Control(Control::Close),
            Opcode::Ping => OpCode::Control(Control::Ping),
            Opcode::Pong => OpCode::Control(Control::Pong),
        };
        let header = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let mut bytes = [0; 10];
        let mut rest = &mut bytes[..];
        // An unmasked head has at most 10 bytes.
        header
            .format(payload_len as u64, &mut rest)
            .expect("a head fits its array");
        let len = 10 - rest.len() as u8;
        Self { bytes, len }
    }
}

impl std::ops::Deref for Head {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

pub fn text_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Text, payload)
}

pub fn binary_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Binary, payload)
}

/// A payload over 125 bytes is cut: no control frame may be longer.
pub fn ping_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Ping, control(payload))
}

/// The answer to a ping, with the ping's payload.
pub fn pong_frame(payload: &[u8]) -> Bytes {
    frame(Opcode::Pong, control(payload))
}

/// A close frame; a reason over 123 bytes is cut where a character ends.
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(CONTROL_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    frame(
        Opcode::Close,
        &[&code.to_be_bytes(), &reason.as_bytes()[..end]].concat(),
    )
}

/// The answer to a client's close: its own code, or none where it gave none.
pub fn close_echo(code: Option<u16>) -> Bytes {
    code.map_or_else(|| frame(Opcode::Close, b""), |code| close_frame(code, ""))
}

fn control(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(CONTROL_BYTES_MAX)]
}

fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let head = Head::new(opcode, payload.len());
    let mut out = Vec::with_capacity(head.len() + payload.len());
    out.extend_from_slice(&head);
    out.extend_from_slice(payload);
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_the_shortest_length_there_is() {
        assert_eq!(*Head::new(Opcode::Text, 0), [0x81, 0]);
        assert_eq!(*Head::new(Opcode::Binary, 125), [0x82, 125]);
        assert_eq!(*Head::new(Opcode::Text, 126), [0x81, 126, 0, 126]);
        assert_eq!(*Head::new(Opcode::Text, 65_535), [0x81, 126, 0xff, 0xff]);
        assert_eq!(
            *Head::new(Opcode::Text, 65_536),
            [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }

    #[test]
    fn control_frames_stay_within_their_bound() {
        assert_eq!(ping_frame(&[1; 200]).len(), 2 + CONTROL_BYTES_MAX);
        assert_eq!(pong_frame(b"abc"), &b"\x8a\x03abc"[..]);
        let long = close_frame(4001, &"ä".repeat(100));
        assert_eq!(
            long.len(),
            2 + 2 + 122,
            "cut before the character that does not fit"
        );
        assert_eq!(long[2..4], 4001u16.to_be_bytes());
    }

    #[test]
    fn a_close_is_echoed_with_its_code() {
        assert_eq!(close_echo(Some(1000)), &b"\x88\x02\x03\xe8"[..]);
        assert_eq!(close_echo(None), &b"\x88\x00"[..]);
    }
}
