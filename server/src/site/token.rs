//! Browser tokens: HS256 JWTs signed with a site's `jwt_secret`.
//!
//! The signature is `jsonwebtoken`'s to check; the claims are checked here, because the clock is passed in and because every
//! refusal has to say which claim is wrong. No error contains the token or a part of its signature.

mod claims;

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Map, Value};

use self::claims::{ClaimSet, UsualClaims, UsualHeader};
use super::{Grants, Refusal, Site, SiteStatus, Sites};

/// The longest life a token may have.
pub const LIFETIME_MAX_S: u64 = 24 * 3600;
/// Longer is no token: it bounds what is decoded for a stranger.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// `{"typ":"JWT","alg":"HS256"}` and `{"alg":"HS256","typ":"JWT"}`: nearly all libraries write one of the two, which need
/// not be decoded to be known.
const USUAL_HEADERS: [&str; 2] = [
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
];
/// A user's id is kept by each of their connections.
pub const USER_ID_BYTES_MAX: usize = 128;

/// What a good token gives its connection.
#[derive(Clone, Debug)]
pub struct Session {
    /// The site as it was when the token was checked.
    pub site: Arc<Site>,
    /// `"0"` for visitors.
    pub user: Box<str>,
    /// 1 for tokens without `v`, else what `v` says.
    pub version: u8,
    pub grants: Grants,
    /// Unix seconds, as in the token.
    pub exp: u64,
}

impl Session {
    /// When the token runs out, in Unix milliseconds, without any grace.
    pub fn expires_ms(&self) -> u64 {
        self.exp.saturating_mul(1000)
    }

    /// A fresh token for an open connection must be for the same site and user.
    pub fn refreshed_by(&self, fresh: &Session) -> Result<(), Refusal> {
        if fresh.site.id != self.site.id {
            return Err(Refusal::unauthorized(
                "the token is for another site than this connection",
            ));
        }
        if fresh.user != self.user {
            return Err(Refusal::unauthorized(
                "the token is for another user than this connection",
            ));
        }
        Ok(())
    }
}

/// The claims of a token, for minting one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// `None` makes a version-1 token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v: Option<u8>,
    pub tenant_id: String,
    pub site_id: String,
    pub user_id: String,
    pub allowed_channel_prefixes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_publish_prefixes: Option<Vec<String>>,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
}

/// A token signed with the site's current secret.
pub fn mint(claims: &Claims, jwt_secret: &str) -> String {
    let key = EncodingKey::from_secret(jwt_secret.as_bytes());
    // The claims are plain strings and numbers and the key is symmetric: neither step can fail.
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)
        .expect("claims serialise and HMAC signs")
}

/// Why a token is refused. `Display` is a sentence for the person who has to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    Missing,
    TooLong,
    /// Not three parts of base64url, or header or payload are not JSON objects.
    Malformed(&'static str),
    /// `alg` is not HS256.
    Algorithm,
    /// The header has `crit`: it asks for an extension, and the relay knows none.
    Critical,
    ClaimMissing(&'static str),
    /// A claim is there, in another form than `expected`.
    ClaimInvalid {
        claim: &'static str,
        expected: &'static str,
    },
    UnknownSite,
    /// The site was disconnected.
    Archived,
    AccountDeactivated,
    Signature,
    Tenant,
    Expired {
        ago_s: u64,
    },
    NotYetValid {
        claim: &'static str,
        ahead_s: u64,
    },
    LifeTooLong {
        life_s: u64,
    },
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "no token was sent"),
            Self::TooLong => write!(f, "the token is longer than {TOKEN_BYTES_MAX} bytes"),
            Self::Malformed(what) => write!(f, "the token is malformed: {what}"),
            Self::Algorithm => write!(
                f,
                "the token is not signed with HS256, the only algorithm accepted"
            ),
            Self::Critical => write!(
                f,
                "the token's header has \"crit\", and no extension is supported"
            ),
            Self::ClaimMissing(claim) => write!(f, "the token has no {claim}"),
            Self::ClaimInvalid { claim, expected } => write!(f, "the token's {claim} is not {expected}"),
            Self::UnknownSite => write!(f, "the token's site is not registered here"),
            Self::Archived => write!(f, "the token's site was disconnected from this relay"),
            Self::AccountDeactivated => {
                write!(f, "the account that the token's site belongs to is switched off")
            }
            Self::Signature => write!(f, "the token is not signed with its site's current secret"),
            Self::Tenant => write!(f, "the token's tenant_id does not belong to its site_id"),
            Self::Expired { ago_s } => write!(f, "the token expired {ago_s} s ago"),
            Self::NotYetValid { claim, ahead_s } => {
                write!(
                    f,
                    "the token's {claim} is {ahead_s} s in the future; set the site's clock"
                )
            }
            Self::LifeTooLong { life_s } => {
                write!(
                    f,
                    "the token lives for {life_s} s; at most {LIFETIME_MAX_S} s are accepted"
                )
            }
        }
    }
}

