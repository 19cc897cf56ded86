//! Text messages from a browser: JSON objects with a `type`.
//!
//! What is kept is borrowed from the message, and lists are cut at a bound while they are read: a message that subscribes to a
//! million channels costs a scan of its text and the memory of `list_max` names.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::json::{self, ObjectError};

/// One message. Names are as the client spelled them: not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    Subscribe {
        channels: Channels<'a>,
        since: Since<'a>,
    },
    Unsubscribe {
        channels: Channels<'a>,
    },
    Message {
        channel: Cow<'a, str>,
        event: Cow<'a, str>,
        /// Raw JSON; `null` where the message has none.
        data: &'a str,
    },
    Presence {
        channel: Cow<'a, str>,
        /// The raw JSON object, or `None` to leave.
        state: Option<&'a str>,
    },
    Auth {
        token: Cow<'a, str>,
    },
    Ping,
    Pong,
    /// Answered with the error `unknown_type`.
    Unknown {
        kind: Cow<'a, str>,
    },
}

/// The channels of a list, up to the bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channels<'a> {
    pub names: Vec<Cow<'a, str>>,
    /// How many more the client named; the answer is one `limit_exceeded` without a channel.
    pub cut: usize,
}

/// From where each channel is to be replayed, up to the bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Since<'_> {
    /// The id after which a channel, as it is spelled in `channels`, is to be replayed.
    pub fn of(&self, channel: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == channel)
            .map(|(_, id)| &**id)
    }
}

/// Why text is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientError {
    InvalidJson,
    NotAnObject,
    Missing {
        field: &'static str,
    },
    Invalid {
        field: &'static str,
        expected: &'static str,
    },
}

impl ClientError {
    /// The `code` of the answer.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::NotAnObject | Self::Missing { .. } | Self::Invalid { .. } => "invalid_request",
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidJson => write!(f, "the message is not JSON"),
            Self::NotAnObject => write!(f, "a message is a JSON object with a \"type\""),
            Self::Missing { field } => write!(f, "the field \"{field}\" is missing"),
            Self::Invalid { field, expected } => write!(f, "the field \"{field}\" is not {expected}"),
        }
    }
}

impl std::error::Error for ClientError {}

const FIELDS: [&str; 8] = [
    "type", "channels", "since", "channel", "event", "data", "state", "token",
];

/// Reads one text message. `list_max` bounds the channels (and the `since` entries) that are kept.
pub fn parse(text: &str, list_max: usize) -> Result<ClientMessage<'_>, ClientError> {
    let [kind, channels, since, channel, event, data, state, token] =
        json::fields(text, &FIELDS).map_err(|error| match error {
            ObjectError::NotJson => ClientError::InvalidJson,
            ObjectError::NotAnObject => ClientError::NotAnObject,
        })?;
    let kind = string(kind, "type")?;
    Ok(match &*kind {
        "subscribe" => ClientMessage::Subscribe {
            channels: list(channels, list_max)?,
            since: since_map(since, list_max)?,
        },
        "unsubscribe" => ClientMessage::Unsubscribe {
            channels: list(channels, list_max)?,
        },
        "message" => ClientMessage::Message {
            channel: string(channel, "channel")?,
            event: string(event, "event")?,
            data: data.unwrap_or("null"),
        },
        "presence" => ClientMessage::Presence {
            channel: string(channel, "channel")?,
            state: presence_state(state)?,
        },
        "auth" => ClientMessage::Auth {
            token: string(token, "token")?,
        },
        "ping" => ClientMessage::Ping,
        "pong" => ClientMessage::Pong,
        _ => ClientMessage::Unknown { kind },
    })
}

fn string<'a>(raw: Option<&'a str>, field: &'static str) -> Result<Cow<'a, str>, ClientError> {
    let raw = raw.ok_or(ClientError::Missing { field })?;
    json::as_string(raw).ok_or(ClientError::Invalid {
        field,
        expected: "a string",
    })
}

fn presence_state(raw: Option<&str>) -> Result<Option<&str>, ClientError> {
    match raw.ok_or(ClientError::Missing { field: "state" })? {
        "null" => Ok(None),
        object if object.starts_with('{') => Ok(Some(object)),
        _ => Err(ClientError::Invalid {
            field: "state",
            expected: "an object or null",
        }),
    }
}

fn list(raw: Option<&str>, list_max: usize) -> Result<Channels<'_>, ClientError> {
    let raw = raw.ok_or(ClientError::Missing { field: "channels" })?;
    let read = serde_json::Deserializer::from_str(raw).deserialize_seq(ListVisitor { list_max });
    read.map_err(|_| ClientError::Invalid {
        field: "channels",
        expected: "an array of strings",
    })
}

