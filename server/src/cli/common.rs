//! What every subcommand takes: where the settings and the data are.

use std::path::PathBuf;

use crate::clock::unix_ms;
use crate::config::{Config, Sources};
use crate::site::Site;
use crate::store::{POLL, Role, ServerLock, StoreError, StoreHandle, audit, site_defaults, sites};

use super::CliError;

#[derive(clap::Args)]
pub struct Common {
    /// Settings in TOML (also: HOOKCAST_CONFIG)
    #[arg(long, value_name = "FILE", global = true, help_heading = "Settings")]
    config: Option<PathBuf>,
    /// Directory of the store (also: HOOKCAST_DATA_DIR) [default: ./hookcast-data]
    #[arg(long, value_name = "DIR", global = true, help_heading = "Settings")]
    data_dir: Option<PathBuf>,
    /// Any setting, as `hookcast reference` lists them; may be repeated
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        global = true,
        help_heading = "Settings"
    )]
    set: Vec<String>,
}

/// Whether a store that is not there yet is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Create,
    Refuse,
}

impl Common {
    /// The effective settings, `flags` being the subcommand's own.
    pub fn config_with(&self, flags: Vec<(String, String)>) -> Result<Config, CliError> {
        let mut all = Vec::new();
        for pair in &self.set {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                CliError::usage(format!(
                    "--set takes KEY=VALUE, such as --set server.workers=2, not `{pair}`"
                ))
            })?;
            all.push((key.trim().to_owned(), value.to_owned()));
        }
        if let Some(dir) = &self.data_dir {
            let dir = dir
                .to_str()
                .ok_or_else(|| CliError::usage("--data-dir must be UTF-8"))?;
            all.push(("server.data_dir".to_owned(), dir.to_owned()));
        }
        all.extend(flags);
        Ok(Sources::of_process(self.config.clone(), all).load()?)
    }

    pub fn config(&self) -> Result<Config, CliError> {
        let config = self.config_with(Vec::new())?;
        for warning in config.warnings() {
            eprintln!("hookcast: warning: {warning}");
        }
        Ok(config)
    }

    /// The store, for a subcommand beside a running relay or without one.
    pub fn store(&self, missing: Missing) -> Result<(Config, StoreHandle), CliError> {
        let config = self.config()?;
        let store = open(&config, missing)?;
        Ok((config, store))
    }
}

/// A line in the audit log, in the transaction of the change itself.
pub fn note(
    tx: &rusqlite::Transaction<'_>,
    action: &'static str,
    site_key: Option<&str>,
    subject: &str,
    details: &str,
) -> Result<(), StoreError> {
    let note = audit::Note {
        actor: format!("command line (uid {})", rustix::process::getuid().as_raw()),
        address: None,
        action,
        site_key: site_key.map(str::to_owned),
        subject: subject.to_owned(),
        details: details.to_owned(),
    };
    audit::note(tx, &note, unix_ms())
}

/// After a write: gives a running server the time to look, so that the next command in a script finds it knowing.
pub fn settle(config: &Config) -> Result<(), CliError> {
    if ServerLock::is_taken(&config.server.data_dir)? {
        std::thread::sleep(POLL + POLL / 5);
    }
    Ok(())
}

/// A subcommand's store says in plain lines what goes wrong inside it.
fn log_to_stderr() {
    // Refused where there is a log already.
    let _ = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .without_time()
        .try_init();
}

pub fn open(config: &Config, missing: Missing) -> Result<StoreHandle, CliError> {
    log_to_stderr();
    let dir = &config.server.data_dir;
    if !StoreHandle::exists(dir) {
        if missing == Missing::Refuse {
            return Err(CliError::failed(format!(
                "there is no hookcast store in {}: pass the server's --data-dir or --config",
                dir.display()
            )));
        }
        eprintln!("hookcast: made a new store in {}", dir.display());
    }
    let opened = StoreHandle::open(dir, Role::Tool, site_defaults(config));
    opened.map_err(|e| match e {
        // The server's user owns the store; anyone else gets no further than the directory.
        StoreError::Io { ref source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            CliError::failed(format!(
                "{e}\nrun this as the user that the server runs as, or as root"
            ))
        }
        other => other.into(),
    })
}

/// The site that `which` names (key, address, or the beginning of a key), as the relay sees it.
pub fn site(store: &StoreHandle, which: &str) -> Result<std::sync::Arc<Site>, CliError> {
    let which = which.to_owned();
    let row = store.read_blocking(move |db| sites::find(db, &which))?;
    store
        .sites()
        .by_key(&row.site_key)
        .cloned()
        .ok_or_else(|| CliError::failed("the site was removed just now"))
}

/// The last second that the format below can write.
const YEAR_9999_MS: u64 = 253_402_300_799_000;

/// Unix milliseconds as `2026-11-20T23:58:37Z`; what never happened is a dash.
pub fn moment(ms: Option<u64>) -> String {
    let at = |ms| std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms);
    ms.map_or_else(
        || "-".to_owned(),
        |ms| humantime::format_rfc3339_seconds(at(ms.min(YEAR_9999_MS))).to_string(),
    )
}
