//! The frames that wait for one socket: a bounded queue, whose overflow is a value.
//!
//! All outboxes of a shard take their chunks from one [`Arena`], so that an idle connection holds no queue and a
//! delivery allocates nothing: a chunk is reused as soon as its frames are written. Frames are shared: a place in a
//! chunk holds a reference, whatever the frame's size.

use std::io::IoSlice;
use std::rc::Rc;

use bytes::Bytes;

/// Slices given to one `sendmsg(2)`. More save nothing: at 64 the call's own cost is a small part of the copy.
pub const SLICES_MAX: usize = 64;

/// Frames of one chunk, which together fill a line of the cache: a crowd's queues are met in turn, by fan-outs and by the
/// flusher, and each line met costs more than what is done there.
const CHUNK_FRAMES: usize = 7;

const NIL: u32 = u32::MAX;

/// One wire form of one message, shared by every subscriber of this shard that takes this form: counted without
/// atomics, because a frame never leaves its shard.
#[derive(Clone)]
pub struct Frame(Rc<Bytes>);

impl Frame {
    pub fn new(bytes: Bytes) -> Self {
        Self(Rc::new(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What an outbox may hold: `frames_max` references, in chunks of 64 bytes for seven, and shared frames of `bytes_max`
/// together.
#[derive(Clone, Copy, Debug)]
pub struct OutboxLimits {
    pub bytes_max: u32,
    pub frames_max: u32,
}

/// The queue is full: its reader does not keep up.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

/// A place kept in a queue for a frame that isn't known yet. Frames behind it wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    chunk: u32,
    place: u8,
}

#[derive(Debug)]
pub struct Outbox {
    /// The chunk of the next frame, and the one that the last frame is in. None is empty.
    head: u32,
    tail: u32,
    frames: u32,
    bytes: u32,
    /// Bytes of the head frame that are already written.
    head_sent: u32,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            head: NIL,
            tail: NIL,
            frames: 0,
            bytes: 0,
            head_sent: 0,
        }
    }
}

#[repr(align(64))]
struct Chunk {
    /// `None` in a reserved place, and outside of `first..end`.
    frames: [Option<Frame>; CHUNK_FRAMES],
    next: u32,
    /// What is queued here.
    first: u8,
    end: u8,
}

const _: () = assert!(size_of::<Chunk>() == 64, "a chunk is a line of the cache");

impl Chunk {
    const EMPTY: Self = Self {
        frames: [const { None }; CHUNK_FRAMES],
        next: NIL,
        first: 0,
        end: 0,
    };

    fn queued(&self) -> &[Option<Frame>] {
        &self.frames[usize::from(self.first)..usize::from(self.end)]
    }

    fn head(&self) -> Option<&Frame> {
        self.queued().first()?.as_ref()
    }
}

/// The chunks of all outboxes of one shard.
#[derive(Default)]
pub struct Arena {
    chunks: Vec<Chunk>,
    free: Option<u32>,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Bytes that wait to be written.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Whether the next frame can be written, or has still to be known.
    pub fn is_ready(&self, arena: &Arena) -> bool {
        self.head != NIL && arena.chunks[self.head as usize].head().is_some()
    }

    pub fn push(&mut self, arena: &mut Arena, frame: &Frame, limits: OutboxLimits) -> Result<(), Overflow> {
        let bytes = self.bytes as usize + frame.bytes().len();
        if self.frames >= limits.frames_max || bytes > limits.bytes_max as usize {
            return Err(Overflow);
        }
        self.bytes = bytes as u32;
        self.append(arena, Some(frame.clone()));
        Ok(())
    }

    /// Appends whatever the limits say: for the close frame, which is the last.
    pub fn push_last(&mut self, arena: &mut Arena, frame: Frame) {
        self.bytes += frame.bytes().len() as u32;
        self.append(arena, Some(frame));
    }

    /// Keeps the next place for a frame that [`Self::fill`] will bring.
    pub fn reserve(&mut self, arena: &mut Arena) -> Reserved {
        self.append(arena, None)
    }

