//! The channels homed on one shard: their order, memory, members, and which shards want to hear of them.
//!
//! Invariants:
//! - every text message takes the home's next `seq`, so that one number says where a client stands on all channels
//!   of this home;
//! - a channel's answers and deliveries to one shard leave here in the order in which they happened;
//! - a shard is interested from its first [`ToHome::Subscribe`] to its [`ToHome::Unsubscribe`], and a channel that no
//!   shard is interested in costs no message;
//! - a channel record lives while it has interest or members, and as an idle one within bounds of time and count.

mod following;
mod interest;
mod members;
mod memory;
mod signatures;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use slab::Slab;

use super::channel::ChannelKey;
use super::exchange::{PresenceAttempt, Published, Subscribed, ToHome, ToLocal};
use super::limits::HomeLimits;
use super::message::{Kind, Member, Message, Origin, Presence};
use super::report::{HomeTotals, HomedChannel, largest};
use crate::ids::{ConnId, ShardId, SiteId};
pub use following::{FOLLOWER, HomeState};
use interest::Interest;
use members::Members;
use memory::{Memory, RingId};
use signatures::Signatures;

#[derive(Debug)]
pub struct Home {
    shard: ShardId,
    limits: HomeLimits,
    /// The last place given.
    seq: u64,
    index: HashMap<ChannelKey, u32>,
    channels: Slab<Channel>,
    memory: Memory,
    signatures: Signatures,
    /// Another process' home gets what happens here ([`FOLLOWER`]).
    followed: bool,
    members: usize,
    idle: usize,
    /// Channels that may be idle, roughly the least recently used first: each at most once, re-examined at the front.
    idle_queue: VecDeque<u32>,
    /// The relay's own channels that somebody is subscribed to.
    relay_channels: BTreeSet<ChannelKey>,
}

#[derive(Debug)]
struct Channel {
    key: ChannelKey,
    interest: Interest,
    members: Option<Box<Members>>,
    ring: RingId,
    used_ms: u64,
    /// When it was put in the idle queue, if it is there.
    queued_ms: Option<u64>,
}

impl Channel {
    fn is_idle(&self) -> bool {
        self.interest.is_empty() && self.members.is_none()
    }
}

impl Home {
    pub fn new(shard: ShardId, limits: HomeLimits) -> Self {
        Self {
            shard,
            seq: 0,
            index: HashMap::new(),
            channels: Slab::new(),
            memory: Memory::new(&limits),
            signatures: Signatures::new(&limits),
            followed: false,
            members: 0,
            idle: 0,
            idle_queue: VecDeque::new(),
            relay_channels: BTreeSet::new(),
            limits,
        }
    }

    /// Takes in what shard `from` sent, and hands `out` what goes to which shard. An answer to a publisher comes before
    /// the deliveries, so that it need not wait for them.
    #[inline]
    pub fn handle(
        &mut self,
        from: ShardId,
        message: ToHome,
        now_ms: u64,
        out: &mut impl FnMut(ShardId, ToLocal),
    ) {
        match message {
            ToHome::Publish {
                message,
                dedupe,
                ticket,
            } => {
                let site = message.channel.site;
                let seen = dedupe.is_some_and(|digest| !self.signatures.insert(site, digest, now_ms));
                if let Some(ticket) = ticket {
                    let outcome = if seen {
                        Published::Duplicate
                    } else {
                        Published::Accepted
                    };
                    out(from, ToLocal::Published { ticket, outcome });
                }
                if !seen {
                    self.publish(message, now_ms, out);
                }
            }
            ToHome::Subscribe {
                channel,
                spelled,
                subscriber,
                id,
                since,
                members,
            } => {
                let index = self.record(&channel, now_ms);
                self.interested(index, from, now_ms);
                let record = &mut self.channels[index as usize];
                let (gap, replay) = self.memory.replay(record.ring, since, self.seq, now_ms);
                let members = members.then(|| {
                    record
                        .members
                        .as_mut()
                        .map_or_else(Arc::default, |all| all.snapshot())
                });
                let position = self.seq;
                out(
                    from,
                    ToLocal::Subscribed(Box::new(Subscribed {
                        channel,
                        spelled,
                        subscriber,
                        id,
                        position,
                        gap,
                        replay,
                        members,
                    })),
                );
            }
            ToHome::Unsubscribe { channel } => self.uninterested(&channel, from, now_ms),
            ToHome::Presence {
                channel,
                member,
                state,
                attempt,
            } => {
                self.join(from, channel, Member { id: member, state }, attempt, now_ms, out);
            }
            ToHome::Leave { channel, member } => self.leave(&channel, member, now_ms, out),
        }
    }

