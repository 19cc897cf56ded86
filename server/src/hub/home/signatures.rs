//! The signatures of requests taken in lately, so that one sent again is delivered once.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::hub::limits::HomeLimits;
use crate::ids::SiteId;

#[derive(Debug)]
pub(super) struct Signatures {
    site_max: usize,
    age_ms: u64,
    sites: HashMap<SiteId, Seen>,
    len: usize,
}

#[derive(Debug, Default)]
struct Seen {
    marks: HashSet<Mark>,
    /// Oldest first.
    order: VecDeque<(u64, Mark)>,
}

/// Half of a digest tells 2^64 requests apart, at half the memory.
type Mark = [u8; 16];

impl Signatures {
    pub(super) fn new(limits: &HomeLimits) -> Self {
        Self {
            site_max: limits.site_signatures_max,
            age_ms: limits.signature_ms,
            sites: HashMap::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether it is new.
    pub(super) fn insert(&mut self, site: SiteId, digest: [u8; 32], now_ms: u64) -> bool {
        self.insert_mark(site, *digest.first_chunk().expect("16 is less than 32"), now_ms)
    }

    /// [`insert`](Self::insert) by what is kept of a digest.
    pub(super) fn insert_mark(&mut self, site: SiteId, mark: Mark, now_ms: u64) -> bool {
        let seen = self.sites.entry(site).or_default();
        self.len -= seen.expire(self.age_ms, now_ms);
        if !seen.marks.insert(mark) {
            return false;
        }
        seen.order.push_back((now_ms, mark));
        self.len += 1;
        if seen.order.len() > self.site_max {
            seen.forget_first();
            self.len -= 1;
        }
        true
    }

    /// By site, oldest first: when each was seen.
    pub(super) fn all(&self) -> Vec<(SiteId, Vec<(u64, Mark)>)> {
        let of_site = |(site, seen): (&SiteId, &Seen)| (*site, seen.order.iter().copied().collect());
        self.sites.iter().map(of_site).collect()
    }

    pub(super) fn expire(&mut self, now_ms: u64) {
        for seen in self.sites.values_mut() {
            self.len -= seen.expire(self.age_ms, now_ms);
        }
        self.sites.retain(|_, seen| !seen.order.is_empty());
    }
}

impl Seen {
    /// How many were let go of.
    fn expire(&mut self, age_ms: u64, now_ms: u64) -> usize {
        let before = self.order.len();
        while self
            .order
            .front()
            .is_some_and(|&(at_ms, _)| at_ms + age_ms <= now_ms)
        {
            self.forget_first();
        }
        before - self.order.len()
    }

    fn forget_first(&mut self) {
        let (_, mark) = self.order.pop_front().expect("the caller saw one");
        self.marks.remove(&mark);
    }
}
