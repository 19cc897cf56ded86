//! One process' share of a run: an epoll loop that owns every connection and every clock of it.
//!
//! The stages follow one another: connections open, a pause, load that does not count (warm-up), load that counts, and a
//! wait for what is under way. Nothing here blocks but the wait for events.

mod connect;
mod numbers;
mod outcome;
mod publish;
mod receive;
mod stage;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::event::{Timespec, epoll};

use crate::clock::Clock;
use crate::dialect::{Dialect, Kind};
use crate::frames::Draft;
use crate::http::Chunks;
use crate::ledger::Ledger;
use crate::plan::{Part, Plan, Publish, Share};
use crate::process::Processes;
use crate::report::Report;
use crate::socket::Socket;
use crate::stamp::Recent;
use crate::target::Target;
use numbers::Numbers;
use stage::Stage;

/// Everything that a run needs to know.
pub struct Settings {
    pub target: Target,
    pub dialect: Dialect,
    pub plan: Plan,
    pub share: Share,
    /// Tells this run's messages from another's.
    pub run: u32,
    /// When load begins, on the wall clock; processes that share a run agree on it.
    pub start_at: Option<u64>,
    pub sources: Vec<IpAddr>,
    pub server: Processes,
    pub progress: Option<Progress>,
}

/// Called with a line a second.
pub type Progress = Box<dyn Fn(&str)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Connecting,
    /// The request is out, the head of the answer is not there.
    Handshake,
    /// The socket is open, its subscription not yet confirmed.
    Greeting,
    Open,
    /// Gone, and not to come back.
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Subscriber {
        /// Among the part's subscribers of this share.
        index: usize,
        channel: u32,
        kind: Kind,
        /// Its number as a publisher of its channel, in every share.
        member: u32,
        slow: bool,
    },
    Publisher {
        slot: usize,
    },
}

struct Connection {
    socket: Option<Socket>,
    /// Unconnected, but registered: a storm's next handshake on this place takes it.
    spare: Option<Socket>,
    phase: Phase,
    role: Role,
    part: usize,
    /// When it was meant to connect.
    due: u64,
    /// The beginning of a frame, an event or an answer.
    partial: Vec<u8>,
    /// Bytes that the socket did not take yet.
    out: Vec<u8>,
    /// Where in a message the last stamp was.
    hint: usize,
    chunked: Option<Box<Chunked>>,
    since: Option<String>,
    /// In a storm, what opens this connection time and again.
    request: Option<Request>,
    /// Bytes of an answer's body still to come.
    body: usize,
}

/// The request that opens a connection, with its token.
struct Request {
    bytes: Vec<u8>,
    /// When another must be made.
    until: u64,
}

/// A stream whose answer is chunked: the body is put together before it is cut into events.
#[derive(Default)]
struct Chunked {
    chunks: Chunks,
    /// The beginning of an event.
    plain: Vec<u8>,
}

/// One publisher's request under way, or none.
#[derive(Clone, Copy, Default)]
struct Slot {
    connection: usize,
    busy: bool,
    answered: bool,
    channel: usize,
    number: u32,
    order: u32,
    at: u64,
    /// Subscribers that have not got it yet; counted in closed loops only.
    remaining: usize,
}

struct Running {
    plan: Part,
    ledger: Ledger,
    numbers: Numbers,
    names: Vec<String>,
    /// Steady subscribers of this share, by channel.
    audience: Vec<usize>,
    sent: Vec<u64>,
    slots: Vec<Slot>,
    /// The next number, by channel and slot, or by member.
    next_number: Vec<u32>,
    /// The stream number of this share's first slot.
    first_stream: u32,
    /// Sends that are due while no publisher is free.
    backlog: std::collections::VecDeque<u64>,
    next_channel: usize,
    /// Messages sent by requests so far.
    next_order: u32,
    first_connection: usize,
    subscribers: usize,
    next_victim: usize,
}

