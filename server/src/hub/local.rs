//! The subscribers of one shard: who is subscribed to what, and in which form.
//!
//! Owns the shard's subscriptions, pending ones included, and knows which presences each connection holds, so that
//! one call ends everything that a connection had. It never decides who may: grants are checked before.
//!
//! Invariants:
//! - a subscription is active from the moment its [`Subscribed`] is handled, and gets nothing before;
//! - a connection has at most one subscription per channel, however it is spelled;
//! - the home is told [`ToHome::Unsubscribe`] exactly when the last subscription to a channel, active or pending, ends.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use slab::Slab;
use smallvec::SmallVec;

use super::channel::ChannelKey;
use super::exchange::{
    PresenceAttempt, Published, Since, Subscribed, SubscriptionId, Ticket, ToHome, ToLocal,
};
use super::limits::LocalLimits;
use super::message::Message;
use super::report::{LocalChannel, LocalTotals, largest};
use crate::ids::{ConnId, ShardId, SiteId};

/// How a connection's messages are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    WsPlain,
    /// A socket that asked for message ids.
    WsIds,
    /// A stream of a version-1 token.
    SseV1,
    SseV2,
}

impl Form {
    pub const COUNT: usize = 4;

    pub fn is_ws(self) -> bool {
        matches!(self, Self::WsPlain | Self::WsIds)
    }
}

/// A subscriber as fan-out sees it: eight bytes, so that ten thousand of them are read in one sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// The connection's slot on this shard. It is live: a connection's subscribers go with it.
    pub slot: u32,
    /// Which of the connection's subscriptions this is.
    place: u16,
    pub form: Form,
}

/// Where the hub's decisions go. Called while the [`Local`] is borrowed: what an implementation finds out here (an
/// overflowing outbox, say) it notes down and acts on afterwards.
pub trait Sink {
    /// All subscribers of one message's channel on this shard, never none. Binary frames are not for streams: the
    /// sink passes over their forms.
    fn deliver(&mut self, message: &Arc<Message>, subscribers: &[Subscriber]);
    /// The subscriber is live, and active from now on: its replay goes out before any delivery that follows.
    fn subscribed(&mut self, subscribed: Subscribed);
    fn published(&mut self, ticket: Ticket, outcome: Published);
    /// The channel has no room for the member; it may be gone by now.
    fn presence_refused(&mut self, member: ConnId, channel: ChannelKey);
}

/// What [`Local::subscribe`] came to.
#[derive(Debug)]
pub enum Subscribing {
    /// To be sent to the channel's home, whose [`Subscribed`] makes the subscription active.
    Pending(ToHome),
    /// The connection is subscribed to the channel, or is about to be. `since` has no meaning for it.
    Already,
    /// The connection has as many channels as it may.
    Full,
}

/// The connection is a member of as many channels as it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
pub struct Local {
    shard: ShardId,
    limits: LocalLimits,
    index: HashMap<ChannelKey, u32>,
    channels: Slab<Channel>,
    /// By slot.
    connections: Vec<Option<Connection>>,
    next_subscription: u32,
    next_attempt: u32,
    subscriptions: usize,
    presences: usize,
}

#[derive(Debug)]
struct Channel {
    key: ChannelKey,
    active: Vec<Subscriber>,
    pending: u32,
}

#[derive(Debug)]
struct Connection {
    generation: u32,
    form: Form,
    /// Most connections have one channel, and stay for long.
    subscriptions: SmallVec<[Subscription; 1]>,
    #[allow(
        clippy::box_collection,
        reason = "most connections are members of nothing, and each would hold an empty list"
    )]
    presences: Option<Box<Vec<HeldPresence>>>,
}

#[derive(Clone, Copy, Debug)]
struct Subscription {
    channel: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending(SubscriptionId),
    /// Its index among the channel's active subscribers.
    Active(u32),
}

#[derive(Debug)]
struct HeldPresence {
    channel: ChannelKey,
    latest: PresenceAttempt,
}

