//! Clients that come back whenever they are sent away, and keep count of what they got.
//!
//! `HOOKCAST_CROWD` sets how many there are.

use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{Builder, Scope};
use std::time::Duration;
use testkit::{Frame, Site, Sse, Ws, until};

const CHANNEL: &str = "a";
/// Between two publishes: 50 a second.
const PACE: Duration = Duration::from_millis(20);

/// How many clients follow; every fourth one is a stream.
pub fn size() -> usize {
    std::env::var("HOOKCAST_CROWD").map_or(80, |typed| typed.parse().expect("HOOKCAST_CROWD is a number"))
}

/// Whether the crowd may be told of a gap.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gaps {
    Never,
    /// The memory was lost: whoever was told may have missed something, and nobody gets anything twice.
    Told,
}

pub struct Crowd<'a> {
    address: std::net::SocketAddr,
    site: &'a Site,
    gaps: Gaps,
    published: AtomicU64,
    over: AtomicBool,
    /// Clients that follow by now, and those that had to come back.
    subscribed: AtomicUsize,
    returns: AtomicUsize,
}

impl<'a> Crowd<'a> {
    pub fn new(address: std::net::SocketAddr, site: &'a Site, gaps: Gaps) -> Self {
        Self {
            address,
            site,
            gaps,
            published: AtomicU64::new(0),
            over: AtomicBool::new(false),
            subscribed: AtomicUsize::new(0),
            returns: AtomicUsize::new(0),
        }
    }

    /// Starts the clients and, once all follow, the publisher. Any of them fails the test by a panic.
    pub fn gather<'s>(&'s self, scope: &'s Scope<'s, '_>, publishes: Publishes) {
        for index in 0..size() {
            let client = move || {
                if index % 4 == 3 {
                    self.follow_by_stream();
                } else {
                    self.follow_by_socket();
                }
            };
            let thread = Builder::new().stack_size(256 * 1024);
            thread.spawn_scoped(scope, client).expect("a thread for a client");
        }
        until("everyone to follow", || {
            (self.subscribed.load(Ordering::Relaxed) >= size()).then_some(())
        });
        scope.spawn(move || self.publish(publishes));
    }

    /// Waits until some more was published.
    pub fn let_pass(&self, count: u64) {
        let from = self.published.load(Ordering::Relaxed);
        until("the publisher to go on", || {
            (self.published.load(Ordering::Relaxed) >= from + count).then_some(())
        });
    }

    /// Clients end when they have got the last number.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Messages that everyone has got by the end.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    pub fn returns(&self) -> usize {
        self.returns.load(Ordering::Relaxed)
    }

    fn publish(&self, publishes: Publishes) {
        let mut number = 0;
        loop {
            let last = self.over.load(Ordering::Relaxed);
            let event = if last { "last" } else { "n" };
            let body = testkit::site::body(CHANNEL, event, &number.to_string());
            loop {
                let headers = self.site.signed_headers(body.as_bytes());
                let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
                match testkit::http::request(self.address, "POST", "/publish", &headers, body.as_bytes()) {
                    Ok(answer) => {
                        assert_eq!(answer.status, 200, "{answer:?}");
                        break;
                    }
                    Err(error) if publishes == Publishes::MayFail => {
                        let _ = error;
                        std::thread::sleep(PACE);
                    }
                    Err(error) => panic!("publish {number} failed: {error}"),
                }
            }
            number += 1;
            self.published.store(number, Ordering::Relaxed);
            if last {
                return;
            }
            std::thread::sleep(PACE);
        }
    }

    fn follow_by_socket(&self) {
        let mut count = Count::new(self.gaps);
        let mut id: Option<String> = None;
        loop {
            let Some(mut socket) = self.arrive(|| {
                let token = self.site.token().v1().sign();
                Ws::try_open(self.address, &format!("/ws?ids=1&token={token}"))
            }) else {
                continue;
            };
            let mut subscribe = json!({"type": "subscribe", "channels": [CHANNEL]});
            if let Some(id) = &id {
                subscribe["since"] = json!({ CHANNEL: id });
            }
            if !socket.try_send(&subscribe) {
                continue;
            }
            loop {
                match socket.frame() {
                    Frame::Text(message) if message["type"] == "message" => {
                        id = message["id"].as_str().map(str::to_owned);
                        if count.take(&message["event"], &message["data"]) {
                            return;
                        }
                    }
                    Frame::Text(message) if message["type"] == "gap" => count.gap(),
                    Frame::Text(message) => {
                        assert_eq!(message["type"], "subscribed", "{message}");
                        if id.is_none() {
                            self.subscribed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Frame::Close(code, _) => {
                        assert_eq!(code, 1012);
                        break;
                    }
                    Frame::Gone => {
                        assert!(self.gaps == Gaps::Told, "ended without a word");
                        break;
                    }
                    other => panic!("{other:?}"),
                }
            }
            self.returns.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn follow_by_stream(&self) {
        let mut count = Count::new(self.gaps);
        let mut id: Option<String> = None;
        let mut known = false;
        loop {
            let Some(mut stream) = self.arrive(|| {
                let token = self.site.token().sign();
                Sse::connect(self.address, &token, &[CHANNEL], id.as_deref())
            }) else {
                continue;
            };
            assert_eq!(stream.head.status, 200, "{:?}", stream.head);
            while let Some(event) = stream.event_raw() {
                if event.comment.as_deref() == Some("subscribed") && !std::mem::replace(&mut known, true) {
                    self.subscribed.fetch_add(1, Ordering::Relaxed);
                }
                let Some(data) = event.data else { continue };
                let message: Value = serde_json::from_str(&data).expect("JSON");
                match message["event"].as_str() {
                    Some("wps.presence") => {}
                    Some("wps.gap") => count.gap(),
                    _ => {
                        if count.take(&message["event"], &message["data"]) {
                            return;
                        }
                    }
                }
            }
            id = stream.last_event_id().map(str::to_owned).or(id);
            self.returns.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One attempt to connect. A relay that was killed may refuse it, no other one.
    fn arrive<T>(&self, open: impl FnOnce() -> std::io::Result<T>) -> Option<T> {
        match open() {
            Ok(opened) => Some(opened),
            Err(error) => {
                assert!(self.gaps == Gaps::Told, "a client was turned away: {error}");
                std::thread::sleep(PACE);
                None
            }
        }
    }
}

/// Whether a publish may fail and is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Publishes {
    Succeed,
    MayFail,
}

/// The numbers that one client got.
struct Count {
    next: u64,
    gaps: Gaps,
    after_gap: bool,
}

impl Count {
    fn new(gaps: Gaps) -> Self {
        Self {
            next: 0,
            gaps,
            after_gap: false,
        }
    }

    fn gap(&mut self) {
        assert!(self.gaps == Gaps::Told, "a gap after {}", self.next);
        self.after_gap = true;
    }

    /// Whether it was the last one.
    fn take(&mut self, event: &Value, data: &Value) -> bool {
        let number = data.as_u64().unwrap_or_else(|| panic!("no number: {data}"));
        let missed = std::mem::take(&mut self.after_gap) && number > self.next;
        assert!(missed || number == self.next, "{number} instead of {}", self.next);
        self.next = number + 1;
        event == "last"
    }
}
