//! Several shards and the queues between them, on one thread: what the simulation moves and checks.
//!
//! Each ordered pair of shards has two queues, one per direction of the exchange, and any queue may be ahead of any
//! other: less than the relay's mesh promises, and all that the hub may count on.

mod check;
mod receiver;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, DefaultHasher};

use bytes::Bytes;

use super::*;
use receiver::Receiver;

/// What goes wrong with the queues, to see that the checks notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Overtaking,
    DeliveryLostUncounted,
    DeliveryDoubled,
    AnswerLost,
    UnsubscribeLost,
    LeaveLost,
}

/// How often the simulation came by what it is there to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    deliveries: u32,
    replays: u32,
    resumed: u32,
    gaps: u32,
    lost: u32,
    duplicates: u32,
    refusals: u32,
}

impl Met {
    pub fn add(&mut self, other: &Self) {
        self.deliveries += other.deliveries;
        self.replays += other.replays;
        self.resumed += other.resumed;
        self.gaps += other.gaps;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.refusals += other.refusals;
    }

    pub fn all(&self) -> bool {
        let Self {
            deliveries,
            replays,
            resumed,
            gaps,
            lost,
            duplicates,
            refusals,
        } = *self;
        [deliveries, replays, resumed, gaps, lost, duplicates, refusals]
            .iter()
            .all(|count| *count >= 5)
    }
}

pub struct World {
    pub met: Met,
    homes: Homes<BuildHasherDefault<DefaultHasher>>,
    pub shards: Vec<Shard>,
    queues: Vec<VecDeque<Parcel>>,
    limits: HomeLimits,
    /// What happened to each channel, by the order in which its home took it in.
    past: BTreeMap<ChannelKey, Past>,
    /// The last place given by each home.
    seqs: Vec<u64>,
    signatures: HashSet<(SiteId, [u8; 32])>,
    tickets: BTreeMap<u64, Option<Published>>,
    /// Deliveries that a full queue would not take, by receiving shard and message number.
    lost: BTreeSet<(ShardId, u64)>,
    /// Where subscribers left off, for others to come back at.
    pub left_off: Vec<(ChannelKey, u64)>,
    numbers: u64,
    now_ms: u64,
    fault: Option<Fault>,
    sent: u32,
    wrong: Option<String>,
}

pub struct Shard {
    home: Home,
    local: Local,
    pub clients: Vec<Client>,
    generations: u32,
}

#[derive(Debug)]
enum Parcel {
    ToHome(ToHome),
    ToLocal(ToLocal),
}

pub struct Client {
    pub id: ConnId,
    form: Form,
    /// By channel: asked for, and since the answer active.
    subscriptions: BTreeMap<ChannelKey, Subscription>,
    states: BTreeMap<ChannelKey, Bytes>,
}

struct Subscription {
    since: Option<Since>,
    /// Whether `since` is a place where a subscriber of this channel really left off.
    returning: bool,
    answer: Option<Subscribed>,
    live: Vec<Event>,
    members: BTreeMap<ConnId, Bytes>,
}

#[derive(Default)]
struct Past {
    events: Vec<Event>,
    /// How many events there were when a subscription was taken in.
    taken_in: BTreeMap<(ConnId, u32), usize>,
    members: BTreeMap<ConnId, Bytes>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Text { number: u64, seq: u64 },
    Binary { number: u64 },
    Presence(Presence),
}

impl Event {
    fn number(&self) -> Option<u64> {
        match self {
            Self::Text { number, .. } | Self::Binary { number } => Some(*number),
            Self::Presence(_) => None,
        }
    }

    fn seq(&self) -> Option<u64> {
        if let Self::Text { seq, .. } = self {
            Some(*seq)
        } else {
            None
        }
    }

    fn of(message: &Message) -> Self {
        let number = message.published_at_ns;
        match &message.kind {
            Kind::Text { .. } => Self::Text {
                number,
                seq: message.seq,
            },
            Kind::Binary { .. } => Self::Binary { number },
            Kind::Presence(change) => Self::Presence(change.clone()),
            Kind::Relay { .. } => unreachable!("none is sent"),
        }
    }
}

