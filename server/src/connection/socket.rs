//! One TCP socket, plain or TLS: readiness from the runtime, bytes by non-blocking system calls.
//!
//! Reads and writes never become operations of the ring, so nothing is lost when a wait is dropped: the two async
//! functions only wait, and are cancel-safe. Whoever holds the `Socket` may read; only the shard's flusher (or, in the
//! HTTP phase, hyper) writes.

use std::cell::{Cell, RefCell};
use std::future::{Future, ready};
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

use futures_util::future::Either;
use monoio::net::UnixStream;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};
use rustls::{ServerConfig, ServerConnection};

/// Ciphertext that may wait inside rustls for a socket that is not writable.
const TLS_BUFFER_BYTES_MAX: usize = 64 * 1024;

/// The first byte of every TLS connection: a record of the type "handshake" (RFC 8446, section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;

/// For a request that should have come over TLS.
const PLAIN_ON_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\
    Content-Length: 87\r\n\r\n\
    {\"error\":\"tls_required\",\"message\":\"this port speaks TLS: use https:// or wss:// here\"}\n";

pub struct Socket {
    /// The descriptor as the runtime knows it. monoio's type for a TCP stream is the same and keeps two addresses besides,
    /// which every idle connection would pay for.
    stream: UnixStream,
    tls: Option<Box<RefCell<ServerConnection>>>,
    /// Set once the peer has sent its end, or the connection is broken.
    ended: Cell<bool>,
    /// The last read filled its buffer, so that TLS may hold more: the kernel would not tell.
    unread: Cell<bool>,
}

impl Socket {
    /// Takes over an accepted descriptor and registers it with this thread's runtime.
    pub fn new(fd: OwnedFd, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let tls = match tls {
            None => None,
            Some(config) => {
                let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
                connection.set_buffer_limit(Some(TLS_BUFFER_BYTES_MAX));
                Some(Box::new(RefCell::new(connection)))
            }
        };
        let stream = UnixStream::from_std(std::os::unix::net::UnixStream::from(fd))?;
        Ok(Self {
            stream,
            tls,
            ended: Cell::new(false),
            unread: Cell::new(false),
        })
    }

    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether the handshake chose this protocol (ALPN).
    pub fn has_agreed_on(&self, protocol: &[u8]) -> bool {
        let tls = self.tls.as_ref();
        tls.is_some_and(|tls| tls.borrow().alpn_protocol() == Some(protocol))
    }

    pub fn raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Waits until a read would make progress. Cancel-safe: no data is held by the wait.
    pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
        if self.unread.get() {
            Either::Left(ready(Ok(())))
        } else {
            Either::Right(self.stream.readable(false))
        }
    }

    /// Waits until a write would make progress. Cancel-safe.
    pub async fn writable(&self) -> io::Result<()> {
        self.stream.writable(false).await
    }

    /// Reads what is there; `Ok(0)` is the peer's end, `WouldBlock` nothing yet.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => Ok(rustix::net::recv(self.fd(), buffer, RecvFlags::DONTWAIT)?.0),
            Some(tls) => {
                let read = self.try_read_tls(&mut tls.borrow_mut(), buffer);
                self.unread
                    .set(matches!(read, Ok(read) if read == buffer.len() && read > 0));
                read
            }
        }
    }

    /// Writes as much as the socket takes now; the answer counts bytes of `bytes`.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.tls {
            None => Ok(rustix::net::send(self.fd(), bytes, SEND_FLAGS)?),
            Some(tls) => self.try_write_tls(&mut tls.borrow_mut(), &[IoSlice::new(bytes)]),
        }
    }

    /// Like [`Self::try_write`] for several slices, in one system call.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.tls {
            None => send_vectored(self.fd(), slices),
            Some(tls) => self.try_write_tls(&mut tls.borrow_mut(), slices),
        }
    }

    /// Whether bytes that were accepted by a write still wait inside TLS.
    pub fn has_unsent_ciphertext(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.borrow().wants_write())
    }

    /// Sends what waits inside TLS; `WouldBlock` while some of it still does.
    pub fn try_flush(&self) -> io::Result<()> {
        let Some(tls) = &self.tls else { return Ok(()) };
        let mut tls = tls.borrow_mut();
        self.send_ciphertext(&mut tls)?;
        if tls.wants_write() {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            Ok(())
        }
    }

    /// Whether bytes of the peer wait that nobody has read yet.
    pub fn has_unread(&self) -> bool {
        let mut byte = [0; 1];
        rustix::net::recv(self.fd(), &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT)
            .is_ok_and(|(read, _)| read > 0)
    }

    /// Ends our side: the peer reads what was sent and then the end.
    pub fn shutdown_write(&self) {
        if let Some(tls) = &self.tls {
            let mut tls = tls.borrow_mut();
            tls.send_close_notify();
            // A peer that is gone needs no goodbye.
            let _ = self.send_ciphertext(&mut tls);
        }
        let _ = rustix::net::shutdown(self.fd(), Shutdown::Write);
    }

    /// Ends both sides at once; a task that waits for this socket wakes up and reads the end.
    pub fn shutdown_both(&self) {
        let _ = rustix::net::shutdown(self.fd(), Shutdown::Both);
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the stream owns the descriptor and lives as long as the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.stream.as_raw_fd()) }
    }

    /// Completes the TLS handshake; nothing to do where the socket is plain. Ends when the socket does, and is
    /// cancel-safe. `UnexpectedEof`: the peer left before it said anything.
    pub async fn handshake(&self) -> io::Result<()> {
        let Some(tls) = &self.tls else { return Ok(()) };
        loop {
            self.stream.readable(false).await?;
            let mut first = [0; 1];
            match rustix::net::recv(self.fd(), &mut first, RecvFlags::DONTWAIT | RecvFlags::PEEK) {
                Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if first[0] == TLS_HANDSHAKE => break,
                Ok(_) => return Err(self.answer_plain(first[0])),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        loop {
            let (is_handshaking, wants_write) = {
                let tls = &mut tls.borrow_mut();
                self.take_handshake(tls)?;
                (tls.is_handshaking(), tls.wants_write())
            };
            match (is_handshaking, wants_write) {
                (false, _) => return Ok(()),
                (true, true) => self.stream.writable(false).await?,
                (true, false) => self.stream.readable(false).await?,
            }
        }
    }

    /// Takes in what is there of the handshake, and answers it.
    fn take_handshake(&self, tls: &mut ServerConnection) -> io::Result<()> {
        self.send_ciphertext(tls)?;
        while tls.is_handshaking() && !tls.wants_write() {
            match tls.read_tls(&mut Receive(self.fd())) {
                Ok(0) => return Err(io::Error::other("the peer left during the handshake")),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let processed = tls.process_new_packets();
            // An alert, or the next handshake message.
            let sent = self.send_ciphertext(tls);
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            sent?;
        }
        Ok(())
    }

    /// Tells somebody who speaks plain http to this port what is wrong, as far as the socket takes it at once.
    fn answer_plain(&self, first: u8) -> io::Error {
        if first.is_ascii_uppercase() {
            let _ = send(self.fd(), PLAIN_ON_TLS);
            let _ = rustix::net::shutdown(self.fd(), Shutdown::Write);
            // What the request holds is taken, so that the answer is not lost to a reset.
            let _ = rustix::net::recv(self.fd(), &mut [0; 4096][..], RecvFlags::DONTWAIT);
        }
        io::Error::new(io::ErrorKind::InvalidData, "the peer does not speak TLS")
    }

    fn try_write_tls(&self, tls: &mut ServerConnection, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        use io::Write as _;
        self.send_ciphertext(tls)?;
        if tls.wants_write() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = tls.writer().write_vectored(slices)?;
        self.send_ciphertext(tls)?;
        if taken == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn try_read_tls(&self, tls: &mut ServerConnection, buffer: &mut [u8]) -> io::Result<usize> {
        use io::Read as _;
        loop {
            match tls.reader().read(buffer) {
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer ended TCP without closing TLS: for us it is an end like any other.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                Err(error) => return Err(error),
            }
            if self.ended.get() {
                return Ok(0);
            }
            if tls.read_tls(&mut Receive(self.fd()))? == 0 {
                self.ended.set(true);
            }
            let processed = tls.process_new_packets();
            // An alert, or the next handshake message.
            let sent = self.send_ciphertext(tls);
            processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            sent?;
        }
    }

    fn send_ciphertext(&self, tls: &mut ServerConnection) -> io::Result<()> {
        while tls.wants_write() {
            match tls.write_tls(&mut Send(self.fd())) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

const SEND_FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// One non-blocking `sendmsg(2)`.
pub fn send_vectored(fd: impl AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(rustix::net::sendmsg(
        fd,
        slices,
        &mut SendAncillaryBuffer::default(),
        SEND_FLAGS,
    )?)
}

/// One non-blocking `send(2)`.
pub fn send(fd: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(fd, bytes, SEND_FLAGS)?)
}

struct Receive<'a>(BorrowedFd<'a>);

impl io::Read for Receive<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::net::recv(self.0, buffer, RecvFlags::DONTWAIT)?.0)
    }
}

struct Send<'a>(BorrowedFd<'a>);

impl io::Write for Send<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        send(self.0, bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        send_vectored(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
