//! Binary messages: `[channel length: u16 big-endian][channel: UTF-8][payload]`, forwarded whole and unread.

use std::fmt;

/// A binary message's parts. The relay looks at the channel only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary<'a> {
    /// As its sender spelled it.
    pub channel: &'a str,
    pub payload: &'a [u8],
}

/// Why a binary message has no readable channel; answered with [`CODE`](Self::CODE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryError {
    TooShort,
    NotUtf8,
}

impl BinaryError {
    pub const CODE: &'static str = "invalid_frame";
}

impl fmt::Display for BinaryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "the binary frame is shorter than its channel length says",
            Self::NotUtf8 => "the binary frame's channel is not UTF-8",
        })
    }
}

impl std::error::Error for BinaryError {}

pub fn parse(message: &[u8]) -> Result<Binary<'_>, BinaryError> {
    let (&length, rest) = message.split_first_chunk::<2>().ok_or(BinaryError::TooShort)?;
    let (channel, payload) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(length)))
        .ok_or(BinaryError::TooShort)?;
    let channel = simdutf8::basic::from_utf8(channel).map_err(|_| BinaryError::NotUtf8)?;
    Ok(Binary { channel, payload })
}

/// A binary message, for clients. A channel over 65,535 bytes has no such form.
pub fn build(channel: &str, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(channel.len()).ok()?;
    Some([&length.to_be_bytes(), channel.as_bytes(), payload].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_parsed() {
        for (channel, payload) in [("", &b""[..]), ("doc:1", b"\x00\xff"), ("ä", b"")] {
            let message = build(channel, payload).unwrap();
            assert_eq!(parse(&message), Ok(Binary { channel, payload }));
        }
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        for message in [&b""[..], b"\0", b"\0\x01", b"\xff\xffabc", b"\0\x03ab"] {
            assert_eq!(parse(message), Err(BinaryError::TooShort), "{message:?}");
        }
    }

    #[test]
    fn a_channel_is_utf8() {
        assert_eq!(parse(b"\0\x01\xffpayload"), Err(BinaryError::NotUtf8));
        assert_eq!(
            parse(b"\0\x01\xc3\xa4"),
            Err(BinaryError::NotUtf8),
            "cut inside a character"
        );
    }

    #[test]
    fn a_channel_over_its_length_field_has_no_form() {
        assert!(build(&"x".repeat(65_535), b"").is_some());
        assert!(build(&"x".repeat(65_536), b"").is_none());
    }
}
