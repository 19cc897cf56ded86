//! What every task of a shard shares.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::HeaderMap;

use super::counters::ShardCounters;
use super::drain::Drain;
use super::http_watch::HttpWatches;
use super::shards::Shards;
use super::{Shard, run::Driver};
use crate::admin::Admin;
use crate::clock;
use crate::config::Config;
use crate::connection::http::Peer;
use crate::forwarded;
use crate::ids::{ConnId, ShardId};
use crate::insight::{Refused, Surface};
use crate::notify::{Notify, NotifyAll};
use crate::site::{Refusal, Site, Sites};
use crate::store::StoreHandle;
use crate::tls;

/// The most that a publisher waits for room before it is told to come back: WordPress gives up after 2 s.
const ADMISSION_WAIT: Duration = Duration::from_millis(1_500);
/// What one `recv(2)` takes at most. One buffer serves all connections of a shard.
const SCRATCH_BYTES: usize = 64 * 1024;

pub struct Context {
    pub id: ShardId,
    pub run: u64,
    pub started_unix_ms: u64,
    pub driver: Driver,
    pub store: StoreHandle,
    pub admin: Arc<Admin>,
    pub shards: Shards,
    pub counters: Arc<ShardCounters>,
    /// Its certificate, where the relay itself speaks TLS.
    pub tls: Option<Arc<tls::State>>,
    /// Received bytes, before they are decoded. Empty between two steps: its contents are never kept.
    pub scratch: RefCell<Box<[u8]>>,
    pub http: RefCell<HttpWatches>,
    pub draining: Cell<bool>,
    pub drain: Drain,
    /// The shard has drained: its thread may end.
    pub stopped: Notify,
    /// Something is on the dirty list.
    pub flush: Notify,
    /// The way to another shard is full.
    pub congested: Notify,
    /// The flusher or the mesh has moved on: whoever waits for room looks again.
    progress: NotifyAll,
    config: RefCell<Arc<Config>>,
    sites: RefCell<Arc<Sites>>,
    shard: RefCell<Shard>,
}

/// What a context is made of, besides its shard.
pub struct Parts {
    pub id: ShardId,
    pub run: u64,
    pub started_unix_ms: u64,
    pub driver: Driver,
    pub store: StoreHandle,
    pub admin: Arc<Admin>,
    pub shards: Shards,
    pub counters: Arc<ShardCounters>,
    pub tls: Option<Arc<tls::State>>,
    pub config: Arc<Config>,
}

impl Context {
    pub fn new(parts: Parts, shard: Shard) -> Self {
        let sites = parts.store.sites();
        Self {
            id: parts.id,
            run: parts.run,
            started_unix_ms: parts.started_unix_ms,
            driver: parts.driver,
            store: parts.store,
            admin: parts.admin,
            shards: parts.shards,
            counters: parts.counters,
            tls: parts.tls,
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into()),
            http: RefCell::default(),
            draining: Cell::new(false),
            drain: Drain::default(),
            stopped: Notify::default(),
            flush: Notify::default(),
            congested: Notify::default(),
            progress: NotifyAll::default(),
            config: RefCell::new(parts.config),
            sites: RefCell::new(sites),
            shard: RefCell::new(shard),
        }
    }

    /// One step on the shard. Whatever it queued for sockets or other shards is seen to afterwards.
    pub fn with<T>(&self, step: impl FnOnce(&mut Shard) -> T) -> T {
        let mut shard = self.shard.borrow_mut();
        let value = step(&mut shard);
        shard.mesh.wake_peers();
        if shard.connections.has_dirty() {
            self.flush.notify();
        }
        if shard.mesh.is_congested() {
            self.congested.notify();
        }
        value
    }

    pub fn has_dirty(&self) -> bool {
        self.shard.borrow().connections.has_dirty()
    }

    pub fn is_closing(&self, id: ConnId) -> bool {
        self.shard.borrow().connections.is_closing(id)
    }

    /// After a round of the flusher: times what was written, takes in what had to wait, and lets publishers go on.
    pub fn flushed(&self) {
        self.with(|shard| {
            let done = shard.connections.flushed_before();
            shard.tap.flushed(clock::monotonic_ns(), done, |us| {
                self.counters.latency.record_us(us);
            });
            shard.drain();
        });
        self.progress.notify_all();
    }

    /// Moves what waits for other shards, and takes in what had to wait meanwhile. Answers whether it still is too much.
    pub fn retry_mesh(&self) -> bool {
        let congested = self.with(|shard| {
            shard.mesh.retry();
            shard.drain();
            shard.mesh.is_congested()
        });
        self.progress.notify_all();
        congested
    }

    /// Waits until there is room for a new message, or refuses it.
    pub async fn admission(&self) -> Result<(), Refusal> {
        if !self.shard.borrow().is_congested() {
            return Ok(());
        }
        let room = async {
            while self.shard.borrow().is_congested() {
                self.progress.notified().await;
            }
        };
        monoio::time::timeout(ADMISSION_WAIT, room).await.map_err(|_| {
            Refusal::new(
                503,
                "overloaded",
                "the relay has more to deliver than it can: try again shortly",
            )
            .retry_after(1)
        })
    }

    /// Connections of the whole relay, whatever their phase.
    pub fn connections_total(&self) -> u64 {
        let of = |counters: &ShardCounters| {
            counters.sockets.read() + counters.streams.read() + counters.http_connections.read()
        };
        self.shards
            .ids()
            .map(|shard| of(self.shards.counters(shard)))
            .sum()
    }

    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    pub fn set_config(&self, config: Arc<Config>) {
        *self.config.borrow_mut() = config;
    }

    pub fn sites(&self) -> Arc<Sites> {
        Arc::clone(&self.sites.borrow())
    }

    pub fn set_sites(&self, sites: Arc<Sites>) {
        *self.sites.borrow_mut() = sites;
    }

    /// Milliseconds of the clock that time-outs go by.
    pub fn now_ms(&self) -> u64 {
        clock::monotonic_ms()
    }

    /// Who asks, as far as trusted proxies can tell.
    pub fn peer(&self, direct: IpAddr, secure: bool, headers: &HeaderMap) -> Peer {
        forwarded::peer(
            &self.config.borrow().server.trusted_proxies,
            direct,
            secure,
            headers,
        )
    }

    /// Counts a refusal, for the metrics, the site's usage and the operator's list. Without a `site` that was proven, it is
    /// counted for the one that was named.
    pub fn refused(&self, refusal: &Refusal, surface: Surface, site: Option<&Site>, address: Option<IpAddr>) {
        self.counters.refusals.count(refusal.code);
        let sites = self.sites();
        let site = site.or_else(|| sites.by_id(refusal.site?).map(std::sync::Arc::as_ref));
        if let Some(site) = site {
            site.live.usage.refused(refusal.code);
        }
        self.shard.borrow_mut().tap.refused(|| Refused {
            at_ms: clock::unix_ms(),
            site: site.map(|site| site.id),
            surface,
            code: refusal.code,
            message: refusal.message.clone(),
            address,
        });
    }

    /// Runs a task on this shard. A panic in it ends the task, not the core: it is logged, and the process goes on.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + 'static) {
        monoio::spawn(guarded(name, task));
    }
}

/// `task`, with a panic turned into its end. Made of combinators, because an async block would hold the task twice.
pub fn guarded(name: &'static str, task: impl Future<Output = ()>) -> impl Future<Output = ()> {
    AssertUnwindSafe(task).catch_unwind().map(move |outcome| {
        if outcome.is_err() {
            tracing::error!(task = name, "a task failed; only what it served is affected");
        }
    })
}