    pub fn fill(&mut self, arena: &mut Arena, place: Reserved, frame: Frame) {
        let kept = &mut arena.chunks[place.chunk as usize].frames[usize::from(place.place)];
        debug_assert!(kept.is_none(), "a reserved place is filled once");
        self.bytes += frame.bytes().len() as u32;
        *kept = Some(frame);
    }

    /// Drops everything except a frame whose first bytes are already on the wire.
    pub fn clear_unsent(&mut self, arena: &mut Arena) {
        if self.head_sent == 0 {
            return self.clear(arena);
        }
        let chunk = &mut arena.chunks[self.head as usize];
        let behind = usize::from(chunk.first) + 1;
        chunk.frames[behind..].fill(None);
        chunk.end = chunk.first + 1;
        let length = chunk.head().map_or(0, |frame| frame.bytes().len() as u32);
        let next = std::mem::replace(&mut chunk.next, NIL);
        arena.release_all(next);
        self.tail = self.head;
        self.frames = 1;
        self.bytes = length - self.head_sent;
    }

    /// Drops everything, as its connection ends.
    pub fn clear(&mut self, arena: &mut Arena) {
        arena.release_all(self.head);
        *self = Self::default();
    }

    /// The only ready frame, if there is just one and nothing of it is written: the common case.
    pub fn single<'a>(&self, arena: &'a Arena) -> Option<&'a [u8]> {
        if self.frames != 1 || self.head_sent != 0 {
            return None;
        }
        arena.chunks[self.head as usize].head().map(Frame::bytes)
    }

    /// Fills `slices` with what can be written next, in order; the answer is how many were filled.
    pub fn slices<'a>(&self, arena: &'a Arena, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let (mut next, mut count, mut skip) = (self.head, 0, self.head_sent as usize);
        while next != NIL {
            let chunk = &arena.chunks[next as usize];
            for frame in chunk.queued() {
                match frame {
                    Some(frame) if count < SLICES_MAX => {
                        slices[count] = IoSlice::new(&frame.bytes()[skip..]);
                        skip = 0;
                        count += 1;
                    }
                    _ => return count,
                }
            }
            next = chunk.next;
        }
        count
    }

    /// Copies what can be written next to the front of `buffer`, as far as it goes; the answer is how many bytes that is.
    pub fn join(&self, arena: &Arena, buffer: &mut [u8]) -> usize {
        let (mut next, mut length, mut skip) = (self.head, 0, self.head_sent as usize);
        while next != NIL {
            let chunk = &arena.chunks[next as usize];
            for frame in chunk.queued() {
                let Some(frame) = frame else { return length };
                let bytes = &frame.bytes()[skip..];
                skip = 0;
                let room = &mut buffer[length..];
                let taken = bytes.len().min(room.len());
                room[..taken].copy_from_slice(&bytes[..taken]);
                length += taken;
                if taken < bytes.len() {
                    return length;
                }
            }
            next = chunk.next;
        }
        length
    }

    /// Takes `written` bytes off the front; the answer is how many frames ended with them.
    pub fn advance(&mut self, arena: &mut Arena, written: usize) -> u32 {
        self.bytes -= written as u32;
        let mut rest = written + self.head_sent as usize;
        let mut finished = 0;
        'chunks: while self.head != NIL {
            let chunk = &mut arena.chunks[self.head as usize];
            while chunk.first < chunk.end {
                let frame = &mut chunk.frames[usize::from(chunk.first)];
                let Some(length) = frame.as_ref().map(|frame| frame.bytes().len()) else {
                    break 'chunks;
                };
                if rest < length {
                    break 'chunks;
                }
                rest -= length;
                *frame = None;
                chunk.first += 1;
                finished += 1;
            }
            self.head = arena.release(self.head);
        }
        self.frames -= finished;
        if self.head == NIL {
            self.tail = NIL;
        }
        self.head_sent = rest as u32;
        finished
    }

    fn append(&mut self, arena: &mut Arena, frame: Option<Frame>) -> Reserved {
        if self.tail == NIL || usize::from(arena.chunks[self.tail as usize].end) == CHUNK_FRAMES {
            let index = arena.take();
            if self.tail == NIL {
                self.head = index;
            } else {
                arena.chunks[self.tail as usize].next = index;
            }
            self.tail = index;
        }
        let chunk = &mut arena.chunks[self.tail as usize];
        let place = chunk.end;
        chunk.frames[usize::from(place)] = frame;
        chunk.end += 1;
        self.frames += 1;
        Reserved {
            chunk: self.tail,
            place,
        }
    }
}

