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

/// Begins the session in a task of its own: the HTTP phase's task is large, and a session's is kept small.
pub async fn begin(ctx: Rc<Context>, wanted: Takeover, socket: Rc<Socket>, received: Bytes) {
    match wanted {
        Takeover::Socket(request) => {
            let head = socket_head(&request.accept);
            ctx.counters.handshakes.increment();
            match request.admitted {
                Err(refusal) => refused::run(ctx, socket, head, &refusal).await,
                Ok(admitted) => {
                    let id = open(&ctx, &socket, request.transport, admitted, request.ip);
                    ctx.with(|shard| {
                        shard.connections.push_to(id, &Frame::new(head));
                        if ctx.draining.get() {
                            // It came in while the relay stops: it learns so as everyone does.
                            shard.connections.close(id, CloseReason::Draining);
                        }
                    });
                    // Copied, and nearly always nothing: what hyper read lies in a buffer of 8 KiB that must not live as
                    // long as the session.
                    let session = ws::run(Rc::clone(&ctx), id, socket, received.to_vec());
                    ctx.spawn("WebSocket session", session);
                }
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
        opened_ms: now_ms,
        last_heard_ms: now_ms,
        last_ping_ms: now_ms,
        messages_in: 0,
        bytes_in: 0,
        message_rate: Gcra::default(),
        presence_rate: Gcra::default(),
        bad_frames: BadFrames::default(),
        pending: None,
        waiter: None,
        qualified: Vec::new(),
        closing: None,
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
    ctx: Rc<Context>,
    id: ConnId,
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
        let reason = connection.closing.map_or(CloseReason::Peer, |(reason, _)| reason);
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

    /// The size of what a function of four arguments answers, without calling it.
    fn size_of_answer<A, B, C, D, F>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_session_is_a_small_task() {
        let session = size_of_answer(ws::run);
        let record = size_of::<Connection>();
        let guarded = size_of_answer(|ctx, id, socket, received| {
            crate::shard::context::guarded("test", ws::run(ctx, id, socket, received))
        });
        assert!(session <= 320, "a session's future has {session} bytes");
        assert!(
            guarded <= session + 64,
            "its guard makes {guarded} of {session} bytes"
        );
        assert!(record <= 384, "a connection's record has {record} bytes");
    }
}
