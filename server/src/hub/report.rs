//! What an operator may ask of a hub: totals, and the largest channels.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::channel::ChannelKey;

/// A channel as a shard's subscribers see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalChannel {
    pub channel: ChannelKey,
    pub subscribers: usize,
}

/// A channel as its home sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomedChannel {
    pub channel: ChannelKey,
    pub members: usize,
    pub remembered_messages: usize,
    pub remembered_bytes: usize,
    /// Shards with at least one subscriber.
    pub shards: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalTotals {
    pub channels: usize,
    /// Active and pending.
    pub subscriptions: usize,
    pub presences: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HomeTotals {
    /// Records, idle ones included.
    pub channels: usize,
    pub idle_channels: usize,
    pub members: usize,
    pub remembered_messages: usize,
    pub remembered_bytes: usize,
    pub signatures: usize,
    /// Text messages given a place since the start.
    pub sequenced: u64,
}

/// The `limit` items with the greatest size, greatest first, equal ones in a stable order; without sorting them all,
/// because a shard does nothing else meanwhile.
pub(super) fn largest<T: Ord>(items: impl Iterator<Item = (usize, T)>, limit: usize) -> Vec<T> {
    let mut heap = BinaryHeap::with_capacity(limit.min(1024) + 1);
    for (size, item) in items {
        heap.push(Reverse((size, Reverse(item))));
        if heap.len() > limit {
            heap.pop();
        }
    }
    heap.into_sorted_vec()
        .into_iter()
        .map(|Reverse((_, Reverse(item)))| item)
        .collect()
}
