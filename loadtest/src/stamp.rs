//! The stamp that every message of a run carries: who sent it, its number, and when it was meant to leave.
//!
//! It is plain ASCII of a fixed length, so that it passes through any relay, text or binary, and is found again without
//! parsing what is around it: `hc!` and eight words of eight hexadecimal digits.

use memchr::memmem::Finder;

const MARKER: &[u8; 3] = b"hc!";
const WORDS: usize = 8;

/// Bytes of a stamp as written.
pub const STAMP_BYTES: usize = MARKER.len() + WORDS * 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The run's tag: a stray message of an earlier run is told apart.
    pub run: u32,
    /// Which part of the plan, and which of its channels.
    pub part: u8,
    pub channel: u32,
    /// The publisher among those of its channel; its messages are numbered from 0.
    pub stream: u32,
    pub number: u32,
    /// Its number among all messages of its part and share, and the first of those that had no answer yet when it was sent:
    /// whatever came before that one must arrive before this.
    pub order: u32,
    pub settled: u32,
    /// The intended send, on [`crate::clock::Clock`]'s scale.
    pub at: u64,
}

impl Stamp {
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MARKER);
        let place = u32::from(self.part) << 24 | (self.channel & 0xff_ffff);
        let (high, low) = ((self.at >> 32) as u32, (self.at & 0xffff_ffff) as u32);
        for word in [
            self.run,
            place,
            self.stream,
            self.number,
            self.order,
            self.settled,
            high,
            low,
        ] {
            for shift in (0..8).rev() {
                out.push(b"0123456789abcdef"[(word >> (shift * 4) & 15) as usize]);
            }
        }
    }

    /// Finds the stamp in a message. `hint` is where the last one was: messages of one run look alike.
    pub fn find(message: &[u8], hint: &mut usize) -> Option<Self> {
        if let Some(stamp) = Self::at(message, *hint) {
            return Some(stamp);
        }
        let place = Finder::new(MARKER)
            .find_iter(message)
            .find(|place| Self::at(message, *place).is_some())?;
        *hint = place;
        Self::at(message, place)
    }

    fn at(message: &[u8], place: usize) -> Option<Self> {
        let bytes = message.get(place..place.checked_add(STAMP_BYTES)?)?;
        let digits = bytes.strip_prefix(MARKER)?;
        let mut words = [0_u32; WORDS];
        for (word, digits) in words.iter_mut().zip(digits.as_chunks::<8>().0) {
            *word = parse_word(*digits)?;
        }
        let [run, place, stream, number, order, settled, high, low] = words;
        let at = u64::from(high) << 32 | u64::from(low);
        Some(Self {
            run,
            part: (place >> 24) as u8,
            channel: place & 0xff_ffff,
            stream,
            number,
            order,
            settled,
            at,
        })
    }
}

/// Eight hexadecimal digits at once: saturated runs decode millions of stamps a second.
fn parse_word(digits: [u8; 8]) -> Option<u32> {
    let text = u64::from_be_bytes(digits);
    // Letters have bit 6 set, digits have not; with the low nibble that is the value, `a` being 1 + 9.
    let letters = text >> 6 & 0x0101_0101_0101_0101;
    let nibbles = (text & 0x0f0f_0f0f_0f0f_0f0f) + letters * 9;
    let pairs = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let quads = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    let value = (quads | quads >> 16) as u32;
    // Most letters beyond `f` overflow their nibble. The few others make a wrong run tag, which is noticed.
    let valid = nibbles & 0xf0f0_f0f0_f0f0_f0f0 == 0 && text & 0x8080_8080_8080_8080 == 0;
    valid.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        run: 0xdead_beef,
        part: 3,
        channel: 70_000,
        stream: 5,
        number: 9,
        order: 11,
        settled: 10,
        at: 0x0123_4567_89ab_cdef,
    };

    #[test]
    fn a_stamp_is_found_wherever_it_stands() {
        for before in ["", "{\"type\":\"message\",\"data\":\"", "hc!hc!zz"] {
            let mut message = before.as_bytes().to_vec();
            STAMP.write(&mut message);
            assert_eq!(message.len(), before.len() + STAMP_BYTES);
            message.extend_from_slice(b"\"}");
            let mut hint = 0;
            assert_eq!(Stamp::find(&message, &mut hint), Some(STAMP));
            assert_eq!(hint, before.len());
            assert_eq!(Stamp::find(&message, &mut hint), Some(STAMP));
        }
    }

    #[test]
    fn a_message_without_a_whole_stamp_has_none() {
        let mut message = Vec::new();
        STAMP.write(&mut message);
        assert_eq!(Stamp::find(&message[..STAMP_BYTES - 1], &mut 0), None);
        assert_eq!(Stamp::find(b"{\"type\":\"ping\"}", &mut 40), None);
    }
}
