//! `hookcast listen`: a client that prints what arrives.

mod sse;
mod web_socket;

use std::time::Duration;

use super::client::Target;
use super::common::{self, Missing};
use super::token::claims;
use super::{CliError, Common, output};
use crate::site::{Site, mint};
use crate::store::StoreHandle;

/// The first wait before a reconnect; each failure after it doubles it.
const BACK_OFF_MIN: Duration = Duration::from_millis(500);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);

/// Nothing heard for this long: the relay pings more often, so the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(75);

/// Subscribe to channels and print what arrives
///
/// Makes its own tokens, reconnects by itself, and asks for what it missed meanwhile. Messages go to standard output, one
/// line each: channel, event, data. What happens to the connection goes to standard error.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hookcast listen --site https://shop.example --channels events,woo:stock\n  \
    hookcast listen --site 9f2c4a61 --channels events --sse --json --count 1")]
pub struct Args {
    /// The site: its key, its address, or the beginning of its key
    #[arg(long)]
    site: String,
    /// The channels, separated by commas
    #[arg(long, value_delimiter = ',', required = true)]
    channels: Vec<String>,
    /// Over server-sent events instead of a WebSocket
    #[arg(long)]
    sse: bool,
    /// The user's id in the token; 0 is a visitor
    #[arg(long, default_value = "0")]
    user: String,
    /// The relay [default: the one that the settings describe]
    #[arg(long)]
    url: Option<String>,
    /// End after this many messages, presence not counted
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Each message as JSON, as it came
    #[arg(long)]
    json: bool,
    /// Lifetime of the tokens, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, hide = true,
          value_parser = clap::value_parser!(u64).range(2..=86400))]
    ttl: u64,
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let (config, store) = common.store(Missing::Refuse)?;
        let site = common::site(&store, &self.site)?;
        let target = self
            .url
            .as_deref()
            .map_or_else(|| Ok(Target::local(&config)), Target::parse)?;
        let mut listener = Listener {
            target,
            channels: self.channels,
            user: self.user,
            ttl_s: self.ttl,
            json: self.json,
            left: self.count,
            site,
            store,
        };
        let mut back_off = BackOff::default();
        let mut session: Box<dyn Session> = if self.sse {
            Box::<sse::Stream>::default()
        } else {
            Box::<web_socket::Socket>::default()
        };
        loop {
            match session.run(&mut listener, &mut back_off) {
                Ok(()) => return Ok(()),
                Err(End::Failed(e)) => return Err(e),
                Err(End::Lost(why)) => {
                    let wait = back_off.next();
                    eprintln!("hookcast: {why}; again in {} ms", wait.as_millis());
                    std::thread::sleep(wait);
                    // A rotated secret is taken up; the relay tells a site that is gone.
                    listener.site = common::site(&listener.store, &listener.site.key)?;
                }
            }
        }
    }
}

/// Why a session is over.
enum End {
    /// Worth another try.
    Lost(String),
    /// Not.
    Failed(CliError),
}

impl From<CliError> for End {
    fn from(e: CliError) -> Self {
        End::Failed(e)
    }
}

/// One transport. It keeps across reconnects what it needs to ask for what it missed.
trait Session {
    /// One connection, until it ends. `Ok`: as many messages as were asked for have come.
    fn run(&mut self, listener: &mut Listener, back_off: &mut BackOff) -> Result<(), End>;
}

/// What both transports share.
struct Listener {
    target: Target,
    site: std::sync::Arc<Site>,
    channels: Vec<String>,
    user: String,
    ttl_s: u64,
    json: bool,
    left: Option<u64>,
    store: StoreHandle,
}

impl Listener {
    fn token(&self) -> String {
        mint(
            &claims(&self.site, &self.user, Vec::new(), Some(Vec::new()), self.ttl_s),
            &self.site.jwt_secrets.current,
        )
    }

    /// `raw` is the message as it came. True when that was the last one asked for.
    fn print(&mut self, raw: &str, channel: &str, event: &str, data: &str) -> Result<bool, CliError> {
        if self.json {
            output::line(raw)?;
        } else {
            output::line(format!(
                "{}  {}  {}",
                printable(channel),
                printable(event),
                printable(data)
            ))?;
        }
        // Presence comes by itself, so it is not what was waited for.
        if let Some(left) = &mut self.left
            && event != "wps.presence"
        {
            *left = left.saturating_sub(1);
        }
        Ok(self.left == Some(0))
    }
}

/// What came from others goes to a terminal: nothing in it may move the cursor or start a second line.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// Waits between attempts, doubled each time, and spread so that many clients do not return at once.
#[derive(Default)]
struct BackOff {
    failures: u32,
}

impl BackOff {
    fn connected(&mut self) {
        self.failures = 0;
    }

    fn next(&mut self) -> Duration {
        let full = BACK_OFF_MAX.min(BACK_OFF_MIN.saturating_mul(1 << self.failures.min(10)));
        self.failures = self.failures.saturating_add(1);
        let mut random = [0u8; 1];
        // Without randomness the wait is the full one.
        let share = getrandom::fill(&mut random).map_or(255, |()| u32::from(random[0]));
        full / 2 + full / 2 * share / 255
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_over_after_a_success() {
        let mut back_off = BackOff::default();
        let waits: Vec<Duration> = (0..20).map(|_| back_off.next()).collect();
        assert!(
            waits[0] >= BACK_OFF_MIN / 2 && waits[0] <= BACK_OFF_MIN,
            "{waits:?}"
        );
        assert!(
            waits[19] >= BACK_OFF_MAX / 2 && waits[19] <= BACK_OFF_MAX,
            "{waits:?}"
        );
        back_off.connected();
        assert!(back_off.next() <= BACK_OFF_MIN);
    }

    #[test]
    fn nothing_that_arrives_moves_the_cursor() {
        assert_eq!(
            printable("a\x1b[2Jb\nc\u{9b}d é"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d é"
        );
    }
}
