//! One shard's notes, from the last time they were taken until the next.
//!
//! Call order, all on the shard's own thread: [`Tap::published`] where a message is accepted (its home),
//! [`Tap::fanned_out`] on each shard that has subscribers, [`Tap::flushed`] when the flusher has written what was queued.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::Latency;
use crate::ids::SiteId;

/// Messages noted in one interval: with four intervals a second more than a person or a page can follow.
const MESSAGES_MAX: usize = 512;
/// Fan-outs waiting for their flush. A round of the flusher ends long before; what does not fit is not measured.
const UNFLUSHED_MAX: usize = 4096;
/// Refusals noted in one interval; a flood of them says nothing more than its first ones and their count.
const REFUSALS_MAX: usize = 64;
/// What is kept of a watched site's payload.
const PAYLOAD_BYTES_MAX: usize = hookcast_api::insight::PAYLOAD_SHOWN_MAX;

/// Tells one message from all others of its time: when it was taken in, and where it lies in memory.
pub type MessageKey = (u64, usize);

/// Who had the relay send a message, as the event log names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogOrigin {
    #[default]
    WordPress,
    Browser,
    Trigger,
    Dispatch,
    Operator,
}

/// A message that a home accepted.
#[derive(Clone, Debug)]
pub struct Noted {
    pub key: MessageKey,
    pub at_ms: u64,
    pub site: SiteId,
    /// The bare name.
    pub channel: Arc<str>,
    /// Empty for a binary frame.
    pub event: Box<str>,
    pub binary: bool,
    /// Of the data, or of the whole binary frame.
    pub bytes: usize,
    pub origin: LogOrigin,
    /// Its beginning, where the site is watched.
    pub payload: Option<Bytes>,
}

/// A noted message's copies on one shard, written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    pub key: MessageKey,
    pub recipients: u32,
    /// From publish to the end of the flush that wrote the last of them.
    pub us: u64,
}

/// Where something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    Publish,
    Socket,
    Stream,
    Subscribe,
    Message,
    Presence,
    Webhook,
    Dispatch,
    Register,
}

