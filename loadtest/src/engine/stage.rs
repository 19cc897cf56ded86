//! The stages of a run, and the samples taken at their borders.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::numbers::{histogram, record};
use super::{Engine, Phase, Role, Settings, Task};
use crate::clock::{nanos, seconds};
use crate::process::own_cpu;
use crate::report::Second;

const SECOND: u64 = 1_000_000_000;
/// How often the borders are looked at.
const TICK: u64 = 10_000_000;
/// Between the last handshake and the first message: the relay is at rest, its memory is read.
const SETTLE: u64 = 300_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting,
    Settling,
    Warming,
    Counting,
    Draining,
    Done,
}

pub(super) struct Stage {
    step: Step,
    /// When the present step must end.
    until: u64,
    pub load_from: u64,
    pub count_from: u64,
    pub count_to: u64,
    /// How late this process itself sent what was due.
    pub lag: Histogram<u64>,
    pub server_cpu: (Duration, Duration),
    pub own_cpu: (Duration, Duration),
    /// Before the first connection, and with all of them open.
    pub memory: (u64, u64),
    pub seconds: Vec<Second>,
    pub connected_in: u64,
    pub began: u64,
    last_sample: (u64, Duration, Duration, u64, u64),
}

impl Stage {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            step: Step::Connecting,
            until: 0,
            load_from: u64::MAX,
            count_from: u64::MAX,
            count_to: u64::MAX,
            lag: histogram(),
            server_cpu: Default::default(),
            own_cpu: Default::default(),
            memory: (settings.server.memory(), 0),
            seconds: Vec::new(),
            connected_in: 0,
            began: 0,
            last_sample: Default::default(),
        }
    }

    pub(super) fn done(&self) -> bool {
        self.step == Step::Done
    }

    /// Load is on.
    pub(super) fn loaded(&self, now: u64) -> bool {
        (self.load_from..self.count_to).contains(&now)
    }

    /// A message of that time counts.
    pub(super) fn counts(&self, at: u64) -> bool {
        (self.count_from..self.count_to).contains(&at)
    }

    pub(super) fn late(&mut self, ns: u64) {
        if self.step == Step::Counting {
            record(&mut self.lag, ns);
        }
    }
}

impl Engine {
    pub(super) fn prepare(&mut self) {
        self.make_storm_requests();
        let now = self.clock.now();
        self.stage.began = now;
        self.stage.until = now + nanos(Duration::from_secs_f64(self.settings.plan.connect_timeout));
        let pace = self.settings.share.of as f64 / self.settings.plan.connect_rate;
        let mut due = Duration::ZERO;
        for index in 0..self.connections.len() {
            let connection = &self.connections[index];
            if !self.parts[connection.part].plan.storm || matches!(connection.role, Role::Publisher { .. }) {
                due += Duration::from_secs_f64(pace);
                self.at(now + nanos(due), Task::Connect(index));
            }
        }
        self.at(now + TICK, Task::Stage);
        self.at(now + SECOND, Task::Second);
    }

    pub(super) fn stage_due(&mut self, now: u64) {
        match self.stage.step {
            Step::Connecting if self.settled() || now >= self.stage.until => {
                self.stage.connected_in = now - self.stage.began;
                self.stage.step = Step::Settling;
                self.stage.until = now + SETTLE;
                if let Some(at) = self.settings.start_at {
                    self.stage.until = at.max(now + SETTLE);
                }
            }
            Step::Settling if now >= self.stage.until => self.begin(),
            Step::Warming if now >= self.stage.count_from => {
                self.stage.step = Step::Counting;
                self.stage.server_cpu.0 = self.settings.server.cpu();
                self.stage.own_cpu.0 = own_cpu();
                for part in &mut self.parts {
                    part.numbers.arrived_before = part.numbers.arrived;
                    part.numbers.opened = if part.plan.recycle { 0 } else { part.numbers.opened };
                }
            }
            Step::Counting if now >= self.stage.count_to => {
                self.stage.server_cpu.1 = self.settings.server.cpu();
                self.stage.own_cpu.1 = own_cpu();
                for part in &mut self.parts {
                    part.numbers.arrived_counted = part.numbers.arrived - part.numbers.arrived_before;
                }
                if self.parts.iter().any(|part| part.plan.storm) {
                    self.stage.memory.1 = self.settings.server.memory();
                }
                self.stage.step = Step::Draining;
                self.stage.until = now + nanos(Duration::from_secs_f64(self.settings.plan.drain));
            }
            Step::Draining if self.complete() || now >= self.stage.until => {
                self.ending = true;
                self.stage.step = Step::Done;
            }
            _ => {}
        }
        // The borders of counting are met to the tick or better.
        let next = match self.stage.step {
            Step::Warming => self.stage.count_from.min(now + TICK),
            Step::Counting => self.stage.count_to.min(now + TICK),
            _ => now + TICK,
        };
        self.at(next.max(now + 1), Task::Stage);
    }

