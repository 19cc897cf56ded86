//! The floor: the least that a server can do, so that what is left is what the kernel alone costs on this machine. No tokens,
//! no signatures, no JSON, no queues: what a socket does not take at once is lost to it.
//!
//! - A server's publish is answered, made into one frame, and sent by a plain loop of `send(2)` over all subscribers, whatever
//!   their channel. A relay cannot be cheaper on the same kernel, unless several frames leave in one write.
//! - What a member of a room says is unmasked where it lies and goes to its room as it is. Everything that woke the floor is
//!   read, one `recv(2)` a socket, before anything is written; then each socket gets all that is for it in one `send(2)`.
//!
//! In a closed loop it is no bound: it is done so soon that it finds few messages at once, where a server that takes longer finds
//! more, and writes more of them together.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags};

struct Client {
    socket: OwnedFd,
    /// The beginning of a request or frame of which the rest has not come.
    partial: Vec<u8>,
    audience: Audience,
    /// Frames of this round, for one write.
    out: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    None,
    Streams,
    /// A socket that has not said yet which channel it wants.
    Newcomer,
    /// A socket, and the number of its room.
    Member(usize),
}

#[derive(Default)]
struct Floor {
    /// By descriptor.
    clients: Vec<Option<Client>>,
    /// In the order of the sockets' creation, as a slab of connections would have them.
    subscribers: Vec<RawFd>,
    rooms: HashMap<Vec<u8>, usize>,
    members: Vec<Vec<RawFd>>,
    /// Who has something in its `out`.
    unsent: Vec<RawFd>,
}

/// The load sends nothing near it.
const PARTIAL_BYTES_MAX: usize = 1 << 20;

fn main() {
    let port: u16 = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("usage: floor PORT");
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    rustix::net::listen(&listener, 4096).expect("a longer queue");
    listener.set_nonblocking(true).expect("non-blocking");
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    epoll::add(
        &epoll,
        &listener,
        epoll::EventData::new_u64(u64::MAX),
        epoll::EventFlags::IN,
    )
    .expect("registered");
    println!("listening");
    let mut floor = Floor::default();
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; 65536];
    loop {
        rustix::io::retry_on_intr(|| epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None))
            .expect("events");
        for event in events.drain(..) {
            match usize::try_from(event.data.u64()) {
                Ok(place) if event.data.u64() != u64::MAX => floor.read(place, &mut buffer),
                _ => floor.accept(&listener, &epoll),
            }
        }
        floor.write();
    }
}

