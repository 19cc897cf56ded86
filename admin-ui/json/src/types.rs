//! From a value to a type and back.

use crate::parse::parse;
use crate::value::{Number, Value};

/// Why a value is not of a type: the way to what is wrong, from the outside in.
#[derive(Default)]
pub struct Wrong {
    path: Vec<&'static str>,
    unknown: Option<String>,
}

impl Wrong {
    /// For a person who wrote the JSON.
    pub fn told(&self) -> String {
        let path: Vec<&str> = self.path.iter().rev().copied().collect();
        let mut told = path.join(".");
        match &self.unknown {
            Some(unknown) => {
                if !told.is_empty() {
                    told.push_str(": ");
                }
                told.push_str("unknown field `");
                told.push_str(unknown);
                told.push('`');
            }
            None => told.push_str(": missing or of another kind"),
        }
        told
    }
}

pub trait FromJson: Sized {
    /// `None`: it is not of this type, and `wrong` says why.
    fn from_json(value: &Value, wrong: &mut Wrong) -> Option<Self>;

    /// What a field that is not there is taken for, if it may be absent.
    fn absent() -> Option<Self> {
        None
    }
}

pub trait ToJson {
    fn to_json(&self) -> Value;
}

/// Text to type. The error is a sentence.
pub fn read<T: FromJson>(text: &str) -> Result<T, String> {
    let value = parse(text).map_err(|misspelt| misspelt.why.to_owned())?;
    let mut wrong = Wrong::default();
    T::from_json(&value, &mut wrong).ok_or_else(|| wrong.told())
}

/// A field that must be there, unless its type may be absent.
pub fn field<T: FromJson>(object: &Value, name: &'static str, wrong: &mut Wrong) -> Option<T> {
    let value = match object.get(name) {
        Some(value) => T::from_json(value, wrong),
        None => T::absent(),
    };
    note(value, name, wrong)
}

/// A field that may be absent.
pub fn field_or<T: FromJson>(
    object: &Value,
    name: &'static str,
    wrong: &mut Wrong,
    default: fn() -> T,
) -> Option<T> {
    match object.get(name) {
        Some(value) => note(T::from_json(value, wrong), name, wrong),
        None if matches!(object, Value::Object(_)) => Some(default()),
        None => None,
    }
}

pub fn field_or_default<T: FromJson + Default>(
    object: &Value,
    name: &'static str,
    wrong: &mut Wrong,
) -> Option<T> {
    field_or(object, name, wrong, T::default)
}

fn note<T>(value: Option<T>, name: &'static str, wrong: &mut Wrong) -> Option<T> {
    if value.is_none() {
        wrong.path.push(name);
    }
    value
}

/// The word that says which variant an object is.
pub fn tag<'v>(object: &'v Value, name: &'static str, wrong: &mut Wrong) -> Option<&'v str> {
    note(object.get(name).and_then(Value::as_str), name, wrong)
}

/// Refuse an object with any other field.
pub fn known(object: &Value, names: &[&str], wrong: &mut Wrong) -> Option<()> {
    let Value::Object(fields) = object else {
        return None;
    };
    match fields.iter().find(|(name, _)| !names.contains(&&**name)) {
        Some((unknown, _)) => {
            wrong.unknown = Some(unknown.clone().into_owned());
            None
        }
        None => Some(()),
    }
}

impl FromJson for bool {
    fn from_json(value: &Value, _: &mut Wrong) -> Option<bool> {
        match value {
            Value::Bool(yes) => Some(*yes),
            _ => None,
        }
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }
}

impl FromJson for String {
    fn from_json(value: &Value, _: &mut Wrong) -> Option<String> {
        value.as_str().map(str::to_owned)
    }
}

impl ToJson for String {
    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
}

macro_rules! whole {
    ($($number:ty)*) => {$(
        impl FromJson for $number {
            fn from_json(value: &Value, _: &mut Wrong) -> Option<$number> {
                match value {
                    Value::Number(Number::Whole(number)) => (*number).try_into().ok(),
                    _ => None,
                }
            }
        }

        impl ToJson for $number {
            fn to_json(&self) -> Value {
                Value::Number(match i64::try_from(*self) {
                    Ok(number) => Number::Whole(number),
                    Err(_) => Number::Spelled(self.to_string().into()),
                })
            }
        }
    )*};
}

whole!(u8 u16 i32 u32 i64 u64);

impl FromJson for f64 {
    fn from_json(value: &Value, _: &mut Wrong) -> Option<f64> {
        match value {
            Value::Number(number) => Some(number.as_f64()),
            _ => None,
        }
    }
}

impl ToJson for f64 {
    fn to_json(&self) -> Value {
        Value::Number(Number::Spelled(self.to_string().into()))
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value, wrong: &mut Wrong) -> Option<Option<T>> {
        match value {
            Value::Null => Some(None),
            value => T::from_json(value, wrong).map(Some),
        }
    }

    fn absent() -> Option<Option<T>> {
        Some(None)
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value, wrong: &mut Wrong) -> Option<Vec<T>> {
        match value {
            Value::Array(items) => items.iter().map(|item| T::from_json(item, wrong)).collect(),
            _ => None,
        }
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(T::to_json).collect())
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(value: &Value, wrong: &mut Wrong) -> Option<Box<T>> {
        T::from_json(value, wrong).map(Box::new)
    }
}

impl<T: ToJson> ToJson for Box<T> {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }
}

impl FromJson for Value {
    fn from_json(value: &Value, _: &mut Wrong) -> Option<Value> {
        Some(value.clone())
    }
}

impl ToJson for Value {
    fn to_json(&self) -> Value {
        self.clone()
    }
}

#[cfg(feature = "serde_json")]
impl FromJson for serde_json::Value {
    fn from_json(value: &Value, _: &mut Wrong) -> Option<serde_json::Value> {
        serde_json::from_str(&value.to_text()).ok()
    }
}

#[cfg(feature = "serde_json")]
impl ToJson for serde_json::Value {
    fn to_json(&self) -> Value {
        parse(&self.to_string()).expect("serde_json writes JSON")
    }
}
