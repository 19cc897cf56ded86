//! The certificate that a handshake gets.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate in use; the same for every name, because a relay has one.
#[derive(Default)]
pub struct Certificates(ArcSwapOption<CertifiedKey>);

impl Certificates {
    /// For handshakes from now on.
    pub fn replace(&self, key: Arc<CertifiedKey>) {
        self.0.store(Some(key));
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}
