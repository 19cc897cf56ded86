//! A certificate that somebody else renews: two files, read again when they change.
//!
//! They are looked at every few seconds rather than watched: renewal tools replace files, links and directories in ways
//! that a watch loses, and a look costs two `stat(2)`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::certificate::{Certificate, Unusable};
use super::expiry::{Expiry, Validity};
use super::{Problem, State};
use crate::clock;

/// What health calls a pair that is of no use.
const UNUSABLE: &str = "certificate_unusable";
const REMEDY: &str =
    "Put a certificate and the key that belongs to it in place; the relay takes them up by itself.";

/// A chain with its key has a few kilobytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What changes when a file is written or replaced; `None` for a file that is not there.
type Stamp = Option<(u64, u64, i64, i64, u64)>;

pub struct Files {
    chain: PathBuf,
    key: PathBuf,
    state: Arc<State>,
    expiry: Expiry,
    /// The state of the files when they were last read.
    read: [Stamp; 2],
    /// Their state at the last look. Files that are still being written differ from one look to the next.
    seen: [Stamp; 2],
}

impl Files {
    /// Reads the files and puts them to use; what is wrong with them is told for people.
    pub fn open(chain: &Path, key: &Path, state: Arc<State>) -> Result<Self, String> {
        let stamps = [stamp(chain), stamp(key)];
        let mut files = Self {
            chain: chain.to_owned(),
            key: key.to_owned(),
            state,
            expiry: Expiry::new(Validity {
                from_s: 0,
                expires_s: u64::MAX,
            }),
            read: stamps,
            seen: stamps,
        };
        files.take_up()?;
        Ok(files)
    }

    /// Looks every so often, and at each nudge, until nobody can nudge any more.
    pub fn keep(&mut self, nudged: &Receiver<()>, every: Duration) {
        loop {
            let is_nudged = match nudged.recv_timeout(every) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.look(is_nudged);
        }
    }

    fn look(&mut self, is_nudged: bool) {
        let now = [stamp(&self.chain), stamp(&self.key)];
        let settled = now == self.seen;
        self.seen = now;
        if now == self.read || !(settled || is_nudged) {
            self.tell_expiry();
            return;
        }
        self.read = now;
        if let Err(problem) = self.take_up() {
            tracing::error!("the TLS certificate stays as it was: {problem}");
            self.state.health.failed(Problem {
                code: UNUSABLE,
                reason: problem,
                remedy: REMEDY,
            });
        }
    }

    fn take_up(&mut self) -> Result<(), String> {
        let chain = read("tls.certificate", &self.chain)?;
        let key = read("tls.key", &self.key)?;
        let certificate = Certificate::from_pem(&chain, &key).map_err(|unusable| match unusable {
            Unusable::Chain(why) => format!("the file of `tls.certificate`, {}, {why}", self.chain.display()),
            Unusable::Key(why) => format!("the file of `tls.key`, {}, {why}", self.key.display()),
            Unusable::Mismatch => format!(
                "the key {} does not belong to the certificate {}: `tls.key` and `tls.certificate` must be one pair",
                self.key.display(),
                self.chain.display()
            ),
        })?;
        tracing::info!(names = ?certificate.names, "TLS certificate {} taken into use", self.chain.display());
        self.expiry = Expiry::new(certificate.validity);
        self.state.take(certificate);
        self.tell_expiry();
        Ok(())
    }

    fn tell_expiry(&mut self) {
        if let Some(warning) = self.expiry.warning(clock::unix_ms() / 1000) {
            tracing::warn!("{warning} ({})", self.chain.display());
        }
    }
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("`{setting}` names {shown}, which is not there"),
        io::ErrorKind::PermissionDenied => {
            format!("`{setting}` names {shown}, which the relay's user may not read")
        }
        _ => format!("`{setting}`: {shown} cannot be read: {error}"),
    };
    let size = fs::metadata(path).map_err(failed)?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!(
            "`{setting}`: {shown} is too large for a PEM file ({size} bytes)"
        ));
    }
    fs::read(path).map_err(failed)
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((
        file.dev(),
        file.ino(),
        file.mtime(),
        file.mtime_nsec(),
        file.len(),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests::self_signed;
    use super::*;

    struct Case {
        files: Files,
        directory: tempfile::TempDir,
    }

    fn write(directory: &Path, chain: &str, key: &str) {
        for (name, text) in [("chain.pem", chain), ("key.pem", key)] {
            let new = directory.join(format!("{name}.new"));
            fs::write(&new, text).unwrap();
            fs::rename(new, directory.join(name)).unwrap();
        }
    }

    fn case() -> Case {
        let directory = tempfile::tempdir().unwrap();
        let (chain, key) = self_signed(&["one.example"]);
        write(directory.path(), &chain, &key);
        let files = Files::open(
            &directory.path().join("chain.pem"),
            &directory.path().join("key.pem"),
            Arc::default(),
        );
        Case {
            files: files.unwrap(),
            directory,
        }
    }

    #[test]
    fn changed_files_are_taken_up_once_they_have_settled() {
        let mut case = case();
        let (chain, key) = self_signed(&["two.example"]);
        write(case.directory.path(), &chain, &key);
        case.files.look(false);
        assert_eq!(case.files.state.health.replaced(), 1, "they may still be written");
        case.files.look(false);
        assert_eq!(case.files.state.health.replaced(), 2);
        case.files.look(false);
        assert_eq!(case.files.state.health.replaced(), 2, "read once for each change");
    }

    #[test]
    fn a_broken_change_is_told_once_and_the_next_good_one_ends_it() {
        let mut case = case();
        let (chain, key) = self_signed(&["two.example"]);
        write(case.directory.path(), &chain, "not a key");
        for _ in 0..5 {
            case.files.look(false);
        }
        assert_eq!(
            (
                case.files.state.health.replaced(),
                case.files.state.health.failures()
            ),
            (1, 1)
        );
        assert!(
            case.files
                .state
                .health
                .problem()
                .unwrap()
                .reason
                .contains("tls.key")
        );
        write(case.directory.path(), &chain, &key);
        case.files.look(true);
        assert_eq!(case.files.state.health.replaced(), 2);
        assert!(case.files.state.health.problem().is_none());
    }

    #[test]
    fn files_that_vanish_leave_the_certificate_in_use() {
        let mut case = case();
        fs::remove_file(case.directory.path().join("key.pem")).unwrap();
        case.files.look(true);
        assert!(
            case.files
                .state
                .health
                .problem()
                .unwrap()
                .reason
                .contains("not there")
        );
        assert!(case.files.state.health.validity().is_some());
    }
}
