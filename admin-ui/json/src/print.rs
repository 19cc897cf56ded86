//! Value to text: in one line, or indented for people.

use crate::value::{Number, Value};

impl Value {
    /// In one line, for the wire.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.print(&mut text, None);
        text
    }

    /// Indented by two spaces, a field a line.
    pub fn to_pretty(&self) -> String {
        let mut text = String::new();
        self.print(&mut text, Some(0));
        text
    }

    fn print(&self, text: &mut String, indent: Option<usize>) {
        match self {
            Value::Null => text.push_str("null"),
            Value::Bool(yes) => text.push_str(if *yes { "true" } else { "false" }),
            Value::Number(Number::Whole(number)) => text.push_str(&number.to_string()),
            Value::Number(Number::Spelled(spelled)) => text.push_str(spelled),
            Value::String(string) => quoted(text, string),
            Value::Array(items) => list(text, indent, ['[', ']'], items.len(), |text, nth, indent| {
                items[nth].print(text, indent);
            }),
            Value::Object(fields) => list(text, indent, ['{', '}'], fields.len(), |text, nth, indent| {
                quoted(text, &fields[nth].0);
                text.push_str(if indent.is_some() { ": " } else { ":" });
                fields[nth].1.print(text, indent);
            }),
        }
    }
}

fn list(
    text: &mut String,
    indent: Option<usize>,
    [open, close]: [char; 2],
    length: usize,
    item: impl Fn(&mut String, usize, Option<usize>),
) {
    let inner = indent.map(|indent| indent + 1);
    text.push(open);
    for nth in 0..length {
        if nth > 0 {
            text.push(',');
        }
        line(text, inner);
        item(text, nth, inner);
    }
    if length > 0 {
        line(text, indent);
    }
    text.push(close);
}

fn line(text: &mut String, indent: Option<usize>) {
    if let Some(indent) = indent {
        text.push('\n');
        for _ in 0..indent {
            text.push_str("  ");
        }
    }
}

fn quoted(text: &mut String, string: &str) {
    text.push('"');
    for letter in string.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => {
                text.push_str(if control < '\u{10}' { "\\u000" } else { "\\u001" });
                text.push(char::from_digit(u32::from(control) & 15, 16).expect("a digit below 16"));
            }
            letter => text.push(letter),
        }
    }
    text.push('"');
}
