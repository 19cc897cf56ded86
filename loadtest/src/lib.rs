//! Load test for hookcast relays.
//!
//! An epoll client that is cheap enough to share a machine with the relay, keeps a ledger of every message, takes each
//! latency from the moment when the message was meant to leave, and says whether the relay or itself was the limit.

pub mod cli;
pub mod clock;
pub mod dialect;
pub mod engine;
pub mod frames;
pub mod http;
pub mod latency;
pub mod ledger;
pub mod merge;
pub mod page;
pub mod plan;
pub mod process;
pub mod report;
pub mod site;
pub mod socket;
pub mod stamp;
pub mod table;
pub mod target;
pub mod workers;