impl Arena {
    /// An empty chunk.
    fn take(&mut self) -> u32 {
        let Some(index) = self.free else {
            self.chunks.push(Chunk::EMPTY);
            return (self.chunks.len() - 1) as u32;
        };
        let next = std::mem::replace(&mut self.chunks[index as usize].next, NIL);
        self.free = (next != NIL).then_some(next);
        index
    }

    /// Gives the chunk back and answers its successor.
    fn release(&mut self, index: u32) -> u32 {
        let chunk = &mut self.chunks[index as usize];
        chunk.frames[usize::from(chunk.first)..usize::from(chunk.end)].fill(None);
        (chunk.first, chunk.end) = (0, 0);
        let next = std::mem::replace(&mut chunk.next, self.free.unwrap_or(NIL));
        self.free = Some(index);
        next
    }

    /// Gives back a chunk and all that follow it.
    fn release_all(&mut self, mut next: u32) {
        while next != NIL {
            next = self.release(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: OutboxLimits = OutboxLimits {
        bytes_max: 100,
        frames_max: 4,
    };

    fn frame(text: &'static str) -> Frame {
        Frame::new(Bytes::from_static(text.as_bytes()))
    }

    fn ready(outbox: &Outbox, arena: &Arena) -> String {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = outbox.slices(arena, &mut slices);
        slices[..count]
            .iter()
            .map(|slice| String::from_utf8_lossy(slice).into_owned())
            .collect()
    }

    #[test]
    fn frames_leave_in_order_across_short_writes() {
        let (mut arena, mut outbox) = (Arena::default(), Outbox::default());
        for text in ["abc", "defg", "hi"] {
            outbox.push(&mut arena, &frame(text), LIMITS).unwrap();
        }
        assert_eq!(ready(&outbox, &arena), "abcdefghi");
        assert_eq!(outbox.advance(&mut arena, 4), 1);
        assert_eq!((ready(&outbox, &arena).as_str(), outbox.bytes()), ("efghi", 5));
        assert_eq!(outbox.advance(&mut arena, 5), 2);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }

    #[test]
    fn both_limits_overflow_and_leave_the_queue_as_it_was() {
        let (mut arena, mut outbox) = (Arena::default(), Outbox::default());
        for _ in 0..4 {
            outbox.push(&mut arena, &frame("x"), LIMITS).unwrap();
        }
        assert_eq!(outbox.push(&mut arena, &frame("x"), LIMITS), Err(Overflow));
        assert_eq!(ready(&outbox, &arena), "xxxx");
        let mut other = Outbox::default();
        let limits = OutboxLimits {
            bytes_max: 3,
            frames_max: 4,
        };
        assert_eq!(other.push(&mut arena, &frame("long"), limits), Err(Overflow));
        assert!(other.is_empty());
    }

    #[test]
    fn a_reserved_place_holds_back_what_follows() {
        let (mut arena, mut outbox) = (Arena::default(), Outbox::default());
        outbox.push(&mut arena, &frame("a"), LIMITS).unwrap();
        let place = outbox.reserve(&mut arena);
        outbox.push(&mut arena, &frame("c"), LIMITS).unwrap();
        assert_eq!(ready(&outbox, &arena), "a");
        outbox.advance(&mut arena, 1);
        assert!(!outbox.is_ready(&arena) && !outbox.is_empty());
        outbox.fill(&mut arena, place, frame("b"));
        assert_eq!(ready(&outbox, &arena), "bc");
        assert_eq!(outbox.advance(&mut arena, 2), 2);
    }

    #[test]
    fn clearing_keeps_the_frame_that_is_half_written() {
        let (mut arena, mut outbox) = (Arena::default(), Outbox::default());
        for text in ["abc", "def"] {
            outbox.push(&mut arena, &frame(text), LIMITS).unwrap();
        }
        outbox.advance(&mut arena, 1);
        outbox.clear_unsent(&mut arena);
        outbox.push_last(&mut arena, frame("!"));
        assert_eq!(
            (ready(&outbox, &arena).as_str(), outbox.bytes(), outbox.frames()),
            ("bc!", 3, 2)
        );
    }

    #[test]
    fn chunks_are_reused() {
        let (mut arena, mut outbox) = (Arena::default(), Outbox::default());
        for _ in 0..1_000 {
            outbox.push(&mut arena, &frame("x"), LIMITS).unwrap();
            outbox.advance(&mut arena, 1);
        }
        assert_eq!(arena.chunks.len(), 1);
        // One that is never empty goes through them in turn.
        outbox.push(&mut arena, &frame("x"), LIMITS).unwrap();
        for _ in 0..1_000 {
            outbox.push(&mut arena, &frame("x"), LIMITS).unwrap();
            outbox.advance(&mut arena, 1);
        }
        assert!(arena.chunks.len() <= 2, "{} chunks", arena.chunks.len());
    }

    #[test]
    fn a_queue_of_any_length_says_what_a_plain_list_says() {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        let mut random = u64::from_ne_bytes(seed) | 1;
        println!("seed {random}");
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below as u64) as usize
        };
        let limits = OutboxLimits {
            bytes_max: 10_000,
            frames_max: 40,
        };
        let texts = ["a", "bc", "def", "ghijklmnop"];
        let (mut arena, mut outbox, mut plain) =
            (Arena::default(), Outbox::default(), Vec::<(usize, String)>::new());
        let (mut reserved, mut sent) = (Vec::new(), 0);
        for step in 0..20_000 {
            match next(8) {
                0..=3 => {
                    let text = texts[next(texts.len())];
                    let taken = outbox.push(&mut arena, &frame(text), limits).is_ok();
                    assert_eq!(taken, plain.len() < 40);
                    if taken {
                        plain.push((step, text.to_owned()));
                    }
                }
                4 if plain.len() < 40 => {
                    reserved.push((step, outbox.reserve(&mut arena)));
                    plain.push((step, String::new()));
                }
                5 if !reserved.is_empty() => {
                    let (at, place) = reserved.swap_remove(next(reserved.len()));
                    outbox.fill(&mut arena, place, frame("late"));
                    let kept = plain.iter_mut().find(|(step, _)| *step == at).expect("it waits");
                    kept.1 = "late".to_owned();
                }
                6 if next(50) == 0 => {
                    outbox.clear_unsent(&mut arena);
                    plain.truncate(usize::from(sent > 0));
                    reserved.clear();
                }
                _ => {
                    let ready = ready(&outbox, &arena);
                    let written = next(ready.len() + 1);
                    let mut rest = written + sent;
                    let mut finished = 0;
                    while plain
                        .first()
                        .is_some_and(|(_, text)| !text.is_empty() && text.len() <= rest)
                    {
                        rest -= plain.remove(0).1.len();
                        finished += 1;
                    }
                    sent = rest;
                    assert_eq!(outbox.advance(&mut arena, written), finished);
                }
            }
            let known: String = plain
                .iter()
                .map(|(_, text)| text.as_str())
                .take_while(|text| !text.is_empty())
                .collect();
            assert_eq!(ready(&outbox, &arena), known[sent..], "step {step}");
            let mut joined = [0; 100];
            let length = outbox.join(&arena, &mut joined);
            assert_eq!(length, (known.len() - sent).min(100));
            assert_eq!(joined[..length], known.as_bytes()[sent..][..length]);
            assert_eq!(outbox.frames() as usize, plain.len());
            assert_eq!(outbox.is_ready(&arena), !known.is_empty());
        }
    }
}