impl Surface {
    pub fn as_str(self) -> &'static str {
        match self {
            Surface::Publish => "publish",
            Surface::Socket => "socket",
            Surface::Stream => "stream",
            Surface::Subscribe => "subscribe",
            Surface::Message => "message",
            Surface::Presence => "presence",
            Surface::Webhook => "webhook",
            Surface::Dispatch => "dispatch",
            Surface::Register => "register",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Refused {
    pub at_ms: u64,
    /// `None` where the request named no site of ours.
    pub site: Option<SiteId>,
    pub surface: Surface,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    pub address: Option<IpAddr>,
}

/// What a tap held when it was taken.
#[derive(Debug, Default)]
pub struct Notes {
    /// Oldest first.
    pub messages: Vec<Noted>,
    /// Messages that did not fit.
    pub messages_missed: u64,
    pub delivered: Vec<Delivered>,
    pub refusals: Vec<Refused>,
    pub refusals_missed: u64,
    /// Of every measured message, noted or not.
    pub latency: Latency,
}

#[derive(Debug, Default)]
pub struct Tap {
    notes: Notes,
    /// By the number of the fan-out, ascending.
    unflushed: VecDeque<(u64, MessageKey, u32)>,
    /// Sites whose payloads are noted, and until when.
    watched: Vec<(SiteId, u64)>,
}

impl Tap {
    /// Whether one more message would be noted.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.notes.messages.len() < MESSAGES_MAX
    }

    /// A home accepted a message that there was no room for.
    #[inline]
    pub fn missed(&mut self) {
        self.notes.messages_missed += 1;
    }

    /// A home accepted a message. `note` is called only if there is room; `payload` only if the site is watched.
    pub fn published(
        &mut self,
        now_ms: u64,
        site: SiteId,
        note: impl FnOnce() -> Noted,
        payload: impl FnOnce() -> Bytes,
    ) {
        if self.notes.messages.len() >= MESSAGES_MAX {
            self.notes.messages_missed += 1;
            return;
        }
        let mut noted = note();
        if self
            .watched
            .iter()
            .any(|(watched, until_ms)| *watched == site && now_ms < *until_ms)
        {
            let payload = payload();
            // A copy: a slice would keep the whole of a large message alive for as long as the log remembers it.
            noted.payload = Some(Bytes::copy_from_slice(
                &payload[..payload.len().min(PAYLOAD_BYTES_MAX)],
            ));
        }
        self.notes.messages.push(noted);
    }

    /// A message was queued to this many of the shard's connections, as its fan-out number `number`.
    #[inline]
    pub fn fanned_out(&mut self, number: u64, key: MessageKey, recipients: u32) {
        if recipients > 0 && self.unflushed.len() < UNFLUSHED_MAX {
            self.unflushed.push_back((number, key, recipients));
        }
    }

    /// Everything queued by fan-outs before number `done` has been handed to the kernel, but for connections that take
    /// no more right now: they are late by their own fault, and their lag is shown with them. `timed` gets the
    /// microseconds of each.
    #[inline]
    pub fn flushed(&mut self, now_ns: u64, done: u64, mut timed: impl FnMut(u64)) {
        while let Some(&(_, key, recipients)) = self.unflushed.front().filter(|(number, ..)| *number < done) {
            self.unflushed.pop_front();
            let us = now_ns.saturating_sub(key.0) / 1000;
            timed(us);
            self.notes.latency.record(us);
            // Twice the messages: other shards' homes may have noted what is written here.
            if self.notes.delivered.len() < 2 * MESSAGES_MAX {
                self.notes.delivered.push(Delivered { key, recipients, us });
            }
        }
    }

    pub fn refused(&mut self, refused: impl FnOnce() -> Refused) {
        if self.notes.refusals.len() < REFUSALS_MAX {
            self.notes.refusals.push(refused());
        } else {
            self.notes.refusals_missed += 1;
        }
    }

    /// Which sites' payloads to note, replacing what was watched before.
    pub fn watch(&mut self, watched: Vec<(SiteId, u64)>) {
        self.watched = watched;
    }

    /// Takes what has gathered.
    pub fn take(&mut self) -> Notes {
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(key: MessageKey) -> Noted {
        Noted {
            key,
            at_ms: 1,
            site: SiteId(1),
            channel: "events".into(),
            event: "e".into(),
            binary: false,
            bytes: 2,
            origin: LogOrigin::WordPress,
            payload: None,
        }
    }

    #[test]
    fn a_payload_is_noted_only_while_its_site_is_watched() {
        let mut tap = Tap::default();
        let payload = || Bytes::from(vec![b'x'; PAYLOAD_BYTES_MAX + 1]);
        tap.published(
            10,
            SiteId(1),
            || noted((1, 1)),
            || panic!("asked for the payload of an unwatched site"),
        );
        tap.watch(vec![(SiteId(1), 20)]);
        tap.published(19, SiteId(1), || noted((2, 2)), payload);
        tap.published(
            20,
            SiteId(1),
            || noted((3, 3)),
            || panic!("asked for a payload after the watch ended"),
        );
        tap.published(
            19,
            SiteId(2),
            || noted((4, 4)),
            || panic!("asked for another site's payload"),
        );
        let notes = tap.take();
        let sizes = notes
            .messages
            .iter()
            .map(|m| m.payload.as_ref().map(Bytes::len))
            .collect::<Vec<_>>();
        assert_eq!(sizes, [None, Some(PAYLOAD_BYTES_MAX), None, None]);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut tap = Tap::default();
        for at in 0..MESSAGES_MAX as u64 + 3 {
            tap.published(1, SiteId(1), || noted((at, 0)), Bytes::new);
        }
        let notes = tap.take();
        assert_eq!((notes.messages.len(), notes.messages_missed), (MESSAGES_MAX, 3));
        assert_eq!(tap.take().messages_missed, 0);
    }

    #[test]
    fn a_flush_times_every_fan_out_before_it_and_none_twice() {
        let mut tap = Tap::default();
        tap.fanned_out(1, (1_000_000, 7), 3);
        tap.fanned_out(2, (2_000_000, 8), 0);
        tap.fanned_out(3, (3_000_000, 9), 1);
        let mut timed = Vec::new();
        tap.flushed(5_000_000, 3, |us| timed.push(us));
        tap.flushed(9_000_000, 3, |us| timed.push(us));
        assert_eq!(timed, [4_000]);
        let notes = tap.take();
        assert_eq!(
            notes.delivered,
            [Delivered {
                key: (1_000_000, 7),
                recipients: 3,
                us: 4_000
            }]
        );
        assert!(notes.latency.quantile(0.5).is_some());
    }

    #[test]
    fn a_flood_of_refusals_is_counted_not_kept() {
        let mut tap = Tap::default();
        for _ in 0..REFUSALS_MAX + 5 {
            tap.refused(|| Refused {
                at_ms: 1,
                site: None,
                surface: Surface::Publish,
                code: "unknown_site_key",
                message: "no".into(),
                address: None,
            });
        }
        let notes = tap.take();
        assert_eq!((notes.refusals.len(), notes.refusals_missed), (REFUSALS_MAX, 5));
    }
}
