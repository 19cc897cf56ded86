//! Every bound of the hub, per shard.

/// What one shard's [`Home`](super::Home) holds at most.
#[derive(Clone, Debug)]
pub struct HomeLimits {
    /// Text messages remembered per channel; 0 turns recovery off.
    pub memory_messages_max: usize,
    /// How long a message is remembered.
    pub memory_ms: u64,
    /// All remembered messages of the home together; the oldest go first.
    pub memory_bytes_max: usize,
    /// Members of one channel. A change is sent to every subscriber, so a full channel costs its square.
    pub channel_members_max: usize,
    /// Members of all channels of the home together. Times the greatest state (4 KiB) they stay under 64 MiB.
    pub members_max: usize,
    /// How long the record of a channel without subscribers and members is kept after its last use, so that a client
    /// that comes back is not told of a gap that never was.
    pub idle_ms: u64,
    /// How many such records are kept; at some 300 bytes each under 16 MiB. The least recently used go first.
    pub idle_channels_max: usize,
    /// Signatures remembered per site; at some 64 bytes each under 4 MiB a site. The oldest go first.
    pub site_signatures_max: usize,
    /// How long a signature is remembered: a request counts as fresh from 60 s before its timestamp to 60 s after.
    pub signature_ms: u64,
}

impl Default for HomeLimits {
    fn default() -> Self {
        Self {
            memory_messages_max: 64,
            memory_ms: 60_000,
            memory_bytes_max: 64 << 20,
            channel_members_max: 500,
            members_max: 16_384,
            idle_ms: 300_000,
            idle_channels_max: 50_000,
            site_signatures_max: 65_536,
            signature_ms: 120_000,
        }
    }
}

/// What one connection of a shard's [`Local`](super::Local) may hold.
#[derive(Clone, Debug)]
pub struct LocalLimits {
    /// Channels that one connection may be subscribed to.
    pub connection_channels_max: u16,
    /// Channels that one connection may be a member of.
    pub connection_presences_max: u16,
}

impl Default for LocalLimits {
    fn default() -> Self {
        Self {
            connection_channels_max: 100,
            connection_presences_max: 100,
        }
    }
}
