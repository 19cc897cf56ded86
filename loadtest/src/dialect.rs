//! The protocols that the client speaks: the relay's own, and those of the servers it is compared with.
//!
//! A dialect makes bytes and reads notes; it knows no socket and keeps no state.

use crate::frames;
use crate::site::Site;
use crate::stamp::{STAMP_BYTES, Stamp};
use crate::target::Target;

#[derive(Clone)]
pub enum Dialect {
    /// The relay, as a registered site and its browsers use it.
    Hookcast(Box<Site>),
    /// The same messages without tokens and signatures: the floor, and the relay of the shape everybody writes.
    Open,
    /// nchan, as `benches/peers/nchan.conf` sets it up: `/pub`, `/sub` and `/pubsub`, each with `?id=`.
    Nchan,
    /// MQTT 3.1.1 inside WebSocket frames.
    Mqtt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    WebSocket,
    Stream,
}

/// What a frame says that is no delivery.
#[derive(Debug, PartialEq, Eq)]
pub enum Note {
    /// Send these bytes (a frame's opcode and payload) back.
    Answer(u8, Vec<u8>),
    /// Send this, then expect `Subscribed`.
    Accepted,
    Subscribed,
    /// The relay says that its memory no longer reaches back.
    Gap,
    /// The relay refuses something: its code.
    Refused(String),
    Other,
}

/// One connection's subscription.
pub struct Subscription<'a> {
    pub channel: &'a str,
    pub user: usize,
    pub kind: Kind,
    /// The last message it got before it lost its connection.
    pub since: Option<&'a str>,
    /// Whether messages are to carry ids at all.
    pub ids: bool,
    /// It also publishes over its socket.
    pub publishes: bool,
}

impl Dialect {
    /// The request that opens a socket or a stream.
    #[must_use]
    pub fn open(&self, target: &Target, subscription: &Subscription<'_>, unix_s: u64, life_s: u64) -> String {
        let Subscription { channel, kind, .. } = *subscription;
        let path = match (self, kind) {
            (Self::Hookcast(site), Kind::WebSocket) => {
                let ids = if subscription.ids { "&ids=1" } else { "" };
                format!("/ws?token={}{ids}", site.token(subscription.user, unix_s, life_s))
            }
            (Self::Hookcast(site), Kind::Stream) => {
                format!(
                    "/sse?channels={channel}&token={}",
                    site.token(subscription.user, unix_s, life_s)
                )
            }
            (Self::Open, Kind::WebSocket) => "/ws".to_owned(),
            (Self::Open, Kind::Stream) => format!("/sse?channels={channel}"),
            (Self::Nchan, Kind::WebSocket) if subscription.publishes => format!("/pubsub?id={channel}"),
            (Self::Nchan, _) => format!("/sub?id={channel}"),
            (Self::Mqtt, _) => "/mqtt".to_owned(),
        };
        let mut request = format!(
            "GET {}{path} HTTP/1.1\r\nHost: {}\r\n",
            target.prefix, target.host
        );
        match kind {
            Kind::WebSocket => {
                request += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
                request += "Sec-WebSocket-Key: aG9va2Nhc3QtbG9hZC0wMQ==\r\n";
                if matches!(self, Self::Mqtt) {
                    request += "Sec-WebSocket-Protocol: mqtt\r\n";
                }
            }
            Kind::Stream => {
                request += "Accept: text/event-stream\r\n";
                if let Some(id) = subscription.since {
                    request += &format!("Last-Event-ID: {id}\r\n");
                }
            }
        }
        request + "\r\n"
    }

