//! Changing the binary without losing anyone: one run that goes on in another process.
//!
//! On SIGUSR2 the relay starts its binary anew, with its own arguments and one end of a socket pair as standard input,
//! and hands over in this order:
//!
//! 1. the listening sockets, the run's id and the key by which channels are homed; the new process opens its settings and
//!    the store, and says that it is ready (or why it is not, and the old one goes on);
//! 2. *the cut*: each home of the old process gives its state and from then on follows
//!    ([`hub::FOLLOWER`](crate::hub::FOLLOWER)); publishes that reach the old process are handed on, in order, behind the
//!    state;
//! 3. the new process takes the state up, starts its shards, and says that it serves; only now the old one stops
//!    accepting, unlocks the data directory, tells the service manager the new main process, and closes its connections
//!    spread over `server.drain_ms`. Connections that wait in the listeners' queues are the new process's.
//!
//! Until its last connection has gone the old process delivers what the new one puts in order, under the same ids. A client
//! that comes back goes on where it was. Nothing of this touches the disk.
//!
//! Whatever fails before step 3 is complete leaves the old process serving: its homes lead again, and what they had
//! handed on is theirs once more. What fails after it, or a follower that cannot keep up, ends the old process's
//! connections at once, so that their clients come back and recover.

mod frames;
mod link;
mod new;
mod old;

pub use link::{Link, Outgoing};
pub use new::{Inheritance, InheritanceError, Succeeding};
pub use old::{Predecessor, hand_over};

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::listening::Held;

/// The listening sockets: whoever ends the relay's part in them lets go of them for all.
pub type SharedListeners = Arc<Mutex<Vec<Held>>>;

pub fn locked(listeners: &SharedListeners) -> MutexGuard<'_, Vec<Held>> {
    listeners.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the new process that its standard input is the socket pair's other end.
pub const VARIABLE: &str = "HOOKCAST_TAKES_OVER";

/// How far an upgrade has come, for the two who may end it: its own thread, and whoever stops the relay.
#[derive(Debug, Default)]
pub struct Stage(AtomicU8);

const IDLE: u8 = 0;
const UNDER_WAY: u8 = 1;
const DONE: u8 = 2;
const STOPPED: u8 = 3;

impl Stage {
    /// Whether an upgrade may begin: none is under way, none is done, and the relay does not stop.
    pub fn begin(&self) -> bool {
        self.step(IDLE, UNDER_WAY)
    }

    /// Whether the new process may have everything: nobody has stopped the relay meanwhile.
    fn finish(&self) -> bool {
        self.step(UNDER_WAY, DONE)
    }

    /// The old process goes on, if it was not stopped.
    pub fn abandon(&self) {
        self.step(UNDER_WAY, IDLE);
    }

    /// The relay stops. Answers whether another process has taken over already, so that there is nothing left to stop.
    pub fn stop(&self) -> bool {
        let stopped = self.step(IDLE, STOPPED) || self.step(UNDER_WAY, STOPPED);
        !stopped && self.0.load(Ordering::Acquire) == DONE
    }

    fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Acquire) == STOPPED
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.0
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}
