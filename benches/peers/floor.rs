//! The floor: the least that a server can do for a fan-out. Every connection is a subscriber of the one channel; a publish
//! is answered, made into one frame, and sent by a plain loop of `send(2)` over all sockets. No tokens, no signatures, no
//! JSON, no queues: what a socket does not take at once is lost to it.
//!
//! A relay cannot be cheaper than this on the same kernel, unless several frames leave in one write.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags};

struct Client {
    socket: OwnedFd,
    request: Vec<u8>,
    audience: Audience,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    None,
    Sockets,
    Streams,
}

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
    let mut clients: HashMap<RawFd, Client> = HashMap::new();
    // In the order of the sockets' creation, as a slab of connections would have them.
    let mut order: Vec<RawFd> = Vec::new();
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; 65536];
    loop {
        rustix::io::retry_on_intr(|| epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None))
            .expect("events");
        for event in events.drain(..) {
            if event.data.u64() == u64::MAX {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true).expect("non-blocking");
                    stream.set_nodelay(true).expect("no delay");
                    let socket = OwnedFd::from(stream);
                    let fd = socket.as_raw_fd();
                    let data = epoll::EventData::new_u64(u64::from(fd.unsigned_abs()));
                    epoll::add(&epoll, &socket, data, epoll::EventFlags::IN).expect("registered");
                    clients.insert(
                        fd,
                        Client {
                            socket,
                            request: Vec::new(),
                            audience: Audience::None,
                        },
                    );
                }
                continue;
            }
            let fd = RawFd::try_from(event.data.u64()).expect("a descriptor");
            let Some(client) = clients.get_mut(&fd) else {
                continue;
            };
            match rustix::net::recv(&client.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((taken, _)) if taken > 0 => client.request.extend_from_slice(&buffer[..taken]),
                Err(rustix::io::Errno::AGAIN) => continue,
                _ => {
                    clients.remove(&fd);
                    order.retain(|other| *other != fd);
                    continue;
                }
            }
            if client.audience != Audience::None {
                // Whatever a subscriber says, it is not for the floor.
                client.request.clear();
                continue;
            }
            let before = client.audience;
            let publish = serve(client);
            if client.audience != before {
                order.push(fd);
                order.sort_unstable();
            }
            if let Some(body) = publish {
                fan_out(&clients, &order, &body);
            }
        }
    }
}

/// Answers a whole request; returns the body of a publish.
fn serve(client: &mut Client) -> Option<Vec<u8>> {
    let end = client.request.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&client.request[..end]).to_ascii_lowercase();
    let length = head
        .split_once("content-length:")
        .and_then(|(_, rest)| rest.split_once('\r'));
    let length: usize = length
        .and_then(|(digits, _)| digits.trim().parse().ok())
        .unwrap_or(0);
    if client.request.len() < end + length {
        return None;
    }
    let body = client.request[end..end + length].to_vec();
    client.request.clear();
    let answer: &[u8] = if head.starts_with("post ") {
        b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"ok\":true}"
    } else if head.contains("text/event-stream") {
        client.audience = Audience::Streams;
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n:\n\n"
    } else {
        client.audience = Audience::Sockets;
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x15{\"type\":\"subscribed\"}"
    };
    rustix::net::send(&client.socket, answer, SendFlags::NOSIGNAL).ok()?;
    (head.starts_with("post ")).then_some(body)
}

fn fan_out(clients: &HashMap<RawFd, Client>, order: &[RawFd], body: &[u8]) {
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
    for fd in order {
        let Some(client) = clients.get(fd) else { continue };
        let bytes = if client.audience == Audience::Streams {
            &event
        } else {
            &frame
        };
        // A full socket loses its frame: the floor has no queue.
        let _ = rustix::net::send(&client.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}
