//! Message ids and stream cursors: opaque to clients, meaningful to one run of the relay.
//!
//! An id is `RUN.HOME-SEQ`, a cursor `RUN.HOME-SEQ.HOME-SEQ…` with ascending homes; every number is in base 62, so that the
//! text fits a URL and an SSE field as it stands. A cursor over one home reads the same as a message's id there.

use std::fmt::{self, Write};

/// Longer text is no cursor: it bounds what a `Last-Event-ID` can make the relay do.
pub const CURSOR_BYTES_MAX: usize = 4096;

/// A run and a sequence number of 11 digits, a home of 3, two separators.
const MESSAGE_ID_BYTES_MAX: usize = 27;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// One message: the run of the relay, the home shard that ordered it, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    pub run: u64,
    pub home: u16,
    pub seq: u64,
}

impl MessageId {
    /// `None` for anything that no relay printed.
    pub fn parse(text: &str) -> Option<Self> {
        let cursor = Cursor::parse(text)?;
        match cursor.places[..] {
            [(home, seq)] => Some(Self {
                run: cursor.run,
                home,
                seq,
            }),
            _ => None,
        }
    }

    /// The id as text, without an allocation: every message with an id prints it.
    pub fn text(&self) -> IdText {
        let mut text = IdText {
            bytes: [0; MESSAGE_ID_BYTES_MAX],
            len: 0,
        };
        // The array holds the longest id there is.
        write!(text, "{self}").expect("a message id fits its bound");
        text
    }
}

/// A message id's text in place.
#[derive(Clone, Copy)]
pub struct IdText {
    bytes: [u8; MESSAGE_ID_BYTES_MAX],
    len: u8,
}

impl std::ops::Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.len)]).expect("ids are ASCII")
    }
}

impl fmt::Write for IdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let start = usize::from(self.len);
        let end = start + text.len();
        self.bytes
            .get_mut(start..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end as u8;
        Ok(())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}-{}",
            Base62(self.run),
            Base62(u64::from(self.home)),
            Base62(self.seq)
        )
    }
}

/// How far a stream has come on each home shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    run: u64,
    /// Ascending by home, each home once.
    places: Vec<(u16, u64)>,
}

impl Cursor {
    pub fn new(run: u64) -> Self {
        Self {
            run,
            places: Vec::new(),
        }
    }

    pub fn run(&self) -> u64 {
        self.run
    }

    /// Ascending by home.
    pub fn places(&self) -> &[(u16, u64)] {
        &self.places
    }

    /// The last number seen from a home.
    pub fn at(&self, home: u16) -> Option<u64> {
        let place = self.places.binary_search_by_key(&home, |(home, _)| *home).ok()?;
        Some(self.places[place].1)
    }

    /// Moves one home's place.
    pub fn advance(&mut self, home: u16, seq: u64) {
        match self.places.binary_search_by_key(&home, |(home, _)| *home) {
            Ok(place) => self.places[place].1 = seq,
            Err(place) => self.places.insert(place, (home, seq)),
        }
    }

    /// `None` for anything that no relay printed.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let mut parts = text.split('.');
        let run = number(parts.next()?)?;
        let mut places: Vec<(u16, u64)> = Vec::new();
        for part in parts {
            let (home, seq) = part.split_once('-')?;
            let home = u16::try_from(number(home)?).ok()?;
            if places.last().is_some_and(|(before, _)| *before >= home) {
                return None;
            }
            places.push((home, number(seq)?));
        }
        (!places.is_empty()).then_some(Self { run, places })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Base62(self.run))?;
        self.places
            .iter()
            .try_for_each(|(home, seq)| write!(f, ".{}-{}", Base62(u64::from(*home)), Base62(*seq)))
    }
}

struct Base62(u64);