impl Floor {
    fn accept(&mut self, listener: &std::net::TcpListener, epoll: &OwnedFd) {
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).expect("non-blocking");
            stream.set_nodelay(true).expect("no delay");
            let socket = OwnedFd::from(stream);
            let place = place_of(socket.as_raw_fd());
            let data = epoll::EventData::new_u64(place as u64);
            epoll::add(epoll, &socket, data, epoll::EventFlags::IN).expect("registered");
            if self.clients.len() <= place {
                self.clients.resize_with(place + 1, || None);
            }
            self.clients[place] = Some(Client {
                socket,
                partial: Vec::new(),
                audience: Audience::None,
                out: Vec::new(),
            });
        }
    }

    fn read(&mut self, place: usize, buffer: &mut [u8]) {
        let Some(Some(client)) = self.clients.get_mut(place) else {
            return;
        };
        let taken = match rustix::net::recv(&client.socket, &mut *buffer, RecvFlags::DONTWAIT) {
            Ok((taken, _)) if taken > 0 => taken,
            Err(rustix::io::Errno::AGAIN) => return,
            _ => return self.remove(place),
        };
        let mut partial = std::mem::take(&mut client.partial);
        if partial.is_empty() {
            let used = self.take(place, &mut buffer[..taken]);
            partial.extend_from_slice(&buffer[used..taken]);
        } else {
            partial.extend_from_slice(&buffer[..taken]);
            let used = self.take(place, &mut partial);
            partial.drain(..used);
        }
        match self.clients.get_mut(place) {
            Some(Some(client)) if partial.len() <= PARTIAL_BYTES_MAX => client.partial = partial,
            _ => self.remove(place),
        }
    }

    /// Takes what is whole, and returns how many bytes that was.
    fn take(&mut self, place: usize, bytes: &mut [u8]) -> usize {
        let Some(Some(client)) = self.clients.get_mut(place) else {
            return bytes.len();
        };
        if client.audience == Audience::None {
            return self.request(place, bytes);
        }
        let mut used = 0;
        while let Some((frame, end)) = unmask(&mut bytes[used..]) {
            self.frame(place, frame);
            used += end;
        }
        used
    }

    fn frame(&mut self, place: usize, frame: &[u8]) {
        let Some(Some(client)) = self.clients.get_mut(place) else {
            return;
        };
        match client.audience {
            Audience::Member(room) => {
                for member in &self.members[room] {
                    let Some(Some(client)) = self.clients.get_mut(place_of(*member)) else {
                        continue;
                    };
                    if client.out.is_empty() {
                        self.unsent.push(*member);
                    }
                    client.out.extend_from_slice(frame);
                }
            }
            Audience::Newcomer => {
                let fd = client.socket.as_raw_fd();
                let number = self.members.len();
                let room = *self.rooms.entry(channel(frame).to_vec()).or_insert(number);
                if room == number {
                    self.members.push(Vec::new());
                }
                client.audience = Audience::Member(room);
                insert(&mut self.members[room], fd);
                insert(&mut self.subscribers, fd);
                send(client, b"\x81\x15{\"type\":\"subscribed\"}");
            }
            // No browser says anything there.
            Audience::Streams | Audience::None => {}
        }
    }

    /// Answers a whole request; a publish goes to all subscribers at once.
    fn request(&mut self, place: usize, bytes: &[u8]) -> usize {
        let Some(Some(client)) = self.clients.get_mut(place) else {
            return bytes.len();
        };
        let Some(end) = bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return 0;
        };
        let end = end + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let length = head
            .split_once("content-length:")
            .and_then(|(_, rest)| rest.split_once('\r'));
        let length: usize = length
            .and_then(|(digits, _)| digits.trim().parse().ok())
            .unwrap_or(0);
        let Some(body) = bytes.get(end..end + length) else {
            return 0;
        };
        if head.starts_with("post ") {
            send(
                client,
                b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}",
            );
            self.fan_out(body);
        } else if head.contains("text/event-stream") {
            client.audience = Audience::Streams;
            send(
                client,
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n\n",
            );
            let fd = client.socket.as_raw_fd();
            insert(&mut self.subscribers, fd);
        } else {
            client.audience = Audience::Newcomer;
            send(
                client,
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            );
        }
        end + length
    }

    fn fan_out(&self, body: &[u8]) {
        let message = [br#"{"type":"message","#, body.get(1..).unwrap_or_default()].concat();
        let mut frame = vec![0x81];
        match u16::try_from(message.len()) {
            Ok(length) if length < 126 => frame.push(length as u8),
            Ok(length) => {
                frame.push(126);
                frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                frame.push(127);
                frame.extend_from_slice(&(message.len() as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(&message);
        let event = [b"data: ", message.as_slice(), b"\n\n"].concat();
        for fd in &self.subscribers {
            let Some(Some(client)) = self.clients.get(place_of(*fd)) else {
                continue;
            };
            send(
                client,
                if client.audience == Audience::Streams {
                    &event
                } else {
                    &frame
                },
            );
        }
    }

    fn write(&mut self) {
        for fd in self.unsent.drain(..) {
            let Some(Some(client)) = self.clients.get_mut(place_of(fd)) else {
                continue;
            };
            send(client, &client.out);
            client.out.clear();
        }
    }

    fn remove(&mut self, place: usize) {
        let Some(client) = self.clients.get_mut(place).and_then(Option::take) else {
            return;
        };
        let fd = client.socket.as_raw_fd();
        remove(&mut self.subscribers, fd);
        if let Audience::Member(room) = client.audience {
            remove(&mut self.members[room], fd);
        }
    }
}

/// A full socket loses what it does not take: the floor has no queue.
fn send(client: &Client, bytes: &[u8]) {
    let _ = rustix::net::send(&client.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
}

fn place_of(fd: RawFd) -> usize {
    usize::try_from(fd).expect("an open descriptor")
}

fn insert(sorted: &mut Vec<RawFd>, fd: RawFd) {
    if let Err(place) = sorted.binary_search(&fd) {
        sorted.insert(place, fd);
    }
}

fn remove(sorted: &mut Vec<RawFd>, fd: RawFd) {
    if let Ok(place) = sorted.binary_search(&fd) {
        sorted.remove(place);
    }
}

/// The one channel of a `subscribe`.
fn channel(frame: &[u8]) -> &[u8] {
    const BEFORE: &[u8] = br#""channels":[""#;
    let from = frame
        .windows(BEFORE.len())
        .position(|bytes| bytes == BEFORE)
        .map_or(frame.len(), |at| at + BEFORE.len());
    let name = &frame[from..];
    &name[..name.iter().position(|byte| *byte == b'"').unwrap_or(name.len())]
}

/// Makes a browser's frame into a server's where it lies: that one's head is the same without the mask, four bytes shorter.
/// Returns it and where the next frame begins; None if it is not there whole.
fn unmask(bytes: &mut [u8]) -> Option<(&[u8], usize)> {
    let (head, length) = match *bytes.get(1)? & 0x7f {
        126 => (8, u64::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (14, u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)),
        short => (6, u64::from(short)),
    };
    let end = usize::try_from(length).ok()?.checked_add(head)?;
    let (front, payload) = bytes.get_mut(..end)?.split_at_mut(head);
    let mask: [u8; 4] = *front.last_chunk()?;
    let mut words = payload.chunks_exact_mut(4);
    for word in words.by_ref() {
        for (byte, mask) in word.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
    for (byte, mask) in words.into_remainder().iter_mut().zip(mask) {
        *byte ^= mask;
    }
    front[1] &= 0x7f;
    front.copy_within(..head - 4, 4);
    Some((&bytes[4..end], end))
}
