//! Keys and certificates of the authority.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: String,
    /// For its own listener.
    pub server: Arc<ServerConfig>,
}

impl Authority {
    pub fn new(ip: IpAddr) -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority's certificate");
        let pem = issuer.pem();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(ip)];
        let key = KeyPair::generate().expect("a key");
        let own = params.signed_by(&key, &issuer).expect("its own certificate");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .expect("its own certificate");
        Self {
            issuer,
            pem,
            server: Arc::new(server),
        }
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The names that a request asks for; `None` where it is none, or is signed by another key than its own.
    pub fn names(&self, request: &[u8]) -> Option<Vec<String>> {
        let request = CertificateSigningRequestDer::from(request.to_vec());
        let request = CertificateSigningRequestParams::from_der(&request).ok()?;
        let names = request.params.subject_alt_names.iter().map(|name| match name {
            SanType::DnsName(name) => Some(name.as_str().to_owned()),
            _ => None,
        });
        names.collect()
    }

    /// The chain, in PEM.
    pub fn issue(&self, request: &[u8], (age, left): (Duration, Duration)) -> String {
        let request = CertificateSigningRequestDer::from(request.to_vec());
        let mut request = CertificateSigningRequestParams::from_der(&request).expect("it was looked at");
        let now = SystemTime::now();
        request.params.not_before = (now - age).into();
        request.params.not_after = (now + left).into();
        request.params.use_authority_key_identifier_extension = true;
        let certificate = request.signed_by(&self.issuer).expect("a certificate");
        format!("{}{}", certificate.pem(), self.pem)
    }
}
