//! Listening over a WebSocket.

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tungstenite::protocol::CloseFrame;
use tungstenite::{Message, WebSocket};

use super::{BackOff, End, Listener, SILENCE_MAX, Session};
use crate::cli::CliError;
use crate::cli::client::Stream;

/// How often a quiet connection is looked after: token, silence.
const TICK: Duration = Duration::from_millis(500);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What came last on each channel, by the spelling it was subscribed with.
#[derive(Default)]
pub struct Socket {
    since: HashMap<String, String>,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    r#type: String,
    channel: Option<String>,
    event: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    id: Option<String>,
    channels: Option<Vec<String>>,
    code: Option<String>,
    message: Option<String>,
}

impl Session for Socket {
    fn run(&mut self, listener: &mut Listener, back_off: &mut BackOff) -> Result<(), End> {
        let mut socket = connect(listener)?;
        let subscribe = json!({ "type": "subscribe", "channels": listener.channels, "since": self.since });
        send(&mut socket, Message::text(subscribe.to_string()))?;
        let mut heard = Instant::now();
        let mut token_since = Instant::now();
        loop {
            let message = match socket.read() {
                Ok(message) => message,
                Err(tungstenite::Error::Io(e)) if would_block(&e) => {
                    if heard.elapsed() > SILENCE_MAX {
                        return Err(End::Lost("the relay has gone silent".to_owned()));
                    }
                    // At half its life, so that the relay never sees it expired.
                    if token_since.elapsed() > Duration::from_secs(listener.ttl_s) / 2 {
                        token_since = Instant::now();
                        let auth = json!({ "type": "auth", "token": listener.token() });
                        send(&mut socket, Message::text(auth.to_string()))?;
                    }
                    continue;
                }
                Err(e) => return Err(End::Lost(format!("disconnected: {e}"))),
            };
            heard = Instant::now();
            match message {
                Message::Text(text) => {
                    if self.take(&text, listener, &mut socket, back_off)? {
                        // Good manners; the relay notices the end either way.
                        let _ = socket.close(None);
                        let _ = socket.flush();
                        return Ok(());
                    }
                }
                Message::Binary(frame) => eprintln!("hookcast: a binary frame of {} bytes", frame.len()),
                Message::Close(frame) => return Err(closed(frame)),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

impl Socket {
    /// True when the last message asked for has come.
    fn take(
        &mut self,
        text: &str,
        listener: &mut Listener,
        socket: &mut WebSocket<Stream>,
        back_off: &mut BackOff,
    ) -> Result<bool, End> {
        let Ok(incoming) = serde_json::from_str::<Incoming<'_>>(text) else {
            eprintln!("hookcast: the relay sent something that is no message of its protocol");
            return Ok(false);
        };
        let channel = incoming.channel.unwrap_or_default();
        match incoming.r#type.as_str() {
            "message" => {
                if let Some(id) = incoming.id {
                    let own = listener
                        .channels
                        .iter()
                        .find(|own| bare(own, listener) == bare(&channel, listener));
                    if let Some(own) = own {
                        self.since.insert(own.clone(), id);
                    }
                }
                let data = incoming.data.map_or("null", RawValue::get);
                return Ok(listener.print(text, &channel, &incoming.event.unwrap_or_default(), data)?);
            }
            "ping" => send(socket, Message::text(r#"{"type":"pong"}"#))?,
            "subscribed" => {
                let channels = incoming.channels.unwrap_or_default();
                if !channels.is_empty() {
                    back_off.connected();
                    eprintln!("hookcast: listening on {}", channels.join(", "));
                }
            }
            "gap" => eprintln!("hookcast: messages on {channel} were missed for good"),
            "error" => {
                let (code, why) = (
                    incoming.code.unwrap_or_default(),
                    incoming.message.unwrap_or_default(),
                );
                let what = if channel.is_empty() {
                    String::new()
                } else {
                    format!("{channel}: ")
                };
                eprintln!("hookcast: {what}{why} ({code})");
                if listener.channels.len() == 1 && listener.channels[0] == channel {
                    return Err(End::Failed(CliError::failed("no channel to listen on")));
                }
            }
            _ => {}
        }
        Ok(false)
    }
}

/// Both spellings of a channel are one.
fn bare<'a>(channel: &'a str, listener: &Listener) -> &'a str {
    channel
        .strip_prefix("site:")
        .and_then(|rest| rest.strip_prefix(listener.site.site_id.as_str()))
        .and_then(|rest| rest.strip_prefix(':'))
        .unwrap_or(channel)
}

fn connect(listener: &Listener) -> Result<WebSocket<Stream>, End> {
    let stream = listener.target.connect(HANDSHAKE_TIMEOUT).map_err(|e| match e {
        CliError::Failed(why) => End::Lost(why),
        other => End::Failed(other),
    })?;
    let url = listener
        .target
        .web_socket_url(&format!("/ws?ids=1&token={}", listener.token()));
    let (socket, _) = tungstenite::client(url, stream).map_err(|e| {
        // Never the URL: it holds the token.
        let why = match e {
            tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer)) => {
                format!(
                    "it answered with status {} where a WebSocket was asked for",
                    answer.status()
                )
            }
            tungstenite::HandshakeError::Failure(e) => e.to_string(),
            tungstenite::HandshakeError::Interrupted(_) => "no answer to the handshake".to_owned(),
        };
        End::Lost(format!("{}: {why}", listener.target.authority()))
    })?;
    socket
        .get_ref()
        .set_read_timeout(TICK)
        .map_err(|e| End::Failed(CliError::failed(format!("cannot set a time-out: {e}"))))?;
    Ok(socket)
}

fn send(socket: &mut WebSocket<Stream>, message: Message) -> Result<(), End> {
    socket
        .send(message)
        .map_err(|e| End::Lost(format!("disconnected: {e}")))
}

fn would_block(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn closed(frame: Option<CloseFrame>) -> End {
    let Some(frame) = frame else {
        return End::Lost("the relay closed the connection".to_owned());
    };
    let why = format!(
        "the relay closed the connection: {} {}",
        u16::from(frame.code),
        frame.reason
    );
    match u16::from(frame.code) {
        4003 => End::Failed(CliError::failed(why)),
        _ => End::Lost(why),
    }
}