impl std::error::Error for TokenError {}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::UnknownSite | TokenError::Archived | TokenError::AccountDeactivated => {
                Self::unknown_site(error.to_string())
            }
            _ => Self::unauthorized(error.to_string()),
        }
    }
}

/// Everything that can be said about a token, for an operator who wants to know why it works or not. Header and claims are
/// shown as they stand, whether or not the signature holds.
#[derive(Debug)]
pub struct TokenReport {
    pub header: Option<Map<String, Value>>,
    pub claims: Option<Map<String, Value>>,
    /// The site that `site_id` names, whatever its status.
    pub site: Option<Arc<Site>>,
    /// The signature holds, but with the secret before the current one.
    pub previous_secret: bool,
    pub verdict: Result<Session, TokenError>,
}

impl Sites {
    /// Checks a token from `?token=` or an `auth` message. Its site's clock may be `leeway_ms` from the relay's, either way.
    pub fn verify_token(&self, token: &str, now_ms: u64, leeway_ms: u64) -> Result<Session, Refusal> {
        let clock = Clock { now_ms, leeway_ms };
        if let Some(session) = accept(self, token, clock) {
            return Ok(session);
        }
        let report = self.inspect_token(token, now_ms, leeway_ms);
        report.verdict.map_err(|error| {
            let refusal = Refusal::from(error);
            match &report.site {
                Some(site) => refusal.about(site.id),
                None => refusal,
            }
        })
    }

    /// The same checks, with all that was seen on the way.
    pub fn inspect_token(&self, token: &str, now_ms: u64, leeway_ms: u64) -> TokenReport {
        let mut report = TokenReport {
            header: None,
            claims: None,
            site: None,
            previous_secret: false,
            verdict: Err(TokenError::Missing),
        };
        report.verdict = check(self, token, Clock { now_ms, leeway_ms }, &mut report);
        report
    }
}

#[derive(Clone, Copy)]
struct Clock {
    now_ms: u64,
    leeway_ms: u64,
}

/// The session of a good token in the usual form, with the same checks and without a copy of its claims: a crowd that
/// reconnects is mostly tokens. `None` is for [`check`] to explain, or to find good after all.
fn accept(sites: &Sites, token: &str, clock: Clock) -> Option<Session> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    if !USUAL_HEADERS.contains(&header) {
        let header = URL_SAFE_NO_PAD.decode(header).ok()?;
        if serde_json::from_slice::<UsualHeader<'_>>(&header).ok()?.alg != "HS256" {
            return None;
        }
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: UsualClaims<'_> = serde_json::from_slice(&payload).ok()?;
    let site = sites
        .by_site_id(claims.site_id)
        .filter(|site| site.status == SiteStatus::Active)?;
    signing_secret(site, signed, signature, clock)?;
    session(&claims, site, clock).ok()
}

