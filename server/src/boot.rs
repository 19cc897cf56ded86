//! Start and stop order: the only module that knows all others.

mod watchdog;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use hookcast_api::insight::{Changed, Relay as RelayFacts};

use crate::admin::insight::{Gatherer, Insight};
use crate::admin::{Admin, ShardSource};
use crate::clock;
use crate::config::{Config, LogFormat};
use crate::connection::outbox::OutboxLimits;
use crate::hub::{Home, HomeLimits, HomeState, Homes, Local, LocalLimits, SHARDS_MAX, Seed, ToHome, ToLocal};
use crate::ids::ShardId;
use crate::listening::{self, Purpose};
use crate::mesh::Mesh;
use crate::shard::drain::Next;
use crate::shard::run::{self, Driver, Listeners};
use crate::shard::{Context, Parts, Shard, Shards, ShardsBusy, context};
use crate::store::{StoreHandle, TakenUp, site_defaults};
use crate::tls::{Retirement, Tls};
use crate::upgrade::{self, Inheritance, InheritanceError, Predecessor, Stage};
use crate::wake::{self, Wake, WakeReceiver};

/// Descriptors that are not connections: the store, rings, wake-ups, logs, and room to accept with.
const RESERVED_FDS: u64 = 256;

/// How long the shards may take to start, when another process waits for it.
const START_WAIT: std::time::Duration = std::time::Duration::from_secs(8);

/// What the operator reads when the relay cannot start.
#[derive(Debug)]
struct StartError(String);

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<InheritanceError> for StartError {
    fn from(error: InheritanceError) -> Self {
        Self(error.to_string())
    }
}

/// Runs the relay until it is told to stop; with an inheritance, in the place of the process that left it.
pub fn serve(config: Config, store: StoreHandle, inheritance: Option<Inheritance>) -> ExitCode {
    let reload_log = start_log(&config);
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    match Relay::start(config, store, inheritance) {
        Ok(relay) => relay.run(reload_log),
        Err(StartError(message)) => {
            tracing::error!("{message}");
            ExitCode::FAILURE
        }
    }
}

type ReloadLog = Box<dyn Fn(&Config)>;

