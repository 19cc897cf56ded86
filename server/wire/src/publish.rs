//! The body of a publish: `{"channel":"…","event":"…","data":…}`, with `data` left as the bytes it was sent as.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{self, ObjectError};

/// The most publishes that one batch holds.
pub const BATCH_MAX: usize = 100;

/// One publish. Its names are as they were sent: not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    pub channel: Cow<'a, str>,
    pub event: Cow<'a, str>,
    /// Raw JSON; `null` where the body has none.
    pub data: &'a str,
    /// The trigger that WordPress evaluated, if one made it; counted, and nothing else. What is no string is none.
    pub trigger: Option<Cow<'a, str>>,
}

/// Why a body is not a publish; answered with `invalid_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// Not UTF-8 JSON.
    NotJson,
    NotAnObject,
    Missing {
        field: &'static str,
    },
    NotAString {
        field: &'static str,
    },
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => write!(f, "the body is not JSON"),
            Self::NotAnObject => write!(f, "a publish is a JSON object"),
            Self::Missing { field } => write!(f, "the field \"{field}\" is missing"),
            Self::NotAString { field } => write!(f, "the field \"{field}\" is not a string"),
        }
    }
}

impl std::error::Error for PublishError {}

/// Why a body is not a batch; answered with `invalid_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    NotJson,
    NotAnArray,
    TooMany,
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => write!(f, "the body is not JSON"),
            Self::NotAnArray => write!(f, "a batch is a JSON array of publishes"),
            Self::TooMany => write!(f, "a batch holds at most {BATCH_MAX} publishes"),
        }
    }
}

impl std::error::Error for BatchError {}

/// Reads one publish.
pub fn parse(body: &[u8]) -> Result<Publish<'_>, PublishError> {
    parse_text(simdutf8::basic::from_utf8(body).map_err(|_| PublishError::NotJson)?)
}

/// Reads a batch: an array of up to [`BATCH_MAX`] publishes, of which each is good or bad by itself.
pub fn parse_batch(body: &[u8]) -> Result<Vec<Result<Publish<'_>, PublishError>>, BatchError> {
    let text = simdutf8::basic::from_utf8(body).map_err(|_| BatchError::NotJson)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let items = match json.deserialize_seq(Items) {
        Ok(items) if items.len() > BATCH_MAX => return Err(BatchError::TooMany),
        Ok(items) => items,
        Err(error) if error.is_data() => return Err(BatchError::NotAnArray),
        Err(_) => return Err(BatchError::NotJson),
    };
    json.end().map_err(|_| BatchError::NotJson)?;
    Ok(items.into_iter().map(parse_text).collect())
}

fn parse_text(text: &str) -> Result<Publish<'_>, PublishError> {
    let [channel, event, data, trigger] = json::fields(text, &["channel", "event", "data", "trigger"])
        .map_err(|error| match error {
            ObjectError::NotJson => PublishError::NotJson,
            ObjectError::NotAnObject => PublishError::NotAnObject,
        })?;
    Ok(Publish {
        channel: name(channel, "channel")?,
        event: name(event, "event")?,
        data: data.unwrap_or("null"),
        trigger: trigger.and_then(json::as_string),
    })
}

fn name<'a>(raw: Option<&'a str>, field: &'static str) -> Result<Cow<'a, str>, PublishError> {
    json::as_string(raw.ok_or(PublishError::Missing { field })?).ok_or(PublishError::NotAString { field })
}

struct Items;

impl<'de> Visitor<'de> for Items {
    type Value = Vec<&'de str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Self::Value, S::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<&RawValue>()? {
            // One more than the bound is enough to know; the rest is read over.
            if items.len() <= BATCH_MAX {
                items.push(item.get());
            }
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(body: &str) -> Publish<'_> {
        parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn data_is_the_bytes_that_were_sent() {
        let body =
            "{ \"event\" : \"e\",\n\"data\": { \"z\" : 1.50,\"a\":\"\\u00e9\" ,\"z\":2} ,\"channel\":\"c\"}";
        let publish = good(body);
        assert_eq!(publish.data, "{ \"z\" : 1.50,\"a\":\"\\u00e9\" ,\"z\":2}");
        assert!(
            body.as_bytes().as_ptr_range().contains(&publish.data.as_ptr()),
            "borrowed"
        );
        assert!(matches!(publish.channel, Cow::Borrowed("c")), "borrowed");
    }

