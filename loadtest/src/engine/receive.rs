//! Everything that arrives: frames, events, answers; and what a delivery means to the ledger.

use memchr::memmem;
use rustix::event::epoll;

use super::{Chunked, Connection, Engine, Phase, Role};
use crate::dialect::{Kind, Note};
use crate::frames::{self, Step};
use crate::ledger::Entry;
use crate::plan::Publish;
use crate::socket::Taken;
use crate::stamp::Stamp;

/// More than a message of the largest size.
const PARTIAL_BYTES_MAX: usize = 4 << 20;
/// What a subscriber without recovery needs not remember.
const CODE_MISSING: u16 = 1005;

impl Engine {
    /// A connection is ready; returns the time when its bytes were taken.
    pub(super) fn ready(&mut self, index: usize, flags: epoll::EventFlags) -> u64 {
        let Some(Connection { socket: Some(_), .. }) = self.connections.get(index) else {
            return self.clock.now();
        };
        if flags.intersects(epoll::EventFlags::OUT | epoll::EventFlags::ERR | epoll::EventFlags::HUP) {
            match self.connections[index].phase {
                Phase::Connecting => self.connected(index),
                _ => self.writable(index),
            }
        }
        let Connection { role, phase, .. } = self.connections[index];
        // A slow reader reads its handshake, and then never again.
        let deaf = phase == Phase::Open && matches!(role, Role::Subscriber { slow: true, .. });
        let over = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if deaf && flags.intersects(over) {
            self.parts[self.connections[index].part].numbers.slow_closed += 1;
            self.close(index);
            self.connections[index].phase = Phase::Ended;
        } else if !deaf && flags.intersects(epoll::EventFlags::IN | over) {
            return self.readable(index);
        }
        self.clock.now()
    }

    fn readable(&mut self, index: usize) -> u64 {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut taken_at = None;
        loop {
            let connection = &mut self.connections[index];
            let Some(socket) = &mut connection.socket else {
                break;
            };
            // What was left over comes first, in the same buffer: a frame is always in one piece.
            let kept = connection.partial.len();
            if scratch.len() < kept + super::SCRATCH_BYTES / 2 {
                scratch.resize(kept + super::SCRATCH_BYTES, 0);
            }
            scratch[..kept].copy_from_slice(&connection.partial);
            let taken = match socket.read(&mut scratch[kept..]) {
                Ok(Taken::Bytes(taken)) => taken,
                Ok(Taken::Later) => break,
                Ok(Taken::End) => {
                    self.ended(index, None, None);
                    break;
                }
                Err(error) => {
                    self.ended(index, None, Some(&format!("receive: {error}")));
                    break;
                }
            };
            let now = self.clock.now();
            taken_at = Some(now);
            let room = scratch.len() - kept;
            connection.partial.clear();
            let used = self.take(index, &scratch[..kept + taken], now);
            let rest = &scratch[used..kept + taken];
            let connection = &mut self.connections[index];
            if connection.socket.is_none() {
                break;
            }
            connection.partial.extend_from_slice(rest);
            if connection.partial.len() > PARTIAL_BYTES_MAX {
                self.ended(index, None, Some("a message is longer than 4 MiB"));
                break;
            }
            // Less than there was room for: the socket is empty (epoll(7), edge-triggered streams). TLS may hold more.
            if taken < room && self.settings.target.tls.is_none() {
                break;
            }
        }
        self.scratch = scratch;
        taken_at.unwrap_or_else(|| self.clock.now())
    }

    /// Takes what is whole; returns how many bytes that was.
    fn take(&mut self, index: usize, bytes: &[u8], now: u64) -> usize {
        let mut done = 0;
        if self.connections[index].phase == Phase::Handshake {
            match self.shake(index, bytes) {
                Some(head) => done = head,
                None => return 0,
            }
        }
        match self.connections[index].role {
            Role::Publisher { slot } => self.answers(index, slot, bytes),
            Role::Subscriber {
                kind: Kind::WebSocket,
                ..
            } => {
                let frames = self.take_frames(index, &bytes[done..], now);
                done + frames
            }
            Role::Subscriber {
                kind: Kind::Stream, ..
            } => {
                done + match self.connections[index].chunked.take() {
                    Some(body) => self.take_chunks(index, &bytes[done..], body, now),
                    None => self.take_events(index, &bytes[done..], now),
                }
            }
        }
    }