/// Logs to standard error. The answer changes the level later.
fn start_log(config: &Config) -> ReloadLog {
    let filter =
        |config: &Config| EnvFilter::try_new(&config.log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (level, handle) = tracing_subscriber::reload::Layer::new(filter(config));
    let registry = tracing_subscriber::registry().with(level);
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let set = match config.log.format {
        LogFormat::Json => registry.with(layer.json()).try_init(),
        LogFormat::Text => registry
            .with(layer.with_ansi(false).with_target(false))
            .try_init(),
    };
    // A second relay in one process keeps the first one's log.
    let _ = set;
    Box::new(move |config| {
        let _ = handle.reload(filter(config));
    })
}

struct Relay {
    config: Config,
    store: StoreHandle,
    admin: Arc<Admin>,
    gatherer: Gatherer,
    shards: Shards,
    threads: Vec<JoinHandle<()>>,
    signals: Signals,
    tls: Option<Tls>,
    succession: Succession,
}

/// What the next process will need.
struct Succession {
    /// Where the binary was when this process started: by now there may be another one.
    binary: PathBuf,
    run: u64,
    seed: Seed,
    homes: Homes,
    /// Copies, let go of when the relay stops: a listener lives as long as any of them.
    listeners: upgrade::SharedListeners,
    stage: Arc<Stage>,
}

impl Relay {
    fn start(
        config: Config,
        store: StoreHandle,
        mut inheritance: Option<Inheritance>,
    ) -> Result<Self, StartError> {
        let binary = std::env::current_exe()?;
        let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2])?;
        let connections_max = connections_max(&config);
        let driver = Driver::choose(config.server.driver, config.server.ring_entries).map_err(|error| {
            StartError(format!(
                "io_uring was asked for by server.driver and is refused: {error}"
            ))
        })?;
        match &driver {
            Driver::IoUring { .. } => tracing::info!("driver: {driver}"),
            Driver::Epoll { .. } => tracing::warn!("driver: {driver}"),
        }
        let count = workers(&config, inheritance.as_ref());
        let tls = Tls::start(&config).map_err(StartError)?;
        let handed = match &mut inheritance {
            None => listening::activated()?,
            Some(from) => std::mem::take(&mut from.listeners),
        };
        let listening = listening::open(&config, count, handed).map_err(StartError)?;
        let (wakes, receivers) = wake_pairs(count)?;
        let shards = Shards::new(&wakes);
        // The run's number tells its message ids from every other run's.
        let (run, seed) = match &inheritance {
            None => (u64::from_ne_bytes(random()?), Seed(random()?)),
            Some(from) => (from.run, from.seed),
        };
        let homes = Homes::new(count, seed);
        let succession = Succession {
            binary,
            run,
            seed,
            homes: homes.clone(),
            listeners: Arc::new(Mutex::new(listening.copies()?)),
            stage: Arc::default(),
        };
        let (mut states, succeeding) = match inheritance.map(Inheritance::take_up).transpose()? {
            None => (Vec::new(), None),
            Some((states, succeeding)) => (states, Some(succeeding)),
        };
        states.reverse();
        let started_unix_ms = clock::unix_ms();
        let facts = facts(&driver, count, started_unix_ms);
        let seen = tls.as_ref().map(|tls| Arc::clone(&tls.state));
        let insight = Insight::new(facts, seen, Arc::new(ShardSource(shards.clone())));
        let admin = Arc::new(Admin::new(store.clone(), Arc::clone(&insight))?);
        let mut threads = Vec::new();
        let parts = Mesh::between(&wakes)
            .into_iter()
            .zip(receivers)
            .zip(listening.sockets);
        for (index, ((mesh, receiver), sockets)) in parts.enumerate() {
            let id = ShardId(index as u16);
            let shard = shard_parts(&config, id, run, homes.clone(), mesh, &shards);
            let led = states
                .pop()
                .zip(succeeding.as_ref())
                .map(|(state, succeeding)| (state, succeeding.link.clone()));
            let context = context::Parts {
                id,
                run,
                started_unix_ms,
                driver: driver.clone(),
                store: store.clone(),
                admin: Arc::clone(&admin),
                shards: shards.clone(),
                counters: Arc::clone(shards.counters(id)),
                tls: tls.as_ref().map(|tls| Arc::clone(&tls.state)),
                config: Arc::new(config.clone()),
            };
            let listeners = Listeners {
                sockets,
                connections_max,
                tls: tls.as_ref().map(|tls| Arc::clone(&tls.server)),
            };
            threads.push(start_shard(context, shard, led, receiver, listeners)?);
        }
        let followers = shards.clone();
        let pages = Arc::clone(&insight);
        store
            .on_sites(move |sites| {
                let sites = Arc::clone(sites);
                pages.changed(Changed::Sites, None);
                match followers.run_all(move |ctx| ctx.take_up_sites(Arc::clone(&sites))) {
                    Ok(()) => TakenUp::Yes,
                    Err(ShardsBusy) => {
                        tracing::warn!(
                            "a shard is too busy to take up a change of the sites; asked again soon"
                        );
                        TakenUp::AskAgain
                    }
                }
            })
            .map_err(|error| StartError(error.to_string()))?;
        let gatherer = Gatherer::start(insight, store.clone(), config.server.public_url.is_some())?;
        let setup = admin
            .setup_token()
            .map_err(|error| StartError(error.to_string()))?;
        if let Some(succeeding) = succeeding {
            if !watchdog::all_answer(&shards, START_WAIT) {
                return Err(StartError("a shard does not start".into()));
            }
            succeeding.serve(shards.clone(), store.clone())?;
        }
        watchdog::start(&shards);
        announce(&config, &listening.addresses, setup.as_deref());
        tracing::info!(shards = count, connections_max, "ready");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        Ok(Self {
            config,
            store,
            admin,
            gatherer,
            shards,
            threads,
            signals,
            tls,
            succession,
        })
    }

    /// Waits for signals, until the shards have stopped.
    fn run(mut self, reload_log: ReloadLog) -> ExitCode {
        let mut stopping = false;
        // The shards' end ends the wait for signals too.
        let handle = self.signals.handle();
        let threads = std::mem::take(&mut self.threads);
        let joiner = thread::spawn(move || {
            let failed = threads
                .into_iter()
                .map(JoinHandle::join)
                .filter(Result::is_err)
                .count();
            handle.close();
            failed
        });
        let mut signals = self.signals;
        for signal in signals.forever() {
            match signal {
                SIGHUP => {
                    tell_reloading();
                    if let Some(tls) = &self.tls {
                        tls.nudge();
                    }
                    reload(&mut self.config, &self.store, &self.shards, &reload_log);
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
                }
                SIGUSR2 => self.succession.begin(
                    &self.config,
                    &self.shards,
                    &self.store,
                    &self.admin,
                    self.tls.as_ref().map(Tls::retirement),
                ),
                _ if !stopping && self.succession.stage.stop() => {
                    stopping = true;
                    tracing::info!("another process has taken over: this one ends with its connections");
                }
                _ if stopping => {
                    tracing::warn!("told twice to stop: stopping at once");
                    return ExitCode::FAILURE;
                }
                _ => {
                    stopping = true;
                    let spread_ms = self.config.server.drain_ms;
                    tracing::info!(spread_ms, "stopping: open connections are closed over this time");
                    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
                    self.admin.insight().close();
                    upgrade::locked(&self.succession.listeners).clear();
                    if self
                        .shards
                        .run_all(move |ctx| ctx.begin_drain(spread_ms, Next::Nobody))
                        .is_err()
                    {
                        tracing::error!("a shard is too busy to stop: stopping at once");
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
        let failed = joiner.join().unwrap_or(1);
        // It writes what it knows of the day, and needs the store for that.
        drop(self.gatherer);
        self.store.close();
        if failed > 0 {
            tracing::error!(failed, "shards have failed");
            return ExitCode::FAILURE;
        }
        tracing::info!("stopped");
        ExitCode::SUCCESS
    }
}

impl Succession {
    /// Starts the binary anew and hands everything to it, on a thread of its own.
    fn begin(
        &self,
        config: &Config,
        shards: &Shards,
        store: &StoreHandle,
        admin: &Arc<Admin>,
        certificates: Option<Retirement>,
    ) {
        if !self.stage.begin() {
            tracing::warn!("no upgrade begins: one is under way, or the relay stops");
            return;
        }
        let old = Predecessor {
            binary: self.binary.clone(),
            arguments: std::env::args_os().skip(1).collect(),
            run: self.run,
            seed: self.seed,
            homes: self.homes.clone(),
            listeners: Arc::clone(&self.listeners),
            drain_ms: config.server.drain_ms,
            shards: shards.clone(),
            store: store.clone(),
            stage: Arc::clone(&self.stage),
        };
        tracing::info!(binary = %old.binary.display(), "upgrading: the binary is started anew");
        let insight = Arc::clone(admin.insight());
        let asked = store.clone();
        let started =
            thread::Builder::new()
                .name("upgrade".to_owned())
                .spawn(move || match upgrade::hand_over(old) {
                    Ok(pid) => {
                        tracing::info!(
                            pid,
                            "another process serves; this one closes its connections and ends"
                        );
                        insight.close();
                        if let Some(certificates) = certificates {
                            certificates.begin();
                        }
                    }
                    Err(reason) => {
                        tracing::error!("not upgraded, and serving as before: {reason}");
                        // A time, so that two refusals for one reason are two.
                        asked.note(&format!("{} {reason}", clock::unix_ms()));
                    }
                });
        if let Err(error) = started {
            self.stage.abandon();
            tracing::error!(%error, "not upgraded, and serving as before");
        }
    }
}

/// What the service manager wants to hear before a reload.
fn tell_reloading() {
    if let Ok(now) = sd_notify::NotifyState::monotonic_usec_now() {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Reloading, now]);
    }
}

/// Reads the settings again, and says what takes effect now and what at the next start.
fn reload(config: &mut Config, store: &StoreHandle, shards: &Shards, reload_log: &ReloadLog) {
    match config.reload() {
        Err(error) => tracing::error!("the settings are kept as they are: {error}"),
        Ok((next, changes)) => {
            reload_log(&next);
            if let Err(error) = store.set_site_defaults(site_defaults(&next)) {
                tracing::error!(%error, "the sites keep their limits");
            }
            let shared = Arc::new(next.clone());
            if shards
                .run_all(move |ctx| ctx.set_config(Arc::clone(&shared)))
                .is_err()
            {
                tracing::error!("a shard is too busy to take up the settings: send SIGHUP again");
            }
            *config = next;
            tracing::info!(changed = ?changes.live, "settings reloaded");
            if !changes.after_restart.is_empty() {
                tracing::warn!(settings = ?changes.after_restart, "changed settings that take effect at the next start");
            }
        }
    }
}

fn workers(config: &Config, inheritance: Option<&Inheritance>) -> u16 {
    if let Some(from) = inheritance {
        // Homes are handed over one by one.
        return from.shards;
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wanted = match config.server.workers {
        0 => cores,
        workers => usize::from(workers),
    };
    wanted.clamp(1, SHARDS_MAX) as u16
}

/// Raises the descriptor limit as far as allowed, and answers how many connections that leaves room for.
fn connections_max(config: &Config) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = files.saturating_sub(RESERVED_FDS).max(16);
    match u64::from(config.limits.connections_max) {
        0 => room,
        wanted => {
            if wanted > room {
                tracing::warn!(
                    room,
                    "limits.connections_max is over what the descriptor limit leaves room for"
                );
            }
            wanted.min(room)
        }
    }
}

fn wake_pairs(count: u16) -> io::Result<(Vec<Arc<Wake>>, Vec<WakeReceiver>)> {
    (0..count).map(|_| wake::pair()).collect()
}

fn random<const N: usize>() -> Result<[u8; N], StartError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| StartError(format!("no random numbers to be had: {error}")))?;
    Ok(bytes)
}

