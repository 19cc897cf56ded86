//! CPU time that the kernel counts by the nanosecond (not by the tick, as `/proc/PID/stat` does), and pinning to a core.

use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

/// CPU time that the calling thread has used.
pub fn of_this_thread() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// CPU time that this process has used: its threads, and the kernel's own workers for it.
pub fn of_this_process() -> Duration {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(t.tv_sec.unsigned_abs(), u32::try_from(t.tv_nsec).unwrap_or(0))
}

/// Keeps the calling thread, and those it starts later, on one core.
pub fn pin(core: usize) -> std::io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
