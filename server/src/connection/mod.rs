//! One browser's connection, whatever it speaks, and the record that its shard keeps of it.
//!
//! A session is one task, the reader: it waits for its socket, reads, decodes and acts. It owns the connection's end:
//! whatever wants a connection gone queues the last word or shuts the socket down, and the reader, waking up, removes
//! the record. Everything that goes out goes through the outbox and the shard's flusher.

pub mod close_reason;
pub mod dispatch;
pub mod greeting;
pub mod http;
pub mod hyper_io;
pub mod outbox;
pub mod refused;
pub mod requests;
pub mod socket;
pub mod sse;
pub mod takeover;
pub mod ws;

use std::net::IpAddr;
use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use ::wire::id::Cursor;

use self::close_reason::CloseReason;
use self::outbox::{Frame, Reserved};
use self::socket::Socket;
use crate::hub::Message;
use crate::site::{ConnectionSlot, Gcra, Session};

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// With `ids`, messages carry theirs (`?ids=1`).
    WebSocket { ids: bool },
    /// Server-Sent Events: receive-only.
    Stream,
    /// A plain WebSocket without a token, which receives an open site's dispatches as raw JSON.
    Dispatch,
}

/// The cold half of a connection's record.
pub struct Connection {
    pub socket: Rc<Socket>,
    pub transport: Transport,
    pub session: Session,
    pub ip: IpAddr,
    pub opened_unix_ms: u64,
    /// On the monotonic clock, as are all times here that aren't named otherwise.
    pub last_heard_ms: u64,
    pub last_ping_ms: u64,
    pub messages_in: u64,
    pub bytes_in: u64,
    pub message_rate: Gcra,
    pub presence_rate: Gcra,
    pub bad_frames: BadFrames,
    /// A subscribe whose answers are under way. At most one: the reader waits for it.
    pub pending: Option<Box<Pending>>,
    /// Channels whose name the client spelled with its site, so that it is answered in its own spelling. Boxed, like
    /// `pending`, because few connections have any.
    pub qualified: Option<Box<Vec<Arc<str>>>>,
    /// Set as the connection closes.
    pub closing: Option<CloseReason>,
    /// The time by which the peer of a closing connection must have closed too, once that is known.
    pub closed_by_ms: Option<NonZeroU64>,
    /// Counts the connection for its site until it is dropped.
    pub _slot: ConnectionSlot,
}

/// A subscribe under way: how many homes have yet to answer, and what the client is told then.
pub struct Pending {
    pub waiting: u32,
    /// What the reader waits with.
    pub waiter: Option<Waker>,
    /// Where the answer goes, ahead of everything that follows from it.
    pub place: Reserved,
    /// `subscribed`; for a stream, its first comment.
    pub answer: Frame,
    /// For a stream: what its channels bring before all homes have answered.
    pub staged: Option<Staged>,
}

/// What a stream's subscriptions bring until all homes have answered. It is put in order then, so that each event's id
/// says exactly what came before it, and a stream that is cut off anywhere goes on right there.
pub struct Staged {
    /// Where the stream left off, as far as that is known.
    pub cursor: Cursor,
    pub gaps: Vec<Frame>,
    /// Replayed, or delivered meanwhile.
    pub messages: Vec<Arc<Message>>,
    /// What is never replayed: presence and the relay's own events.
    pub others: Vec<Frame>,
}

/// Counts frames that could not be understood: the 21st within 10 s is one too many (protocol, "WebSocket").
#[derive(Default)]
pub struct BadFrames {
    window_start_ms: u64,
    count: u32,
}

const BAD_FRAMES_MAX: u32 = 20;
const BAD_FRAMES_WINDOW_MS: u64 = 10_000;

impl BadFrames {
    /// Counts one; answers whether that was one too many.
    pub fn count(&mut self, now_ms: u64) -> bool {
        if now_ms.saturating_sub(self.window_start_ms) >= BAD_FRAMES_WINDOW_MS {
            (self.window_start_ms, self.count) = (now_ms, 0);
        }
        self.count += 1;
        self.count > BAD_FRAMES_MAX
    }
}

impl Connection {
    /// Notes that the connection closes.
    pub fn closing(&mut self, reason: CloseReason) {
        self.closing.get_or_insert(reason);
    }

    /// Gives up a subscribe under way and wakes the reader that waits for it.
    pub fn abandon_pending(&mut self) {
        if let Some(waker) = self.pending.take().and_then(|pending| pending.waiter) {
            waker.wake();
        }
    }

    /// Whether the client spelled this channel with its site.
    pub fn is_qualified(&self, name: &Arc<str>) -> bool {
        self.qualified.as_ref().is_some_and(|names| names.contains(name))
    }

    /// Forgets how the client spelled the channels of which `ended` is true.
    pub fn forget_spelling(&mut self, ended: impl Fn(&Arc<str>) -> bool) {
        if let Some(names) = &mut self.qualified {
            names.retain(|name| !ended(name));
        }
    }

    /// The last bytes of a connection that closes for `reason`.
    pub fn last_word(&self, reason: CloseReason) -> Option<Frame> {
        match self.transport {
            Transport::WebSocket { .. } | Transport::Dispatch => {
                let (code, text) = reason.close_frame();
                Some(Frame::new(::wire::ws::close_frame(code.code(), text)))
            }
            Transport::Stream => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_21st_bad_frame_in_a_window_is_too_many() {
        let mut bad = BadFrames::default();
        assert!((0..20).all(|_| !bad.count(20_000)));
        assert!(bad.count(20_001));
        assert!(!bad.count(30_000), "a new window begins");
    }
}
