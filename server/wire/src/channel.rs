//! Channel and event names: one spelling inside, checked once.

use std::fmt;

/// What a qualified name begins with: `site:{site_id}:{name}`.
const QUALIFIED: &str = "site:";
/// Channels whose name begins so belong to the relay.
pub const RESERVED_CHANNELS: &str = "wps:";
/// Events whose name begins so come from the relay only.
pub const RESERVED_EVENTS: &str = "wps.";
/// The channel on which a site's connection count is published.
pub const CONNECTIONS: &str = "wps:connections";

/// Why a channel name is not one that the site can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    Empty,
    TooLong {
        bytes_max: usize,
    },
    ControlCharacter,
    /// It begins with `site:` and is not this site's qualified form.
    OtherSite,
}

impl ChannelError {
    /// The `code` of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OtherSite => "forbidden",
            Self::Empty | Self::TooLong { .. } | Self::ControlCharacter => "invalid_channel",
        }
    }
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the channel name is empty"),
            Self::TooLong { bytes_max } => write!(f, "the channel name is longer than {bytes_max} bytes"),
            Self::ControlCharacter => write!(f, "the channel name contains a control character"),
            Self::OtherSite => write!(f, "the channel belongs to another site"),
        }
    }
}

impl std::error::Error for ChannelError {}

/// The bare name of a channel that is spelled bare or qualified. A bare name never begins with `site:`, so that no bare name
/// can be taken for a qualified one.
pub fn bare<'a>(spelled: &'a str, site_id: &str, name_bytes_max: usize) -> Result<&'a str, ChannelError> {
    let name = unqualified(spelled, site_id).ok_or(ChannelError::OtherSite)?;
    if name.is_empty() {
        return Err(ChannelError::Empty);
    }
    if name.len() > name_bytes_max {
        return Err(ChannelError::TooLong {
            bytes_max: name_bytes_max,
        });
    }
    if name.chars().any(char::is_control) {
        return Err(ChannelError::ControlCharacter);
    }
    Ok(name)
}

/// A token's prefix in terms of bare names, or `None` where it matches nothing of this site. "" (from `site:{site_id}:`)
/// is every channel of the site; the empty prefix itself is taken for a mistake and matches nothing.
pub fn bare_prefix<'a>(spelled: &'a str, site_id: &str) -> Option<&'a str> {
    if spelled.is_empty() {
        None
    } else {
        unqualified(spelled, site_id)
    }
}

fn unqualified<'a>(spelled: &'a str, site_id: &str) -> Option<&'a str> {
    let name = match spelled.strip_prefix(QUALIFIED) {
        None => return Some(spelled),
        Some(rest) => rest.strip_prefix(site_id)?.strip_prefix(':')?,
    };
    (!name.starts_with(QUALIFIED)).then_some(name)
}

/// Whether the channel belongs to the relay: nobody publishes there.
pub fn is_reserved(bare: &str) -> bool {
    bare.starts_with(RESERVED_CHANNELS)
}

/// Why an event name is not one that a browser or a publisher may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventError {
    Empty,
    TooLong { bytes_max: usize },
    ControlCharacter,
    Reserved,
}

impl EventError {
    /// The `code` of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Reserved => "forbidden",
            Self::Empty | Self::TooLong { .. } | Self::ControlCharacter => "invalid_request",
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the event name is empty"),
            Self::TooLong { bytes_max } => write!(f, "the event name is longer than {bytes_max} bytes"),
            Self::ControlCharacter => write!(f, "the event name contains a control character"),
            Self::Reserved => write!(
                f,
                "event names that begin with \"{RESERVED_EVENTS}\" come from the relay only"
            ),
        }
    }
}

impl std::error::Error for EventError {}

