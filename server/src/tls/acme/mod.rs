//! Certificates from an authority that speaks ACME (RFC 8555): ordered and renewed on the certificates' own thread.
//!
//! What is stored is used at once, so that a start asks nobody. One process of a data directory orders: the one that holds
//! the lock of [`shelf`]. Another one, which takes over, follows what is stored until the lock is its own.

mod client;
mod early;
mod failure;
mod order;
mod schedule;
mod shelf;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use futures_executor::block_on;
use rustls::pki_types::CertificateDer;

use self::client::Client;
use self::failure::{Failure, Kind};
use self::order::{Breath, Ordering, Wish};
use self::shelf::{Shelf, Stamp};
use super::certificate::Certificate;
use super::expiry::{Expiry, span};
use super::{Problem, State};
use crate::clock;
use crate::config::{Config, DomainName};

/// Between two looks at the clock: it may be set, and the machine may sleep.
const LOOK_MS: u64 = 60_000;
/// From a start to the first question whether to renew early, and up to twice as long: nobody is asked at a start.
const FIRST_ASKED_MS: u64 = 3_600_000;
/// The longest that failures before a start put an order off: what an authority may ask for.
const PUT_OFF_MS_MAX: u64 = 24 * 3_600_000;
/// Between two looks whether the process before has let go of the lock.
const LOCK_LOOK_MS: u64 = 500;

/// Keeps the certificate in use a valid one.
pub struct Keeper {
    wish: Wish,
    shelf: Shelf,
    state: Arc<State>,
    client: Client,
    retired: Arc<AtomicBool>,
    lock: Option<File>,
    /// The stored certificate as it was when it was last read.
    read: Stamp,
    expiry: Option<Expiry>,
    /// When to order next, in milliseconds of the Unix clock.
    due_ms: u64,
    /// The certificate in use, and when to ask next whether the authority wants it renewed earlier.
    in_use: Option<CertificateDer<'static>>,
    asked_again_ms: u64,
    /// An order is put off because one failed before this start.
    put_off: bool,
    /// In a row.
    failures: u32,
    retry_ms: u64,
}

impl Keeper {
    /// Takes up what is stored. An error is the data directory's.
    pub fn open(config: &Config, state: Arc<State>, retired: Arc<AtomicBool>) -> Result<Self, String> {
        let tls = &config.tls;
        let data_dir = &config.server.data_dir;
        let shelf = Shelf::open(data_dir, &tls.acme_directory)
            .map_err(|error| format!("no place for certificates in {}: {error}", data_dir.display()))?;
        let mut keeper = Self {
            wish: Wish {
                names: tls.acme_domains.clone(),
                directory: tls.acme_directory.clone(),
                challenge: tls.acme_challenge,
                email: tls.acme_email.clone(),
            },
            shelf,
            state,
            client: Client::default(),
            retired,
            lock: None,
            read: None,
            expiry: None,
            due_ms: 0,
            in_use: None,
            asked_again_ms: clock::unix_ms() + (FIRST_ASKED_MS as f64 * (1.0 + chance())) as u64,
            put_off: false,
            failures: 0,
            retry_ms: tls.acme_retry_ms,
        };
        keeper.take_up_stored();
        if keeper.expiry.is_none() {
            tracing::warn!(
                names = ?keeper.names(),
                "there is no TLS certificate yet: https and wss are refused until the authority has issued one"
            );
        }
        keeper.heed_failures_before();
        Ok(keeper)
    }

    /// A relay that is restarted over and over does not order over and over: authorities count failures.
    fn heed_failures_before(&mut self) {
        let now_ms = clock::unix_ms();
        // A clock that was wrong then is not believed.
        let wait_ms = self
            .shelf
            .not_before_ms()
            .saturating_sub(now_ms)
            .min(PUT_OFF_MS_MAX);
        if self.due_ms < now_ms + wait_ms {
            self.due_ms = now_ms + wait_ms;
            self.put_off = wait_ms > 0;
        }
        if self.put_off {
            let wait = span(wait_ms / 1000);
            tracing::warn!(
                "the last order of a certificate failed: no other one for {wait}, unless the relay is reloaded"
            );
        }
    }

    /// Orders whenever it is due, until the process ends or another one takes over.
    pub fn keep(mut self, nudged: &Receiver<()>) {
        let mut is_nudged = false;
        while !self.retired.load(Atomic::Acquire) {
            let may_order = self.lock.is_some();
            let pause = self.turn(is_nudged, nudged);
            is_nudged = match nudged.recv_timeout(pause) {
                Ok(()) => true,
                // A nudge is not for the process that waits for the lock, but for the one that has it.
                Err(RecvTimeoutError::Timeout) => is_nudged && !may_order,
                Err(RecvTimeoutError::Disconnected) => return,
            };
        }
    }

    /// Does what there is to do, and answers for how long there is nothing.
    fn turn(&mut self, is_nudged: bool, nudged: &Receiver<()>) -> Duration {
        if self.shelf.stamp() != self.read {
            self.take_up_stored();
        }
        self.tell_expiry();
        if self.lock.is_none() {
            match self.shelf.lock() {
                Ok(Some(lock)) => {
                    self.lock = Some(lock);
                    // What the other process stored last comes first.
                    return Duration::ZERO;
                }
                Ok(None) => return Duration::from_millis(LOCK_LOOK_MS),
                Err(error) => {
                    let reason = format!("the lock of `acme/` cannot be had: {error}");
                    return self.failed(Failure::new(Kind::Storage, reason));
                }
            }
        }
        // A reload is a wish to try again, not one for a new certificate.
        let again = is_nudged && (self.put_off || self.state.health.problem().is_some());
        if is_nudged || clock::unix_ms() >= self.asked_again_ms {
            self.ask_for_earlier();
        }
        if again || clock::unix_ms() >= self.due_ms {
            return self.order(nudged);
        }
        Duration::from_millis((self.due_ms - clock::unix_ms().min(self.due_ms)).min(LOOK_MS))
    }

