//! A look at a name: what it answers on port 80, or in a TLS handshake on port 443.

use crate::http;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// The word of a problem, and its text.
pub type Doubt = (&'static str, String);

/// HTTP-01 (RFC 8555, section 8.3).
pub fn by_http(at: SocketAddr, name: &str, token: &str, expected: &str) -> Result<(), Doubt> {
    let path = format!("/.well-known/acme-challenge/{token}");
    let unreachable = |error| ("connection", format!("{name} port 80: {error}"));
    let stream = http::connect(at).map_err(unreachable)?;
    let answer = http::request_over(crate::Stream::Plain(stream), name, "GET", &path, &[], b"")
        .map_err(unreachable)?;
    match answer.status {
        200 if answer.text().trim_end() == expected => Ok(()),
        200 => Err((
            "unauthorized",
            format!("{name} gives another answer than the expected one"),
        )),
        status => Err(("unauthorized", format!("{name} answers with status {status}"))),
    }
}

/// TLS-ALPN-01 (RFC 8737, section 3).
pub fn by_tls(at: SocketAddr, name: &str, expected: &str) -> Result<(), Doubt> {
    let unreachable = |error: std::io::Error| ("connection", format!("{name} port 443: {error}"));
    let tcp = http::connect(at).map_err(unreachable)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let server = ServerName::try_from(name.to_owned()).expect("a name");
    let session = ClientConnection::new(Arc::new(config), server).expect("a session");
    let mut stream = StreamOwned::new(session, tcp);
    while stream.conn.is_handshaking() {
        stream
            .conn
            .complete_io(&mut stream.sock)
            .map_err(|error| ("tls", format!("{name} port 443: {error}")))?;
    }
    if stream.conn.alpn_protocol() != Some(b"acme-tls/1") {
        return Err(("tls", format!("{name} does not speak acme-tls/1")));
    }
    let certificates = stream.conn.peer_certificates().unwrap_or_default();
    check(certificates, name, expected).map_err(|why| ("unauthorized", format!("{name}: {why}")))?;
    // The server says nothing more, and ends the connection.
    let mut rest = Vec::new();
    match std::io::Read::read_to_end(&mut stream, &mut rest) {
        Ok(0) => Ok(()),
        Ok(_) => Err(("tls", format!("{name} goes on talking"))),
        Err(error) => Err(("tls", format!("{name} does not end the connection: {error}"))),
    }
}

fn check(chain: &[CertificateDer<'_>], name: &str, expected: &str) -> Result<(), String> {
    let [certificate] = chain else {
        return Err(format!("{} certificates instead of one", chain.len()));
    };
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .ok_or("no names")?;
    match names.value.general_names.as_slice() {
        [GeneralName::DNSName(one)] if one.eq_ignore_ascii_case(name) => {}
        others => return Err(format!("the names {others:?}")),
    }
    // id-pe-acmeIdentifier
    let proof = certificate
        .extensions()
        .iter()
        .find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
        .ok_or("no acmeIdentifier")?;
    if !proof.critical {
        return Err("an acmeIdentifier that is not critical".to_owned());
    }
    // An octet string of 32 bytes in DER.
    let digest = Sha256::digest(expected);
    if proof.value != [&[4, 32][..], &digest].concat() {
        return Err("an acmeIdentifier of another authorization".to_owned());
    }
    Ok(())
}

/// The certificate is judged by what it says and not by who signed it.
#[derive(Debug)]
pub struct Anything;

impl ServerCertVerifier for Anything {
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
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}
