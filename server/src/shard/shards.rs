//! The way from other threads to the shards: a bounded queue of jobs each, and a wake-up.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_queue::ArrayQueue;
use futures_channel::oneshot;

use super::Context;
use super::counters::ShardCounters;
use crate::ids::ShardId;
use crate::wake::Wake;

/// Jobs that may wait for one shard. They come from people and timers, not from traffic.
const JOBS_MAX: usize = 1024;

/// Something to do on a shard's own thread. It must not block: the core serves nobody else meanwhile.
pub type Job = Box<dyn FnOnce(&Rc<Context>) + Send>;

/// A shard has as many jobs waiting as it may, or it has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardsBusy;

impl fmt::Display for ShardsBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the relay is too busy to answer: try again shortly")
    }
}

impl std::error::Error for ShardsBusy {}

/// All shards, for whoever is not one of them.
#[derive(Clone)]
pub struct Shards(Arc<[Inbox]>);

struct Inbox {
    jobs: ArrayQueue<Job>,
    wake: Arc<Wake>,
    counters: Arc<ShardCounters>,
    stopped: AtomicBool,
    /// Listeners that this shard still accepts from.
    listening: AtomicUsize,
}

impl Shards {
    pub fn new(wakes: &[Arc<Wake>]) -> Self {
        let inbox = |wake: &Arc<Wake>| Inbox {
            jobs: ArrayQueue::new(JOBS_MAX),
            wake: Arc::clone(wake),
            counters: Arc::default(),
            stopped: AtomicBool::new(false),
            listening: AtomicUsize::new(0),
        };
        Self(wakes.iter().map(inbox).collect())
    }

    pub fn count(&self) -> u16 {
        self.0.len() as u16
    }

    pub fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.count()).map(ShardId)
    }

    pub fn counters(&self, shard: ShardId) -> &Arc<ShardCounters> {
        &self.0[shard.0 as usize].counters
    }

    /// Queues a job for one shard.
    pub fn run(
        &self,
        shard: ShardId,
        job: impl FnOnce(&Rc<Context>) + Send + 'static,
    ) -> Result<(), ShardsBusy> {
        self.offer(shard, Box::new(job)).map_err(|(_, busy)| busy)
    }

    /// Like [`run`](Self::run), and gives the job back where there is no room for it.
    pub fn offer(&self, shard: ShardId, job: Job) -> Result<(), (Job, ShardsBusy)> {
        let inbox = self.0.get(shard.0 as usize).expect("a shard of this relay");
        inbox.jobs.push(job).map_err(|job| (job, ShardsBusy))?;
        inbox.wake.wake();
        Ok(())
    }

    /// Whether the shards' threads have ended: nobody does a job any more.
    pub fn is_stopped(&self) -> bool {
        self.0.iter().all(|inbox| inbox.stopped.load(Ordering::Acquire))
    }

    /// Whether a shard still accepts.
    pub fn is_listening(&self) -> bool {
        self.0
            .iter()
            .any(|inbox| inbox.listening.load(Ordering::Acquire) > 0)
    }

    pub(super) fn set_listening(&self, shard: ShardId, listeners: usize) {
        self.0[shard.0 as usize]
            .listening
            .store(listeners, Ordering::Release);
    }

    /// A listener of this shard has ended.
    pub fn end_listener(&self, shard: ShardId) {
        self.0[shard.0 as usize].listening.fetch_sub(1, Ordering::AcqRel);
    }

    /// Called by a shard as it ends.
    pub(super) fn set_stopped(&self, shard: ShardId) {
        self.0[shard.0 as usize].stopped.store(true, Ordering::Release);
    }

    /// Queues the same job for every shard.
    pub fn run_all(&self, job: impl Fn(&Rc<Context>) + Clone + Send + 'static) -> Result<(), ShardsBusy> {
        self.ids().try_for_each(|shard| {
            let job = job.clone();
            self.run(shard, move |ctx| job(ctx))
        })
    }

    /// Asks one shard. The answer fails only when the shard is too busy or stops.
    pub async fn ask<T: Send + 'static>(
        &self,
        shard: ShardId,
        question: impl FnOnce(&Rc<Context>) -> T + Send + 'static,
    ) -> Result<T, ShardsBusy> {
        self.question(shard, question)?.await.map_err(|_| ShardsBusy)
    }

    /// Asks every shard the same, all at once; the answers come in the order of the shards.
    pub async fn ask_all<T: Send + 'static>(
        &self,
        question: impl Fn(&Rc<Context>) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, ShardsBusy> {
        let asked: Vec<_> = self
            .ids()
            .map(|shard| self.question(shard, question.clone()))
            .collect::<Result<_, _>>()?;
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            answers.push(answer.await.map_err(|_| ShardsBusy)?);
        }
        Ok(answers)
    }

    fn question<T: Send + 'static>(
        &self,
        shard: ShardId,
        question: impl FnOnce(&Rc<Context>) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, ShardsBusy> {
        let (sender, receiver) = oneshot::channel();
        self.run(shard, move |ctx| {
            // Whoever asked may have gone meanwhile.
            let _ = sender.send(question(ctx));
        })?;
        Ok(receiver)
    }

    /// Has a shard look at its queues again.
    pub(super) fn wake(&self, shard: ShardId) {
        self.0[shard.0 as usize].wake.wake();
    }

    /// The next job that waits for `shard`; called by the shard itself.
    pub(super) fn next_job(&self, shard: ShardId) -> Option<Job> {
        self.0[shard.0 as usize].jobs.pop()
    }
}
