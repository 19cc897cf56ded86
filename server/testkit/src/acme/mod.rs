//! A certificate authority that speaks ACME (RFC 8555), as far as a client needs one, and that means it: it checks every
//! signature and every nonce, fetches the token of HTTP-01, opens the TLS connection of TLS-ALPN-01 (RFC 8737), and issues
//! certificates of its own. It can be told to fail.

mod desk;
mod issue;
mod jws;
mod look;

use crate::{TlsClient, until};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use desk::{Desk, Fault};
use issue::Authority;
pub use look::Anything;

/// Whom a look at a name asks.
#[derive(Clone, Copy, Default)]
struct Ways {
    http: Option<SocketAddr>,
    tls: Option<SocketAddr>,
}

struct Shared {
    address: SocketAddr,
    authority: Authority,
    desk: Mutex<Desk>,
    closed: AtomicBool,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("the authority's desk")
    }
}

/// The authority, until it is dropped.
pub struct Acme {
    shared: Arc<Shared>,
    directory: tempfile::TempDir,
}

/// What was asked of it so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub requests: usize,
    pub accounts: usize,
    pub orders: usize,
    pub looks: usize,
    pub certificates: usize,
}

impl Acme {
    pub fn start() -> Self {
        Self::at(crate::relay::free_address())
    }

    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("an address for the authority");
        let shared = Arc::new(Shared {
            address,
            authority: Authority::new(address.ip()),
            desk: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("authority.pem"), shared.authority.pem()).expect("a file");
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || desk::serve(&listener, &serving));
        Self { shared, directory }
    }

    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// For `tls.acme_directory`.
    pub fn url(&self) -> String {
        format!("https://{}/directory", self.shared.address)
    }

    /// Its own certificate, which whoever asks it has to trust: `SSL_CERT_FILE`.
    pub fn pem_file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// A client that trusts what it issues.
    pub fn client(&self, name: &str) -> TlsClient {
        TlsClient::trusting(self.shared.authority.pem(), name)
    }

    /// Every name leads here: port 80, and port 443.
    pub fn names_lead_to(&self, http: Option<SocketAddr>, tls: Option<SocketAddr>) {
        self.shared.desk().ways = Ways { http, tls };
    }

    /// Certificates from now on begin that long ago and end that far ahead.
    pub fn issue_with(&self, age: Duration, left: Duration) {
        self.shared.desk().life = (age, left);
    }

    /// The next request with a nonce is told that it is a bad one.
    pub fn refuse_a_nonce(&self) {
        self.shared.desk().fault = Some(Fault::BadNonce);
    }

    /// New orders are told to come back after so many seconds, until [`Self::relent`].
    pub fn limit_rates(&self, retry_after_s: u64) {
        self.shared.desk().fault = Some(Fault::RateLimited(retry_after_s));
    }

    /// Looks at a name expect another answer than what they asked for, until [`Self::relent`].
    pub fn disbelieve(&self) {
        self.shared.desk().fault = Some(Fault::Disbelieve);
    }

    /// Requests are answered with a page that is no ACME, until [`Self::relent`].
    pub fn be_down(&self) {
        self.shared.desk().fault = Some(Fault::Down);
    }

    /// Looks wait, until [`Self::relent`].
    pub fn take_time(&self) {
        self.shared.desk().fault = Some(Fault::Slow);
    }

    pub fn relent(&self) {
        self.shared.desk().fault = None;
    }

    /// Whoever asks is told that a certificate is to be renewed at once, or not.
    pub fn want_renewal(&self, wanted: bool) {
        self.shared.desk().wants_renewal = wanted;
    }

    /// Forgets every account.
    pub fn reset(&self) {
        self.shared.desk().accounts.clear();
    }

    pub fn asked(&self) -> Asked {
        self.shared.desk().asked
    }

    /// The contacts of the account that was made last.
    pub fn contacts(&self) -> Vec<String> {
        self.shared.desk().contacts.clone()
    }

    pub fn wait_for_certificates(&self, count: usize) {
        until(&format!("{count} certificates to be issued"), || {
            (self.asked().certificates >= count).then_some(())
        });
    }
}

impl Drop for Acme {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        // Wakes the listener.
        let _woken = std::net::TcpStream::connect(self.shared.address);
    }
}
