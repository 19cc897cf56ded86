//! One order, from the account to the certificate (RFC 8555, section 7.4).
//!
//! The proofs stand for no longer than the order takes. Until the order is finalized it can be given up at any step, and
//! nobody has lost anything; from then on it is seen through, because a certificate is under way.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use instant_acme::{
    Account, AuthorizationStatus, ChallengeHandle, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus,
};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::super::State;
use super::super::certificate::{Certificate, Unusable};
use super::client::Client;
use super::failure::{Failure, Kind};
use super::shelf::Shelf;
use crate::config::{AcmeChallenge, AcmeDirectory, DomainName};

/// An authority looks at a name within seconds, and from several places of the world within some more.
const VALIDATION_WAIT: Duration = Duration::from_secs(120);
const ISSUE_WAIT: Duration = Duration::from_secs(120);
/// Between two questions whether it is done: the first pause, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// What is ordered, and of whom.
pub struct Wish {
    pub names: Vec<DomainName>,
    pub directory: AcmeDirectory,
    pub challenge: AcmeChallenge,
    pub email: Option<String>,
}

/// Waits for so long at most. Answers whether to go on.
pub trait Breath {
    fn rest(&self, pause: Duration) -> bool;
}

pub struct Ordering<'a> {
    pub wish: &'a Wish,
    pub shelf: &'a Shelf,
    pub state: &'a State,
    pub client: &'a Client,
    pub breath: &'a dyn Breath,
}

/// The proofs of one order: they are gone when it is over, whichever way.
struct Proofs<'a>(&'a State);

impl Drop for Proofs<'_> {
    fn drop(&mut self) {
        self.0.certificates.challenges.clear();
    }
}

