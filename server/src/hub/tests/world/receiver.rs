//! Writes down what a shard's connections are told.

use std::collections::BTreeMap;

use super::{Client, Event, Met};
use crate::hub::tests::*;

/// What a shard's connections are told.
pub(super) struct Receiver<'a> {
    pub(super) clients: &'a mut [Client],
    pub(super) tickets: &'a mut BTreeMap<u64, Option<Published>>,
    pub(super) met: &'a mut Met,
    pub(super) wrong: &'a mut Option<String>,
}

impl Receiver<'_> {
    fn fail(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }
}

impl Sink for Receiver<'_> {
    fn deliver(&mut self, message: &Arc<Message>, subscribers: &[Subscriber]) {
        for subscriber in subscribers {
            self.met.deliveries += 1;
            let client = &mut self.clients[subscriber.slot as usize];
            let (id, form) = (client.id, client.form);
            match client.subscriptions.get_mut(&message.channel) {
                Some(subscription) if subscription.answer.is_some() && form == subscriber.form => {
                    let event = Event::of(message);
                    match &event {
                        Event::Presence(Presence::Join(member)) => {
                            subscription.members.insert(member.id, member.state.clone());
                        }
                        Event::Presence(Presence::Leave(member)) => {
                            if subscription.members.remove(member).is_none() {
                                self.fail(format!("{member} left without having been there"));
                                return;
                            }
                        }
                        Event::Text { .. } | Event::Binary { .. } => {}
                    }
                    subscription.live.push(event);
                }
                _ => self.fail(format!("{id} was told {message:?} out of turn")),
            }
        }
    }

    fn subscribed(&mut self, mut subscribed: Subscribed) {
        let client = &mut self.clients[subscribed.subscriber.slot as usize];
        let right = client.id == subscribed.subscriber;
        match client.subscriptions.get_mut(&subscribed.channel) {
            Some(subscription) if right && subscription.answer.is_none() => {
                self.met.replays += u32::from(!subscribed.replay.is_empty());
                self.met.resumed += u32::from(!subscribed.replay.is_empty() && !subscribed.gap);
                self.met.gaps += u32::from(subscribed.gap);
                let members = subscribed.members.take().expect("asked for");
                subscription.members = members
                    .iter()
                    .map(|member| (member.id, member.state.clone()))
                    .collect();
                subscription.answer = Some(subscribed);
            }
            _ => self.fail(format!("an answer out of turn: {subscribed:?}")),
        }
    }

    fn published(&mut self, ticket: Ticket, outcome: Published) {
        self.met.duplicates += u32::from(outcome == Published::Duplicate);
        if self.tickets.remove(&ticket.0) != Some(Some(outcome)) {
            self.fail(format!("{ticket:?} was answered {outcome:?}"));
        }
    }

    fn presence_refused(&mut self, _: ConnId, _: ChannelKey) {
        self.met.refusals += 1;
    }
}
