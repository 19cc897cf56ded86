//! The certificate that a handshake gets.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::challenges::{Challenges, is_validation};

/// The certificate in use: the same for every name, because a relay has one. An authority's validation alone gets another.
#[derive(Default)]
pub struct Certificates {
    in_use: ArcSwapOption<CertifiedKey>,
    pub challenges: Challenges,
}

impl Certificates {
    /// For handshakes from now on.
    pub fn replace(&self, key: Arc<CertifiedKey>) {
        self.in_use.store(Some(key));
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if is_validation(&hello) {
            return self.challenges.certificate(&hello);
        }
        self.in_use.load_full()
    }
}