/// Checks an event name from outside.
pub fn check_event(name: &str, bytes_max: usize) -> Result<(), EventError> {
    if name.is_empty() {
        return Err(EventError::Empty);
    }
    if name.len() > bytes_max {
        return Err(EventError::TooLong { bytes_max });
    }
    if name.chars().any(char::is_control) {
        return Err(EventError::ControlCharacter);
    }
    if name.starts_with(RESERVED_EVENTS) {
        return Err(EventError::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SITE: &str = "0f0f";

    fn named(spelled: &str) -> Result<&str, ChannelError> {
        bare(spelled, SITE, 8)
    }

    #[test]
    fn both_spellings_are_one_channel() {
        assert_eq!(named("events"), Ok("events"));
        assert_eq!(named("site:0f0f:events"), Ok("events"));
        assert_eq!(named("woo:x"), Ok("woo:x"));
        assert_eq!(
            named("site"),
            Ok("site"),
            "without the colon it is a name like any other"
        );
        assert_eq!(named("sites:a"), Ok("sites:a"));
    }

    #[test]
    fn another_sites_channel_is_forbidden() {
        for spelled in [
            "site:",
            "site:0f0f",
            "site:0f0fevents",
            "site:0f0f0:a",
            "site:1111:a",
            "site:0F0F:a",
            "site::a",
            "site:0f0f:site:1111:a",
            "site:0f0f:site:0f0f:a",
        ] {
            assert_eq!(named(spelled), Err(ChannelError::OtherSite), "{spelled}");
            assert_eq!(ChannelError::OtherSite.code(), "forbidden");
        }
    }

    #[test]
    fn a_name_is_short_and_printable() {
        assert_eq!(named(""), Err(ChannelError::Empty));
        assert_eq!(named("site:0f0f:"), Err(ChannelError::Empty));
        assert_eq!(named("12345678"), Ok("12345678"));
        assert_eq!(
            named("site:0f0f:12345678"),
            Ok("12345678"),
            "the qualification does not count"
        );
        assert_eq!(named("123456789"), Err(ChannelError::TooLong { bytes_max: 8 }));
        assert_eq!(named("ääää"), Ok("ääää"));
        assert_eq!(
            named("äääää"),
            Err(ChannelError::TooLong { bytes_max: 8 }),
            "bytes, not characters"
        );
        for spelled in ["a\0", "a\r\n", "\t", "\u{7f}", "\u{85}", "site:0f0f:a\n"] {
            assert_eq!(named(spelled), Err(ChannelError::ControlCharacter), "{spelled:?}");
        }
        for error in [
            ChannelError::Empty,
            ChannelError::TooLong { bytes_max: 8 },
            ChannelError::ControlCharacter,
        ] {
            assert_eq!(error.code(), "invalid_channel");
        }
    }

    #[test]
    fn the_relays_own_names_are_known_in_both_spellings() {
        assert!(is_reserved(named("wps:x").unwrap()));
        assert!(is_reserved(named("site:0f0f:wps:x").unwrap()));
        assert!(!is_reserved("wps"));
        assert!(CONNECTIONS.starts_with(RESERVED_CHANNELS));
    }

    #[test]
    fn event_names_are_checked() {
        let check = |name: &str| check_event(name, 8);
        assert_eq!(check("post.new"), Ok(()));
        assert_eq!(check("wps"), Ok(()));
        assert_eq!(check(""), Err(EventError::Empty));
        assert_eq!(check("123456789"), Err(EventError::TooLong { bytes_max: 8 }));
        assert_eq!(check("a\ndata:x"), Err(EventError::ControlCharacter));
        assert_eq!(check("wps.x"), Err(EventError::Reserved));
        assert_eq!(
            (EventError::Reserved.code(), EventError::Empty.code()),
            ("forbidden", "invalid_request")
        );
    }

    #[test]
    fn prefixes_are_brought_to_bare_names() {
        assert_eq!(bare_prefix("site:0f0f:", SITE), Some(""));
        assert_eq!(bare_prefix("site:0f0f:woo:", SITE), Some("woo:"));
        assert_eq!(bare_prefix("woo:", SITE), Some("woo:"));
        for spelled in ["", "site:", "site:0f0f", "site:1111:", "site:0f0f:site:"] {
            assert_eq!(bare_prefix(spelled, SITE), None, "{spelled:?}");
        }
    }

    proptest! {
        #[test]
        fn a_bare_name_stays_what_it_is(spelled in "(site:)?(0f0f:)?[a-z:]{0,9}") {
            if let Ok(name) = bare(&spelled, SITE, 256) {
                prop_assert_eq!(bare(name, SITE, 256), Ok(name));
                let qualified = format!("site:{SITE}:{name}");
                prop_assert_eq!(bare(&qualified, SITE, 256), Ok(name));
            }
        }
    }
}
