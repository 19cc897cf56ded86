//! The clockwork's beat: a timer of the kernel's, watched like a socket.
//!
//! With a timer of the runtime's, every wait of the shard for its sockets is one with a time-out, and the kernel sets up and
//! takes down a timer for each: a price for every message that a shard at rest is woken by.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use monoio::net::UnixStream;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

pub struct Ticker {
    timer: OwnedFd,
    /// The same as the runtime knows it, to be watched.
    readiness: UnixStream,
    /// How far apart the beats are; none before the first.
    period: Duration,
}

impl Ticker {
    pub fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        Ok(Self {
            readiness: UnixStream::from_std(timer.try_clone()?.into())?,
            timer,
            period: Duration::ZERO,
        })
    }

    /// Waits for the next beat; those that were missed meanwhile count as one. A new `period` begins with this wait.
    /// Cancel-safe.
    pub async fn tick(&mut self, period: Duration) -> io::Result<()> {
        if period != self.period {
            let every = Timespec {
                tv_sec: period.as_secs().cast_signed(),
                tv_nsec: period.subsec_nanos().into(),
            };
            let beats = Itimerspec {
                it_interval: every,
                it_value: every,
            };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &beats)?;
            self.period = period;
        }
        self.readiness.readable(false).await?;
        match rustix::io::read(&self.timer, &mut [0; 8]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
