//! The close codes that the relay sends: an API that clients decide by.

/// Why the relay closes a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    Normal = 1000,
    GoingAway = 1001,
    Protocol = 1002,
    InvalidPayload = 1007,
    Policy = 1008,
    TooBig = 1009,
    Internal = 1011,
    Restart = 1012,
    TryLater = 1013,
    Unauthorized = 4001,
    UnknownSite = 4003,
    ConnectionLimit = 4029,
}

impl CloseCode {
    pub const ALL: [Self; 12] = [
        Self::Normal,
        Self::GoingAway,
        Self::Protocol,
        Self::InvalidPayload,
        Self::Policy,
        Self::TooBig,
        Self::Internal,
        Self::Restart,
        Self::TryLater,
        Self::Unauthorized,
        Self::UnknownSite,
        Self::ConnectionLimit,
    ];

    pub const fn code(self) -> u16 {
        self as u16
    }

    /// A stable name, for metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::GoingAway => "going_away",
            Self::Protocol => "protocol_error",
            Self::InvalidPayload => "invalid_payload",
            Self::Policy => "policy_violation",
            Self::TooBig => "message_too_big",
            Self::Internal => "internal_error",
            Self::Restart => "service_restart",
            Self::TryLater => "try_again_later",
            Self::Unauthorized => "unauthorized",
            Self::UnknownSite => "unknown_site",
            Self::ConnectionLimit => "connection_limit",
        }
    }

    /// When the relay sends it, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Normal => "the client asked to close",
            Self::GoingAway => "nothing was heard from the client for too long",
            Self::Protocol => "the client broke the WebSocket protocol (RFC 6455)",
            Self::InvalidPayload => "a text message was not UTF-8",
            Self::Policy => "too many bad or too many small frames",
            Self::TooBig => "a message was larger than the relay accepts",
            Self::Internal => "the relay failed; this is its fault",
            Self::Restart => "the relay restarts",
            Self::TryLater => "the client read too slowly and its queue was full",
            Self::Unauthorized => "the token is missing, malformed, badly signed or expired",
            Self::UnknownSite => "the site is not registered here or was disconnected",
            Self::ConnectionLimit => "the site has as many connections as it may have",
        }
    }

    /// Whether the same client may expect better from connecting again (after a pause; after [`Unauthorized`](Self::Unauthorized)
    /// with a new token).
    pub const fn reconnect(self) -> bool {
        match self {
            Self::Normal
            | Self::Protocol
            | Self::InvalidPayload
            | Self::Policy
            | Self::TooBig
            | Self::UnknownSite => false,
            Self::GoingAway
            | Self::Internal
            | Self::Restart
            | Self::TryLater
            | Self::Unauthorized
            | Self::ConnectionLimit => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_protocol_are_what_they_say() {
        let reconnect: Vec<_> = CloseCode::ALL
            .iter()
            .filter(|code| code.reconnect())
            .map(|code| code.code())
            .collect();
        assert_eq!(reconnect, [1001, 1011, 1012, 1013, 4001, 4029]);
        let codes: Vec<_> = CloseCode::ALL.iter().map(|code| code.code()).collect();
        assert_eq!(
            codes,
            [
                1000, 1001, 1002, 1007, 1008, 1009, 1011, 1012, 1013, 4001, 4003, 4029
            ]
        );
    }

    #[test]
    fn clients_are_told_the_same_by_the_documentation() {
        let rows: Vec<Vec<&str>> = include_str!("../../../docs/protocol.md")
            .lines()
            .map(|line| line.trim_matches(['|', ' ']).split('|').map(str::trim).collect())
            .collect();
        let mut documented = 0;
        for code in CloseCode::ALL {
            let number = code.code().to_string();
            let Some(row) = rows.iter().find(|row| row.len() == 3 && row[0] == number) else {
                // What every WebSocket server may send needs no row; what is this relay's own does.
                assert!(code.code() < 4000, "{number} is not in docs/protocol.md");
                continue;
            };
            assert_eq!(code.reconnect(), row[2] != "no", "{number}: {row:?}");
            documented += 1;
        }
        assert!(documented >= 8, "the table was found");
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> = CloseCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), CloseCode::ALL.len());
    }
}
