//! The gathering thread: asks the shards, keeps the last minutes, pushes what is new.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use hookcast_api::insight::{
    Attention, Connections, HISTORY_SECONDS, Point, ShardTick, SiteTick, StreamEvent, Tick, Totals,
};

use super::attention::{Facts, attention, descriptors_max};
use super::log::Log;
use super::{Insight, SiteSeen, rates};
use crate::admin::relay::ConnectionQuery;
use crate::clock;
use crate::ids::SiteId;
use crate::insight::{Latency, Notes};
use crate::site::{REFUSAL_CODES, Site, Sites};
use crate::store::{StoreHandle, audit, sessions, usage};

/// While somebody watches.
const WATCHED_EVERY: Duration = Duration::from_millis(250);
/// For the history, and the connection tables of streams.
const EVERY: Duration = Duration::from_secs(1);
/// Payloads are forgotten when nobody has looked at them for this long.
const UNWATCHED_MS: u64 = 15_000;
/// How often the sessions behind the streams are looked up again.
const SESSIONS_CHECKED_EVERY_MS: u64 = 30_000;
const PRUNED_EVERY_MS: u64 = 3_600_000;
const PEAKS_EVERY_MS: u64 = 60_000;
const MINUTE_SECONDS: usize = 60;

/// What one shard knows when it is asked.
#[derive(Debug, Default)]
pub struct ShardReport {
    pub shard: u16,
    pub totals: Totals,
    pub channels: u64,
    pub queued_bytes: u64,
    pub notes: Notes,
}

/// The running shards, for the gathering thread. Calls wait for the shards, a second at most; `None` is a relay that stops
/// or has no time.
pub trait Source: Send + Sync {
    fn reports(&self) -> Option<Vec<ShardReport>>;
    fn connections(&self, query: &ConnectionQuery) -> Option<Connections>;
    /// Whose payloads to note, and until when.
    fn watch(&self, watched: Vec<(SiteId, u64)>);
}

/// What the gathering thread knows.
#[derive(Default)]
pub struct State {
    pub tick: Tick,
    pub history: VecDeque<Point>,
    pub attention: Vec<Attention>,
    pub log: Log,
    pub seen: HashMap<SiteId, SiteSeen>,
    /// Sites whose payloads are shown, and until when.
    pub watched: HashMap<SiteId, u64>,
    /// Whose payloads to forget in the next round.
    unwatched: Vec<SiteId>,
    second: Second,
    sites: HashMap<SiteId, SiteCounts>,
    /// Browser refusals of each site by code, as of the last seconds: the newest last.
    refused: VecDeque<HashMap<SiteId, [u64; REFUSAL_CODES.len()]>>,
    drops: VecDeque<u64>,
    /// Most connections of each site since they were last written.
    peaks: HashMap<SiteId, u64>,
}

/// As of the last full second.
#[derive(Default)]
struct Second {
    at_ms: u64,
    totals: Totals,
    shards: HashMap<u16, Totals>,
    latency: Latency,
}

/// A site's counters as of the last full second, and its rates over it.
#[derive(Clone, Copy, Default)]
struct SiteCounts {
    published: u64,
    delivered: u64,
    publishes_per_second: f64,
    deliveries_per_second: f64,
}

impl State {
    pub fn stop_watching(&mut self, site: SiteId) {
        if self.watched.remove(&site).is_some() {
            self.unwatched.push(site);
        }
    }
}

/// Gathers until it is dropped.
pub struct Gatherer {
    stop: Option<Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Gatherer {
    pub fn start(
        insight: Arc<Insight>,
        store: StoreHandle,
        public_url_set: bool,
    ) -> std::io::Result<Gatherer> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("insight".to_owned()).spawn(move || {
            Rounds {
                insight,
                store,
                public_url_set,
                sessions_ms: 0,
                pruned_ms: 0,
                peaks_ms: 0,
                watched_ms: 0,
            }
            .run(&stopped);
        })?;
        Ok(Gatherer {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Gatherer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that gathers insight panicked");
        }
    }
}

struct Rounds {
    insight: Arc<Insight>,
    store: StoreHandle,
    public_url_set: bool,
    sessions_ms: u64,
    pruned_ms: u64,
    peaks_ms: u64,
    /// When a log was last watched.
    watched_ms: u64,
}

impl Rounds {
    fn run(&mut self, stopped: &Receiver<()>) {
        loop {
            let watched = !self.insight.streams().is_empty();
            let pause = if watched { WATCHED_EVERY } else { EVERY };
            match stopped.recv_timeout(pause) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => {
                    self.insight.close();
                    return self.peaks(clock::unix_ms(), true);
                }
            }
            let now_ms = clock::unix_ms();
            // A relay that is too busy to answer is asked again in the next round.
            if let Some(reports) = self.insight.source.reports() {
                self.insight
                    .take_in(reports, &self.store.sites(), self.public_url_set, now_ms);
            }
            self.payloads(now_ms);
            self.sessions(now_ms);
            self.peaks(now_ms, false);
            self.prune(now_ms);
        }
    }

