//! What sites used, by day, and in the month for the quota. Counted in memory by the shards, written every few seconds.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::StoreError;
use crate::ids::SiteId;
use crate::site::{Site, Sites, UsageTotals};

const MS_PER_DAY: u64 = 86_400_000;

/// One site's day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Days since 1970-01-01, UTC.
    pub day: u32,
    pub published: u64,
    pub published_bytes: u64,
    pub delivered: u64,
    pub delivered_bytes: u64,
    pub refused: u64,
    /// Most connections at once.
    pub connections_peak: u64,
}

/// What has been written already of each site's running counters.
#[derive(Default)]
pub struct UsageLog {
    written: HashMap<SiteId, Written>,
}

#[derive(Clone, Copy, Default)]
struct Written {
    totals: UsageTotals,
    month: u32,
    month_published: u64,
}

impl UsageLog {
    /// Called with each site before a shard can count for it: what the month holds now came out of the store.
    pub fn know(&mut self, site: &Site) {
        let (month, month_published) = site.live.month.saved();
        self.written.entry(site.id).or_insert(Written {
            totals: UsageTotals::default(),
            month,
            month_published,
        });
    }

    /// Adds what came since the last time. Nothing came: nothing is written. On an error the next call tries the same again.
    pub fn flush(&mut self, db: &mut Connection, sites: &Sites, now_ms: u64) -> Result<(), StoreError> {
        let today = (now_ms / MS_PER_DAY) as u32;
        let mut fresh: Vec<(&Site, Written, Day, i64)> = Vec::new();
        for site in sites.iter() {
            let Some(before) = self.written.get(&site.id).copied() else {
                continue;
            };
            let totals = site.live.usage.totals();
            let (month, month_published) = site.live.month.saved();
            let day = difference(today, &before.totals, &totals);
            let month_more = if month == before.month {
                month_published as i64 - before.month_published as i64
            } else {
                month_published as i64
            };
            let now = Written {
                totals,
                month,
                month_published,
            };
            if day
                == (Day {
                    day: today,
                    ..Day::default()
                })
                && month_more == 0
            {
                self.written.insert(site.id, now);
            } else {
                fresh.push((site, now, day, month_more));
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (site, now, day, month_more) in &fresh {
            add(&tx, site.id, day, now.month, *month_more)?;
        }
        tx.commit()?;
        self.written
            .extend(fresh.into_iter().map(|(site, now, ..)| (site.id, now)));
        Ok(())
    }
}

fn difference(day: u32, before: &UsageTotals, now: &UsageTotals) -> Day {
    let refused = |totals: &UsageTotals| totals.refused.iter().sum::<u64>();
    Day {
        day,
        published: now.published.saturating_sub(before.published),
        published_bytes: now.published_bytes.saturating_sub(before.published_bytes),
        delivered: now.delivered.saturating_sub(before.delivered),
        delivered_bytes: now.delivered_bytes.saturating_sub(before.delivered_bytes),
        refused: refused(now).saturating_sub(refused(before)),
        connections_peak: 0,
    }
}

fn add(tx: &Transaction<'_>, site: SiteId, day: &Day, month: u32, month_more: i64) -> Result<(), StoreError> {
    // A site that was removed meanwhile has no row to count for.
    tx.prepare_cached(
        "INSERT INTO usage_days (site_id, day, published, published_bytes, delivered, delivered_bytes, refused)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE EXISTS (SELECT 1 FROM sites WHERE id = ?1)
         ON CONFLICT (site_id, day) DO UPDATE SET
             published = published + excluded.published,
             published_bytes = published_bytes + excluded.published_bytes,
             delivered = delivered + excluded.delivered,
             delivered_bytes = delivered_bytes + excluded.delivered_bytes,
             refused = refused + excluded.refused",
    )?
    .execute(params![
        site.0,
        day.day,
        day.published as i64,
        day.published_bytes as i64,
        day.delivered as i64,
        day.delivered_bytes as i64,
        day.refused as i64
    ])?;
    if month_more != 0 {
        tx.prepare_cached(
            "INSERT INTO usage_months (site_id, month, published)
             SELECT ?1, ?2, max(0, ?3) WHERE EXISTS (SELECT 1 FROM sites WHERE id = ?1)
             ON CONFLICT (site_id, month) DO UPDATE SET published = max(0, published + ?3)",
        )?
        .execute(params![site.0, month, month_more])?;
    }
    Ok(())
}

/// Raises the day's most connections of each site where more is told: (site, connections).
pub fn add_peaks(tx: &Transaction<'_>, peaks: &[(u32, u64)], now_ms: u64) -> Result<(), StoreError> {
    let mut upsert = tx.prepare_cached(
        "INSERT INTO usage_days (site_id, day, connections_peak)
         SELECT ?1, ?2, ?3 WHERE EXISTS (SELECT 1 FROM sites WHERE id = ?1)
         ON CONFLICT (site_id, day) DO UPDATE SET connections_peak = max(connections_peak, excluded.connections_peak)",
    )?;
    for (site, peak) in peaks {
        upsert.execute(params![site, (now_ms / MS_PER_DAY) as i64, *peak as i64])?;
    }
    Ok(())
}

/// The latest month with a count, and the count.
pub fn last_month(db: &Connection, site: u32) -> Result<Option<(u32, u64)>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT month, published FROM usage_months WHERE site_id = ?1 ORDER BY month DESC LIMIT 1",
    )?;
    Ok(query
        .query_row([site], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))
        .optional()?)
}

/// A site's days from `first_day` on, oldest first; days without use are left out.
pub fn days(db: &Connection, site: u32, first_day: u32) -> Result<Vec<Day>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT day, published, published_bytes, delivered, delivered_bytes, refused, connections_peak
         FROM usage_days WHERE site_id = ?1 AND day >= ?2 ORDER BY day",
    )?;
    let rows = query.query_map([site, first_day], |row| {
        let count = |column: usize| row.get::<_, i64>(column).map(|n| n as u64);
        Ok(Day {
            day: row.get(0)?,
            published: count(1)?,
            published_bytes: count(2)?,
            delivered: count(3)?,
            delivered_bytes: count(4)?,
            refused: count(5)?,
            connections_peak: count(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
