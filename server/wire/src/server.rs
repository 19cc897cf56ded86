//! Every text message that the relay sends to a socket, as complete WebSocket frames that all recipients share, and the
//! `data` of the messages that the relay makes itself (which streams carry too).

use bytes::Bytes;

use crate::json;
use crate::ws::{Head, Opcode};

/// The event of presence messages.
pub const PRESENCE_EVENT: &str = "wps.presence";
/// The event of connection counts, on [`crate::channel::CONNECTIONS`].
pub const CONNECTIONS_EVENT: &str = "wps.connections";
/// The event that tells a stream of a gap in what it was sent.
pub const GAP_EVENT: &str = "wps.gap";

/// A message of a channel. `data` is raw JSON and is passed on byte for byte; `id` only for sockets that asked for ids.
///
/// The hot path of a publish: its size is computed first, so that it is written into one allocation.
pub fn message(channel: &str, event: &str, data: &str, id: Option<&str>) -> Bytes {
    const TYPE: &[u8] = br#"{"type":"message""#;
    const ID: &[u8] = br#","id":""#;
    const CHANNEL: &[u8] = br#","channel":"#;
    const EVENT: &[u8] = br#","event":"#;
    const DATA: &[u8] = br#","data":"#;
    let id_len = id.map_or(0, |id| ID.len() + id.len() + 1);
    let names_len = CHANNEL.len() + json::string_len(channel) + EVENT.len() + json::string_len(event);
    let body_len = TYPE.len() + id_len + names_len + DATA.len() + data.len() + 1;
    frame(body_len, |out| {
        out.extend_from_slice(TYPE);
        if let Some(id) = id {
            out.extend_from_slice(ID);
            out.extend_from_slice(id.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(CHANNEL);
        json::string(out, channel);
        out.extend_from_slice(EVENT);
        json::string(out, event);
        out.extend_from_slice(DATA);
        out.extend_from_slice(data.as_bytes());
        out.push(b'}');
    })
}

/// `subscribed`: the accepted channels as they were spelled.
pub fn subscribed<'a>(channels: impl IntoIterator<Item = &'a str>) -> Bytes {
    channel_list("subscribed", channels)
}

pub fn unsubscribed<'a>(channels: impl IntoIterator<Item = &'a str>) -> Bytes {
    channel_list("unsubscribed", channels)
}

