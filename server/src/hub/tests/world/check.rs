//! What the simulation holds the hub to.

use std::collections::BTreeMap;

use super::{Event, Past, Subscription, World};
use crate::hub::tests::*;

impl World {
    /// What a subscriber was told, against what happened: in order, without a double, and without a hole that was not
    /// told or counted; to the very end if `whole`.
    pub(super) fn check(
        &self,
        conn: ConnId,
        channel: &ChannelKey,
        told: &Subscription,
        whole: bool,
    ) -> Result<(), String> {
        let Some(answer) = &told.answer else {
            return if whole {
                Err("never answered".into())
            } else {
                Ok(())
            };
        };
        let past = self.past.get(channel).ok_or("of a channel without a past")?;
        let (before, after) = past.events.split_at(past.taken_in[&(conn, answer.id.0)]);

        let missed = |since: u64| {
            before
                .iter()
                .filter_map(Event::seq)
                .filter(move |seq| *seq > since)
        };
        let replay: Vec<_> = answer.replay.iter().map(|message| message.seq).collect();
        let known: Vec<_> = before.iter().filter_map(Event::seq).collect();
        if !known.ends_with(&replay) {
            return Err(format!("replayed {replay:?} of {known:?}"));
        }
        match told.since {
            None if replay.is_empty() && !answer.gap => {}
            None => return Err("a replay that nobody asked for".into()),
            Some(Since::Unknown) if answer.gap => {}
            Some(Since::Unknown) => return Err("a foreign position without a gap".into()),
            Some(Since::Seq(at)) if !answer.gap => {
                if !missed(at).eq(replay.iter().copied()) {
                    return Err(format!("replayed {replay:?} since {at}, of {known:?}"));
                }
            }
            Some(Since::Seq(at)) => {
                // An idle record may have been dropped, and then a gap may be told that is none.
                let kept =
                    self.limits.idle_ms > self.now_ms && self.limits.idle_channels_max >= self.past.len();
                let exact = told.returning && kept;
                if exact && missed(at).count() <= replay.len() {
                    return Err(format!(
                        "a gap since {at}, but nothing is missing from {replay:?}"
                    ));
                }
            }
        }

        let counted = |event: &&Event| {
            event
                .number()
                .is_none_or(|number| !self.lost.contains(&(conn.shard, number)))
        };
        let mut expected = after.iter().filter(counted);
        for got in &told.live {
            match expected.next() {
                Some(event) if event == got => {}
                other => return Err(format!("was told {got:?} where {other:?} is next")),
            }
        }
        match expected.next() {
            Some(missing) if whole => Err(format!("was never told {missing:?}")),
            _ => Ok(()),
        }
    }

    /// Interest and members of a channel, against the connections that there are.
    pub(super) fn agree(&self, channel: &ChannelKey, past: &Past) -> Result<(), String> {
        let home = &self.shards[usize::from(self.homes.home_of(channel).0)].home;
        let facts = home.describe(channel);
        let listening = self
            .shards
            .iter()
            .filter(|shard| shard.local.subscribers(channel) > 0)
            .count();
        let interested = facts.as_ref().map_or(0, |facts| facts.shards);
        if listening != interested {
            return Err(format!(
                "{listening} shards listen to {}, not {interested}",
                channel.name
            ));
        }
        let mut held = BTreeMap::new();
        for client in self.shards.iter().flat_map(|shard| &shard.clients) {
            let holding = &self.shards[usize::from(client.id.shard.0)].local;
            if holding.presences(client.id).any(|at| at == channel) {
                held.insert(client.id, client.states[channel].clone());
            }
            let Some(subscription) = client.subscriptions.get(channel) else {
                continue;
            };
            if subscription.members != past.members {
                return Err(format!(
                    "{} sees {:?} of {:?}",
                    client.id, subscription.members, past.members
                ));
            }
        }
        let count = facts.map_or(0, |facts| facts.members);
        if held != past.members || count != past.members.len() {
            return Err(format!(
                "{count} members of {}: {:?}, not {held:?}",
                channel.name, past.members
            ));
        }
        Ok(())
    }
}
