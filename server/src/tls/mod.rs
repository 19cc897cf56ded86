//! TLS in the relay itself: one server configuration for all shards, whose certificate may change under it.
//!
//! The shards only read. One side thread keeps the certificate: it reads the files again when they change. New
//! connections get the new certificate; open ones keep what they began with.

mod certificate;
mod certificates;
mod expiry;
mod files;
mod health;

use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring;

use crate::config::Config;

pub use self::certificates::Certificates;
pub use self::health::Health;

/// What the relay encrypts with.
pub struct Tls {
    pub server: Arc<ServerConfig>,
    pub health: Arc<Health>,
    nudge: SyncSender<()>,
}

impl Tls {
    /// Reads the certificate and starts the thread that keeps it; `None` where no `tls.listen` is set. What is wrong with
    /// the certificate is the reason not to start.
    pub fn start(config: &Config) -> Result<Option<Self>, String> {
        if config.tls.listen.is_empty() {
            return Ok(None);
        }
        let health = Arc::new(Health::default());
        let certificates = Arc::new(Certificates::default());
        let server = server_config(Arc::clone(&certificates))
            .map_err(|error| format!("TLS could not be set up: {error}"))?;
        // One place: a nudge that is already waiting says it all.
        let (nudge, nudged) = mpsc::sync_channel(1);
        let (Some(chain), Some(key)) = (&config.tls.certificate, &config.tls.key) else {
            return Err(
                "`tls.listen` is set, but no certificate: set `tls.certificate` and `tls.key`".to_owned(),
            );
        };
        let every = Duration::from_millis(config.tls.reload_interval_ms);
        let mut files = files::Files::open(chain, key, certificates, Arc::clone(&health))?;
        thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(move || files.keep(&nudged, every))
            .map_err(|error| format!("the thread that keeps the certificate could not start: {error}"))?;
        Ok(Some(Self {
            server,
            health,
            nudge,
        }))
    }

    /// Looks at the certificate now rather than at the next turn.
    pub fn nudge(&self) {
        // Full: it is about to look anyway.
        let _ = self.nudge.try_send(());
    }
}

fn server_config(certificates: Arc<Certificates>) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Sessions are resumed without a table that all shards would lock: what matters when everyone reconnects at once.
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}
