//! A WebSocket client: tungstenite's, with the relay's messages on top.

use crate::{Stream, WAIT, http};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, WebSocket};

/// One thing that came from the relay.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Text(Value),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
    Close(u16, String),
    /// The connection ended without a close frame.
    Gone,
}

pub struct Ws {
    socket: WebSocket<Stream>,
    /// The last text frame as it came, for what must be passed through byte for byte.
    pub last_text: String,
}

impl Ws {
    /// Open; a refused socket is open too, and then closes with its code.
    pub fn open(to: SocketAddr, path: &str) -> Self {
        let stream = http::connect(to).expect("a connection");
        Self::over(Stream::Plain(stream), &to.to_string(), path)
    }

    /// Over a connection that is there.
    pub fn over(stream: Stream, host: &str, path: &str) -> Self {
        let (socket, _) = tungstenite::client(format!("ws://{host}{path}"), stream)
            .unwrap_or_else(|error| panic!("no WebSocket at {path}: {error}"));
        Self {
            socket,
            last_text: String::new(),
        }
    }

    /// Open, where that may fail.
    pub fn try_open(to: SocketAddr, path: &str) -> std::io::Result<Self> {
        let stream = Stream::Plain(http::connect(to)?);
        let (socket, _) =
            tungstenite::client(format!("ws://{to}{path}"), stream).map_err(std::io::Error::other)?;
        Ok(Self {
            socket,
            last_text: String::new(),
        })
    }

    /// Open with a small receive buffer: once the client stops reading, the relay soon can't write.
    pub fn open_small(to: SocketAddr, path: &str) -> Self {
        let stream = http::connect_with_small_buffer(to).expect("a connection");
        Self::over(Stream::Plain(stream), &to.to_string(), path)
    }

    /// The code and reason of a socket that is refused.
    pub fn refused(to: SocketAddr, path: &str) -> (u16, String) {
        Self::open(to, path).closed()
    }

    /// Over a stream whose handshake was done by hand.
    pub fn from_stream(stream: TcpStream) -> Self {
        let socket =
            WebSocket::from_raw_socket(Stream::Plain(stream), tungstenite::protocol::Role::Client, None);
        Self {
            socket,
            last_text: String::new(),
        }
    }

    pub fn stream(&self) -> &TcpStream {
        self.socket.get_ref().tcp()
    }

    /// Bytes past the client's own framing.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.socket
            .get_mut()
            .write_all(bytes)
            .expect("the relay takes the bytes");
    }

    pub fn send(&mut self, json: &Value) {
        self.send_text(&json.to_string());
    }

    /// Whether the relay took it.
    pub fn try_send(&mut self, json: &Value) -> bool {
        self.socket.send(Message::text(json.to_string())).is_ok()
    }

    pub fn send_text(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .expect("the relay takes the text");
    }

    pub fn send_binary(&mut self, channel: &str, payload: &[u8]) -> Vec<u8> {
        let mut frame = u16::try_from(channel.len())
            .expect("a channel's length")
            .to_be_bytes()
            .to_vec();
        frame.extend_from_slice(channel.as_bytes());
        frame.extend_from_slice(payload);
        self.send_binary_frame(&frame);
        frame
    }

    pub fn send_binary_frame(&mut self, frame: &[u8]) {
        self.socket
            .send(Message::binary(frame.to_vec()))
            .expect("the relay takes the frame");
    }

    pub fn send_ping(&mut self, payload: &[u8]) {
        self.socket
            .send(Message::Ping(payload.to_vec().into()))
            .expect("the relay takes the ping");
    }

    pub fn send_close(&mut self) {
        self.socket.close(None).expect("the relay takes the close");
        let _flushed = self.socket.flush();
    }

    /// What comes next. The relay's `{"type":"ping"}` is answered and passed over.
    pub fn frame(&mut self) -> Frame {
        self.frame_within(WAIT)
            .unwrap_or_else(|| panic!("nothing came for {} s", WAIT.as_secs()))
    }

    /// What comes next within `limit`, if anything does.
    pub fn frame_within(&mut self, limit: Duration) -> Option<Frame> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket
                .get_ref()
                .tcp()
                .set_read_timeout(Some(left))
                .expect("a time limit");
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let json: Value = serde_json::from_str(text.as_str())
                        .unwrap_or_else(|error| panic!("the relay sent no JSON ({error}): {text}"));
                    if json["type"] == "ping" {
                        self.send(&json!({"type": "pong"}));
                        continue;
                    }
                    self.last_text = text.as_str().to_owned();
                    return Some(Frame::Text(json));
                }
                Ok(Message::Binary(bytes)) => return Some(Frame::Binary(bytes.to_vec())),
                Ok(Message::Pong(bytes)) => return Some(Frame::Pong(bytes.to_vec())),
                Ok(Message::Ping(_) | Message::Frame(_)) => {}
                Ok(Message::Close(reason)) => {
                    // Reading on sends the answering close.
                    let _answered = self.socket.read();
                    return Some(reason.map_or_else(
                        || Frame::Close(1005, String::new()),
                        |reason| Frame::Close(CloseCode::into(reason.code), reason.reason.to_string()),
                    ));
                }
                Err(Error::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    return None;
                }
                Err(_) => return Some(Frame::Gone),
            }
        }
    }

    /// The next frame, which must be text.
    pub fn text(&mut self) -> Value {
        match self.frame() {
            Frame::Text(json) => json,
            other => panic!("expected a text frame, got {other:?}"),
        }
    }

    /// Read until the close frame; its code and reason.
    pub fn closed(&mut self) -> (u16, String) {
        loop {
            match self.frame() {
                Frame::Close(code, reason) => return (code, reason),
                Frame::Gone => panic!("the connection ended without a close frame"),
                _ => {}
            }
        }
    }

    /// Subscribe; all must be accepted.
    pub fn subscribe(&mut self, channels: &[&str]) {
        self.send(&json!({"type": "subscribe", "channels": channels}));
        let answer = self.text();
        assert_eq!(answer, json!({"type": "subscribed", "channels": channels}));
    }

    pub fn publish(&mut self, channel: &str, event: &str, data: Value) {
        self.send(&json!({"type": "message", "channel": channel, "event": event, "data": data}));
    }

    pub fn presence(&mut self, channel: &str, state: Value) {
        self.send(&json!({"type": "presence", "channel": channel, "state": state}));
    }

    /// The next frame is the message with this channel, event and data.
    pub fn expect_message(&mut self, channel: &str, event: &str, data: &Value) {
        let expected = json!({"type": "message", "channel": channel, "event": event, "data": data});
        let mut got = self.text();
        if let Some(frame) = got.as_object_mut() {
            frame.remove("id");
        }
        assert_eq!(got, expected);
    }

    /// The next frame is an error with this code.
    pub fn expect_error(&mut self, code: &str) -> Value {
        let frame = self.text();
        assert_eq!(frame["type"], "error", "{frame}");
        assert_eq!(frame["code"], code, "{frame}");
        assert!(
            frame["message"].as_str().is_some_and(|text| !text.is_empty()),
            "no message for people in {frame}"
        );
        frame
    }

    /// Everything that the relay had for this client before it answered a ping of ours: nothing else may come before
    /// what is sent later.
    pub fn drain(&mut self) -> Vec<Frame> {
        self.send_ping(b"drain");
        let mut frames = Vec::new();
        loop {
            match self.frame() {
                Frame::Pong(payload) if payload == b"drain" => return frames,
                frame @ (Frame::Close(..) | Frame::Gone) => panic!("closed while draining: {frame:?}"),
                frame => frames.push(frame),
            }
        }
    }
}