    /// Ends watches that ran out or that nobody looks at.
    fn payloads(&mut self, now_ms: u64) {
        if self.insight.streams().iter().any(|stream| stream.wish.log) {
            self.watched_ms = now_ms;
        }
        let looked_at = now_ms.saturating_sub(self.watched_ms) < UNWATCHED_MS;
        let mut state = self.insight.state();
        let over = state
            .watched
            .iter()
            // A watch is set before the stream that shows it may be open.
            .filter(|(_, until_ms)| {
                now_ms >= **until_ms
                    || (!looked_at
                        && super::PAYLOADS_MS.saturating_sub(until_ms.saturating_sub(now_ms)) > UNWATCHED_MS)
            })
            .map(|(site, _)| *site)
            .collect::<Vec<_>>();
        let changed = !over.is_empty();
        over.into_iter().for_each(|site| state.stop_watching(site));
        let (watched, sites) = (state.watched.clone(), self.store.sites());
        for site in std::mem::take(&mut state.unwatched) {
            if let Some(site) = sites.by_id(site) {
                state.log.forget_payloads(&site.key);
            }
        }
        drop(state);
        if changed {
            self.insight.tell_watched(&watched);
        }
    }

    /// Each site's most connections, for its usage by day.
    fn peaks(&mut self, now_ms: u64, all: bool) {
        if !all && now_ms.saturating_sub(self.peaks_ms) < PEAKS_EVERY_MS {
            return;
        }
        self.peaks_ms = now_ms;
        let peaks = std::mem::take(&mut self.insight.state().peaks);
        let peaks = peaks
            .into_iter()
            .map(|(site, peak)| (site.0, peak))
            .collect::<Vec<_>>();
        if !peaks.is_empty()
            && let Err(error) = self
                .store
                .write_blocking(move |tx| usage::add_peaks(tx, &peaks, now_ms))
        {
            tracing::warn!(%error, "the most connections of the day could not be written");
        }
    }

    /// A session may end without this process: by the command line, or by its account being switched off.
    fn sessions(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.sessions_ms) < SESSIONS_CHECKED_EVERY_MS {
            return;
        }
        self.sessions_ms = now_ms;
        let ids = self
            .insight
            .streams()
            .iter()
            .filter_map(|stream| stream.wish.owner.session.clone())
            .collect::<Vec<_>>();
        if !ids.is_empty() {
            // An open stream is a session in use.
            let alive = self
                .store
                .write_blocking(move |tx| sessions::keep_alive(tx, &ids, now_ms));
            if let Ok(alive) = alive {
                let gone = |session: &String| !alive.contains(session);
                self.insight.streams().end(
                    |owner| owner.session.as_ref().is_some_and(gone),
                    "the session ended",
                );
            }
        }
        let over = |until_ms: Option<u64>| until_ms.is_some_and(|until_ms| now_ms >= until_ms);
        self.insight
            .streams()
            .end(|owner| over(owner.until_ms), "the session ended");
    }

    fn prune(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.pruned_ms) < PRUNED_EVERY_MS {
            return;
        }
        self.pruned_ms = now_ms;
        if let Err(error) = self.store.write_blocking(move |tx| audit::prune(tx, now_ms)) {
            tracing::warn!(%error, "old entries of the audit log could not be removed");
        }
    }
}

