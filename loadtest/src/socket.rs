//! A non-blocking socket, plain or inside TLS.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::target::{Target, Tls};

pub struct Socket {
    descriptor: OwnedFd,
    tls: Option<Box<rustls::ClientConnection>>,
}

/// What a read found.
pub enum Taken {
    Bytes(usize),
    /// Nothing now.
    Later,
    End,
}

/// Local ports that one source address can use towards one relay, with some left for others.
const PORTS: usize = 20_000;

impl Socket {
    /// Begins to connect; the socket becomes writable when it is connected, or has failed.
    pub fn connect(target: &Target, source: Option<IpAddr>, small_buffer: bool) -> io::Result<Self> {
        let family = if target.address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let descriptor = net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_tcp_nodelay(&descriptor, true)?;
        if small_buffer {
            sockopt::set_socket_recv_buffer_size(&descriptor, 4096)?;
        }
        if let Some(source) = source {
            choose_port_late(descriptor.as_fd())?;
            net::bind(&descriptor, &SocketAddr::new(source, 0))?;
        }
        let mut socket = Self {
            descriptor,
            tls: None,
        };
        socket.connect_again(target)?;
        Ok(socket)
    }

    /// Begins to connect anew, after a [`reset`](Self::reset): options, source address and epoll registration still stand.
    pub fn connect_again(&mut self, target: &Target) -> io::Result<()> {
        match net::connect(&self.descriptor, &target.address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let tls = target.tls.as_ref().map(|Tls { config, name }| {
            rustls::ClientConnection::new(config.clone(), name.clone())
                .map(Box::new)
                .map_err(io::Error::other)
        });
        self.tls = tls.transpose()?;
        Ok(())
    }

    /// The error of an attempt to connect, if it failed.
    pub fn connected(&self) -> io::Result<()> {
        Ok(sockopt::socket_error(&self.descriptor)??)
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Taken> {
        let Some(tls) = &mut self.tls else {
            return match net::recv(&self.descriptor, buffer, RecvFlags::empty()) {
                Ok((0, _)) => Ok(Taken::End),
                Ok((taken, _)) => Ok(Taken::Bytes(taken)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(Taken::Later),
                Err(error) => Err(error.into()),
            };
        };
        loop {
            match tls.reader().read(buffer) {
                Ok(0) => return Ok(Taken::End),
                Ok(taken) => return Ok(Taken::Bytes(taken)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            match tls.read_tls(&mut Plain(self.descriptor.as_fd())) {
                Ok(0) => return Ok(Taken::End),
                Ok(_) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Taken::Later),
                Err(error) => return Err(error),
            }
            // A handshake's next step may have to go out before anything comes in.
            flush(tls, self.descriptor.as_fd())?;
        }
    }

    /// Takes as much as goes out now, and returns how much that was.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(tls) = &mut self.tls {
            let taken = tls.writer().write(bytes)?;
            self.flush_tls()?;
            return Ok(taken);
        }
        match net::send(&self.descriptor, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => Ok(sent),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends what TLS has ready.
    pub fn flush_tls(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => flush(tls, self.descriptor.as_fd()),
            None => Ok(()),
        }
    }

    /// Resets the connection as [`reset_on_close`](Self::reset_on_close) does, and keeps the socket for the next one: on the wire
    /// it is the same, and this machine saves the making of a socket for each handshake.
    pub fn reset(&mut self) -> io::Result<()> {
        self.tls = None;
        Ok(net::connect_unspec(&self.descriptor)?)
    }

    /// The next close resets the connection and leaves no port behind in TIME_WAIT.
    pub fn reset_on_close(&self) {
        // Where it fails the port is busy for a minute; the run goes on.
        let _ = sockopt::set_socket_linger(&self.descriptor, Some(std::time::Duration::ZERO));
    }
}

/// The port is chosen when the destination is known: a source port serves each destination once, not the whole machine once.
fn choose_port_late(socket: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option takes an int, and is given one with its size.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

fn flush(tls: &mut rustls::ClientConnection, socket: BorrowedFd<'_>) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut Plain(socket)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The bytes below TLS.
struct Plain<'a>(BorrowedFd<'a>);

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(net::recv(self.0, buffer, RecvFlags::empty())?.0)
    }
}

impl Write for Plain<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(net::send(self.0, bytes, SendFlags::NOSIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The address that connection number `index` comes from. One address has some 28,000 ports towards a relay; the loopback has
/// millions of addresses, other machines have those that `--source` names.
#[must_use]
pub fn source_of(index: usize, target: &Target, sources: &[IpAddr]) -> Option<IpAddr> {
    if !sources.is_empty() {
        return Some(sources[index % sources.len()]);
    }
    let far = index / PORTS;
    (far > 0 && target.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST))
        .then(|| IpAddr::V4(Ipv4Addr::new(127, 0, 0, (2 + far % 200) as u8)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_that_was_reset_connects_again_with_its_options() {
        let relay = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::parse(&format!("http://{}", relay.local_addr().unwrap())).unwrap();
        let mut socket = Socket::connect(&target, None, false).unwrap();
        for _ in 0..3 {
            let (mut connection, _) = relay.accept().unwrap();
            while socket.write(b"word").unwrap() == 0 {}
            let mut word = [0; 4];
            connection.read_exact(&mut word).unwrap();
            socket.reset().unwrap();
            assert_eq!(
                connection.read(&mut word).unwrap_err().kind(),
                io::ErrorKind::ConnectionReset
            );
            assert!(sockopt::tcp_nodelay(&socket).unwrap());
            socket.connect_again(&target).unwrap();
        }
    }
}
