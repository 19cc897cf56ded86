//! Server-Sent Events (WHATWG HTML, "Server-sent events"): frames of a stream.
//!
//! Names and data never end a line early: data is split into `data:` lines at every line break that the format knows, and in
//! names a line break (which no accepted name has) becomes a space. So nobody's content can begin a field of its own.

use bytes::Bytes;

use crate::json;
use crate::server::GAP_EVENT;

/// A version-1 message: a named event with the data alone.
pub fn message_v1(event: &str, data: &str, id: Option<&str>) -> Bytes {
    let capacity = id.map_or(0, |id| id.len() + 5) + event.len() + data.len() + 24;
    let mut out = Vec::with_capacity(capacity);
    put_id(&mut out, id);
    field(&mut out, "event", event);
    put_data(&mut out, data.as_bytes());
    out.push(b'\n');
    Bytes::from(out)
}

/// A version-2 message: an unnamed event whose data names event and channel.
pub fn message_v2(channel: &str, event: &str, data: &str, id: Option<&str>) -> Bytes {
    const NAMES_LEN: usize = r#"data: {"event":,"channel":,"data":}"#.len() + 2;
    let names_len = NAMES_LEN + json::string_len(channel) + json::string_len(event);
    let mut out = Vec::with_capacity(id.map_or(0, |id| id.len() + 5) + names_len + data.len());
    put_id(&mut out, id);
    out.extend_from_slice(br#"data: {"event":"#);
    json::string(&mut out, event);
    out.extend_from_slice(br#","channel":"#);
    json::string(&mut out, channel);
    out.extend_from_slice(br#","data":"#);
    put_lines(&mut out, data.as_bytes());
    out.extend_from_slice(b"}\n\n");
    Bytes::from(out)
}

/// An event that has only an id: browsers store it as their `Last-Event-ID` and dispatch nothing.
pub fn cursor(id: &str) -> Bytes {
    let mut out = Vec::with_capacity(id.len() + 6);
    put_id(&mut out, Some(id));
    out.push(b'\n');
    Bytes::from(out)
}

/// A version-1 stream learns of a gap by name.
pub fn gap_v1(channel: &str) -> Bytes {
    let mut data = br#"{"channel":"#.to_vec();
    json::string(&mut data, channel);
    data.push(b'}');
    let mut out = Vec::with_capacity(data.len() + 32);
    field(&mut out, "event", GAP_EVENT);
    put_data(&mut out, &data);
    out.push(b'\n');
    Bytes::from(out)
}

pub fn gap_v2(channel: &str) -> Bytes {
    message_v2(channel, GAP_EVENT, "{}", None)
}

/// How long the browser waits before it connects again after this stream has ended.
pub fn retry(ms: u64) -> Bytes {
    Bytes::from(format!("retry: {ms}\n\n"))
}

/// A line that browsers ignore: what a stream begins with and is kept alive with.
pub fn comment(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + 4);
    out.extend_from_slice(b": ");
    out.extend(text.bytes().map(one_line));
    out.extend_from_slice(b"\n\n");
    Bytes::from(out)
}

fn put_id(out: &mut Vec<u8>, id: Option<&str>) {
    if let Some(id) = id {
        field(out, "id", id);
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(one_line));
    out.push(b'\n');
}

fn one_line(byte: u8) -> u8 {
    if matches!(byte, b'\r' | b'\n' | 0) {
        b' '
    } else {
        byte
    }
}

fn put_data(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    put_lines(out, data);
    out.push(b'\n');
}

/// The rest of a `data:` line; where the data has a line break (LF, CR or CRLF), another `data:` line follows. JSON has raw
/// line breaks between its tokens only, so what the browser puts together again (with LF) is the same value.
fn put_lines(out: &mut Vec<u8>, mut data: &[u8]) {
    while let Some(end) = data.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        out.extend_from_slice(&data[..end]);
        out.extend_from_slice(b"\ndata: ");
        let crlf = data[end..].starts_with(b"\r\n");
        data = &data[end + 1 + usize::from(crlf)..];
    }
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What a browser dispatches: the event's name, its data, and the last event id after it (WHATWG HTML, 9.2.6).
    fn dispatched(stream: &str) -> Vec<(String, String, String)> {
        let (mut id, mut event, mut data) = (String::new(), String::new(), String::new());
        let mut seen = Vec::new();
        for line in stream.replace("\r\n", "\n").split(['\n', '\r']) {
            if line.is_empty() {
                if !data.is_empty() {
                    data.pop();
                    seen.push((std::mem::take(&mut event), std::mem::take(&mut data), id.clone()));
                }
                (event, data) = (String::new(), String::new());
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" if !value.contains('\0') => value.clone_into(&mut id),
                "event" => value.clone_into(&mut event),
                "data" => {
                    data.push_str(value);
                    data.push('\n');
                }
                _ => {}
            }
        }
        seen
    }

    fn text(frame: &Bytes) -> &str {
        str::from_utf8(frame).unwrap()
    }

    #[test]
    fn messages_read_as_the_protocol_writes_them() {
        assert_eq!(
            text(&message_v1("post.updated", r#"{"n":1}"#, Some("a.0-1"))),
            "id: a.0-1\nevent: post.updated\ndata: {\"n\":1}\n\n"
        );
        assert_eq!(
            text(&message_v2("c", "e", "null", Some("a.0-1"))),
            "id: a.0-1\ndata: {\"event\":\"e\",\"channel\":\"c\",\"data\":null}\n\n"
        );
        assert_eq!(text(&message_v1("e", "1", None)), "event: e\ndata: 1\n\n");
        assert_eq!(text(&cursor("a.0-1.1-2")), "id: a.0-1.1-2\n\n");
        assert_eq!(text(&retry(1500)), "retry: 1500\n\n");
        assert_eq!(text(&comment("hello\nevent: x")), ": hello event: x\n\n");
        assert_eq!(
            text(&gap_v1("a")),
            "event: wps.gap\ndata: {\"channel\":\"a\"}\n\n"
        );
        assert_eq!(
            text(&gap_v2("a")),
            "data: {\"event\":\"wps.gap\",\"channel\":\"a\",\"data\":{}}\n\n"
        );
    }

    #[test]
    fn a_cursor_dispatches_nothing_and_is_kept_for_the_next_message() {
        let stream = [cursor("a.0-7"), comment("keep-alive"), message_v1("e", "1", None)].concat();
        assert_eq!(
            dispatched(str::from_utf8(&stream).unwrap()),
            [("e".into(), "1".into(), "a.0-7".into())]
        );
    }

    #[test]
    fn line_breaks_in_data_do_not_end_it() {
        for data in [
            "{\n\"a\": 1\n}",
            "{\r\n\"a\":\r1\n\r}",
            "[\n\nevent: evil\n\ndata: x]",
        ] {
            let seen = dispatched(text(&message_v1("e", data, Some("i"))));
            let joined = data.replace("\r\n", "\n").replace('\r', "\n");
            assert_eq!(seen, [("e".to_owned(), joined, "i".to_owned())], "{data:?}");
        }
    }

    #[test]
    fn names_with_line_breaks_begin_no_field() {
        let frame = message_v1("x\ndata: evil\r\rid: 7", "1", None);
        assert_eq!(
            dispatched(text(&frame)),
            [("x data: evil  id: 7".into(), "1".into(), String::new())]
        );
        let seen = dispatched(text(&message_v2("c\n\ndata: x", "e\r\rdata: y", "1", None)));
        assert_eq!(seen.len(), 1);
    }

    proptest! {
        #[test]
        fn any_json_is_one_event_with_the_same_value(event: String, channel: String, text_value: String, pretty: bool) {
            let value = serde_json::json!({ "k": [text_value, 1, null] });
            let data = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let seen = dispatched(text(&message_v1(&event, &data, Some("i"))));
            prop_assert_eq!(seen.len(), 1);
            prop_assert_eq!(serde_json::from_str::<Value>(&seen[0].1).unwrap(), value.clone());
            let seen = dispatched(text(&message_v2(&channel, &event, &data, Some("i"))));
            prop_assert_eq!(seen.len(), 1);
            let expected = serde_json::json!({ "event": event, "channel": channel, "data": value });
            prop_assert_eq!(serde_json::from_str::<Value>(&seen[0].1).unwrap(), expected);
        }
    }
}
