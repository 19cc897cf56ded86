//! The outcome of a run as data: what `--json` prints, what `merge` adds up, what the table and the page show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::latency::Latency;
use crate::ledger::Counts;
use crate::plan::{Plan, Share};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    pub version: String,
    /// The run's tag; shares of one run have the same.
    pub run: u32,
    pub target: String,
    pub scenario: String,
    pub share: Share,
    /// Unix time in seconds.
    pub began: u64,
    pub plan: Plan,
    pub parts: Vec<PartReport>,
    pub closes: BTreeMap<u16, u64>,
    pub failures: BTreeMap<String, u64>,
    pub server: Option<ServerReport>,
    pub client: ClientReport,
    pub seconds: Vec<Second>,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartReport {
    pub name: String,
    /// Messages sent and steady subscribers, by channel.
    pub channels: Vec<Channel>,
    pub subscribers: u64,
    /// Subscribers that got in.
    pub opened: u64,
    /// Connections made in place of earlier ones, where they come and go.
    pub replaced: u64,
    pub reconnected: u64,
    /// Publishes that were meant to leave while the run counted.
    pub sent: u64,
    pub refused: u64,
    pub unanswered: u64,
    pub skipped: u64,
    /// Deliveries that the ledger demands, the warm-up's included. None where subscribers come and go.
    pub expected: Option<u64>,
    pub ledger: Counts,
    /// Deliveries that arrived while the run counted, and how many that was a second.
    pub deliveries: u64,
    pub deliveries_per_second: f64,
    /// Gaps that the relay itself reported after a reconnect.
    pub gaps_told: u64,
    /// Subscribers that stopped reading and were closed by the relay: as it should be, sooner or later.
    pub slow_closed: u64,
    pub sockets: Latency,
    pub streams: Latency,
    /// From the intended publish to its answer.
    pub answers: Latency,
    pub handshakes: Latency,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    pub sent: u64,
    pub subscribers: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerReport {
    /// CPU seconds while the run counted, and as a share of one core.
    pub cpu_seconds: f64,
    pub cores: f64,
    pub cpu_us_per_delivery: Option<f64>,
    pub cpu_us_per_handshake: Option<f64>,
    pub memory_before: u64,
    pub memory_with_connections: u64,
    pub bytes_per_connection: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientReport {
    pub cores: f64,
    /// How late this process sent what was due, by its own fault.
    pub lag_p99_ms: f64,
    /// Why the numbers may be this process' and not the relay's. Empty: they are the relay's.
    pub bottleneck: Option<String>,
    /// Messages that arrived before they were sent: the machines' clocks differ.
    pub negative: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Second {
    pub at: f64,
    pub counting: bool,
    pub open: u64,
    pub sent: f64,
    pub delivered: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub server_cpu: f64,
    pub own_cpu: f64,
}

impl Second {
    /// The live line.
    #[must_use]
    pub fn line(&self, step: &str) -> String {
        format!(
            "{:6.0} s  {step:<10} open {:<6} sent {:>8.0}/s  delivered {:>10.0}/s  p50 {:>8.2} ms  p99 {:>8.2} ms  \
             cpu server {:>3.0}% load {:>3.0}%",
            self.at,
            self.open,
            self.sent,
            self.delivered,
            self.p50_ms,
            self.p99_ms,
            self.server_cpu * 100.0,
            self.own_cpu * 100.0,
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    pub pass: bool,
    /// Each sentence a reason to fail.
    pub reasons: Vec<String>,
    /// What a reader should know, though it fails nothing.
    pub notes: Vec<String>,
}

impl Report {
    /// Judges what is there: the ledger, the refusals, the connections.
    pub fn judge(&mut self) {
        let whole = self.share.of == 1;
        let (mut reasons, mut notes) = (Vec::new(), Vec::new());
        for part in &self.parts {
            let name = &part.name;
            let mut fail = |count: u64, what: &str| {
                if count > 0 {
                    reasons.push(format!("{name}: {count} {what}"));
                }
            };
            let lost = part
                .expected
                .map_or(0, |expected| expected.saturating_sub(part.ledger.received));
            if whole {
                fail(lost, "messages lost");
                let extra = part
                    .expected
                    .map_or(0, |expected| part.ledger.received.saturating_sub(expected));
                fail(extra, "more messages than were sent");
            }
            fail(part.ledger.duplicates, "duplicates");
            fail(part.ledger.reordered, "messages out of order");
            // Holes that were filled again are counted as out of order; those of a whole run as lost.
            let holes = part.ledger.gaps.saturating_sub(part.ledger.reordered);
            if part.expected.is_none() || !whole {
                fail(holes, "gaps");
            }
            fail(
                part.ledger.leaked,
                "messages on a channel that the subscriber is not in",
            );
            fail(part.refused, "publishes refused");
            fail(part.unanswered, "publishes without an answer");
            fail(
                part.skipped,
                "sends skipped: the relay answered too slowly, or a connection was still in use",
            );
            fail(part.gaps_told, "gaps told by the relay after a reconnect");
            let missing = part.subscribers.saturating_sub(part.opened);
            fail(missing, "subscribers did not get in");
            if part.deliveries == 0 && part.sent > 0 {
                reasons.push(format!("{name}: nothing was delivered"));
            }
        }
        for (code, count) in &self.closes {
            reasons.push(format!("{count} connections closed by the relay with {code}"));
        }
        for (text, count) in &self.failures {
            reasons.push(format!("{count} × {text}"));
        }
        if let Some(why) = &self.client.bottleneck {
            notes.push(format!("the load test itself was the bottleneck: {why}"));
        }
        if self.client.negative > 0 {
            notes.push(format!(
                "{} messages arrived before they were sent: the clocks of the machines differ, so latencies are off by that",
                self.client.negative
            ));
        }
        if !whole {
            notes.push("one share of a run: lost messages show when the shares are merged".to_owned());
        }
        self.verdict = Verdict {
            pass: reasons.is_empty(),
            reasons,
            notes,
        };
    }
}
