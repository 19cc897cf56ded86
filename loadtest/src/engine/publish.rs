//! Sending: by a server's requests or over members' own sockets, on time or in a closed loop.
//!
//! In an open loop every message carries the time when it was due, even when it leaves late; so a relay that stalls cannot
//! hide the messages that its stall held back.

use super::numbers::record;
use super::{Engine, Phase, Role, Slot, Task};
use crate::http::{self, Answer};
use crate::plan::Part;
use crate::stamp::Stamp;

/// Requests that an open loop may have under way at once.
pub(super) const SLOTS: usize = 16;
/// Due sends that wait for a free publisher; beyond that they are skipped and the run fails.
const BACKLOG_MAX: usize = 10_000;

impl Engine {
    /// Starts a part's publishing.
    pub(super) fn start_publishing(&mut self, part: usize, now: u64) {
        let running = &self.parts[part];
        match running.plan.publish {
            crate::plan::Publish::Nobody => {}
            crate::plan::Publish::Http if running.closed() => {
                for slot in 0..running.slots.len() {
                    self.publish(part, slot, now);
                }
            }
            crate::plan::Publish::Http => self.at(now, Task::Publish(part)),
            crate::plan::Publish::Members => self.start_members(part, now),
        }
    }

    fn start_members(&mut self, part: usize, now: u64) {
        let running = &self.parts[part];
        let (first, count, in_flight) = (
            running.first_connection,
            running.subscribers,
            running.plan.in_flight,
        );
        let interval = self.member_interval(part);
        for index in first..first + count {
            if in_flight > 0 {
                for _ in 0..in_flight {
                    self.say(index, now);
                }
                continue;
            }
            // Spread over the interval: people do not type in step.
            let offset = self.chance() % interval.max(1);
            self.at(now + offset, Task::Say(index));
        }
    }

    fn member_interval(&self, part: usize) -> u64 {
        let plan = &self.parts[part].plan;
        (1e9 * plan.sockets as f64 / plan.rate) as u64
    }

    pub(super) fn say_due(&mut self, index: usize, due: u64, now: u64) {
        if !self.stage.loaded(now) {
            return;
        }
        self.stage.late(now - due);
        let part = self.connections[index].part;
        let interval = self.member_interval(part);
        self.at(due + interval, Task::Say(index));
        self.say(index, due);
    }

    /// A member publishes over its own socket.
    pub(super) fn say(&mut self, index: usize, at: u64) {
        let connection = &self.connections[index];
        let (
            Phase::Open,
            Role::Subscriber {
                index: subscriber,
                channel,
                member,
                ..
            },
        ) = (connection.phase, connection.role)
        else {
            return;
        };
        let place = connection.part;
        let counts = self.stage.counts(at);
        let part = &mut self.parts[place];
        let number = part.next_number[subscriber];
        part.next_number[subscriber] += 1;
        part.sent[channel as usize] += 1;
        part.numbers.sent_counted += u64::from(counts);
        // Nobody answers a member, so between members there is no order to hold the relay to.
        let stamp = Stamp {
            run: self.settings.run,
            part: place as u8,
            channel,
            stream: member,
            number,
            order: number,
            settled: 0,
            at,
        };
        let name = &part.names[channel as usize];
        let Part { size, binary, .. } = part.plan;
        let mut draft = std::mem::take(&mut self.draft);
        let opcode = self
            .settings
            .dialect
            .say(draft.payload(), name, &stamp, size, binary);
        self.send(index, draft.finish(opcode));
        self.draft = draft;
    }

    pub(super) fn publish_due(&mut self, part: usize, due: u64, now: u64) {
        if !self.stage.loaded(now) {
            return;
        }
        self.stage.late(now - due);
        let running = &mut self.parts[part];
        let rate = running.plan.rate / self.settings.share.of as f64;
        let free = running.slots.iter().position(|slot| !slot.busy);
        match free {
            Some(slot) if running.backlog.is_empty() => self.publish(part, slot, due),
            _ if running.backlog.len() < BACKLOG_MAX => running.backlog.push_back(due),
            _ => running.numbers.skipped += 1,
        }
        self.at(due + (1e9 / rate) as u64, Task::Publish(part));
    }

