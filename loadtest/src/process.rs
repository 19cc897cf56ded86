//! What the server costs: CPU time and memory of its processes, and the CPU time of this one.

use std::fs;
use std::time::Duration;

/// Processes whose cost is added up: a server may have a master and workers.
#[derive(Clone, Debug, Default)]
pub struct Processes(Vec<u32>);

impl Processes {
    pub fn new(ids: &[u32]) -> Result<Self, String> {
        match ids.iter().find(|id| clock_of(**id).is_none()) {
            Some(id) => Err(format!("no process {id} whose CPU clock can be read (--pid)")),
            None => Ok(Self(ids.to_vec())),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// CPU time used so far, all threads and the kernel's workers for them included, to the nanosecond.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.0.iter().filter_map(|id| clock_of(*id)).sum()
    }

    /// Anonymous and shared memory in bytes, each page once however many of the processes use it: what connections cost the
    /// server itself, without its program's file and its libraries.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.0.iter().map(|id| anonymous_bytes(*id).unwrap_or(0)).sum()
    }
}

/// `PID_MAX_LIMIT` of the kernel on 64-bit machines.
const PROCESS_ID_MAX: libc::pid_t = 1 << 22;

/// The CPU clock of a process. `/proc/PID/stat` counts in ticks of 10 ms, far too coarse for a short run.
fn clock_of(id: u32) -> Option<Duration> {
    let mut clock = 0;
    // The clock's id is made of the process id's bits: beyond the kernel's largest it would name another clock.
    let id = libc::pid_t::try_from(id)
        .ok()
        .filter(|id| *id <= PROCESS_ID_MAX)?;
    // SAFETY: the function writes one clock id to the place that it is given.
    let found = unsafe { libc::clock_getcpuclockid(id, &raw mut clock) };
    if found != 0 {
        return None;
    }
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the function writes one timespec to the place that it is given.
    let read = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (read == 0).then(|| {
        Duration::new(
            time.tv_sec.unsigned_abs(),
            u32::try_from(time.tv_nsec).unwrap_or(0),
        )
    })
}

fn anonymous_bytes(id: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup")).ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().strip_suffix("kB")?.trim().parse().ok()
    };
    Some((kib("Pss_Anon:")? + kib("Pss_Shmem:")?) * 1024)
}

/// CPU time of this process.
#[must_use]
pub fn own_cpu() -> Duration {
    clock_of(std::process::id()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_clock_and_memory() {
        let own = Processes::new(&[std::process::id()]).unwrap();
        let before = own.cpu();
        let mut sum = 0_u64;
        while own.cpu() == before {
            sum = sum.wrapping_add(1);
        }
        assert!(own.memory() > 0, "{sum}");
        assert!(Processes::new(&[u32::MAX / 2]).is_err());
        assert!(Processes::new(&[4_194_305]).is_err());
    }
}