impl Insight {
    /// One round: what the shards told becomes the new state, and every stream gets what is new in it.
    pub fn take_in(&self, reports: Vec<ShardReport>, sites: &Sites, public_url_set: bool, now_ms: u64) {
        let mut state = self.state();
        let (mut noted, mut delivered, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let (mut missed, mut refusals_missed) = (0, 0);
        let mut shards = Vec::with_capacity(reports.len());
        for report in reports {
            let notes = report.notes;
            noted.extend(notes.messages);
            delivered.extend(notes.delivered);
            refused.extend(notes.refusals);
            missed += notes.messages_missed;
            refusals_missed += notes.refusals_missed;
            state.second.latency.add(&notes.latency);
            shards.push((report.shard, report.totals, report.channels, report.queued_bytes));
        }
        let fresh = state.log.round(noted, delivered, refused, sites);
        let full_second = now_ms.saturating_sub(state.second.at_ms) >= 1000;
        state.new_tick(&shards, sites, now_ms, full_second);
        if full_second {
            let facts = state.minute(&shards, sites);
            let found = attention(
                &Facts {
                    relay: &self.relay,
                    public_url_set,
                    certificate: self.tls.as_ref().map(|tls| &tls.health),
                    now_s: now_ms / 1000,
                    descriptors: descriptors_max()
                        .map(|max| (state.tick.totals.sockets + state.tick.totals.streams + 32, max)),
                    drops_last_minute: facts.0,
                    refused_browsers: &facts.1,
                },
                sites,
            );
            if found != state.attention {
                self.streams().send_all(&StreamEvent::Attention {
                    attention: found.clone(),
                });
                state.attention = found;
            }
        }
        let tick = state.tick.clone();
        drop(state);

        let mut streams = self.streams();
        streams.send_all(&StreamEvent::Tick { tick });
        let wanted = |wish: &Option<String>, key: Option<&str>| wish.is_none() || wish.as_deref() == key;
        if !fresh.entries.is_empty() || missed > 0 {
            streams.send_to(|wish| {
                let fits = |key: &str| wanted(&wish.site_key, Some(key));
                let entries = fresh
                    .entries
                    .iter()
                    .filter(|entry| fits(&entry.site_key))
                    .cloned()
                    .collect::<Vec<_>>();
                (wish.log && (!entries.is_empty() || missed > 0))
                    .then_some(StreamEvent::Log { entries, missed })
            });
        }
        if !fresh.written.is_empty() {
            // Numbers alone: a page ignores those of entries that it does not show.
            streams.send_to(|wish| {
                wish.log.then(|| StreamEvent::LogWritten {
                    entries: fresh.written.clone(),
                })
            });
        }
        if !fresh.refusals.is_empty() {
            streams.send_to(|wish| {
                let fits = |key: Option<&str>| wanted(&wish.site_key, key);
                let entries = fresh
                    .refusals
                    .iter()
                    .filter(|entry| fits(entry.site_key.as_deref()))
                    .cloned()
                    .collect::<Vec<_>>();
                (!entries.is_empty()).then_some(StreamEvent::Refusals {
                    entries,
                    missed: refusals_missed,
                })
            });
        }
        let tables = match full_second {
            true => streams
                .iter()
                .filter_map(|stream| stream.wish.connections.clone())
                .collect::<Vec<_>>(),
            false => Vec::new(),
        };
        // Asking the shards takes time: not with the lock held.
        drop(streams);
        for query in tables {
            let Some(connections) = self.source.connections(&query) else {
                continue;
            };
            self.streams().send_to(|wish| {
                let asked = wish.connections.as_ref() == Some(&query);
                asked.then(|| StreamEvent::Connections {
                    connections: connections.clone(),
                })
            });
        }
    }
}

impl State {
    fn new_tick(
        &mut self,
        shards: &[(u16, Totals, u64, u64)],
        sites: &Sites,
        now_ms: u64,
        full_second: bool,
    ) {
        let totals = rates::sum(shards.iter().map(|(_, totals, ..)| totals));
        if full_second {
            self.end_second(totals, shards, sites, now_ms);
        }
        let shard_ticks = shards.iter().map(|(shard, totals, channels, queued_bytes)| {
            let known = self.tick.shards.iter().find(|tick| tick.shard == *shard);
            ShardTick {
                shard: *shard,
                totals: *totals,
                rates: known.map(|tick| tick.rates).unwrap_or_default(),
                channels: *channels,
                queued_bytes: *queued_bytes,
            }
        });
        let shards = shard_ticks.collect();
        let site_ticks = sites.iter().filter_map(|site| self.site_tick(site, now_ms));
        let site_ticks = site_ticks.collect();
        self.tick = Tick {
            at: now_ms,
            totals,
            rates: self.tick.rates,
            shards,
            sites: site_ticks,
        };
    }

