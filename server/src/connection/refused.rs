//! A socket that is refused: accepted at the upgrade and closed with a code, so that the browser can read why
//! (protocol, "WebSocket").

use std::io;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::socket::Socket;
use crate::shard::Context;
use crate::shard::http_watch::Watched;
use crate::site::Refusal;

/// Time for the peer to read the close frame and end its side.
const LINGER_MS: u64 = 3_000;

/// Says the refusal and waits for the peer to go. The HTTP phase's sweep ends it where the peer does not.
pub async fn run(ctx: Rc<Context>, socket: Rc<Socket>, head: Bytes, refusal: &Refusal) {
    let mut answer = BytesMut::from(&head[..]);
    answer.extend_from_slice(&wire::ws::close_frame(refusal.close().code(), &refusal.message));
    let watched = Watched::new(&ctx, &socket, LINGER_MS);
    watched.watch.waiting_for_head.set(false);
    // Some hundred bytes fit into a fresh socket's buffer; where they don't, the peer is no browser.
    if socket.try_write(&answer).is_ok() {
        socket.shutdown_write();
        let mut rest = [0; 512];
        while socket.readable().await.is_ok() {
            match socket.try_read(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
    }
}
