//! The deadlines of connections in the HTTP phase. One sweep serves them all: a timer each would cost more than the
//! request.

use std::cell::Cell;
use std::rc::Rc;

use slab::Slab;

use super::Context;
use crate::connection::socket::Socket;

/// No deadline: an answer that streams ends by its own rules.
pub const NO_DEADLINE: u64 = u64::MAX;

/// Written, as far as the socket takes it at once, to a peer whose head did not arrive in time.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Content-Length: 101\r\n\r\n\
    {\"error\":\"request_timeout\",\"message\":\"the request did not arrive in time: send it whole and at once\"}";

pub struct HttpWatch {
    pub socket: Rc<Socket>,
    pub deadline_ms: Cell<u64>,
    /// No request is under way: its head has yet to come.
    pub waiting_for_head: Cell<bool>,
    /// A request was answered: the peer knows that the connection may end before it sends another.
    pub answered: Cell<bool>,
    /// Ends after the next answer, which says so.
    pub draining: Cell<bool>,
}

#[derive(Default)]
pub struct HttpWatches(Slab<Rc<HttpWatch>>);

impl HttpWatch {
    /// The peer has `ms` from now.
    pub fn allow(&self, ctx: &Context, ms: u64) {
        self.deadline_ms.set(ctx.now_ms() + ms);
    }
}

/// A connection's place in the HTTP phase, which ends with it.
pub struct Watched {
    pub ctx: Rc<Context>,
    key: usize,
    pub watch: Rc<HttpWatch>,
}

impl Watched {
    /// Gives the peer of `socket` `ms` from now.
    pub fn new(ctx: &Rc<Context>, socket: &Rc<Socket>, ms: u64) -> Self {
        let watch = Rc::new(HttpWatch {
            socket: Rc::clone(socket),
            deadline_ms: Cell::new(ctx.now_ms() + ms),
            waiting_for_head: Cell::new(true),
            answered: Cell::new(false),
            draining: Cell::new(ctx.draining.get()),
        });
        let key = ctx.http.borrow_mut().0.insert(Rc::clone(&watch));
        ctx.count_http();
        Self {
            ctx: Rc::clone(ctx),
            key,
            watch,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.ctx.http.borrow_mut().0.remove(self.key);
        self.ctx.count_http();
    }
}

impl Context {
    fn count_http(&self) {
        self.counters
            .http_connections
            .set(self.http.borrow().0.len() as u64);
    }

    pub fn http_connections(&self) -> usize {
        self.http.borrow().0.len()
    }

    /// Ends what has had its time.
    pub fn sweep_http(&self, now_ms: u64) {
        for (_, watch) in &self.http.borrow().0 {
            if now_ms < watch.deadline_ms.get() {
                continue;
            }
            if watch.waiting_for_head.get() {
                // One that takes no answer either is ended without.
                let _ = watch.socket.try_write(TOO_SLOW);
            }
            watch.deadline_ms.set(NO_DEADLINE);
            watch.socket.shutdown_both();
        }
    }

    /// Has every connection end with its next answer.
    pub fn drain_http(&self) {
        for (_, watch) in &self.http.borrow().0 {
            watch.draining.set(true);
        }
    }

    /// Ends connections that were kept alive and ask for nothing. A new one is left its time to ask.
    pub fn end_idle_http(&self) {
        for (_, watch) in &self.http.borrow().0 {
            if watch.waiting_for_head.get() && watch.answered.get() && !watch.socket.has_unread() {
                watch.socket.shutdown_both();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_408_answer_says_its_own_length() {
        let text = std::str::from_utf8(TOO_SLOW).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "the body has {}",
            body.len()
        );
    }
}
