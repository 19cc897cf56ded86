//! The proofs that a name is ours, for as long as an authority asks for them.
//!
//! Written by the thread that keeps the certificate, read by the shards: by HTTP-01's route, and by a handshake that is a
//! validation. Everybody else sees nothing of them.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;

/// What an authority offers in a handshake that is a validation, and nothing beside it (RFC 8737, section 4).
pub const ACME_TLS: &[u8] = b"acme-tls/1";

/// Where it asks by HTTP (RFC 8555, section 8.3).
const PATH: &str = "/.well-known/acme-challenge/";

/// At most one proof for each name of a certificate.
#[derive(Default)]
pub struct Challenges {
    /// Key authorizations by token.
    answers: ArcSwap<HashMap<String, Arc<str>>>,
    /// Certificates that carry a key authorization's digest, by name.
    certificates: ArcSwap<HashMap<String, Arc<CertifiedKey>>>,
}

impl Challenges {
    /// What to answer a request for this path with; `None` where nobody should ask.
    pub fn answer(&self, path: &str) -> Option<Arc<str>> {
        let token = path.strip_prefix(PATH)?;
        self.answers.load().get(token).cloned()
    }

    /// The certificate for a validation of the name that the client asks for.
    pub fn certificate(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.certificates.load().get(&name).cloned()
    }

    pub fn set_answer(&self, token: &str, answer: &str) {
        let mut answers = HashMap::clone(&self.answers.load());
        answers.insert(token.to_owned(), Arc::from(answer));
        self.answers.store(Arc::new(answers));
    }

    pub fn set_certificate(&self, name: &str, certificate: Arc<CertifiedKey>) {
        let mut certificates = HashMap::clone(&self.certificates.load());
        certificates.insert(name.to_ascii_lowercase(), certificate);
        self.certificates.store(Arc::new(certificates));
    }

    pub fn clear(&self) {
        self.answers.store(Arc::default());
        self.certificates.store(Arc::default());
    }
}

/// Whether a handshake is an authority's look at a name, and not a connection.
pub fn is_validation(hello: &ClientHello<'_>) -> bool {
    hello
        .alpn()
        .is_some_and(|mut offered| offered.next() == Some(ACME_TLS) && offered.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_is_asked_for_is_answered() {
        let challenges = Challenges::default();
        challenges.set_answer("one", "one.thumb");
        challenges.set_answer("two", "two.thumb");
        let answer = |path: &str| challenges.answer(path).map(|answer| answer.to_string());
        assert_eq!(
            answer("/.well-known/acme-challenge/one").as_deref(),
            Some("one.thumb")
        );
        for path in [
            "/.well-known/acme-challenge/",
            "/.well-known/acme-challenge/three",
            "/.well-known/acme-challenge/one/",
            "/one",
            "/relay/.well-known/acme-challenge/one",
        ] {
            assert_eq!(answer(path), None, "{path}");
        }
        challenges.clear();
        assert_eq!(answer("/.well-known/acme-challenge/one"), None);
    }
}
