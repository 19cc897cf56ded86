//! An event stream: the head and the subscriptions at its beginning, and then nothing but waiting for its end.
//! Receive-only: what arrives from the client is thrown away.

use std::fmt::Write as _;
use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use wire::id::Cursor;
use wire::sse;

use super::Staged;
use super::close_reason::CloseReason;
use super::outbox::Frame;
use super::requests::{ask_homes, since};
use super::socket::Socket;
use super::takeover::Held;
use crate::hub::{ChannelKey, Subscribing};
use crate::ids::ConnId;
use crate::shard::Context;

/// Writes the head and subscribes. The head goes first, and at once: proxies and browsers see the stream open.
pub fn begin(
    ctx: &Context,
    id: ConnId,
    channels: Vec<(String, ChannelKey)>,
    last_event_id: Option<String>,
    origin: Option<String>,
) {
    let retry_ms = ctx.config().session.sse_retry_ms;
    ctx.with(|shard| {
        shard
            .connections
            .push_to(id, &Frame::new(head(origin.as_deref(), retry_ms)));
        let version = shard
            .connections
            .get(id)
            .map_or(2, |connection| connection.session.version);
        let mut questions = Vec::new();
        for (spelled, key) in channels {
            let from = last_event_id
                .as_deref()
                .map(|id| since(id, shard.run, &shard.homes, &key));
            let members = version >= 2 && !key.is_relay();
            if let Subscribing::Pending(question) =
                shard.local.subscribe(id, key, spelled.into(), from, members)
            {
                questions.push(question);
            }
        }
        let answer = Frame::new(sse::comment("subscribed"));
        let known = last_event_id
            .as_deref()
            .and_then(Cursor::parse)
            .filter(|cursor| cursor.run() == shard.run);
        let staged = Staged {
            cursor: known.unwrap_or_else(|| Cursor::new(shard.run)),
            gaps: Vec::new(),
            messages: Vec::new(),
            others: Vec::new(),
        };
        ask_homes(shard, id, answer, Some(staged), questions);
    });
}

/// Opens a stream that came in while the relay stops, and ends it. An error would end a browser's attempts; an end is
/// followed by the next one, with the same id.
pub fn send_back(ctx: &Context, id: ConnId, origin: Option<String>) {
    let head = Frame::new(head(origin.as_deref(), ctx.config().session.sse_retry_ms));
    ctx.with(|shard| {
        shard.connections.push_to(id, &head);
        shard.connections.close(id, CloseReason::Draining);
    });
}

fn head(origin: Option<&str>, retry_ms: u64) -> Bytes {
    let mut head = String::from(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
         X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n",
    );
    if let Some(origin) = origin {
        write!(head, "Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n")
            .expect("a string takes text");
    }
    head.push_str("\r\n");
    let mut bytes = BytesMut::from(head.as_bytes());
    bytes.extend_from_slice(&sse::comment("open"));
    bytes.extend_from_slice(&sse::retry(retry_ms));
    bytes.freeze()
}

/// Runs until the socket ends. Never cancelled: it is ended by shutting its socket down.
pub async fn run(ctx: Rc<Context>, id: ConnId, socket: Rc<Socket>) {
    let _held = Held::new(&ctx, id);
    while socket.readable().await.is_ok() {
        let read = socket.try_read(&mut ctx.scratch.borrow_mut());
        match read {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
}
