//! The streams that operators watch. Each has a bounded queue; one that is full ends its stream, and the page opens another.

use bytes::Bytes;
use futures_channel::mpsc;
use hookcast_api::insight::StreamEvent;

use super::super::relay::ConnectionQuery;

/// Open at once, over all operators: each costs a queue and a copy of every push.
const STREAMS_MAX: usize = 64;
/// Several seconds of pushes; a page that is further behind than that is better off starting over.
const QUEUE_EVENTS: usize = 32;

/// Whose stream it is.
#[derive(Clone, Debug, Default)]
pub struct StreamOwner {
    pub account: Option<i64>,
    pub session: Option<String>,
    pub key: Option<i64>,
    /// The session ends then, whatever happens.
    pub until_ms: Option<u64>,
}

/// What a stream is to carry beside the ticks.
#[derive(Clone, Debug, Default)]
pub struct StreamWish {
    pub owner: StreamOwner,
    pub site_key: Option<String>,
    pub log: bool,
    pub connections: Option<ConnectionQuery>,
}

pub struct Stream {
    pub wish: StreamWish,
    queue: mpsc::Sender<Bytes>,
}

#[derive(Default)]
pub struct Streams(Vec<Stream>);

impl Streams {
    pub fn open(&mut self, wish: StreamWish, first: &StreamEvent) -> Option<mpsc::Receiver<Bytes>> {
        self.0.retain(|stream| !stream.queue.is_closed());
        if self.0.len() >= STREAMS_MAX {
            return None;
        }
        let (mut queue, events) = mpsc::channel(QUEUE_EVENTS);
        queue.try_send(frame(first)).ok()?;
        self.0.push(Stream { wish, queue });
        Some(events)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.0.iter()
    }

    pub fn send_all(&mut self, event: &StreamEvent) {
        if !self.0.is_empty() {
            let bytes = frame(event);
            self.send_each(|_| Some(bytes.clone()));
        }
    }

    /// To each stream what `event` makes for it.
    pub fn send_to(&mut self, event: impl Fn(&StreamWish) -> Option<StreamEvent>) {
        self.send_each(|wish| event(wish).as_ref().map(frame));
    }

    /// Ends the streams of those owners, and tells them why.
    pub fn end(&mut self, ended: impl Fn(&StreamOwner) -> bool, reason: &str) {
        self.0.retain_mut(|stream| {
            if !ended(&stream.wish.owner) {
                return true;
            }
            last_word(
                stream,
                &StreamEvent::Closing {
                    reason: reason.to_owned(),
                },
            );
            false
        });
    }

    fn send_each(&mut self, bytes: impl Fn(&StreamWish) -> Option<Bytes>) {
        self.0.retain_mut(|stream| {
            let Some(bytes) = bytes(&stream.wish) else {
                return !stream.queue.is_closed();
            };
            match stream.queue.try_send(bytes) {
                Ok(()) => true,
                Err(error) => {
                    if error.is_full() {
                        last_word(stream, &StreamEvent::TooSlow);
                    }
                    false
                }
            }
        });
    }
}

/// A clone of a sender has a place of its own in a full queue: the last word always fits.
fn last_word(stream: &Stream, event: &StreamEvent) {
    let _ = stream.queue.clone().try_send(frame(event));
}

fn frame(event: &StreamEvent) -> Bytes {
    let json = serde_json::to_string(event).expect("events are plain data");
    // JSON holds no line break of its own.
    Bytes::from(format!("data: {json}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(events: &mut mpsc::Receiver<Bytes>) -> Vec<String> {
        std::iter::from_fn(|| events.try_recv().ok())
            .map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
            .collect()
    }

    fn closing(reason: &str) -> StreamEvent {
        StreamEvent::Closing {
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn a_slow_stream_is_told_and_ended_and_others_go_on() {
        let mut streams = Streams::default();
        let mut slow = streams.open(StreamWish::default(), &closing("first")).unwrap();
        let mut quick = streams.open(StreamWish::default(), &closing("first")).unwrap();
        for n in 0..QUEUE_EVENTS * 2 {
            streams.send_all(&closing(&n.to_string()));
            quick.try_recv().unwrap();
        }
        assert_eq!(streams.0.len(), 1);
        let seen = text(&mut slow);
        assert_eq!(seen.last().unwrap(), "data: {\"type\":\"too_slow\"}\n\n");
        assert!(seen.len() <= QUEUE_EVENTS + 2, "{}", seen.len());
    }

    #[test]
    fn there_are_only_so_many_streams_and_a_closed_one_makes_room() {
        let mut streams = Streams::default();
        let mut open = Vec::new();
        for _ in 0..STREAMS_MAX {
            open.push(streams.open(StreamWish::default(), &closing("x")).unwrap());
        }
        assert!(streams.open(StreamWish::default(), &closing("x")).is_none());
        open.pop();
        assert!(streams.open(StreamWish::default(), &closing("x")).is_some());
    }

    #[test]
    fn ending_a_session_ends_its_streams_only() {
        let mut streams = Streams::default();
        let of = |session: &str| StreamWish {
            owner: StreamOwner {
                session: Some(session.to_owned()),
                ..StreamOwner::default()
            },
            ..StreamWish::default()
        };
        let mut one = streams.open(of("one"), &closing("first")).unwrap();
        let mut two = streams.open(of("two"), &closing("first")).unwrap();
        streams.end(|owner| owner.session.as_deref() == Some("one"), "over");
        assert!(text(&mut one).last().unwrap().contains("over"));
        assert!(!text(&mut two).last().unwrap().contains("over"));
        assert_eq!(streams.0.len(), 1);
    }
}
