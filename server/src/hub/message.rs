//! What travels on a channel: made once, shared by every shard and subscriber.

use std::sync::Arc;

use bytes::Bytes;

use super::channel::ChannelKey;
use crate::ids::{ConnId, ShardId};

/// One message on its way to a channel's subscribers.
///
/// The publisher allocates it, its home fills in `home` and `seq`, and from then on it is shared unchanged.
/// Payload buffers are kept for as long as the message is remembered: a slice of a larger receive buffer must be
/// copied out before it is put in here, or the whole buffer stays.
#[derive(Clone, Debug)]
pub struct Message {
    pub channel: ChannelKey,
    /// The channel as its publisher spelled it, which is what subscribers see. Bare for the relay's own messages.
    pub spelled: Arc<str>,
    pub kind: Kind,
    /// Its place in its home's order, from 1. 0: it has none, because its kind is never remembered.
    pub seq: u64,
    /// The shard whose order `seq` counts in.
    pub home: ShardId,
    pub origin: Origin,
    /// When it was taken in, on the caller's clock; the hub only passes it on. 0 for presence, which it makes itself.
    pub published_at_ns: u64,
}

#[derive(Clone, Debug)]
pub enum Kind {
    /// An event of a publisher; `data` is its JSON, byte for byte.
    Text { event: Box<str>, data: Bytes },
    /// A whole binary frame, header included. WebSocket subscribers only.
    Binary { frame: Bytes },
    /// A change among the channel's members (`wps.presence`).
    Presence(Presence),
    /// An event that the relay made itself (`wps.connections`).
    Relay { event: &'static str, data: Bytes },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Became a member, or changed its state.
    Join(Member),
    Leave(ConnId),
}

/// A member of a channel and its state, raw JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub id: ConnId,
    pub state: Bytes,
}

/// Who made a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A signed request of the site's server.
    Server,
    Connection(ConnId),
    /// A webhook, or a trigger that is tried out.
    Trigger,
    /// A request to `/dispatch`.
    Dispatch,
    /// The operator, by hand or with an API key.
    Operator,
    Relay,
}

impl Message {
    /// A message as its publisher hands it in: without a place in any order yet.
    pub fn new(
        channel: ChannelKey,
        spelled: Arc<str>,
        kind: Kind,
        origin: Origin,
        published_at_ns: u64,
    ) -> Self {
        Self {
            channel,
            spelled,
            kind,
            seq: 0,
            home: ShardId(0),
            origin,
            published_at_ns,
        }
    }

    /// A message of the relay's own, which carries the bare channel name.
    pub fn relay(channel: ChannelKey, event: &'static str, data: Bytes, published_at_ns: u64) -> Self {
        let spelled = channel.name.clone();
        Self::new(
            channel,
            spelled,
            Kind::Relay { event, data },
            Origin::Relay,
            published_at_ns,
        )
    }

    /// What it occupies in a memory, in bytes: its payload and names, and the record around them.
    pub fn cost(&self) -> usize {
        let payload = match &self.kind {
            Kind::Text { event, data } => event.len() + data.len(),
            Kind::Binary { frame } => frame.len(),
            Kind::Presence(Presence::Join(member)) => member.state.len(),
            Kind::Presence(Presence::Leave(_)) => 0,
            Kind::Relay { data, .. } => data.len(),
        };
        size_of::<Self>() + self.spelled.len() + payload
    }
}
