//! Connections from the first packet to the confirmed subscription, and what happens when they end.

use rustix::event::epoll;

use super::numbers::record;
use super::{Connection, Engine, Phase, Request, Role, Settings, Task};
use crate::dialect::{Kind, Subscription};
use crate::http::{self, Answer};
use crate::plan::Publish;
use crate::socket::{Socket, source_of};
use crate::target::Target;

/// RFC 6455: the connection ended without a close frame.
const ABNORMAL: u16 = 1006;
/// A token outlives any run (12 hours at most) and stays under the relay's own bound.
const TOKEN_LIFE_S: u64 = 13 * 3600;
/// How long a request is used again: its token then still outlives a whole run.
const REQUEST_LIFE: u64 = 3600 * 1_000_000_000;
/// Connections whose requests are kept: 16 MiB at most, at 1 KiB each.
const REQUESTS_MAX: usize = 16 * 1024;

impl Engine {
    pub(super) fn connect(&mut self, index: usize, due: u64) {
        if self.ending {
            return;
        }
        let socket = match self.begin_connecting(index) {
            Ok(socket) => socket,
            Err(failure) => {
                self.connections[index].phase = Phase::Ended;
                return self.note_failure(failure);
            }
        };
        let connection = &mut self.connections[index];
        connection.due = due;
        connection.phase = Phase::Connecting;
        connection.socket = Some(socket);
        connection.partial.clear();
        connection.out.clear();
        connection.chunked = None;
        connection.body = 0;
        // On the loopback the connection stands when connect(2) returns; from elsewhere its event will tell.
        let Target { address, tls, .. } = &self.settings.target;
        if address.ip().is_loopback() && tls.is_none() && matches!(connection.role, Role::Subscriber { .. }) {
            self.request(index);
        }
    }

    /// The socket of the connection before, where a storm left one, or a new one that is registered.
    fn begin_connecting(&mut self, index: usize) -> Result<Socket, String> {
        let Settings { target, sources, .. } = &self.settings;
        let connection = &mut self.connections[index];
        if let Some(mut socket) = connection.spare.take() {
            return match socket.connect_again(target) {
                Ok(()) => Ok(socket),
                Err(error) => Err(format!("connect: {error}")),
            };
        }
        let slow = matches!(connection.role, Role::Subscriber { slow: true, .. });
        let socket = Socket::connect(target, source_of(index, target, sources), slow)
            .map_err(|error| format!("connect: {error}"))?;
        // Edge-triggered, and both directions at once: one registration for the whole life of the socket.
        let flags =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(index as u64);
        epoll::add(&self.epoll, &socket, data, flags).map_err(|error| format!("epoll: {error}"))?;
        Ok(socket)
    }

    /// The socket is writable for the first time.
    pub(super) fn connected(&mut self, index: usize) {
        let Connection { socket, role, .. } = &self.connections[index];
        if matches!(role, Role::Subscriber { .. }) {
            return self.request(index);
        }
        let Some(socket) = socket else {
            return;
        };
        if let Err(error) = socket.connected() {
            return self.ended(index, None, Some(&format!("connect: {error}")));
        }
        self.connections[index].phase = Phase::Open;
        // TLS begins its handshake with the first flush.
        self.send(index, &[]);
        self.publisher_open(index);
    }

    /// Sends the request that opens a subscription, once there is a connection to take it.
    fn request(&mut self, index: usize) {
        let now = self.clock.now();
        let request = match self.connections[index].request.take() {
            Some(request) if now < request.until => request,
            _ => self.make_request(index, now),
        };
        let connection = &mut self.connections[index];
        let Some(socket) = &mut connection.socket else {
            return;
        };
        match socket.write(&request.bytes) {
            // Not connected yet.
            Ok(0) => {}
            Ok(sent) => {
                connection.phase = Phase::Handshake;
                connection.out.extend_from_slice(&request.bytes[sent..]);
            }
            Err(error) => self.ended(index, None, Some(&format!("connect: {error}"))),
        }
        self.keep_request(index, request);
    }

    /// Makes the requests of a storm before it begins: what it measures is the relay's handshake, not the minting of tokens.
    pub(super) fn make_storm_requests(&mut self) {
        let now = self.clock.now();
        for index in 0..self.connections.len().min(REQUESTS_MAX) {
            if self.parts[self.connections[index].part].plan.storm {
                let request = self.make_request(index, now);
                self.keep_request(index, request);
            }
        }
    }

