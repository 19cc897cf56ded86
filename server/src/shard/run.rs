//! A shard's thread: which driver it runs on, and the tasks that it consists of.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustls::ServerConfig;

use super::Context;
use super::flush::{self, Turn};
use super::sweep;
use super::ticker::Ticker;
use crate::config;
use crate::listener::{self, Admission, Serves};
use crate::listening::{Held, Purpose};
use crate::wake::WakeReceiver;

/// How the kernel is asked for I/O, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    IoUring { entries: u32 },
    Epoll { reason: String },
}

impl Driver {
    pub fn name(&self) -> &'static str {
        match self {
            Self::IoUring { .. } => "io_uring",
            Self::Epoll { .. } => "epoll",
        }
    }

    /// Picks the driver, by asking the kernel for a ring of the real size: one that is refused for want of locked memory
    /// is refused here, and not later.
    pub fn choose(wanted: config::Driver, entries: u32) -> io::Result<Self> {
        if wanted == config::Driver::Epoll {
            return Ok(Self::Epoll {
                reason: "asked for by server.driver".into(),
            });
        }
        if std::env::var_os("MONOIO_FORCE_LEGACY_DRIVER").is_some_and(|value| value == "1") {
            return Ok(Self::Epoll {
                reason: "asked for by MONOIO_FORCE_LEGACY_DRIVER".into(),
            });
        }
        match ring_builder().build(entries) {
            Ok(_) => Ok(Self::IoUring { entries }),
            Err(error) if wanted == config::Driver::IoUring => Err(error),
            Err(error) => Ok(Self::Epoll {
                reason: why_no_ring(&error),
            }),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IoUring { entries } => write!(f, "io_uring ({entries} entries)"),
            Self::Epoll { reason } => write!(f, "epoll ({reason})"),
        }
    }
}

/// Without cooperative task running every message that arrives interrupts the shard: four times the CPU at 100,000
/// messages a second. Kernels before 5.19 do without.
fn ring_builder() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    builder.setup_coop_taskrun();
    if builder.build(2).is_err() {
        builder = io_uring::IoUring::builder();
    }
    builder
}

fn why_no_ring(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) if code == rustix::io::Errno::PERM.raw_os_error() => {
            "io_uring is forbidden here: allow it in the seccomp profile or sysctl kernel.io_uring_disabled"
                .into()
        }
        Some(code) if code == rustix::io::Errno::NOSYS.raw_os_error() => "this kernel has no io_uring".into(),
        Some(code) if code == rustix::io::Errno::NOMEM.raw_os_error() => {
            "io_uring may not lock enough memory: raise LimitMEMLOCK in the unit".into()
        }
        _ => format!("io_uring was refused: {error}"),
    }
}

/// Ties the calling thread to one core. Where that is refused the kernel moves it as it likes.
pub fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    if let Err(error) = sched_setaffinity(None, &cores) {
        tracing::debug!(core, %error, "a shard is not tied to its core");
    }
}

/// Runs a shard's future on this thread until it ends.
pub fn block_on(driver: &Driver, future: impl Future<Output = ()>) -> io::Result<()> {
    match driver {
        Driver::IoUring { entries } => {
            RuntimeBuilder::<IoUringDriver>::new()
                .with_entries(*entries)
                .uring_builder(ring_builder())
                .enable_timer()
                .build()?
                .block_on(future);
        }
        Driver::Epoll { .. } => {
            RuntimeBuilder::<LegacyDriver>::new()
                .with_entries(1024)
                .enable_timer()
                .build()?
                .block_on(future);
        }
    }
    Ok(())
}

/// What a shard listens on.
pub struct Listeners {
    pub sockets: Vec<(Purpose, Held)>,
    /// Connections of the whole relay at most.
    pub connections_max: u64,
    /// For the listeners that speak TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Scrapes that find room when the relay is full: an operator looks just then.
const METRICS_CONNECTIONS: u64 = 16;

impl Listeners {
    fn admission(&self, purpose: Purpose) -> Rc<Admission> {
        let (room, serves) = match purpose {
            Purpose::Relay | Purpose::Tls => (0, Serves::Relay),
            Purpose::Metrics => (METRICS_CONNECTIONS, Serves::Metrics),
            Purpose::Redirect => (0, Serves::Redirect),
        };
        Rc::new(Admission {
            connections_max: self.connections_max + room,
            tls: (purpose == Purpose::Tls).then(|| self.tls.clone()).flatten(),
            serves,
        })
    }
}

/// Starts the shard's tasks and waits until it has drained.
pub async fn run(ctx: Rc<Context>, wake: WakeReceiver, mut listeners: Listeners) -> io::Result<()> {
    let mut wake = wake.listen()?;
    ctx.shards.set_listening(ctx.id, listeners.sockets.len());
    for (purpose, held) in std::mem::take(&mut listeners.sockets) {
        let admission = listeners.admission(purpose);
        ctx.spawn("listener", listener::run(Rc::clone(&ctx), held, admission));
    }
    ctx.spawn("flusher", flush::run(Rc::clone(&ctx), Turn::new()?));
    ctx.spawn("clockwork", sweep::run(Rc::clone(&ctx), Ticker::new()?));
    ctx.spawn("mesh", {
        let ctx = Rc::clone(&ctx);
        async move {
            loop {
                ctx.congested.notified().await;
                while ctx.retry_mesh() {
                    monoio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    });
    ctx.spawn("inbox", {
        let ctx = Rc::clone(&ctx);
        async move {
            loop {
                if let Err(error) = wake.woken().await {
                    tracing::error!(%error, "a shard can't be woken any more");
                    return;
                }
                while let Some(job) = ctx.shards.next_job(ctx.id) {
                    job(&ctx);
                }
                if ctx.with(super::Shard::drain) {
                    ctx.shards.wake(ctx.id);
                }
            }
        }
    });
    ctx.stopped.notified().await;
    ctx.shards.set_stopped(ctx.id);
    Ok(())
}
