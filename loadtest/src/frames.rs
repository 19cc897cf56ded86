//! WebSocket frames, written and read by hand.
//!
//! The relay under test builds its frames with a library; a client with the same library would not notice its errors.
//! So this one follows RFC 6455 section 5.2 by itself, and takes nothing on trust that costs a comparison to check.

use std::ops::Range;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// What stands at the beginning of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole frame. `payload` is its place in the bytes; the next frame begins at `payload.end`.
    Frame {
        opcode: u8,
        last: bool,
        payload: Range<usize>,
    },
    /// Not all of the frame is there yet.
    More,
    /// A server must not send this: the reason.
    Broken(&'static str),
}

/// A server's frame: not masked.
#[must_use]
pub fn next(bytes: &[u8]) -> Step {
    let [first, second, rest @ ..] = bytes else {
        return Step::More;
    };
    if first & 0x70 != 0 {
        return Step::Broken("a reserved bit is set in a frame");
    }
    if second & 0x80 != 0 {
        return Step::Broken("a frame from the server is masked");
    }
    let (length, head) = match second & 0x7f {
        126 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Step::More,
        },
        127 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Step::More,
        },
        short => (u64::from(short), 2),
    };
    let Ok(length) = usize::try_from(length) else {
        return Step::Broken("a frame is longer than memory");
    };
    match bytes.len() >= head + length {
        true => Step::Frame {
            opcode: first & 15,
            last: first & 0x80 != 0,
            payload: head..head + length,
        },
        false => Step::More,
    }
}

/// The mask hides nothing here, so a fixed one serves.
const MASK: [u8; 4] = [0x1d, 0xc3, 0x5a, 0x96];
/// Two bytes, a long length and the mask.
const HEAD_BYTES_MAX: usize = 2 + 8 + MASK.len();

/// A client's frame: whole, and masked. It is built in place, in a buffer that serves for one frame after another.
#[derive(Default)]
pub struct Draft(Vec<u8>);

impl Draft {
    /// Begins a frame: what is appended to this is its payload.
    pub fn payload(&mut self) -> &mut Vec<u8> {
        self.0.clear();
        self.0.resize(HEAD_BYTES_MAX, 0);
        &mut self.0
    }

    /// Masks the payload and puts the head before it.
    pub fn finish(&mut self, opcode: u8) -> &[u8] {
        let Some((head, payload)) = self.0.split_at_mut_checked(HEAD_BYTES_MAX) else {
            return &[];
        };
        let (words, rest) = payload.as_chunks_mut::<4>();
        for word in words {
            *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(MASK)).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(MASK) {
            *byte ^= mask;
        }
        // Right before the payload, so a short head begins later.
        let (short, long) = match payload.len() {
            length @ 0..126 => (length as u8, 0),
            126..=0xffff => (126, 2),
            _ => (127, 8),
        };
        let start = HEAD_BYTES_MAX - MASK.len() - long - 2;
        let length = (payload.len() as u64).to_be_bytes();
        head[start] = 0x80 | opcode;
        head[start + 1] = 0x80 | short;
        head[start + 2..][..long].copy_from_slice(&length[8 - long..]);
        head[HEAD_BYTES_MAX - MASK.len()..].copy_from_slice(&MASK);
        &self.0[start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_form_is_read_and_nothing_short_of_it() {
        for length in [0_usize, 1, 125, 126, 127, 65535, 65536] {
            let mut bytes = vec![0x81];
            match length {
                0..126 => bytes.push(length as u8),
                126..=65535 => {
                    bytes.push(126);
                    bytes.extend((length as u16).to_be_bytes());
                }
                _ => {
                    bytes.push(127);
                    bytes.extend((length as u64).to_be_bytes());
                }
            }
            let head = bytes.len();
            bytes.resize(head + length, b'x');
            let whole = Step::Frame {
                opcode: TEXT,
                last: true,
                payload: head..head + length,
            };
            assert_eq!(next(&bytes), whole);
            assert_eq!(next(&bytes[..bytes.len() - 1]), Step::More);
        }
    }

    #[test]
    fn what_a_server_must_not_send_is_told() {
        assert!(matches!(next(&[0x81, 0x80, 0, 0, 0, 0]), Step::Broken(_)));
        assert!(matches!(next(&[0xc1, 0x00]), Step::Broken(_)));
    }

    #[test]
    fn a_written_frame_is_masked_and_comes_back() {
        let mut draft = Draft::default();
        for length in [5_usize, 126, 70_000, 0, 65_535, 125, 65_536] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            draft.payload().extend_from_slice(&payload);
            let bytes = draft.finish(BINARY);
            // As a server's frame it would be the same without the mask.
            let mut unmasked = bytes.to_vec();
            unmasked[1] &= 0x7f;
            let end = bytes.len() - MASK.len();
            assert!(
                matches!(next(&unmasked[..end]), Step::Frame { opcode: BINARY, last: true, payload } if payload.end == end)
            );
            assert_eq!(bytes[1] & 0x80, 0x80);
            let head = bytes.len() - length;
            let mask = [bytes[head - 4], bytes[head - 3], bytes[head - 2], bytes[head - 1]];
            let plain: Vec<u8> = bytes[head..]
                .iter()
                .zip(mask.iter().cycle())
                .map(|(b, m)| b ^ m)
                .collect();
            assert_eq!(plain, payload);
        }
    }
}
