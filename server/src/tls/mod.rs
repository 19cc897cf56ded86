//! TLS in the relay itself: one server configuration for all shards, whose certificate may change under it.
//!
//! The shards only read. One side thread keeps the certificate: it reads the files again when they change, or orders it
//! from an authority and renews it. New connections get the new certificate; open ones keep what they began with.

mod acme;
mod certificate;
mod certificates;
mod challenges;
mod expiry;
mod files;
mod health;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;

use crate::config::{AcmeChallenge, Config};

use self::certificate::Certificate;
pub use self::certificate::{is_for, read};
pub use self::certificates::Certificates;
pub use self::challenges::ACME_TLS;
pub use self::expiry::{Stage, Validity, span};
pub use self::health::{Health, Problem};

/// What the relay encrypts with.
pub struct Tls {
    pub server: Arc<ServerConfig>,
    pub state: Arc<State>,
    nudge: SyncSender<()>,
    retired: Arc<AtomicBool>,
}

/// What the keeping thread and the shards share.
#[derive(Default)]
pub struct State {
    pub certificates: Arc<Certificates>,
    pub health: Health,
}

impl State {
    /// Puts a certificate to use.
    fn take(&self, certificate: Certificate) {
        self.certificates.replace(certificate.key);
        self.health.took(certificate.validity);
    }
}

impl Tls {
    /// Reads the certificate and starts the thread that keeps it; `None` where no `tls.listen` is set. What is wrong with
    /// a certificate in files is the reason not to start; one that is to be ordered may come later.
    pub fn start(config: &Config) -> Result<Option<Self>, String> {
        if config.tls.listen.is_empty() {
            return Ok(None);
        }
        let state = Arc::<State>::default();
        // One place: a nudge that is already waiting says it all.
        let (nudge, nudged) = mpsc::sync_channel(1);
        let retired = Arc::<AtomicBool>::default();
        let mut protocols = vec![b"http/1.1".to_vec()];
        let keep: Box<dyn FnOnce() + Send> = if config.tls.acme_domains.is_empty() {
            let (Some(chain), Some(key)) = (&config.tls.certificate, &config.tls.key) else {
                return Err("`tls.listen` is set, but no certificate".to_owned());
            };
            let every = Duration::from_millis(config.tls.reload_interval_ms);
            let mut files = files::Files::open(chain, key, Arc::clone(&state))?;
            Box::new(move || files.keep(&nudged, every))
        } else {
            if config.tls.acme_challenge == AcmeChallenge::TlsAlpn01 {
                protocols.push(ACME_TLS.to_vec());
            }
            let keeper = acme::Keeper::open(config, Arc::clone(&state), Arc::clone(&retired))?;
            Box::new(move || keeper.keep(&nudged))
        };
        let server = server_config(Arc::clone(&state.certificates), protocols)
            .map_err(|error| format!("TLS could not be set up: {error}"))?;
        thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(keep)
            .map_err(|error| format!("the thread that keeps the certificate could not start: {error}"))?;
        Ok(Some(Self {
            server,
            state,
            nudge,
            retired,
        }))
    }

    /// Looks at the certificate now rather than at the next turn.
    pub fn nudge(&self) {
        // Full: it is about to look anyway.
        let _ = self.nudge.try_send(());
    }

    /// A hand on the thread's end, for whoever hands the relay over.
    pub fn retirement(&self) -> Retirement {
        Retirement {
            nudge: self.nudge.clone(),
            retired: Arc::clone(&self.retired),
        }
    }
}

/// Another process keeps the certificate from now on: this one orders nothing any more.
pub struct Retirement {
    nudge: SyncSender<()>,
    retired: Arc<AtomicBool>,
}

impl Retirement {
    pub fn begin(&self) {
        self.retired.store(true, Ordering::Release);
        let _ = self.nudge.try_send(());
    }
}

fn server_config(
    certificates: Arc<Certificates>,
    protocols: Vec<Vec<u8>>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = protocols;
    // Sessions are resumed without a table that all shards would lock: what matters when everyone reconnects at once.
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}