impl World {
    pub fn new(shards: u16, slots: u32, limits: HomeLimits, fault: Option<Fault>) -> Self {
        let homes = Homes::new(shards, BuildHasherDefault::default());
        let count = usize::from(shards);
        let shards = (0..shards)
            .map(|index| Shard::new(ShardId(index), slots, limits.clone()))
            .collect();
        Self {
            met: Met::default(),
            homes,
            shards,
            queues: (0..2 * count * count).map(|_| VecDeque::new()).collect(),
            limits,
            past: BTreeMap::new(),
            seqs: vec![0; count],
            signatures: HashSet::new(),
            tickets: BTreeMap::new(),
            lost: BTreeSet::new(),
            left_off: Vec::new(),
            numbers: 0,
            now_ms: 0,
            fault,
            sent: 0,
            wrong: None,
        }
    }

    pub fn publish(&mut self, from: ShardId, channel: &ChannelKey, kind: Kind, signature: Option<u8>) {
        self.numbers += 1;
        let message = Message::new(
            channel.clone(),
            channel.name.clone(),
            kind,
            Origin::Server,
            self.numbers,
        );
        let dedupe = signature.map(|signature| [signature; 32]);
        let ticket = dedupe.map(|_| Ticket(self.numbers));
        if ticket.is_some() {
            self.tickets.insert(self.numbers, None);
        }
        self.send_home(
            from,
            ToHome::Publish {
                message: Arc::new(message),
                dedupe,
                ticket,
            },
        );
    }

    pub fn subscribe(
        &mut self,
        at: ShardId,
        slot: usize,
        channel: &ChannelKey,
        since: Option<Since>,
        returning: bool,
    ) {
        let shard = &mut self.shards[usize::from(at.0)];
        let client = &mut shard.clients[slot];
        let subscribing =
            shard
                .local
                .subscribe(client.id, channel.clone(), channel.name.clone(), since, true);
        let known = client.subscriptions.contains_key(channel);
        match subscribing {
            Subscribing::Pending(message) if !known => {
                client
                    .subscriptions
                    .insert(channel.clone(), Subscription::new(since, returning));
                self.send_home(at, message);
            }
            Subscribing::Already if known => {}
            other => self.fail(format!("subscribing {known} came to {other:?}")),
        }
    }

    pub fn unsubscribe(&mut self, at: ShardId, slot: usize, channel: &ChannelKey) {
        let shard = &mut self.shards[usize::from(at.0)];
        let client = &mut shard.clients[slot];
        let message = shard.local.unsubscribe(client.id, channel);
        let ended = client.subscriptions.remove(channel);
        self.end(at, client_id(&self.shards, at, slot), channel, ended);
        self.send_all(at, message);
    }

    pub fn presence(&mut self, at: ShardId, slot: usize, channel: &ChannelKey, state: Bytes) {
        let shard = &mut self.shards[usize::from(at.0)];
        let client = &mut shard.clients[slot];
        client.states.insert(channel.clone(), state.clone());
        let message = shard
            .local
            .presence(client.id, channel.clone(), state)
            .expect("no limit in reach");
        self.send_home(at, message);
    }

    pub fn leave(&mut self, at: ShardId, slot: usize, channel: &ChannelKey) {
        let shard = &mut self.shards[usize::from(at.0)];
        let message = shard.local.leave(shard.clients[slot].id, channel);
        self.send_all(at, message);
    }

    /// The slot's connection ends, and another takes its place.
    pub fn reconnect(&mut self, at: ShardId, slot: usize) {
        let shard = &mut self.shards[usize::from(at.0)];
        let old = shard.clients[slot].id;
        let messages = shard.local.close(old);
        shard.generations += 1;
        let client = Client::new(ConnId {
            generation: shard.generations,
            ..old
        });
        shard.local.open(client.id, client.form);
        let old = std::mem::replace(&mut shard.clients[slot], client);
        for (channel, ended) in old.subscriptions {
            self.end(at, old.id, &channel, Some(ended));
        }
        self.send_all(at, messages);
    }

