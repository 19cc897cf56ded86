//! The connections of one shard: a slab in two halves. The hot half is what a delivery touches (the outbox, the
//! descriptor, a few flags), packed side by side; the cold half is everything else.

use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::rc::Rc;

use crate::connection::close_reason::CloseReason;
use crate::connection::outbox::{Arena, Frame, Outbox, OutboxLimits, Reserved};
use crate::connection::socket::Socket;
use crate::connection::{Connection, Pending, Staged};
use crate::ids::{ConnId, ShardId};

/// What the fan-out and the flusher touch: one line of the cache.
#[repr(align(64))]
pub struct Hot {
    pub outbox: Outbox,
    pub fd: RawFd,
    generation: u32,
    /// On the dirty list: has something to write.
    dirty: bool,
    /// The socket took no more: a task waits until it is writable.
    pub blocked: bool,
    /// Since when, on the monotonic clock; of no meaning while it is not blocked.
    pub blocked_since_ms: u64,
    /// Encrypted, so that bytes go through the `Socket`.
    pub tls: bool,
    /// Set once no frame is accepted any more: the last one is queued.
    pub closing: bool,
    /// A stream whose subscriptions are under way: what they bring is put in order first.
    staging: bool,
    /// Frames written.
    pub frames_out: u64,
    /// Bytes written.
    pub bytes_out: u64,
}

const _: () = assert!(
    size_of::<Hot>() == 64,
    "a delivery touches one line of its connection"
);

pub struct Connections {
    shard: ShardId,
    limits: OutboxLimits,
    hot: Vec<Hot>,
    cold: Vec<Option<Box<Connection>>>,
    free: Vec<u32>,
    pub arena: Arena,
    /// Slots with something to write, in the order in which they got it, and the fan-out that put them there.
    dirty: VecDeque<(u32, FanOut)>,
    /// What was fanned out so far: the clock by which the flusher's lag is told.
    fanned_out: FanOut,
    /// Frames lost to connections that read too slowly.
    overflowed: u64,
}

/// Running totals of a shard's fan-outs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FanOut {
    pub messages: u64,
    pub bytes: u64,
    pub deliveries: u64,
}

impl Connections {
    pub fn new(shard: ShardId, limits: OutboxLimits) -> Self {
        Self {
            shard,
            limits,
            hot: Vec::new(),
            cold: Vec::new(),
            free: Vec::new(),
            arena: Arena::default(),
            dirty: VecDeque::new(),
            fanned_out: FanOut::default(),
            overflowed: 0,
        }
    }

