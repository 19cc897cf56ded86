//! What one shard counts. Only its own thread writes; whoever reads sums over the shards.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::site::REFUSAL_CODES;

/// A number that one thread counts up and others read.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        // One writer: a plain load and store, without the price of an atomic addition.
        self.0
            .store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    /// For what goes down again.
    pub fn subtract(&self, count: u64) {
        self.0.store(
            self.0.load(Ordering::Relaxed).saturating_sub(count),
            Ordering::Relaxed,
        );
    }

    pub fn increment(&self) {
        self.add(1);
    }

    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Buckets of the latency histogram: the upper bounds are powers of two of a microsecond, up to 33 s.
pub const LATENCY_BUCKETS: usize = 26;

/// Microseconds from a publish to its last write on this shard, in buckets of powers of two.
#[derive(Default)]
pub struct Latency {
    buckets: [Counter; LATENCY_BUCKETS],
    sum_us: Counter,
}

impl Latency {
    pub fn record_us(&self, us: u64) {
        // Bucket `n` holds up to 2^n µs.
        let bucket = (64 - us.saturating_sub(1).leading_zeros() as usize).min(LATENCY_BUCKETS - 1);
        self.buckets[bucket].increment();
        self.sum_us.add(us);
    }

    pub fn buckets(&self) -> [u64; LATENCY_BUCKETS] {
        std::array::from_fn(|bucket| self.buckets[bucket].read())
    }

    pub fn sum_us(&self) -> u64 {
        self.sum_us.read()
    }
}

macro_rules! by_label {
    ($(#[$doc:meta])* $name:ident { $($field:ident = $label:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name { $($field: Counter,)* other: Counter }

        impl $name {
            /// Counts one; a label that isn't known counts as `other`, so that the set stays closed.
            pub fn count(&self, label: &str) {
                match label { $($label => &self.$field,)* _ => &self.other }.increment();
            }

            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$(($label, self.$field.read()),)* ("other", self.other.read())]
            }
        }
    };
}

by_label! {
    /// Closed connections by reason.
    Closes {
        peer = "peer", token_expired = "token_expired", site_gone = "site_gone", silent = "silent",
        too_slow = "too_slow", draining = "draining", bad_frames = "bad_frames", too_fast = "too_fast",
        disconnected = "disconnected", protocol = "protocol", internal = "internal",
    }
}

/// Refused requests, connections and frames by code.
#[derive(Default)]
pub struct Refusals([Counter; REFUSAL_CODES.len()]);

impl Refusals {
    /// Counts one; a code that isn't known counts as `other`, the last of them, so that the set stays closed.
    pub fn count(&self, code: &str) {
        let place = REFUSAL_CODES.iter().position(|known| *known == code);
        self.0[place.unwrap_or(REFUSAL_CODES.len() - 1)].increment();
    }

    pub fn read(&self) -> Vec<(&'static str, u64)> {
        REFUSAL_CODES
            .iter()
            .copied()
            .zip(self.0.iter().map(Counter::read))
            .collect()
    }
}

#[derive(Default)]
pub struct ShardCounters {
    pub sockets: Counter,
    pub streams: Counter,
    /// Connections in the HTTP phase.
    pub http_connections: Counter,
    pub accepted: Counter,
    pub handshakes: Counter,
    pub tls_handshakes: Counter,
    pub tls_failures: Counter,
    pub requests: Counter,
    pub publishes: Counter,
    pub duplicates: Counter,
    pub client_messages: Counter,
    /// Frames queued for subscribers.
    pub deliveries: Counter,
    /// Deliveries that a closing connection dropped from its queue.
    pub dropped: Counter,
    pub bytes_in: Counter,
    pub bytes_out: Counter,
    pub writes: Counter,
    /// Times that a socket took no more.
    pub blocked: Counter,
    pub accept_pauses: Counter,
    /// Connections that wait for the flusher.
    pub dirty: Counter,
    pub mesh_depth: Counter,
    pub latency: Latency,
    pub closes: Closes,
    pub refusals: Refusals,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_lands_in_the_bucket_of_its_power_of_two() {
        let latency = Latency::default();
        for us in [0, 1, 2, 3, 4, 5, u64::MAX / 2] {
            latency.record_us(us);
        }
        let buckets = latency.buckets();
        assert_eq!((buckets[0], buckets[1], buckets[2], buckets[3]), (2, 1, 2, 1));
        assert_eq!(buckets[LATENCY_BUCKETS - 1], 1);
    }

    #[test]
    fn an_unknown_label_is_counted_as_other() {
        let refusals = Refusals::default();
        refusals.count("forbidden");
        refusals.count("something-a-client-made-up");
        let read = refusals.read();
        assert!(read.contains(&("forbidden", 1)) && read.contains(&("other", 1)));
    }

    #[test]
    fn every_code_of_a_sites_refusals_has_its_label() {
        let refusals = Refusals::default();
        for code in crate::site::REFUSAL_CODES {
            refusals.count(code);
        }
        let read = refusals.read();
        for code in crate::site::REFUSAL_CODES {
            assert!(read.contains(&(code, 1)), "{code} is counted as something else");
        }
    }
}
