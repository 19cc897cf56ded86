//! What can go wrong in the store.

use std::fmt;
use std::path::PathBuf;

use crate::site::Refusal;

#[derive(Debug)]
pub enum StoreError {
    /// What was asked for breaks a rule; the text says which.
    Invalid(String),
    /// There is no such thing.
    NotFound(String),
    /// A refusal that has a code of its own in the protocol.
    Refused(Refusal),
    /// More is waiting than the store takes on.
    Busy,
    /// The store has stopped.
    Closed,
    /// A job panicked; its transaction was rolled back.
    Failed,
    /// The database was written by a later hookcast.
    Newer {
        found: u32,
        known: u32,
    },
    /// A database that is not hookcast's.
    Foreign,
    /// Another process serves from this directory.
    InUse(PathBuf),
    Io {
        what: String,
        source: std::io::Error,
    },
    Sqlite(rusqlite::Error),
}

impl StoreError {
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> StoreError {
        let what = what.into();
        move |source| StoreError::Io { what, source }
    }

    /// For the answer to a request. Inner failures keep their details to the log.
    pub fn refusal(&self) -> Refusal {
        match self {
            StoreError::Invalid(text) => Refusal::invalid_request(text.clone()),
            StoreError::NotFound(text) => Refusal::new(404, "not_found", text.clone()),
            StoreError::Refused(refusal) => refusal.clone(),
            StoreError::Busy => {
                Refusal::new(503, "busy", "the relay's store is busy; try again").retry_after(1)
            }
            _ => Refusal::new(500, "internal", "the relay's store failed; its log says why"),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Invalid(text) | StoreError::NotFound(text) => f.write_str(text),
            StoreError::Refused(refusal) => f.write_str(&refusal.message),
            StoreError::Busy => f.write_str("the store is busy; try again"),
            StoreError::Closed => f.write_str("the store has stopped"),
            StoreError::Failed => f.write_str("the store could not finish; the log says why"),
            StoreError::Newer { found, known } => write!(
                f,
                "the data was written by a later hookcast (schema {found}, this one knows up to {known}): \
                 run that version, or restore a backup from before the upgrade"
            ),
            StoreError::Foreign => f.write_str("the file is an SQLite database, but not one of hookcast"),
            StoreError::InUse(dir) => write!(
                f,
                "a hookcast server is using {}: stop it first, or name another --data-dir",
                dir.display()
            ),
            StoreError::Io { what, source } => write!(f, "{what}: {source}"),
            StoreError::Sqlite(e) => write!(f, "database: {e}"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StoreError::Io { source, .. } => Some(source),
            StoreError::Sqlite(e) => Some(e),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(e: rusqlite::Error) -> Self {
        StoreError::Sqlite(e)
    }
}