    #[test]
    fn a_trigger_is_named_by_a_string_or_not_at_all() {
        let trigger = |body: &'static str| parse(body.as_bytes()).unwrap().trigger.map(Cow::into_owned);
        let named = r#"{"channel":"a","event":"b","trigger":"0123456789abcdef"}"#;
        assert_eq!(trigger(named).as_deref(), Some("0123456789abcdef"));
        assert_eq!(trigger(r#"{"channel":"a","event":"b","trigger":7}"#), None);
        assert_eq!(trigger(r#"{"channel":"a","event":"b"}"#), None);
    }

    #[test]
    fn absent_data_is_null() {
        assert_eq!(good(r#"{"channel":"c","event":"e"}"#).data, "null");
        assert_eq!(good(r#"{"channel":"c","event":"e","data":null}"#).data, "null");
    }

    #[test]
    fn escapes_in_names_are_resolved() {
        let publish = good(r#"{"ch\u0061nnel":"a\nb","event":"\ud83d\ude00"}"#);
        assert_eq!((&*publish.channel, &*publish.event), ("a\nb", "😀"));
    }

    #[test]
    fn other_fields_are_ignored_and_the_last_of_two_counts() {
        let publish = good(r#"{"x":[{}],"channel":"a","event":"e","channel":"b"}"#);
        assert_eq!(publish.channel, "b");
    }

    #[test]
    fn an_error_names_the_field() {
        for (body, says) in [
            ("", "the body is not JSON"),
            ("{\"channel\":\"c\",\"event\":\"e\"", "the body is not JSON"),
            (r#"{"channel":"c","event":"e"} x"#, "the body is not JSON"),
            (r#"{"channel":"c","event":"e","data":{]}"#, "the body is not JSON"),
            ("[]", "a publish is a JSON object"),
            ("\"x\"", "a publish is a JSON object"),
            ("{}", "the field \"channel\" is missing"),
            (r#"{"channel":"c"}"#, "the field \"event\" is missing"),
            (
                r#"{"channel":7,"event":"e"}"#,
                "the field \"channel\" is not a string",
            ),
            (
                r#"{"channel":"c","event":null}"#,
                "the field \"event\" is not a string",
            ),
            (
                r#"{"channel":"c","event":"\ud800"}"#,
                "the field \"event\" is not a string",
            ),
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().to_string(), says, "{body}");
        }
        assert_eq!(parse(b"{\"channel\":\"\xff\"}"), Err(PublishError::NotJson));
    }

    #[test]
    fn depth_does_not_reach_the_stack() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for body in [
            format!(r#"{{"channel":"c","event":"e","data":{deep}}}"#),
            format!(r#"{{"channel":"c","event":"e","other":{deep}}}"#),
        ] {
            assert!(parse(body.as_bytes()).is_ok());
        }
        assert_eq!(parse(deep.as_bytes()), Err(PublishError::NotAnObject));
        let named = format!(r#"{{"channel":{deep},"event":"e"}}"#);
        assert_eq!(
            parse(named.as_bytes()),
            Err(PublishError::NotAString { field: "channel" })
        );
    }

    #[test]
    fn each_publish_of_a_batch_is_good_or_bad_by_itself() {
        let body = br#"[{"channel":"a","event":"e","data":1}, {"channel":"b"}, 7]"#;
        let batch = parse_batch(body).unwrap();
        assert_eq!(batch[0].as_ref().unwrap().data, "1");
        assert_eq!(batch[1], Err(PublishError::Missing { field: "event" }));
        assert_eq!(batch[2], Err(PublishError::NotAnObject));
    }

    #[test]
    fn a_batch_is_bounded() {
        let batch = |count: usize| format!("[{}]", vec![r#"{"channel":"c","event":"e"}"#; count].join(","));
        assert_eq!(parse_batch(batch(BATCH_MAX).as_bytes()).unwrap().len(), BATCH_MAX);
        assert_eq!(
            parse_batch(batch(BATCH_MAX + 1).as_bytes()),
            Err(BatchError::TooMany)
        );
        assert_eq!(parse_batch(batch(5_000).as_bytes()), Err(BatchError::TooMany));
        assert_eq!(parse_batch(b"[]").unwrap(), []);
        for (body, error) in [
            (&b"{}"[..], BatchError::NotAnArray),
            (b"[", BatchError::NotJson),
            (b"[1] 2", BatchError::NotJson),
            (b"[\xff]", BatchError::NotJson),
        ] {
            assert_eq!(parse_batch(body), Err(error));
        }
    }
}
