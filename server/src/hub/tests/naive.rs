//! A hub that is one list per question, too slow to be wrong: what the real one is compared with.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

/// What one connection is told, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Text {
        channel: Arc<str>,
        number: u64,
    },
    Binary {
        channel: Arc<str>,
        number: u64,
    },
    Presence {
        channel: Arc<str>,
        change: Presence,
    },
    Subscribed {
        channel: Arc<str>,
        gap: bool,
        replay: Vec<u64>,
        position: u64,
        members: Vec<Member>,
    },
    Full {
        channel: Arc<str>,
    },
}

pub struct Naive {
    limits: HomeLimits,
    seq: u64,
    /// Every text message ever, with its time, its cost and whether it is still remembered.
    texts: Vec<NaiveText>,
    /// Where each channel began.
    began: BTreeMap<ChannelKey, u64>,
    subscribers: Vec<(ConnId, ChannelKey)>,
    members: BTreeMap<(ChannelKey, ConnId), Bytes>,
    pub told: Vec<(ConnId, Told)>,
}

struct NaiveText {
    channel: ChannelKey,
    number: u64,
    seq: u64,
    at_ms: u64,
    cost: usize,
    remembered: bool,
}

impl Naive {
    pub fn new(limits: HomeLimits) -> Self {
        Self {
            limits,
            seq: 0,
            texts: Vec::new(),
            began: BTreeMap::new(),
            subscribers: Vec::new(),
            members: BTreeMap::new(),
            told: Vec::new(),
        }
    }

    pub fn text(&mut self, channel: &ChannelKey, number: u64, cost: usize, now_ms: u64) {
        self.begin(channel);
        self.seq += 1;
        let (channel, seq) = (channel.clone(), self.seq);
        self.tell(&channel.clone(), |channel| Told::Text { channel, number });
        self.texts.push(NaiveText {
            channel,
            number,
            seq,
            at_ms: now_ms,
            cost,
            remembered: true,
        });
        self.forget(now_ms);
    }

    pub fn binary(&mut self, channel: &ChannelKey, number: u64) {
        self.tell(channel, |channel| Told::Binary { channel, number });
    }

    pub fn subscribe(&mut self, conn: ConnId, channel: &ChannelKey, since: Option<Since>, now_ms: u64) {
        if self.subscribers.contains(&(conn, channel.clone())) {
            return;
        }
        self.begin(channel);
        self.forget(now_ms);
        self.subscribers.push((conn, channel.clone()));
        let here = || self.texts.iter().filter(|text| text.channel == *channel);
        let forgotten = here().filter(|text| !text.remembered).map(|text| text.seq).max();
        let floor = forgotten.unwrap_or(self.began[channel]);
        let (gap, after) = match since {
            None => (false, self.seq),
            Some(Since::Seq(at)) if at >= floor && at <= self.seq => (false, at),
            Some(_) => (true, floor),
        };
        let replay = here()
            .filter(|text| text.remembered && text.seq > after)
            .map(|text| text.number)
            .collect();
        let members = self.members.iter().filter(|((at, _), _)| at == channel);
        let members = members
            .map(|((_, id), state)| Member {
                id: *id,
                state: state.clone(),
            })
            .collect();
        let channel = channel.name.clone();
        let position = self.seq;
        self.told.push((
            conn,
            Told::Subscribed {
                channel,
                gap,
                replay,
                position,
                members,
            },
        ));
    }

    pub fn unsubscribe(&mut self, conn: ConnId, channel: &ChannelKey) {
        self.subscribers.retain(|(who, on)| (*who, on) != (conn, channel));
    }

    pub fn presence(&mut self, conn: ConnId, channel: &ChannelKey, state: Bytes) {
        let key = (channel.clone(), conn);
        let here = self.members.keys().filter(|(at, _)| at == channel).count();
        let full = here >= self.limits.channel_members_max || self.members.len() >= self.limits.members_max;
        if full && !self.members.contains_key(&key) {
            self.told.push((
                conn,
                Told::Full {
                    channel: channel.name.clone(),
                },
            ));
            return;
        }
        self.begin(channel);
        self.members.insert(key, state.clone());
        let change = Presence::Join(Member { id: conn, state });
        self.tell(channel, |channel| Told::Presence {
            channel,
            change: change.clone(),
        });
    }

    pub fn leave(&mut self, conn: ConnId, channel: &ChannelKey) {
        if self.members.remove(&(channel.clone(), conn)).is_some() {
            self.tell(channel, |channel| Told::Presence {
                channel,
                change: Presence::Leave(conn),
            });
        }
    }

    pub fn close(&mut self, conn: ConnId) {
        self.subscribers.retain(|(who, _)| *who != conn);
        let held: Vec<_> = self
            .members
            .keys()
            .filter(|(_, who)| *who == conn)
            .cloned()
            .collect();
        for (channel, _) in held {
            self.leave(conn, &channel);
        }
    }

    pub fn remembered(&self) -> (usize, usize) {
        let remembered = || self.texts.iter().filter(|text| text.remembered);
        (remembered().count(), remembered().map(|text| text.cost).sum())
    }

    pub fn members(&self) -> usize {
        self.members.len()
    }

    pub fn forget(&mut self, now_ms: u64) {
        let (messages_max, age_ms) = (self.limits.memory_messages_max, self.limits.memory_ms);
        let mut younger: BTreeMap<ChannelKey, usize> = BTreeMap::new();
        for text in self.texts.iter_mut().rev() {
            let younger = younger.entry(text.channel.clone()).or_default();
            text.remembered &= *younger < messages_max && text.at_ms + age_ms > now_ms;
            *younger += 1;
        }
        let over = |naive: &Self| naive.remembered().1 > naive.limits.memory_bytes_max;
        while over(self) {
            let oldest = self.texts.iter_mut().find(|text| text.remembered);
            oldest.expect("something has the bytes").remembered = false;
        }
    }

    fn begin(&mut self, channel: &ChannelKey) {
        self.began.entry(channel.clone()).or_insert(self.seq);
    }

    fn tell(&mut self, channel: &ChannelKey, what: impl Fn(Arc<str>) -> Told) {
        let on = self.subscribers.iter().filter(|(_, on)| on == channel);
        self.told
            .extend(on.map(|(conn, _)| (*conn, what(channel.name.clone()))));
    }
}
