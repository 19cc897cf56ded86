//! What a part measures while it runs.

use hdrhistogram::Histogram;

/// Latencies are kept in microseconds, with three digits, up to this.
const LATENCY_US_MAX: u64 = 3_600_000_000;

pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3)
        .unwrap_or_else(|_| unreachable!("the bounds are constants"))
}

/// A span in nanoseconds into a histogram of microseconds.
pub(super) fn record(histogram: &mut Histogram<u64>, ns: u64) {
    histogram.saturating_record(ns.div_ceil(1000));
}

pub(super) struct Numbers {
    /// Deliveries since the last full second, and of all seconds that count; by kind of connection.
    pub second: Histogram<u64>,
    pub sockets: Histogram<u64>,
    pub streams: Histogram<u64>,
    /// From the intended send to the answer of a publish.
    pub answers: Histogram<u64>,
    pub handshakes: Histogram<u64>,
    /// Deliveries so far, those before the run counted, and those that arrived while it did, whenever they were sent.
    pub arrived: u64,
    pub arrived_before: u64,
    pub arrived_counted: u64,
    pub sent_counted: u64,
    pub refused: u64,
    pub unanswered: u64,
    /// Sends that were due but never made: publishers were busy for too long.
    pub skipped: u64,
    pub opened: u64,
    pub reconnected: u64,
    pub gaps_told: u64,
    pub negative: u64,
    /// Slow readers that the relay closed.
    pub slow_closed: u64,
}

impl Numbers {
    pub fn new() -> Self {
        Self {
            second: histogram(),
            sockets: histogram(),
            streams: histogram(),
            answers: histogram(),
            handshakes: histogram(),
            arrived: 0,
            arrived_before: 0,
            arrived_counted: 0,
            sent_counted: 0,
            refused: 0,
            unanswered: 0,
            skipped: 0,
            opened: 0,
            reconnected: 0,
            gaps_told: 0,
            negative: 0,
            slow_closed: 0,
        }
    }
}
