//! A WebSocket session: reads and decodes what the browser sends, and does it.
//!
//! The reader stops only where it says so: for its socket, for a subscribe's answers, for room in the queues, and for
//! the client's rate. While it stops it reads nothing, so a client that sends too much fills its own socket.

use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use wire::client;
use wire::ws::{self, Decoder, Event, Input};

use super::Connection;
use super::close_reason::CloseReason;
use super::outbox::Frame;
use super::requests;
use super::socket::Socket;
use super::takeover::Held;
use crate::ids::ConnId;
use crate::shard::Context;

/// Channels of one message that are looked at; each one that is refused is told. The rest is told in one sum.
const LIST_MAX: usize = 1_000;

/// What the reader does after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Continue,
    /// A subscribe's answers are under way.
    AwaitAnswers,
    /// The client has used up its rate: go on in so many milliseconds.
    Pause(u64),
    /// The shard has more to deliver than it can.
    AwaitRoom,
    /// The connection is closing: what else it sends is thrown away.
    Discard,
}

/// Runs until the socket ends. Never cancelled: it is ended by closing the connection or shutting its socket down.
///
/// What it holds while it waits is all that an idle session has on its stack, and so it is a block and holds one word where
/// it can: a function would keep what it is given twice.
pub fn run(ctx: &Rc<Context>, id: ConnId, socket: Rc<Socket>) -> impl Future<Output = ()> + use<> {
    let held = Held::new(ctx, id);
    let mut decoder = new_decoder(ctx);
    async move {
        // No borrow, no buffer and no decoded frame is held while waiting here.
        while socket.readable().await.is_ok() {
            let Some(next) = read(&held.ctx, held.id, &socket, &mut decoder) else {
                return;
            };
            if next != Next::Continue {
                Box::pin(go_on(&held.ctx, held.id, &mut decoder, next)).await;
            }
        }
    }
}

/// Like [`run`], of a client that did not wait for the answer to its handshake: `received` came behind it.
pub async fn run_with(ctx: Rc<Context>, id: ConnId, socket: Rc<Socket>, mut received: Vec<u8>) {
    let _held = Held::new(&ctx, id);
    let mut decoder = new_decoder(&ctx);
    let mut next = step(&ctx, id, &mut decoder, &mut received);
    drop(received);
    loop {
        if next != Next::Continue {
            go_on(&ctx, id, &mut decoder, next).await;
        }
        if socket.readable().await.is_err() {
            return;
        }
        match read(&ctx, id, &socket, &mut decoder) {
            Some(then) => next = then,
            None => return,
        }
    }
}

fn new_decoder(ctx: &Context) -> Decoder {
    Decoder::new(ctx.config().limits.message_bytes_max)
}

/// Reads once, and acts. `None`: the socket has ended.
fn read(ctx: &Context, id: ConnId, socket: &Socket, decoder: &mut Decoder) -> Option<Next> {
    let mut scratch = ctx.scratch.borrow_mut();
    match socket.try_read(&mut scratch) {
        Ok(0) => None,
        Ok(read) => {
            ctx.counters.bytes_in.add(read as u64);
            Some(step(ctx, id, decoder, &mut scratch[..read]))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Next::Continue),
        Err(_) => None,
    }
}

/// Decodes and acts until the input is used up or the reader has to stop; then the rest is kept in the decoder.
fn step(ctx: &Context, id: ConnId, decoder: &mut Decoder, bytes: &mut [u8]) -> Next {
    let now_ms = ctx.now_ms();
    let heard = bytes.len() as u64;
    let alive = ctx.with(|shard| {
        let closing = shard.connections.is_closing(id);
        shard.connections.get_mut(id).map(|connection| {
            connection.last_heard_ms = now_ms;
            connection.bytes_in += heard;
            closing
        })
    });
    if alive != Some(false) {
        return Next::Discard;
    }
    let mut input = Input::new(bytes);
    loop {
        let next = match decoder.next(&mut input) {
            Ok(None) => return Next::Continue,
            Ok(Some(event)) => on_event(ctx, id, event),
            Err(error) => {
                close(ctx, id, CloseReason::Protocol(error.close, error.reason));
                Next::Discard
            }
        };
        if next != Next::Continue {
            if next != Next::Discard {
                decoder.save_rest(&mut input);
            }
            return next;
        }
    }
}

/// Waits as `next` says, and then decodes what was kept, until nothing is. Callers box it: it is rare, and its waits would
/// make every idle session a kilobyte larger.
async fn go_on(ctx: &Context, id: ConnId, decoder: &mut Decoder, mut next: Next) {
    loop {
        match next {
            Next::Continue | Next::Discard => return,
            Next::AwaitAnswers => answers(ctx, id).await,
            Next::Pause(ms) => monoio::time::sleep(Duration::from_millis(ms)).await,
            // Its own messages are part of what the shard is behind with: the client waits, however long it takes.
            Next::AwaitRoom => while ctx.admission().await.is_err() && !ctx.is_closing(id) {},
        }
        next = step(ctx, id, decoder, &mut []);
    }
}

/// Waits for the answers of a subscribe under way. Cancel-safe.
async fn answers(ctx: &Context, id: ConnId) {
    poll_fn(|cx| {
        ctx.with(|shard| match shard.connections.get_mut(id) {
            Some(Connection {
                pending: Some(pending),
                ..
            }) => {
                pending.waiter = Some(cx.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(()),
        })
    })
    .await;
}

fn on_event(ctx: &Context, id: ConnId, event: Event<'_>) -> Next {
    if cfg!(feature = "echo")
        && let Some(message) = echo(&event)
    {
        push(ctx, id, message);
        return Next::Continue;
    }
    match event {
        Event::Text(text) => on_text(ctx, id, text),
        Event::Binary(frame) => requests::binary(ctx, id, frame),
        Event::Ping(payload) => {
            push(ctx, id, ws::pong_frame(payload));
            requests::paced(ctx, id, Next::Continue)
        }
        Event::Pong(_) => Next::Continue,
        Event::Close(code, _) => {
            ctx.with(|shard| {
                shard
                    .connections
                    .close_by_peer(id, Frame::new(ws::close_echo(code)));
            });
            Next::Discard
        }
    }
}

fn on_text(ctx: &Context, id: ConnId, text: &str) -> Next {
    match client::parse(text, LIST_MAX) {
        Ok(message) => requests::message(ctx, id, message),
        Err(error) => requests::bad_frame(ctx, id, error.code(), &error.to_string()),
    }
}

/// The same message as a frame of the relay's own.
fn echo(event: &Event<'_>) -> Option<Bytes> {
    match event {
        Event::Text(text) => Some(ws::text_frame(text.as_bytes())),
        Event::Binary(bytes) => Some(ws::binary_frame(bytes)),
        _ => None,
    }
}

/// Queues a frame for this connection.
pub fn push(ctx: &Context, id: ConnId, bytes: Bytes) {
    ctx.with(|shard| shard.connections.push_to(id, &Frame::new(bytes)));
}

pub fn close(ctx: &Context, id: ConnId, reason: CloseReason) {
    ctx.with(|shard| shard.connections.close(id, reason));
}
