//! What each fuzz target checks: a property that holds for any bytes, and panics where it does not.

use serde_json::Value;
use wire::ws::{Decoder, Event, Input};
use wire::{binary, channel, client, id, publish, server, sse};

/// Checks one input, and panics where it finds a mistake of ours.
pub type Body = fn(&[u8]);

/// Every target, by the name of its file and of its seeds' folder.
pub const TARGETS: [(&str, Body); 7] = [
    ("decoder", decoder),
    ("client", client),
    ("publish", publish),
    ("names", names),
    ("stream", stream),
    ("binary", binary),
    ("cursor", cursor),
];

const MESSAGE_BYTES_MAX: usize = 2048;
const LIST_MAX: usize = 8;
const SITE_ID: &str = "a1b2";

/// Where a client's bytes are cut, and where a session stops, changes nothing; no message is larger than it may be. The first
/// byte says how the rest is cut.
pub fn decoder(data: &[u8]) {
    let Some((&cut, bytes)) = data.split_first() else {
        return;
    };
    let whole = events(&[bytes], false);
    let pieces: Vec<&[u8]> = bytes.chunks(usize::from(cut % 64) + 1).collect();
    assert_eq!(
        events(&pieces, false),
        whole,
        "cut into pieces of {}",
        cut % 64 + 1
    );
    assert_eq!(events(&pieces, true), whole, "stopping after every event");
}

/// The events of one connection; the last one may say how it failed.
fn events(pieces: &[&[u8]], stop: bool) -> Vec<String> {
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut scratch = piece.to_vec();
        let mut input = Input::new(&mut scratch);
        loop {
            match decoder.next(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    let size = match event {
                        Event::Text(text) => text.len(),
                        Event::Binary(bytes) => bytes.len(),
                        Event::Ping(bytes) | Event::Pong(bytes) => bytes.len() + MESSAGE_BYTES_MAX - 125,
                        Event::Close(_, reason) => reason.len() + MESSAGE_BYTES_MAX - 123,
                    };
                    assert!(size <= MESSAGE_BYTES_MAX, "{event:?} is too large");
                    seen.push(format!("{event:?}"));
                }
                Err(error) => seen.push(format!("{error:?}")),
            }
            if stop {
                decoder.save_rest(&mut input);
            }
        }
        assert!(
            input.is_empty() && !decoder.has_saved(),
            "what was given was taken"
        );
    }
    seen
}

/// A message that is understood is the one that another JSON reader reads, and its lists are bounded.
pub fn client(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let parsed = client::parse(text, LIST_MAX);
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return;
    };
    match parsed {
        // Another reader builds numbers and strings where ours looks at their shape only, so it may refuse more, never less.
        Err(error) => assert_ne!(error.code(), "invalid_json", "{text}"),
        Ok(
            client::ClientMessage::Subscribe { channels, .. }
            | client::ClientMessage::Unsubscribe { channels },
        ) => {
            let all = value["channels"].as_array().expect("an array");
            assert_eq!(channels.names.len(), all.len().min(LIST_MAX));
            assert_eq!(channels.names.len() + channels.cut, all.len());
            assert!(
                channels
                    .names
                    .iter()
                    .zip(all)
                    .all(|(name, value)| same(name, value)),
                "{text}"
            );
        }
        Ok(client::ClientMessage::Message { channel, event, data }) => {
            assert!(
                same(&channel, &value["channel"]) && same(&event, &value["event"]),
                "{text}"
            );
            same_json(data, &value["data"]);
        }
        Ok(client::ClientMessage::Presence { channel, state }) => {
            assert!(same(&channel, &value["channel"]), "{text}");
            same_json(state.unwrap_or("null"), &value["state"]);
        }
        Ok(client::ClientMessage::Auth { token }) => assert!(same(&token, &value["token"]), "{text}"),
        Ok(client::ClientMessage::Unknown { kind }) => assert!(same(&kind, &value["type"]), "{text}"),
        Ok(client::ClientMessage::Ping | client::ClientMessage::Pong) => assert!(value.is_object()),
    }
}

