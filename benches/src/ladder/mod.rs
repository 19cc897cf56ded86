//! The ladder: each rung is a real part of the relay on its own, from one frame to the whole server.
//!
//! The rungs are plain closures, so that `cargo bench` can time them and a test can run each of them once.

mod auth;
mod codec;
mod hub;
mod outbox;
mod server;

/// One piece of work.
pub struct Rung {
    pub group: &'static str,
    pub name: String,
    /// How many deliveries (or messages, or requests) one call does.
    pub elements: u64,
    pub work: Box<dyn FnMut()>,
}

impl Rung {
    fn new(
        group: &'static str,
        name: impl Into<String>,
        elements: u64,
        work: impl FnMut() + 'static,
    ) -> Self {
        Self {
            group,
            name: name.into(),
            elements,
            work: Box::new(work),
        }
    }
}

/// Audiences of the fan-out rungs.
pub const AUDIENCES: [u32; 3] = [1, 100, 10_000];

/// All rungs that need nothing but this process, from the bottom to the top.
#[must_use]
pub fn rungs(audiences: &[u32]) -> Vec<Rung> {
    let mut all = codec::rungs();
    all.extend(auth::rungs());
    all.extend(audiences.iter().map(|audience| hub::fan_out(*audience)));
    all.push(hub::publish_at_home());
    all.push(hub::mesh());
    all.extend(outbox::rungs());
    all
}

pub use server::whole_server;

/// The data of the comparison's messages: 256 bytes.
fn data() -> String {
    format!("\"{}\"", "x".repeat(254))
}