    pub fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
        for shard in &mut self.shards {
            shard.home.sweep(self.now_ms);
        }
    }

    /// Moves the first value of one queue; `which` chooses among those that have any. False when none has.
    pub fn carry(&mut self, which: usize) -> bool {
        let filled = self.queues.iter().filter(|queue| !queue.is_empty()).count();
        if filled == 0 {
            return false;
        }
        let mut waiting = (0..self.queues.len()).filter(|index| !self.queues[*index].is_empty());
        let index = waiting.nth(which % filled).expect("counted");
        let parcel = self.queues[index].pop_front().expect("not empty");
        let (from, to) = self.ends_of(index);
        self.arrive(from, to, parcel);
        true
    }

    /// A full queue refuses a publisher's message, and says so: one that is next in a queue; `which` chooses among them.
    pub fn lose(&mut self, which: usize) {
        let next = |queue: &VecDeque<Parcel>| match queue.front() {
            Some(Parcel::ToLocal(ToLocal::Deliver(message))) => Event::of(message).number(),
            _ => None,
        };
        let next = self
            .queues
            .iter()
            .enumerate()
            .filter_map(|(index, queue)| Some((index, next(queue)?)));
        let next: Vec<_> = next.collect();
        if next.is_empty() {
            return;
        }
        let (index, number) = next[which % next.len()];
        let (_, to) = self.ends_of(index);
        self.met.lost += 1;
        self.lost.insert((to, number));
        self.queues[index].pop_front();
    }

    /// Everything arrives, and then everything must agree.
    pub fn settle(&mut self) -> Result<(), String> {
        let mut turn = 0;
        while self.carry(turn) {
            turn += 1;
        }
        if let Some(wrong) = self.wrong.take() {
            return Err(wrong);
        }
        if let Some((ticket, _)) = self.tickets.first_key_value() {
            return Err(format!("the publish {ticket} was never answered"));
        }
        for shard in &self.shards {
            for client in &shard.clients {
                for (channel, subscription) in &client.subscriptions {
                    self.check(client.id, channel, subscription, true)
                        .map_err(|why| format!("{} on {}: {why}", client.id, channel.name))?;
                }
            }
        }
        self.past
            .iter()
            .try_for_each(|(channel, past)| self.agree(channel, past))
    }

    /// All connections end: nothing may be left anywhere once time has passed.
    pub fn wind_up(&mut self) -> Result<(), String> {
        for at in 0..self.shards.len() {
            for slot in 0..self.shards[at].clients.len() {
                self.reconnect(ShardId(u16::try_from(at).expect("few")), slot);
            }
        }
        self.settle()?;
        for _ in 0..2 {
            self.wait(self.limits.idle_ms + self.limits.memory_ms + self.limits.signature_ms);
        }
        for (shard, seq) in self.shards.iter().zip(&self.seqs) {
            let (home, local) = (shard.home.totals(), shard.local.totals());
            if home
                != (HomeTotals {
                    sequenced: *seq,
                    ..HomeTotals::default()
                })
                || local != LocalTotals::default()
            {
                return Err(format!("left behind: {home:?} {local:?}"));
            }
        }
        Ok(())
    }

    fn send_all(&mut self, from: ShardId, messages: impl IntoIterator<Item = ToHome>) {
        for message in messages {
            self.send_home(from, message);
        }
    }

    fn send_home(&mut self, from: ShardId, message: ToHome) {
        let home = self.homes.home_of(message.channel());
        self.send(from, home, Parcel::ToHome(message));
    }

    fn send(&mut self, from: ShardId, to: ShardId, parcel: Parcel) {
        if from == to {
            return self.arrive(from, to, parcel);
        }
        let shards = self.shards.len();
        let kind = usize::from(matches!(parcel, Parcel::ToLocal(_)));
        let queue = &mut self.queues[(kind * shards + usize::from(from.0)) * shards + usize::from(to.0)];
        self.sent += 1;
        match (self.fault, &parcel) {
            (Some(Fault::Overtaking), _) if self.sent.is_multiple_of(3) && !queue.is_empty() => {
                queue.insert(queue.len() - 1, parcel);
            }
            (Some(Fault::DeliveryDoubled), Parcel::ToLocal(ToLocal::Deliver(message))) => {
                queue.push_back(Parcel::ToLocal(ToLocal::Deliver(message.clone())));
                queue.push_back(parcel);
            }
            (Some(Fault::DeliveryLostUncounted), Parcel::ToLocal(ToLocal::Deliver(_)))
            | (Some(Fault::AnswerLost), Parcel::ToLocal(ToLocal::Subscribed(_)))
            | (Some(Fault::UnsubscribeLost), Parcel::ToHome(ToHome::Unsubscribe { .. }))
            | (Some(Fault::LeaveLost), Parcel::ToHome(ToHome::Leave { .. })) => {}
            _ => queue.push_back(parcel),
        }
    }

    fn ends_of(&self, queue: usize) -> (ShardId, ShardId) {
        let shards = self.shards.len();
        let id = |index: usize| ShardId(u16::try_from(index % shards).expect("few"));
        (id(queue / shards), id(queue))
    }

    fn arrive(&mut self, from: ShardId, to: ShardId, parcel: Parcel) {
        match parcel {
            Parcel::ToHome(message) => {
                self.note(to, &message);
                let mut out = Vec::new();
                let home = &mut self.shards[usize::from(to.0)].home;
                home.handle(from, message, self.now_ms, &mut |shard, message| {
                    out.push((shard, message));
                });
                for (shard, message) in out {
                    self.send(to, shard, Parcel::ToLocal(message));
                }
            }
            Parcel::ToLocal(message) => {
                let Shard { local, clients, .. } = &mut self.shards[usize::from(to.0)];
                let (tickets, met) = (&mut self.tickets, &mut self.met);
                let mut sink = Receiver {
                    clients,
                    tickets,
                    met,
                    wrong: &mut self.wrong,
                };
                local.handle(message, &mut sink);
            }
        }
    }

    /// Writes down what the home is about to take in, the way it ought to understand it.
    fn note(&mut self, home: ShardId, message: &ToHome) {
        let past = self.past.entry(message.channel().clone()).or_default();
        match message {
            ToHome::Publish {
                message,
                dedupe,
                ticket,
            } => {
                let new = dedupe.is_none_or(|digest| self.signatures.insert((message.channel.site, digest)));
                if let Some(ticket) = ticket {
                    let outcome = if new {
                        Published::Accepted
                    } else {
                        Published::Duplicate
                    };
                    self.tickets.insert(ticket.0, Some(outcome));
                }
                if new {
                    let mut event = Event::of(message);
                    if let Event::Text { seq, .. } = &mut event {
                        let last = &mut self.seqs[usize::from(home.0)];
                        *last += 1;
                        *seq = *last;
                    }
                    past.events.push(event);
                }
            }
            ToHome::Subscribe { subscriber, id, .. } => {
                past.taken_in.insert((*subscriber, id.0), past.events.len());
            }
            ToHome::Unsubscribe { .. } => {}
            ToHome::Presence { member, state, .. } => {
                if past.members.contains_key(member) || past.members.len() < self.limits.channel_members_max {
                    past.members.insert(*member, state.clone());
                    let member = Member {
                        id: *member,
                        state: state.clone(),
                    };
                    past.events.push(Event::Presence(Presence::Join(member)));
                }
            }
            ToHome::Leave { member, .. } => {
                if past.members.remove(member).is_some() {
                    past.events.push(Event::Presence(Presence::Leave(*member)));
                }
            }
        }
    }

    fn end(&mut self, at: ShardId, conn: ConnId, channel: &ChannelKey, ended: Option<Subscription>) {
        debug_assert_eq!(at, conn.shard);
        let Some(ended) = ended else { return };
        if let Err(why) = self.check(conn, channel, &ended, false) {
            self.fail(format!("{conn} on {}: {why}", channel.name));
        }
        if let Some(answer) = &ended.answer {
            let last = ended.live.iter().filter_map(Event::seq).next_back();
            self.left_off
                .push((channel.clone(), last.unwrap_or(answer.position)));
        }
    }

    fn fail(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }
}

fn client_id(shards: &[Shard], at: ShardId, slot: usize) -> ConnId {
    shards[usize::from(at.0)].clients[slot].id
}

impl Shard {
    fn new(id: ShardId, slots: u32, limits: HomeLimits) -> Self {
        let mut local = Local::new(id, LocalLimits::default());
        let clients: Vec<_> = (0..slots)
            .map(|slot| {
                Client::new(ConnId {
                    shard: id,
                    slot,
                    generation: 0,
                })
            })
            .collect();
        for client in &clients {
            local.open(client.id, client.form);
        }
        Self {
            home: Home::new(id, limits),
            local,
            clients,
            generations: 0,
        }
    }
}

impl Client {
    fn new(id: ConnId) -> Self {
        let form = if id.generation.is_multiple_of(2) {
            Form::WsIds
        } else {
            Form::SseV2
        };
        Self {
            id,
            form,
            subscriptions: BTreeMap::new(),
            states: BTreeMap::new(),
        }
    }
}

impl Subscription {
    fn new(since: Option<Since>, returning: bool) -> Self {
        Self {
            since,
            returning,
            answer: None,
            live: Vec::new(),
            members: BTreeMap::new(),
        }
    }
}
