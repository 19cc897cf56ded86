//! The certificate that the relay itself shows, as whoever connects would see it. Looked at, and not trusted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use hookcast_api::tools::Check;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::{failed, ok, warning};
use crate::config::Config;
use crate::tls::{Problem, Stage, Validity, is_for, read, span};

const TIMEOUT: Duration = Duration::from_secs(5);
const ID: &str = "own_certificate";
const RENEW: &str = "Renew it with whatever made it (certbot, lego, your hosting panel); the relay takes new files up by itself.";
const RENEWS_ITSELF: &str = "The relay should have renewed it: its log names the reason with a code, and docs/tls.md what to do for each.";

/// Whether the relay's own certificate is there, fits, and holds for a while; nothing where it does not speak TLS. A relay
/// that runs knows its latest `problem`.
pub fn check(config: &Config, problem: Option<&Problem>, now_s: u64) -> Option<Check> {
    let address = *config.tls.listen.first()?;
    let name = config.server.public_url.as_ref().and_then(|url| {
        let host = url::Url::parse(url.as_str())
            .ok()?
            .host_str()?
            .to_ascii_lowercase();
        url.is_secure().then_some(host)
    });
    let ordered = config
        .tls
        .acme_domains
        .first()
        .map(|name| name.as_str().to_owned());
    let because = problem.map_or(String::new(), |problem| {
        format!(": {} ({})", problem.reason, problem.code)
    });
    let usual = if ordered.is_some() { RENEWS_ITSELF } else { RENEW };
    let remedy = problem.map_or(usual, |problem| problem.remedy);
    let shown = look(dialled(address), ordered.as_deref().or(name.as_deref()));
    let (validity, names) = match shown.and_then(|certificate| read(&certificate)) {
        Ok(read) => read,
        Err(error) => {
            let missing = "Start the relay; if it runs, it has no certificate yet: its log names the reason with a code.";
            let remedy = problem.map_or(missing, |problem| problem.remedy);
            return Some(failed(
                ID,
                format!("{address} shows none: {error}{because}"),
                remedy,
            ));
        }
    };
    if let Some(name) = name.filter(|name| name.parse::<IpAddr>().is_err() && !is_for(&names, name)) {
        return Some(warning(
            ID,
            format!("it is for {}, and not for {name}", names.join(", ")),
            "Get one for the name in server.public_url, or correct that setting.",
        ));
    }
    Some(judged(validity, now_s, &because, remedy, problem.is_some()))
}

fn judged(validity: Validity, now_s: u64, because: &str, remedy: &str, fails: bool) -> Check {
    let left = span(validity.expires_s.saturating_sub(now_s));
    match validity.stage(now_s) {
        Stage::Valid if fails => warning(
            ID,
            format!("it holds for {left}, but could not be renewed{because}"),
            remedy,
        ),
        Stage::Valid => ok(ID, format!("it holds for {left}")),
        Stage::EndsSoon => warning(ID, format!("it ends in {left}{because}"), remedy),
        Stage::EndsAtOnce => failed(ID, format!("it ends in {left}{because}"), remedy),
        Stage::NotYetValid => failed(
            ID,
            "it is not valid yet",
            "Set this machine's clock (timedatectl set-ntp true).",
        ),
        Stage::Expired => failed(
            ID,
            format!("it expired {} ago{because}", span(now_s - validity.expires_s)),
            remedy,
        ),
    }
}

/// Where this machine reaches a listener of its own.
fn dialled(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// The first certificate of a handshake.
fn look(address: SocketAddr, name: Option<&str>) -> Result<Vec<u8>, String> {
    let told = |error: std::io::Error| error.to_string();
    let mut socket = TcpStream::connect_timeout(&address, TIMEOUT).map_err(told)?;
    socket.set_read_timeout(Some(TIMEOUT)).map_err(told)?;
    socket.set_write_timeout(Some(TIMEOUT)).map_err(told)?;
    let provider = Arc::new(ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Looking(algorithms)))
        .with_no_client_auth();
    let name = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
    let name = name.unwrap_or(ServerName::IpAddress(address.ip().into()));
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    while session.is_handshaking() {
        session.complete_io(&mut socket).map_err(told)?;
    }
    let chain = session.peer_certificates().unwrap_or_default();
    chain
        .first()
        .map(|own| own.to_vec())
        .ok_or_else(|| "an empty chain".to_owned())
}

/// Takes any certificate: nothing is sent to whoever shows it. That it has the key is checked all the same.
#[derive(Debug)]
struct Looking(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Looking {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
