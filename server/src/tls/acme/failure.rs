//! Why a certificate could not be had, in the few ways that ask for different things of an operator.

use std::fmt;
use std::time::Duration;

use instant_acme::{Error, Problem as Refusal};

use super::super::Problem;
use super::client::Trouble;

/// What went wrong. Codes are stable: logs, the web app and the documentation use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unreachable,
    RateLimited,
    NameRejected,
    HttpChallenge,
    TlsChallenge,
    Account,
    Late,
    Unexpected,
    Storage,
    /// The relay hands over or stops: no failure of anybody's.
    GivenUp,
}

impl Kind {
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "acme_unreachable",
            Self::RateLimited => "acme_rate_limited",
            Self::NameRejected => "acme_name_rejected",
            Self::HttpChallenge | Self::TlsChallenge => "acme_challenge_failed",
            Self::Account => "acme_account_refused",
            Self::Late => "acme_too_late",
            Self::Unexpected => "acme_unexpected",
            Self::Storage => "acme_storage",
            Self::GivenUp => "acme_given_up",
        }
    }

    pub fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "Let this machine reach the authority by https: look at its network, its DNS and its clock; the relay tries again by itself."
            }
            Self::RateLimited => {
                "Wait, the relay tries again by itself; use `tls.acme_directory = \"staging\"` while you try things out."
            }
            Self::NameRejected => "Correct `tls.acme_domains`, or the CAA records of the domain.",
            Self::HttpChallenge => {
                "Let the name lead to this machine in DNS (A and AAAA records), and port 80 to the relay's `tls.redirect_listen`; then reload the relay."
            }
            Self::TlsChallenge => {
                "Let the name lead to this machine in DNS (A and AAAA records), and port 443 to the relay's `tls.listen` with no TLS proxy in between; then reload the relay."
            }
            Self::Account => {
                "Look at `tls.acme_email`, and at what the authority's own pages ask of an account."
            }
            Self::Late => {
                "The relay tries again by itself; if it goes on, look at the authority's status page."
            }
            Self::Unexpected => {
                "The relay tries again by itself; if it goes on, look at the authority's status page and at `tls.acme_directory`."
            }
            Self::Storage => "Give the data directory to the relay's user, and make room on its disk.",
            Self::GivenUp => "Nothing to do: the next process goes on.",
        }
    }
}

#[derive(Debug)]
pub struct Failure {
    pub kind: Kind,
    pub reason: String,
    /// Before then the authority does not want to be asked again.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Failure {
    pub fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self {
            kind,
            reason: one_line(&reason.into()),
            retry_after: None,
        }
    }

    /// What the authority thinks of a name, given by the problem of a challenge.
    pub fn of_challenge(name: &str, kind: Kind, refusal: &Refusal) -> Self {
        let kind = match tail(refusal) {
            "rejectedIdentifier" | "unsupportedIdentifier" | "caa" => Kind::NameRejected,
            "rateLimited" => Kind::RateLimited,
            "serverInternal" => Kind::Unexpected,
            _ => kind,
        };
        Self::new(
            kind,
            format!(
                "the authority does not believe that {name} is yours: {}",
                told(refusal)
            ),
        )
    }

    pub fn problem(&self) -> Problem {
        Problem {
            code: self.kind.code(),
            reason: self.reason.clone(),
            remedy: self.kind.remedy(),
        }
    }

    /// Whether the authority does not know the account any more: a trial's that was reset, or one of another's.
    pub fn is_account_gone(error: &Error) -> bool {
        matches!(error, Error::Api(refusal) if tail(refusal) == "accountDoesNotExist")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::Api(refusal) => {
                let kind = match tail(refusal) {
                    "rateLimited" => Kind::RateLimited,
                    "rejectedIdentifier" | "unsupportedIdentifier" | "caa" => Kind::NameRejected,
                    "accountDoesNotExist"
                    | "unauthorized"
                    | "invalidContact"
                    | "unsupportedContact"
                    | "userActionRequired"
                    | "externalAccountRequired" => Kind::Account,
                    _ => Kind::Unexpected,
                };
                Self::new(kind, format!("the authority refuses: {}", told(refusal)))
            }
            Error::Other(other) => match other.downcast_ref::<Trouble>() {
                Some(trouble) => {
                    let kind = match trouble {
                        Trouble::Unreachable(_) => Kind::Unreachable,
                        Trouble::Status(_) => Kind::Unexpected,
                    };
                    Self::new(kind, trouble.to_string())
                }
                None => Self::new(Kind::Unexpected, other.to_string()),
            },
            Error::Json(error) => Self::new(
                Kind::Unexpected,
                format!("the authority answers with something that is not ACME: {error}"),
            ),
            _ => Self::new(Kind::Unexpected, error.to_string()),
        }
    }
}

/// The word that names a problem (RFC 8555, section 6.7).
fn tail(refusal: &Refusal) -> &str {
    let name = refusal.r#type.as_deref().unwrap_or_default();
    name.rsplit(':').next().unwrap_or_default()
}

fn told(refusal: &Refusal) -> String {
    let mut told = refusal
        .detail
        .clone()
        .unwrap_or_else(|| "it says no more".to_owned());
    for sub in refusal.subproblems.iter().take(5) {
        told.push_str(&format!("; {sub}"));
    }
    if !tail(refusal).is_empty() {
        told.push_str(&format!(" ({})", tail(refusal)));
    }
    told
}

/// Others' text in our log: one line of it, and not too long.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(500)
        .collect();
    line.truncate(line.trim_end().trim_end_matches('.').len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kind: &str, detail: &str) -> Refusal {
        serde_json::from_value(serde_json::json!({
            "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": 403,
        }))
        .unwrap()
    }

    #[test]
    fn each_refusal_has_its_code_and_its_reason_in_one_line() {
        for (kind, code) in [
            ("rateLimited", "acme_rate_limited"),
            ("caa", "acme_name_rejected"),
            ("invalidContact", "acme_account_refused"),
            ("malformed", "acme_unexpected"),
        ] {
            let failure = Failure::from(Error::Api(refusal(kind, "no\nand no.")));
            assert_eq!(failure.kind.code(), code);
            assert!(
                failure.reason.contains("no and no") && !failure.reason.contains('\n'),
                "{failure}"
            );
        }
        let failure = Failure::of_challenge(
            "relay.example",
            Kind::HttpChallenge,
            &refusal("connection", "refused"),
        );
        assert_eq!(failure.kind.code(), "acme_challenge_failed");
        assert!(failure.reason.contains("relay.example") && failure.reason.contains("refused (connection)"));
        assert!(failure.kind.remedy().contains("port 80"));
    }
}