    fn take_frames(&mut self, index: usize, bytes: &[u8], now: u64) -> usize {
        let mut done = 0;
        loop {
            match frames::next(&bytes[done..]) {
                Step::More => return done,
                Step::Broken(reason) => {
                    self.ended(index, None, Some(&format!("protocol: {reason}")));
                    return bytes.len();
                }
                Step::Frame {
                    opcode,
                    last,
                    payload,
                } => {
                    let (start, end) = (done + payload.start, done + payload.end);
                    done = end;
                    if !last || opcode == 0 {
                        self.ended(index, None, Some("protocol: the relay fragments its messages"));
                        return bytes.len();
                    }
                    self.take_frame(index, opcode, &bytes[start..end], now);
                    if self.connections[index].socket.is_none() {
                        return bytes.len();
                    }
                }
            }
        }
    }

    fn take_frame(&mut self, index: usize, opcode: u8, payload: &[u8], now: u64) {
        let connection = &mut self.connections[index];
        if let Some(stamp) = self.recent.find(payload, &mut connection.hint) {
            if self.parts[connection.part].plan.reconnect > 0.0 {
                connection.since = id_of(payload).or(connection.since.take());
            }
            return self.delivered(index, stamp, now);
        }
        match opcode {
            frames::CLOSE => {
                let code = payload
                    .first_chunk()
                    .map_or(CODE_MISSING, |code| u16::from_be_bytes(*code));
                self.ended(index, Some(code), None);
            }
            frames::PING => self.send_frame(index, frames::PONG, payload),
            frames::TEXT | frames::BINARY => match self.settings.dialect.note(opcode, payload) {
                Note::Answer(opcode, payload) => self.send_frame(index, opcode, &payload),
                Note::Accepted => {
                    let (opcode, payload) = self.settings.dialect.subscribe(self.subscription(index).channel);
                    self.send_frame(index, opcode, &payload);
                }
                Note::Subscribed => self.opened(index),
                Note::Gap => self.parts[self.connections[index].part].numbers.gaps_told += 1,
                Note::Refused(code) => self.note_failure(format!("refused: {code}")),
                Note::Other => {}
            },
            _ => {}
        }
    }

    fn take_chunks(&mut self, index: usize, bytes: &[u8], mut body: Box<Chunked>, now: u64) -> usize {
        let open = body.chunks.decode(bytes, &mut body.plain);
        let used = self.take_events(index, &body.plain, now);
        body.plain.drain(..used);
        self.connections[index].chunked = Some(body);
        if !open {
            self.ended(index, None, None);
        }
        bytes.len()
    }

    fn take_events(&mut self, index: usize, bytes: &[u8], now: u64) -> usize {
        let mut done = 0;
        while let Some(length) = memmem::find(&bytes[done..], b"\n\n") {
            let event = &bytes[done..done + length];
            done += length + 2;
            let connection = &mut self.connections[index];
            if self.parts[connection.part].plan.reconnect > 0.0
                && let Some(id) = event_id(event)
            {
                connection.since = Some(id);
            }
            if let Some(stamp) = self.recent.find(event, &mut connection.hint) {
                self.delivered(index, stamp, now);
            } else if memmem::find(event, b"wps.gap").is_some() {
                self.parts[self.connections[index].part].numbers.gaps_told += 1;
            }
        }
        done
    }

    fn delivered(&mut self, index: usize, stamp: Stamp, now: u64) {
        let Connection { role, part, .. } = self.connections[index];
        let Role::Subscriber {
            index: subscriber,
            channel,
            kind,
            member,
            ..
        } = role
        else {
            return;
        };
        if stamp.run != self.settings.run {
            return self.note_failure("a message of another run".to_owned());
        }
        let running = &mut self.parts[part];
        if usize::from(stamp.part) != part || stamp.channel != channel {
            running.ledger.counts.leaked += 1;
            return;
        }
        match running.ledger.enter(subscriber, &stamp) {
            Entry::Fresh => {}
            Entry::Duplicate => return,
            Entry::Unknown => return self.note_failure("a publisher that is not in the plan".to_owned()),
        }
        running.numbers.arrived += 1;
        if self.stage.counts(stamp.at) {
            let latency = now.saturating_sub(stamp.at);
            running.numbers.negative += u64::from(now < stamp.at);
            match kind {
                Kind::WebSocket => running.numbers.sockets.record(latency),
                Kind::Stream => running.numbers.streams.record(latency),
            }
        }
        if running.closed() {
            match running.plan.publish {
                Publish::Http => self.progress(part, stamp.stream, stamp.number, now),
                Publish::Members if stamp.stream == member && self.stage.loaded(now) => self.say(index, now),
                _ => {}
            }
        }
    }
}

/// The `"id"` of a message, which stands outside its data.
fn id_of(payload: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Identified {
        id: Option<String>,
    }
    serde_json::from_slice::<Identified>(payload).ok()?.id
}

fn event_id(event: &[u8]) -> Option<String> {
    let line = event
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"id:"))?;
    std::str::from_utf8(line).ok().map(|id| id.trim().to_owned())
}
