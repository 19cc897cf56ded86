//! Time as nanoseconds since 1970, steady within a run.
//!
//! The wall clock is read once; from then on the monotonic clock counts. So a step of the wall clock in the middle of a
//! run changes nothing, and processes on machines with a common time can still compare stamps.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[derive(Clone, Copy, Debug)]
pub struct Clock {
    base: Instant,
    base_ns: u64,
}

impl Clock {
    #[must_use]
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            base: Instant::now(),
            base_ns: nanos(wall),
        }
    }

    #[must_use]
    pub fn now(&self) -> u64 {
        self.base_ns + nanos(self.base.elapsed())
    }
}

/// A span in nanoseconds; 584 years fit.
#[must_use]
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[must_use]
pub fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}
