//! The event log and the recent refusals: rings in memory, put together from the shards' notes.

use std::collections::{HashMap, VecDeque};

use hookcast_api::insight::{EventLog, LogEntry, LogWritten, Origin, RefusalEntry};

use crate::insight::{Delivered, LogOrigin, MessageKey, Noted, Refused};
use crate::site::Sites;

/// Messages kept: a few hundred bytes each, and up to 4 KiB more while payloads are shown (8 MiB at the very most).
const MESSAGES_MAX: usize = 2_000;
const REFUSALS_MAX: usize = 500;
/// Deliveries that came before the note of their message, waiting for it until the next round.
const EARLY_MAX: usize = 8_192;

#[derive(Default)]
pub struct Log {
    next_seq: u64,
    entries: VecDeque<(MessageKey, LogEntry)>,
    seq_of: HashMap<MessageKey, u64>,
    /// By round: the last one's, which may still find their message, and the one's before.
    early: Vec<Delivered>,
    next_refusal: u64,
    refusals: VecDeque<RefusalEntry>,
}

/// What a round brought.
#[derive(Default)]
pub struct Fresh {
    /// Oldest first.
    pub entries: Vec<LogEntry>,
    pub written: Vec<LogWritten>,
    pub refusals: Vec<RefusalEntry>,
}

impl Log {
    pub fn round(
        &mut self,
        mut noted: Vec<Noted>,
        delivered: Vec<Delivered>,
        refused: Vec<Refused>,
        sites: &Sites,
    ) -> Fresh {
        // In the order in which they were taken in, over all shards.
        noted.sort_by_key(|noted| noted.key.0);
        let last_known = self.next_seq;
        for noted in noted {
            self.add(noted, sites);
        }
        let mut written: Vec<u64> = Vec::new();
        let waited = std::mem::take(&mut self.early);
        for (delivered, fresh) in waited
            .into_iter()
            .map(|d| (d, false))
            .chain(delivered.into_iter().map(|d| (d, true)))
        {
            match self.seq_of.get(&delivered.key).copied() {
                Some(seq) => {
                    self.deliver(seq, delivered);
                    written.push(seq);
                }
                None if fresh && self.early.len() < EARLY_MAX => self.early.push(delivered),
                None => {}
            }
        }
        written.sort_unstable();
        written.dedup();
        let fresh_entries = self.entries.iter().filter(|(_, entry)| entry.seq > last_known);
        Fresh {
            entries: fresh_entries.map(|(_, entry)| entry.clone()).collect(),
            written: written
                .into_iter()
                .filter(|seq| *seq <= last_known)
                .filter_map(|seq| self.at(seq))
                .map(|entry| LogWritten {
                    seq: entry.seq,
                    recipients: entry.recipients,
                    last_write_us: entry.last_write_us,
                })
                .collect(),
            refusals: refused
                .into_iter()
                .map(|refused| self.refuse(refused, sites))
                .collect(),
        }
    }

    pub fn entries(&self, site_key: Option<&str>, after: u64, limit: usize) -> EventLog {
        let oldest = self.entries.front().map_or(self.next_seq, |(_, entry)| entry.seq);
        let wanted = self.entries.iter().map(|(_, entry)| entry).filter(|entry| {
            (after == 0 || entry.seq > after) && site_key.is_none_or(|key| entry.site_key == key)
        });
        let all = wanted.collect::<Vec<_>>();
        let newest = &all[all.len().saturating_sub(limit)..];
        EventLog {
            entries: newest.iter().map(|entry| (*entry).clone()).collect(),
            missed: if after == 0 {
                0
            } else {
                oldest.saturating_sub(after + 1)
            },
        }
    }

    /// Newest first.
    pub fn refusals(&self, site_key: Option<&str>, limit: usize) -> Vec<RefusalEntry> {
        let wanted =
            |entry: &&RefusalEntry| site_key.is_none_or(|key| entry.site_key.as_deref() == Some(key));
        self.refusals
            .iter()
            .rev()
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect()
    }

    /// A site is not watched any more: its payloads are forgotten.
    pub fn forget_payloads(&mut self, site_key: &str) {
        for (_, entry) in self
            .entries
            .iter_mut()
            .filter(|(_, entry)| entry.site_key == site_key)
        {
            entry.payload = None;
        }
    }

    fn add(&mut self, noted: Noted, sites: &Sites) {
        let Some(site) = sites.by_id(noted.site) else {
            return;
        };
        if self.entries.len() >= MESSAGES_MAX
            && let Some((key, _)) = self.entries.pop_front()
        {
            self.seq_of.remove(&key);
        }
        // From 1: 0 asks for everything.
        self.next_seq += 1;
        self.seq_of.insert(noted.key, self.next_seq);
        let entry = LogEntry {
            seq: self.next_seq,
            at: noted.at_ms,
            site_key: site.key.clone(),
            channel: noted.channel.to_string(),
            event: noted.event.into(),
            binary: noted.binary,
            bytes: noted.bytes as u64,
            recipients: 0,
            last_write_us: None,
            origin: origin(noted.origin),
            payload: noted
                .payload
                .map(|payload| String::from_utf8_lossy(&payload).into_owned()),
        };
        self.entries.push_back((noted.key, entry));
    }

    fn deliver(&mut self, seq: u64, delivered: Delivered) {
        let Some(place) = self.place(seq) else { return };
        let Some((_, entry)) = self.entries.get_mut(place) else {
            return;
        };
        entry.recipients += delivered.recipients;
        entry.last_write_us = entry.last_write_us.max(Some(delivered.us));
    }

    fn at(&self, seq: u64) -> Option<&LogEntry> {
        self.entries.get(self.place(seq)?).map(|(_, entry)| entry)
    }

    /// Numbers follow each other without a gap, so a number is a place.
    fn place(&self, seq: u64) -> Option<usize> {
        let (_, first) = self.entries.front()?;
        seq.checked_sub(first.seq).map(|place| place as usize)
    }

    fn refuse(&mut self, refused: Refused, sites: &Sites) -> RefusalEntry {
        if self.refusals.len() >= REFUSALS_MAX {
            self.refusals.pop_front();
        }
        self.next_refusal += 1;
        let entry = RefusalEntry {
            seq: self.next_refusal,
            at: refused.at_ms,
            site_key: refused
                .site
                .and_then(|site| sites.by_id(site))
                .map(|site| site.key.clone()),
            surface: refused.surface.as_str().to_owned(),
            code: refused.code.to_owned(),
            message: refused.message.into_owned(),
            address: refused.address.map(|address| address.to_string()),
        };
        self.refusals.push_back(entry.clone());
        entry
    }
}

fn origin(origin: LogOrigin) -> Origin {
    match origin {
        LogOrigin::WordPress => Origin::WordPress,
        LogOrigin::Browser => Origin::Browser,
        LogOrigin::Trigger => Origin::Trigger,
        LogOrigin::Dispatch => Origin::Dispatch,
        LogOrigin::Operator => Origin::Operator,
    }
}
