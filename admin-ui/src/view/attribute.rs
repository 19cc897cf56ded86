//! What an attribute can be.

use leptos::prelude::{Get, Memo, Signal};
use std::borrow::Cow;

pub enum Attribute {
    /// Not there.
    Absent,
    /// There, without a value.
    Present,
    Text(Cow<'static, str>),
    /// Asked anew whenever a signal that it read has changed.
    Live(Box<dyn FnMut() -> Attribute>),
}

impl Attribute {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Attribute::Absent | Attribute::Live(_) => None,
            Attribute::Present => Some(""),
            Attribute::Text(text) => Some(text),
        }
    }
}

impl PartialEq for Attribute {
    fn eq(&self, other: &Attribute) -> bool {
        self.text() == other.text()
    }
}

pub trait IntoAttribute {
    fn into_attribute(self) -> Attribute;
}

impl IntoAttribute for &'static str {
    fn into_attribute(self) -> Attribute {
        Attribute::Text(Cow::Borrowed(self))
    }
}

impl IntoAttribute for String {
    fn into_attribute(self) -> Attribute {
        Attribute::Text(Cow::Owned(self))
    }
}

impl IntoAttribute for u32 {
    fn into_attribute(self) -> Attribute {
        self.to_string().into_attribute()
    }
}

impl IntoAttribute for bool {
    fn into_attribute(self) -> Attribute {
        if self {
            Attribute::Present
        } else {
            Attribute::Absent
        }
    }
}

impl<T: IntoAttribute> IntoAttribute for Option<T> {
    fn into_attribute(self) -> Attribute {
        self.map_or(Attribute::Absent, T::into_attribute)
    }
}

impl IntoAttribute for Memo<String> {
    fn into_attribute(self) -> Attribute {
        (move || self.get()).into_attribute()
    }
}

impl IntoAttribute for Signal<bool> {
    fn into_attribute(self) -> Attribute {
        (move || self.get()).into_attribute()
    }
}

impl<F, T> IntoAttribute for F
where
    F: FnMut() -> T + 'static,
    T: IntoAttribute,
{
    fn into_attribute(mut self) -> Attribute {
        Attribute::Live(Box::new(move || self().into_attribute()))
    }
}
