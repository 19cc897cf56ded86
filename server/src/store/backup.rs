//! Copies of the database, taken and put back while others use it, through SQLite's own backup.

use std::path::{Path, PathBuf};

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::data_dir::{self, ServerLock};
use super::{StoreError, migrations};

/// Writes the whole store to `file`, one moment of it, 0600. The file appears only once it is whole.
pub fn backup(dir: &Path, file: &Path, overwrite: bool) -> Result<u64, StoreError> {
    let from = existing(dir)?;
    if file.exists() && !overwrite {
        return Err(StoreError::Invalid(format!(
            "{} exists already: pass --force to replace it",
            file.display()
        )));
    }
    let io = |what: &str| StoreError::io(format!("{what} {}", file.display()));
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut name = std::ffi::OsString::from(".");
    name.push(
        file.file_name()
            .ok_or_else(|| StoreError::Invalid("name a file to back up to".to_owned()))?,
    );
    name.push(format!(".{}.tmp", std::process::id()));
    let unfinished = Unfinished(parent.join(name));
    let mode_set = data_dir::private_file(&unfinished.0).map_err(io("cannot write"))?;
    copy(&from, &unfinished.0)?;
    mode_set.sync_all().map_err(io("cannot write"))?;
    std::fs::rename(&unfinished.0, file).map_err(io("cannot write"))?;
    std::fs::File::open(parent)
        .and_then(|dir| dir.sync_all())
        .map_err(io("cannot write"))?;
    Ok(file.metadata().map_err(io("cannot look at"))?.len())
}

/// Removed unless it was renamed.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn copy(from: &Connection, to: &Path) -> Result<(), StoreError> {
    let mut copy = Connection::open(to)?;
    // One step: readers do not hold up a writer in WAL mode, and no write in between starts the copy over.
    Backup::new(from, &mut copy)?.step(-1)?;
    // One file that stands alone, without a -wal beside it.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    Ok(())
}

/// What [`restore`] did.
#[derive(Debug)]
pub struct Restored {
    /// What was there before, if anything was.
    pub kept: Option<PathBuf>,
    pub sites: u32,
    pub version: u32,
}

/// Puts `file` in the place of the store in `dir`, and migrates it. Refused while a server uses the directory, and if the
/// file is not a whole hookcast store of this version or an earlier one. What was there is kept beside it.
pub fn restore(dir: &Path, file: &Path, now_ms: u64) -> Result<Restored, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if !file.is_file() {
        return Err(StoreError::NotFound(format!(
            "there is no file {}",
            file.display()
        )));
    }
    let from = Connection::open_with_flags(file, flags)?;
    let version = migrations::version(&from)?;
    let healthy: String = from.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if version == 0 || healthy != "ok" {
        return Err(StoreError::Invalid(format!(
            "{} is not a whole hookcast backup: {healthy}",
            file.display()
        )));
    }
    data_dir::prepare(dir)?;
    let _lock = ServerLock::take(dir)?;
    let kept = match existing(dir) {
        Ok(old) => {
            drop(old);
            let kept = dir.join(format!("hookcast.db.before-restore-{now_ms}"));
            backup(dir, &kept, false)?;
            Some(kept)
        }
        Err(StoreError::NotFound(_)) => None,
        Err(e) => return Err(e),
    };
    let mut db = data_dir::open(dir)?;
    // One transaction: a crash leaves the old store or the new one.
    Backup::new(&from, &mut db)?.step(-1)?;
    // The copy brought the backup's journal mode along.
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    migrations::migrate(&mut db)?;
    let sites = db.query_row("SELECT count(*) FROM sites", [], |row| row.get(0))?;
    Ok(Restored { kept, sites, version })
}

fn existing(dir: &Path) -> Result<Connection, StoreError> {
    let path = data_dir::database(dir);
    if !path.is_file() {
        return Err(StoreError::NotFound(format!(
            "there is no hookcast store in {}",
            dir.display()
        )));
    }
    let db = data_dir::open(dir)?;
    migrations::version(&db)?;
    Ok(db)
}
