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

/// Latencies of deliveries, entered once: what a second holds is added to the total when the second ends.
pub(super) struct Tally {
    /// Equal latencies in a row are counted before they are entered: a closed loop sends many messages at one moment, and one
    /// read brings them all.
    latest_us: u64,
    times: u64,
    second: Histogram<u64>,
    total: Histogram<u64>,
}

impl Tally {
    fn new() -> Self {
        Self {
            latest_us: 0,
            times: 0,
            second: histogram(),
            total: histogram(),
        }
    }

    pub fn record(&mut self, ns: u64) {
        let us = ns.div_ceil(1000);
        if us != self.latest_us {
            self.enter();
            self.latest_us = us;
        }
        self.times += 1;
    }

    fn enter(&mut self) {
        // Entered with no times at all, a value would still count as an extreme.
        if self.times > 0 {
            let times = std::mem::take(&mut self.times);
            self.second.saturating_record_n(self.latest_us, times);
        }
    }

    /// Ends a second: its latencies go to `all` and to the total.
    pub fn end_second(&mut self, all: &mut Histogram<u64>) {
        self.enter();
        // All have the same bounds, so adding cannot fail.
        let _ = all.add(&self.second);
        let _ = self.total.add(&self.second);
        self.second.reset();
    }

    /// Of the whole run, the present second included.
    pub fn total(&mut self) -> &Histogram<u64> {
        self.end_second(&mut histogram());
        &self.total
    }
}

pub(super) struct Numbers {
    /// Deliveries that count, by kind of connection.
    pub sockets: Tally,
    pub streams: Tally,
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
            sockets: Tally::new(),
            streams: Tally::new(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::tests::Random;

    #[test]
    fn a_tally_holds_what_was_recorded_in_its_second_and_in_all() {
        let mut random = Random::new();
        let mut tally = Tally::new();
        let (mut second, mut total) = (histogram(), histogram());
        let mut ns = 0;
        for _ in 0..20_000 {
            match random.below(100) {
                0 => {
                    let mut told = histogram();
                    tally.end_second(&mut told);
                    assert_eq!(told, second);
                    second.reset();
                }
                1..30 => ns = random.below(5_000_000_000_000) >> random.below(40),
                _ => {}
            }
            tally.record(ns);
            record(&mut second, ns);
            record(&mut total, ns);
        }
        assert_eq!(tally.total(), &total);
        assert_eq!(tally.total(), &total);
        assert_eq!(
            (tally.total().min_nz(), tally.total().max()),
            (total.min_nz(), total.max())
        );
    }
}
