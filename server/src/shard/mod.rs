//! One core: its runtime, its half of the hub, its connections and timers. Everything in here belongs to one thread;
//! other threads queue [`Job`]s for it.
//!
//! The `Shard` is borrowed for one synchronous step at a time, through [`Context::with`], which also wakes whoever has
//! something to do afterwards. No borrow is held across an await.

pub mod connections;
pub mod context;
pub mod counters;
pub mod drain;
pub mod flush;
pub mod http_watch;
pub mod run;
pub mod shards;
pub mod sink;
pub mod succession;
pub mod sweep;
pub mod ticker;

use std::collections::HashMap;
use std::sync::Arc;

use futures_channel::oneshot;
use wire::id::Cursor;

pub use self::context::Context;
pub use self::shards::{Job, Shards, ShardsBusy};

use self::connections::Connections;
use self::counters::ShardCounters;
use self::sink::{ShardSink, Tickets, message_key};
use self::succession::Succession;
use crate::clock;
use crate::connection::outbox::OutboxLimits;
use crate::hub::{
    FOLLOWER, Form, Home, Homes, Kind, Local, Message, Origin, Published, Ticket, ToHome, ToLocal,
};
use crate::ids::{ConnId, ShardId, SiteId};
use crate::insight::{LogOrigin, Noted, Tap};
use crate::mesh::Mesh;

/// Fan-outs that the flusher may be behind before publishers wait, whatever their size: what a connection that reads
/// well can have queued at most. Less where `outbox_frames_max` is small, of which it is a quarter at most.
const LAG_MESSAGES_MAX: u64 = 1024;
/// Fan-outs that it may be behind in any case, so that even the largest audience gets several frames in one write.
const LAG_MESSAGES_MIN: u64 = 64;
/// Beyond those, the deliveries that it may be behind: some 40 ms of writing. Messages to small rooms do not wait for
/// one another, and those to large audiences wait before they pile up.
const LAG_DELIVERIES_MAX: u64 = 256 * 1024;
/// Messages taken from one ring before everything else on the shard gets a turn.
const DRAIN_MESSAGES: usize = 1024;

pub struct Shard {
    pub id: ShardId,
    /// This run of the relay: part of every message id.
    pub run: u64,
    pub homes: Homes,
    /// How far each home's messages have been handled here: what every stream of this shard has got.
    seen: Cursor,
    pub local: Local,
    pub home: Home,
    succession: Succession,
    pub connections: Connections,
    pub tickets: Tickets,
    pub mesh: Mesh<ToHome, ToLocal>,
    pub tap: Tap,
    counters: Arc<ShardCounters>,
    /// Sites whose connection count is followed here, and what was last told.
    pub watched_sites: HashMap<SiteId, u32>,
    /// Messages and bytes that the flusher may be behind before publishers wait.
    lag_messages_max: u64,
    lag_bytes_max: u64,
}

/// What a shard is made of.
pub struct Parts {
    pub id: ShardId,
    pub run: u64,
    pub homes: Homes,
    pub local: Local,
    pub home: Home,
    pub outbox: OutboxLimits,
    pub mesh: Mesh<ToHome, ToLocal>,
    pub counters: Arc<ShardCounters>,
}

impl Shard {
    pub fn new(parts: Parts) -> Self {
        Self {
            id: parts.id,
            run: parts.run,
            homes: parts.homes,
            seen: Cursor::new(parts.run),
            local: parts.local,
            home: parts.home,
            succession: Succession::Alone,
            connections: Connections::new(parts.id, parts.outbox),
            tickets: Tickets::default(),
            mesh: parts.mesh,
            tap: Tap::default(),
            counters: parts.counters,
            watched_sites: HashMap::new(),
            lag_messages_max: LAG_MESSAGES_MAX
                .min(u64::from(parts.outbox.frames_max / 4))
                .max(1),
            lag_bytes_max: u64::from(parts.outbox.bytes_max / 2),
        }
    }

    /// Whether publishers have to wait: the flusher is behind, or the way to another shard is full.
    pub fn is_congested(&self) -> bool {
        self.is_behind() || self.mesh.is_congested()
    }

    fn is_behind(&self) -> bool {
        let lag = self.connections.lag();
        lag.messages >= self.lag_messages_max
            || lag.bytes >= self.lag_bytes_max
            || (lag.deliveries >= LAG_DELIVERIES_MAX && lag.messages >= LAG_MESSAGES_MIN)
    }

    /// Hands a message to its channel's home, here or on another shard.
    pub fn send_home(&mut self, message: ToHome) {
        let home = self.homes.home_of(message.channel());
        if home == self.id {
            self.at_home(self.id, message);
        } else {
            self.mesh.send_home(home, message);
        }
    }

    /// Publishes and gives the home's answer. The answer does not wait for the fan-out.
    pub fn publish(
        &mut self,
        message: Message,
        dedupe: Option<[u8; 32]>,
    ) -> (Ticket, oneshot::Receiver<Published>) {
        let (ticket, answer) = self.tickets.issue();
        self.send_home(ToHome::Publish {
            message: Arc::new(message),
            dedupe,
            ticket: Some(ticket),
        });
        (ticket, answer)
    }

    /// Publishes what nobody waits for an answer to.
    pub fn publish_unanswered(&mut self, message: Message) {
        self.send_home(ToHome::Publish {
            message: Arc::new(message),
            dedupe: None,
            ticket: None,
        });
    }

