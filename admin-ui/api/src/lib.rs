//! Request and response types of the operator API.
//!
//! The server and the web app compile the same types, so that neither can spell a field differently. Times are unix
//! milliseconds, sizes are bytes, and a name says its unit where it is another one. Requests refuse unknown fields:
//! a misspelt setting is an error, never silently ignored.

pub mod account;
pub mod connect;
pub mod insight;
pub mod routes;
pub mod site;
pub mod tools;
pub mod trigger;

#[cfg(feature = "web")]
use hookcast_json::Json;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

/// Raised by every change that an older web app or script could not read. `GET /api/state` names the server's, and a
/// request may name its own in [`VERSION_HEADER`].
pub const API_VERSION: u32 = 1;

/// The API version that a client was built for. A request that names another version than the server's is refused with
/// [`code::API_VERSION_MISMATCH`]; one that names none is served.
pub const VERSION_HEADER: &str = "x-hookcast-api";

/// Carries [`account::Me::csrf`] with every state change made with a session cookie. Where there is no session yet
/// (log-in, set-up) any value serves: a form of another site cannot send the header at all.
pub const CSRF_HEADER: &str = "x-hookcast-csrf";

/// The session cookie's name.
pub const SESSION_COOKIE: &str = "hookcast_session";

/// Any JSON: payloads, claims, what a condition compares with.
#[cfg(all(feature = "web", not(feature = "serde")))]
pub use hookcast_json::Value;
#[cfg(feature = "serde")]
pub use serde_json::Value;

/// Unix time in milliseconds.
pub type Millis = u64;

/// The stable codes of [`ApiError::error`] that a client may act on. Codes of the relay's own surface (`/publish`,
/// `/ws`) are described in the protocol.
pub mod code {
    /// The body is not JSON, a field is missing, unknown or outside its limits; `fields` names which.
    pub const INVALID_REQUEST: &str = "invalid_request";
    /// No session, or one that ended: go to the log-in page.
    pub const UNAUTHENTICATED: &str = "unauthenticated";
    /// Email or password wrong.
    pub const INVALID_CREDENTIALS: &str = "invalid_credentials";
    /// The password asked for again does not match.
    pub const WRONG_PASSWORD: &str = "wrong_password";
    /// The role or the key's scopes do not cover this.
    pub const FORBIDDEN: &str = "forbidden";
    /// The CSRF header is missing or not this session's.
    pub const CSRF: &str = "csrf";
    /// The request comes from a page of another origin.
    pub const FOREIGN_ORIGIN: &str = "foreign_origin";
    /// The Host header is not a name that this relay answers to.
    pub const UNKNOWN_HOST: &str = "unknown_host";
    pub const NOT_FOUND: &str = "not_found";
    pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
    /// What is changed has been changed by someone else since it was read.
    pub const CONFLICT: &str = "conflict";
    pub const PAYLOAD_TOO_LARGE: &str = "payload_too_large";
    /// Too many attempts; `Retry-After` says when.
    pub const RATE_LIMITED: &str = "rate_limited";
    /// The relay is set up already, or the set-up link is not this run's.
    pub const SETUP_CLOSED: &str = "setup_closed";
    pub const SITE_LIMIT_REACHED: &str = "site_limit_reached";
    pub const API_VERSION_MISMATCH: &str = "api_version_mismatch";
    /// The relay is busy or stopping; try again.
    pub const UNAVAILABLE: &str = "unavailable";
    pub const INTERNAL: &str = "internal";
}

/// The body of every refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ApiError {
    /// A stable code, see [`code`].
    pub error: String,
    /// A sentence for people: what is wrong and what to do.
    pub message: String,
    /// Which fields of the request are wrong, for a form to show beside them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldError {
    /// A path into the request: `url`, `limits.connections`, `conditions.rules.2.path`.
    pub field: String,
    pub message: String,
}

/// The answer of a change that has nothing else to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    pub ok: bool,
}

impl Done {
    pub const OK: Done = Done { ok: true };
}

/// The web app and the server were built from different versions of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionMismatch {
    pub client: u32,
    pub server: u32,
}

impl VersionMismatch {
    /// What to tell the reader of the page.
    pub fn advice(&self) -> String {
        let older = if self.client < self.server {
            "this page"
        } else {
            "the relay"
        };
        format!(
            "This page speaks version {} of the relay's API, the relay speaks version {}: {older} is the older one. \
             Reload the page; if that does not help, restart the relay so that both come from one release.",
            self.client, self.server
        )
    }
}

/// Compares the version that the server names with the one this code was built for.
pub fn check_version(server: u32) -> Result<(), VersionMismatch> {
    match server {
        API_VERSION => Ok(()),
        _ => Err(VersionMismatch {
            client: API_VERSION,
            server,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_mismatch_says_which_side_is_older() {
        assert_eq!(check_version(API_VERSION), Ok(()));
        let newer = check_version(API_VERSION + 1).unwrap_err();
        assert!(newer.advice().contains("this page is the older one"));
        let older = check_version(API_VERSION - 1).unwrap_err();
        assert!(older.advice().contains("the relay is the older one"));
    }
}
