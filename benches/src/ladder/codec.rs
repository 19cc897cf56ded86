//! Bytes to values and back: frames, client messages, publishes, events.

use std::hint::black_box;

use wire::ws::{Decoder, Input};
use wire::{client, publish, server, sse};

use super::{Rung, data};

pub(super) fn rungs() -> Vec<Rung> {
    let data = data();
    let publish_body = format!(r#"{{"channel":"events","event":"post.updated","data":{data}}}"#);
    let message = format!(r#"{{"type":"message","channel":"events","event":"typing","data":{data}}}"#);
    let mut draft = hookcast_load::frames::Draft::default();
    draft.payload().extend_from_slice(message.as_bytes());
    let frame = draft.finish(hookcast_load::frames::TEXT).to_vec();
    let (ws_data, sse_data) = (data.clone(), data);
    vec![
        Rung::new("codec", "encode a WebSocket message", 1, move || {
            black_box(server::message(
                "events",
                "post.updated",
                black_box(&ws_data),
                None,
            ));
        }),
        Rung::new("codec", "encode an SSE event", 1, move || {
            black_box(sse::message_v2(
                "events",
                "post.updated",
                black_box(&sse_data),
                Some("1.2.3"),
            ));
        }),
        Rung::new("codec", "decode a client's frame", 1, move || {
            // Unmasking happens in place, so each decoding needs its own copy.
            let mut bytes = frame.clone();
            let mut decoder = Decoder::new(1 << 20);
            let mut input = Input::new(&mut bytes);
            assert!(decoder.next(&mut input).expect("a sound frame").is_some());
        }),
        Rung::new("codec", "parse a client's message", 1, move || {
            black_box(client::parse(black_box(&message), 100).expect("a sound message"));
        }),
        Rung::new("codec", "parse a publish", 1, move || {
            black_box(publish::parse(black_box(publish_body.as_bytes())).expect("a sound publish"));
        }),
    ]
}