impl Local {
    pub fn new(shard: ShardId, limits: LocalLimits) -> Self {
        Self {
            shard,
            limits,
            index: HashMap::new(),
            channels: Slab::new(),
            connections: Vec::new(),
            next_subscription: 0,
            next_attempt: 0,
            subscriptions: 0,
            presences: 0,
        }
    }

    /// A connection begins. Its slot must be free, which it is once [`Local::close`] was called for the one before.
    pub fn open(&mut self, conn: ConnId, form: Form) {
        assert_eq!(conn.shard, self.shard, "a connection of another shard");
        let slot = conn.slot as usize;
        if slot >= self.connections.len() {
            self.connections.resize_with(slot + 1, || None);
        }
        let record = &mut self.connections[slot];
        assert!(record.is_none(), "slot {slot} still has its connection");
        *record = Some(Connection {
            generation: conn.generation,
            form,
            subscriptions: SmallVec::new(),
            presences: None,
        });
    }

    /// A connection ends: its subscriptions and presences with it. What is returned goes to the homes of the channels
    /// it names. A connection that is unknown, or closed before, has nothing.
    pub fn close(&mut self, conn: ConnId) -> Vec<ToHome> {
        if self.connection(conn).is_none() {
            return Vec::new();
        }
        let mut out = Vec::new();
        while let Some(place) = self
            .connection(conn)
            .and_then(|record| record.subscriptions.len().checked_sub(1))
        {
            out.extend(self.end_subscription(conn.slot, place));
        }
        let record = self.connections[conn.slot as usize]
            .take()
            .expect("looked up above");
        let presences = record.presences.map_or_else(Vec::new, |held| *held);
        self.presences -= presences.len();
        out.extend(presences.into_iter().map(|held| ToHome::Leave {
            channel: held.channel,
            member: conn,
        }));
        out
    }

    /// `spelled` is the client's spelling of the channel; `members` asks for the channel's members in the answer.
    pub fn subscribe(
        &mut self,
        conn: ConnId,
        channel: ChannelKey,
        spelled: Arc<str>,
        since: Option<Since>,
        members: bool,
    ) -> Subscribing {
        let found = self.index.get(&channel).copied();
        let max = usize::from(self.limits.connection_channels_max);
        let Some(record) = connection_mut(&mut self.connections, conn) else {
            // Closed since the request was read: there is nobody to subscribe.
            return Subscribing::Already;
        };
        if found.is_some_and(|index| record.place_of(index).is_some()) {
            return Subscribing::Already;
        }
        if record.subscriptions.len() >= max {
            return Subscribing::Full;
        }
        let index = found.unwrap_or_else(|| {
            let entry = Channel {
                key: channel.clone(),
                active: Vec::new(),
                pending: 0,
            };
            let index = u32::try_from(self.channels.insert(entry)).expect("fewer than 2^32 channels");
            self.index.insert(channel.clone(), index);
            index
        });
        let id = SubscriptionId(self.next_subscription);
        self.next_subscription = self.next_subscription.wrapping_add(1);
        record.subscriptions.push(Subscription {
            channel: index,
            state: State::Pending(id),
        });
        self.channels[index as usize].pending += 1;
        self.subscriptions += 1;
        Subscribing::Pending(ToHome::Subscribe {
            channel,
            spelled,
            subscriber: conn,
            id,
            since,
            members,
        })
    }

    /// What is returned, if anything, goes to the channel's home.
    pub fn unsubscribe(&mut self, conn: ConnId, channel: &ChannelKey) -> Option<ToHome> {
        let index = *self.index.get(channel)?;
        let place = self.connection(conn)?.place_of(index)?;
        self.end_subscription(conn.slot, place)
    }

