//! `hookcast doctor`: looks at the relay from inside and through its public URL, and says what to do about what it finds.
//!
//! Blocking, with a bound on every wait: for the command line and for a thread of its own, never for a shard.

mod inside;
mod outside;
mod shown;

use hookcast_api::tools::{Check, CheckStatus, DoctorReport};

pub use inside::Inside;
pub use outside::{Outside, Trial};

/// All checks, those through the public URL only where one is known.
pub fn examine(inside: &Inside<'_>, outside: Option<&Outside>, now_ms: u64) -> DoctorReport {
    let mut checks = inside.checks();
    match outside {
        Some(outside) => checks.extend(outside.checks()),
        None => checks.push(skipped(
            "public_url",
            "there is no public URL to look through",
            "Set server.public_url, or name one with --url.",
        )),
    }
    DoctorReport {
        at: now_ms,
        url: outside.map(|outside| outside.url.clone()),
        checks,
    }
}

fn ok(id: &str, finding: impl Into<String>) -> Check {
    Check {
        id: id.to_owned(),
        status: CheckStatus::Ok,
        finding: finding.into(),
        remedy: None,
    }
}

fn warning(id: &str, finding: impl Into<String>, remedy: &str) -> Check {
    Check {
        id: id.to_owned(),
        status: CheckStatus::Warning,
        finding: finding.into(),
        remedy: Some(remedy.to_owned()),
    }
}

fn failed(id: &str, finding: impl Into<String>, remedy: &str) -> Check {
    Check {
        status: CheckStatus::Failed,
        ..warning(id, finding, remedy)
    }
}

fn skipped(id: &str, finding: impl Into<String>, remedy: &str) -> Check {
    Check {
        status: CheckStatus::Skipped,
        ..warning(id, finding, remedy)
    }
}