    fn make_request(&self, index: usize, now: u64) -> Request {
        let Settings { dialect, target, .. } = &self.settings;
        let text = dialect.open(
            target,
            &self.subscription(index),
            now / 1_000_000_000,
            TOKEN_LIFE_S,
        );
        Request {
            bytes: text.into_bytes(),
            until: now + REQUEST_LIFE,
        }
    }

    /// Only a storm's: it has no messages, so its requests never ask for any that were missed.
    fn keep_request(&mut self, index: usize, request: Request) {
        let connection = &mut self.connections[index];
        if self.parts[connection.part].plan.storm && index < REQUESTS_MAX {
            connection.request = Some(request);
        }
    }

    pub(super) fn subscription(&self, index: usize) -> Subscription<'_> {
        let Connection {
            role, part, since, ..
        } = &self.connections[index];
        let part = &self.parts[*part];
        let (channel, kind) = match role {
            Role::Subscriber { channel, kind, .. } => (*channel as usize, *kind),
            Role::Publisher { .. } => (0, Kind::WebSocket),
        };
        Subscription {
            channel: &part.names[channel],
            user: index,
            kind,
            since: since.as_deref(),
            ids: part.plan.reconnect > 0.0,
            publishes: part.plan.publish == Publish::Members,
        }
    }

    /// Bytes in the handshake. Returns how many belonged to the head; the rest is the session's.
    pub(super) fn shake(&mut self, index: usize, bytes: &[u8]) -> Option<usize> {
        let head = match http::head(bytes) {
            Answer::Head(head) => head,
            Answer::More => return None,
            Answer::Broken => {
                self.ended(index, None, Some("handshake: the answer is not HTTP"));
                return None;
            }
        };
        let Role::Subscriber { kind, .. } = self.connections[index].role else {
            return None;
        };
        let (wanted, name) = match kind {
            Kind::WebSocket => (101, "socket"),
            Kind::Stream => (200, "stream"),
        };
        if head.status != wanted {
            self.ended(
                index,
                None,
                Some(&format!("{name}: refused with status {}", head.status)),
            );
            return None;
        }
        if kind == Kind::Stream {
            self.connections[index].chunked = head.chunked.then(Box::default);
            self.opened(index);
            return Some(head.bytes);
        }
        // A connection that is closed again at once is there for its handshake only.
        let recycled = self.parts[self.connections[index].part].plan.recycle;
        let greeting = if recycled {
            None
        } else {
            self.settings.dialect.greet(&self.subscription(index))
        };
        match greeting {
            Some((opcode, payload)) => {
                self.connections[index].phase = Phase::Greeting;
                self.send_frame(index, opcode, &payload);
            }
            None => self.opened(index),
        }
        Some(head.bytes)
    }

    /// The subscription stands.
    pub(super) fn opened(&mut self, index: usize) {
        let now = self.clock.now();
        let connection = &mut self.connections[index];
        if connection.phase == Phase::Open {
            return;
        }
        connection.phase = Phase::Open;
        let part = &mut self.parts[connection.part];
        let again = std::mem::take(&mut connection.since).is_some();
        if again {
            part.numbers.reconnected += 1;
        } else {
            part.numbers.opened += 1;
        }
        if !part.plan.storm || self.stage.counts(now) {
            record(&mut part.numbers.handshakes, now.saturating_sub(connection.due));
        }
        if part.plan.recycle {
            let next = (part.plan.rate == 0.0).then_some(now);
            self.close(index);
            if let Some(next) = next.filter(|_| self.stage.loaded(now)) {
                self.at(next, Task::Connect(index));
            }
        }
    }

    /// Closes from this side, without a word: what a browser's tab does.
    pub(super) fn close(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let recycled = self.parts[connection.part].plan.recycle;
        if let Some(mut socket) = connection.socket.take() {
            if recycled && socket.reset().is_ok() {
                connection.spare = Some(socket);
            } else {
                socket.reset_on_close();
            }
        }
        connection.phase = Phase::Idle;
        connection.partial.clear();
        connection.out.clear();
    }

    /// The other side closed, or failed.
    pub(super) fn ended(&mut self, index: usize, code: Option<u16>, failure: Option<&str>) {
        let connection = &mut self.connections[index];
        let role = connection.role;
        let was = connection.phase;
        connection.phase = Phase::Ended;
        connection.socket = None;
        if self.ending {
            return;
        }
        if let Role::Publisher { slot } = role {
            return self.publisher_ended(index, slot, was, failure);
        }
        if let Some(failure) = failure {
            self.note_failure(failure.to_owned());
        }
        if matches!(was, Phase::Open | Phase::Greeting) {
            *self.closes.entry(code.unwrap_or(ABNORMAL)).or_default() += 1;
        } else if failure.is_none() {
            self.note_failure("handshake: the relay closed the connection".to_owned());
        }
        let Connection { part, .. } = self.connections[index];
        // A storm that recycles its connections goes on; its failures are counted.
        if self.parts[part].plan.recycle && self.parts[part].plan.rate == 0.0 {
            let later = self.clock.now() + 1_000_000;
            self.at(later, Task::Connect(index));
        }
    }

    /// A storm's next handshake is due: on the next connection that is not in use.
    pub(super) fn handshake_due(&mut self, part: usize, due: u64) {
        if !self.stage.loaded(self.clock.now()) {
            return;
        }
        let running = &mut self.parts[part];
        let rate = running.plan.rate / self.settings.share.of as f64;
        let place = running.next_victim;
        running.next_victim += 1;
        if place >= running.subscribers && !running.plan.recycle {
            return;
        }
        let index = running.first_connection + place % running.subscribers;
        let free = matches!(self.connections[index].phase, Phase::Idle | Phase::Ended);
        if free {
            self.connect(index, due);
        } else {
            self.parts[part].numbers.skipped += 1;
        }
        self.at(due + (1e9 / rate) as u64, Task::Handshake(part));
    }

    /// One subscriber leaves for good, and another comes.
    pub(super) fn churn_due(&mut self, part: usize, due: u64) {
        if !self.stage.loaded(self.clock.now()) {
            return;
        }
        let rate = self.parts[part].plan.churn / self.settings.share.of as f64;
        self.at(due + (1e9 / rate) as u64, Task::Churn(part));
        if let Some((index, subscriber)) = self.victim(part) {
            self.close(index);
            self.parts[part].ledger.forget(subscriber);
            self.at(due, Task::Connect(index));
        }
    }

    /// One subscriber loses its connection, and will ask for what it missed.
    pub(super) fn cut_due(&mut self, part: usize, due: u64) {
        if !self.stage.loaded(self.clock.now()) {
            return;
        }
        let plan = &self.parts[part].plan;
        let (rate, away) = (
            plan.reconnect / self.settings.share.of as f64,
            plan.away_ms * 1_000_000,
        );
        self.at(due + (1e9 / rate) as u64, Task::Cut(part));
        if let Some((index, _)) = self.victim(part)
            // Before its first message it has no place to continue from.
            && self.connections[index].since.is_some()
        {
            self.close(index);
            self.at(due + away, Task::Connect(index));
        }
    }

    fn victim(&mut self, part: usize) -> Option<(usize, usize)> {
        let chance = usize::try_from(self.chance() >> 1).unwrap_or(0);
        let running = &self.parts[part];
        let index = running.first_connection + chance.checked_rem(running.subscribers)?;
        let Connection {
            phase: Phase::Open,
            role:
                Role::Subscriber {
                    index: subscriber,
                    slow: false,
                    ..
                },
            ..
        } = self.connections[index]
        else {
            return None;
        };
        Some((index, subscriber))
    }

    pub(super) fn send_frame(&mut self, index: usize, opcode: u8, payload: &[u8]) {
        let mut draft = std::mem::take(&mut self.draft);
        draft.payload().extend_from_slice(payload);
        self.send(index, draft.finish(opcode));
        self.draft = draft;
    }

    /// Sends now what the socket takes, and keeps the rest until it is writable.
    pub(super) fn send(&mut self, index: usize, bytes: &[u8]) {
        let connection = &mut self.connections[index];
        let Some(socket) = &mut connection.socket else {
            return;
        };
        if !connection.out.is_empty() {
            return connection.out.extend_from_slice(bytes);
        }
        match socket.write(bytes) {
            Ok(sent) if sent == bytes.len() => {}
            Ok(sent) => connection.out.extend_from_slice(&bytes[sent..]),
            Err(error) => self.ended(index, None, Some(&format!("send: {error}"))),
        }
    }

    pub(super) fn writable(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let Some(socket) = &mut connection.socket else {
            return;
        };
        let outcome = socket.flush_tls().and_then(|()| match connection.out.is_empty() {
            true => Ok(None),
            false => socket.write(&connection.out).map(Some),
        });
        match outcome {
            Ok(None) => {}
            Ok(Some(sent)) => drop(connection.out.drain(..sent)),
            Err(error) => self.ended(index, None, Some(&format!("send: {error}"))),
        }
    }
}
