//! Why a connection ends: one value, from which its close code, its text and its counter follow.

use wire::close::CloseCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed, or its socket ended.
    Peer,
    /// The token ran out and was not refreshed within the grace.
    TokenExpired,
    /// The site was archived or its account switched off.
    SiteGone,
    /// Nothing was heard from the client for too long.
    Silent,
    /// The outbox is full: the client reads too slowly.
    TooSlow,
    /// The relay stops.
    Draining,
    /// Too many frames that could not be understood.
    BadFrames,
    /// The client sends faster than it may.
    TooFast,
    /// The operator pressed disconnect.
    Disconnected,
    /// A rule of RFC 6455 was broken.
    Protocol(CloseCode, &'static str),
    /// A bug: the session's task ended without an answer.
    Internal,
}

impl CloseReason {
    /// The code and the text of the close frame.
    pub fn close_frame(self) -> (CloseCode, &'static str) {
        match self {
            Self::Peer => (CloseCode::Normal, ""),
            Self::TokenExpired => (
                CloseCode::Unauthorized,
                "token expired: fetch a new one and reconnect",
            ),
            Self::SiteGone => (CloseCode::UnknownSite, "this site is no longer registered here"),
            Self::Silent => (CloseCode::GoingAway, "nothing was heard from the client in time"),
            Self::TooSlow => (
                CloseCode::TryLater,
                "the client reads too slowly: its queue is full",
            ),
            Self::Draining => (CloseCode::Restart, "the relay restarts: reconnect"),
            Self::BadFrames => (CloseCode::Policy, "too many frames that could not be understood"),
            Self::TooFast => (CloseCode::Policy, "too many messages: send less often"),
            Self::Disconnected => (CloseCode::GoingAway, "disconnected by the operator"),
            Self::Protocol(code, text) => (code, text),
            Self::Internal => (CloseCode::Internal, "the relay failed to serve this connection"),
        }
    }

    /// The metric label: a small closed set.
    pub fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::TokenExpired => "token_expired",
            Self::SiteGone => "site_gone",
            Self::Silent => "silent",
            Self::TooSlow => "too_slow",
            Self::Draining => "draining",
            Self::BadFrames => "bad_frames",
            Self::TooFast => "too_fast",
            Self::Disconnected => "disconnected",
            Self::Protocol(..) => "protocol",
            Self::Internal => "internal",
        }
    }
}
