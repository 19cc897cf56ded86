//! A histogram of microseconds, small enough to be taken from each shard every second.

/// Values up to this are exact; above, buckets widen so that a value is off by at most 1/8.
const LINEAR: u64 = 8;
/// 8 exact values, then 8 buckets for each power of two up to 2^32 µs (71 minutes), which bounds what is told apart.
const BUCKETS: usize = 8 + 8 * 29;

#[derive(Clone, Debug)]
pub struct Latency {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            total: 0,
        }
    }
}

impl Latency {
    pub fn record(&mut self, us: u64) {
        let bucket = &mut self.counts[bucket(us)];
        *bucket = bucket.saturating_add(1);
        self.total += 1;
    }

    pub fn add(&mut self, other: &Latency) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts.iter()) {
            *mine = mine.saturating_add(*theirs);
        }
        self.total += other.total;
    }

    /// The value that `share` (0.0 to 1.0) of the values do not exceed, at the upper end of its bucket; `None` when empty.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        if self.total == 0 {
            return None;
        }
        let wanted = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total);
        let mut seen = 0;
        let place = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        });
        place.map(upper_end)
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

fn bucket(us: u64) -> usize {
    if us < LINEAR {
        return us as usize;
    }
    let power = us.ilog2();
    let within = (us >> (power - 3)) & 7;
    (LINEAR as usize + (power as usize - 3) * 8 + within as usize).min(BUCKETS - 1)
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < LINEAR {
        return bucket;
    }
    let (power, within) = ((bucket - LINEAR) / 8, (bucket - LINEAR) % 8);
    ((LINEAR + within + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_at_most_an_eighth_above_the_value() {
        for us in (0..20_000).chain([1 << 20, (1 << 31) + 12_345]) {
            let mut latency = Latency::default();
            latency.record(us);
            let found = latency.quantile(0.5).unwrap();
            assert!(found >= us && found <= us + us / 8, "{us}: {found}");
        }
    }

    #[test]
    fn quantiles_split_the_values() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for us in 1..=1000 {
            latency.record(us);
        }
        let (p50, p99) = (latency.quantile(0.5).unwrap(), latency.quantile(0.99).unwrap());
        assert!((500..=563).contains(&p50), "{p50}");
        assert!((990..=1114).contains(&p99), "{p99}");
    }

    #[test]
    fn a_value_beyond_the_last_bucket_counts_there() {
        let mut latency = Latency::default();
        latency.record(u64::MAX);
        assert!(latency.quantile(1.0).unwrap() >= 1 << 31);
    }
}