    /// A connection ends: everything it had in the hub goes with it.
    pub fn close_in_hub(&mut self, id: ConnId) {
        for message in self.local.close(id) {
            self.send_home(message);
        }
    }

    /// Opens a connection's place in the hub.
    pub fn open_in_hub(&mut self, id: ConnId, form: Form) {
        self.local.open(id, form);
    }

    /// Takes in what other shards sent, as far as this shard can keep up. Answers whether there is more.
    pub fn drain(&mut self) -> bool {
        let mut more = false;
        for from in self.mesh.others() {
            let mut taken = 0;
            while taken < DRAIN_MESSAGES && !self.is_behind() {
                let Some(message) = self.mesh.receive_local(from) else {
                    break;
                };
                self.at_local(message);
                taken += 1;
            }
            more |= taken == DRAIN_MESSAGES;
            taken = 0;
            while taken < DRAIN_MESSAGES && !self.mesh.is_delivery_congested() && !self.is_behind() {
                let Some(message) = self.mesh.receive_home(from) else {
                    break;
                };
                self.at_home(from, message);
                taken += 1;
            }
            more |= taken == DRAIN_MESSAGES;
        }
        more
    }

    /// Hands a message of the relay's own to the channel's subscribers on this shard.
    pub fn deliver_here(&mut self, message: &Arc<Message>) {
        let (local, mut sink) = self.local_and_sink();
        local.deliver(message, &mut sink);
    }

    fn at_local(&mut self, message: ToLocal) {
        let (local, mut sink) = self.local_and_sink();
        local.handle(message, &mut sink);
    }

    fn at_home(&mut self, from: ShardId, message: ToHome) {
        let Some(message) = self.succession.hand_on(self.id, from, message) else {
            return;
        };
        // Noted before it is handed over, because its home is to be its only owner then.
        let (is_publish, noted) = match &message {
            ToHome::Publish { message, .. } => (true, self.tap.has_room().then(|| note_of(message))),
            _ => (false, None),
        };
        let mut accepted = None;
        let (home, mut outlet) = self.home_and_outlet();
        home.handle(from, message, clock::monotonic_ms(), &mut |to, message| {
            if let ToLocal::Published { outcome, .. } = &message {
                accepted = Some(*outcome);
            }
            outlet.send(to, message);
        });
        if !is_publish {
            return;
        }
        if accepted == Some(Published::Duplicate) {
            return self.counters.duplicates.increment();
        }
        self.counters.publishes.increment();
        let Some(noted) = noted else {
            return self.tap.missed();
        };
        let payload = noted.payload.clone().unwrap_or_default();
        self.tap.published(
            clock::unix_ms(),
            noted.site,
            || Noted {
                payload: None,
                ..noted
            },
            || payload,
        );
    }

    /// This shard's home, and the way of what it decides.
    fn home_and_outlet(&mut self) -> (&mut Home, Outlet<'_>) {
        let outlet = Outlet {
            here: self.id,
            local: &mut self.local,
            mesh: &mut self.mesh,
            succession: &self.succession,
            sink: ShardSink {
                homes: &self.homes,
                seen: &mut self.seen,
                connections: &mut self.connections,
                tickets: &mut self.tickets,
                tap: &mut self.tap,
                counters: &self.counters,
                watched_sites: &mut self.watched_sites,
            },
        };
        (&mut self.home, outlet)
    }

    fn local_and_sink(&mut self) -> (&mut Local, ShardSink<'_>) {
        (
            &mut self.local,
            ShardSink {
                homes: &self.homes,
                seen: &mut self.seen,
                connections: &mut self.connections,
                tickets: &mut self.tickets,
                tap: &mut self.tap,
                counters: &self.counters,
                watched_sites: &mut self.watched_sites,
            },
        )
    }
}

/// Takes what a home decides to whom it is for.
struct Outlet<'a> {
    here: ShardId,
    local: &'a mut Local,
    mesh: &'a mut Mesh<ToHome, ToLocal>,
    succession: &'a Succession,
    sink: ShardSink<'a>,
}

impl Outlet<'_> {
    #[inline]
    fn send(&mut self, to: ShardId, message: ToLocal) {
        if to == self.here {
            self.local.handle(message, &mut self.sink);
        } else if to == FOLLOWER {
            self.succession.tell(self.here, message);
        } else {
            self.mesh.send_local(to, message);
        }
    }
}

/// What the event log keeps of a message; the payload is a reference that [`Tap::published`] copies from or drops.
fn note_of(message: &Arc<Message>) -> Noted {
    let (event, binary, payload) = match &message.kind {
        Kind::Text { event, data } => (event.clone(), false, data.clone()),
        Kind::Binary { frame } => (Box::default(), true, frame.clone()),
        Kind::Relay { event, data } => (Box::from(*event), false, data.clone()),
        Kind::Presence(_) => (Box::from(sink::PRESENCE_EVENT), false, Default::default()),
    };
    Noted {
        key: message_key(message),
        at_ms: clock::unix_ms(),
        site: message.channel.site,
        channel: Arc::clone(&message.channel.name),
        event,
        binary,
        bytes: payload.len(),
        origin: match message.origin {
            Origin::Server => LogOrigin::WordPress,
            Origin::Connection(_) => LogOrigin::Browser,
            Origin::Trigger => LogOrigin::Trigger,
            Origin::Dispatch => LogOrigin::Dispatch,
            Origin::Operator | Origin::Relay => LogOrigin::Operator,
        },
        payload: Some(payload),
    }
}
