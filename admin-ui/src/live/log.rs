//! The rows of the event log that this page holds: bounded, in order, each once.

use hookcast_api::insight::{LogEntry, LogWritten};
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows kept; older ones are in nobody's memory but the relay's.
const ROWS_MAX: usize = 5_000;

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which run of the relay: its sequence numbers start anew with each.
    pub run: u64,
    pub entry: LogEntry,
}

#[derive(Default)]
pub struct Log {
    rows: VecDeque<Arc<Row>>,
    run: u64,
    /// Entries that were sampled away, or that the relay had forgotten when we asked.
    pub missed: u64,
    /// Rows that were ever added: what "n new" is counted with.
    pub added: u64,
}

impl Log {
    /// The relay's run; its sequence numbers compare only within one.
    pub fn run(&mut self, started_at: u64) {
        self.run = started_at;
    }

    pub fn clear(&mut self) {
        self.rows.clear();
        self.missed = 0;
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Oldest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Arc<Row>> {
        self.rows.iter()
    }

    /// The newest entry of this run.
    pub fn last_seq(&self) -> u64 {
        self.rows
            .back()
            .filter(|row| row.run == self.run)
            .map_or(0, |row| row.entry.seq)
    }

    /// Entries oldest first. The stream and the look into the relay's memory overlap: what is here already stays once.
    pub fn add(&mut self, entries: Vec<LogEntry>, missed: u64) {
        self.missed += missed;
        for entry in entries {
            let run = self.run;
            let at = self
                .rows
                .partition_point(|row| row.run < run || (row.run == run && row.entry.seq < entry.seq));
            if self
                .rows
                .get(at)
                .is_some_and(|row| row.run == run && row.entry.seq == entry.seq)
            {
                continue;
            }
            self.added += 1;
            self.rows.insert(at, Arc::new(Row { run, entry }));
        }
        while self.rows.len() > ROWS_MAX {
            self.rows.pop_front();
        }
    }

    /// What became of entries that were on their way.
    pub fn written(&mut self, entries: &[LogWritten]) {
        for written in entries {
            let run = self.run;
            let at = self
                .rows
                .partition_point(|row| row.run < run || (row.run == run && row.entry.seq < written.seq));
            if let Some(row) = self.rows.get_mut(at)
                && row.run == run
                && row.entry.seq == written.seq
            {
                // A row that is shown is shared: the view keeps the old one until it is written anew.
                let row = Arc::make_mut(row);
                row.entry.recipients = written.recipients;
                row.entry.last_write_us = written.last_write_us;
            }
        }
    }
}
