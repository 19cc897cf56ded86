//! Listening over server-sent events.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{BackOff, End, Listener, SILENCE_MAX, Session};
use crate::cli::CliError;
use crate::cli::client::Body;

/// Above the largest message with its envelope, so that only a broken stream reaches it.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// The id of the last event, which a reconnect sends back, and the wait that the relay asked for.
#[derive(Default)]
pub struct Stream {
    last_event_id: String,
    retry: Option<Duration>,
}

#[derive(Deserialize)]
struct Delivered<'a> {
    channel: String,
    event: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

impl Session for Stream {
    fn run(&mut self, listener: &mut Listener, back_off: &mut BackOff) -> Result<(), End> {
        if let Some(retry) = self.retry.take() {
            std::thread::sleep(retry);
        }
        let channels = utf8_percent_encode(&listener.channels.join(","), NON_ALPHANUMERIC).to_string();
        let path = format!("/sse?channels={channels}&token={}", listener.token());
        let mut headers = vec![("Accept", "text/event-stream")];
        if !self.last_event_id.is_empty() {
            headers.push(("Last-Event-ID", self.last_event_id.as_str()));
        }
        let mut answer = listener
            .target
            .request("GET", &path, &headers, b"", SILENCE_MAX)
            .map_err(|e| match e {
                CliError::Failed(why) => End::Lost(why),
                other => End::Failed(other),
            })?;
        if answer.status != 200 {
            let text = answer.text().unwrap_or_default();
            let why = format!("the relay refused the stream: {} {}", answer.status, text.trim());
            return Err(match answer.status {
                400..=428 => End::Failed(CliError::failed(why)),
                _ => End::Lost(why),
            });
        }
        back_off.connected();
        eprintln!("hookcast: listening on {}", listener.channels.join(", "));
        self.read(BufReader::new(answer.body), listener)
    }
}

impl Stream {
    fn read(&mut self, mut lines: BufReader<Body>, listener: &mut Listener) -> Result<(), End> {
        let mut data = String::new();
        let mut line = String::new();
        loop {
            line.clear();
            match (&mut lines).take(LINE_BYTES_MAX).read_line(&mut line) {
                Ok(0) => return Err(End::Lost("the stream has ended".to_owned())),
                Ok(_) => {}
                Err(e) => return Err(End::Lost(format!("the stream broke: {e}"))),
            }
            let text = line.trim_end_matches(['\r', '\n']);
            let (field, value) = text.split_once(':').unwrap_or((text, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if text.is_empty() => {
                    let event = std::mem::take(&mut data);
                    if !event.is_empty() && deliver(&event, listener)? {
                        return Ok(());
                    }
                }
                "data" => {
                    if !data.is_empty() {
                        data.push('\n');
                    }
                    data.push_str(value);
                }
                "id" => value.clone_into(&mut self.last_event_id),
                "retry" => self.retry = value.parse().ok().map(Duration::from_millis),
                _ => {}
            }
        }
    }
}

fn deliver(event: &str, listener: &mut Listener) -> Result<bool, End> {
    match serde_json::from_str::<Delivered<'_>>(event) {
        Ok(message) => {
            let data = message.data.map_or("null", RawValue::get);
            Ok(listener.print(event, &message.channel, &message.event, data)?)
        }
        Err(_) => {
            eprintln!("hookcast: the relay sent something that is no message of its protocol");
            Ok(false)
        }
    }
}