    /// What an open socket says first. None: it is subscribed by its request.
    #[must_use]
    pub fn greet(&self, subscription: &Subscription<'_>) -> Option<(u8, Vec<u8>)> {
        match self {
            Self::Hookcast(_) | Self::Open => {
                let since = match subscription.since {
                    Some(id) => format!(r#","since":{{"{}":"{id}"}}"#, subscription.channel),
                    None => String::new(),
                };
                let text = format!(
                    r#"{{"type":"subscribe","channels":["{}"]{since}}}"#,
                    subscription.channel
                );
                Some((frames::TEXT, text.into_bytes()))
            }
            Self::Nchan => None,
            Self::Mqtt => Some((frames::BINARY, mqtt::connect(subscription.user))),
        }
    }

    /// What follows [`Note::Accepted`].
    #[must_use]
    pub fn subscribe(&self, channel: &str) -> (u8, Vec<u8>) {
        (frames::BINARY, mqtt::subscribe(channel))
    }

    /// A whole request that publishes.
    #[must_use]
    pub fn publish(&self, target: &Target, channel: &str, stamp: &Stamp, size: usize) -> Vec<u8> {
        let mut body = Vec::with_capacity(size + 256);
        let (path, extra) = match self {
            Self::Hookcast(site) => {
                publish_body(&mut body, channel, stamp, size);
                let unix_ms = unix_ms();
                let sign = site.sign(&body, unix_ms);
                let headers = format!(
                    "X-WP-Signal-Key: {}\r\nX-WP-Signal-Ts: {unix_ms}\r\nX-WP-Signal-Sign: {sign}\r\n",
                    site.key
                );
                ("/publish".to_owned(), headers)
            }
            Self::Open => {
                publish_body(&mut body, channel, stamp, size);
                ("/publish".to_owned(), String::new())
            }
            Self::Nchan | Self::Mqtt => {
                delivered(&mut body, channel, stamp, size);
                (format!("/pub?id={channel}"), String::new())
            }
        };
        let mut request = format!(
            "POST {}{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{extra}\r\n",
            target.prefix,
            target.host,
            body.len()
        )
        .into_bytes();
        request.append(&mut body);
        request
    }

    /// Appends the payload of a frame with which a browser publishes; returns the frame's opcode.
    pub fn say(&self, out: &mut Vec<u8>, channel: &str, stamp: &Stamp, size: usize, binary: bool) -> u8 {
        match self {
            Self::Mqtt => {
                let start = out.len();
                mqtt::text(out, channel);
                delivered(out, channel, stamp, size);
                mqtt::enclose(out, start, mqtt::PUBLISH);
                frames::BINARY
            }
            Self::Hookcast(_) | Self::Open if binary => {
                out.extend_from_slice(&u16::try_from(channel.len()).unwrap_or(u16::MAX).to_be_bytes());
                out.extend_from_slice(channel.as_bytes());
                data(out, stamp, size);
                frames::BINARY
            }
            _ => {
                delivered(out, channel, stamp, size);
                frames::TEXT
            }
        }
    }

    /// Reads a frame that carries no stamp.
    #[must_use]
    pub fn note(&self, opcode: u8, payload: &[u8]) -> Note {
        match self {
            Self::Mqtt => return mqtt::note(payload),
            Self::Nchan => return Note::Other,
            Self::Hookcast(_) | Self::Open if opcode != frames::TEXT => return Note::Other,
            Self::Hookcast(_) | Self::Open => {}
        }
        #[derive(serde::Deserialize)]
        struct Envelope<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            code: Option<String>,
        }
        match serde_json::from_slice::<Envelope<'_>>(payload) {
            Ok(Envelope { kind: "ping", .. }) => Note::Answer(frames::TEXT, br#"{"type":"pong"}"#.to_vec()),
            Ok(Envelope {
                kind: "subscribed", ..
            }) => Note::Subscribed,
            Ok(Envelope { kind: "gap", .. }) => Note::Gap,
            Ok(Envelope { kind: "error", code }) => Note::Refused(code.unwrap_or_default()),
            _ => Note::Other,
        }
    }
}

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `size` bytes of data: the stamp, and filling.
fn data(out: &mut Vec<u8>, stamp: &Stamp, size: usize) {
    stamp.write(out);
    out.resize(out.len() + size.saturating_sub(STAMP_BYTES), b'.');
}

fn publish_body(out: &mut Vec<u8>, channel: &str, stamp: &Stamp, size: usize) {
    message(out, "{", channel, stamp, size);
}