fn since_map(raw: Option<&str>, list_max: usize) -> Result<Since<'_>, ClientError> {
    let Some(raw) = raw.filter(|raw| *raw != "null") else {
        return Ok(Since::default());
    };
    let read = serde_json::Deserializer::from_str(raw).deserialize_map(SinceVisitor { list_max });
    read.map_err(|_| ClientError::Invalid {
        field: "since",
        expected: "an object of ids by channel",
    })
}

/// A string that borrows from the message unless it has escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct ListVisitor {
    list_max: usize,
}

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Channels<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of strings")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
        let mut channels = Channels::default();
        while channels.names.len() < self.list_max {
            match list.next_element::<Name<'de>>()? {
                Some(name) => channels.names.push(name.0),
                None => return Ok(channels),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            channels.cut += 1;
        }
        Ok(channels)
    }
}

struct SinceVisitor {
    list_max: usize,
}

impl<'de> Visitor<'de> for SinceVisitor {
    type Value = Since<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut since = Vec::new();
        while since.len() < self.list_max {
            match map.next_entry::<Name<'de>, Option<Name<'de>>>()? {
                // A client that has no id yet may say so with null.
                Some((name, id)) => since.extend(id.map(|id| (name.0, id.0))),
                None => return Ok(Since(since)),
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST_MAX: usize = 4;

    fn good(text: &str) -> ClientMessage<'_> {
        parse(text, LIST_MAX).unwrap()
    }

    fn names<'a>(names: &[&'a str], cut: usize) -> Channels<'a> {
        Channels {
            names: names.iter().map(|name| Cow::Borrowed(*name)).collect(),
            cut,
        }
    }

    #[test]
    fn each_type_is_understood() {
        let message = good(r#"{"type":"subscribe","channels":["a","b"],"since":{"a":"X.0-1","b":null}}"#);
        let ClientMessage::Subscribe { channels, since } = message else {
            panic!("{message:?}")
        };
        assert_eq!(channels, names(&["a", "b"], 0));
        assert_eq!(
            (since.of("a"), since.of("b"), since.of("c")),
            (Some("X.0-1"), None, None)
        );

        assert_eq!(
            good(r#"{"channels":[],"type":"unsubscribe"}"#),
            ClientMessage::Unsubscribe {
                channels: names(&[], 0)
            }
        );
        assert_eq!(
            good(r#"{"type":"message","channel":"c","event":"e","data": [ 1 ] }"#),
            ClientMessage::Message {
                channel: "c".into(),
                event: "e".into(),
                data: "[ 1 ]"
            }
        );
        assert_eq!(
            good(r#"{"type":"message","channel":"c","event":"e"}"#),
            ClientMessage::Message {
                channel: "c".into(),
                event: "e".into(),
                data: "null"
            }
        );
        assert_eq!(
            good(r#"{"type":"presence","channel":"c","state":{"n":1}}"#),
            ClientMessage::Presence {
                channel: "c".into(),
                state: Some(r#"{"n":1}"#)
            }
        );
        assert_eq!(
            good(r#"{"type":"presence","channel":"c","state": null}"#),
            ClientMessage::Presence {
                channel: "c".into(),
                state: None
            }
        );
        assert_eq!(
            good(r#"{"type":"auth","token":"t"}"#),
            ClientMessage::Auth { token: "t".into() }
        );
        assert_eq!(good(r#"{"type":"pong"}"#), ClientMessage::Pong);
        assert_eq!(good(r#"{"type":"ping"}"#), ClientMessage::Ping);
        assert_eq!(
            good(r#"{"type":"dance","channels":7}"#),
            ClientMessage::Unknown { kind: "dance".into() }
        );
    }

    #[test]
    fn an_error_has_its_code_and_names_the_field() {
        for (text, code, says) in [
            ("hello", "invalid_json", "the message is not JSON"),
            ("", "invalid_json", "the message is not JSON"),
            (r#"{"type":"pong"}}"#, "invalid_json", "the message is not JSON"),
            (
                r#"{"type":"message","data":{"a":}}"#,
                "invalid_json",
                "the message is not JSON",
            ),
            (
                "[1]",
                "invalid_request",
                "a message is a JSON object with a \"type\"",
            ),
            (
                "null",
                "invalid_request",
                "a message is a JSON object with a \"type\"",
            ),
            ("{}", "invalid_request", "the field \"type\" is missing"),
            (
                r#"{"type":1}"#,
                "invalid_request",
                "the field \"type\" is not a string",
            ),
            (
                r#"{"type":"subscribe"}"#,
                "invalid_request",
                "the field \"channels\" is missing",
            ),
            (
                r#"{"type":"subscribe","channels":"a"}"#,
                "invalid_request",
                "the field \"channels\" is not an array of strings",
            ),
            (
                r#"{"type":"subscribe","channels":["a",1]}"#,
                "invalid_request",
                "the field \"channels\" is not an array of strings",
            ),
            (
                r#"{"type":"subscribe","channels":["a"],"since":["a"]}"#,
                "invalid_request",
                "the field \"since\" is not an object of ids by channel",
            ),
            (
                r#"{"type":"subscribe","channels":["a"],"since":{"a":5}}"#,
                "invalid_request",
                "the field \"since\" is not an object of ids by channel",
            ),
            (
                r#"{"type":"message","event":"e"}"#,
                "invalid_request",
                "the field \"channel\" is missing",
            ),
            (
                r#"{"type":"message","channel":"c","event":{}}"#,
                "invalid_request",
                "the field \"event\" is not a string",
            ),
            (
                r#"{"type":"presence","channel":"c"}"#,
                "invalid_request",
                "the field \"state\" is missing",
            ),
            (
                r#"{"type":"presence","channel":"c","state":[]}"#,
                "invalid_request",
                "the field \"state\" is not an object or null",
            ),
            (
                r#"{"type":"auth"}"#,
                "invalid_request",
                "the field \"token\" is missing",
            ),
        ] {
            let error = parse(text, LIST_MAX).unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (code, says), "{text}");
        }
    }

    #[test]
    fn what_has_no_escapes_is_borrowed() {
        let text = r#"{"type":"message","channel":"plain","event":"esc\u0061ped","data":0}"#;
        let ClientMessage::Message { channel, event, .. } = good(text) else {
            panic!()
        };
        assert!(matches!(channel, Cow::Borrowed("plain")));
        assert!(matches!(event, Cow::Owned(ref event) if event == "escaped"));
    }

    #[test]
    fn a_long_list_is_cut_while_it_is_read() {
        let million = format!(
            r#"{{"type":"subscribe","channels":[{}"x"]}}"#,
            r#""x","#.repeat(999_999)
        );
        let ClientMessage::Subscribe { channels, .. } = good(&million) else {
            panic!()
        };
        assert_eq!(channels, names(&["x"; LIST_MAX], 1_000_000 - LIST_MAX));
        assert!(
            channels.names.capacity() <= 2 * LIST_MAX,
            "room for what is kept only"
        );
    }

    #[test]
    fn a_long_since_is_cut_while_it_is_read() {
        let entries: Vec<_> = (0..1000).map(|n| format!(r#""c{n}":"i""#)).collect();
        let text = format!(
            r#"{{"type":"subscribe","channels":["c0"],"since":{{{}}}}}"#,
            entries.join(",")
        );
        let ClientMessage::Subscribe { since, .. } = good(&text) else {
            panic!()
        };
        assert_eq!((since.of("c3"), since.of("c4")), (Some("i"), None));
    }

    #[test]
    fn depth_does_not_reach_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let objects = r#"{"a":"#.repeat(100_000) + "1" + &"}".repeat(100_000);
        for deep in [deep, objects] {
            assert!(
                parse(
                    &format!(r#"{{"type":"message","channel":"c","event":"e","data":{deep}}}"#),
                    4
                )
                .is_ok()
            );
            assert!(parse(&format!(r#"{{"type":"pong","x":{deep}}}"#), 4).is_ok());
            assert!(parse(&format!(r#"{{"type":"subscribe","channels":{deep}}}"#), 4).is_err());
            assert!(
                parse(
                    &format!(r#"{{"type":"subscribe","channels":["a","b","c","d",{deep}]}}"#),
                    4
                )
                .is_ok()
            );
            assert!(parse(&format!(r#"{{"type":"subscribe","channels":["a",{deep}]}}"#), 4).is_err());
            assert!(
                parse(
                    &format!(r#"{{"type":"subscribe","channels":["a"],"since":{{"a":{deep}}}}}"#),
                    4
                )
                .is_err()
            );
            assert!(parse(&format!(r#"{{"type":{deep}}}"#), 4).is_err());
            assert!(parse(&deep, 4).is_err());
        }
    }
}
