//! Text to value, as RFC 8259 has it. A mistake is told with its place, for a person who types.

use crate::value::{Number, Value};
use std::borrow::Cow;

/// Deeper than any payload; the call stack is not ours alone.
const DEPTH_MAX: u32 = 128;

/// What is wrong with a text, and where. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misspelt {
    pub line: usize,
    pub column: usize,
    pub why: &'static str,
}

pub fn parse(text: &str) -> Result<Value, Misspelt> {
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    let read = parser.value().and_then(|value| {
        parser.space();
        match parser.at == text.len() {
            true => Ok(value),
            false => Err("unexpected text after the value"),
        }
    });
    read.map_err(|why| {
        let before = &text.as_bytes()[..parser.at.min(text.len())];
        let line_start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        Misspelt {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            // Bytes that go on with a character are no column of their own.
            column: before[line_start..]
                .iter()
                .filter(|byte| **byte & 0xC0 != 0x80)
                .count()
                + 1,
            why,
        }
    })
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
}

type Read<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Read<Value> {
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Parser::object),
            Some(b'[') => self.nested(Parser::array),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err("a value is expected"),
            None => Err("the text ends too early"),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Read<Value>) -> Read<Value> {
        if self.depth == DEPTH_MAX {
            return Err("nested too deep");
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// Whether a list goes on after a comma, or ends here.
    fn goes_on(&mut self, close: u8, first: bool) -> Read<bool> {
        self.space();
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(false)
            }
            Some(_) if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(_) => Err(if close == b'}' {
                "`,` or `}` is expected"
            } else {
                "`,` or `]` is expected"
            }),
            None => Err("the text ends too early"),
        }
    }

    fn object(&mut self) -> Read<Value> {
        let mut fields = Vec::new();
        while self.goes_on(b'}', fields.is_empty())? {
            self.space();
            match self.peek() {
                Some(b'"') => {}
                Some(_) => return Err("a name in double quotes is expected"),
                None => return Err("the text ends too early"),
            }
            let name = self.string()?;
            self.space();
            match self.peek() {
                Some(b':') => self.at += 1,
                Some(_) => return Err("`:` is expected"),
                None => return Err("the text ends too early"),
            }
            let value = self.value()?;
            fields.push((Cow::Owned(name), value));
        }
        Ok(Value::Object(fields))
    }

    fn array(&mut self) -> Read<Value> {
        let mut items = Vec::new();
        while self.goes_on(b']', items.is_empty())? {
            items.push(self.value()?);
        }
        Ok(Value::Array(items))
    }

    fn word(&mut self, word: &str, value: Value) -> Read<Value> {
        if !self.text[self.at..].starts_with(word) {
            return Err("a value is expected");
        }
        self.at += word.len();
        Ok(value)
    }

    fn digits(&mut self) -> Read<()> {
        let before = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == before {
            Err("a digit is expected")
        } else {
            Ok(())
        }
    }

    fn number(&mut self) -> Read<Value> {
        let begin = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = &self.text[begin..self.at];
        Ok(Value::Number(match text.parse() {
            // `-0` is a fraction's zero.
            Ok(number) if whole && text != "-0" => Number::Whole(number),
            _ => Number::Spelled(text.into()),
        }))
    }

    fn string(&mut self) -> Read<String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let begin = self.at;
            while self
                .peek()
                .is_some_and(|byte| byte != b'"' && byte != b'\\' && byte >= 0x20)
            {
                self.at += 1;
            }
            text.push_str(&self.text[begin..self.at]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escaped()?);
                }
                Some(_) => return Err("a control character in a text must be escaped"),
                None => return Err("a text ends without its closing quote"),
            }
        }
    }

    fn escaped(&mut self) -> Read<char> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut code = self.hex()?;
                if (0xD800..0xDC00).contains(&code) && self.text[self.at..].starts_with("\\u") {
                    self.at += 2;
                    let low = self.hex()?;
                    if !(0xDC00..0xE000).contains(&low) {
                        return Err("half a character is escaped");
                    }
                    code = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                }
                char::from_u32(code).ok_or("half a character is escaped")?
            }
            _ => return Err("an unknown escape"),
        })
    }

    fn hex(&mut self) -> Read<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            code = code * 16 + digit.ok_or("four hex digits are expected")?;
            self.at += 1;
        }
        Ok(code)
    }
}