    /// Makes the connection a member of the channel, or changes its state there (raw JSON, its size checked before).
    pub fn presence(&mut self, conn: ConnId, channel: ChannelKey, state: Bytes) -> Result<ToHome, Full> {
        let attempt = PresenceAttempt(self.next_attempt);
        let max = usize::from(self.limits.connection_presences_max);
        let record = connection_mut(&mut self.connections, conn).ok_or(Full)?;
        let presences = record.presences.get_or_insert_default();
        if let Some(held) = presences.iter_mut().find(|held| held.channel == channel) {
            held.latest = attempt;
        } else {
            if presences.len() >= max {
                return Err(Full);
            }
            presences.push(HeldPresence {
                channel: channel.clone(),
                latest: attempt,
            });
            self.presences += 1;
        }
        self.next_attempt = self.next_attempt.wrapping_add(1);
        Ok(ToHome::Presence {
            channel,
            member: conn,
            state,
            attempt,
        })
    }

    /// Ends the connection's membership of the channel, if it has one.
    pub fn leave(&mut self, conn: ConnId, channel: &ChannelKey) -> Option<ToHome> {
        let record = connection_mut(&mut self.connections, conn)?;
        let held = record.end_presence(|held| held.channel == *channel)?;
        self.presences -= 1;
        Some(ToHome::Leave {
            channel: held.channel,
            member: conn,
        })
    }

    /// Takes in what a home sent. `sink` learns of everything that concerns a live connection.
    #[inline]
    pub fn handle<S: Sink>(&mut self, message: ToLocal, sink: &mut S) {
        match message {
            ToLocal::Deliver(message) => self.deliver(&message, sink),
            ToLocal::Subscribed(subscribed) => {
                if self.activate(&subscribed) {
                    sink.subscribed(*subscribed);
                }
            }
            ToLocal::Published { ticket, outcome } => sink.published(ticket, outcome),
            ToLocal::PresenceRefused {
                channel,
                member,
                attempt,
            } => {
                self.forget_presence(member, &channel, attempt);
                sink.presence_refused(member, channel);
            }
        }
    }

    #[inline]
    pub fn deliver<S: Sink>(&mut self, message: &Arc<Message>, sink: &mut S) {
        // A delivery may cross the shard's last unsubscribe on its way; then there is nobody.
        let Some(&index) = self.index.get(&message.channel) else {
            return;
        };
        let subscribers = &self.channels[index as usize].active;
        if !subscribers.is_empty() {
            sink.deliver(message, subscribers);
        }
    }

    /// The channels that a connection is subscribed to, pending ones included.
    pub fn subscriptions(&self, conn: ConnId) -> impl Iterator<Item = &ChannelKey> {
        let record = self.connection(conn).into_iter();
        record
            .flat_map(|record| &record.subscriptions)
            .map(|sub| &self.channels[sub.channel as usize].key)
    }

    /// The channels that a connection is a member of, as far as this shard knows.
    pub fn presences(&self, conn: ConnId) -> impl Iterator<Item = &ChannelKey> {
        self.connection(conn)
            .into_iter()
            .filter_map(|record| record.presences.as_deref())
            .flatten()
            .map(|held| &held.channel)
    }

    /// The channels with the most subscribers on this shard, most first; of one site, or of all.
    pub fn largest(&self, site: Option<SiteId>, limit: usize) -> Vec<LocalChannel> {
        let of_site = self
            .channels
            .iter()
            .filter(|(_, channel)| site.is_none_or(|site| site == channel.key.site));
        let found = largest(
            of_site.map(|(_, channel)| (channel.active.len(), &channel.key)),
            limit,
        );
        let describe = |key: &ChannelKey| LocalChannel {
            channel: key.clone(),
            subscribers: self.subscribers(key),
        };
        found.into_iter().map(describe).collect()
    }

    /// Active subscribers of a channel on this shard.
    pub fn subscribers(&self, channel: &ChannelKey) -> usize {
        self.index
            .get(channel)
            .map_or(0, |&index| self.channels[index as usize].active.len())
    }

    pub fn totals(&self) -> LocalTotals {
        LocalTotals {
            channels: self.channels.len(),
            subscriptions: self.subscriptions,
            presences: self.presences,
        }
    }