fn channel_list<'a>(kind: &str, channels: impl IntoIterator<Item = &'a str>) -> Bytes {
    let mut body = format!(r#"{{"type":"{kind}","channels":["#).into_bytes();
    let empty = body.len();
    for channel in channels {
        if body.len() > empty {
            body.push(b',');
        }
        json::string(&mut body, channel);
    }
    body.extend_from_slice(b"]}");
    text(&body)
}

/// `error`: a stable code, a sentence, and the channel it is about as the client spelled it.
pub fn error(code: &str, message: &str, channel: Option<&str>) -> Bytes {
    let mut body = br#"{"type":"error","code":"#.to_vec();
    json::string(&mut body, code);
    body.extend_from_slice(br#","message":"#);
    json::string(&mut body, message);
    if let Some(channel) = channel {
        body.extend_from_slice(br#","channel":"#);
        json::string(&mut body, channel);
    }
    body.push(b'}');
    text(&body)
}

/// `auth_ok` with the fresh token's end in Unix seconds.
pub fn auth_ok(exp_s: u64) -> Bytes {
    text(format!(r#"{{"type":"auth_ok","exp":{exp_s}}}"#).as_bytes())
}

/// The relay's own heartbeat: the same bytes for everyone.
pub const fn ping() -> Bytes {
    Bytes::from_static(b"\x81\x0f{\"type\":\"ping\"}")
}

/// The answer to a client that sends `{"type":"ping"}` of its own.
pub const fn pong() -> Bytes {
    Bytes::from_static(b"\x81\x0f{\"type\":\"pong\"}")
}

/// The channel's memory no longer reaches back to what the client asked for.
pub fn gap(channel: &str) -> Bytes {
    let mut body = br#"{"type":"gap","channel":"#.to_vec();
    json::string(&mut body, channel);
    body.push(b'}');
    text(&body)
}

/// `data` of [`PRESENCE_EVENT`]: a member came or changed its state. `state` is the raw JSON object it sent.
pub fn presence_join(id: &str, state: &str) -> String {
    member(r#"{"action":"join","id":"#, id, Some(state))
}

/// `data` of [`PRESENCE_EVENT`]: a member left.
pub fn presence_leave(id: &str) -> String {
    member(r#"{"action":"leave","id":"#, id, None)
}

/// `data` of [`PRESENCE_EVENT`]: all members, for a subscriber that has just come.
pub fn presence_sync<'a>(members: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut data = String::from(r#"{"action":"sync","members":["#);
    for (place, (id, state)) in members.into_iter().enumerate() {
        let start = if place == 0 { r#"{"id":"# } else { r#",{"id":"# };
        data.push_str(&member(start, id, Some(state)));
    }
    data.push_str("]}");
    data
}

fn member(start: &str, id: &str, state: Option<&str>) -> String {
    let mut data =
        Vec::with_capacity(start.len() + json::string_len(id) + state.map_or(0, |state| state.len() + 9) + 1);
    data.extend_from_slice(start.as_bytes());
    json::string(&mut data, id);
    if let Some(state) = state {
        data.extend_from_slice(br#","state":"#);
        data.extend_from_slice(state.as_bytes());
    }
    data.push(b'}');
    String::from_utf8(data).expect("JSON text made of str")
}

/// `data` of [`CONNECTIONS_EVENT`]; a `connections_max` of 0 means that no limit is set.
pub fn connections(active: u64, connections_max: u64) -> String {
    format!(r#"{{"active_connections":{active},"max_connections":{connections_max}}}"#)
}

fn text(body: &[u8]) -> Bytes {
    crate::ws::text_frame(body)
}

/// A text frame whose body `write` appends; `body_len` must be exact.
fn frame(body_len: usize, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let head = Head::new(Opcode::Text, body_len);
    let mut out = Vec::with_capacity(head.len() + body_len);
    out.extend_from_slice(&head);
    write(&mut out);
    debug_assert_eq!(
        out.len(),
        head.len() + body_len,
        "the computed size of a message is its size"
    );
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// The JSON text of a complete, final, unmasked text frame.
    fn body(frame: &[u8]) -> &str {
        let (head, body) = match frame {
            [0x81, 126, high, low, body @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), body),
            [0x81, 127, rest @ ..] => {
                let (len, body) = rest.split_first_chunk().unwrap();
                (u64::from_be_bytes(*len) as usize, body)
            }
            [0x81, len, body @ ..] => (usize::from(*len), body),
            other => panic!("not a text frame: {other:?}"),
        };
        assert_eq!(head, body.len(), "the head's length is the body's");
        str::from_utf8(body).unwrap()
    }

    fn value(frame: &[u8]) -> Value {
        serde_json::from_str(body(frame)).unwrap()
    }

    #[test]
    fn a_message_reads_as_the_protocol_writes_it() {
        assert_eq!(
            body(&message("events", "post.updated", r#"{"post_id": 42}"#, None)),
            r#"{"type":"message","channel":"events","event":"post.updated","data":{"post_id": 42}}"#
        );
        assert_eq!(
            body(&message("c", "e", "null", Some("a.0-1"))),
            r#"{"type":"message","id":"a.0-1","channel":"c","event":"e","data":null}"#
        );
    }

    #[test]
    fn heartbeats_are_complete_frames() {
        assert_eq!(body(&ping()), r#"{"type":"ping"}"#);
        assert_eq!(body(&pong()), r#"{"type":"pong"}"#);
    }

    #[test]
    fn answers_read_as_the_protocol_writes_them() {
        assert_eq!(
            body(&subscribed(["a", "b\""])),
            r#"{"type":"subscribed","channels":["a","b\""]}"#
        );
        assert_eq!(body(&subscribed([])), r#"{"type":"subscribed","channels":[]}"#);
        assert_eq!(
            body(&unsubscribed(["a"])),
            r#"{"type":"unsubscribed","channels":["a"]}"#
        );
        assert_eq!(
            body(&auth_ok(1_700_000_000)),
            r#"{"type":"auth_ok","exp":1700000000}"#
        );
        assert_eq!(body(&gap("a")), r#"{"type":"gap","channel":"a"}"#);
        assert_eq!(
            body(&error("forbidden", "no", Some("a\u{1}"))),
            r#"{"type":"error","code":"forbidden","message":"no","channel":"a\u0001"}"#
        );
        assert_eq!(
            body(&error("invalid_json", "no", None)),
            r#"{"type":"error","code":"invalid_json","message":"no"}"#
        );
    }

    #[test]
    fn presence_and_counts_read_as_the_protocol_writes_them() {
        assert_eq!(
            presence_join("1-a", r#"{"n":1}"#),
            r#"{"action":"join","id":"1-a","state":{"n":1}}"#
        );
        assert_eq!(presence_leave("1-a"), r#"{"action":"leave","id":"1-a"}"#);
        assert_eq!(presence_sync([]), r#"{"action":"sync","members":[]}"#);
        assert_eq!(
            presence_sync([("a", "{}"), ("b", r#"{"x":0}"#)]),
            r#"{"action":"sync","members":[{"id":"a","state":{}},{"id":"b","state":{"x":0}}]}"#
        );
        assert_eq!(
            connections(3, 0),
            r#"{"active_connections":3,"max_connections":0}"#
        );
    }

    proptest! {
        #[test]
        fn any_names_and_data_make_one_message(channel: String, event: String, text in "\\PC{0,70}", repeat in 0usize..1200, id in prop::option::of("[a-z.]{1,9}")) {
            let data = json!({ "text": text.repeat(repeat) });
            let raw = data.to_string();
            let frame = message(&channel, &event, &raw, id.as_deref());
            let mut expected = json!({ "type": "message", "channel": channel, "event": event, "data": data });
            if let Some(id) = id {
                expected["id"] = id.into();
            }
            prop_assert_eq!(value(&frame), expected);
            prop_assert!(body(&frame).contains(&raw), "the data is the bytes that were published");
        }
    }
}
