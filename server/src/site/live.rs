//! What a site has in use right now: counters that outlive a snapshot. Shards add to them without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::quota::month_ends_in_ms;
use super::{Gcra, MonthCounter, REFUSAL_CODES, Refusal, Site, SiteLimits};

/// One site's counters and limits in use. Every snapshot of the site shares one.
#[derive(Debug, Default)]
pub struct SiteLive {
    connections: AtomicU32,
    /// How many of them are event streams.
    streams: AtomicU32,
    publishes: Gcra,
    pub month: MonthCounter,
    pub usage: Usage,
}

impl SiteLive {
    /// Open sockets and streams.
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Open streams.
    pub fn streams(&self) -> u32 {
        self.streams.load(Ordering::Relaxed)
    }
}

impl Site {
    /// Counts one connection until the slot is dropped.
    pub fn connect(&self) -> Result<ConnectionSlot, Refusal> {
        let max = self.limits.connections_max;
        let room = |open: u32| (max == 0 || open < max).then(|| open.saturating_add(1));
        match self
            .live
            .connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
        {
            Ok(_) => Ok(ConnectionSlot {
                live: self.live.clone(),
                stream: false,
            }),
            Err(_) => Err(Refusal::connection_limit(max)),
        }
    }

    /// Admits `count` publishes: first the rate, then the month's quota, which is reserved.
    /// [`MonthCounter::refund`] gives it back when the publish comes to nothing.
    pub fn admit_publish(&self, count: u32, now_ms: u64) -> Result<(), Refusal> {
        let SiteLimits {
            publish_rate,
            publish_burst,
            monthly_quota,
            ..
        } = self.limits;
        self.live
            .publishes
            .take_many(count, publish_rate, publish_burst, now_ms)
            .map_err(|wait_ms| {
                Refusal::new(
                    429,
                    "rate_limited",
                    format!("the site publishes more than {publish_rate} messages a second"),
                )
                .retry_after(seconds(wait_ms))
            })?;
        if self.live.month.reserve(u64::from(count), monthly_quota, now_ms) {
            return Ok(());
        }
        let message = format!("the site has used its quota of {monthly_quota} messages for this month");
        Err(Refusal::new(429, "quota_exceeded", message).retry_after(seconds(month_ends_in_ms(now_ms))))
    }
}

fn seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX)
}

/// One of a site's connections: counted while this lives.
#[derive(Debug)]
pub struct ConnectionSlot {
    live: Arc<SiteLive>,
    stream: bool,
}

