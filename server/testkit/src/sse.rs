//! A stream of Server-Sent Events, read line by line as the standard says.

use crate::Stream;
use crate::http::{self, Answer};
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};

/// What one blank line ended. A comment comes as an event of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub retry: Option<String>,
    pub comment: Option<String>,
}

pub struct Sse {
    reader: BufReader<Stream>,
    pub head: Answer,
    chunked: bool,
    buffer: Vec<u8>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_return: bool,
    last_event_id: Option<String>,
}

impl Sse {
    pub fn open(to: SocketAddr, token: &str, channels: &[&str], last_event_id: Option<&str>) -> Self {
        let headers: Vec<_> = last_event_id
            .map(|id| ("Last-Event-ID", id))
            .into_iter()
            .collect();
        let sse = Self::try_open(
            to,
            &format!("/sse?token={token}&channels={}", channels.join(",")),
            &headers,
        );
        assert_eq!(sse.head.status, 200, "{:?}", sse.head);
        sse
    }

    /// Open, where that may fail.
    pub fn connect(
        to: SocketAddr,
        token: &str,
        channels: &[&str],
        last_event_id: Option<&str>,
    ) -> std::io::Result<Self> {
        let headers: Vec<_> = last_event_id
            .map(|id| ("Last-Event-ID", id))
            .into_iter()
            .collect();
        let path = format!("/sse?token={token}&channels={}", channels.join(","));
        Self::ask(
            Stream::Plain(http::connect(to)?),
            &to.to_string(),
            &path,
            &headers,
        )
    }

    /// Ask for a stream; the answer may be a refusal, whose body then is in `head`.
    pub fn try_open(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let stream = http::connect(to).expect("a connection");
        Self::over(Stream::Plain(stream), &to.to_string(), path, headers)
    }

    /// Over a connection that is there.
    pub fn over(stream: Stream, host: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::ask(stream, host, path, headers)
            .unwrap_or_else(|error| panic!("no answer to GET /sse: {error}"))
    }

    fn ask(mut stream: Stream, host: &str, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Self> {
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {host}\r\nAccept: text/event-stream\r\n",
            path.replace(' ', "%20")
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut head = http::read_head(&mut reader)?;
        if head.status != 200 {
            let length = head
                .header("Content-Length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(0);
            head.body = vec![0; length];
            std::io::Read::read_exact(&mut reader, &mut head.body)?;
        }
        let chunked = head.header("Transfer-Encoding").is_some();
        Ok(Self {
            reader,
            head,
            chunked,
            buffer: Vec::new(),
            after_return: false,
            last_event_id: None,
        })
    }

    /// What a browser would send as `Last-Event-ID` now.
    pub fn last_event_id(&self) -> Option<&str> {
        self.last_event_id.as_deref()
    }

    pub fn stream(&self) -> &TcpStream {
        self.reader.get_ref().tcp()
    }

    /// The next event, comments and bare ids among them; nothing at the stream's end.
    pub fn event_raw(&mut self) -> Option<SseEvent> {
        let mut event = SseEvent::default();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                if event == SseEvent::default() {
                    continue;
                }
                if let Some(id) = &event.id {
                    self.last_event_id = Some(id.clone());
                }
                return Some(event);
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => append(&mut event.comment, value),
                "data" => append(&mut event.data, value),
                "event" => event.event = Some(value.to_owned()),
                "id" => event.id = Some(value.to_owned()),
                "retry" => event.retry = Some(value.to_owned()),
                other => panic!("a field that no stream has: {other:?} in {line:?}"),
            }
        }
    }

    /// The next event that a browser would dispatch.
    pub fn event(&mut self) -> SseEvent {
        self.event_or_end().expect("the stream ended")
    }

    pub fn event_or_end(&mut self) -> Option<SseEvent> {
        loop {
            let event = self.event_raw()?;
            if event.data.is_some() {
                return Some(event);
            }
        }
    }

    /// The next dispatched event's data as JSON.
    pub fn json(&mut self) -> serde_json::Value {
        let event = self.event();
        let data = event.data.as_deref().expect("dispatched, so it has data");
        serde_json::from_str(data).unwrap_or_else(|error| panic!("no JSON ({error}) in {event:?}"))
    }

    /// What a browser would send as `Last-Event-ID` after everything that was read. The id may follow in an event of its own, so
    /// this waits for the next of the comments that keep a quiet stream open.
    pub fn cursor(&mut self) -> String {
        loop {
            let event = self.event_raw().expect("the stream goes on");
            assert!(event.data.is_none(), "more than expected: {event:?}");
            if event.comment.is_some()
                && let Some(id) = &self.last_event_id
            {
                return id.clone();
            }
        }
    }

    /// A line ends with LF, CRLF or CR.
    fn line(&mut self) -> Option<String> {
        loop {
            if self.after_return && !self.buffer.is_empty() {
                self.after_return = false;
                if self.buffer[0] == b'\n' {
                    self.buffer.remove(0);
                }
            }
            if let Some(end) = self.buffer.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                self.after_return = line.pop() == Some(b'\r');
                return Some(String::from_utf8(line).expect("a stream is UTF-8"));
            }
            if !self.fill() {
                return None;
            }
        }
    }

    fn fill(&mut self) -> bool {
        if self.chunked {
            return match http::read_chunk(&mut self.reader) {
                Ok(Some(chunk)) => {
                    self.buffer.extend(chunk);
                    true
                }
                Ok(None) => false,
                Err(error) => ended(&error),
            };
        }
        use std::io::BufRead as _;
        let taken = match self.reader.fill_buf() {
            Ok(bytes) => {
                self.buffer.extend_from_slice(bytes);
                bytes.len()
            }
            Err(error) => return ended(&error),
        };
        self.reader.consume(taken);
        taken > 0
    }
}

/// A stream that was cut off has ended; one that is silent has not.
fn ended(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    assert!(
        matches!(error.kind(), ConnectionReset | UnexpectedEof),
        "nothing came on the stream: {error}"
    );
    false
}

fn append(field: &mut Option<String>, value: &str) {
    match field {
        Some(text) => {
            text.push('\n');
            text.push_str(value);
        }
        None => *field = Some(value.to_owned()),
    }
}
