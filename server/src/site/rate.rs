//! A token bucket in one atomic, shared by all shards without a lock (the generic cell rate algorithm).

use std::sync::atomic::{AtomicU64, Ordering};

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000_000_000;

/// The theoretical arrival time: the Unix nanoseconds at which the bucket will be full again. In the past, it is full.
#[derive(Debug, Default)]
pub struct Gcra(AtomicU64);

impl Gcra {
    /// Takes one from a bucket that holds `burst` (at least 1) and fills at `rate` a second; rate 0 is unlimited.
    /// Refused: the milliseconds (at least 1) after which one will be there.
    pub fn take(&self, rate: u32, burst: u32, now_ms: u64) -> Result<(), u64> {
        self.take_many(1, rate, burst, now_ms)
    }

    /// Takes `count` at once or none. More than the burst never fits, so such a count is taken as the burst.
    pub fn take_many(&self, count: u32, rate: u32, burst: u32, now_ms: u64) -> Result<(), u64> {
        if rate == 0 {
            return Ok(());
        }
        let burst = u64::from(burst.max(1));
        // At least 1: a rate above 10^9 a second is no limit that anyone can reach.
        let interval = (NS_PER_S / u64::from(rate)).max(1);
        let capacity = interval * burst;
        let cost = interval * u64::from(count).min(burst);
        let now = now_ms.saturating_mul(NS_PER_MS);

        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            // Never further ahead than an empty bucket: a clock set back, or a limit set lower, must not lock the site out.
            let full_at = seen.clamp(now, now.saturating_add(capacity));
            let next = full_at.saturating_add(cost);
            let over = next.saturating_sub(now.saturating_add(capacity));
            if over > 0 {
                if full_at < seen {
                    // Kept, or the bucket would stay empty until the clock is back where it was. Lost to another shard, it is
                    // that shard's to keep.
                    let _ = self
                        .0
                        .compare_exchange(seen, full_at, Ordering::Relaxed, Ordering::Relaxed);
                }
                return Err(over.div_ceil(NS_PER_MS));
            }
            match self
                .0
                .compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(other) => seen = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate_counts() {
        let bucket = Gcra::default();
        for _ in 0..5 {
            assert_eq!(bucket.take(10, 5, NOW), Ok(()));
        }
        assert_eq!(bucket.take(10, 5, NOW), Err(100));
        assert_eq!(bucket.take(10, 5, NOW + 99), Err(1));
        assert_eq!(bucket.take(10, 5, NOW + 100), Ok(()));
        assert_eq!(bucket.take(10, 5, NOW + 100), Err(100));
        for _ in 0..5 {
            assert_eq!(bucket.take(10, 5, NOW + 10_000), Ok(()), "a pause fills it up");
        }
        assert!(bucket.take(10, 5, NOW + 10_000).is_err(), "and no further");
    }

    #[test]
    fn no_rate_is_no_limit() {
        let bucket = Gcra::default();
        assert!((0..1000).all(|_| bucket.take(0, 0, NOW).is_ok()));
    }

    #[test]
    fn a_burst_is_at_least_one() {
        let bucket = Gcra::default();
        assert_eq!(bucket.take(1, 0, NOW), Ok(()));
        assert_eq!(bucket.take(1, 0, NOW), Err(1000));
    }

    #[test]
    fn many_are_taken_at_once_or_not_at_all() {
        let bucket = Gcra::default();
        assert_eq!(bucket.take_many(3, 10, 5, NOW), Ok(()));
        assert_eq!(bucket.take_many(3, 10, 5, NOW), Err(100));
        assert_eq!(
            bucket.take_many(2, 10, 5, NOW),
            Ok(()),
            "the refused ones took nothing"
        );
        let more_than_fits = Gcra::default();
        assert_eq!(more_than_fits.take_many(100, 10, 5, NOW), Ok(()));
        assert_eq!(more_than_fits.take(10, 5, NOW), Err(100));
    }

    #[test]
    fn a_clock_set_back_does_not_lock_out() {
        let bucket = Gcra::default();
        for _ in 0..5 {
            bucket.take(10, 5, NOW).unwrap();
        }
        let hour_ago = NOW - 3_600_000;
        assert_eq!(bucket.take(10, 5, hour_ago), Err(100), "empty, as it was");
        assert_eq!(bucket.take(10, 5, hour_ago + 100), Ok(()));
    }

    #[test]
    fn a_lower_limit_counts_at_once() {
        let bucket = Gcra::default();
        bucket.take_many(1000, 10, 1000, NOW).unwrap();
        assert_eq!(
            bucket.take(10, 1, NOW),
            Err(100),
            "the debt is cut to the new burst"
        );
    }

    #[test]
    fn extremes_do_not_overflow() {
        for (rate, burst, now) in [
            (1, u32::MAX, u64::MAX),
            (u32::MAX, u32::MAX, 0),
            (1, u32::MAX, 0),
            (u32::MAX, 1, u64::MAX),
        ] {
            let bucket = Gcra::default();
            for _ in 0..3 {
                let _ = bucket.take_many(u32::MAX, rate, burst, now);
            }
        }
    }

    #[test]
    fn shards_that_take_at_once_share_one_burst() {
        let bucket = Gcra::default();
        let taken: usize = std::thread::scope(|scope| {
            let shard = || (0..1000).filter(|_| bucket.take(1, 700, NOW).is_ok()).count();
            let shards: Vec<_> = (0..4).map(|_| scope.spawn(shard)).collect();
            shards.into_iter().map(|shard| shard.join().unwrap()).sum()
        });
        assert_eq!(taken, 700);
    }

    proptest! {
        /// Over any time, no more passes than the burst and what the rate has filled in.
        #[test]
        fn never_more_than_burst_and_rate(rate in 1u32..2000, burst in 1u32..50, steps in proptest::collection::vec(0u64..20, 1..300)) {
            let bucket = Gcra::default();
            let (mut now, mut taken) = (NOW, 0u64);
            for step in steps {
                now += step;
                match bucket.take(rate, burst, now) {
                    Ok(()) => taken += 1,
                    Err(wait_ms) => prop_assert!((1..=1000).contains(&wait_ms)),
                }
                let filled = (now - NOW) * u64::from(rate) / 1000;
                // The interval is whole nanoseconds, cut off: one more may have fitted in between.
                prop_assert!(taken <= u64::from(burst) + filled + 1);
            }
        }

        #[test]
        fn what_was_told_to_wait_passes_then(rate in 1u32..2000, burst in 1u32..50, used in 0u32..100) {
            let bucket = Gcra::default();
            for _ in 0..used {
                let _ = bucket.take(rate, burst, NOW);
            }
            if let Err(wait_ms) = bucket.take(rate, burst, NOW) {
                prop_assert_eq!(bucket.take(rate, burst, NOW + wait_ms), Ok(()));
            }
        }
    }
}
