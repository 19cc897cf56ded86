//! What is kept in the data directory: `acme/`, with the account and the certificate of each authority.
//!
//! Directories are 0700, files 0600, and a file is whole or as it was. The certificate and its key are one file, so that
//! they always belong together.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::super::certificate::{Certificate, Unusable};
use crate::config::AcmeDirectory;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const PATIENCE: &str = "not-before";

pub struct Shelf {
    /// Of one authority.
    dir: PathBuf,
    lock: PathBuf,
}

/// What changes when the certificate is replaced; `None` while there is none.
pub type Stamp = Option<(u64, i64, i64, u64)>;

impl Shelf {
    pub fn open(data_dir: &Path, directory: &AcmeDirectory) -> io::Result<Self> {
        let authority = match directory {
            AcmeDirectory::Production => "letsencrypt".to_owned(),
            AcmeDirectory::Staging => "letsencrypt-staging".to_owned(),
            AcmeDirectory::Own(url) => format!("own-{}", hex::encode(&Sha256::digest(url)[..6])),
        };
        let dir = data_dir.join("acme").join(authority);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        Ok(Self {
            dir,
            lock: data_dir.join("acme/lock"),
        })
    }

    /// The right to order, held until the file is dropped; `None` while another process has it.
    pub fn lock(&self) -> io::Result<Option<File>> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.lock)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn account(&self) -> io::Result<Option<AccountCredentials>> {
        match fs::read(self.dir.join(ACCOUNT)) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                // The text holds a key: not even its place is told.
                .map_err(|_| {
                    io::Error::other(format!(
                        "{ACCOUNT} is damaged: remove it, and a new account is made"
                    ))
                }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn set_account(&self, account: &AccountCredentials) -> io::Result<()> {
        self.put(ACCOUNT, &serde_json::to_vec(account).map_err(io::Error::other)?)
    }

    pub fn forget_account(&self) -> io::Result<()> {
        fs::remove_file(self.dir.join(ACCOUNT))
    }

    pub fn stamp(&self) -> Stamp {
        let file = fs::metadata(self.dir.join(CERTIFICATE)).ok()?;
        Some((file.ino(), file.mtime(), file.mtime_nsec(), file.len()))
    }

    /// The certificate that was stored last.
    pub fn certificate(&self) -> Result<Option<Certificate>, String> {
        let path = self.dir.join(CERTIFICATE);
        let shown = path.display();
        let bundle = match fs::read(&path) {
            Ok(bundle) => bundle,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{shown} cannot be read: {error}")),
        };
        match Certificate::from_pem(&bundle, &bundle) {
            Ok(certificate) => Ok(Some(certificate)),
            Err(Unusable::Chain(why) | Unusable::Key(why)) => Err(format!("{shown} {why}")),
            Err(Unusable::Mismatch) => Err(format!("{shown} holds a key that is not its certificate's")),
        }
    }

    pub fn set_certificate(&self, chain: &str, key: &str) -> io::Result<()> {
        self.put(
            CERTIFICATE,
            format!("{}\n{}\n", key.trim_end(), chain.trim_end()).as_bytes(),
        )
    }

    /// Before when no order is to be tried again, in milliseconds of the Unix clock: what outlives a process that restarts
    /// over and over.
    pub fn not_before_ms(&self) -> u64 {
        let text = fs::read_to_string(self.dir.join(PATIENCE)).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// `None` once an order has succeeded. Best effort: without it a restart asks too early.
    pub fn set_not_before_ms(&self, ms: Option<u64>) {
        let _ = match ms {
            Some(ms) => self.put(PATIENCE, ms.to_string().as_bytes()),
            None => fs::remove_file(self.dir.join(PATIENCE)),
        };
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.dir.join(format!("{name}.new"));
        // One from an earlier try may have any mode.
        let _ = fs::remove_file(&new);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::certificate::tests::self_signed;
    use super::*;

    #[test]
    fn a_pair_comes_back_as_it_was_put_and_each_authority_has_its_own() {
        let data = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(data.path(), &AcmeDirectory::Production).unwrap();
        assert!(shelf.certificate().unwrap().is_none() && shelf.account().unwrap().is_none());
        assert_eq!(shelf.not_before_ms(), 0);
        shelf.set_not_before_ms(Some(42));
        assert_eq!(shelf.not_before_ms(), 42);
        shelf.set_not_before_ms(None);
        assert_eq!(shelf.not_before_ms(), 0);
        let (chain, key) = self_signed(&["relay.example"]);
        let before = shelf.stamp();
        shelf.set_certificate(&chain, &key).unwrap();
        assert_ne!(shelf.stamp(), before);
        assert!(shelf.certificate().unwrap().unwrap().is_for("relay.example"));
        let staging = Shelf::open(data.path(), &AcmeDirectory::Staging).unwrap();
        assert!(staging.certificate().unwrap().is_none());
        fs::write(data.path().join("acme/letsencrypt/certificate.pem"), "cut").unwrap();
        assert!(
            shelf
                .certificate()
                .err()
                .unwrap()
                .contains("holds no certificate")
        );
        fs::write(data.path().join("acme/letsencrypt/account.json"), "{").unwrap();
        assert!(shelf.account().is_err());
    }

    #[test]
    fn one_process_orders_at_a_time() {
        let data = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(data.path(), &AcmeDirectory::Production).unwrap();
        let held = shelf.lock().unwrap();
        assert!(held.is_some());
        assert!(shelf.lock().unwrap().is_none());
        drop(held);
        assert!(shelf.lock().unwrap().is_some());
    }
}