    fn order(&mut self, nudged: &Receiver<()>) -> Duration {
        self.put_off = false;
        tracing::info!(names = ?self.names(), directory = self.wish.directory.url(), "ordering a TLS certificate");
        let breath = Pausing {
            nudged,
            retired: &self.retired,
        };
        let ordering = Ordering {
            wish: &self.wish,
            shelf: &self.shelf,
            state: &self.state,
            client: &self.client,
            breath: &breath,
        };
        match block_on(ordering.certificate()) {
            Ok(certificate) => {
                self.read = self.shelf.stamp();
                self.take(certificate);
                self.failures = 0;
                self.shelf.set_not_before_ms(None);
                // However short a life the authority gave it.
                self.due_ms = self.due_ms.max(clock::unix_ms() + self.retry_ms);
                Duration::ZERO
            }
            Err(Failure {
                kind: Kind::GivenUp, ..
            }) => Duration::ZERO,
            Err(failure) => self.failed(Failure {
                retry_after: self.client.patience.take(),
                ..failure
            }),
        }
    }

    fn ask_for_earlier(&mut self) {
        let Some(certificate) = &self.in_use else { return };
        let wish = early::ask(&self.shelf, &self.client, certificate, chance());
        self.asked_again_ms = clock::unix_ms() + u64::try_from(wish.again.as_millis()).unwrap_or(0);
        let wanted_ms = wish.renewal_s.map(|s| s.saturating_mul(1000));
        if let Some(wanted_ms) = wanted_ms.filter(|wanted_ms| *wanted_ms < self.due_ms && self.failures == 0)
        {
            self.due_ms = wanted_ms;
            tracing::info!(
                renewal_unix_s = wanted_ms / 1000,
                "the authority wants the TLS certificate renewed earlier"
            );
        }
    }

    fn failed(&mut self, failure: Failure) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let pause = schedule::retry(self.retry_ms, self.failures, failure.retry_after, chance());
        let problem = failure.problem();
        tracing::error!(
            code = problem.code,
            again_in_s = pause.as_secs(),
            "no TLS certificate could be had: {}. {}",
            problem.reason,
            problem.remedy
        );
        self.state.health.failed(problem);
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        // After a restart, which may be because something was mended, a part of the pause is enough, but not for the authority.
        let asked_for_ms = failure.retry_after.map_or(0, |after| after.as_secs() * 1000);
        let not_before_ms = clock::unix_ms() + asked_for_ms.max(self.retry_ms / 5);
        self.shelf.set_not_before_ms(Some(not_before_ms));
        self.due_ms = clock::unix_ms().saturating_add(pause_ms);
        Duration::from_millis(pause_ms.min(LOOK_MS))
    }

    fn take_up_stored(&mut self) {
        self.read = self.shelf.stamp();
        match self.shelf.certificate() {
            Ok(Some(certificate)) => self.take(certificate),
            Ok(None) => {}
            Err(problem) => {
                self.due_ms = 0;
                tracing::error!("the stored TLS certificate is of no use, a new one is ordered: {problem}");
                self.state.health.failed(Problem {
                    code: "certificate_unusable",
                    reason: problem,
                    remedy: "Nothing to do: the relay orders a new one.",
                });
            }
        }
    }

    fn take(&mut self, certificate: Certificate) {
        let missing = self
            .wish
            .names
            .iter()
            .find(|name| !certificate.is_for(name.as_str()));
        self.due_ms = match missing {
            Some(name) => {
                tracing::warn!(
                    name = name.as_str(),
                    "the stored TLS certificate is not for this name: a new one is ordered"
                );
                0
            }
            None => schedule::renewal_s(certificate.validity, chance()) * 1000,
        };
        self.in_use = certificate.key.cert.first().cloned();
        self.expiry = Some(Expiry::new(certificate.validity));
        tracing::info!(names = ?certificate.names, renewal_unix_s = self.due_ms / 1000, "TLS certificate taken into use");
        self.state.take(certificate);
        self.tell_expiry();
    }

    fn tell_expiry(&mut self) {
        let warning = self
            .expiry
            .as_mut()
            .and_then(|expiry| expiry.warning(clock::unix_ms() / 1000));
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
    }

    fn names(&self) -> Vec<&str> {
        self.wish.names.iter().map(DomainName::as_str).collect()
    }
}

/// Rests that a retirement ends.
struct Pausing<'a> {
    nudged: &'a Receiver<()>,
    retired: &'a AtomicBool,
}

impl Breath for Pausing<'_> {
    fn rest(&self, pause: Duration) -> bool {
        if !pause.is_zero() && !self.retired.load(Atomic::Acquire) {
            // A nudge makes an order no faster.
            if self.nudged.recv_timeout(pause) == Err(RecvTimeoutError::Disconnected) {
                std::thread::sleep(pause);
            }
        }
        !self.retired.load(Atomic::Acquire)
    }
}

/// From 0 to 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without chance relays come together, and no harm is done.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}
