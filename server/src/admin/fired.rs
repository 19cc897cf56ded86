//! How often triggers fired, counted in memory and written every few seconds: a webhook is answered without waiting for it.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::ids::SiteId;
use crate::store::{StoreHandle, triggers};

const WRITTEN_EVERY: Duration = Duration::from_secs(2);
/// Problems remembered, one a trigger.
const PROBLEMS_MAX: usize = 2_000;
/// Triggers counted between two writes: WordPress may name what it likes, and gets no more memory than this.
const COUNTED_MAX: usize = 10_000;
/// A trigger's id, 16 hex characters.
const ID_BYTES: usize = 16;

#[derive(Default)]
struct Counts {
    /// By site and trigger: times and the last time, since they were written.
    fired: HashMap<(SiteId, String), (u64, u64)>,
    /// Why the last run published nothing, or not everything.
    problems: HashMap<String, String>,
}

pub struct Fired {
    counts: Arc<Mutex<Counts>>,
    /// The writer ends when this goes.
    _alive: Sender<()>,
}

impl Fired {
    pub fn start(store: StoreHandle) -> std::io::Result<Fired> {
        let counts = Arc::<Mutex<Counts>>::default();
        let (alive, ended) = channel::<()>();
        let shared = Arc::clone(&counts);
        thread::Builder::new()
            .name("triggers".to_owned())
            .spawn(move || {
                while ended.recv_timeout(WRITTEN_EVERY) == Err(RecvTimeoutError::Timeout) {
                    write(&shared, &store);
                }
                write(&shared, &store);
            })?;
        Ok(Fired {
            counts,
            _alive: alive,
        })
    }

    /// A trigger published. `missing` are paths that its input did not have.
    pub fn fired(&self, site: SiteId, id: &str, missing: &[String], now_ms: u64) {
        let mut counts = self.lock();
        count(&mut counts, site, id, now_ms);
        match missing {
            [] => drop(counts.problems.remove(id)),
            _ => remember(
                &mut counts,
                id,
                format!("not in its input: {}", missing.join(", ")),
            ),
        }
    }

    /// WordPress says that it evaluated a trigger. What is none of the site's triggers is dropped when it is written.
    pub fn fired_in_wordpress(&self, site: SiteId, id: &str, now_ms: u64) {
        count(&mut self.lock(), site, id, now_ms);
    }

    /// A trigger published nothing.
    pub fn problem(&self, id: &str, why: &str) {
        remember(&mut self.lock(), id, why.to_owned());
    }

    /// What is not in the store yet: times, last time; and the last problem.
    pub fn since_written(&self, site: SiteId, id: &str) -> (u64, Option<u64>, Option<String>) {
        let counts = self.lock();
        let fired = counts.fired.get(&(site, id.to_owned()));
        (
            fired.map_or(0, |(times, _)| *times),
            fired.map(|(_, last_ms)| *last_ms),
            counts.problems.get(id).cloned(),
        )
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(counts: &mut Counts, site: SiteId, id: &str, now_ms: u64) {
    if id.len() != ID_BYTES || counts.fired.len() >= COUNTED_MAX {
        return;
    }
    let (times, last_ms) = counts.fired.entry((site, id.to_owned())).or_default();
    *times += 1;
    *last_ms = now_ms;
}

fn remember(counts: &mut Counts, id: &str, why: String) {
    if counts.problems.len() >= PROBLEMS_MAX && !counts.problems.contains_key(id) {
        counts.problems.clear();
    }
    counts.problems.insert(id.to_owned(), why);
}

fn write(counts: &Mutex<Counts>, store: &StoreHandle) {
    let taken = std::mem::take(&mut counts.lock().unwrap_or_else(PoisonError::into_inner).fired);
    if taken.is_empty() {
        return;
    }
    let rows = taken
        .into_iter()
        .map(|((site, id), (times, last_ms))| (site.0, id, times, last_ms))
        .collect::<Vec<_>>();
    if let Err(error) = store.write_blocking(move |tx| triggers::add_fired(tx, &rows)) {
        tracing::warn!(%error, "how often triggers fired could not be written");
    }
}