impl ConnectionSlot {
    /// The connection is an event stream, and counted as one too.
    pub fn stream(mut self) -> Self {
        self.live.streams.fetch_add(1, Ordering::Relaxed);
        self.stream = true;
        self
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.live.connections.fetch_sub(1, Ordering::Relaxed);
        if self.stream {
            self.live.streams.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Running totals of one site since the relay started.
#[derive(Debug, Default)]
pub struct Usage {
    published: AtomicU64,
    published_bytes: AtomicU64,
    delivered: AtomicU64,
    delivered_bytes: AtomicU64,
    dropped: AtomicU64,
    refused: [AtomicU64; REFUSAL_CODES.len()],
}

/// What [`Usage`] held when it was read. The fields are read one after another, not at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    pub published: u64,
    pub published_bytes: u64,
    pub delivered: u64,
    pub delivered_bytes: u64,
    /// Copies that did not reach a connection because its outbox was full.
    pub dropped: u64,
    /// By the place of the code in [`REFUSAL_CODES`].
    pub refused: [u64; REFUSAL_CODES.len()],
}

impl Usage {
    /// One accepted publish of `bytes` payload bytes.
    pub fn published(&self, bytes: usize) {
        self.published.fetch_add(1, Ordering::Relaxed);
        self.published_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// One message handed to `recipients` connections of a shard: added once per message and shard, not per connection.
    pub fn delivered(&self, recipients: u64, bytes_each: usize) {
        self.delivered.fetch_add(recipients, Ordering::Relaxed);
        self.delivered_bytes
            .fetch_add(recipients * bytes_each as u64, Ordering::Relaxed);
    }

    /// A connection's outbox was full, and what it held is lost to it.
    pub fn dropped(&self, frames: u64) {
        self.dropped.fetch_add(frames, Ordering::Relaxed);
    }

    /// One refusal; a code that is not in [`REFUSAL_CODES`] is counted as `other`, the last of them.
    pub fn refused(&self, code: &str) {
        let place = REFUSAL_CODES.iter().position(|known| *known == code);
        self.refused[place.unwrap_or(REFUSAL_CODES.len() - 1)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn totals(&self) -> UsageTotals {
        UsageTotals {
            published: self.published.load(Ordering::Relaxed),
            published_bytes: self.published_bytes.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            delivered_bytes: self.delivered_bytes.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            refused: std::array::from_fn(|place| self.refused[place].load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn site(limits: SiteLimits) -> Site {
        Site {
            limits,
            ..fixture::site(1)
        }
    }

    #[test]
    fn connections_stop_at_their_limit_and_come_back() {
        let site = site(SiteLimits {
            connections_max: 2,
            ..SiteLimits::default()
        });
        let first = site.connect().unwrap();
        let _second = site.connect().unwrap();
        let refusal = site.connect().unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code, refusal.close().code()),
            (429, "connection_limit", 4029)
        );
        assert_eq!(site.live.connections(), 2, "a refused one is not counted");
        drop(first);
        assert!(site.connect().is_ok());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let site = site(SiteLimits::default());
        let slots: Vec<_> = (0..100).map(|_| site.connect().unwrap()).collect();
        assert_eq!(site.live.connections(), 100);
        drop(slots);
        assert!((0..1000).all(|_| site.admit_publish(1, NOW).is_ok()));
    }

    #[test]
    fn a_short_limit_is_never_called_a_quota() {
        let site = site(SiteLimits {
            publish_rate: 1,
            publish_burst: 1,
            monthly_quota: 1,
            ..SiteLimits::default()
        });
        assert_eq!(site.admit_publish(1, NOW), Ok(()));
        let short = site.admit_publish(1, NOW).unwrap_err();
        assert_eq!(
            (short.status, short.code, short.retry_after_s),
            (429, "rate_limited", Some(1))
        );
        let long = site.admit_publish(1, NOW + 1000).unwrap_err();
        assert_eq!((long.status, long.code), (429, "quota_exceeded"));
        // 2023-11-14T22:13:21Z to December.
        assert_eq!(long.retry_after_s, Some(16 * 86_400 + 6_399));
    }

    #[test]
    fn a_refused_rate_uses_no_quota() {
        let site = site(SiteLimits {
            publish_rate: 1,
            publish_burst: 1,
            monthly_quota: 10,
            ..SiteLimits::default()
        });
        let admitted = (0..5).filter(|_| site.admit_publish(1, NOW).is_ok()).count();
        assert_eq!((admitted, site.live.month.used(NOW)), (1, 1));
    }

    #[test]
    fn usage_adds_up() {
        let usage = Usage::default();
        usage.published(10);
        usage.published(5);
        usage.delivered(3, 100);
        for code in REFUSAL_CODES {
            usage.refused(code);
        }
        let totals = usage.totals();
        assert_eq!((totals.published, totals.published_bytes), (2, 15));
        assert_eq!((totals.delivered, totals.delivered_bytes), (3, 300));
        assert_eq!(totals.refused, [1; REFUSAL_CODES.len()]);

        usage.refused("a code of tomorrow");
        let others = REFUSAL_CODES
            .iter()
            .zip(usage.totals().refused)
            .find(|(code, _)| **code == "other");
        assert_eq!(others, Some((&"other", 2)));
    }
}