    fn begin(&mut self) {
        let now = self.clock.now();
        self.stage.memory.1 = self.settings.server.memory();
        self.stage.step = Step::Warming;
        self.stage.load_from = now;
        self.stage.count_from = now + nanos(Duration::from_secs_f64(self.settings.plan.warmup));
        self.stage.count_to =
            self.stage.count_from + nanos(Duration::from_secs_f64(self.settings.plan.duration));
        for part in 0..self.parts.len() {
            let plan = self.parts[part].plan.clone();
            if plan.churn > 0.0 {
                self.at(now, Task::Churn(part));
            }
            if plan.reconnect > 0.0 {
                self.at(now, Task::Cut(part));
            }
            match plan.storm {
                true => self.start_storm(part, now),
                false => self.start_publishing(part, now),
            }
        }
    }

    fn start_storm(&mut self, part: usize, now: u64) {
        let running = &self.parts[part];
        if running.plan.rate > 0.0 {
            return self.at(now, Task::Handshake(part));
        }
        let at_once = running.plan.in_flight.max(1).min(running.subscribers);
        let first = running.first_connection;
        for index in first..first + at_once {
            self.at(now, Task::Connect(index));
        }
    }

    /// Every connection of the preparation is open, or will never be.
    fn settled(&self) -> bool {
        self.connections.iter().all(|connection| {
            self.parts[connection.part].plan.storm || matches!(connection.phase, Phase::Open | Phase::Ended)
        })
    }

    /// Nothing is under way any more, as far as this share can tell.
    fn complete(&self) -> bool {
        let nobody_away = self.connections.iter().all(|connection| {
            self.parts[connection.part].plan.storm || matches!(connection.phase, Phase::Open | Phase::Ended)
        });
        nobody_away
            && self.settings.share.of == 1
            && self.parts.iter().all(|part| {
                let expected: u64 = part
                    .sent
                    .iter()
                    .zip(&part.audience)
                    .map(|(sent, n)| sent * *n as u64)
                    .sum();
                let busy = part.slots.iter().any(|slot| slot.busy);
                part.plan.complete() && !busy && part.ledger.counts.received >= expected
            })
    }

    pub(super) fn second_due(&mut self, due: u64) {
        self.at(due + SECOND, Task::Second);
        let now = self.clock.now();
        let arrived: u64 = self.parts.iter().map(|part| part.numbers.arrived).sum();
        let sent: u64 = self.parts.iter().flat_map(|part| &part.sent).sum();
        let (server, own) = (self.settings.server.cpu(), own_cpu());
        let (then, server_then, own_then, arrived_then, sent_then) = self.stage.last_sample;
        self.stage.last_sample = (now, server, own, arrived, sent);
        let mut latencies = histogram();
        for part in &mut self.parts {
            part.numbers.sockets.end_second(&mut latencies);
            part.numbers.streams.end_second(&mut latencies);
        }
        let open = self
            .connections
            .iter()
            .filter(|connection| connection.phase == Phase::Open)
            .count();
        if then == 0 {
            return;
        }
        let span = seconds(now - then);
        let per_second = |count: u64| count as f64 / span;
        let second = Second {
            at: seconds(now - self.stage.began),
            counting: self.stage.step == Step::Counting,
            open: open as u64,
            sent: per_second(sent - sent_then),
            delivered: per_second(arrived - arrived_then),
            p50_ms: latencies.value_at_quantile(0.5) as f64 / 1000.0,
            p99_ms: latencies.value_at_quantile(0.99) as f64 / 1000.0,
            server_cpu: server.saturating_sub(server_then).as_secs_f64() / span,
            own_cpu: own.saturating_sub(own_then).as_secs_f64() / span,
        };
        if let Some(progress) = &self.settings.progress {
            progress(&second.line(&format!("{:?}", self.stage.step).to_lowercase()));
        }
        self.stage.seconds.push(second);
    }
}