/// The secret of the site that made this signature.
fn signing_secret<'a>(site: &'a Site, signed: &str, signature: &str, clock: Clock) -> Option<&'a str> {
    site.jwt_secrets.valid(clock.now_ms).find(|secret| {
        let key = DecodingKey::from_secret(secret.as_bytes());
        // An error is a signature that is not base64url: as wrong as any other.
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, Algorithm::HS256).unwrap_or(false)
    })
}

fn check(sites: &Sites, token: &str, clock: Clock, report: &mut TokenReport) -> Result<Session, TokenError> {
    if token.is_empty() {
        return Err(TokenError::Missing);
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLong);
    }
    let (signed, signature) = token
        .rsplit_once('.')
        .ok_or(TokenError::Malformed("it is not three parts"))?;
    let (header, payload) = signed
        .split_once('.')
        .ok_or(TokenError::Malformed("it is not three parts"))?;
    if payload.contains('.') {
        return Err(TokenError::Malformed("it is not three parts"));
    }
    let header = report
        .header
        .insert(object(header).ok_or(TokenError::Malformed("its header is not a JSON object"))?);
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(TokenError::Algorithm);
    }
    if header.contains_key("crit") {
        return Err(TokenError::Critical);
    }
    let claims = &*report
        .claims
        .insert(object(payload).ok_or(TokenError::Malformed("its payload is not a JSON object"))?);

    let site_id = claims.text("site_id")?;
    let site = &*report
        .site
        .insert(sites.by_site_id(site_id).ok_or(TokenError::UnknownSite)?.clone());
    match site.status {
        SiteStatus::Active => {}
        SiteStatus::Archived => return Err(TokenError::Archived),
        SiteStatus::AccountDeactivated => return Err(TokenError::AccountDeactivated),
    }
    let secret = signing_secret(site, signed, signature, clock);
    report.previous_secret = secret.ok_or(TokenError::Signature)? != site.jwt_secrets.current;

    session(claims, site, clock)
}

/// The claims of a token whose signature holds.
fn session(claims: &impl ClaimSet, site: &Arc<Site>, clock: Clock) -> Result<Session, TokenError> {
    if claims.text("tenant_id")? != site.tenant_id {
        return Err(TokenError::Tenant);
    }
    let exp = claims.time("exp")?.ok_or(TokenError::ClaimMissing("exp"))?;
    let now_s = clock.now_ms / 1000;
    if exp.saturating_mul(1000).saturating_add(clock.leeway_ms) <= clock.now_ms {
        return Err(TokenError::Expired { ago_s: now_s - exp });
    }
    let issued = claims.time("iat")?;
    for (claim, at) in [("iat", issued), ("nbf", claims.time("nbf")?)] {
        if let Some(at) =
            at.filter(|at| at.saturating_mul(1000) > clock.now_ms.saturating_add(clock.leeway_ms))
        {
            return Err(TokenError::NotYetValid {
                claim,
                ahead_s: at - now_s,
            });
        }
    }
    let life_s = exp.saturating_sub(issued.unwrap_or(now_s));
    if life_s > LIFETIME_MAX_S {
        return Err(TokenError::LifeTooLong { life_s });
    }
    let version = claims.version()?;
    let user = claims.text("user_id")?;
    if user.len() > USER_ID_BYTES_MAX || user.chars().any(char::is_control) {
        return Err(TokenError::ClaimInvalid {
            claim: "user_id",
            expected: "at most 128 bytes without control characters",
        });
    }
    let subscribe = claims
        .prefixes("allowed_channel_prefixes")?
        .ok_or(TokenError::ClaimMissing("allowed_channel_prefixes"))?;
    let publish = match version {
        1 => None,
        _ => Some(claims.prefixes("allowed_publish_prefixes")?.unwrap_or_default()),
    };
    let grants = Grants::new(&site.site_id, subscribe, publish);
    Ok(Session {
        site: site.clone(),
        user: user.into(),
        version,
        grants,
        exp,
    })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests;
