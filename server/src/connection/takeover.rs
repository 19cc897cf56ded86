//! From a request to a session: what a socket becomes once the HTTP phase has given it back.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;

use super::close_reason::CloseReason;
use super::outbox::Frame;
use super::socket::Socket;
use super::{BadFrames, Connection, Transport, refused, sse, ws};
use crate::clock;
use crate::hub::{ChannelKey, Form};
use crate::ids::ConnId;
use crate::shard::Context;
use crate::shard::sink::form_of;
use crate::site::{ConnectionSlot, Gcra, Refusal, Session};

/// What the HTTP phase found out about a socket that is to be taken over.
pub enum Takeover {
    Socket(SocketRequest),
    Stream(StreamRequest),
}

/// A WebSocket handshake that was found well-formed.
pub struct SocketRequest {
    /// `Sec-WebSocket-Accept` (RFC 6455, section 4.2.2).
    pub accept: String,
    pub transport: Transport,
    pub ip: IpAddr,
    /// A refused socket is accepted all the same, and then closed with a code that the browser can read.
    pub admitted: Result<Admitted, Refusal>,
}

/// An event stream that may begin.
pub struct StreamRequest {
    pub admitted: Admitted,
    pub ip: IpAddr,
    /// As spelled, and the channel meant. Each is covered by the grant, none is there twice.
    pub channels: Vec<(String, ChannelKey)>,
    pub last_event_id: Option<String>,
    pub origin: Option<String>,
}

/// A session with its place in the site's connection count.
pub struct Admitted {
    pub session: Session,
    pub slot: ConnectionSlot,
}

/// Begins the session in a task of its own: the HTTP phase's task is large, and a session's is kept small. `received` is
/// what came behind the request.
pub async fn begin(ctx: Rc<Context>, wanted: Takeover, socket: Rc<Socket>, received: &[u8]) {
    match wanted {
        Takeover::Socket(request) => {
            let refused = begin_socket(&ctx, request, &socket, received);
            if let Some(Refused { head, refusal }) = refused {
                refused::run(ctx, socket, head, &refusal).await;
            }
        }
        Takeover::Stream(request) => {
            ctx.counters.handshakes.increment();
            let Admitted { session, slot } = request.admitted;
            let admitted = Admitted {
                session,
                slot: slot.stream(),
            };
            let id = open(&ctx, &socket, Transport::Stream, admitted, request.ip);
            if ctx.draining.get() {
                sse::send_back(&ctx, id, request.origin);
            } else {
                sse::begin(&ctx, id, request.channels, request.last_event_id, request.origin);
            }
            let session = sse::run(Rc::clone(&ctx), id, socket);
            ctx.spawn("event stream", session);
        }
    }
}

/// A handshake that was answered only so that the browser learns why it is refused.
pub struct Refused {
    pub head: Bytes,
    pub refusal: Refusal,
}

/// Answers a WebSocket handshake and begins its session, unless it is refused.
pub fn begin_socket(
    ctx: &Rc<Context>,
    request: SocketRequest,
    socket: &Rc<Socket>,
    received: &[u8],
) -> Option<Refused> {
    let head = socket_head(&request.accept);
    ctx.counters.handshakes.increment();
    let admitted = match request.admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return Some(Refused { head, refusal }),
    };
    // Nobody else writes yet, and a fresh socket has room: the flusher has only to do with what does not fit.
    let written = socket.try_write(&head).unwrap_or(0);
    ctx.counters.writes.increment();
    ctx.counters.bytes_out.add(written as u64);
    let id = open(ctx, socket, request.transport, admitted, request.ip);
    if written < head.len() || socket.has_unsent_ciphertext() {
        ctx.with(|shard| shard.connections.push_to(id, &Frame::new(head.slice(written..))));
    }
    if ctx.draining.get() {
        // It came in while the relay stops: it learns so as everyone does.
        ctx.with(|shard| shard.connections.close(id, CloseReason::Draining));
    }
    let socket = Rc::clone(socket);
    match received {
        [] => ctx.spawn("WebSocket session", ws::run(ctx, id, socket)),
        // Copied: it lies in a buffer that others use next.
        _ => ctx.spawn(
            "WebSocket session",
            ws::run_with(Rc::clone(ctx), id, socket, received.to_vec()),
        ),
    }
    None
}

fn socket_head(accept: &str) -> Bytes {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into()
}

/// Gives the connection its record and its place in the hub.
fn open(ctx: &Context, socket: &Rc<Socket>, transport: Transport, admitted: Admitted, ip: IpAddr) -> ConnId {
    let now_ms = ctx.now_ms();
    let connection = Box::new(Connection {
        socket: Rc::clone(socket),
        transport,
        session: admitted.session,
        ip,
        opened_unix_ms: clock::unix_ms(),
        last_heard_ms: now_ms,
        last_ping_ms: now_ms,
        messages_in: 0,
        bytes_in: 0,
        message_rate: Gcra::default(),
        presence_rate: Gcra::default(),
        bad_frames: BadFrames::default(),
        pending: None,
        qualified: None,
        closing: None,
        closed_by_ms: None,
        _slot: admitted.slot,
    });
    let form: Form = form_of(&connection);
    ctx.with(|shard| {
        let id = shard
            .connections
            .insert(socket.raw_fd(), socket.is_tls(), connection);
        shard.open_in_hub(id, form);
        match transport {
            Transport::Stream => ctx.counters.streams.add(1),
            Transport::WebSocket { .. } | Transport::Dispatch => ctx.counters.sockets.add(1),
        }
        id
    })
}

/// A session's hold on its record: whichever way the session ends, a failure included, the record ends with it.
pub struct Held {
    pub ctx: Rc<Context>,
    pub id: ConnId,
}

impl Held {
    pub fn new(ctx: &Rc<Context>, id: ConnId) -> Self {
        Self {
            ctx: Rc::clone(ctx),
            id,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ctx
                .with(|shard| shard.connections.close(self.id, CloseReason::Internal));
        }
        close(&self.ctx, self.id);
    }
}

fn close(ctx: &Context, id: ConnId) {
    ctx.with(|shard| {
        shard.close_in_hub(id);
        let Some(unsent) = shard.connections.unsent(id) else {
            return;
        };
        let Some(connection) = shard.connections.remove(id) else {
            return;
        };
        ctx.counters.dropped.add(unsent);
        let reason = connection.closing.unwrap_or(CloseReason::Peer);
        ctx.counters.closes.count(reason.label());
        match connection.transport {
            Transport::Stream => ctx.counters.streams.subtract(1),
            Transport::WebSocket { .. } | Transport::Dispatch => ctx.counters.sockets.subtract(1),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The size of what a function of three arguments answers, without calling it.
    fn size_of_answer<A, B, C, F>(_: impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_session_is_a_small_task() {
        let session = size_of_answer(|ctx: &Rc<Context>, id, socket| ws::run(ctx, id, socket));
        let guarded = size_of_answer(|ctx: &Rc<Context>, id, socket| {
            crate::shard::context::guarded("test", ws::run(ctx, id, socket))
        });
        let record = size_of::<Connection>();
        assert!(session <= 192, "a session's future has {session} bytes");
        // With the runtime's 40 bytes it takes 256 of the allocator's.
        assert!(guarded <= 216, "its guard makes {guarded} of {session} bytes");
        assert!(record <= 224, "a connection's record has {record} bytes");
    }
}
