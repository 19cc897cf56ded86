//! A reader that stalls costs itself: it is closed, and its channel, its shard and the publisher do not notice.

use crate::{options, with_site};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use testkit::{Frame, Relay, Site, Ws, http};

const MESSAGES: u32 = 120;
const MESSAGE_BYTES: usize = 100_000;
const OUTBOX_BYTES: usize = 512 * 1024;

fn relay() -> (Relay, Site) {
    with_site(options().config(&format!(
        "limits.outbox_bytes_max = {OUTBOX_BYTES}\nlimits.publishes_per_second = 0\nsession.client_silence_ms = 600000"
    )))
}

/// Enough to fill the outbox and all that the kernel buffers, more than once.
fn publish_all(relay: &Relay, site: &Site, to_each: impl FnMut(u32)) {
    let padding = "x".repeat(MESSAGE_BYTES);
    let mut to_each = to_each;
    for number in 0..MESSAGES {
        relay.published(site, "events", "e", &json!([number, padding]).to_string());
        to_each(number);
    }
}

#[test]
fn a_stalled_socket_is_closed_and_others_get_everything() {
    let (relay, site) = relay();
    let path = format!("/ws?token={}", site.token().v1().sign());
    let mut stalled = Ws::open(relay.address(), &path);
    stalled.subscribe(&["events"]);
    let mut reader = relay.ws(&site.token().v1());
    reader.subscribe(&["events"]);
    publish_all(&relay, &site, |number| {
        let message = reader.text();
        assert_eq!(message["data"][0], number, "lost or out of order");
    });
    // The relay has let go of it although it never read nor closed.
    relay.wait_for_connections(&site, 1);

    // What the kernel still held is a beginning of the channel without a hole, and the end says why, if it got through.
    let mut next = 0;
    loop {
        match stalled.frame() {
            Frame::Text(message) => {
                assert_eq!(message["data"][0], next, "a hole in what the stalled reader got");
                next += 1;
            }
            Frame::Close(code, reason) => {
                assert_eq!(code, 1013);
                assert!(!reason.is_empty(), "no reason");
                break;
            }
            Frame::Gone => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(next < MESSAGES, "nothing was stalled: the test shows nothing");
    reader.publish("events", "after", Value::Null);
    reader.expect_message("events", "after", &Value::Null);
}

#[test]
fn a_stalled_stream_is_ended() {
    let (relay, site) = relay();
    let mut stalled = http::connect(relay.address()).expect("a connection");
    let token = site.token().v1().sign();
    write!(
        stalled,
        "GET /sse?token={token}&channels=events HTTP/1.1\r\nHost: relay\r\n\r\n"
    )
    .expect("sent");
    relay.wait_for_connections(&site, 1);
    let mut reader = relay.sse(&site.token().v1(), &["events"]);
    publish_all(&relay, &site, |number| {
        assert_eq!(reader.json()[0], number, "lost or out of order");
    });
    relay.wait_for_connections(&site, 1);
    let mut rest = Vec::new();
    // A reset says as well as an end that the stream is over.
    let _reset = stalled.read_to_end(&mut rest);
    assert!(
        rest.len() < MESSAGES as usize * MESSAGE_BYTES,
        "nothing was stalled: the test shows nothing"
    );
}

#[test]
fn many_stalled_readers_keep_memory_flat() {
    let (relay, site) = relay();
    let path = format!("/ws?token={}", site.token().v1().sign());
    let stalled: Vec<Ws> = (0..20)
        .map(|_| {
            let mut socket = Ws::open(relay.address(), &path);
            socket.subscribe(&["events"]);
            socket
        })
        .collect();
    let mut reader = relay.ws(&site.token().v1());
    reader.subscribe(&["events"]);
    let before = resident_bytes(relay.pid());
    let mut most = 0;
    publish_all(&relay, &site, |number| {
        assert_eq!(reader.text()["data"][0], number);
        most = most.max(resident_bytes(relay.pid()));
    });
    relay.wait_for_connections(&site, 1);
    // Frames are shared: all outboxes together hold about one outbox' worth of bytes, and recovery its 64 messages.
    let allowed = before + 64 * 1024 * 1024;
    assert!(most < allowed, "{most} bytes in use, {before} before");
    drop(stalled);
}

fn resident_bytes(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the relay runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("a resident size");
    let kilobytes: usize = line
        .split_whitespace()
        .nth(1)
        .expect("a number")
        .parse()
        .expect("a number");
    kilobytes * 1024
}
