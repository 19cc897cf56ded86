//! The relay from outside: the real binary, and clients that share no code with it.
//!
//! Every wait has the one generous limit [`WAIT`] and ends as soon as the awaited thing happens, so that a slow machine makes
//! a test slower and never makes it fail. A wait that runs out panics with what it waited for.

pub mod acme;
pub mod http;
pub mod process;
pub mod relay;
pub mod site;
pub mod sse;
pub mod stream;
pub mod token;
pub mod ws;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use acme::Acme;
pub use http::Answer;
pub use process::Process;
pub use relay::{Options, Relay};
pub use site::Site;
pub use sse::{Sse, SseEvent};
pub use stream::{Stream, TlsClient};
pub use token::Token;
pub use ws::{Frame, Ws};

/// How long any single thing is waited for.
pub const WAIT: Duration = Duration::from_secs(30);

/// Ask again until `probe` gives a value. For what announces itself in no other way.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "waited {} s for {what}",
            WAIT.as_secs()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The clock that the relay compares timestamps with.
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
}
