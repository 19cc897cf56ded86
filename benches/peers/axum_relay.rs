//! The relay of the shape everybody writes: axum, a tokio task per connection, and one broadcast channel per channel name.
//!
//! It speaks the relay's messages without tokens and signatures, has no presence, no recovery and no limits. It is here to be
//! measured against, as the answer to "would the usual way not do?".

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{SinkExt, Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

/// Messages that a subscriber may be behind before it loses some.
const CHANNEL_MESSAGES: usize = 1024;

#[derive(Clone, Default)]
struct Relay {
    channels: Arc<Mutex<HashMap<String, broadcast::Sender<Utf8Bytes>>>>,
}

#[derive(Deserialize, Serialize)]
struct Publish {
    channel: String,
    event: String,
    data: Box<RawValue>,
}

/// What a browser sends; raw values cannot stand in a tagged enum, so all fields stand beside each other.
#[derive(Deserialize)]
struct Request {
    channels: Option<Vec<String>>,
    channel: Option<String>,
    event: Option<String>,
    data: Option<Box<RawValue>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Answer<'a> {
    Subscribed { channels: &'a [String] },
    Message(&'a Publish),
    Ping,
}

impl Relay {
    fn channel(&self, name: &str) -> broadcast::Sender<Utf8Bytes> {
        let mut channels = self.channels.lock().expect("no one panics with the lock");
        channels
            .entry(name.to_owned())
            .or_insert_with(|| broadcast::channel(CHANNEL_MESSAGES).0)
            .clone()
    }

    fn publish(&self, publish: &Publish) {
        // Nobody listening is no error.
        let _ = self
            .channel(&publish.channel)
            .send(text(&Answer::Message(publish)));
    }
}

fn text(answer: &Answer<'_>) -> Utf8Bytes {
    serde_json::to_string(answer).expect("plain values").into()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let port: u16 = std::env::args()
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("usage: peer-axum PORT");
    let app = Router::new()
        .route("/publish", post(publish))
        .route("/ws", get(upgrade))
        .route("/sse", get(stream))
        .with_state(Relay::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
        .await
        .expect("the port is free");
    println!("listening");
    let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
        // Without it small frames wait for the last one's acknowledgement.
        let _ = socket.set_nodelay(true);
    });
    axum::serve(listener, app).await.expect("served");
}

async fn publish(State(relay): State<Relay>, Json(message): Json<Publish>) -> &'static str {
    relay.publish(&message);
    r#"{"ok":true}"#
}

async fn upgrade(State(relay): State<Relay>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| session(relay, socket))
}

async fn session(relay: Relay, socket: WebSocket) {
    let (mut sink, mut incoming) = socket.split();
    let (queue, mut outgoing) = tokio::sync::mpsc::channel::<Utf8Bytes>(64);
    let writer = tokio::spawn(async move {
        while let Some(message) = outgoing.recv().await {
            if sink.send(Message::Text(message)).await.is_err() {
                return;
            }
        }
    });
    let mut subscriptions = Vec::new();
    let mut ping = tokio::time::interval(Duration::from_secs(20));
    ping.tick().await;
    loop {
        let message = tokio::select! {
            message = incoming.next() => message,
            _ = ping.tick() => {
                if queue.send(text(&Answer::Ping)).await.is_err() {
                    break;
                }
                continue;
            }
        };
        let Some(Ok(Message::Text(message))) = message else {
            break;
        };
        let Ok(request) = serde_json::from_str::<Request>(&message) else {
            continue;
        };
        if let Request {
            channel: Some(channel),
            event: Some(event),
            data: Some(data),
            ..
        } = request
        {
            relay.publish(&Publish { channel, event, data });
        } else if let Some(channels) = request.channels {
            for channel in &channels {
                let mut messages = relay.channel(channel).subscribe();
                let queue = queue.clone();
                subscriptions.push(tokio::spawn(async move {
                    while let Ok(message) = messages.recv().await {
                        if queue.send(message).await.is_err() {
                            return;
                        }
                    }
                }));
            }
            let answer = text(&Answer::Subscribed { channels: &channels });
            if queue.send(answer).await.is_err() {
                break;
            }
        }
    }
    subscriptions.iter().for_each(tokio::task::JoinHandle::abort);
    writer.abort();
}

#[derive(Deserialize)]
struct Streams {
    channels: String,
}

async fn stream(State(relay): State<Relay>, Query(query): Query<Streams>) -> impl IntoResponse {
    let messages = relay.channel(&query.channels).subscribe();
    Sse::new(events(messages)).keep_alive(KeepAlive::default())
}

fn events(messages: broadcast::Receiver<Utf8Bytes>) -> impl Stream<Item = Result<Event, Infallible>> {
    futures_util::stream::unfold(messages, |mut messages| async move {
        let message = messages.recv().await.ok()?;
        Some((Ok(Event::default().data(message.as_str())), messages))
    })
}
