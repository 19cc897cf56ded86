//! The recovery memory of a home: the last text messages of each channel, bounded by count and age per channel and
//! by bytes over all of them.
//!
//! Messages come in the order of their `seq` and of their time, so that "oldest first" is the same by either.

use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;

use crate::hub::exchange::Since;
use crate::hub::limits::HomeLimits;
use crate::hub::message::Message;

/// The memory of one channel.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) messages: VecDeque<Arc<Message>>,
    pub(super) bytes: usize,
    /// From here on nothing is missing: the `seq` of the last message let go, or the home's when the channel began.
    floor: u64,
}

impl Ring {
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RingId(u32);

#[derive(Debug)]
pub(super) struct Memory {
    messages_max: usize,
    age_ms: u64,
    bytes_max: usize,
    rings: Slab<Ring>,
    /// All remembered messages, oldest first. Those that a ring has let go of since stay until they are met, or until
    /// they outnumber the others.
    order: VecDeque<Remembered>,
    messages: usize,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    seq: u64,
    at_ms: u64,
    ring: RingId,
}

impl Memory {
    pub(super) fn new(limits: &HomeLimits) -> Self {
        Self {
            messages_max: limits.memory_messages_max,
            age_ms: limits.memory_ms,
            bytes_max: limits.memory_bytes_max,
            rings: Slab::new(),
            order: VecDeque::new(),
            messages: 0,
            bytes: 0,
        }
    }

    pub(super) fn messages(&self) -> usize {
        self.messages
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn ring(&self, ring: RingId) -> &Ring {
        &self.rings[ring.0 as usize]
    }

    /// A memory for a channel that begins now, `seq` being the home's last.
    pub(super) fn open(&mut self, seq: u64) -> RingId {
        let ring = Ring {
            messages: VecDeque::new(),
            bytes: 0,
            floor: seq,
        };
        RingId(u32::try_from(self.rings.insert(ring)).expect("fewer than 2^32 channels"))
    }

    /// The memory of a channel that began elsewhere: nothing is missing from `floor` on.
    pub(super) fn reopen(&mut self, ring: RingId, floor: u64) {
        self.rings[ring.0 as usize].floor = floor;
    }

    /// Everything remembered with its time, in order.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, Arc<Message>)> {
        self.order
            .iter()
            .filter(|entry| is_remembered(&self.rings, **entry))
            .map(|entry| {
                let messages = &self.rings[entry.ring.0 as usize].messages;
                let place = messages.partition_point(|message| message.seq < entry.seq);
                (entry.at_ms, Arc::clone(&messages[place]))
            })
    }

    pub(super) fn close(&mut self, ring: RingId) {
        let ring = self.rings.remove(ring.0 as usize);
        self.messages -= ring.messages.len();
        self.bytes -= ring.bytes;
    }

    pub(super) fn remember(&mut self, ring: RingId, message: Arc<Message>, now_ms: u64) {
        self.expire(now_ms);
        let seq = message.seq;
        let cost = message.cost();
        let entry = &mut self.rings[ring.0 as usize];
        if self.messages_max == 0 || cost > self.bytes_max {
            // It can't be kept, and so neither can what came before it: a replay has no holes.
            while self.rings[ring.0 as usize].messages.front().is_some() {
                self.forget_first(ring);
            }
            self.rings[ring.0 as usize].floor = seq;
            return;
        }
        entry.messages.push_back(message);
        entry.bytes += cost;
        let over = entry.messages.len() > self.messages_max;
        self.messages += 1;
        self.bytes += cost;
        self.order.push_back(Remembered {
            seq,
            at_ms: now_ms,
            ring,
        });
        if over {
            self.forget_first(ring);
        }
        while self.bytes > self.bytes_max {
            let oldest = self.oldest().expect("bytes are of remembered messages");
            self.forget_first(oldest.ring);
        }
        if self.order.len() > 2 * self.messages + 64 {
            let rings = &self.rings;
            self.order.retain(|entry| is_remembered(rings, *entry));
        }
    }

    /// What a subscriber that left off at `since` has missed, and whether more than that may be missing. `seq` is the
    /// home's last.
    pub(super) fn replay(
        &mut self,
        ring: RingId,
        since: Option<Since>,
        seq: u64,
        now_ms: u64,
    ) -> (bool, Vec<Arc<Message>>) {
        let Some(since) = since else {
            return (false, Vec::new());
        };
        self.expire(now_ms);
        let ring = self.ring(ring);
        let known = match since {
            // A place that was never given is of another run.
            Since::Seq(at) if (ring.floor..=seq).contains(&at) => Some(at),
            Since::Seq(_) | Since::Unknown => None,
        };
        let first = ring
            .messages
            .partition_point(|message| known.is_some_and(|at| message.seq <= at));
        (known.is_none(), ring.messages.range(first..).cloned().collect())
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        while let Some(oldest) = self.oldest() {
            if oldest.at_ms + self.age_ms > now_ms {
                break;
            }
            self.forget_first(oldest.ring);
        }
    }

    fn oldest(&mut self) -> Option<Remembered> {
        while let Some(&entry) = self.order.front() {
            if is_remembered(&self.rings, entry) {
                return Some(entry);
            }
            self.order.pop_front();
        }
        None
    }

    fn forget_first(&mut self, ring: RingId) {
        let ring = &mut self.rings[ring.0 as usize];
        let message = ring.messages.pop_front().expect("the caller saw one");
        let cost = message.cost();
        ring.floor = message.seq;
        ring.bytes -= cost;
        self.bytes -= cost;
        self.messages -= 1;
    }
}

/// A ring lets go of its oldest only, so that it holds whatever is above its floor. Its id may be another channel's by now,
/// which began above all that the one before had.
fn is_remembered(rings: &Slab<Ring>, entry: Remembered) -> bool {
    rings
        .get(entry.ring.0 as usize)
        .is_some_and(|ring| entry.seq > ring.floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::tests::{channel, text};

    #[test]
    fn the_order_is_bounded_by_what_is_remembered() {
        let mut memory = Memory::new(&HomeLimits {
            memory_messages_max: 2,
            ..HomeLimits::default()
        });
        let (quiet, busy) = (memory.open(0), memory.open(0));
        for seq in 1..10_000 {
            let mut message = text(&channel("a"), "e");
            Arc::make_mut(&mut message).seq = seq;
            // The quiet channel's message stays at the front, and with it all that the busy one has let go of.
            memory.remember(if seq == 1 { quiet } else { busy }, message, 0);
            assert!(memory.order.len() <= 2 * 3 + 64, "{} entries", memory.order.len());
        }
        assert_eq!(memory.messages(), 3);
    }
}