    pub fn insert(&mut self, fd: RawFd, tls: bool, connection: Box<Connection>) -> ConnId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.hot.push(Hot {
                outbox: Outbox::default(),
                fd: -1,
                generation: 0,
                dirty: false,
                blocked: false,
                blocked_since_ms: 0,
                tls: false,
                closing: false,
                staging: false,
                frames_out: 0,
                bytes_out: 0,
            });
            self.cold.push(None);
            (self.hot.len() - 1) as u32
        });
        let hot = &mut self.hot[slot as usize];
        (hot.fd, hot.tls) = (fd, tls);
        (hot.blocked, hot.closing, hot.staging) = (false, false, false);
        (hot.frames_out, hot.bytes_out) = (0, 0);
        self.cold[slot as usize] = Some(connection);
        ConnId {
            shard: self.shard,
            slot,
            generation: hot.generation,
        }
    }

    /// Frees the slot. What was queued is dropped; a late message for this connection finds another generation.
    pub fn remove(&mut self, id: ConnId) -> Option<Box<Connection>> {
        let hot = self.hot_of(id)?;
        hot.generation = hot.generation.wrapping_add(1);
        hot.fd = -1;
        hot.closing = true;
        let slot = id.slot as usize;
        self.hot[slot].outbox.clear(&mut self.arena);
        self.free.push(id.slot);
        self.cold[slot].take()
    }

    pub fn get(&self, id: ConnId) -> Option<&Connection> {
        let hot = self.hot.get(id.slot as usize)?;
        if hot.generation != id.generation || id.shard != self.shard {
            return None;
        }
        self.cold[id.slot as usize].as_deref()
    }

    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.hot_of(id)?;
        self.cold[id.slot as usize].as_deref_mut()
    }

    /// The connection in `slot`, whoever it is.
    pub fn at(&self, slot: u32) -> Option<(ConnId, &Connection, &Hot)> {
        let hot = self.hot.get(slot as usize)?;
        let connection = self.cold[slot as usize].as_deref()?;
        Some((
            ConnId {
                shard: self.shard,
                slot,
                generation: hot.generation,
            },
            connection,
            hot,
        ))
    }

    pub fn at_mut(&mut self, slot: u32) -> Option<(&mut Connection, &mut Hot)> {
        let connection = self.cold.get_mut(slot as usize)?.as_deref_mut()?;
        Some((connection, &mut self.hot[slot as usize]))
    }

    /// Slots to look at when walking over all connections; free ones among them.
    pub fn slots(&self) -> u32 {
        self.hot.len() as u32
    }

    pub fn len(&self) -> usize {
        self.hot.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Queues a frame for the connection in `slot`. A full queue closes the connection: a slow reader costs itself,
    /// never its channel. Answers whether the frame was queued.
    #[inline]
    pub fn push(&mut self, slot: u32, frame: &Frame) -> bool {
        let hot = &mut self.hot[slot as usize];
        if hot.closing {
            return false;
        }
        if hot.outbox.push(&mut self.arena, frame, self.limits).is_err() {
            self.close_slot(slot, CloseReason::TooSlow);
            return false;
        }
        if !hot.dirty && !hot.blocked {
            hot.dirty = true;
            self.dirty.push_back((slot, self.fanned_out));
        }
        true
    }

    /// Like [`Self::push`] for one connection that may be gone.
    pub fn push_to(&mut self, id: ConnId, frame: &Frame) -> bool {
        self.get(id).is_some() && self.push(id.slot, frame)
    }

    pub fn reserve(&mut self, id: ConnId) -> Option<Reserved> {
        let hot = self
            .hot
            .get_mut(id.slot as usize)
            .filter(|hot| hot.generation == id.generation)?;
        (!hot.closing).then(|| hot.outbox.reserve(&mut self.arena))
    }

    pub fn fill(&mut self, id: ConnId, place: Reserved, frame: Frame) {
        let Some(hot) = self.hot.get_mut(id.slot as usize) else {
            return;
        };
        if hot.generation != id.generation || hot.closing {
            return;
        }
        hot.outbox.fill(&mut self.arena, place, frame);
        self.mark_dirty(id.slot);
    }

    /// Closes for good: nothing more is accepted, what is queued is still written, then the last word, and then the socket
    /// is ended. Only a reader that is too slow already loses its queue. Idempotent: the first reason counts.
    pub fn close(&mut self, id: ConnId, reason: CloseReason) {
        if self.get(id).is_some() {
            self.close_slot(id.slot, reason);
        }
    }

    fn close_slot(&mut self, slot: u32, reason: CloseReason) {
        let hot = &mut self.hot[slot as usize];
        let Some(connection) = self.cold[slot as usize].as_deref_mut() else {
            return;
        };
        if hot.closing {
            return;
        }
        hot.closing = true;
        connection.closing(reason);
        if reason == CloseReason::TooSlow {
            // What waits, and the frame that there was no room for.
            let lost = u64::from(hot.outbox.frames()) + 1;
            self.overflowed += lost;
            connection.session.site.live.usage.dropped(lost);
        }
        // What is reserved for a pending answer would hold back the last word.
        if reason == CloseReason::TooSlow || connection.pending.is_some() {
            hot.outbox.clear_unsent(&mut self.arena);
        }
        // The reader may wait for answers that will not come any more.
        connection.abandon_pending();
        if let Some(last) = connection.last_word(reason) {
            hot.outbox.push_last(&mut self.arena, last);
        }
        self.mark_dirty(slot);
    }

    /// The peer has closed: it gets its answer, and nothing more.
    pub fn close_by_peer(&mut self, id: ConnId, answer: Frame) {
        if self.get(id).is_none() || self.hot[id.slot as usize].closing {
            return;
        }
        let hot = &mut self.hot[id.slot as usize];
        hot.closing = true;
        hot.outbox.clear_unsent(&mut self.arena);
        hot.outbox.push_last(&mut self.arena, answer);
        if let Some(connection) = self.cold[id.slot as usize].as_deref_mut() {
            connection.closing(CloseReason::Peer);
            connection.abandon_pending();
        }
        self.mark_dirty(id.slot);
    }

    /// Frames that wait for this connection.
    pub fn unsent(&self, id: ConnId) -> Option<u64> {
        self.get(id)?;
        Some(u64::from(self.hot[id.slot as usize].outbox.frames()))
    }

    pub fn is_closing(&self, id: ConnId) -> bool {
        self.hot
            .get(id.slot as usize)
            .is_none_or(|hot| hot.generation != id.generation || hot.closing)
    }

    fn mark_dirty(&mut self, slot: u32) {
        let hot = &mut self.hot[slot as usize];
        if !hot.dirty && !hot.blocked {
            hot.dirty = true;
            self.dirty.push_back((slot, self.fanned_out));
        }
    }

    /// Takes the connection off the dirty list that has waited longest.
    pub fn take_dirty(&mut self) -> Option<u32> {
        let (slot, _) = self.dirty.pop_front()?;
        self.hot[slot as usize].dirty = false;
        Some(slot)
    }

    /// The hot half of `slot` beside the arena that its outbox lives in.
    pub fn hot_and_arena(&mut self, slot: u32) -> (&mut Hot, &mut Arena) {
        (&mut self.hot[slot as usize], &mut self.arena)
    }

    /// The socket of the connection in `slot`, where more than its descriptor is needed to write: for TLS, and to end it
    /// after its last word.
    pub fn socket_to_write(&self, slot: u32) -> Option<Rc<Socket>> {
        let hot = &self.hot[slot as usize];
        if !hot.tls && !hot.closing {
            return None;
        }
        Some(Rc::clone(&self.cold[slot as usize].as_deref()?.socket))
    }

    /// The socket of a connection that was blocked takes bytes again.
    pub fn unblock(&mut self, id: ConnId) {
        let Some(hot) = self.hot_of(id) else { return };
        hot.blocked = false;
        self.mark_dirty(id.slot);
    }

    pub fn has_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// Counts one message fanned out to `recipients`, `bytes` long in its longest form. Answers its number.
    pub fn count_fan_out(&mut self, bytes: u64, recipients: u32) -> u64 {
        let number = self.fanned_out.messages;
        self.fanned_out.messages += 1;
        self.fanned_out.bytes += bytes;
        self.fanned_out.deliveries += u64::from(recipients);
        number
    }

    /// The number of the first fan-out of which something is still to be written; all before it are.
    pub fn flushed_before(&self) -> u64 {
        self.dirty
            .front()
            .map_or(self.fanned_out.messages, |(_, since)| since.messages)
    }

    /// What was fanned out since the longest waiting connection got something to write: how far the flusher is
    /// behind, and so how much a connection that reads well can have queued.
    /// Frames lost to connections that read too slowly, since the start.
    pub fn overflowed(&self) -> u64 {
        self.overflowed
    }

    pub fn lag(&self) -> FanOut {
        self.dirty.front().map_or(FanOut::default(), |(_, since)| FanOut {
            messages: self.fanned_out.messages - since.messages,
            bytes: self.fanned_out.bytes - since.bytes,
            deliveries: self.fanned_out.deliveries - since.deliveries,
        })
    }

    /// Notes that a subscribe's answers are under way.
    pub fn begin_subscribe(&mut self, id: ConnId, pending: Box<Pending>) {
        let Some(connection) = self.get_mut(id) else {
            return;
        };
        let staging = pending.staged.is_some();
        connection.pending = Some(pending);
        self.hot[id.slot as usize].staging = staging;
    }

    /// All homes have answered a subscribe: its answer takes its place, and what waited behind it may go.
    pub fn finish_subscribe(&mut self, id: ConnId) -> Option<Staged> {
        let connection = self.get_mut(id)?;
        let mut pending = connection.pending.take()?;
        if let Some(waker) = pending.waiter.take() {
            waker.wake();
        }
        self.hot[id.slot as usize].staging = false;
        self.fill(id, pending.place, pending.answer);
        pending.staged
    }

    /// What the stream in `slot` puts in order first, if it does.
    #[inline]
    pub fn staged(&mut self, slot: u32) -> Option<&mut Staged> {
        if !self.hot[slot as usize].staging {
            return None;
        }
        self.cold[slot as usize]
            .as_mut()?
            .pending
            .as_mut()?
            .staged
            .as_mut()
    }

    fn hot_of(&mut self, id: ConnId) -> Option<&mut Hot> {
        let hot = self.hot.get_mut(id.slot as usize)?;
        (hot.generation == id.generation && id.shard == self.shard && self.cold[id.slot as usize].is_some())
            .then_some(hot)
    }
}
