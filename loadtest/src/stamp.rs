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
        out.extend_from_slice(&self.text());
    }

    fn text(&self) -> [u8; STAMP_BYTES] {
        let place = u32::from(self.part) << 24 | (self.channel & 0xff_ffff);
        let (high, low) = ((self.at >> 32) as u32, (self.at & 0xffff_ffff) as u32);
        let words = [
            self.run,
            place,
            self.stream,
            self.number,
            self.order,
            self.settled,
            high,
            low,
        ];
        let mut text = [0; STAMP_BYTES];
        let (marker, digits) = text.split_at_mut(MARKER.len());
        marker.copy_from_slice(MARKER);
        let bytes = words.iter().flat_map(|word| word.to_be_bytes());
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            *pair = [byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[nibble as usize]);
        }
        text
    }

    /// Finds the stamp in a message. `hint` is where the last one was: messages of one run look alike.
    pub fn find(message: &[u8], hint: &mut usize) -> Option<Self> {
        if let Some(stamp) = text_at(message, *hint).and_then(Self::read) {
            return Some(stamp);
        }
        let (place, stamp) = Finder::new(MARKER)
            .find_iter(message)
            .find_map(|place| Some((place, Self::read(text_at(message, place)?)?)))?;
        *hint = place;
        Some(stamp)
    }

    fn read(text: &[u8; STAMP_BYTES]) -> Option<Self> {
        let digits = text.strip_prefix(MARKER)?;
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

fn text_at(message: &[u8], place: usize) -> Option<&[u8; STAMP_BYTES]> {
    message.get(place..)?.first_chunk()
}

/// Stamps that were read lately, each with its text. A fan-out brings the same stamp to every subscriber: it is read once, and
/// then known by comparing the whole of its text, which takes half the time.
pub struct Recent([([u8; STAMP_BYTES], Stamp); RECENT]);

/// More than a closed loop has under way, few enough for the nearest cache.
const RECENT: usize = 64;
/// Where in the text the last digit of [`Stamp::order`] is.
const ORDER_END: usize = MARKER.len() + 5 * 8 - 1;

impl Default for Recent {
    fn default() -> Self {
        let stamp = Stamp {
            run: 0,
            part: 0,
            channel: 0,
            stream: 0,
            number: 0,
            order: 0,
            settled: 0,
            at: 0,
        };
        Self([(stamp.text(), stamp); RECENT])
    }
}

impl Recent {
    /// Finds what [`Stamp::find`] finds.
    pub fn find(&mut self, message: &[u8], hint: &mut usize) -> Option<Stamp> {
        let Some(text) = text_at(message, *hint) else {
            return Stamp::find(message, hint);
        };
        let order = [text[ORDER_END - 1], text[ORDER_END]].map(|digit| (digit & 15) + (digit >> 6) * 9);
        let (known, stamp) = &mut self.0[usize::from(order[0] << 4 | order[1] & 15) % RECENT];
        if !same(known, text) {
            *stamp = Stamp::find(message, hint)?;
            *known = *text_at(message, *hint)?;
        }
        Some(*stamp)
    }
}

/// Eight hexadecimal digits at once.
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

/// Whether two texts are equal, without a call or a branch for each word: on the path of every delivery.
fn same(a: &[u8; STAMP_BYTES], b: &[u8; STAMP_BYTES]) -> bool {
    let (words_a, rest_a) = a.as_chunks::<8>();
    let (words_b, rest_b) = b.as_chunks::<8>();
    let words = words_a.iter().zip(words_b);
    let differing = words.fold(0, |differing, (a, b)| {
        differing | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b))
    });
    differing == 0 && rest_a == rest_b
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Xorshift; prints its seed, with which a failure comes again.
    pub(crate) struct Random(u64);

    impl Random {
        pub(crate) fn new() -> Self {
            let seed = crate::clock::Clock::start().now() | 1;
            println!("seed {seed}");
            Self(seed)
        }

        pub(crate) fn below(&mut self, bound: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % bound
        }
    }

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

    fn any(random: &mut Random) -> Stamp {
        let mut word = || (random.below(1 << 32) >> random.below(32)) as u32;
        Stamp {
            run: word(),
            part: word() as u8,
            channel: word() & 0xff_ffff,
            stream: word(),
            number: word(),
            order: word() & 0xff,
            settled: word(),
            at: u64::from(word()) << 32 | u64::from(word()),
        }
    }

    #[test]
    fn a_stamp_that_is_known_is_the_one_that_is_read() {
        let mut random = Random::new();
        let mut recent = Recent::default();
        let (mut hint, mut slow_hint) = (0, 0);
        let mut lately: Vec<Vec<u8>> = Vec::new();
        let mut known = 0;
        for round in 0..50_000 {
            let message = if random.below(3) > 0 && !lately.is_empty() {
                // One of those before, whole or with one byte that is another.
                let place = lately.len() - 1 - random.below(lately.len().min(40) as u64) as usize;
                let mut message = lately[place].clone();
                known += 1;
                if random.below(4) == 0 {
                    let place = random.below(message.len() as u64) as usize;
                    message[place] = b"0123456789abcdefg!"[random.below(18) as usize];
                }
                message
            } else {
                // Most messages begin alike.
                let mut message = vec![b'x'; if random.below(50) == 0 { 31 } else { 30 }];
                any(&mut random).write(&mut message);
                message.resize(message.len() + 40, b'.');
                message
            };
            let found = Stamp::find(&message, &mut slow_hint);
            assert_eq!(
                recent.find(&message, &mut hint),
                found,
                "round {round}: {}",
                message.escape_ascii()
            );
            assert_eq!(hint, slow_hint);
            lately.push(message);
        }
        assert!(known > 10_000);
    }

    #[test]
    fn what_is_written_is_read() {
        let mut random = Random::new();
        for _ in 0..10_000 {
            let stamp = any(&mut random);
            assert_eq!(Stamp::read(&stamp.text()), Some(stamp));
        }
    }
}
