//! Everything that outlives the process, in one SQLite database that one thread owns.
//!
//! A write is on disk before it is answered, and after a change to sites every shard gets a new snapshot: by the time a
//! caller hears "done", [`StoreHandle::sites`] shows it. What another process writes (the command line) is taken up
//! within a second. Payloads never come here.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod backup;
pub mod connect_codes;
mod data_dir;
mod error;
mod handle;
mod migrations;
pub mod secret;
pub mod sessions;
pub mod site_url;
pub mod sites;
mod snapshot;
mod thread;
pub mod transfer;
pub mod triggers;
pub mod usage;

pub use data_dir::ServerLock;
pub use error::StoreError;
pub use handle::{Role, StoreHandle, site_defaults};
pub use thread::{POLL, TakenUp};