fn shard_parts(
    config: &Config,
    id: ShardId,
    run: u64,
    homes: Homes,
    mesh: Mesh<ToHome, ToLocal>,
    shards: &Shards,
) -> Parts {
    let limits = &config.limits;
    let bytes_max = u32::try_from(limits.outbox_bytes_max).unwrap_or(u32::MAX / 2);
    let outbox = OutboxLimits {
        bytes_max,
        frames_max: u32::try_from(limits.outbox_frames_max).unwrap_or(u32::MAX / 2),
    };
    let channels_max = u16::try_from(limits.channels_per_connection_max).unwrap_or(u16::MAX);
    let recovery = &config.recovery;
    let home_limits = HomeLimits {
        memory_messages_max: recovery.messages_max as usize,
        memory_ms: recovery.age_ms_max,
        memory_bytes_max: recovery.bytes_max / usize::from(homes.shards()),
        channel_members_max: limits.presence_members_max as usize,
        ..HomeLimits::default()
    };
    let local_limits = LocalLimits {
        connection_channels_max: channels_max,
        connection_presences_max: channels_max,
    };
    Parts {
        id,
        run,
        homes,
        local: Local::new(id, local_limits),
        home: Home::new(id, home_limits),
        outbox,
        mesh,
        counters: Arc::clone(shards.counters(id)),
    }
}