    /// Lets go of what time has run out for. Called now and then, a second apart or so; everything but idle records
    /// and old signatures is also let go of as it is met.
    pub fn sweep(&mut self, now_ms: u64) {
        self.memory.expire(now_ms);
        self.signatures.expire(now_ms);
        while let Some(&index) = self.idle_queue.front() {
            let record = &self.channels[index as usize];
            let queued_ms = record.queued_ms.expect("it is in the queue");
            if queued_ms + self.limits.idle_ms > now_ms {
                break;
            }
            self.idle_queue.pop_front();
            if !record.is_idle() {
                self.channels[index as usize].queued_ms = None;
            } else if record.used_ms + self.limits.idle_ms > now_ms {
                self.requeue(index);
            } else {
                self.drop_record(index);
            }
        }
    }

    /// The relay's own channels (`wps:…`) of this home that have subscribers, in order: what is worth telling whom.
    pub fn relay_channels(&self) -> impl Iterator<Item = &ChannelKey> {
        self.relay_channels.iter()
    }

    /// The channels with the most members and remembered bytes, most first; of one site, or of all.
    pub fn largest(&self, site: Option<SiteId>, limit: usize) -> Vec<HomedChannel> {
        let of_site = self
            .channels
            .iter()
            .filter(|(_, channel)| site.is_none_or(|site| site == channel.key.site));
        let sized = of_site.map(|(_, channel)| {
            let members = channel.members.as_ref().map_or(0, |members| members.len());
            (members + self.memory.ring(channel.ring).bytes, &channel.key)
        });
        largest(sized, limit)
            .into_iter()
            .filter_map(|key| self.describe(key))
            .collect()
    }

    pub fn describe(&self, channel: &ChannelKey) -> Option<HomedChannel> {
        let record = &self.channels[*self.index.get(channel)? as usize];
        let ring = self.memory.ring(record.ring);
        Some(HomedChannel {
            channel: channel.clone(),
            members: record.members.as_ref().map_or(0, |members| members.len()),
            remembered_messages: ring.messages.len(),
            remembered_bytes: ring.bytes,
            shards: record.interest.len(),
        })
    }

    /// The first members of a channel, in the order of their ids.
    pub fn members(&self, channel: &ChannelKey, limit: usize) -> Vec<Member> {
        let record = self
            .index
            .get(channel)
            .map(|index| &self.channels[*index as usize]);
        let members = record.and_then(|record| record.members.as_ref());
        members.map(|members| members.first(limit)).unwrap_or_default()
    }

    pub fn totals(&self) -> HomeTotals {
        HomeTotals {
            channels: self.channels.len(),
            idle_channels: self.idle,
            members: self.members,
            remembered_messages: self.memory.messages(),
            remembered_bytes: self.memory.bytes(),
            signatures: self.signatures.len(),
            sequenced: self.seq,
        }
    }

    fn publish(&mut self, mut message: Arc<Message>, now_ms: u64, out: &mut impl FnMut(ShardId, ToLocal)) {
        if let Kind::Text { .. } = message.kind {
            // A channel begins before its first message, which a subscriber from before then has missed.
            // Without a memory a channel that nobody listens to leaves no trace.
            let index = if self.limits.memory_messages_max == 0 {
                self.index.get(&message.channel).copied()
            } else {
                Some(self.record(&message.channel, now_ms))
            };
            self.seq += 1;
            // Uncopied as long as the publisher kept no share of it.
            let own = Arc::make_mut(&mut message);
            own.seq = self.seq;
            own.home = self.shard;
            self.tell_follower(&message, out);
            let Some(index) = index else { return };
            let record = &mut self.channels[index as usize];
            record.used_ms = now_ms;
            let interest = record.interest;
            self.memory.remember(record.ring, message.clone(), now_ms);
            deliver(interest, message, out);
            return;
        }
        self.tell_follower(&message, out);
        if let Some(&index) = self.index.get(&message.channel) {
            deliver(self.channels[index as usize].interest, message, out);
        }
    }

    fn join(
        &mut self,
        from: ShardId,
        channel: ChannelKey,
        member: Member,
        attempt: PresenceAttempt,
        now_ms: u64,
        out: &mut impl FnMut(ShardId, ToLocal),
    ) {
        let index = self.index.get(&channel).copied();
        let members = index.and_then(|index| self.channels[index as usize].members.as_ref());
        let new = !members.is_some_and(|members| members.contains(member.id));
        let here = members.map_or(0, |members| members.len());
        if new && (here >= self.limits.channel_members_max || self.members >= self.limits.members_max) {
            out(
                from,
                ToLocal::PresenceRefused {
                    channel,
                    member: member.id,
                    attempt,
                },
            );
            return;
        }
        let index = index.unwrap_or_else(|| self.record(&channel, now_ms));
        let record = &mut self.channels[index as usize];
        if record.is_idle() {
            self.idle -= 1;
        }
        record
            .members
            .get_or_insert_default()
            .insert(member.id, member.state.clone());
        self.members += usize::from(new);
        announce(record, Presence::Join(member), self.shard, out);
    }

