//! What can be seen on the relay's own machine.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use hookcast_api::tools::Check;
use rustix::process::{Resource, getrlimit};

use super::{failed, ok, shown, warning};
use crate::cli::Target;
use crate::config::{Config, Driver};
use crate::tls::Problem;

/// What a small site's relay needs; a large one's log says when it is not enough.
const DESCRIPTORS_MIN: u64 = 4_096;
const FREE_BYTES_MIN: u64 = 100 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);
/// 2025-01-01: a clock before it was never set.
const CLOCK_MIN_MS: u64 = 1_735_689_600_000;

pub struct Inside<'a> {
    pub config: &'a Config,
    /// The driver of the relay that runs, and why it is not io_uring; `None` outside of it.
    pub driver: Option<(String, Option<String>)>,
    /// Why the relay that runs could not get or use a certificate the last time; `None` outside of it.
    pub certificate_problem: Option<Arc<Problem>>,
    pub now_ms: u64,
}

impl Inside<'_> {
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = vec![
            self.driver(),
            descriptors(),
            self.memlock(),
            self.clock(),
            self.data_dir(),
            self.listener(),
        ];
        let problem = self.certificate_problem.as_deref();
        checks.extend(shown::check(self.config, problem, self.now_ms / 1000));
        checks
    }

    fn driver(&self) -> Check {
        let entries = self.config.server.ring_entries;
        match &self.driver {
            Some((driver, None)) => ok("driver", format!("{driver}, {entries} ring entries")),
            Some((driver, Some(reason))) => warning(
                "driver",
                format!("{driver} instead of io_uring: {reason}"),
                "The relay works; io_uring costs less CPU. Allow io_uring in the container's seccomp profile, or raise LimitMEMLOCK.",
            ),
            None => match self.config.server.driver {
                Driver::Epoll => ok("driver", "epoll, as configured"),
                _ => ok(
                    "driver",
                    format!(
                        "io_uring where the kernel allows it, {entries} ring entries; the running relay's log says which"
                    ),
                ),
            },
        }
    }

    fn memlock(&self) -> Check {
        match getrlimit(Resource::Memlock).current {
            None => ok("memlock_limit", "unlimited"),
            Some(bytes) if bytes >= 8 << 20 => ok("memlock_limit", format!("{} KiB", bytes >> 10)),
            Some(bytes) => warning(
                "memlock_limit",
                format!("{} KiB: io_uring may be refused", bytes >> 10),
                "Set LimitMEMLOCK=infinity in the systemd unit (or ulimit -l unlimited).",
            ),
        }
    }

    fn clock(&self) -> Check {
        match self.now_ms >= CLOCK_MIN_MS {
            true => ok("clock", "set; it is compared with the public URL's below"),
            false => failed(
                "clock",
                "this machine's clock was never set",
                "Switch time synchronisation on (timedatectl set-ntp true): signatures and tokens depend on it.",
            ),
        }
    }

    fn data_dir(&self) -> Check {
        let dir = &self.config.server.data_dir;
        let shown = dir.display();
        let metadata = match std::fs::metadata(dir) {
            Ok(metadata) => metadata,
            Err(error) => {
                return failed(
                    "data_dir",
                    format!("{shown}: {error}"),
                    "Run this as the relay's user, or name its --data-dir.",
                );
            }
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return warning(
                "data_dir",
                format!("{shown} is open to others (mode {mode:o})"),
                "It holds every site's secrets: chmod 700 it.",
            );
        }
        if rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_err() {
            return failed(
                "data_dir",
                format!("{shown} cannot be written"),
                "Give it to the relay's user (chown).",
            );
        }
        match rustix::fs::statvfs(dir) {
            Ok(space) if space.f_bavail.saturating_mul(space.f_frsize) < FREE_BYTES_MIN => failed(
                "data_dir",
                format!("{shown} has less than {} MiB left", FREE_BYTES_MIN >> 20),
                "Make room on its disk: without it no change can be stored.",
            ),
            _ => ok("data_dir", format!("{shown}, mode {mode:o}")),
        }
    }

    fn listener(&self) -> Check {
        let target = Target::local(self.config);
        match target.request("GET", "/healthz", &[], b"", TIMEOUT) {
            Ok(answer) if answer.status == 200 => {
                ok("listener", format!("the relay answers on {}", target.authority()))
            }
            Ok(answer) => failed(
                "listener",
                format!(
                    "{} answers with status {}: that is another program",
                    target.authority(),
                    answer.status
                ),
                "Stop the other program, or give the relay another server.listen.",
            ),
            Err(error) => failed(
                "listener",
                text(&error),
                "Start the relay (hookcast serve, systemctl start hookcast).",
            ),
        }
    }
}

fn descriptors() -> Check {
    match getrlimit(Resource::Nofile).current {
        None => ok("fd_limit", "unlimited"),
        Some(max) if max >= DESCRIPTORS_MIN => ok("fd_limit", format!("{max}: each connection takes one")),
        Some(max) => warning(
            "fd_limit",
            format!("{max}: that many connections at most"),
            "Raise LimitNOFILE in the systemd unit (or ulimit -n).",
        ),
    }
}

pub fn text(error: &crate::cli::CliError) -> String {
    match error {
        crate::cli::CliError::Usage(text) | crate::cli::CliError::Failed(text) => text.clone(),
        crate::cli::CliError::OutputClosed => "the connection was closed".to_owned(),
    }
}
