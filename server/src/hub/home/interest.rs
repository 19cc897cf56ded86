//! The set of shards that have subscribers to a channel: a bit each, copied freely.

use crate::hub::channel::SHARDS_MAX;
use crate::ids::ShardId;

const WORDS: usize = SHARDS_MAX / 64;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Interest([u64; WORDS]);

impl Interest {
    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(super) fn insert(&mut self, shard: ShardId) {
        let (word, bit) = place(shard);
        self.0[word] |= bit;
    }

    /// Whether it was in the set.
    pub(super) fn remove(&mut self, shard: ShardId) -> bool {
        let (word, bit) = place(shard);
        let was = self.0[word] & bit != 0;
        self.0[word] &= !bit;
        was
    }

    #[inline]
    pub(super) fn for_each(self, mut visit: impl FnMut(ShardId)) {
        for (index, mut word) in (0u16..).zip(self.0) {
            while word != 0 {
                let bit = u16::try_from(word.trailing_zeros()).expect("below 64");
                visit(ShardId(index * 64 + bit));
                word &= word - 1;
            }
        }
    }
}

fn place(shard: ShardId) -> (usize, u64) {
    (usize::from(shard.0 / 64), 1 << (shard.0 % 64))
}
