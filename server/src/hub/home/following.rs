//! One run that goes on in another process: a home's state as a value, and two homes of which one follows the other.
//!
//! At the cut the old home gives its [`HomeState`] to the new one, which leads from then on: it alone gives places. The old
//! one still serves the subscribers that it has, and new ones too: it hands every publish on, and takes in, in the leader's
//! order, what the leader tells [`FOLLOWER`]. So both hold the same memory under the same ids, and a client that moves from
//! one to the other goes on where it was. Members are not handed over: presence ends with its connection.

use std::sync::Arc;

use super::{Home, deliver};
use crate::hub::channel::ChannelKey;
use crate::hub::exchange::ToLocal;
use crate::hub::message::{Kind, Message};
use crate::ids::{ShardId, SiteId};

/// Whom a followed home tells: a shard that is none. What a follower hands on comes from here, too.
pub const FOLLOWER: ShardId = ShardId(u16::MAX);

/// Signatures of one site, and when each was seen.
pub type Marks = Vec<(u64, [u8; 16])>;

/// What a home knows that its successor has to know.
#[derive(Clone, Debug, Default)]
pub struct HomeState {
    /// The last place given.
    pub seq: u64,
    /// Each channel, and the place from which on nothing of it is missing.
    pub channels: Vec<(ChannelKey, u64)>,
    /// All remembered messages in their order, and when they were taken in.
    pub remembered: Vec<(u64, Arc<Message>)>,
    /// By site, oldest first: when each was seen.
    pub signatures: Vec<(SiteId, Marks)>,
}

impl Home {
    pub fn export(&self) -> HomeState {
        let channels = self.channels.iter();
        HomeState {
            seq: self.seq,
            channels: channels
                .map(|(_, channel)| (channel.key.clone(), self.memory.ring(channel.ring).floor()))
                .collect(),
            remembered: self.memory.all().collect(),
            signatures: self.signatures.all(),
        }
    }

    /// Takes up, before anything else, what another home gave. Its own limits hold: what is over them is forgotten as if
    /// its time had come.
    pub fn adopt(&mut self, state: HomeState, now_ms: u64) {
        self.seq = state.seq;
        for (channel, floor) in state.channels {
            let index = self.record(&channel, now_ms);
            let ring = self.channels[index as usize].ring;
            self.memory.reopen(ring, floor);
        }
        for (at_ms, message) in state.remembered {
            // Over the bound of idle channels its record is gone already.
            if let Some(&index) = self.index.get(&message.channel) {
                let ring = self.channels[index as usize].ring;
                self.memory.remember(ring, message, at_ms);
            }
        }
        for (site, marks) in state.signatures {
            for (at_ms, mark) in marks {
                self.signatures.insert_mark(site, mark, at_ms);
            }
        }
    }

    /// From now on, or no longer, [`FOLLOWER`] is told of every message.
    pub fn set_followed(&mut self, followed: bool) {
        self.followed = followed;
    }

    /// A follower takes in what its leader has put in order.
    pub fn follow(&mut self, message: Arc<Message>, now_ms: u64, out: &mut impl FnMut(ShardId, ToLocal)) {
        if message.seq == 0 {
            if let Some(&index) = self.index.get(&message.channel) {
                deliver(self.channels[index as usize].interest, message, out);
            }
            return;
        }
        debug_assert!(message.seq > self.seq, "the leader's order is kept");
        let index = if self.limits.memory_messages_max == 0 {
            self.index.get(&message.channel).copied()
        } else {
            Some(self.record(&message.channel, now_ms))
        };
        self.seq = message.seq;
        let Some(index) = index else { return };
        let record = &mut self.channels[index as usize];
        record.used_ms = now_ms;
        let interest = record.interest;
        self.memory.remember(record.ring, message.clone(), now_ms);
        deliver(interest, message, out);
    }