/// A publish that is accepted is the one that another JSON reader reads; what is sent out of it is one message with the same
/// parts; a batch of it holds it.
pub fn publish(data: &[u8]) {
    let parsed = publish::parse(data);
    if let Ok(batch) = publish::parse_batch(data) {
        assert!(batch.len() <= publish::BATCH_MAX);
    }
    let in_batch = [b"[", data, b"]"].concat();
    if let Ok(parsed) = &parsed {
        let batch = publish::parse_batch(&in_batch).expect("an array of one object");
        assert_eq!(batch, [Ok(parsed.clone())]);
    }
    let (Ok(value), Ok(parsed)) = (serde_json::from_slice::<Value>(data), parsed) else {
        return;
    };
    assert!(same(&parsed.channel, &value["channel"]) && same(&parsed.event, &value["event"]));
    same_json(parsed.data, &value["data"]);

    let frame = server::message(&parsed.channel, &parsed.event, parsed.data, Some("r.0-1"));
    let sent: Value = serde_json::from_slice(payload(&frame)).expect("a message is JSON");
    assert_eq!(
        (&sent["channel"], &sent["event"], &sent["data"]),
        (&value["channel"], &value["event"], &value["data"])
    );
    one_event(
        &sse::message_v2(&parsed.channel, &parsed.event, parsed.data, None),
        1,
    );
    one_event(&sse::message_v1(&parsed.event, parsed.data, None), 2);
}

/// A name has one bare form, whichever way it is spelled, and never the form of another site's.
pub fn names(data: &[u8]) {
    let Ok(spelled) = str::from_utf8(data) else { return };
    if let Ok(bare) = channel::bare(spelled, SITE_ID, 64) {
        assert_eq!(channel::bare(bare, SITE_ID, 64), Ok(bare));
        assert_eq!(
            channel::bare(&format!("site:{SITE_ID}:{bare}"), SITE_ID, 64),
            Ok(bare)
        );
        assert!(
            !bare.is_empty()
                && bare.len() <= 64
                && !bare.starts_with("site:")
                && !bare.contains(char::is_control)
        );
        assert!(!bare.contains(['\r', '\n', '\0']));
    }
    if let Some(prefix) = channel::bare_prefix(spelled, SITE_ID) {
        assert!(spelled.ends_with(prefix) && !prefix.starts_with("site:"));
    }
    if channel::check_event(spelled, 128).is_ok() {
        assert!(!spelled.contains(['\r', '\n', '\0']) && !spelled.starts_with("wps."));
    }
}

/// Whatever the names and the data are, a stream's frame is one event with one line per field: nothing can be injected.
pub fn stream(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, '|');
    let (name, event, body) = (
        parts.next().unwrap_or(""),
        parts.next().unwrap_or(""),
        parts.next().unwrap_or("null"),
    );
    one_event(&sse::message_v1(event, body, Some("r.0-1")), 3);
    one_event(&sse::message_v2(name, event, body, Some("r.0-1")), 2);
    one_event(&sse::gap_v1(name), 2);
    one_event(&sse::gap_v2(name), 1);
    one_event(&sse::comment(name), 1);
}

/// A frame whose fields are, but for further `data` lines, exactly so many.
fn one_event(frame: &[u8], fields: usize) {
    let text = str::from_utf8(frame).expect("a stream is UTF-8");
    let body = text
        .strip_suffix("\n\n")
        .expect("an event ends with an empty line");
    assert!(!body.contains('\r'), "{text:?}");
    let lines: Vec<_> = body.split('\n').collect();
    assert!(
        lines.iter().all(|line| !line.is_empty()),
        "an empty line would end the event: {text:?}"
    );
    let names: Vec<_> = lines
        .iter()
        .map(|line| line.split(':').next().unwrap_or(""))
        .collect();
    let mut expected: Vec<_> = match fields {
        _ if body.starts_with(':') => vec![""],
        1 => vec!["data"],
        2 if body.starts_with("id") => vec!["id", "data"],
        2 => vec!["event", "data"],
        _ => vec!["id", "event", "data"],
    };
    expected.resize(names.len().max(expected.len()), "data");
    assert_eq!(names, expected, "{text:?}");
}

/// What is parsed builds the same bytes.
pub fn binary(data: &[u8]) {
    if let Ok(parsed) = binary::parse(data) {
        assert_eq!(
            binary::build(parsed.channel, parsed.payload).as_deref(),
            Some(data)
        );
    }
}

/// A cursor has one spelling.
pub fn cursor(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    if let Some(cursor) = id::Cursor::parse(text) {
        assert_eq!(cursor.to_string(), text);
        assert!(
            cursor
                .places()
                .iter()
                .all(|(home, seq)| cursor.at(*home) == Some(*seq))
        );
    }
    if let Some(id) = id::MessageId::parse(text) {
        assert_eq!(&*id.text(), text);
    }
}

fn same(name: &str, value: &Value) -> bool {
    value.as_str() == Some(name)
}

fn same_json(raw: &str, value: &Value) {
    let read: Value = serde_json::from_str(raw).expect("raw JSON");
    assert_eq!(&read, value, "{raw}");
}

/// The payload of an unmasked frame.
fn payload(frame: &[u8]) -> &[u8] {
    match frame[1] {
        126 => &frame[4..],
        127 => &frame[10..],
        _ => &frame[2..],
    }
}
