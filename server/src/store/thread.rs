//! The thread that owns the database: jobs in order, and between them what other processes wrote.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::usage::UsageLog;
use super::{StoreError, snapshot};
use crate::site::{SiteLimits, Sites};

/// How often another process' writes are looked for: they count within a second.
pub const POLL: Duration = Duration::from_millis(250);

/// How often usage is written: what a crash may forget of it.
const USAGE_FLUSH: Duration = Duration::from_secs(5);

/// Tables that the snapshot of sites is made from.
const SNAPSHOT_TABLES: [&str; 2] = ["sites", "accounts"];

pub type Outcome<T> = Result<T, StoreError>;

/// What is left of a job once it ran: to answer, after the snapshot has been renewed.
type Answer = Box<dyn FnOnce()>;

/// Called with each new snapshot.
pub type Watcher = Box<dyn FnMut(&Arc<Sites>) -> TakenUp + Send>;

/// What a watcher says of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenUp {
    Yes,
    /// It had no room: it is offered the then current one at the next poll.
    AskAgain,
}

pub enum Job {
    Run(Box<dyn FnOnce(&mut Connection) -> Answer + Send>),
    OnSites(Watcher),
    SiteDefaults(SiteLimits),
    Stop,
}

impl Job {
    pub fn write<T: 'static>(
        f: impl FnOnce(&Transaction<'_>) -> Outcome<T> + Send + 'static,
        reply: impl FnOnce(Outcome<T>) + Send + 'static,
    ) -> Job {
        Job::Run(Box::new(move |db| {
            let result = guarded(|| {
                let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let value = f(&tx)?;
                tx.commit()?;
                Ok(value)
            });
            Box::new(move || reply(result))
        }))
    }

    pub fn read<T: 'static>(
        f: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
        reply: impl FnOnce(Outcome<T>) + Send + 'static,
    ) -> Job {
        Job::Run(Box::new(move |db| {
            let result = guarded(|| f(db));
            Box::new(move || reply(result))
        }))
    }
}

/// A job that panics fails alone. Its transaction is rolled back as the stack unwinds.
fn guarded<T>(f: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or(Err(StoreError::Failed))
}

pub struct Worker {
    db: Connection,
    sites: Arc<ArcSwap<Sites>>,
    defaults: SiteLimits,
    watchers: Vec<Watcher>,
    /// Someone could not take the last snapshot.
    owed: bool,
    usage: UsageLog,
    /// Set by SQLite when a row of [`SNAPSHOT_TABLES`] changes.
    changed: Arc<AtomicBool>,
    /// As of the last look; moves when another connection commits.
    data_version: i64,
}

impl Worker {
    pub fn new(
        mut db: Connection,
        sites: Arc<ArcSwap<Sites>>,
        defaults: SiteLimits,
    ) -> Result<Worker, StoreError> {
        let changed = Arc::new(AtomicBool::new(false));
        let seen = changed.clone();
        db.update_hook(Some(move |_, _: &str, table: &str, _| {
            if SNAPSHOT_TABLES.contains(&table) {
                seen.store(true, Ordering::Relaxed);
            }
        }))?;
        let data_version = data_version(&db)?;
        Ok(Worker {
            db,
            sites,
            defaults,
            watchers: Vec::new(),
            owed: false,
            usage: UsageLog::default(),
            changed,
            data_version,
        })
    }

    /// Makes a new snapshot and hands it to everyone.
    pub fn refresh(&mut self) -> Result<(), StoreError> {
        self.changed.store(false, Ordering::Relaxed);
        let next = Arc::new(snapshot::build(&self.db, &self.sites.load(), self.defaults)?);
        for site in next.iter() {
            self.usage.know(site);
        }
        self.sites.store(next);
        self.offer();
        Ok(())
    }

    /// Hands the snapshot to everyone; taking the same one up twice is harmless.
    fn offer(&mut self) {
        let sites = self.sites.load_full();
        let answers = self.watchers.iter_mut().map(|watcher| watcher(&sites));
        self.owed = answers.fold(false, |owed, answer| owed | (answer == TakenUp::AskAgain));
    }

    fn refresh_if_changed(&mut self) {
        if self.changed.load(Ordering::Relaxed)
            && let Err(e) = self.refresh()
        {
            // Tried again at the next poll; until then the shards keep the last good snapshot.
            self.changed.store(true, Ordering::Relaxed);
            tracing::error!(error = %e, "cannot read the sites; keeping the last ones known");
        }
    }

    fn poll(&mut self) {
        match data_version(&self.db) {
            Ok(version) if version != self.data_version => {
                self.data_version = version;
                self.changed.store(true, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(e) => tracing::error!(error = %e, "cannot look for changes in the store"),
        }
        self.refresh_if_changed();
        if self.owed {
            self.offer();
        }
    }

    fn flush_usage(&mut self) {
        if let Err(e) = self
            .usage
            .flush(&mut self.db, &self.sites.load(), crate::clock::unix_ms())
        {
            tracing::error!(error = %e, "cannot write the usage counters; they are kept and tried again");
        }
    }
}

fn data_version(db: &Connection) -> Result<i64, StoreError> {
    Ok(db
        .prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))?)
}

/// Until told to stop, or until nobody can ask any more.
pub fn run(mut worker: Worker, queue: Receiver<Job>) {
    let mut next_poll = Instant::now() + POLL;
    let mut next_flush = Instant::now() + USAGE_FLUSH;
    loop {
        match queue.recv_timeout(next_poll.saturating_duration_since(Instant::now())) {
            Ok(Job::Run(job)) => {
                let answer = job(&mut worker.db);
                worker.refresh_if_changed();
                answer();
            }
            Ok(Job::OnSites(mut watcher)) => {
                worker.owed |= watcher(&worker.sites.load_full()) == TakenUp::AskAgain;
                worker.watchers.push(watcher);
            }
            Ok(Job::SiteDefaults(defaults)) => {
                worker.defaults = defaults;
                worker.changed.store(true, Ordering::Relaxed);
                worker.refresh_if_changed();
            }
            Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        // Checked after jobs too, so that a steady stream of them holds up neither.
        if Instant::now() >= next_poll {
            worker.poll();
            next_poll = Instant::now() + POLL;
        }
        if Instant::now() >= next_flush {
            worker.flush_usage();
            next_flush = Instant::now() + USAGE_FLUSH;
        }
    }
    worker.flush_usage();
}
