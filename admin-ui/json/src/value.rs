//! Any JSON.

use std::borrow::Cow;

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Value>),
    /// In the order of the text.
    Object(Vec<(Cow<'static, str>, Value)>),
}

/// Whole numbers as such; any other as it was spelled, so that none loses a digit on its way to the reader.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    Whole(i64),
    Spelled(Box<str>),
}

impl Number {
    pub fn as_f64(&self) -> f64 {
        match self {
            Number::Whole(number) => *number as f64,
            Number::Spelled(text) => fraction(text),
        }
    }
}

#[cfg(target_family = "wasm")]
fn fraction(text: &str) -> f64 {
    js_sys::Number::parse_float(text)
}

#[cfg(not(target_family = "wasm"))]
fn fraction(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

impl Value {
    pub fn object() -> Value {
        Value::Object(Vec::new())
    }

    /// Add a field to an object.
    pub fn push(&mut self, name: &'static str, value: Value) {
        if let Value::Object(fields) = self {
            fields.push((Cow::Borrowed(name), value));
        }
    }

    /// The same object with a field more, at its beginning.
    pub fn tagged(mut self, name: &'static str, word: &'static str) -> Value {
        if let Value::Object(fields) = &mut self {
            fields.insert(0, (Cow::Borrowed(name), Value::from(word)));
        }
        self
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields
                .iter()
                .find(|(field, _)| field == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The field for writing, added where it is missing.
    pub fn set(&mut self, name: &'static str, value: Value) {
        if let Value::Object(fields) = self {
            match fields.iter_mut().find(|(field, _)| field == name) {
                Some((_, old)) => *old = value,
                None => fields.push((Cow::Borrowed(name), value)),
            }
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Number(Number::Whole(number))
    }
}

/// An object of the fields given.
#[macro_export]
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {{
        let mut object = $crate::Value::object();
        $(object.push($name, $crate::Value::from($value));)*
        object
    }};
}
