//! What the two processes tell each other: values, one after the other, each behind its length.
//!
//! Both ends may be of different versions. [`FORMAT`] tells whether they understand each other, and is the first thing
//! said.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hub::{ChannelKey, Kind, Message, Origin};
use crate::ids::{ConnId, ShardId, SiteId};

/// Changed whenever anything in this file is.
pub const FORMAT: u16 = 1;

/// The longest value: a message of the largest size that a setting allows, and much more than anything else.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// The first value, from the old process.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hello {
    pub format: u16,
    pub version: String,
    pub run: u64,
    pub seed: [u8; 16],
    pub shards: u16,
    /// Some channels and their homes, so that both know that they agree.
    pub homed: Vec<(String, u16)>,
}

/// From the old process to the new one, after [`Hello`].
#[derive(Debug, Serialize, Deserialize)]
pub enum ToNew {
    Home {
        home: u16,
        seq: u64,
    },
    /// Site, name, and the place from which on nothing is missing.
    Channels {
        home: u16,
        channels: Vec<(u32, String, u64)>,
    },
    Remembered {
        home: u16,
        at_ms: u64,
        packet: Packet,
    },
    Signatures {
        home: u16,
        site: u32,
        marks: Vec<(u64, [u8; 16])>,
    },
    /// The state is complete.
    HandedOver,
    /// To be published in the old process's place.
    Publish {
        home: u16,
        id: u64,
        dedupe: Option<[u8; 32]>,
        packet: Packet,
    },
    /// The data directory is the new process's.
    Unlocked,
}

/// From the new process to the old one.
#[derive(Debug, Serialize, Deserialize)]
pub enum ToOld {
    /// Everything is there that the new process needs but the state.
    Ready,
    /// It cannot take over, for this reason.
    Refused(String),
    /// Its shards run and accept.
    Serving,
    Published {
        home: u16,
        id: u64,
        duplicate: bool,
    },
    Deliver {
        home: u16,
        packet: Packet,
    },
}

/// A message.
#[derive(Debug, Serialize, Deserialize)]
pub struct Packet {
    site: u32,
    name: String,
    /// Where it is not the name.
    spelled: Option<String>,
    /// Of a text message; a binary frame has none.
    event: Option<String>,
    data: Bytes,
    seq: u64,
    home: u16,
    from: From,
    published_at_ns: u64,
}

#[derive(Debug, Serialize, Deserialize)]
enum From {
    Server,
    Connection(u16, u32, u32),
    Relay,
    Trigger,
    Dispatch,
    Operator,
}

impl Packet {
    /// `None` for what is no publisher's: presence and the relay's own events are of one process.
    pub fn new(message: &Message) -> Option<Self> {
        let (event, data) = match &message.kind {
            Kind::Text { event, data } => (Some(event.to_string()), data.clone()),
            Kind::Binary { frame } => (None, frame.clone()),
            Kind::Presence(_) | Kind::Relay { .. } => return None,
        };
        let spelled = (message.spelled != message.channel.name).then(|| message.spelled.to_string());
        Some(Self {
            site: message.channel.site.0,
            name: message.channel.name.to_string(),
            spelled,
            event,
            data,
            seq: message.seq,
            home: message.home.0,
            from: match message.origin {
                Origin::Server => From::Server,
                Origin::Connection(id) => From::Connection(id.shard.0, id.slot, id.generation),
                Origin::Relay => From::Relay,
                Origin::Trigger => From::Trigger,
                Origin::Dispatch => From::Dispatch,
                Origin::Operator => From::Operator,
            },
            published_at_ns: message.published_at_ns,
        })
    }

    pub fn into_message(self) -> Arc<Message> {
        let channel = ChannelKey::new(SiteId(self.site), self.name);
        let spelled = self.spelled.map_or_else(|| Arc::clone(&channel.name), Arc::from);
        let kind = match self.event {
            Some(event) => Kind::Text {
                event: event.into(),
                data: self.data,
            },
            None => Kind::Binary { frame: self.data },
        };
        let origin = match self.from {
            From::Server => Origin::Server,
            From::Connection(shard, slot, generation) => Origin::Connection(ConnId {
                shard: ShardId(shard),
                slot,
                generation,
            }),
            From::Relay => Origin::Relay,
            From::Trigger => Origin::Trigger,
            From::Dispatch => Origin::Dispatch,
            From::Operator => Origin::Operator,
        };
        let mut message = Message::new(channel, spelled, kind, origin, self.published_at_ns);
        message.seq = self.seq;
        message.home = ShardId(self.home);
        Arc::new(message)
    }
}

/// Writes one value. `scratch` is kept between calls.
pub fn write(to: &mut impl Write, value: &impl Serialize, scratch: &mut Vec<u8>) -> io::Result<()> {
    scratch.clear();
    scratch.extend_from_slice(&[0; 4]);
    let mut bytes = postcard::to_extend(value, std::mem::take(scratch)).map_err(io::Error::other)?;
    let length = bytes.len() - 4;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("a message is too large to be handed over"));
    }
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    let written = to.write_all(&bytes);
    *scratch = bytes;
    written
}

/// Reads one value; the other's end is an error of the kind `UnexpectedEof`.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(io::Error::other("not a value of an upgrade"));
    }
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    postcard::from_bytes(&bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_as_it_was_sent() {
        let key = ChannelKey::new(SiteId(7), "shop");
        let text = Kind::Text {
            event: "e".into(),
            data: Bytes::from_static(b"{\"n\":1}"),
        };
        let binary = Kind::Binary {
            frame: Bytes::from_static(b"\x00\x01a\xff"),
        };
        let id = ConnId {
            shard: ShardId(1),
            slot: 2,
            generation: 3,
        };
        for (kind, origin) in [(text, Origin::Server), (binary, Origin::Connection(id))] {
            let mut sent = Message::new(key.clone(), Arc::from("site:x:shop"), kind, origin, 42);
            (sent.seq, sent.home) = (9, ShardId(3));
            let mut bytes = Vec::new();
            let packet = Packet::new(&sent).expect("a publisher's message");
            write(&mut bytes, &packet, &mut Vec::new()).unwrap();
            let received = read::<Packet>(&mut bytes.as_slice()).unwrap().into_message();
            assert_eq!(format!("{sent:?}"), format!("{received:?}"));
        }
    }

    #[test]
    fn what_is_no_value_is_refused() {
        for bytes in [
            &b"\xff\xff\xff\xff...."[..],
            b"\x02\x00\x00\x00\xff\xff",
            b"\x08\x00\x00\x00ab",
            b"",
        ] {
            assert!(read::<ToNew>(&mut &bytes[..]).is_err(), "{bytes:?}");
        }
    }
}