impl Running {
    fn closed(&self) -> bool {
        self.plan.in_flight > 0 && self.plan.publish != Publish::Nobody
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Task {
    Connect(usize),
    Say(usize),
    Publish(usize),
    Churn(usize),
    Cut(usize),
    Handshake(usize),
    Second,
    Stage,
}

pub struct Engine {
    settings: Settings,
    clock: Clock,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    parts: Vec<Running>,
    tasks: BinaryHeap<Reverse<(u64, Task)>>,
    scratch: Vec<u8>,
    draft: Draft,
    recent: Recent,
    stage: Stage,
    closes: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
    random: u64,
    ending: bool,
}

/// A read takes up to this: a saturated relay coalesces many frames.
const SCRATCH_BYTES: usize = 256 * 1024;
/// Different texts of failures that a report lists.
const FAILURE_TEXTS_MAX: usize = 20;

impl Engine {
    pub fn new(settings: Settings) -> io::Result<Self> {
        let mut engine = Self {
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::new(),
            parts: Vec::new(),
            tasks: BinaryHeap::new(),
            scratch: vec![0; SCRATCH_BYTES],
            draft: Draft::default(),
            recent: Recent::default(),
            stage: Stage::new(&settings),
            closes: BTreeMap::new(),
            failures: BTreeMap::new(),
            random: u64::from(settings.run) << 1 | 1,
            clock: Clock::start(),
            ending: false,
            settings,
        };
        for part in engine.settings.plan.parts.clone() {
            engine.enlist(part);
        }
        Ok(engine)
    }

    /// Makes a part's connections, unopened.
    fn enlist(&mut self, plan: Part) {
        let Share { index: share, of } = self.settings.share;
        let part = self.parts.len();
        let first_connection = self.connections.len();
        let mut audience = vec![0; plan.channels];
        let mut subscribers = 0;
        for global in 0..plan.subscribers() {
            let (place, kind) = match global.checked_sub(plan.sockets) {
                None => (global, Kind::WebSocket),
                Some(stream) => (stream, Kind::Stream),
            };
            let channel = place % plan.channels;
            // Members of a channel publish to one another, so a channel stays in one share.
            let ours = if plan.publish == Publish::Members {
                channel % of
            } else {
                global % of
            };
            if ours != share {
                continue;
            }
            let slow = ((global as f64 + 1.0) * plan.slow).floor() > (global as f64 * plan.slow).floor();
            if !slow && plan.complete() {
                audience[channel] += 1;
            }
            let member = (place / plan.channels) as u32;
            let role = Role::Subscriber {
                index: subscribers,
                channel: channel as u32,
                kind,
                member,
                slow,
            };
            self.connections.push(Connection::new(part, role));
            subscribers += 1;
        }
        let members = plan.sockets.div_ceil(plan.channels).max(1);
        let slots = match plan.publish {
            Publish::Http if plan.in_flight > 0 => Share { index: share, of }.count(plan.in_flight),
            Publish::Http => publish::SLOTS,
            _ => 0,
        };
        let per_share = if plan.in_flight > 0 {
            plan.in_flight.div_ceil(of)
        } else {
            publish::SLOTS
        };
        let publishers = match plan.publish {
            Publish::Nobody => 0,
            Publish::Http => per_share * of,
            Publish::Members => members,
        };
        let next_number = match plan.publish {
            Publish::Members => subscribers,
            _ => plan.channels * slots,
        };
        let slots = (0..slots)
            .map(|slot| {
                self.connections
                    .push(Connection::new(part, Role::Publisher { slot }));
                Slot {
                    connection: self.connections.len() - 1,
                    ..Slot::default()
                }
            })
            .collect();
        self.parts.push(Running {
            ledger: Ledger::new(subscribers, publishers, of, plan.complete()),
            numbers: Numbers::new(),
            names: (0..plan.channels)
                .map(|c| format!("load-{:08x}-{part}-{c}", self.settings.run))
                .collect(),
            sent: vec![0; plan.channels],
            audience,
            slots,
            next_number: vec![0; next_number],
            first_stream: (share * per_share) as u32,
            backlog: std::collections::VecDeque::new(),
            next_channel: 0,
            next_order: 0,
            first_connection,
            subscribers,
            next_victim: 0,
            plan,
        });
    }

    /// Runs to the end and says what happened.
    pub fn run(mut self) -> io::Result<Report> {
        self.prepare();
        let mut events = Vec::with_capacity(512);
        while !self.stage.done() {
            let now = self.clock.now();
            self.run_due(now);
            let wait = self
                .tasks
                .peek()
                .map_or(0, |Reverse((due, _))| due.saturating_sub(self.clock.now()));
            let wait = Timespec {
                tv_sec: (wait / 1_000_000_000).cast_signed(),
                tv_nsec: (wait % 1_000_000_000).cast_signed(),
            };
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&wait),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let index = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
                let now = self.ready(index, event.flags);
                // Sends stay on time even while a large batch is read.
                if self.tasks.peek().is_some_and(|Reverse((due, _))| *due <= now) {
                    self.run_due(now);
                }
            }
        }
        Ok(self.report())
    }

    fn at(&mut self, due: u64, task: Task) {
        self.tasks.push(Reverse((due, task)));
    }

    fn run_due(&mut self, now: u64) {
        while let Some(Reverse((due, task))) = self.tasks.peek().copied() {
            if due > now {
                break;
            }
            self.tasks.pop();
            match task {
                Task::Connect(connection) => self.connect(connection, due),
                Task::Say(connection) => self.say_due(connection, due, now),
                Task::Publish(part) => self.publish_due(part, due, now),
                Task::Churn(part) => self.churn_due(part, due),
                Task::Cut(part) => self.cut_due(part, due),
                Task::Handshake(part) => self.handshake_due(part, due),
                Task::Second => self.second_due(due),
                Task::Stage => self.stage_due(now),
            }
        }
    }

    /// A number that differs from call to call, the same in every run with the same tag.
    fn chance(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn note_failure(&mut self, text: String) {
        if self.failures.len() < FAILURE_TEXTS_MAX || self.failures.contains_key(&text) {
            *self.failures.entry(text).or_default() += 1;
        } else {
            *self.failures.entry("others".to_owned()).or_default() += 1;
        }
    }
}

impl Connection {
    fn new(part: usize, role: Role) -> Self {
        Self {
            socket: None,
            spare: None,
            phase: Phase::Idle,
            role,
            part,
            due: 0,
            partial: Vec::new(),
            out: Vec::new(),
            hint: 0,
            chunked: None,
            since: None,
            request: None,
            body: 0,
        }
    }
}