impl Ordering<'_> {
    /// Orders a certificate, stores it, and answers it.
    pub async fn certificate(&self) -> Result<Certificate, Failure> {
        let account = self.account().await?;
        let names: Vec<_> = self
            .wish
            .names
            .iter()
            .map(|name| Identifier::Dns(name.as_str().to_owned()))
            .collect();
        let mut order = match account.new_order(&NewOrder::new(&names)).await {
            Ok(order) => order,
            Err(error) => {
                if Failure::is_account_gone(&error) {
                    self.shelf.forget_account().map_err(stored("the account"))?;
                }
                return Err(error.into());
            }
        };
        let proofs = Proofs(self.state);
        self.prove(&mut order).await?;
        self.validated(&mut order).await?;
        drop(proofs);
        let key = KeyPair::generate().map_err(unexpected)?;
        let chain = self.issued(&mut order, &key).await?;
        let key = key.serialize_pem();
        let certificate = Certificate::from_pem(chain.as_bytes(), key.as_bytes()).map_err(|unusable| {
            let why = match unusable {
                Unusable::Chain(why) | Unusable::Key(why) => why,
                Unusable::Mismatch => "is for another key".to_owned(),
            };
            Failure::new(Kind::Unexpected, format!("what the authority issued {why}"))
        })?;
        if let Some(name) = self
            .wish
            .names
            .iter()
            .find(|name| !certificate.is_for(name.as_str()))
        {
            let reason = format!(
                "the authority issued a certificate that is not for {}",
                name.as_str()
            );
            return Err(Failure::new(Kind::Unexpected, reason));
        }
        self.shelf
            .set_certificate(&chain, &key)
            .map_err(stored("the certificate"))?;
        Ok(certificate)
    }

    async fn account(&self) -> Result<Account, Failure> {
        let builder = Account::builder_with_http(Box::new(self.client.clone()));
        if let Some(account) = self.shelf.account().map_err(stored("the account"))? {
            return Ok(builder.from_credentials(account).await?);
        }
        let contact = self.wish.email.as_ref().map(|email| format!("mailto:{email}"));
        let new = NewAccount {
            contact: &contact.as_deref().into_iter().collect::<Vec<_>>(),
            // The settings are refused where the operator has not agreed.
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let url = self.wish.directory.url().to_owned();
        let (account, credentials) = builder.create(&new, url, None).await?;
        self.shelf
            .set_account(&credentials)
            .map_err(stored("the account"))?;
        tracing::info!(
            account = account.id(),
            "registered with the certificate authority"
        );
        Ok(account)
    }

    /// Puts up a proof for each name that needs one, and has the authority look.
    async fn prove(&self, order: &mut Order) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            match authorization.status {
                // From an order not long ago.
                AuthorizationStatus::Valid => continue,
                AuthorizationStatus::Pending => {}
                status => {
                    let reason = format!("the authority offers an authorization that is {status:?}");
                    return Err(Failure::new(Kind::Unexpected, reason));
                }
            }
            let (wanted, spelled) = match self.wish.challenge {
                AcmeChallenge::Http01 => (ChallengeType::Http01, "http-01"),
                AcmeChallenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
            };
            let mut challenge = authorization.challenge(wanted).ok_or_else(|| {
                Failure::new(
                    Kind::Unexpected,
                    format!("the authority does not offer {spelled}: set `tls.acme_challenge` to another"),
                )
            })?;
            self.put_up(&challenge)?;
            challenge.set_ready().await?;
            self.may_go_on(Duration::ZERO)?;
        }
        Ok(())
    }

    fn put_up(&self, challenge: &ChallengeHandle<'_>) -> Result<(), Failure> {
        let challenges = &self.state.certificates.challenges;
        let authorization = challenge.key_authorization();
        match self.wish.challenge {
            AcmeChallenge::Http01 => challenges.set_answer(&challenge.token, authorization.as_str()),
            AcmeChallenge::TlsAlpn01 => {
                let name = challenge.identifier().to_string();
                let certificate = validation_certificate(&name, authorization.digest().as_ref())?;
                challenges.set_certificate(&name, certificate);
            }
        }
        Ok(())
    }

    async fn validated(&self, order: &mut Order) -> Result<(), Failure> {
        let mut pauses = Pauses::new(VALIDATION_WAIT);
        loop {
            match order.state().status {
                OrderStatus::Ready => return Ok(()),
                OrderStatus::Invalid => return Err(self.why_invalid(order).await),
                _ => {}
            }
            let pause = pauses.next("look at the names")?;
            self.may_go_on(pause)?;
            order.refresh().await?;
        }
    }

    /// The first name that the authority did not believe in, and why.
    async fn why_invalid(&self, order: &mut Order) -> Failure {
        let kind = match self.wish.challenge {
            AcmeChallenge::Http01 => Kind::HttpChallenge,
            AcmeChallenge::TlsAlpn01 => Kind::TlsChallenge,
        };
        let told = order.state().error.clone();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let Ok(authorization) = authorization else { break };
            if let Some(problem) = authorization.challenges.iter().find_map(|one| one.error.as_ref()) {
                let name = authorization.identifier().to_string();
                return Failure::of_challenge(&name, kind, problem);
            }
        }
        match told {
            Some(problem) => instant_acme::Error::Api(problem).into(),
            None => Failure::new(
                kind,
                "the authority does not believe the names, and does not say why",
            ),
        }
    }

    async fn issued(&self, order: &mut Order, key: &KeyPair) -> Result<String, Failure> {
        let names: Vec<_> = self
            .wish
            .names
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect();
        let mut params = CertificateParams::new(names).map_err(unexpected)?;
        // Names stand in the extension, and nothing else is asked for.
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(key).map_err(unexpected)?;
        self.may_go_on(Duration::ZERO)?;
        order.finalize_csr(request.der()).await?;
        let mut pauses = Pauses::new(ISSUE_WAIT);
        loop {
            if order.state().status == OrderStatus::Ready {
                // It has our request, and has not begun.
                order.refresh().await?;
            } else if let Some(chain) = order.certificate().await? {
                return Ok(chain);
            }
            // A certificate is under way: not even a hand-over stops it.
            let _ = self.breath.rest(pauses.next("issue the certificate")?);
        }
    }

    fn may_go_on(&self, pause: Duration) -> Result<(), Failure> {
        match self.breath.rest(pause) {
            true => Ok(()),
            false => Err(Failure::new(Kind::GivenUp, "the relay hands over")),
        }
    }
}

/// Longer and longer ones, up to a limit in all.
struct Pauses {
    next: Duration,
    limit: Duration,
    deadline: Instant,
}

impl Pauses {
    fn new(limit: Duration) -> Self {
        Self {
            next: PAUSE,
            limit,
            deadline: Instant::now() + limit,
        }
    }

    fn next(&mut self, what: &str) -> Result<Duration, Failure> {
        if Instant::now() >= self.deadline {
            let reason = format!("the authority did not {what} within {} s", self.limit.as_secs());
            return Err(Failure::new(Kind::Late, reason));
        }
        let pause = self.next;
        self.next = (pause * 2).min(PAUSE_MAX);
        Ok(pause)
    }
}

/// The certificate that a validating handshake gets (RFC 8737, section 3).
fn validation_certificate(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, Failure> {
    let mut params = CertificateParams::new([name.to_owned()]).map_err(unexpected)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "ACME validation");
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(unexpected)?;
    let certificate = params.self_signed(&key).map_err(unexpected)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = ring::sign::any_ecdsa_type(&key).map_err(unexpected)?;
    // Not checked like others: the proof is an extension that every other reader must refuse.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

fn unexpected(error: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Unexpected, error.to_string())
}

fn stored(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |error| {
        Failure::new(
            Kind::Storage,
            format!("{what} cannot be kept in the data directory: {error}"),
        )
    }
}
