//! `hookcast backup`, `restore`, `export` and `import`

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::common::{Missing, note, settle};
use super::{CliError, Common, output};
use crate::clock::unix_ms;
use crate::store::{backup, transfer};
use crate::trigger::NameLimits;

/// Copy the whole store to a file while the relay runs
///
/// The file holds every site's secrets: it is made readable by its owner only.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hookcast backup /var/backups/hookcast-$(date +%F).db")]
pub struct BackupArgs {
    /// The file to write
    file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl BackupArgs {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let config = common.config()?;
        let bytes = backup::backup(&config.server.data_dir, &self.file, self.force)?;
        if self.json {
            return output::json(&json!({ "file": self.file, "bytes": bytes }));
        }
        output::line(format!("{}: {bytes} bytes", self.file.display()))
    }
}

/// Put a backup in the place of the store; the relay must be stopped
///
/// What was there before is kept in the data directory.
#[derive(clap::Args)]
pub struct RestoreArgs {
    /// A file that `hookcast backup` wrote
    file: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl RestoreArgs {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let config = common.config()?;
        let done = backup::restore(&config.server.data_dir, &self.file, unix_ms())?;
        if self.json {
            return output::json(&json!({ "sites": done.sites, "schema": done.version, "kept": done.kept }));
        }
        output::line(format!(
            "restored {} sites from {}",
            done.sites,
            self.file.display()
        ))?;
        match done.kept {
            Some(kept) => output::line(format!("what was there before: {}", kept.display())),
            None => Ok(()),
        }
    }
}

/// Write all sites and their triggers as JSON, secrets included
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hookcast export sites.json")]
pub struct ExportArgs {
    /// The file to write, readable by its owner only; `-` is standard output
    #[arg(default_value = "-")]
    file: PathBuf,
}

impl ExportArgs {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let (_, store) = common.store(Missing::Refuse)?;
        let export = store.read_blocking(transfer::export)?;
        let text = serde_json::to_string_pretty(&export).map_err(CliError::failed)?;
        if self.file == Path::new("-") {
            return output::line(text);
        }
        let io = |e| CliError::failed(format!("cannot write {}: {e}", self.file.display()));
        // Never over another file, whose readers would stay allowed to read it.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(io)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.write_all(b"\n"))
            .map_err(io)?;
        file.sync_all().map_err(io)?;
        output::line(format!("{}: {} sites", self.file.display(), export.sites.len()))
    }
}

/// Take up the sites and triggers of an export
#[derive(clap::Args)]
pub struct ImportArgs {
    /// A file that `hookcast export` wrote; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// Overwrite sites that are known here; without it they are skipped
    #[arg(long)]
    replace: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl ImportArgs {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let io = |e| CliError::failed(format!("cannot read {}: {e}", self.file.display()));
        let text = if self.file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(io)?;
            text
        } else {
            std::fs::read_to_string(&self.file).map_err(io)?
        };
        let export: transfer::Export = serde_json::from_str(&text)
            .map_err(|e| CliError::failed(format!("{} is no hookcast export: {e}", self.file.display())))?;
        let (config, store) = common.store(Missing::Create)?;
        let replace = self.replace;
        let names = NameLimits {
            channel: config.limits.channel_name_bytes_max,
            event: config.limits.event_name_bytes_max,
        };
        let done = store.write_blocking(move |tx| {
            let done = transfer::import(tx, &export, replace, names, unix_ms())?;
            let counts = format!(
                "{} added, {} replaced, {} skipped",
                done.added.len(),
                done.replaced.len(),
                done.skipped.len()
            );
            note(tx, "site.imported", None, "", &counts)?;
            Ok(done)
        })?;
        settle(&config)?;
        if self.json {
            return output::json(&done);
        }
        for (what, urls) in [
            ("added", &done.added),
            ("replaced", &done.replaced),
            ("skipped", &done.skipped),
        ] {
            for url in urls {
                output::line(format!("{what:8}  {url}"))?;
            }
        }
        Ok(())
    }
}