/// The text as the relay delivers it. Servers that pass messages on as they are get it whole, so that all deliver frames
/// of the same length.
fn delivered(out: &mut Vec<u8>, channel: &str, stamp: &Stamp, size: usize) {
    message(out, r#"{"type":"message","#, channel, stamp, size);
}

fn message(out: &mut Vec<u8>, head: &str, channel: &str, stamp: &Stamp, size: usize) {
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(br#""channel":""#);
    out.extend_from_slice(channel.as_bytes());
    out.extend_from_slice(br#"","event":"load.tick","data":""#);
    // The data is a JSON string: its quotes are two of its bytes.
    data(out, stamp, size.saturating_sub(2));
    out.extend_from_slice(br#""}"#);
}

/// MQTT 3.1.1, quality of service 0: only what a comparison needs.
mod mqtt {
    use super::Note;

    /// The first byte of a packet: its type, and no flags.
    const CONNECT: u8 = 0x10;
    const SUBSCRIBE: u8 = 0x82;
    pub const PUBLISH: u8 = 0x30;

    /// Makes a packet of what `out` holds from `start` on: puts its first byte and its length before it.
    pub fn enclose(out: &mut Vec<u8>, start: usize, first: u8) {
        let mut length = out.len() - start;
        let (mut head, mut used) = ([first, 0, 0, 0, 0], 1);
        // Four bytes of length at most, seven bits each; a message has 1 MB at most.
        while used == 1 || length > 0 {
            let digit = (length & 0x7f) as u8;
            length >>= 7;
            head[used] = if length > 0 { digit | 0x80 } else { digit };
            used += 1;
        }
        out.splice(start..start, head[..used].iter().copied());
    }

    pub fn text(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }

    pub fn connect(user: usize) -> Vec<u8> {
        // Protocol name, level 4, a clean session, no keep-alive.
        let mut body = b"\x00\x04MQTT\x04\x02\x00\x00".to_vec();
        text(&mut body, &format!("load-{user}"));
        enclose(&mut body, 0, CONNECT);
        body
    }

    pub fn subscribe(channel: &str) -> Vec<u8> {
        let mut body = vec![0, 1];
        text(&mut body, channel);
        body.push(0);
        enclose(&mut body, 0, SUBSCRIBE);
        body
    }

    pub fn note(payload: &[u8]) -> Note {
        match payload {
            [0x20, _, _, 0, ..] => Note::Accepted,
            [0x20, _, _, code, ..] => Note::Refused(format!("connack {code}")),
            [0x90, _, _, _, 0..=2, ..] => Note::Subscribed,
            [0x90, ..] => Note::Refused("suback".to_owned()),
            _ => Note::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_has_the_size_that_was_asked_for() {
        let stamp = Stamp {
            run: 1,
            part: 0,
            channel: 2,
            stream: 3,
            number: 4,
            order: 4,
            settled: 0,
            at: 5,
        };
        let mut frame = Vec::new();
        Dialect::Open.say(&mut frame, "room-1", &stamp, 256, false);
        let value: serde_json::Value = serde_json::from_slice(&frame).unwrap();
        assert_eq!(value["data"].to_string().len(), 256);
        assert_eq!(value["channel"], "room-1");
        assert_eq!(Stamp::find(&frame, &mut 0), Some(stamp));
    }

    #[test]
    fn an_mqtt_packet_says_its_length_and_leaves_what_stands_before_it() {
        for (length, head) in [
            (0, &[0x30, 0][..]),
            (127, &[0x30, 127]),
            (128, &[0x30, 0x80, 1]),
            (300_000, &[0x30, 0xe0, 0xa7, 0x12]),
        ] {
            let mut out = b"before".to_vec();
            out.resize(6 + length, b'x');
            mqtt::enclose(&mut out, 6, mqtt::PUBLISH);
            assert_eq!(&out[..6 + head.len()], [b"before", head].concat());
            assert_eq!(out.len(), 6 + head.len() + length);
        }
    }

    #[test]
    fn notes_are_told_apart() {
        let note = |text: &str| Dialect::Open.note(frames::TEXT, text.as_bytes());
        assert_eq!(
            note(r#"{"type":"subscribed","channels":["a"]}"#),
            Note::Subscribed
        );
        assert_eq!(
            note(r#"{"type":"error","code":"forbidden","message":"no"}"#),
            Note::Refused("forbidden".into())
        );
        assert!(matches!(
            note(r#"{"type":"ping"}"#),
            Note::Answer(frames::TEXT, _)
        ));
        assert_eq!(note("nonsense"), Note::Other);
    }
}