    fn leave(
        &mut self,
        channel: &ChannelKey,
        member: ConnId,
        now_ms: u64,
        out: &mut impl FnMut(ShardId, ToLocal),
    ) {
        let Some(&index) = self.index.get(channel) else {
            return;
        };
        let record = &mut self.channels[index as usize];
        let Some(members) = record.members.as_mut() else {
            return;
        };
        // A presence that was refused is left all the same when its connection ends.
        if !members.remove(member) {
            return;
        }
        self.members -= 1;
        if members.len() == 0 {
            record.members = None;
        }
        announce(record, Presence::Leave(member), self.shard, out);
        self.settle(index, now_ms);
    }

    fn interested(&mut self, index: u32, shard: ShardId, now_ms: u64) {
        let record = &mut self.channels[index as usize];
        record.used_ms = now_ms;
        if record.interest.is_empty() {
            if record.members.is_none() {
                self.idle -= 1;
            }
            if record.key.is_relay() {
                self.relay_channels.insert(record.key.clone());
            }
        }
        record.interest.insert(shard);
    }

    fn uninterested(&mut self, channel: &ChannelKey, shard: ShardId, now_ms: u64) {
        let Some(&index) = self.index.get(channel) else {
            return;
        };
        let record = &mut self.channels[index as usize];
        if !record.interest.remove(shard) || !record.interest.is_empty() {
            return;
        }
        if record.key.is_relay() {
            self.relay_channels.remove(channel);
        }
        self.settle(index, now_ms);
    }

    /// The channel's record, made as an idle one if there is none. The caller uses it at once.
    fn record(&mut self, channel: &ChannelKey, now_ms: u64) -> u32 {
        if let Some(&index) = self.index.get(channel) {
            return index;
        }
        let record = Channel {
            key: channel.clone(),
            interest: Interest::default(),
            members: None,
            ring: self.memory.open(self.seq),
            used_ms: now_ms,
            queued_ms: None,
        };
        let index = u32::try_from(self.channels.insert(record)).expect("fewer than 2^32 channels");
        self.index.insert(channel.clone(), index);
        self.idle += 1;
        self.requeue(index);
        self.bound_idle(index);
        index
    }

    /// A channel lost interest or a member: if it is idle now, it counts and waits as such.
    fn settle(&mut self, index: u32, now_ms: u64) {
        let record = &mut self.channels[index as usize];
        if !record.is_idle() {
            return;
        }
        record.used_ms = now_ms;
        self.idle += 1;
        if record.queued_ms.is_none() {
            self.requeue(index);
        }
        self.bound_idle(index);
    }

    fn requeue(&mut self, index: u32) {
        let record = &mut self.channels[index as usize];
        record.queued_ms = Some(record.used_ms);
        self.idle_queue.push_back(index);
    }

    /// Drops the least recently used idle records over the bound, but never `kept`. One that was used since it was
    /// queued gets a second round, which ends: by then it is queued at its last use.
    fn bound_idle(&mut self, kept: u32) {
        while self.idle > self.limits.idle_channels_max {
            let Some(index) = self.idle_queue.pop_front() else {
                return;
            };
            let record = &mut self.channels[index as usize];
            if !record.is_idle() {
                record.queued_ms = None;
            } else if index == kept && self.idle == 1 {
                self.idle_queue.push_front(index);
                return;
            } else if index == kept || record.queued_ms != Some(record.used_ms) {
                self.requeue(index);
            } else {
                self.drop_record(index);
            }
        }
    }

    /// Its place in the idle queue has been taken off already.
    fn drop_record(&mut self, index: u32) {
        let record = self.channels.remove(index as usize);
        self.memory.close(record.ring);
        self.index.remove(&record.key);
        self.idle -= 1;
    }
}

#[inline]
fn deliver(interest: Interest, message: Arc<Message>, out: &mut impl FnMut(ShardId, ToLocal)) {
    interest.for_each(|shard| out(shard, ToLocal::Deliver(message.clone())));
}

fn announce(record: &Channel, presence: Presence, home: ShardId, out: &mut impl FnMut(ShardId, ToLocal)) {
    if record.interest.is_empty() {
        return;
    }
    let message = Message {
        channel: record.key.clone(),
        spelled: record.key.name.clone(),
        kind: Kind::Presence(presence),
        seq: 0,
        home,
        origin: Origin::Relay,
        published_at_ns: 0,
    };
    deliver(record.interest, Arc::new(message), out);
}

#[cfg(test)]
mod tests;
