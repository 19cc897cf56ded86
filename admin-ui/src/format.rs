//! Numbers, sizes, durations and times as the reader's language and zone write them.

use crate::text::{fill, lang, t};
use js_sys::{Array, Date, Intl, Object, Reflect};
use std::cell::RefCell;
use std::collections::HashMap;
use wasm_bindgen::JsValue;

thread_local! {
    // Making an Intl formatter costs far more than using one.
    static DATES: RefCell<HashMap<&'static str, Intl::DateTimeFormat>> = RefCell::default();
    static NUMBERS: RefCell<HashMap<u8, Intl::NumberFormat>> = RefCell::default();
}

fn locale() -> Array {
    Array::of1(&lang().code().into())
}

fn options(pairs: &[(&str, JsValue)]) -> Object {
    let options = Object::new();
    for (name, value) in pairs {
        let _frozen = Reflect::set(&options, &(*name).into(), value);
    }
    options
}

fn number_with(value: f64, decimals: u8) -> String {
    NUMBERS.with_borrow_mut(|made| {
        let format = made.entry(decimals).or_insert_with(|| {
            Intl::NumberFormat::new(&locale(), &options(&[("maximumFractionDigits", decimals.into())]))
        });
        format
            .format()
            .call1(&JsValue::NULL, &value.into())
            .ok()
            .and_then(|text| text.as_string())
            .unwrap_or_default()
    })
}

/// A length or place of a drawing, not below 0: to a tenth. Rust's own way would bring its tables for every digit there is.
pub fn tenths(value: f64) -> String {
    let tenths = (value * 10.0 + 0.5) as u32;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `12,345`
pub fn count(value: u64) -> String {
    number_with(value as f64, 0)
}

/// A rate or mean: few digits that mean something.
pub fn rate(value: f64) -> String {
    match value {
        v if v >= 100_000.0 => format!("{}k", number_with(v / 1000.0, 0)),
        v if v >= 10_000.0 => format!("{}k", number_with(v / 1000.0, 1)),
        v if v >= 100.0 => number_with(v, 0),
        v => number_with(v, 1),
    }
}

/// `1.5 MiB`
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!(
        "{} {}",
        number_with(scaled, if unit == 0 || scaled >= 100.0 { 0 } else { 1 }),
        UNITS[unit]
    )
}

/// `840 µs`, `1.2 ms`, `3.4 s`
pub fn micros(value: u64) -> String {
    let (amount, unit) = micros_parts(value);
    format!("{amount} {unit}")
}

pub fn micros_parts(value: u64) -> (String, &'static str) {
    match value {
        v if v < 1_000 => (count(v), "µs"),
        v if v < 1_000_000 => (number_with(v as f64 / 1e3, if v < 100_000 { 1 } else { 0 }), "ms"),
        v => (number_with(v as f64 / 1e6, 1), "s"),
    }
}

/// A span as people say it: `42 s`, `5 min`, `3 h`, `12 d`.
pub fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..=89 => format!("{seconds} s"),
        90..=5_399 => format!("{} min", (seconds + 30) / 60),
        5_400..=129_599 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

/// How long ago, or how far ahead, seen from `now`.
pub fn since(at: u64, now: u64) -> String {
    let c = &t().common;
    if at > now + 1_500 {
        return fill(c.in_span, &[("span", &span(at - now))]);
    }
    match now.saturating_sub(at) {
        0..=4_999 => c.just_now.to_owned(),
        past => fill(c.ago, &[("span", &span(past))]),
    }
}

fn date_with(kind: &'static str, pairs: &[(&str, JsValue)], millis: u64) -> String {
    DATES.with_borrow_mut(|made| {
        let format = made
            .entry(kind)
            .or_insert_with(|| Intl::DateTimeFormat::new(&locale(), &options(pairs)));
        let date = Date::new(&(millis as f64).into());
        format
            .format()
            .call1(&JsValue::NULL, &date)
            .ok()
            .and_then(|text| text.as_string())
            .unwrap_or_default()
    })
}

/// Date and time, in the reader's zone.
pub fn moment(millis: u64) -> String {
    date_with(
        "moment",
        &[("dateStyle", "medium".into()), ("timeStyle", "short".into())],
        millis,
    )
}

/// Date and time to the second, with the zone.
pub fn exact(millis: u64) -> String {
    date_with(
        "exact",
        &[("dateStyle", "full".into()), ("timeStyle", "long".into())],
        millis,
    )
}

/// The time of day to the millisecond, for logs.
pub fn clock(millis: u64) -> String {
    let two = || "2-digit".into();
    date_with(
        "clock",
        &[
            ("hour", two()),
            ("minute", two()),
            ("second", two()),
            ("fractionalSecondDigits", 3.into()),
            ("hourCycle", "h23".into()),
        ],
        millis,
    )
}

/// The time of day to the second.
pub fn clock_short(millis: u64) -> String {
    let two = || "2-digit".into();
    date_with(
        "clock_short",
        &[
            ("hour", two()),
            ("minute", two()),
            ("second", two()),
            ("hourCycle", "h23".into()),
        ],
        millis,
    )
}

/// A UTC day such as `2026-11-20`, as a short date.
pub fn day(iso: &str) -> String {
    let millis = Date::parse(iso);
    if millis.is_nan() {
        return iso.to_owned();
    }
    date_with(
        "day",
        &[
            ("day", "numeric".into()),
            ("month", "short".into()),
            ("timeZone", "UTC".into()),
        ],
        millis as u64,
    )
}

/// The browser's clock.
pub fn now() -> u64 {
    Date::now() as u64
}
