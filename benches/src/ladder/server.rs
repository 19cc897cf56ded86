//! The top rung: a whole relay, a signed publish over HTTP, and its delivery to one WebSocket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use hookcast_load::dialect::{Dialect, Kind, Subscription};
use hookcast_load::frames::{self, Step};
use hookcast_load::http::{self, Answer};
use hookcast_load::site::{Credentials, Site};
use hookcast_load::stamp::Stamp;
use hookcast_load::target::Target;
use testkit::Options;

use super::Rung;

/// One publish and its delivery, one after the other. `program` is the relay.
#[must_use]
pub fn whole_server(program: &Path) -> Rung {
    let relay = Options::new(program)
        .workers(1)
        .config("limits.publishes_per_second = 0")
        .start();
    let site = relay.add_site("https://bench.example");
    let credentials = Credentials {
        site_key: site.key.clone(),
        publish_secret: site.publish_secret.clone(),
        jwt_secret: site.jwt_secret.clone(),
    };
    let dialect = Dialect::Hookcast(Box::new(Site::new(&credentials)));
    let target = Target::parse(&relay.url()).expect("the relay's own address");
    let mut subscriber = subscribe(&dialect, &target);
    let mut publisher = TcpStream::connect(target.address).expect("a connection");
    publisher.set_nodelay(true).expect("no delay");
    let (mut received, mut answers, mut number) = (Vec::new(), Vec::new(), 0);
    Rung::new("server", "publish to delivery", 1, move || {
        let _running = &relay;
        let stamp = Stamp {
            run: 1,
            part: 0,
            channel: 0,
            stream: 0,
            number,
            order: number,
            settled: 0,
            at: u64::from(number),
        };
        number += 1;
        publisher
            .write_all(&dialect.publish(&target, "events", &stamp, 256))
            .expect("sent");
        while !delivered(&mut received, &stamp) {
            more(&mut subscriber, &mut received);
        }
        let whole = |answers: &[u8]| match http::head(answers) {
            Answer::Head(head) => answers.len() >= head.bytes + head.content_length.unwrap_or(0),
            _ => false,
        };
        while !whole(&answers) {
            more(&mut publisher, &mut answers);
        }
        answers.clear();
    })
}

fn subscribe(dialect: &Dialect, target: &Target) -> TcpStream {
    let subscription = Subscription {
        channel: "events",
        user: 1,
        kind: Kind::WebSocket,
        since: None,
        ids: false,
        publishes: false,
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let mut socket = TcpStream::connect(target.address).expect("a connection");
    let request = dialect.open(target, &subscription, now.as_secs(), 3600);
    socket.write_all(request.as_bytes()).expect("sent");
    let (opcode, payload) = dialect.greet(&subscription).expect("a subscribe message");
    let mut draft = frames::Draft::default();
    draft.payload().extend_from_slice(&payload);
    socket.write_all(draft.finish(opcode)).expect("sent");
    let mut bytes = Vec::new();
    while memchr::memmem::find(&bytes, b"\"subscribed\"").is_none() {
        more(&mut socket, &mut bytes);
    }
    socket
}

fn more(socket: &mut TcpStream, bytes: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    let read = socket.read(&mut buffer).expect("bytes");
    assert!(read > 0, "the relay ended the connection");
    bytes.extend_from_slice(&buffer[..read]);
}

/// Whether the message is among the whole frames that came; those are taken out.
fn delivered(bytes: &mut Vec<u8>, stamp: &Stamp) -> bool {
    while let Step::Frame { payload, .. } = frames::next(bytes) {
        let found = Stamp::find(&bytes[payload.clone()], &mut 0);
        bytes.drain(..payload.end);
        if found.as_ref() == Some(stamp) {
            return true;
        }
    }
    false
}
