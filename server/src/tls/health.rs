//! How the certificate is doing, for the metrics and the operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

use super::expiry::Validity;

/// Why a certificate could not be had or used, for people and with a code for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub code: &'static str,
    /// A clause without a full stop.
    pub reason: String,
    /// A sentence.
    pub remedy: &'static str,
}

#[derive(Default)]
pub struct Health {
    validity: ArcSwapOption<Validity>,
    replaced: AtomicU64,
    failures: AtomicU64,
    problem: ArcSwapOption<Problem>,
}

impl Health {
    /// A certificate is in use from now on.
    pub fn took(&self, validity: Validity) {
        self.validity.store(Some(Arc::new(validity)));
        self.replaced.fetch_add(1, Ordering::Relaxed);
        self.problem.store(None);
    }

    /// A new one could not be had; what is in use stays.
    pub fn failed(&self, problem: Problem) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.problem.store(Some(Arc::new(problem)));
    }

    /// Of the certificate in use; `None` while there is none.
    pub fn validity(&self) -> Option<Validity> {
        self.validity.load().as_deref().copied()
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
    pub fn problem(&self) -> Option<Arc<Problem>> {
        self.problem.load_full()
    }
}