    #[inline]
    pub(super) fn tell_follower(&self, message: &Arc<Message>, out: &mut impl FnMut(ShardId, ToLocal)) {
        if self.followed && matches!(message.kind, Kind::Text { .. } | Kind::Binary { .. }) {
            out(FOLLOWER, ToLocal::Deliver(message.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::exchange::{Published, Since, SubscriptionId, Ticket, ToHome};
    use crate::hub::limits::HomeLimits;
    use crate::hub::tests::{HERE, channel, conn, event, for_all, publish, text};
    use proptest::prelude::*;

    type Out = Vec<(ShardId, ToLocal)>;

    fn home(limits: &HomeLimits) -> Home {
        Home::new(HERE, limits.clone())
    }

    fn send(home: &mut Home, message: ToHome, now_ms: u64) -> Out {
        let mut out = Vec::new();
        home.handle(HERE, message, now_ms, &mut |to, message| out.push((to, message)));
        out
    }

    /// What a client that left off at `since` is told: whether of a gap, and which events.
    fn recover(home: &mut Home, channel: &ChannelKey, since: u64, now_ms: u64) -> (bool, Vec<String>) {
        let subscribe = ToHome::Subscribe {
            channel: channel.clone(),
            spelled: channel.name.clone(),
            subscriber: conn(1),
            id: SubscriptionId(1),
            since: Some(Since::Seq(since)),
            members: false,
        };
        match send(home, subscribe, now_ms).pop() {
            Some((_, ToLocal::Subscribed(answer))) => {
                let events = answer.replay.iter().map(|message| event(message).to_owned());
                (answer.gap, events.collect())
            }
            other => panic!("no answer but {other:?}"),
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Publish(u8),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0..4u8).prop_map(Step::Publish),
            1 => (1..400u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// One home that nothing happens to, and one that is handed over in the middle: from every place, on every channel, a
    /// client is told the same by the first one, by the leader, and by the follower.
    #[test]
    fn a_handed_over_home_answers_as_if_it_never_had_been() {
        let limits = HomeLimits {
            memory_messages_max: 5,
            memory_ms: 500,
            memory_bytes_max: 2_000,
            ..HomeLimits::default()
        };
        for_all(200, (steps(), steps()), |(before, after)| {
            let channels: Vec<_> = ["a", "b", "c", "d"].map(channel).into();
            let (mut alone, mut old) = (home(&limits), home(&limits));
            let (mut now_ms, mut count) = (0, 0);
            for step in before {
                match step {
                    Step::Wait(ms) => now_ms += ms,
                    Step::Publish(index) => {
                        count += 1;
                        let message = text(&channels[usize::from(index)], &count.to_string());
                        for home in [&mut alone, &mut old] {
                            send(home, publish(Arc::new(Message::clone(&message))), now_ms);
                        }
                    }
                }
            }
            let mut new = home(&limits);
            new.adopt(old.export(), now_ms);
            new.set_followed(true);
            for step in after {
                match step {
                    Step::Wait(ms) => now_ms += ms,
                    Step::Publish(index) => {
                        count += 1;
                        let message = text(&channels[usize::from(index)], &count.to_string());
                        send(&mut alone, publish(Arc::new(Message::clone(&message))), now_ms);
                        for (to, told) in send(&mut new, publish(message), now_ms) {
                            match told {
                                ToLocal::Deliver(message) if to == FOLLOWER => {
                                    old.follow(message, now_ms, &mut |_, _| {});
                                }
                                _ => {}
                            }
                        }
                    }
                }
            }
            for channel in &channels {
                for since in 0..=count + 1 {
                    let expected = recover(&mut alone, channel, since, now_ms);
                    for (name, home) in [("leader", &mut new), ("follower", &mut old)] {
                        let got = recover(home, channel, since, now_ms);
                        if got != expected {
                            return Err(format!(
                                "{name}, {channel:?} after {since}: {got:?}, not {expected:?}"
                            ));
                        }
                    }
                }
            }
            Ok(())
        });
    }

    #[test]
    fn a_signature_that_was_seen_before_is_a_duplicate_after() {
        let limits = HomeLimits::default();
        let mut old = home(&limits);
        let signed = |byte| ToHome::Publish {
            message: text(&channel("a"), "e"),
            dedupe: Some([byte; 32]),
            ticket: Some(Ticket(1)),
        };
        send(&mut old, signed(1), 0);
        let mut new = home(&limits);
        new.adopt(old.export(), 10);
        let outcome = |out: Out| match out.into_iter().next() {
            Some((_, ToLocal::Published { outcome, .. })) => outcome,
            other => panic!("no answer but {other:?}"),
        };
        assert_eq!(outcome(send(&mut new, signed(1), 20)), Published::Duplicate);
        assert_eq!(outcome(send(&mut new, signed(2), 20)), Published::Accepted);
    }

    #[test]
    fn a_follower_delivers_to_its_own_subscribers() {
        let limits = HomeLimits::default();
        let (mut old, mut new) = (home(&limits), home(&limits));
        recover(&mut old, &channel("a"), 0, 0);
        new.adopt(old.export(), 0);
        new.set_followed(true);
        let mut told = send(&mut new, publish(text(&channel("a"), "e")), 1);
        let (to, ToLocal::Deliver(message)) = told.remove(0) else {
            panic!("{told:?}");
        };
        assert_eq!(
            (to, message.seq, told.len()),
            (FOLLOWER, 1, 0),
            "nobody is subscribed at the leader"
        );
        let mut out = Vec::new();
        old.follow(message, 1, &mut |to, message| out.push((to, message)));
        assert!(matches!(&out[..], [(HERE, ToLocal::Deliver(message))] if event(message) == "e"));
        new.set_followed(false);
        assert!(send(&mut new, publish(text(&channel("a"), "e")), 2).is_empty());
    }
}