    fn end_second(&mut self, totals: Totals, shards: &[(u16, Totals, u64, u64)], sites: &Sites, now_ms: u64) {
        let elapsed_ms = now_ms.saturating_sub(self.second.at_ms);
        let latency = std::mem::take(&mut self.second.latency);
        let first = self.second.at_ms == 0;
        if !first {
            let rates = rates::with_latency(rates::rates(&self.second.totals, &totals, elapsed_ms), &latency);
            self.tick.rates = rates;
            if self.history.len() >= HISTORY_SECONDS {
                self.history.pop_front();
            }
            self.history.push_back(Point {
                at: now_ms,
                sockets: totals.sockets,
                streams: totals.streams,
                rates,
            });
            self.tick.shards = shards
                .iter()
                .map(|(shard, totals, ..)| {
                    let before = self.second.shards.get(shard).copied().unwrap_or_default();
                    ShardTick {
                        shard: *shard,
                        rates: rates::rates(&before, totals, elapsed_ms),
                        ..ShardTick::default()
                    }
                })
                .collect();
        }
        for site in sites.iter() {
            let totals = site.live.usage.totals();
            let before = self.sites.get(&site.id).copied();
            let per_second =
                |before: u64, now: u64| now.saturating_sub(before) as f64 * 1000.0 / elapsed_ms.max(1) as f64;
            let counts = SiteCounts {
                published: totals.published,
                delivered: totals.delivered,
                publishes_per_second: before
                    .map_or(0.0, |before| per_second(before.published, totals.published)),
                deliveries_per_second: before
                    .map_or(0.0, |before| per_second(before.delivered, totals.delivered)),
            };
            self.sites.insert(site.id, counts);
        }
        self.sites.retain(|id, _| sites.by_id(*id).is_some());
        self.seen.retain(|id, _| sites.by_id(*id).is_some());
        self.second = Second {
            at_ms: now_ms,
            totals,
            shards: shards
                .iter()
                .map(|(shard, totals, ..)| (*shard, *totals))
                .collect(),
            latency: Latency::default(),
        };
    }

    /// `None` for a site without a connection or traffic in this run.
    fn site_tick(&mut self, site: &Site, now_ms: u64) -> Option<SiteTick> {
        let totals = site.live.usage.totals();
        let connections = u64::from(site.live.connections());
        let streams = u64::from(site.live.streams()).min(connections);
        let refusals = totals.refused.iter().sum();
        let before = self.sites.get(&site.id).copied().unwrap_or_default();
        let seen = self.seen.entry(site.id).or_default();
        if totals.published > before.published || (totals.published > 0 && seen.last_publish_ms.is_none()) {
            seen.last_publish_ms = Some(now_ms);
        }
        if connections > 0 {
            seen.last_connection_ms = Some(now_ms);
            let peak = self.peaks.entry(site.id).or_default();
            *peak = connections.max(*peak);
        }
        (connections > 0 || totals.published > 0 || refusals > 0).then(|| SiteTick {
            site_key: site.key.clone(),
            sockets: connections.saturating_sub(streams),
            streams,
            publishes: totals.published,
            deliveries: totals.delivered,
            drops: totals.dropped,
            refusals,
            publishes_per_second: before.publishes_per_second,
            deliveries_per_second: before.deliveries_per_second,
        })
    }

    /// Once a second: what the last minute had of drops, and of refused browsers by site and code.
    fn minute(
        &mut self,
        shards: &[(u16, Totals, u64, u64)],
        sites: &Sites,
    ) -> (u64, Vec<(String, String, String, u64)>) {
        let drops = shards.iter().map(|(_, totals, ..)| totals.drops).sum();
        if self.drops.len() > MINUTE_SECONDS {
            self.drops.pop_front();
        }
        self.drops.push_back(drops);
        if self.refused.len() > MINUTE_SECONDS {
            self.refused.pop_front();
        }
        self.refused.push_back(
            sites
                .iter()
                .map(|site| (site.id, site.live.usage.totals().refused))
                .collect(),
        );

        let mut browsers = Vec::new();
        if let (Some(before), Some(now)) = (self.refused.front(), self.refused.back()) {
            for (id, counts) in now {
                let Some(site) = sites.by_id(*id) else { continue };
                let earlier = before.get(id).copied().unwrap_or_default();
                for (place, code) in REFUSAL_CODES
                    .iter()
                    .enumerate()
                    .filter(|(_, code)| is_browsers(code))
                {
                    let times = counts[place].saturating_sub(earlier[place]);
                    if times > 0 {
                        browsers.push((site.key.clone(), site.name.clone(), (*code).to_owned(), times));
                    }
                }
            }
        }
        browsers.sort();
        (
            drops.saturating_sub(self.drops.front().copied().unwrap_or(drops)),
            browsers,
        )
    }
}

/// Refused when a browser connects, rather than when WordPress publishes.
fn is_browsers(code: &str) -> bool {
    matches!(
        code,
        "unauthorized" | "connection_limit" | "origin_forbidden" | "limit_reached"
    )
}
