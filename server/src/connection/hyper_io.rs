//! The HTTP phase's view of a [`Socket`]: what hyper needs to read and write, by polling.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::socket::Socket;

/// Bytes taken from the socket at a time: a request head fits, a body comes in a few turns.
pub const READ_BYTES: usize = 8 * 1024;

type Wait = Pin<Box<dyn Future<Output = io::Result<()>>>>;

pub struct HyperIo {
    socket: Rc<Socket>,
    /// Read before hyper came: its first bytes.
    received: Bytes,
    read_wait: Option<Wait>,
    write_wait: Option<Wait>,
}

impl HyperIo {
    pub fn new(socket: Rc<Socket>, received: Bytes) -> Self {
        Self {
            socket,
            received,
            read_wait: None,
            write_wait: None,
        }
    }

    pub fn into_socket(self) -> Rc<Socket> {
        self.socket
    }

    /// Tries `attempt` until it does something else than block, waiting for the socket in between.
    fn poll_io<T>(
        wait: &mut Option<Wait>,
        cx: &mut Context<'_>,
        start_wait: impl Fn() -> Wait,
        mut attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            if let Some(pending) = wait {
                let outcome = ready!(pending.as_mut().poll(cx));
                *wait = None;
                outcome?;
            }
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => *wait = Some(start_wait()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    fn poll_send<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let socket = Rc::clone(&self.socket);
        let start_wait = || -> Wait {
            let socket = Rc::clone(&socket);
            Box::pin(async move { socket.writable().await })
        };
        Self::poll_io(&mut self.write_wait, cx, start_wait, attempt)
    }
}

impl Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.received.is_empty() {
            let length = buffer.remaining().min(this.received.len());
            buffer.put_slice(&this.received.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let socket = Rc::clone(&this.socket);
        let start_wait = || -> Wait {
            let socket = Rc::clone(&socket);
            Box::pin(async move { socket.readable().await })
        };
        let length = buffer.remaining().min(READ_BYTES);
        let target = buffer.initialize_unfilled_to(length);
        let read = ready!(Self::poll_io(&mut this.read_wait, cx, start_wait, || socket.try_read(target)))?;
        // SAFETY: `try_read` initialised the first `read` bytes of the cursor's unfilled part.
        unsafe { buffer.advance(read) };
        Poll::Ready(Ok(()))
    }
}

impl Write for HyperIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let socket = Rc::clone(&self.socket);
        self.poll_send(cx, || socket.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let socket = Rc::clone(&self.socket);
        self.poll_send(cx, || socket.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = Rc::clone(&self.socket);
        self.poll_send(cx, || socket.try_flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.shutdown_write();
        Poll::Ready(Ok(()))
    }
}
