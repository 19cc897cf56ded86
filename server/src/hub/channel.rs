//! A channel's identity, and which shard is its home.

use std::hash::BuildHasher;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use crate::ids::{ShardId, SiteId};

/// How many shards the hub can tell apart; more cores than this are left to others.
pub const SHARDS_MAX: usize = 256;

/// One channel of one site, by its bare name. Both spellings of a channel have the same key, and two sites that use
/// the same name have two keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelKey {
    pub site: SiteId,
    pub name: Arc<str>,
}

impl ChannelKey {
    pub fn new(site: SiteId, name: impl Into<Arc<str>>) -> Self {
        Self {
            site,
            name: name.into(),
        }
    }

    /// Names under `wps:` are the relay's own: it alone publishes there.
    pub fn is_relay(&self) -> bool {
        self.name.starts_with("wps:")
    }
}

/// The key of the hash that homes channels. Clients choose channel names, so it is a secret of each run: nobody can aim
/// all channels at one core. Unlike the standard library's, it can be told to the process that takes a run over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub [u8; 16]);

impl BuildHasher for Seed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_key(&self.0)
    }
}

/// The map from channel to home shard, the same on every shard of one run.
#[derive(Clone, Debug)]
pub struct Homes<S = Seed> {
    hasher: S,
    shards: u16,
}

impl<S: BuildHasher> Homes<S> {
    /// # Panics
    /// When `shards` is 0 or over [`SHARDS_MAX`].
    pub fn new(shards: u16, hasher: S) -> Self {
        assert!(
            (1..=SHARDS_MAX).contains(&usize::from(shards)),
            "{shards} shards, not 1 to {SHARDS_MAX}"
        );
        Self { hasher, shards }
    }

    pub fn shards(&self) -> u16 {
        self.shards
    }

    pub fn home_of(&self, channel: &ChannelKey) -> ShardId {
        // The high bits scaled down, which is a multiplication where a remainder would be a division.
        let hash = self.hasher.hash_one(channel) >> 32;
        let shard = (hash * u64::from(self.shards)) >> 32;
        ShardId(u16::try_from(shard).expect("less than the number of shards"))
    }
}
