//! Text to value and back.

use hookcast_json::{Misspelt, Number, Value, object, parse};

fn same(text: &str) {
    assert_eq!(parse(text).unwrap().to_text(), text);
}

#[test]
fn what_is_read_is_printed_as_it_was() {
    for text in [
        "null",
        "true",
        "-0",
        "12345678901234567890",
        "0.1",
        "1e400",
        "-9223372036854775808",
        r#""""#,
        r#"{"b":1,"a":[{},[],""]}"#,
    ] {
        same(text);
    }
    assert_eq!(parse(" [ 1 , 2 ] ").unwrap().to_text(), "[1,2]");
    assert_eq!(parse("7").unwrap(), Value::Number(Number::Whole(7)));
}

#[test]
fn texts_are_escaped_and_unescaped() {
    let read = |text: &str| parse(text).unwrap().as_str().map(str::to_owned);
    assert_eq!(
        read(r#""a\"\\\/\b\f\n\r\tz""#).unwrap(),
        "a\"\\/\u{8}\u{c}\n\r\tz"
    );
    assert_eq!(read(r#""\u00fc\u20AC\ud83d\ude00""#).unwrap(), "ü€😀");
    assert_eq!(
        Value::from("\"\\\u{0}\u{1f}\u{8}\u{c}\n\r\tü").to_text(),
        r#""\"\\\u0000\u001f\b\f\n\r\tü""#
    );
    same(r#""\u0001ü😀""#);
}

#[test]
fn pretty_is_a_field_a_line() {
    let value = object! { "a": object! {}, "b": 1, "c": parse(r#"[true,"x"]"#).unwrap() };
    assert_eq!(
        value.to_pretty(),
        "{\n  \"a\": {},\n  \"b\": 1,\n  \"c\": [\n    true,\n    \"x\"\n  ]\n}"
    );
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let wrong = |text: &str| parse(text).unwrap_err();
    let place = |text: &str| {
        let Misspelt { line, column, .. } = wrong(text);
        (line, column)
    };
    assert_eq!(place("{\n  \"a\": 1,\n  b\n}"), (3, 3));
    assert_eq!(place("[\"üü\", x]"), (1, 8));
    assert_eq!(place("{\"a\" 1}"), (1, 6));
    assert_eq!(place("[1 2]"), (1, 4));
    assert_eq!(place("1 2"), (1, 3));
    assert_eq!(wrong("").why, "the text ends too early");
    assert_eq!(wrong("{\"a\":").why, "the text ends too early");
    for text in [
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "-",
        "tru",
        "nul",
        "[1,]",
        "{\"a\":1,}",
        "{,}",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\t\"",
        "{1:2}",
        "[",
        "]",
        "//",
        "NaN",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

#[test]
fn depth_is_bounded() {
    assert!(parse(&("[".repeat(128) + &"]".repeat(128))).is_ok());
    assert_eq!(parse(&"[".repeat(129)).unwrap_err().why, "nested too deep");
    assert_eq!(
        parse(&"{\"a\":".repeat(100_000)).unwrap_err().why,
        "nested too deep"
    );
}
