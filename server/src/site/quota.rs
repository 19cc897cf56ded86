//! How much of a calendar month's quota is used, in one atomic.

use std::sync::atomic::{AtomicU64, Ordering};

const COUNT_BITS: u32 = 40;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const MS_PER_DAY: u64 = 86_400_000;

/// The month (months since January 1970, UTC) in the upper bits and the count (up to 2^40 - 1) in the lower ones, so that a
/// new month and its first message are one step.
#[derive(Debug, Default)]
pub struct MonthCounter(AtomicU64);

impl MonthCounter {
    /// Counts `count` publishes if the month's quota still holds them all; 0 is unlimited, and still counted.
    pub fn reserve(&self, count: u64, monthly_quota: u64, now_ms: u64) -> bool {
        let month = month_of(now_ms);
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let used = used_in(seen, month);
            let next = used.saturating_add(count).min(COUNT_MAX);
            if monthly_quota != 0 && next > monthly_quota {
                return false;
            }
            match self
                .0
                .compare_exchange_weak(seen, pack(month, next), Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(other) => seen = other,
            }
        }
    }

    /// Gives back what was reserved and not published after all. A reservation from a month that has ended is forgotten.
    pub fn refund(&self, count: u64, now_ms: u64) {
        let month = month_of(now_ms);
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let next = pack(month, used_in(seen, month).saturating_sub(count));
            match self
                .0
                .compare_exchange_weak(seen, next, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }

    /// Publishes counted in the month of `now_ms`.
    pub fn used(&self, now_ms: u64) -> u64 {
        used_in(self.0.load(Ordering::Relaxed), month_of(now_ms))
    }

    /// Month and count, for the store to keep across a restart.
    pub fn saved(&self) -> (u32, u64) {
        let packed = self.0.load(Ordering::Relaxed);
        ((packed >> COUNT_BITS) as u32, packed & COUNT_MAX)
    }

    /// Takes up what [`saved`](Self::saved) gave before a restart. Counts made since are kept.
    pub fn restore(&self, month: u32, count: u64) {
        let mut seen = self.0.load(Ordering::Relaxed);
        loop {
            let (live_month, live) = ((seen >> COUNT_BITS) as u32, seen & COUNT_MAX);
            let next = match live_month.cmp(&month) {
                std::cmp::Ordering::Greater => return,
                std::cmp::Ordering::Equal => live.saturating_add(count).min(COUNT_MAX),
                std::cmp::Ordering::Less => count.min(COUNT_MAX),
            };
            match self
                .0
                .compare_exchange_weak(seen, pack(month, next), Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }
}

fn pack(month: u32, count: u64) -> u64 {
    u64::from(month) << COUNT_BITS | count
}

fn used_in(packed: u64, month: u32) -> u64 {
    if (packed >> COUNT_BITS) as u32 == month {
        packed & COUNT_MAX
    } else {
        0
    }
}

/// Months since January 1970, in UTC. Counts the days in eras of 400 years that begin in March, so that the leap day is
/// a year's last one (the proleptic Gregorian calendar).
pub fn month_of(now_ms: u64) -> u32 {
    // Day 0 of an era is 0000-03-01; 719,468 days lie between it and 1970-01-01. Saturated so that the month fits 24 bits.
    let days = (now_ms / MS_PER_DAY).min(400_000_000) + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let (year, month) = (
        era * 400 + year_of_era + u64::from(march_month >= 10),
        (march_month + 2) % 12,
    );
    ((year - 1970) * 12 + month) as u32
}

/// Milliseconds from `now_ms` until the next month begins, for people who ask when a quota comes back.
pub fn month_ends_in_ms(now_ms: u64) -> u64 {
    let month = month_of(now_ms);
    let day = now_ms / MS_PER_DAY;
    let next = (day + 1..=day + 31)
        .find(|&d| month_of(d * MS_PER_DAY) != month)
        .unwrap_or(day + 31);
    next * MS_PER_DAY - now_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = MS_PER_DAY;

    /// Days since 1970-01-01, counted one by one.
    fn months_by_counting(days: u64) -> Vec<u32> {
        let (mut year, mut month, mut day, mut months) = (1970u32, 0usize, 0u32, Vec::new());
        for _ in 0..days {
            months.push((year - 1970) * 12 + month as u32);
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let lengths = [
                31,
                if leap { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ];
            day += 1;
            if day == lengths[month] {
                (day, month) = (0, month + 1);
            }
            if month == 12 {
                (month, year) = (0, year + 1);
            }
        }
        months
    }

    #[test]
    fn months_follow_the_calendar_for_centuries() {
        for (day, month) in months_by_counting(365 * 500).into_iter().enumerate() {
            assert_eq!(month_of(day as u64 * DAY), month, "day {day}");
            assert_eq!(
                month_of(day as u64 * DAY + DAY - 1),
                month,
                "the end of day {day}"
            );
        }
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        for now_ms in [
            0,
            1,
            27 * DAY,
            31 * DAY - 1,
            31 * DAY,
            58 * DAY,
            1_700_000_000_123,
        ] {
            let end = now_ms + month_ends_in_ms(now_ms);
            assert_eq!(month_of(end), month_of(now_ms) + 1);
            assert_eq!(month_of(end - 1), month_of(now_ms));
        }
    }

    #[test]
    fn a_quota_holds_what_it_says_and_no_more() {
        let used = MonthCounter::default();
        assert!(used.reserve(2, 3, 0));
        assert!(!used.reserve(2, 3, 0), "both or none");
        assert!(used.reserve(1, 3, 0));
        assert!(!used.reserve(1, 3, 0));
        used.refund(1, 0);
        assert!(used.reserve(1, 3, 0));
        assert_eq!(used.used(0), 3);
    }

    #[test]
    fn a_new_month_begins_empty() {
        let used = MonthCounter::default();
        assert!(used.reserve(3, 3, 0));
        assert!(!used.reserve(1, 3, 31 * DAY - 1));
        assert!(used.reserve(1, 3, 31 * DAY));
        assert_eq!(used.used(31 * DAY), 1);
        used.refund(5, 59 * DAY);
        assert_eq!(
            used.used(59 * DAY),
            0,
            "a refund of last month's takes nothing from this one's"
        );
    }

    #[test]
    fn no_quota_is_no_limit_but_counted() {
        let used = MonthCounter::default();
        assert!((0..10).all(|_| used.reserve(u64::MAX, 0, 0)));
        assert_eq!(used.used(0), COUNT_MAX);
        assert_eq!(used.saved(), (0, COUNT_MAX));
    }

    #[test]
    fn a_count_survives_a_restart() {
        let before = MonthCounter::default();
        assert!(before.reserve(7, 10, 40 * DAY));
        let (month, count) = before.saved();
        let after = MonthCounter::default();
        assert!(
            after.reserve(2, 10, 40 * DAY),
            "a publish before the store was read"
        );
        after.restore(month, count);
        assert_eq!(after.used(40 * DAY), 9);
        let next_month = MonthCounter::default();
        assert!(next_month.reserve(2, 10, 70 * DAY));
        next_month.restore(month, count);
        assert_eq!(next_month.used(70 * DAY), 2, "last month's count is over");
    }

    #[test]
    fn shards_that_reserve_at_once_share_one_quota() {
        let used = MonthCounter::default();
        let reserved: usize = std::thread::scope(|scope| {
            let shard = || (0..1000).filter(|_| used.reserve(1, 700, 0)).count();
            let shards: Vec<_> = (0..4).map(|_| scope.spawn(shard)).collect();
            shards.into_iter().map(|shard| shard.join().unwrap()).sum()
        });
        assert_eq!(reserved, 700);
    }
}
