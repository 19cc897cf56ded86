//! What a shard notes for its operator: which messages passed, how long their last write took, what was refused.
//!
//! Each shard owns one [`Tap`] and writes into it as it works; the operator side takes what has gathered, at most four
//! times a second, and puts the shards' notes together. Everything is bounded: a busy relay's log is a sample, and what
//! did not fit is counted. Payloads are noted only for sites that an operator watches, and only in memory.

mod latency;
mod tap;

pub use latency::Latency;
pub use tap::{Delivered, LogOrigin, MessageKey, Noted, Notes, Refused, Surface, Tap};
