//! A shard's part in an upgrade: its home leads a run alone, or follows another process's, or is followed by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shard;
use crate::clock;
use crate::hub::{FOLLOWER, HomeState, Kind, Message, Published, Ticket, ToHome, ToLocal};
use crate::ids::ShardId;
use crate::upgrade::{Link, Outgoing};

/// Publishes that were handed on and not answered yet; further ones are refused.
const UNANSWERED_MAX: usize = 32_768;

/// Who puts the messages of this home in order, and who else has to know.
#[derive(Debug, Default)]
pub enum Succession {
    #[default]
    Alone,
    /// Another process's home leads.
    Follows(HandedOn),
    /// Another process's home follows.
    Leads(Link),
}

/// Publishes that were handed on to the leader.
#[derive(Debug)]
pub struct HandedOn {
    link: Link,
    last: u64,
    /// By number, until the leader has answered: what is this home's again should the leader fail.
    unanswered: BTreeMap<u64, Unanswered>,
}

#[derive(Debug)]
struct Unanswered {
    from: ShardId,
    message: Arc<Message>,
    dedupe: Option<[u8; 32]>,
    ticket: Option<Ticket>,
}

impl Succession {
    /// Gives back what the home has to handle itself; everything else has been handed on.
    pub(super) fn hand_on(&mut self, home: ShardId, from: ShardId, message: ToHome) -> Option<ToHome> {
        let Self::Follows(handed_on) = self else {
            return Some(message);
        };
        match message {
            ToHome::Publish {
                message,
                dedupe,
                ticket,
            } if matches!(message.kind, Kind::Text { .. } | Kind::Binary { .. }) => {
                handed_on.hand_on(
                    home,
                    Unanswered {
                        from,
                        message,
                        dedupe,
                        ticket,
                    },
                );
                None
            }
            message => Some(message),
        }
    }

    /// What the home tells its follower.
    pub(super) fn tell(&self, home: ShardId, message: ToLocal) {
        let Self::Leads(link) = self else { return };
        // Where it is not carried, the link's end tells the follower.
        let _ = match message {
            ToLocal::Deliver(message) => link.send(Outgoing::Deliver { home, message }),
            ToLocal::Published { ticket, outcome } => link.send(Outgoing::Published {
                home,
                id: ticket.0,
                duplicate: outcome == Published::Duplicate,
            }),
            ToLocal::Subscribed(_) | ToLocal::PresenceRefused { .. } => false,
        };
    }
}

impl HandedOn {
    fn hand_on(&mut self, home: ShardId, publish: Unanswered) {
        if self.unanswered.len() >= UNANSWERED_MAX {
            // Its publisher gets no answer, and tries again.
            return;
        }
        self.last += 1;
        let id = self.last;
        let sent = Outgoing::Publish {
            home,
            id,
            dedupe: publish.dedupe,
            message: Arc::clone(&publish.message),
        };
        self.unanswered.insert(id, publish);
        // Where it is not carried, the link's end brings it back to this home.
        let _ = self.link.send(sent);
    }
}

impl Shard {
    /// The cut: from now on the home follows. Answers what its leader has to know.
    pub fn follow(&mut self, link: Link) -> HomeState {
        self.succession = Succession::Follows(HandedOn {
            link,
            last: 0,
            unanswered: BTreeMap::new(),
        });
        self.home.export()
    }

    /// The other process has gone, or will not do: this home is the only one again. What it had handed on without an
    /// answer is published here.
    pub fn stand_alone(&mut self) {
        self.home.set_followed(false);
        if let Succession::Follows(handed_on) = std::mem::take(&mut self.succession) {
            for publish in handed_on.unanswered.into_values() {
                let message = ToHome::Publish {
                    message: publish.message,
                    dedupe: publish.dedupe,
                    ticket: publish.ticket,
                };
                self.at_home(publish.from, message);
            }
        }
    }

    /// The new process's part: its home takes up the state, and leads.
    pub fn lead(&mut self, state: HomeState, link: Link) {
        self.home.adopt(state, clock::monotonic_ms());
        self.home.set_followed(true);
        self.succession = Succession::Leads(link);
    }

    /// The leader has put a message in order.
    pub fn follow_message(&mut self, message: Arc<Message>) {
        if !matches!(self.succession, Succession::Follows(_)) {
            return;
        }
        let (home, mut outlet) = self.home_and_outlet();
        home.follow(message, clock::monotonic_ms(), &mut |to, message| {
            outlet.send(to, message);
        });
    }

    /// The leader has answered a publish that was handed on to it.
    pub fn follow_answer(&mut self, id: u64, outcome: Published) {
        let Succession::Follows(handed_on) = &mut self.succession else {
            return;
        };
        let Some(publish) = handed_on.unanswered.remove(&id) else {
            return;
        };
        if let Some(ticket) = publish.ticket {
            let (_, mut outlet) = self.home_and_outlet();
            outlet.send(publish.from, ToLocal::Published { ticket, outcome });
        }
    }

    /// A follower hands a publish on to this home.
    pub fn publish_for_follower(&mut self, id: u64, message: Arc<Message>, dedupe: Option<[u8; 32]>) {
        let ticket = Some(Ticket(id));
        let publish = ToHome::Publish {
            message,
            dedupe,
            ticket,
        };
        self.at_home(FOLLOWER, publish);
    }
}
