//! Accepting connections on one shard: as many as there is room for, and never spinning where there is none.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use rustix::net::SocketFlags;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockAddr, Type};

use crate::connection::greeting;
use crate::connection::socket::Socket;
use crate::listening::Held;
use crate::shard::Context;

/// Connections that the kernel holds for us while we are busy.
const BACKLOG: i32 = 4096;
/// Connections taken at a time, before the ones that are open get their turn.
const ACCEPTS_AT_ONCE: usize = 64;
/// How long accepting rests when descriptors have run out.
const PAUSE: Duration = Duration::from_millis(250);
/// Unacknowledged data ends a connection after this: a peer that vanished without a word.
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// One listening socket per shard and address, all bound to the same port: the kernel spreads connections over them.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` are listed apart, and so bound apart.
        socket.set_only_v6(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// What a listener needs to admit a connection.
pub struct Admission {
    /// Connections of the whole relay at most.
    pub connections_max: u64,
    pub tls: Option<Arc<ServerConfig>>,
    pub serves: Serves,
}

/// What a listener's connections may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    Relay,
    /// `/metrics`, without a token.
    Metrics,
    /// The way to https, and what an authority asks for.
    Redirect,
}

/// Accepts until the shard drains. Then this shard's hold on the listener ends: connections that wait in its queue are
/// left to whoever else holds it (`shared`: systemd, or the process that takes over), or else taken in first, because the
/// kernel resets what waits at a listener that closes.
pub async fn run(ctx: Rc<Context>, held: Held, admission: Rc<Admission>) {
    let Held { socket, shared } = held;
    accept_until_drain(&ctx, &socket, &admission).await;
    if !shared && !ctx.drain.is_handed_over() {
        take_in_the_rest(&ctx, &socket, &admission);
        // Every connection has begun, and so is counted, before the listener counts as ended.
        monoio::time::sleep(Duration::from_millis(1)).await;
    }
    ctx.shards.end_listener(ctx.id);
}

async fn accept_until_drain(ctx: &Rc<Context>, listener: &std::net::TcpListener, admission: &Admission) {
    let readiness = match listener.try_clone().and_then(monoio::net::TcpListener::from_std) {
        Ok(readiness) => readiness,
        Err(error) => return tracing::error!(%error, "a listener could not be watched"),
    };
    prepare(listener);
    let mut was_full = false;
    while !ctx.draining.get() {
        // Readiness holds nothing and may be dropped.
        match select(pin!(readiness.readable(false)), pin!(ctx.drain.began())).await {
            Either::Left((Ok(()), _)) => {}
            Either::Left((Err(_), _)) | Either::Right(_) => break,
        }
        for _ in 0..ACCEPTS_AT_ONCE {
            if ctx.draining.get() {
                break;
            }
            if ctx.connections_total() >= admission.connections_max {
                if !std::mem::replace(&mut was_full, true) {
                    tracing::warn!(
                        connections_max = admission.connections_max,
                        "no room for more connections: new ones wait; raise limits.connections_max or LimitNOFILE"
                    );
                }
                pause(ctx).await;
                break;
            }
            match rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok((fd, peer)) => {
                    was_full = false;
                    accept(ctx, fd, peer, admission);
                }
                Err(rustix::io::Errno::AGAIN) => break,
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::NOMEM) => {
                    if !std::mem::replace(&mut was_full, true) {
                        tracing::warn!(
                            "file descriptors have run out: new connections wait; raise LimitNOFILE"
                        );
                    }
                    pause(ctx).await;
                    break;
                }
                // The peer gave up while it waited, or the like: that connection's matter.
                Err(_) => {}
            }
        }
    }
}

/// Accepts what waits in the queue, which holds no more than it was made for.
fn take_in_the_rest(ctx: &Rc<Context>, listener: &std::net::TcpListener, admission: &Admission) {
    for _ in 0..BACKLOG {
        match rustix::net::acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok((fd, peer)) => accept(ctx, fd, peer, admission),
            Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

async fn pause(ctx: &Context) {
    ctx.counters.accept_pauses.increment();
    monoio::time::sleep(PAUSE).await;
}

/// Options of the listener, which every connection inherits: two system calls fewer for each.
fn prepare(listener: &std::net::TcpListener) {
    // What a socket refuses it does without.
    let _ = rustix::net::sockopt::set_tcp_nodelay(listener, true);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(listener, USER_TIMEOUT.as_millis() as u32);
}

fn accept(
    ctx: &Rc<Context>,
    fd: std::os::fd::OwnedFd,
    peer: Option<rustix::net::SocketAddrAny>,
    admission: &Admission,
) {
    // One without an address has gone already.
    let Some(peer) = peer.and_then(|peer| SocketAddr::try_from(peer).ok()) else {
        return;
    };
    let ip = peer.ip();
    ctx.counters.accepted.increment();
    match Socket::new(fd, admission.tls.clone()) {
        Ok(socket) => ctx.spawn(
            "connection",
            greeting::serve(Rc::clone(ctx), Rc::new(socket), ip, admission.serves),
        ),
        Err(error) => tracing::warn!(%error, "an accepted connection could not be set up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_connection_has_the_options_of_its_listener() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        prepare(&listener);
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
        let timeout = rustix::net::sockopt::tcp_user_timeout(&accepted).unwrap();
        assert_eq!(u128::from(timeout), USER_TIMEOUT.as_millis());
    }
}