    fn publish(&mut self, part: usize, slot: usize, at: u64) {
        let running = &mut self.parts[part];
        let slots = running.slots.len();
        let channel = running.next_channel;
        running.next_channel = (channel + 1) % running.plan.channels;
        let place = &mut running.next_number[channel * slots + slot];
        let number = *place;
        *place += 1;
        running.sent[channel] += 1;
        running.numbers.sent_counted += u64::from(self.stage.counts(at));
        let remaining = if running.closed() {
            running.audience[channel]
        } else {
            0
        };
        let connection = running.slots[slot].connection;
        let order = running.next_order;
        running.next_order += 1;
        let waiting = running.slots.iter().filter(|slot| slot.busy && !slot.answered);
        let settled = waiting.map(|slot| slot.order).min().unwrap_or(order);
        running.slots[slot] = Slot {
            connection,
            busy: true,
            answered: false,
            channel,
            number,
            order,
            at,
            remaining,
        };
        let stamp = Stamp {
            run: self.settings.run,
            part: part as u8,
            channel: channel as u32,
            stream: running.first_stream + slot as u32,
            number,
            order,
            settled,
            at,
        };
        let running = &self.parts[part];
        let name = &running.names[channel];
        let request = self
            .settings
            .dialect
            .publish(&self.settings.target, name, &stamp, running.plan.size);
        match self.connections[connection].phase {
            Phase::Open => self.send(connection, &request),
            Phase::Connecting => self.connections[connection].out = request,
            _ => {
                let now = self.clock.now();
                self.connect(connection, now);
                self.connections[connection].out = request;
            }
        }
    }

    pub(super) fn publisher_open(&mut self, index: usize) {
        self.writable(index);
    }

    /// Bytes of answers to publishes. Returns how many are done with.
    pub(super) fn answers(&mut self, index: usize, slot: usize, bytes: &[u8]) -> usize {
        let mut done = 0;
        loop {
            let body = self.connections[index].body.min(bytes.len() - done);
            self.connections[index].body -= body;
            done += body;
            if self.connections[index].body > 0 || done == bytes.len() {
                return done;
            }
            let head = match http::head(&bytes[done..]) {
                Answer::Head(head) => head,
                Answer::More => return done,
                Answer::Broken => {
                    self.ended(index, None, Some("publish: the answer is not HTTP"));
                    return bytes.len();
                }
            };
            if !self.parts[self.connections[index].part].slots[slot].busy {
                // A word on an idle connection: the relay has waited long enough for a request, and closes it.
                self.close(index);
                return bytes.len();
            }
            done += head.bytes;
            self.connections[index].body = head.content_length.unwrap_or(0);
            self.answered(index, slot, head.status);
            if head.close || head.content_length.is_none() {
                // Without a length the connection's end ends the answer; a new one serves the next publish.
                self.close(index);
                return bytes.len();
            }
        }
    }

    fn answered(&mut self, index: usize, slot: usize, status: u16) {
        let now = self.clock.now();
        let part = self.connections[index].part;
        let running = &mut self.parts[part];
        let Slot { channel, at, .. } = running.slots[slot];
        if self.stage.counts(at) {
            record(&mut running.numbers.answers, now.saturating_sub(at));
        }
        if !(200..300).contains(&status) {
            // The number was not used up: the next message takes it, and no subscriber sees a hole.
            let slots = running.slots.len();
            running.next_number[channel * slots + slot] -= 1;
            running.sent[channel] -= 1;
            running.numbers.sent_counted -= u64::from(self.stage.counts(at));
            running.numbers.refused += 1;
            running.slots[slot].remaining = 0;
            self.note_failure(format!("publish: refused with status {status}"));
        }
        self.parts[part].slots[slot].answered = true;
        self.free(part, slot, now);
    }

    /// A delivery of the message that a closed loop waits for.
    pub(super) fn progress(&mut self, part: usize, stream: u32, number: u32, now: u64) {
        let running = &mut self.parts[part];
        // Streams of other shares have no slot here, whichever side of this share's they are on.
        let slot = stream.wrapping_sub(running.first_stream) as usize;
        let Some(under_way) = running.slots.get_mut(slot) else {
            return;
        };
        if under_way.busy && under_way.number == number && under_way.remaining > 0 {
            under_way.remaining -= 1;
            if under_way.remaining == 0 {
                self.free(part, slot, now);
            }
        }
    }

    /// Answered, and delivered where that is awaited: the next one.
    fn free(&mut self, part: usize, slot: usize, now: u64) {
        let running = &mut self.parts[part];
        let Slot {
            answered, remaining, ..
        } = running.slots[slot];
        if !answered || remaining > 0 {
            return;
        }
        running.slots[slot].busy = false;
        if running.closed() {
            if self.stage.loaded(now) {
                self.publish(part, slot, now);
            }
        } else if let Some(due) = running.backlog.pop_front() {
            self.publish(part, slot, due);
        }
    }

    pub(super) fn publisher_ended(&mut self, index: usize, slot: usize, was: Phase, failure: Option<&str>) {
        let part = self.connections[index].part;
        let under_way = self.parts[part].slots[slot];
        if under_way.busy && !under_way.answered {
            self.parts[part].numbers.unanswered += 1;
            self.note_failure(format!(
                "publish: {}",
                failure.unwrap_or("the connection ended without an answer")
            ));
            self.parts[part].slots[slot] = Slot {
                answered: true,
                remaining: 0,
                connection: index,
                ..under_way
            };
            // Not at once: a relay that is down would be asked in a tight loop.
            if was != Phase::Connecting {
                let now = self.clock.now();
                self.free(part, slot, now);
            }
        }
    }
}