    /// Makes the subscription active that the answer belongs to; false if it has ended, whatever came after it.
    fn activate(&mut self, subscribed: &Subscribed) -> bool {
        let Some(&index) = self.index.get(&subscribed.channel) else {
            return false;
        };
        let conn = subscribed.subscriber;
        let Some(record) = connection_mut(&mut self.connections, conn) else {
            return false;
        };
        let Some(place) = record.place_of(index) else {
            return false;
        };
        let subscription = &mut record.subscriptions[place];
        if subscription.state != State::Pending(subscribed.id) {
            return false;
        }
        let channel = &mut self.channels[index as usize];
        let position = u32::try_from(channel.active.len()).expect("fewer subscribers than slots");
        subscription.state = State::Active(position);
        let place = u16::try_from(place).expect("at most connection_channels_max");
        channel.active.push(Subscriber {
            slot: conn.slot,
            place,
            form: record.form,
        });
        channel.pending -= 1;
        true
    }

    /// Takes a subscription off its connection and its channel; the last one of a channel yields an unsubscribe.
    fn end_subscription(&mut self, slot: u32, place: usize) -> Option<ToHome> {
        let record = self.connections[slot as usize]
            .as_mut()
            .expect("the caller found it");
        let ended = record.subscriptions.swap_remove(place);
        self.subscriptions -= 1;
        // The connection's last subscription has taken the place of the one that ended: its channel is to know.
        if let Some(&Subscription {
            channel,
            state: State::Active(position),
        }) = record.subscriptions.get(place)
        {
            self.channels[channel as usize].active[position as usize].place =
                u16::try_from(place).expect("at most connection_channels_max");
        }
        let channel = &mut self.channels[ended.channel as usize];
        match ended.state {
            State::Pending(_) => channel.pending -= 1,
            State::Active(position) => {
                channel.active.swap_remove(position as usize);
                // Likewise the channel's last subscriber, whose connection is to know.
                if let Some(moved) = channel.active.get(position as usize) {
                    let owner = self.connections[moved.slot as usize]
                        .as_mut()
                        .expect("subscribers are live");
                    owner.subscriptions[usize::from(moved.place)].state = State::Active(position);
                }
                // After a crowd has left, a channel gives its room back.
                if channel.active.len() * 4 < channel.active.capacity() {
                    channel.active.shrink_to(channel.active.len() * 2);
                }
            }
        }
        if !channel.active.is_empty() || channel.pending > 0 {
            return None;
        }
        let key = self.channels.remove(ended.channel as usize).key;
        self.index.remove(&key);
        Some(ToHome::Unsubscribe { channel: key })
    }

    /// A refusal ends the membership only if no later request is under way, which may well be accepted.
    fn forget_presence(&mut self, member: ConnId, channel: &ChannelKey, attempt: PresenceAttempt) {
        let Some(record) = connection_mut(&mut self.connections, member) else {
            return;
        };
        let refused = |held: &HeldPresence| held.channel == *channel && held.latest == attempt;
        if record.end_presence(refused).is_some() {
            self.presences -= 1;
        }
    }

    fn connection(&self, conn: ConnId) -> Option<&Connection> {
        let record = self.connections.get(conn.slot as usize)?.as_ref()?;
        (record.generation == conn.generation).then_some(record)
    }
}

/// Free of `self`, so that a connection and a channel can be changed side by side.
fn connection_mut(connections: &mut [Option<Connection>], conn: ConnId) -> Option<&mut Connection> {
    let record = connections.get_mut(conn.slot as usize)?.as_mut()?;
    (record.generation == conn.generation).then_some(record)
}

impl Connection {
    /// Searched in order: a connection has at most `connection_channels_max`, and few in practice.
    fn place_of(&self, channel: u32) -> Option<usize> {
        self.subscriptions.iter().position(|sub| sub.channel == channel)
    }

    /// Takes out the presence of which `ended` is true.
    fn end_presence(&mut self, ended: impl Fn(&HeldPresence) -> bool) -> Option<HeldPresence> {
        let presences = self.presences.as_mut()?;
        let place = presences.iter().position(ended)?;
        let held = presences.swap_remove(place);
        if presences.is_empty() {
            self.presences = None;
        }
        Some(held)
    }
}

#[cfg(test)]
mod tests;
