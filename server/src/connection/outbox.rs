//! The frames that wait for one socket: a bounded queue, whose overflow is a value.
//!
//! All outboxes of a shard take their nodes from one [`Arena`], so that an idle connection holds no queue and a
//! delivery allocates nothing: a node is reused as soon as its frame is written. Frames are shared: a node holds a
//! reference, whatever the frame's size.

use std::io::IoSlice;
use std::rc::Rc;

use bytes::Bytes;

/// Slices given to one `sendmsg(2)`. More save nothing: at 64 the call's own cost is a small part of the copy.
pub const SLICES_MAX: usize = 64;

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

/// What an outbox may hold: `frames_max` × 16 bytes of nodes, and shared frames of `bytes_max` together.
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
pub struct Reserved(u32);

#[derive(Debug)]
pub struct Outbox {
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

struct Node {
    /// `None` in a reserved place, and in a free node.
    frame: Option<Frame>,
    next: u32,
}

/// The nodes of all outboxes of one shard.
#[derive(Default)]
pub struct Arena {
    nodes: Vec<Node>,
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
        self.head != NIL && arena.nodes[self.head as usize].frame.is_some()
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
        Reserved(self.append(arena, None))
    }

    pub fn fill(&mut self, arena: &mut Arena, place: Reserved, frame: Frame) {
        let node = &mut arena.nodes[place.0 as usize];
        debug_assert!(node.frame.is_none(), "a reserved place is filled once");
        self.bytes += frame.bytes().len() as u32;
        node.frame = Some(frame);
    }

    /// Drops everything except a frame whose first bytes are already on the wire.
    pub fn clear_unsent(&mut self, arena: &mut Arena) {
        let begun = self.head_sent > 0;
        let mut next = self.head;
        if begun {
            let node = &mut arena.nodes[self.head as usize];
            next = std::mem::replace(&mut node.next, NIL);
            self.tail = self.head;
            self.frames = 1;
            self.bytes = node.frame.as_ref().map_or(0, |frame| frame.bytes().len() as u32) - self.head_sent;
        } else {
            *self = Self::default();
        }
        while next != NIL {
            next = arena.release(next);
        }
    }

    /// Drops everything, as its connection ends.
    pub fn clear(&mut self, arena: &mut Arena) {
        let mut next = self.head;
        while next != NIL {
            next = arena.release(next);
        }
        *self = Self::default();
    }

    /// The only ready frame, if there is just one and nothing of it is written: the common case.
    pub fn single<'a>(&self, arena: &'a Arena) -> Option<&'a [u8]> {
        if self.frames != 1 || self.head_sent != 0 {
            return None;
        }
        arena.nodes[self.head as usize].frame.as_ref().map(Frame::bytes)
    }

    /// Fills `slices` with what can be written next, in order; the answer is how many were filled.
    pub fn slices<'a>(&self, arena: &'a Arena, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let (mut next, mut count, mut skip) = (self.head, 0, self.head_sent as usize);
        while next != NIL && count < SLICES_MAX {
            let node = &arena.nodes[next as usize];
            let Some(frame) = &node.frame else { break };
            slices[count] = IoSlice::new(&frame.bytes()[skip..]);
            skip = 0;
            count += 1;
            next = node.next;
        }
        count
    }

    /// Takes `written` bytes off the front; the answer is how many frames ended with them.
    pub fn advance(&mut self, arena: &mut Arena, written: usize) -> u32 {
        self.bytes -= written as u32;
        let mut rest = written + self.head_sent as usize;
        let mut finished = 0;
        while self.head != NIL {
            let length = match &arena.nodes[self.head as usize].frame {
                Some(frame) => frame.bytes().len(),
                None => break,
            };
            if rest < length {
                break;
            }
            rest -= length;
            self.head = arena.release(self.head);
            self.frames -= 1;
            finished += 1;
        }
        if self.head == NIL {
            self.tail = NIL;
        }
        self.head_sent = rest as u32;
        finished
    }

    fn append(&mut self, arena: &mut Arena, frame: Option<Frame>) -> u32 {
        let index = arena.take(frame);
        if self.tail == NIL {
            self.head = index;
        } else {
            arena.nodes[self.tail as usize].next = index;
        }
        self.tail = index;
        self.frames += 1;
        index
    }
}

impl Arena {
    fn take(&mut self, frame: Option<Frame>) -> u32 {
        match self.free {
            Some(index) => {
                let node = &mut self.nodes[index as usize];
                self.free = (node.next != NIL).then_some(node.next);
                *node = Node { frame, next: NIL };
                index
            }
            None => {
                self.nodes.push(Node { frame, next: NIL });
                (self.nodes.len() - 1) as u32
            }
        }
    }

    /// Gives the node back and answers its successor.
    fn release(&mut self, index: u32) -> u32 {
        let node = &mut self.nodes[index as usize];
        node.frame = None;
        let next = std::mem::replace(&mut node.next, self.free.unwrap_or(NIL));
        self.free = Some(index);
        next
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
    fn nodes_are_reused() {
        let (mut arena, mut outbox) = (Arena::default(), Outbox::default());
        for _ in 0..1_000 {
            outbox.push(&mut arena, &frame("x"), LIMITS).unwrap();
            outbox.advance(&mut arena, 1);
        }
        assert_eq!(arena.nodes.len(), 1);
    }
}