fn start_shard(
    context: context::Parts,
    shard: Parts,
    led: Option<(HomeState, upgrade::Link)>,
    wake: WakeReceiver,
    listeners: Listeners,
) -> io::Result<JoinHandle<()>> {
    let index = usize::from(context.id.0);
    thread::Builder::new()
        .name(format!("shard-{index}"))
        .spawn(move || {
            run::pin(index);
            let driver = context.driver.clone();
            let mut shard = Shard::new(shard);
            if let Some((state, link)) = led {
                shard.lead(state, link);
            }
            let ctx = Rc::new(Context::new(context, shard));
            let ran = run::block_on(&driver, async move {
                if let Err(error) = run::run(ctx, wake, listeners).await {
                    tracing::error!(%error, "a shard could not run");
                }
            });
            if let Err(error) = ran {
                panic!("a shard's runtime could not be built: {error}");
            }
        })
}

/// What the operator's side tells about this run.
fn facts(driver: &Driver, shards: u16, started_at: u64) -> RelayFacts {
    RelayFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        shards,
        driver: driver.name().to_owned(),
        driver_reason: match driver {
            Driver::IoUring { .. } => None,
            Driver::Epoll { reason } => Some(reason.clone()),
        },
    }
}

/// Says on standard output where the relay is, and how it is set up while it has no owner. The link is a secret until then,
/// and therefore not for the log.
fn announce(config: &Config, addresses: &[(Purpose, SocketAddr)], setup: Option<&str>) {
    let base = config.server.base_path.as_str();
    let mut out = io::stdout().lock();
    for (purpose, address) in addresses {
        // Nobody may read standard output.
        let _ = match purpose {
            Purpose::Relay => writeln!(out, "listening on http://{address}{base}"),
            Purpose::Tls => writeln!(out, "listening on https://{address}{base}"),
            Purpose::Redirect => writeln!(out, "http://{address} leads to https"),
            Purpose::Metrics => writeln!(out, "metrics on http://{address}/metrics"),
        };
    }
    if let (Some(token), Some(address)) = (setup, addresses.first().map(|(_, address)| address)) {
        let url = match &config.server.public_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("http://{address}{base}"),
        };
        let _ = writeln!(out, "set up the relay, once: {url}/dashboard/setup?token={token}");
    }
    let _ = out.flush();
}
