//! A relay of a few lines, with a fault to order. A thread for each connection; one lock for all subscribers, so that its
//! order is beyond doubt.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What goes wrong, once, for one subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    Drop,
    /// From there on the subscriber gets nothing: no later message shows the hole.
    DropLast,
    Duplicate,
    Reorder,
    /// A message is changed into one for another channel.
    Leak,
    /// The subscriber is closed with 4001.
    Close,
    /// A publish is refused with 429.
    Refuse,
    /// Every socket is, with 503.
    Unavailable,
}

/// The message that the fault hits: late enough for all to be subscribed, early enough for any run.
const FAULTY: usize = 20;

struct Subscriber {
    socket: TcpStream,
    channel: String,
    stream: bool,
}

struct State {
    fault: Fault,
    subscribers: Vec<Subscriber>,
    published: usize,
    held: Option<Vec<u8>>,
}

pub struct StandIn {
    address: SocketAddr,
}

impl StandIn {
    pub fn start(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            fault,
            subscribers: Vec::new(),
            published: 0,
            held: None,
        }));
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let state = Arc::clone(&state);
                // A client that is gone ends its thread; nobody waits for it.
                thread::spawn(move || drop(serve(&state, socket)));
            }
        });
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(state: &Mutex<State>, mut socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket.try_clone()?);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        if let Some(query) = request.strip_prefix("GET /sse?channels=") {
            let channel = query.split(' ').next().unwrap_or_default().to_owned();
            socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n:\n\n\r\n")?;
            state.lock().expect("sound").subscribers.push(Subscriber {
                socket,
                channel,
                stream: true,
            });
            return Ok(());
        }
        if state.lock().expect("sound").fault == Fault::Unavailable {
            return socket.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        }
        if request.starts_with("GET /ws ") {
            socket.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
            return session(state, socket, reader);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let accepted = state.lock().expect("sound").publish(&body);
        let answer: &[u8] = match accepted {
            true => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            false => b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}",
        };
        socket.write_all(answer)?;
    }
}

fn session(state: &Mutex<State>, socket: TcpStream, mut reader: BufReader<TcpStream>) -> std::io::Result<()> {
    loop {
        let mut head = [0; 2];
        reader.read_exact(&mut head)?;
        assert_eq!(head[1] & 0x80, 0x80, "a client masks its frames");
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                reader.read_exact(&mut length)?;
                usize::from(u16::from_be_bytes(length))
            }
            short => usize::from(short),
        };
        let mut mask = [0; 4];
        reader.read_exact(&mut mask)?;
        let mut payload = vec![0; length];
        reader.read_exact(&mut payload)?;
        payload
            .iter_mut()
            .zip(mask.iter().cycle())
            .for_each(|(byte, mask)| *byte ^= mask);
        let message: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
        let mut state = state.lock().expect("sound");
        if message["type"] == "subscribe" {
            let channel = message["channels"][0].as_str().expect("a channel").to_owned();
            let mut socket = socket.try_clone()?;
            socket.write_all(&frame(br#"{"type":"subscribed","channels":[]}"#))?;
            state.subscribers.push(Subscriber {
                socket,
                channel,
                stream: false,
            });
        } else if message["type"] == "message" {
            state.publish(format!("{{{}", &String::from_utf8_lossy(&payload)[18..]).as_bytes());
        }
    }
}

impl State {
    fn publish(&mut self, body: &[u8]) -> bool {
        self.published += 1;
        let now = self.published == FAULTY;
        if now && self.fault == Fault::Refuse {
            return false;
        }
        let value: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        let message = [br#"{"type":"message","#, &body[1..]].concat();
        let mut first = true;
        for subscriber in &mut self.subscribers {
            if value["channel"] != subscriber.channel.as_str() {
                continue;
            }
            let faulty = std::mem::take(&mut first);
            let mut sent = vec![message.clone()];
            match self.fault {
                Fault::Drop if faulty && now => sent.clear(),
                Fault::DropLast if faulty && self.published >= FAULTY => sent.clear(),
                Fault::Duplicate if faulty && now => sent.push(message.clone()),
                Fault::Reorder if faulty && now => {
                    self.held = Some(message.clone());
                    sent.clear();
                }
                Fault::Reorder if faulty => sent.extend(self.held.take()),
                Fault::Leak if faulty && now => sent = vec![of_another_channel(&message)],
                Fault::Close if faulty && now => {
                    drop(subscriber.socket.write_all(b"\x88\x02\x0f\xa1"));
                    continue;
                }
                _ => {}
            }
            for message in sent {
                let bytes = match subscriber.stream {
                    true => {
                        let event = [b"id: 1\ndata: ", message.as_slice(), b"\n\n"].concat();
                        [format!("{:x}\r\n", event.len()).as_bytes(), &event, b"\r\n"].concat()
                    }
                    false => frame(&message),
                };
                // The load test leaves at its end without a word.
                drop(subscriber.socket.write_all(&bytes));
            }
        }
        true
    }
}

/// The stamp's second word, after `hc!` and the run's tag, says which channel the message is of.
fn of_another_channel(message: &[u8]) -> Vec<u8> {
    let mut changed = message.to_vec();
    let place = message
        .windows(3)
        .position(|bytes| bytes == b"hc!")
        .expect("a stamp");
    changed[place + 3 + 15] = b'7';
    changed
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81];
    match payload.len() {
        length @ 0..126 => out.push(length as u8),
        length => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
    out
}
