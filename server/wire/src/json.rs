//! JSON at arm's length: the fields of one object as raw text, and strings written into a buffer of known size.
//!
//! Reading never builds a tree and never recurses: values are skipped over as text, however deep they nest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Why [`fields`] found none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectError {
    NotJson,
    /// JSON, but something else than an object.
    NotAnObject,
}

/// The raw text of the wanted fields of a JSON object, each where its name stands in `names`. As in browsers, the last of
/// several fields of one name counts; fields that nobody asked for are skipped.
pub fn fields<'a, const N: usize>(
    text: &'a str,
    names: &[&str; N],
) -> Result<[Option<&'a str>; N], ObjectError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json
        .deserialize_map(Fields { names })
        .and_then(|found| json.end().map(|()| found));
    read.map_err(|error| match error.classify() {
        Category::Data => ObjectError::NotAnObject,
        Category::Syntax | Category::Eof | Category::Io => ObjectError::NotJson,
    })
}

/// The value of raw JSON that is a string.
pub fn as_string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// How many bytes [`string`] writes for this text.
pub fn string_len(text: &str) -> usize {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' | 0x08 | 0x09 | 0x0a | 0x0c | 0x0d => 1,
        0x00..0x20 => 5,
        _ => 0,
    };
    2 + text.len() + text.as_bytes().iter().map(escaped).sum::<usize>()
}

/// Appends the text as a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory has no way to fail.
    serde_json::to_writer(out, text).expect("a string serialises into memory");
}

struct Fields<'n, const N: usize> {
    names: &'n [&'n str; N],
}

impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
    type Value = [Option<&'de str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place { names: self.names })? {
            match place {
                Some(place) => found[place] = Some(map.next_value::<&RawValue>()?.get()),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Reads a field's name, escaped or not, without keeping it.
struct Place<'n> {
    names: &'n [&'n str],
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.names.iter().position(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_strings_size_is_known_before_it_is_written(text in any::<String>()) {
            let mut out = Vec::new();
            string(&mut out, &text);
            prop_assert_eq!(out.len(), string_len(&text));
            let read = as_string(str::from_utf8(&out).unwrap());
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        }
    }

    #[test]
    fn every_ascii_character_has_its_size() {
        for byte in 0..128u8 {
            let text = char::from(byte).to_string();
            let mut out = Vec::new();
            string(&mut out, &text);
            assert_eq!(out.len(), string_len(&text), "{byte:#x}");
        }
    }

    #[test]
    fn other_values_are_no_strings() {
        for raw in ["null", "1", "{}", "[\"a\"]", "\"", "\"\\ud800\""] {
            assert_eq!(as_string(raw), None, "{raw}");
        }
    }
}
