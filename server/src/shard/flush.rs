//! The only writer of a shard's sockets. It takes the connections that have something to write, oldest first, and
//! gives each socket everything that is queued for it in one system call.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;

use super::Context;
use super::connections::Connections;
use crate::connection::outbox::SLICES_MAX;
use crate::connection::socket::{Socket, send, send_vectored};
use crate::ids::ConnId;
use crate::shard::counters::ShardCounters;
use crate::wake::{self, Wake, WakeListener};

/// Sockets written before the rest of the shard gets its turn: about a millisecond.
const ROUND_SOCKETS: usize = 256;
/// Several frames of up to so many bytes together are copied into one buffer, which is always warm, and leave by `send(2)`:
/// less work than a `sendmsg(2)` whose slices the kernel takes in one by one. Longer queues go by slices.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Runs for as long as the shard does. Between two rounds everything else gets a turn, so that a publish is answered,
/// and joins the queues, while an earlier one is still being written.
pub async fn run(ctx: Rc<Context>, mut turn: Turn) {
    let mut joined = vec![0; JOINED_BYTES_MAX];
    loop {
        ctx.flush.notified().await;
        loop {
            let blocked = ctx.with(|shard| round(&mut shard.connections, &mut joined, &ctx.counters));
            for (id, socket) in blocked {
                wait_until_writable(&ctx, id, socket);
            }
            ctx.flushed();
            if !ctx.has_dirty() {
                break;
            }
            turn.pass().await;
        }
    }
}

/// Gives everything else on the shard its turn by going once through the kernel: a task that only wakes itself would keep
/// timers and other sockets waiting.
pub struct Turn {
    wake: Arc<Wake>,
    woken: WakeListener,
}

impl Turn {
    pub fn new() -> io::Result<Self> {
        let (wake, receiver) = wake::pair()?;
        Ok(Self {
            wake,
            woken: receiver.listen()?,
        })
    }

    async fn pass(&mut self) {
        self.wake.wake();
        if let Err(error) = self.woken.woken().await {
            tracing::error!(%error, "the flusher's own wake-up failed");
        }
    }
}

/// Watches a socket that took no more, until it does.
fn wait_until_writable(ctx: &Rc<Context>, id: ConnId, socket: Rc<Socket>) {
    let waiting = Rc::clone(ctx);
    ctx.spawn("wait until writable", async move {
        // An error shows again at the next write.
        let _ = socket.writable().await;
        waiting.with(|shard| shard.connections.unblock(id));
    });
}

fn round(
    connections: &mut Connections,
    joined: &mut [u8],
    counters: &ShardCounters,
) -> Vec<(ConnId, Rc<Socket>)> {
    let mut blocked = Vec::new();
    for _ in 0..ROUND_SOCKETS {
        let Some(slot) = connections.take_dirty() else {
            break;
        };
        match write_out(connections, slot, joined, counters) {
            Written::All => {}
            Written::Blocked => {
                counters.blocked.increment();
                if let Some((id, connection, _)) = connections.at(slot) {
                    blocked.push((id, Rc::clone(&connection.socket)));
                }
            }
            Written::Broken => {
                // The reader sees the end and removes the connection.
                if let Some((_, connection, _)) = connections.at(slot) {
                    connection.socket.shutdown_both();
                }
            }
        }
    }
    counters.dirty.set(connections.dirty_len() as u64);
    blocked
}

enum Written {
    All,
    Blocked,
    Broken,
}

/// Writes everything that is queued for one socket.
fn write_out(
    connections: &mut Connections,
    slot: u32,
    joined: &mut [u8],
    counters: &ShardCounters,
) -> Written {
    let (hot, _) = connections.hot_and_arena(slot);
    let closing = hot.closing;
    if hot.fd < 0 {
        // Removed since it got on the list.
        return Written::All;
    }
    let socket = connections.socket_to_write(slot);
    loop {
        let (hot, arena) = connections.hot_and_arena(slot);
        if !hot.outbox.is_ready(arena) {
            break;
        }
        let outcome = match &socket {
            Some(socket) if hot.tls => {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let count = hot.outbox.slices(arena, &mut slices);
                socket.try_write_vectored(&slices[..count])
            }
            _ => {
                // SAFETY: the connection's record holds its `Socket`, and with it the open descriptor, until the slot
                // is freed, which takes the descriptor out of the hot half; it has just been found there.
                let fd = unsafe { BorrowedFd::borrow_raw(hot.fd) };
                match hot.outbox.single(arena) {
                    Some(bytes) => send(fd, bytes),
                    None if hot.outbox.bytes() as usize <= joined.len() => {
                        let length = hot.outbox.join(arena, joined);
                        send(fd, &joined[..length])
                    }
                    None => {
                        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                        let count = hot.outbox.slices(arena, &mut slices);
                        send_vectored(fd, &slices[..count])
                    }
                }
            }
        };
        counters.writes.increment();
        match outcome {
            Ok(written) => {
                hot.frames_out += u64::from(hot.outbox.advance(arena, written));
                hot.bytes_out += written as u64;
                counters.bytes_out.add(written as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                hot.blocked = true;
                hot.blocked_since_ms = crate::clock::monotonic_ms();
                return Written::Blocked;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                counters.dropped.add(u64::from(hot.outbox.frames()));
                hot.outbox.clear(arena);
                return Written::Broken;
            }
        }
    }
    if let Some(socket) = socket {
        match socket.try_flush() {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let (hot, _) = connections.hot_and_arena(slot);
                hot.blocked = true;
                hot.blocked_since_ms = crate::clock::monotonic_ms();
                return Written::Blocked;
            }
            Err(_) => return Written::Broken,
        }
        if closing && connections.hot_and_arena(slot).0.outbox.is_empty() {
            socket.shutdown_write();
        }
    }
    Written::All
}
