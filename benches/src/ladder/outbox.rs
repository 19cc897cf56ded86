//! One connection's way out: frames queued, joined into slices, and written to a real socket.

use std::hint::black_box;
use std::io::{IoSlice, Read};
use std::net::{TcpListener, TcpStream};

use bytes::Bytes;
use hookcast::connection::outbox::{Arena, Frame, Outbox, OutboxLimits, SLICES_MAX};
use hookcast::connection::socket::{send, send_vectored};

use super::{Rung, data};

const LIMITS: OutboxLimits = OutboxLimits {
    bytes_max: 4 << 20,
    frames_max: 4096,
};

fn frame() -> Frame {
    Frame::new(wire::server::message("events", "post.updated", &data(), None))
}

pub(super) fn rungs() -> Vec<Rung> {
    let mut all: Vec<Rung> = [1, 8, 64].into_iter().map(queue).collect();
    all.extend([1, 8, 64].into_iter().map(connection));
    all
}

/// Queue, gather, take off: no socket.
fn queue(frames: u64) -> Rung {
    let (mut arena, mut outbox, frame) = (Arena::default(), Outbox::default(), frame());
    Rung::new("outbox", format!("{frames} frames"), frames, move || {
        for _ in 0..frames {
            outbox.push(&mut arena, black_box(&frame), LIMITS).expect("room");
        }
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = outbox.slices(&arena, &mut slices);
        let bytes = black_box(&slices[..count]).iter().map(|slice| slice.len()).sum();
        outbox.advance(&mut arena, bytes);
    })
}

/// The same into one connection on the loopback, whose other end reads it: both halves are paid for.
fn connection(frames: u64) -> Rung {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut reader = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    let (writer, _) = listener.accept().expect("a connection");
    writer.set_nodelay(true).expect("no delay");
    let (mut arena, mut outbox, frame) = (Arena::default(), Outbox::default(), frame());
    let mut buffer = vec![0; frames as usize * Bytes::from(frame.bytes().to_vec()).len()];
    Rung::new(
        "connection",
        format!("{frames} frames in one write"),
        frames,
        move || {
            for _ in 0..frames {
                outbox.push(&mut arena, black_box(&frame), LIMITS).expect("room");
            }
            while !outbox.is_empty() {
                let written = match outbox.single(&arena) {
                    Some(bytes) => send(&writer, bytes),
                    None => {
                        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                        let count = outbox.slices(&arena, &mut slices);
                        send_vectored(&writer, &slices[..count])
                    }
                };
                outbox.advance(&mut arena, written.expect("room in the socket"));
            }
            reader.read_exact(&mut buffer).expect("all of it arrives");
        },
    )
}
