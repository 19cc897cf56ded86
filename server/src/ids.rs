//! Ids that cannot be swapped for one another.

use std::fmt;

/// A core's place among the shards, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

/// A site's row in the store. Never shown to the outside, where `site_key` and `site_id` are its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u32);

/// One connection: its shard, its slot there, and the slot's generation, so that a late message for a closed
/// connection never reaches the slot's next tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    pub shard: ShardId,
    pub slot: u32,
    pub generation: u32,
}

/// The id that presence shows to browsers: opaque to them, unique within one run of the relay.
impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.shard.0, self.slot, self.generation)
    }
}

/// Not an id that this relay ever gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl std::str::FromStr for ConnId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let mut parts = text.split('-');
        let mut part = || {
            parts
                .next()
                .and_then(|part| u32::from_str_radix(part, 16).ok())
                .ok_or(NotAnId)
        };
        let (shard, slot, generation) = (part()?, part()?, part()?);
        let id = ConnId {
            shard: ShardId(u16::try_from(shard).map_err(|_| NotAnId)?),
            slot,
            generation,
        };
        // One id has one spelling.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(NotAnId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_from_its_only_spelling() {
        let id = ConnId {
            shard: ShardId(3),
            slot: 0xabc,
            generation: 17,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "3-abc",
            "3-ABC-11",
            "3-abc-11-0",
            "+3-abc-11",
            "10000-0-0",
            "03-abc-11",
        ] {
            assert_eq!(wrong.parse::<ConnId>(), Err(NotAnId), "{wrong}");
        }
    }
}
