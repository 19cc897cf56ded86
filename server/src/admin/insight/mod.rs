//! Live insight: one thread asks the shards, keeps the last minutes, and pushes them to whoever watches.
//!
//! While a stream is open the shards are asked four times a second, else once, for the history. What is pushed does not grow
//! with traffic: counts are summed, the log is a bounded sample. A stream that does not keep up is told so and ended.

mod attention;
mod gather;
mod log;
mod rates;
pub mod routes;
mod streams;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::mpsc;
use hookcast_api::insight::{Changed, EventLog, RefusalEntry, Relay as RelayFacts, Snapshot, StreamEvent};

pub use gather::{Gatherer, ShardReport, Source};
pub use streams::{StreamOwner, StreamWish};

use bytes::Bytes;
use gather::State;
use streams::Streams;

use crate::ids::SiteId;
use crate::tls;

/// How long a site's payloads are shown before an operator has to ask again.
const PAYLOADS_MS: u64 = 10 * 60 * 1000;

/// What is known of a site in this run.
#[derive(Clone, Copy, Debug, Default)]
pub struct SiteSeen {
    pub last_publish_ms: Option<u64>,
    pub last_connection_ms: Option<u64>,
    pub payloads_until_ms: Option<u64>,
}

/// The operator side's view of the running relay. Written by the gathering thread, read by every shard's handlers; each holds
/// the lock for as long as copying takes.
pub struct Insight {
    relay: RelayFacts,
    /// Where the relay itself speaks TLS.
    tls: Option<Arc<tls::State>>,
    state: Mutex<State>,
    streams: Mutex<Streams>,
    source: Arc<dyn Source>,
}

impl Insight {
    /// Nothing is gathered until a [`Gatherer`] runs.
    pub fn new(relay: RelayFacts, tls: Option<Arc<tls::State>>, source: Arc<dyn Source>) -> Arc<Insight> {
        Arc::new(Insight {
            relay,
            tls,
            state: Mutex::default(),
            streams: Mutex::default(),
            source,
        })
    }

    pub fn tls(&self) -> Option<&Arc<tls::State>> {
        self.tls.as_ref()
    }

    pub fn relay(&self) -> &RelayFacts {
        &self.relay
    }

    pub fn snapshot(&self, now_ms: u64) -> Snapshot {
        let state = self.state();
        Snapshot {
            now: now_ms,
            relay: self.relay.clone(),
            tick: state.tick.clone(),
            history: state.history.iter().copied().collect(),
            attention: state.attention.clone(),
            refusals: state.log.refusals(None, usize::MAX),
        }
    }

    pub fn events(&self, site_key: Option<&str>, after: u64, limit: usize) -> EventLog {
        self.state().log.entries(site_key, after, limit)
    }

    pub fn refusals(&self, site_key: &str, limit: usize) -> Vec<RefusalEntry> {
        self.state().log.refusals(Some(site_key), limit)
    }

    pub fn seen(&self, site: SiteId, now_ms: u64) -> SiteSeen {
        let state = self.state();
        let payloads_until_ms = state
            .watched
            .get(&site)
            .copied()
            .filter(|until_ms| now_ms < *until_ms);
        SiteSeen {
            payloads_until_ms,
            ..state.seen.get(&site).copied().unwrap_or_default()
        }
    }

    /// Lets a site's payloads into the log for a while, or no longer. Tells until when.
    pub fn watch_payloads(&self, site: SiteId, on: bool, now_ms: u64) -> Option<u64> {
        let until_ms = on.then_some(now_ms + PAYLOADS_MS);
        let mut state = self.state();
        match until_ms {
            Some(until_ms) => drop(state.watched.insert(site, until_ms)),
            None => state.stop_watching(site),
        }
        let watched = state.watched.clone();
        drop(state);
        self.tell_watched(&watched);
        until_ms
    }

    /// Opens a stream: the snapshot first, then everything new. `None` when there are as many as may be.
    pub fn open_stream(&self, wish: StreamWish, now_ms: u64) -> Option<mpsc::Receiver<Bytes>> {
        let first = StreamEvent::Snapshot {
            api_version: hookcast_api::API_VERSION,
            snapshot: Box::new(self.snapshot(now_ms)),
        };
        self.streams().open(wish, &first)
    }

    /// Something stored changed: pages that show it read it again.
    pub fn changed(&self, what: Changed, site_key: Option<String>) {
        self.streams().send_all(&StreamEvent::Changed { what, site_key });
    }

    /// A session ended: so do its streams.
    pub fn session_ended(&self, session: &str) {
        self.streams().end(
            |owner| owner.session.as_deref() == Some(session),
            "the session ended",
        );
    }

    /// An account's sessions ended, but for `keep`.
    pub fn sessions_ended_but(&self, account: i64, keep: &str) {
        let ended =
            |owner: &StreamOwner| owner.account == Some(account) && owner.session.as_deref() != Some(keep);
        self.streams().end(ended, "the session ended");
    }

    /// The relay stops.
    pub fn close(&self) {
        self.streams().end(|_| true, "the relay is stopping");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_watched(&self, watched: &HashMap<SiteId, u64>) {
        self.source.watch(
            watched
                .iter()
                .map(|(site, until_ms)| (*site, *until_ms))
                .collect(),
        );
    }
}
