//! One shape for every "no": a stable code for programs, a status for HTTP, a sentence for people.

use std::borrow::Cow;
use std::fmt;

use wire::close::CloseCode;

use crate::ids::SiteId;

/// Every code by which something of a site's is refused, in the order in which usage counters keep them; `other` is none, but
/// where the counters put what is not in the list. Codes are an API: never renamed.
pub const REFUSAL_CODES: [&str; 23] = [
    "invalid_request",
    "payload_too_large",
    "unknown_site_key",
    "account_deactivated",
    "invalid_signature",
    "stale_timestamp",
    "forbidden",
    "rate_limited",
    "quota_exceeded",
    "unauthorized",
    "unknown_site",
    "connection_limit",
    "origin_forbidden",
    "invalid_channel",
    "limit_exceeded",
    "invalid_json",
    "unknown_type",
    "invalid_frame",
    "overloaded",
    "upgrade_required",
    "not_found",
    "method_not_allowed",
    "other",
];

/// Why a request, a publish or a token was turned away. The message says what to do, and never contains a secret or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: &'static str,
    /// The HTTP status of the answer.
    pub status: u16,
    pub message: Cow<'static, str>,
    /// Seconds for `Retry-After`, where trying again later can help.
    pub retry_after_s: Option<u32>,
    /// The site that was named, whether or not anything was proven: it is where the operator looks for the refusal. Never part
    /// of an answer.
    pub site: Option<SiteId>,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            retry_after_s: None,
            site: None,
        }
    }

    pub fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    pub fn about(self, site: SiteId) -> Self {
        Self {
            site: Some(site),
            ..self
        }
    }

    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    pub fn payload_too_large(bytes_max: usize) -> Self {
        Self::new(
            413,
            "payload_too_large",
            format!("the body is larger than {bytes_max} bytes"),
        )
    }

    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "forbidden", message)
    }

    /// The token is missing, malformed, badly signed or expired.
    pub fn unauthorized(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(401, "unauthorized", message)
    }

    /// A token names a site that is not registered here, or no longer.
    pub fn unknown_site(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(404, "unknown_site", message)
    }

    pub fn connection_limit(connections_max: u32) -> Self {
        Self::new(
            429,
            "connection_limit",
            format!("the site already has {connections_max} connections, its limit"),
        )
        .retry_after(5)
    }

    /// How a WebSocket is closed for this refusal.
    pub fn close(&self) -> CloseCode {
        match self.code {
            "unauthorized" => CloseCode::Unauthorized,
            "unknown_site" | "unknown_site_key" => CloseCode::UnknownSite,
            "connection_limit" => CloseCode::ConnectionLimit,
            "payload_too_large" => CloseCode::TooBig,
            _ => CloseCode::Policy,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_counted_under_its_code() {
        for refusal in [
            Refusal::invalid_request("x"),
            Refusal::payload_too_large(1),
            Refusal::forbidden("x"),
            Refusal::unauthorized("x"),
            Refusal::unknown_site("x"),
            Refusal::connection_limit(1),
        ] {
            assert!(REFUSAL_CODES.contains(&refusal.code), "{refusal}");
        }
    }

    #[test]
    fn a_socket_is_closed_with_the_code_of_the_protocol() {
        let code = |refusal: Refusal| refusal.close().code();
        assert_eq!(code(Refusal::unauthorized("x")), 4001);
        assert_eq!(code(Refusal::unknown_site("x")), 4003);
        assert_eq!(code(Refusal::connection_limit(1)), 4029);
        assert_eq!(code(Refusal::forbidden("x")), 1008);
    }
}
