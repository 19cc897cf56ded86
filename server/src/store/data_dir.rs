//! The data directory: 0700, with the database (0600) and the lock of the server that uses it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::StoreError;

const DATABASE: &str = "hookcast.db";
const LOCK: &str = "server.lock";

pub fn database(dir: &Path) -> PathBuf {
    dir.join(DATABASE)
}

/// Creates the directory where it is missing, and takes it from group and others where it is open to them: it holds
/// every site's secrets.
pub fn prepare(dir: &Path) -> Result<(), StoreError> {
    let named = |what: &str| StoreError::io(format!("{what} the data directory {}", dir.display()));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(named("cannot create"))?;
    let mode = dir
        .metadata()
        .map_err(named("cannot look at"))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        std::fs::set_permissions(dir, Permissions::from_mode(0o700))
            .map_err(named("cannot keep others out of"))?;
    }
    Ok(())
}

/// A file of the data directory, made where it is missing. Made by root in another user's directory it becomes that
/// user's: the server must be able to open what a subcommand made before its first start.
fn own_file(dir: &Path, name: &str) -> std::io::Result<File> {
    let path = dir.join(name);
    let is_new = !path.exists();
    let file = private_file(&path)?;
    if is_new && geteuid().is_root() {
        let owner = dir.metadata()?;
        std::os::unix::fs::fchown(&file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// A file that its owner alone can read.
pub fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Opens the database, created 0600 where it is missing, with the settings that every connection needs.
pub fn open(dir: &Path) -> Result<Connection, StoreError> {
    let path = database(dir);
    let named = || StoreError::io(format!("cannot open {}", path.display()));
    // SQLite would create it with the umask's mode; its -wal and -shm take the database's mode.
    let file = own_file(dir, DATABASE).map_err(named())?;
    if file.metadata().map_err(named())?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(named())?;
    }
    drop(file);
    let db = Connection::open(&path)?;
    // Before journal_mode: switching to WAL needs the lock too.
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    // A file from elsewhere (restore) may hold triggers and views: none of them may call out.
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}

/// Held while a server (or `restore`) uses the directory; the kernel lets go of it when the process ends, however it ends.
///
/// The file tells whose it is: the process id in the first line, and behind it what that server has to say to `hookcast
/// upgrade`.
#[derive(Debug)]
pub struct ServerLock {
    file: File,
}

/// A subcommand holds the lock for microseconds when it asks whether a server does: worth a second attempt.
const LOCK_ATTEMPTS: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

impl ServerLock {
    pub fn take(dir: &Path) -> Result<ServerLock, StoreError> {
        let file = own_file(dir, LOCK).map_err(StoreError::io(format!(
            "cannot open {}",
            dir.join(LOCK).display()
        )))?;
        for attempt in 1.. {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if attempt < LOCK_ATTEMPTS => std::thread::sleep(LOCK_PAUSE),
                Err(Errno::WOULDBLOCK) => return Err(StoreError::InUse(dir.to_owned())),
                Err(e) => return Err(cannot_lock(dir)(e)),
            }
        }
        let lock = ServerLock { file };
        lock.sign("");
        Ok(lock)
    }

    /// Leaves word for whoever asked this server to hand over.
    pub fn note(&self, text: &str) {
        self.sign(&format!("\n{text}"));
    }

    /// A lock that cannot be signed holds all the same.
    fn sign(&self, rest: &str) {
        let signed = format!("{}{rest}", std::process::id());
        let _ = self
            .file
            .set_len(0)
            .and_then(|()| self.file.write_all_at(signed.as_bytes(), 0));
    }

    /// The last word that the server left.
    pub fn noted(dir: &Path) -> Option<String> {
        let text = std::fs::read_to_string(dir.join(LOCK)).ok()?;
        text.split_once('\n').map(|(_, noted)| noted.to_owned())
    }

    /// The process id of the server that uses the directory.
    pub fn holder(dir: &Path) -> Result<Option<u32>, StoreError> {
        if !Self::is_taken(dir)? {
            return Ok(None);
        }
        let path = dir.join(LOCK);
        let text = std::fs::read_to_string(&path)
            .map_err(StoreError::io(format!("cannot read {}", path.display())))?;
        Ok(text.lines().next().and_then(|id| id.trim().parse().ok()))
    }

    /// Whether a server uses the directory.
    pub fn is_taken(dir: &Path) -> Result<bool, StoreError> {
        // Not made here: a server that has one is the only question.
        let file = match File::open(dir.join(LOCK)) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(e) => {
                return Err(StoreError::io(format!(
                    "cannot open {}",
                    dir.join(LOCK).display()
                ))(e));
            }
        };
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(false),
            Err(Errno::WOULDBLOCK) => Ok(true),
            Err(e) => Err(cannot_lock(dir)(e)),
        }
    }
}

fn cannot_lock(dir: &Path) -> impl FnOnce(Errno) -> StoreError {
    let what = format!("cannot lock {}", dir.join(LOCK).display());
    move |e| StoreError::Io {
        what,
        source: e.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_kept_out_of_what_was_open_to_them() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("a/b");
        prepare(&dir).unwrap();
        drop(open(&dir).unwrap());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&database(&dir))), (0o700, 0o600));
        std::fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(database(&dir), Permissions::from_mode(0o644)).unwrap();
        prepare(&dir).unwrap();
        let db = open(&dir).unwrap();
        db.execute_batch("CREATE TABLE t (a TEXT)").unwrap();
        assert_eq!((mode(&dir), mode(&database(&dir))), (0o700, 0o600));
        assert_eq!(mode(&dir.join("hookcast.db-wal")), 0o600);
    }

    #[test]
    fn what_root_makes_belongs_to_the_directorys_owner() {
        if !geteuid().is_root() {
            eprintln!("only root can make files for others: not tried");
            return;
        }
        let tmp = tempfile::tempdir().unwrap();
        let dir = tmp.path().join("data");
        prepare(&dir).unwrap();
        std::os::unix::fs::chown(&dir, Some(4321), Some(4321)).unwrap();
        let _lock = ServerLock::take(&dir).unwrap();
        let db = open(&dir).unwrap();
        db.execute_batch("CREATE TABLE t (a TEXT)").unwrap();
        let mut files = 0;
        for file in std::fs::read_dir(&dir).unwrap() {
            let file = file.unwrap();
            assert_eq!(file.metadata().unwrap().uid(), 4321, "{:?}", file.file_name());
            files += 1;
        }
        // The database, its -wal and -shm (SQLite sees to those itself), and the lock.
        assert_eq!(files, 4);
    }

    #[test]
    fn one_server_at_a_time() {
        let tmp = tempfile::tempdir().unwrap();
        assert!(!ServerLock::is_taken(tmp.path()).unwrap());
        let first = ServerLock::take(tmp.path()).unwrap();
        assert!(ServerLock::is_taken(tmp.path()).unwrap());
        assert_eq!(ServerLock::noted(tmp.path()), None);
        first.note("a word\nor two");
        assert_eq!(ServerLock::noted(tmp.path()).as_deref(), Some("a word\nor two"));
        assert_eq!(ServerLock::holder(tmp.path()).unwrap(), Some(std::process::id()));
        assert!(matches!(ServerLock::take(tmp.path()), Err(StoreError::InUse(_))));
        drop(first);
        ServerLock::take(tmp.path()).unwrap();
    }
}
