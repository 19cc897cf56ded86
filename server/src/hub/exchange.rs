//! The values that the two halves of the hub exchange.

use std::sync::Arc;

use bytes::Bytes;

use super::channel::ChannelKey;
use super::message::{Member, Message};
use crate::ids::ConnId;

/// From a shard to the home of `channel()`.
#[derive(Debug)]
pub enum ToHome {
    Publish {
        /// Not shared yet: the home writes its place into it.
        message: Arc<Message>,
        /// The digest of a signed request, so that the same request sent again is delivered once.
        dedupe: Option<[u8; 32]>,
        /// Answered with [`ToLocal::Published`] if there is one.
        ticket: Option<Ticket>,
    },
    Subscribe {
        channel: ChannelKey,
        /// As the subscriber spelled it; comes back in [`Subscribed`].
        spelled: Arc<str>,
        subscriber: ConnId,
        id: SubscriptionId,
        since: Option<Since>,
        /// Whether the answer carries the channel's members.
        members: bool,
    },
    /// The shard has no subscriber left, neither active nor pending.
    Unsubscribe {
        channel: ChannelKey,
    },
    /// Become a member, or change its state.
    Presence {
        channel: ChannelKey,
        member: ConnId,
        state: Bytes,
        attempt: PresenceAttempt,
    },
    Leave {
        channel: ChannelKey,
        member: ConnId,
    },
}

impl ToHome {
    /// The channel whose home this goes to.
    pub fn channel(&self) -> &ChannelKey {
        match self {
            Self::Publish { message, .. } => &message.channel,
            Self::Subscribe { channel, .. }
            | Self::Unsubscribe { channel }
            | Self::Presence { channel, .. }
            | Self::Leave { channel, .. } => channel,
        }
    }
}

/// From a home to an interested or asking shard.
#[derive(Debug)]
pub enum ToLocal {
    Deliver(Arc<Message>),
    /// Boxed: deliveries are by far the most, and need not carry its size through the queues.
    Subscribed(Box<Subscribed>),
    Published {
        ticket: Ticket,
        outcome: Published,
    },
    /// There is no room for another member.
    PresenceRefused {
        channel: ChannelKey,
        member: ConnId,
        attempt: PresenceAttempt,
    },
}

/// The answer to a subscription. What the home delivers after it is new to the subscriber, what it delivered before
/// is not: the replay together with the deliveries that follow is gapless and without doubles.
#[derive(Debug)]
pub struct Subscribed {
    pub channel: ChannelKey,
    pub spelled: Arc<str>,
    pub subscriber: ConnId,
    pub id: SubscriptionId,
    /// The home's last `seq` so far: where this subscriber stands once it has its replay.
    pub position: u64,
    /// `since` was beyond what the memory holds: messages may be missing before the replay.
    pub gap: bool,
    /// Oldest first.
    pub replay: Vec<Arc<Message>>,
    /// If asked for: the members as of now, consistent with the joins and leaves that follow.
    pub members: Option<Arc<[Member]>>,
}

/// Where a returning subscriber left off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// A `seq` of the channel's home in this run: of a message, or a [`Subscribed::position`].
    Seq(u64),
    /// An id of another run, or one that makes no sense: always a gap.
    Unknown,
}

/// The caller's mark on a publish that wants an answer; the hub only hands it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    Accepted,
    /// The same signed request was seen before; this one is not delivered.
    Duplicate,
}

/// Tells a subscription from an earlier one of the same connection to the same channel whose answer is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionId(pub(super) u32);

/// Tells a presence request from a later one of the same connection on the same channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresenceAttempt(pub(super) u32);
