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

/// Appends a client's frame: whole, and masked. The mask hides nothing here, so a fixed one serves.
pub fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    const MASK: [u8; 4] = [0x1d, 0xc3, 0x5a, 0x96];
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..126 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
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
        for length in [5_usize, 126, 70_000] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let mut bytes = Vec::new();
            write(&mut bytes, BINARY, &payload);
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
