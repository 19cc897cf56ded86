//! How the certificate is doing, for the metrics and the operator.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use std::sync::Arc;

#[derive(Default)]
pub struct Health {
    expires_s: AtomicU64,
    replaced: AtomicU64,
    failures: AtomicU64,
    problem: ArcSwapOption<String>,
}

impl Health {
    /// A certificate is in use from now on.
    pub fn took(&self, expires_s: u64) {
        self.expires_s.store(expires_s, Ordering::Relaxed);
        self.replaced.fetch_add(1, Ordering::Relaxed);
        self.problem.store(None);
    }

    /// A new one could not be had; what is in use stays.
    pub fn failed(&self, problem: String) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.problem.store(Some(Arc::new(problem)));
    }

    /// When the certificate in use ends, in seconds of the Unix clock; `None` while there is none.
    pub fn expires_s(&self) -> Option<u64> {
        match self.expires_s.load(Ordering::Relaxed) {
            0 => None,
            expires_s => Some(expires_s),
        }
    }

    /// Certificates taken into use since the start.
    pub fn replaced(&self) -> u64 {
        self.replaced.load(Ordering::Relaxed)
    }

    /// New certificates that could not be used or had.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Why the last try failed, if it did.
    pub fn problem(&self) -> Option<Arc<String>> {
        self.problem.load_full()
    }
}
