//! The two clocks: one for time-outs and latencies, one for time stamps that leave the machine.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of the monotonic clock, the same for every thread of this run.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    (now.tv_sec as u64) * 1_000_000_000 + now.tv_nsec as u64
}

/// Milliseconds of the monotonic clock.
pub fn monotonic_ms() -> u64 {
    monotonic_ns() / 1_000_000
}

/// Milliseconds since the Unix epoch.
pub fn unix_ms() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    (now.tv_sec.max(0) as u64) * 1_000 + now.tv_nsec as u64 / 1_000_000
}
