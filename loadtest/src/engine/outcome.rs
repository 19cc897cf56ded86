//! From what was counted to the report.

use hdrhistogram::Histogram;

use super::{Engine, Running};
use crate::clock::seconds;
use crate::latency::Latency;
use crate::report::{Channel, ClientReport, PartReport, Report, ServerReport, Verdict};

/// Above this share of a core the loop has no time left to be on time.
const BUSY_CORES: f64 = 0.9;
/// Sends later than this by the client's own fault blur what is measured.
const LAG_P99_MS: f64 = 2.0;

impl Engine {
    pub(super) fn report(mut self) -> Report {
        let span = seconds(self.stage.count_to - self.stage.count_from);
        let parts: Vec<PartReport> = self.parts.iter_mut().map(|part| part.report(span)).collect();
        let own = self
            .stage
            .own_cpu
            .1
            .saturating_sub(self.stage.own_cpu.0)
            .as_secs_f64()
            / span;
        let lag_p99_ms = self.stage.lag.value_at_quantile(0.99) as f64 / 1000.0;
        let bottleneck = if own > BUSY_CORES {
            Some(format!(
                "it used {:.0}% of its core; give it more processes (--workers)",
                own * 100.0
            ))
        } else if lag_p99_ms > LAG_P99_MS {
            Some(format!(
                "1% of its sends left {lag_p99_ms:.1} ms late or later; its core is busy with other work"
            ))
        } else {
            None
        };
        let client = ClientReport {
            cores: own,
            lag_p99_ms,
            bottleneck,
            negative: self.parts.iter().map(|part| part.numbers.negative).sum(),
        };
        let server = (!self.settings.server.is_empty()).then(|| self.server(span, &parts));
        let mut report = Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            run: self.settings.run,
            target: format!("{}{}", self.settings.target.host, self.settings.target.prefix),
            scenario: String::new(),
            share: self.settings.share,
            began: self.stage.began / 1_000_000_000,
            plan: self.settings.plan.clone(),
            parts,
            closes: std::mem::take(&mut self.closes),
            failures: std::mem::take(&mut self.failures),
            server,
            client,
            seconds: std::mem::take(&mut self.stage.seconds),
            verdict: Verdict {
                pass: false,
                reasons: Vec::new(),
                notes: Vec::new(),
            },
        };
        report.judge();
        report
    }

    fn server(&self, span: f64, parts: &[PartReport]) -> ServerReport {
        let cpu = self
            .stage
            .server_cpu
            .1
            .saturating_sub(self.stage.server_cpu.0)
            .as_secs_f64();
        let per = |count: u64| (count > 0).then(|| cpu * 1e6 / count as f64);
        let connections: u64 = parts.iter().map(|part| part.opened).sum();
        let handshakes = self
            .parts
            .iter()
            .filter(|part| part.plan.storm)
            .map(|part| part.numbers.handshakes.len())
            .sum();
        let (before, after) = self.stage.memory;
        ServerReport {
            cpu_seconds: cpu,
            cores: cpu / span,
            cpu_us_per_delivery: per(parts.iter().map(|part| part.deliveries).sum()),
            cpu_us_per_handshake: per(handshakes),
            memory_before: before,
            memory_with_connections: after,
            bytes_per_connection: (connections > 0 && after > before)
                .then(|| (after - before) as f64 / connections as f64),
        }
    }
}

impl Running {
    fn report(&mut self, span: f64) -> PartReport {
        let numbers = &mut self.numbers;
        let of = |histogram: &Histogram<u64>| Latency::of(histogram);
        let channels: Vec<Channel> = self
            .sent
            .iter()
            .zip(&self.audience)
            .map(|(sent, subscribers)| Channel {
                sent: *sent,
                subscribers: *subscribers as u64,
            })
            .collect();
        let expected = self.plan.complete().then(|| {
            channels
                .iter()
                .map(|channel| channel.sent * channel.subscribers)
                .sum()
        });
        PartReport {
            name: self.plan.name.clone(),
            channels,
            subscribers: self.subscribers as u64,
            opened: numbers.opened.min(self.subscribers as u64),
            replaced: numbers.opened.saturating_sub(self.subscribers as u64),
            reconnected: numbers.reconnected,
            sent: numbers.sent_counted,
            refused: numbers.refused,
            unanswered: numbers.unanswered,
            skipped: numbers.skipped,
            expected,
            ledger: self.ledger.counts.clone(),
            deliveries: numbers.arrived_counted,
            deliveries_per_second: numbers.arrived_counted as f64 / span,
            gaps_told: numbers.gaps_told,
            slow_closed: numbers.slow_closed,
            sockets: of(numbers.sockets.total()),
            streams: of(numbers.streams.total()),
            answers: of(&numbers.answers),
            handshakes: of(&numbers.handshakes),
        }
    }
}
