//! A certificate chain with its private key: read from PEM, and only whole.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::expiry::Validity;

/// Certificates of a chain; real ones have two or three.
const CHAIN_MAX: usize = 16;

pub struct Certificate {
    pub key: Arc<CertifiedKey>,
    pub validity: Validity,
    /// The DNS names it stands for, in lower case.
    pub names: Vec<String>,
}

impl Certificate {
    /// The chain (the server's own certificate first) and its key. The errors say which of the two is wrong, and how.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let chain = CertificateDer::pem_slice_iter(chain)
            .take(CHAIN_MAX)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Unusable::Chain(format!("is not PEM: {error}")))?;
        let Some(own) = chain.first() else {
            return Err(Unusable::Chain(
                "holds no certificate: it must be PEM, with BEGIN CERTIFICATE".to_owned(),
            ));
        };
        let (validity, names) =
            read(own).map_err(|error| Unusable::Chain(format!("holds no X.509 certificate: {error}")))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            Unusable::Key(match error {
                pem::Error::NoItemsFound => {
                    "holds no private key that can be read: it must be PEM and not encrypted".to_owned()
                }
                error => format!("is not PEM: {error}"),
            })
        })?;
        let key =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => Unusable::Mismatch,
                rustls::Error::InvalidCertificate(error) => {
                    Unusable::Chain(format!("cannot be used: {error:?}"))
                }
                error => Unusable::Key(format!("cannot be used: {error}")),
            })?;
        Ok(Self {
            key: Arc::new(key),
            validity,
            names,
        })
    }

    /// Whether it stands for this name, given in lower case.
    pub fn is_for(&self, name: &str) -> bool {
        is_for(&self.names, name)
    }
}

/// The same for the names of any certificate. A wildcard stands for one label (RFC 6125, section 6.4.3).
pub fn is_for(names: &[String], name: &str) -> bool {
    names.iter().any(|known| match known.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => known == name,
    })
}

/// When a certificate holds, and its DNS names in lower case.
pub fn read(der: &[u8]) -> Result<(Validity, Vec<String>), String> {
    let (_, parsed) = X509Certificate::from_der(der).map_err(|error| error.to_string())?;
    let at = |time: x509_parser::time::ASN1Time| u64::try_from(time.timestamp()).unwrap_or(0);
    let validity = Validity {
        from_s: at(parsed.validity().not_before),
        expires_s: at(parsed.validity().not_after),
    };
    Ok((validity, names(&parsed)))
}

/// Which part cannot be used, and why.
#[derive(Debug, PartialEq)]
pub enum Unusable {
    Chain(String),
    Key(String),
    Mismatch,
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let dns = alternatives
        .value
        .general_names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        });
    dns.collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A self-signed certificate and its key, as PEM.
    pub fn self_signed(names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn a_pair_is_read_with_its_names_and_its_end() {
        let (chain, key) = self_signed(&["Relay.example", "www.relay.example"]);
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
        assert_eq!(certificate.names, ["relay.example", "www.relay.example"]);
        assert!(certificate.validity.life_s() > 0);
        assert!(certificate.is_for("relay.example") && !certificate.is_for("other.relay.example"));
        let wild = ["*.relay.example".to_owned()];
        assert!(is_for(&wild, "a.relay.example") && !is_for(&wild, "relay.example"));
        assert!(!is_for(&wild, "a.b.relay.example"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let (chain, key) = self_signed(&["relay.example"]);
        let (_, other) = self_signed(&["relay.example"]);
        let unusable = |chain: &str, key: &str| {
            Certificate::from_pem(chain.as_bytes(), key.as_bytes())
                .err()
                .unwrap()
        };
        assert_eq!(unusable(&chain, &other), Unusable::Mismatch);
        assert!(matches!(unusable("", &key), Unusable::Chain(_)));
        assert!(matches!(unusable(&key, &key), Unusable::Chain(_)));
        assert!(matches!(unusable(&chain, ""), Unusable::Key(_)));
        assert!(matches!(unusable(&chain, &chain), Unusable::Key(_)));
        let cut = &chain[..chain.len() / 2];
        assert!(matches!(unusable(cut, &key), Unusable::Chain(_)));
    }
}