impl fmt::Display for Base62 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 62^11 > 2^64.
        let mut digits = [0; 11];
        let mut start = digits.len();
        let mut rest = self.0;
        loop {
            start -= 1;
            digits[start] = DIGITS[(rest % 62) as usize];
            rest /= 62;
            if rest == 0 {
                break;
            }
        }
        f.write_str(str::from_utf8(&digits[start..]).map_err(|_| fmt::Error)?)
    }
}

/// One spelling per number: no leading zeros.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.bytes().try_fold(0u64, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'A'..=b'Z' => digit - b'A' + 10,
            b'a'..=b'z' => digit - b'a' + 36,
            _ => return None,
        };
        value.checked_mul(62)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_longest_id_fits_its_text() {
        let id = MessageId {
            run: u64::MAX,
            home: u16::MAX,
            seq: u64::MAX,
        };
        assert_eq!(id.text().len(), MESSAGE_ID_BYTES_MAX);
        assert_eq!(MessageId::parse(&id.text()), Some(id));
    }

    #[test]
    fn garbage_is_no_cursor() {
        for text in [
            "",
            ".",
            "-",
            "a",
            "a.",
            "a.1",
            "a.1-",
            "a.-1",
            "a.1-1.",
            ".1-1",
            "a..1-1",
            "a.1-1-1",
            "a.1-1 ",
            " a.1-1",
            "a.1-1\n",
            "a.2-1.1-1",
            "a.1-1.1-2",
            "a.01-1",
            "0a.1-1",
            "a.1-01",
            "zzzzzzzzzzzz.1-1",
            "LygHa16AHYG.1-1",
            "a.zzzz-1",
            "a.1-ä",
            "a.1-\0",
            "%61.1-1",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
            assert_eq!(MessageId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_largest_numbers_parse_and_no_larger_ones() {
        let cursor = Cursor::parse("LygHa16AHYF.H31-LygHa16AHYF").unwrap();
        assert_eq!(
            (cursor.run(), cursor.places()),
            (u64::MAX, &[(u16::MAX, u64::MAX)][..])
        );
        assert_eq!(Cursor::parse("LygHa16AHYF.H32-0"), None);
        assert_eq!(Cursor::parse("LygHa16AHYG.H31-0"), None);
    }

    #[test]
    fn a_huge_cursor_is_refused_by_its_length() {
        let huge = format!("a{}", ".1-1".repeat(1024));
        assert!(huge.len() > CURSOR_BYTES_MAX);
        assert_eq!(Cursor::parse(&huge), None);
    }

    #[test]
    fn a_cursor_of_every_shard_of_a_large_machine_fits() {
        let mut cursor = Cursor::new(u64::MAX);
        (0..256).for_each(|home| cursor.advance(home, 1 << 48));
        assert!(cursor.to_string().len() <= CURSOR_BYTES_MAX);
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
    }

    #[test]
    fn a_message_id_is_a_cursor_of_one_home() {
        let id = MessageId {
            run: 77,
            home: 3,
            seq: 1234,
        };
        let mut cursor = Cursor::new(77);
        cursor.advance(3, 1234);
        assert_eq!(cursor.to_string(), id.to_string());
        cursor.advance(1, 9);
        assert_eq!(cursor.places(), [(1, 9), (3, 1234)]);
        assert_eq!(
            (cursor.at(1), cursor.at(2), cursor.at(3)),
            (Some(9), None, Some(1234))
        );
        assert_eq!(
            MessageId::parse(&cursor.to_string()),
            None,
            "two homes are no message"
        );
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_again(run: u64, places in proptest::collection::btree_map(any::<u16>(), any::<u64>(), 1..30)) {
            let mut cursor = Cursor::new(run);
            places.into_iter().for_each(|(home, seq)| cursor.advance(home, seq));
            let text = cursor.to_string();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-'));
            prop_assert_eq!(Cursor::parse(&text), Some(cursor));
        }

        #[test]
        fn what_parses_is_printed_the_same(text in "[0-9a-c]{1,4}(\\.[0-9a]{1,3}-[0-9Z]{1,4}){0,3}") {
            if let Some(cursor) = Cursor::parse(&text) {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }
    }
}
