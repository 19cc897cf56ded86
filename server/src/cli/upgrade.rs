//! `hookcast upgrade`

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::{CliError, Common};
use crate::store::ServerLock;

/// A little more than the relay itself gives a new process.
const WAIT: Duration = Duration::from_secs(50);
const LOOK: Duration = Duration::from_millis(50);

/// Hand the running relay over to the binary as it is installed now
///
/// The relay starts its binary anew with its own arguments, hands it the listeners and what it remembers, and closes its
/// connections once the new process serves: no connection is refused, and clients that recover miss nothing. If the new
/// process fails to start, the relay goes on as before; why is printed here and in its log.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    hookcast upgrade --config /etc/hookcast/hookcast.toml\n\n\
    The same as SIGUSR2 to the relay.")]
pub struct Args {}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let config = common.config()?;
        let dir = &config.server.data_dir;
        let holder = ServerLock::holder(dir)?;
        let old = holder
            .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?))
            .ok_or_else(|| {
                CliError::failed(format!(
                    "no relay runs on {}: start one with `hookcast serve`",
                    dir.display()
                ))
            })?;
        let before = ServerLock::noted(dir);
        kill_process(old, Signal::USR2).map_err(|error| {
            CliError::failed(format!("the relay (process {old}) cannot be told: {error}"))
        })?;
        let deadline = Instant::now() + WAIT;
        while Instant::now() < deadline {
            match ServerLock::holder(dir)? {
                Some(pid) if i32::try_from(pid) != Ok(old.as_raw_pid()) => {
                    println!("process {pid} has taken over from process {old}");
                    return Ok(());
                }
                None if test_kill_process(old).is_err() => {
                    return Err(CliError::failed(format!("the relay (process {old}) has ended")));
                }
                _ => match ServerLock::noted(dir).filter(|noted| before.as_ref() != Some(noted)) {
                    Some(noted) => {
                        let reason = noted.split_once(' ').map_or("", |(_, reason)| reason);
                        return Err(CliError::failed(format!("process {old} still serves: {reason}")));
                    }
                    None => thread::sleep(LOOK),
                },
            }
        }
        Err(CliError::failed(format!(
            "process {old} still serves: its log says why it did not hand over"
        )))
    }
}
