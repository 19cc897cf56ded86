//! Stopping a shard: connections are closed spread over time, so that clients do not all return at once.

use std::cell::Cell;

use super::Context;
use crate::connection::Transport;
use crate::connection::close_reason::CloseReason;
use crate::connection::outbox::Frame;
use crate::notify::NotifyAll;

/// After the last connection was told, the time for peers to go and for requests under way to be answered.
const GRACE_MS: u64 = 3_000;

/// How a drain goes on.
#[derive(Clone, Copy, Debug)]
struct Plan {
    began_ms: u64,
    /// Over which the connections are closed.
    spread_ms: u64,
    /// Connections when it began.
    connections: usize,
}

/// Who serves after this shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nobody, as far as the relay knows.
    Nobody,
    /// Another process, which holds the listeners already.
    Successor,
}

#[derive(Default)]
pub struct Drain {
    plan: Cell<Option<Plan>>,
    /// Connections that were told to go.
    told: Cell<usize>,
    handed_over: Cell<bool>,
    start: NotifyAll,
}

impl Drain {
    /// Waits for the beginning. Cancel-safe.
    pub async fn began(&self) {
        self.start.notified().await;
    }

    /// Whether another process serves already.
    pub fn is_handed_over(&self) -> bool {
        self.handed_over.get()
    }
}

impl Context {
    /// Begins to stop. Idempotent.
    pub fn begin_drain(&self, spread_ms: u64, next: Next) {
        if self.draining.replace(true) {
            return;
        }
        self.drain.handed_over.set(next == Next::Successor);
        self.drain.start.notify_all();
        let connections = self.with(|shard| shard.connections.len());
        self.drain.plan.set(Some(Plan {
            began_ms: self.now_ms(),
            spread_ms,
            connections,
        }));
        self.drain_http();
        if next == Next::Nobody {
            self.end_idle_http();
        }
        self.drain_step(self.now_ms());
    }

    /// Closes what is left at once, if this shard drains.
    pub fn hurry_drain(&self) {
        if let Some(plan) = self.drain.plan.get() {
            let plan = Plan {
                spread_ms: 0,
                began_ms: self.now_ms(),
                ..plan
            };
            self.drain.plan.set(Some(plan));
            self.drain_step(self.now_ms());
        }
    }

    /// Closes as many connections as are due, and ends the shard when nobody is left anywhere or the time is up.
    pub fn drain_step(&self, now_ms: u64) {
        let Some(plan) = self.drain.plan.get() else { return };
        let elapsed_ms = now_ms.saturating_sub(plan.began_ms);
        let due = match plan.spread_ms {
            0 => plan.connections,
            spread_ms => (plan.connections as u64 * elapsed_ms / spread_ms) as usize,
        };
        let all_due = elapsed_ms >= plan.spread_ms;
        self.close_up_to(due.min(plan.connections), all_due);
        if all_due {
            self.end_idle_http();
        }
        // Shards end together: one without connections still is the home of channels that others publish to.
        let is_done = !self.shards.is_listening() && self.connections_total() == 0;
        if is_done || elapsed_ms >= plan.spread_ms + GRACE_MS {
            self.stopped.notify();
        }
    }

    /// Makes the number of connections that were told to go at least `due`; all of them where `all` is set.
    fn close_up_to(&self, due: usize, all: bool) {
        let retry = Frame::new(wire::sse::retry(self.config().session.sse_retry_ms));
        self.with(|shard| {
            let mut told = self.drain.told.get();
            for slot in 0..shard.connections.slots() {
                if told >= due && !all {
                    break;
                }
                let Some((id, connection, _)) = shard.connections.at(slot) else {
                    continue;
                };
                if connection.closing.is_some() {
                    continue;
                }
                if connection.transport == Transport::Stream {
                    shard.connections.push(slot, &retry);
                }
                shard.connections.close(id, CloseReason::Draining);
                told += 1;
            }
            self.drain.told.set(told);
        });
    }
}
