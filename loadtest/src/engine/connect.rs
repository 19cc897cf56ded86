//! Connections from the first packet to the confirmed subscription, and what happens when they end.

use rustix::event::epoll;

use super::numbers::record;
use super::{Connection, Engine, Phase, Role, Task};
use crate::dialect::{Kind, Subscription};
use crate::frames;
use crate::http::{self, Answer};
use crate::plan::Publish;
use crate::socket::{Socket, source_of};

/// RFC 6455: the connection ended without a close frame.
const ABNORMAL: u16 = 1006;
/// A token outlives any run (12 hours at most) and stays under the relay's own bound.
const TOKEN_LIFE_S: u64 = 13 * 3600;

impl Engine {
    pub(super) fn connect(&mut self, index: usize, due: u64) {
        if self.ending {
            return;
        }
        let slow = matches!(self.connections[index].role, Role::Subscriber { slow: true, .. });
        let source = source_of(index, &self.settings.target, &self.settings.sources);
        let socket = Socket::connect(&self.settings.target, source, slow);
        let connection = &mut self.connections[index];
        connection.due = due;
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                connection.phase = Phase::Ended;
                return self.note_failure(format!("connect: {error}"));
            }
        };
        // Edge-triggered, and both directions at once: one registration for the whole life of the connection.
        let flags =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        if let Err(error) = epoll::add(
            &self.epoll,
            &socket,
            epoll::EventData::new_u64(index as u64),
            flags,
        ) {
            connection.phase = Phase::Ended;
            return self.note_failure(format!("epoll: {error}"));
        }
        connection.phase = Phase::Connecting;
        connection.socket = Some(socket);
        connection.partial.clear();
        connection.out.clear();
        connection.chunked = None;
        connection.body = 0;
    }

    /// The socket is writable for the first time.
    pub(super) fn connected(&mut self, index: usize) {
        let Some(socket) = &self.connections[index].socket else {
            return;
        };
        if let Err(error) = socket.connected() {
            return self.ended(index, None, Some(&format!("connect: {error}")));
        }
        let Role::Subscriber { .. } = self.connections[index].role else {
            self.connections[index].phase = Phase::Open;
            // TLS begins its handshake with the first flush.
            self.send(index, &[]);
            return self.publisher_open(index);
        };
        let unix_s = self.clock.now() / 1_000_000_000;
        let request = {
            let subscription = self.subscription(index);
            self.settings
                .dialect
                .open(&self.settings.target, &subscription, unix_s, TOKEN_LIFE_S)
        };
        self.connections[index].phase = Phase::Handshake;
        self.send(index, request.as_bytes());
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
        if let Some(socket) = connection.socket.take() {
            socket.reset_on_close();
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
        let mut bytes = Vec::with_capacity(payload.len() + 14);
        frames::write(&mut bytes, opcode, payload);
        self.send(index, &bytes);
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
            true => Ok(0),
            false => socket.write(&connection.out),
        });
        match outcome {
            Ok(sent) => drop(connection.out.drain(..sent)),
            Err(error) => self.ended(index, None, Some(&format!("send: {error}"))),
        }
    }
}
