//! Who got what: the book by which a run passes or fails.
//!
//! Every subscriber has, for each publisher of its channel, the number that it expects next. A higher number leaves a hole;
//! a lower one fills a hole (it came out of order) or was there before (a duplicate). Between publishers there is an order too:
//! a message that was answered before another one was sent must arrive before it.

use std::collections::HashMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::stamp::Stamp;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Different messages that arrived, over all subscribers.
    pub received: u64,
    pub duplicates: u64,
    /// Messages that came after a later one of the same publisher, or one that was sent after they were answered.
    pub reordered: u64,
    /// Holes that opened: a message was skipped, for good or not.
    pub gaps: u64,
    /// Messages of a channel that the subscriber is not in.
    pub leaked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Fresh,
    Duplicate,
    /// A publisher that the plan does not have.
    Unknown,
}

pub struct Ledger {
    /// By subscriber and share: everything below this was answered before a message was sent that it has.
    settled: Vec<u32>,
    shares: usize,
    /// The share of each publisher.
    share_of: Vec<u32>,
    /// The next number, by subscriber and publisher; `UNKNOWN` for a newcomer, who starts wherever it comes in.
    next: Vec<u32>,
    publishers: usize,
    holes: HashMap<(usize, u32), Vec<Range<u32>>>,
    pub counts: Counts,
}

const UNKNOWN: u32 = u32::MAX;
/// Holes remembered for a subscriber and publisher; older ones are given up and stay lost.
const HOLES_MAX: usize = 256;

impl Ledger {
    /// `publishers` is how many publish in each channel.
    #[must_use]
    pub fn new(subscribers: usize, publishers: usize, shares: usize, complete: bool) -> Self {
        let first = if complete { 0 } else { UNKNOWN };
        Self {
            next: vec![first; subscribers * publishers],
            publishers,
            share_of: (0..publishers)
                .map(|publisher| (publisher * shares / publishers) as u32)
                .collect(),
            settled: vec![0; subscribers * shares],
            shares,
            holes: HashMap::new(),
            counts: Counts::default(),
        }
    }

    pub fn enter(&mut self, subscriber: usize, stamp: &Stamp) -> Entry {
        let Stamp {
            stream: publisher,
            number,
            order,
            settled,
            ..
        } = *stamp;
        let Some(share) = self.share_of.get(publisher as usize) else {
            return Entry::Unknown;
        };
        let share = *share as usize;
        let before = self.counts.reordered;
        let entry = self.by_publisher(subscriber, publisher, number);
        if entry == Entry::Fresh {
            let latest = &mut self.settled[subscriber * self.shares + share];
            if order < *latest && self.counts.reordered == before {
                self.counts.reordered += 1;
            }
            *latest = settled.max(*latest);
        }
        entry
    }

    fn by_publisher(&mut self, subscriber: usize, publisher: u32, number: u32) -> Entry {
        let next = &mut self.next[subscriber * self.publishers + publisher as usize];
        if number == *next || *next == UNKNOWN {
            *next = number.wrapping_add(1);
            self.counts.received += 1;
            return Entry::Fresh;
        }
        if number > *next {
            let hole = *next..number;
            *next = number.wrapping_add(1);
            self.counts.received += 1;
            self.counts.gaps += 1;
            let holes = self.holes.entry((subscriber, publisher)).or_default();
            if holes.len() == HOLES_MAX {
                holes.remove(0);
            }
            holes.push(hole);
            return Entry::Fresh;
        }
        self.fill(subscriber, publisher, number)
    }

    fn fill(&mut self, subscriber: usize, publisher: u32, number: u32) -> Entry {
        let holes = self.holes.entry((subscriber, publisher)).or_default();
        let Some(place) = holes.iter().position(|hole| hole.contains(&number)) else {
            self.counts.duplicates += 1;
            return Entry::Duplicate;
        };
        let hole = holes.swap_remove(place);
        holes.extend(
            [hole.start..number, number + 1..hole.end]
                .into_iter()
                .filter(|part| !part.is_empty()),
        );
        self.counts.received += 1;
        self.counts.reordered += 1;
        Entry::Fresh
    }

    /// The subscriber is replaced by a newcomer.
    pub fn forget(&mut self, subscriber: usize) {
        let row = subscriber * self.publishers;
        self.next[row..row + self.publishers].fill(UNKNOWN);
        self.settled[subscriber * self.shares..][..self.shares].fill(0);
        for publisher in 0..self.publishers {
            self.holes.remove(&(subscriber, publisher as u32));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(complete: bool, numbers: &[u32]) -> Counts {
        let mut ledger = Ledger::new(2, 3, 1, complete);
        for number in numbers {
            ledger.enter(1, &stamp(2, *number, 0, 0));
        }
        ledger.counts
    }

    fn stamp(stream: u32, number: u32, order: u32, settled: u32) -> Stamp {
        Stamp {
            run: 1,
            part: 0,
            channel: 0,
            stream,
            number,
            order,
            settled,
            at: 0,
        }
    }

    #[test]
    fn every_kind_of_fault_is_told_from_the_others() {
        let of = |received, duplicates, reordered, gaps| Counts {
            received,
            duplicates,
            reordered,
            gaps,
            leaked: 0,
        };
        assert_eq!(counts(true, &[0, 1, 2, 3]), of(4, 0, 0, 0));
        assert_eq!(counts(true, &[0, 1, 3]), of(3, 0, 0, 1));
        assert_eq!(counts(true, &[1, 2]), of(2, 0, 0, 1));
        assert_eq!(counts(true, &[0, 0, 1, 1]), of(2, 2, 0, 0));
        assert_eq!(counts(true, &[0, 2, 1, 3]), of(4, 0, 1, 1));
        assert_eq!(counts(true, &[0, 5, 3, 1, 3, 2, 4]), of(6, 1, 4, 1));
    }

    #[test]
    fn a_newcomer_starts_anywhere_but_misses_nothing_from_there() {
        let of = |received, gaps| Counts {
            received,
            gaps,
            ..Counts::default()
        };
        assert_eq!(counts(false, &[7, 8, 9]), of(3, 0));
        assert_eq!(counts(false, &[7, 9]), of(2, 1));
    }

    #[test]
    fn a_publisher_that_nobody_planned_is_told() {
        assert_eq!(
            Ledger::new(1, 1, 1, true).enter(0, &stamp(1, 0, 0, 0)),
            Entry::Unknown
        );
    }

    #[test]
    fn what_was_answered_before_another_was_sent_comes_before_it() {
        // Two publishers: order 0 and 1 under way together may come either way round.
        let mut ledger = Ledger::new(1, 2, 1, true);
        ledger.enter(0, &stamp(1, 0, 1, 0));
        ledger.enter(0, &stamp(0, 0, 0, 0));
        assert_eq!(ledger.counts.reordered, 0);
        // Order 3 was sent when 2 had been answered.
        ledger.enter(0, &stamp(1, 1, 3, 3));
        ledger.enter(0, &stamp(0, 1, 2, 2));
        assert_eq!(ledger.counts.reordered, 1);
        assert_eq!(ledger.counts.received, 4);
    }
}
