//! The store as the rest of the program sees it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use futures_channel::oneshot;
use rusqlite::{Connection, Transaction};

use super::data_dir::{self, ServerLock};
use super::thread::{self, Job, Outcome, TakenUp, Worker};
use super::{StoreError, migrations};
use crate::config::Config;
use crate::site::{SiteLimits, Sites};

/// Jobs that may wait. A write takes milliseconds, so this many are seconds of work: more is refused, not queued.
const QUEUE_JOBS_MAX: usize = 1024;

/// Who opens the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A relay: one at a time in a data directory, and it counts usage.
    Server,
    /// A relay that takes over from another one: it locks the directory once the other has unlocked it.
    Successor,
    /// A subcommand, beside a server or without one.
    Tool,
}

/// A clone is the same store. When the last one goes, the thread finishes what is queued and ends;
/// [`close`](Self::close) waits for that.
#[derive(Clone)]
pub struct StoreHandle {
    shared: Arc<Shared>,
}

struct Shared {
    jobs: SyncSender<Job>,
    sites: Arc<ArcSwap<Sites>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<ServerLock>>,
    dir: PathBuf,
}

/// What sites may use that have no limits of their own.
pub fn site_defaults(config: &Config) -> SiteLimits {
    SiteLimits {
        connections_max: config.limits.connections_per_site_max,
        publish_rate: config.limits.publishes_per_second,
        publish_burst: config.limits.publishes_burst,
        monthly_quota: config.limits.publishes_per_month_max,
    }
}

impl StoreHandle {
    /// Whether there is a store in `dir` already.
    pub fn exists(dir: &Path) -> bool {
        data_dir::database(dir).exists()
    }

    /// Opens (or creates) the store in `dir`, migrates it, and starts its thread.
    pub fn open(dir: &Path, role: Role, defaults: SiteLimits) -> Result<StoreHandle, StoreError> {
        data_dir::prepare(dir)?;
        let lock = match role {
            Role::Server => Some(ServerLock::take(dir)?),
            Role::Successor | Role::Tool => None,
        };
        let mut db = data_dir::open(dir)?;
        migrations::migrate(&mut db)?;
        let sites = Arc::new(ArcSwap::from_pointee(Sites::default()));
        let mut worker = Worker::new(db, sites.clone(), defaults)?;
        worker.refresh()?;
        let (jobs, queue) = sync_channel(QUEUE_JOBS_MAX);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || thread::run(worker, queue))
            .map_err(StoreError::io("cannot start the store's thread"))?;
        let thread = Mutex::new(Some(thread));
        Ok(StoreHandle {
            shared: Arc::new(Shared {
                jobs,
                sites,
                thread,
                lock: Mutex::new(lock),
                dir: dir.to_owned(),
            }),
        })
    }

    /// Runs `f` in a transaction of its own; it is committed and on disk, and shows in [`sites`](Self::sites), before the
    /// future resolves. An error rolls it back. The job is queued by the call itself: dropping the future stops nothing.
    pub fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + 'static {
        let (reply, answer) = oneshot::channel();
        self.answered(answer, Job::write(f, move |result| drop(reply.send(result))))
    }

    /// Runs `f` on the store's thread; keep it short, writes wait behind it.
    pub fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + 'static {
        let (reply, answer) = oneshot::channel();
        self.answered(answer, Job::read(f, move |result| drop(reply.send(result))))
    }

    fn answered<T: Send + 'static>(
        &self,
        answer: oneshot::Receiver<Outcome<T>>,
        job: Job,
    ) -> impl Future<Output = Result<T, StoreError>> + 'static {
        let queued = self.shared.jobs.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Closed,
        });
        async move {
            queued?;
            answer.await.map_err(|_| StoreError::Closed)?
        }
    }

    /// [`write`](Self::write) for the command line and start-up: waits for a place in the queue, and for the answer.
    pub fn write_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let job = Job::write(f, move |result| drop(reply.send(result)));
        self.shared.jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// [`read`](Self::read) for the command line and start-up.
    pub fn read_blocking<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = sync_channel(1);
        let job = Job::read(f, move |result| drop(reply.send(result)));
        self.shared.jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.recv().map_err(|_| StoreError::Closed)?
    }

    /// The sites as of the last write.
    pub fn sites(&self) -> Arc<Sites> {
        self.shared.sites.load_full()
    }

    /// `callback` gets the current snapshot and each later one, on the store's thread: it must not wait for the store.
    pub fn on_sites(
        &self,
        callback: impl FnMut(&Arc<Sites>) -> TakenUp + Send + 'static,
    ) -> Result<(), StoreError> {
        self.shared
            .jobs
            .send(Job::OnSites(Box::new(callback)))
            .map_err(|_| StoreError::Closed)
    }

    /// After a reload of the settings: what sites may use that have no limits of their own.
    pub fn set_site_defaults(&self, defaults: SiteLimits) -> Result<(), StoreError> {
        self.shared
            .jobs
            .send(Job::SiteDefaults(defaults))
            .map_err(|_| StoreError::Closed)
    }

    /// Takes the directory once another server has let go of it.
    pub fn lock(&self) -> Result<(), StoreError> {
        let taken = ServerLock::take(&self.shared.dir)?;
        *self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(taken);
        Ok(())
    }

    /// Lets another server use the data directory while this one drains.
    pub fn unlock(&self) {
        drop(
            self.shared
                .lock
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// Leaves word in the directory's lock, for another process that asked for something.
    pub fn note(&self, text: &str) {
        let lock = self.shared.lock.lock();
        if let Some(lock) = lock.unwrap_or_else(PoisonError::into_inner).as_ref() {
            lock.note(text);
        }
    }

    /// Finishes what is queued, writes the usage counters, and waits for the thread to end.
    pub fn close(&self) {
        // Refused only when the thread has ended already.
        let _ = self.shared.jobs.send(Job::Stop);
        let thread = self
            .shared
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the store's thread panicked");
        }
    }
}
