//! The pure part of the relay: which message goes to whom, in what order, and what is still remembered.
//!
//! A channel has one home, the shard that [`Homes`] names. Each shard holds one [`Home`], for the channels homed
//! there, and one [`Local`], for its own connections. The halves only exchange values: [`ToHome`] towards a home,
//! [`ToLocal`] back. Whoever carries them keeps each ordered pair of shards first in, first out; nothing else is
//! assumed about their timing.
//!
//! No async, no I/O and no clock in here: time is an argument, in milliseconds of any clock that never goes back.

mod channel;
mod exchange;
mod home;
mod limits;
mod local;
mod message;
mod report;

pub use channel::{ChannelKey, Homes, SHARDS_MAX, Seed};
pub use exchange::{PresenceAttempt, Published, Since, Subscribed, SubscriptionId, Ticket, ToHome, ToLocal};
pub use home::{FOLLOWER, Home, HomeState};
pub use limits::{HomeLimits, LocalLimits};
pub use local::{Form, Full, Local, Sink, Subscriber, Subscribing};
pub use message::{Kind, Member, Message, Origin, Presence};
pub use report::{HomeTotals, HomedChannel, LocalChannel, LocalTotals};

#[cfg(test)]
mod tests;
