//! From the hub's decisions to bytes in outboxes: encodes each wire form of a message once per shard.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_channel::oneshot;
use wire::id::{Cursor, MessageId};
use wire::{server, sse};

use super::connections::Connections;
use super::counters::ShardCounters;
use crate::connection::outbox::Frame;
use crate::connection::{Connection, Staged, Transport};
use crate::hub::{
    ChannelKey, Form, Homes, Kind, Message, Presence, Published, Sink, Subscribed, Subscriber, Ticket,
};
use crate::ids::{ConnId, SiteId};
use crate::insight::{MessageKey, Tap};

/// The event of a membership change.
pub const PRESENCE_EVENT: &str = "wps.presence";
/// The event and the channel of a site's connection count.
pub const CONNECTIONS_EVENT: &str = "wps.connections";
pub const CONNECTIONS_CHANNEL: &str = "wps:connections";

/// Publishes that wait for their home's answer, by ticket.
#[derive(Default)]
pub struct Tickets {
    waiting: HashMap<Ticket, oneshot::Sender<Published>>,
    next: u64,
}

impl Tickets {
    pub fn issue(&mut self) -> (Ticket, oneshot::Receiver<Published>) {
        let (sender, receiver) = oneshot::channel();
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.insert(ticket, sender);
        (ticket, receiver)
    }

    /// Forgets a ticket that nobody waits for any more.
    pub fn forget(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }
}

/// Borrows, for one call of the hub, what the hub's decisions change.
pub struct ShardSink<'a> {
    pub homes: &'a Homes,
    /// How far each home's messages have been handled on this shard.
    pub seen: &'a mut Cursor,
    pub connections: &'a mut Connections,
    pub tickets: &'a mut Tickets,
    pub tap: &'a mut Tap,
    pub counters: &'a ShardCounters,
    /// Sites of whose connection count a subscriber was just told, to be followed from now on.
    pub watched_sites: &'a mut HashMap<SiteId, u32>,
}

impl Sink for ShardSink<'_> {
    fn deliver(&mut self, message: &Arc<Message>, subscribers: &[Subscriber]) {
        let mut frames: [Option<Frame>; Form::COUNT] = Default::default();
        let mut recipients = 0;
        let binary = matches!(message.kind, Kind::Binary { .. });
        if message.seq != 0 {
            self.seen.advance(message.home.0, message.seq);
        }
        for subscriber in subscribers {
            if !subscriber.form.is_ws() {
                if binary {
                    continue;
                }
                if let Some(staged) = self.connections.staged(subscriber.slot) {
                    stage(staged, message, subscriber.form);
                    recipients += 1;
                    continue;
                }
            }
            let frame = frames[subscriber.form as usize]
                .get_or_insert_with(|| Frame::new(encode(message, subscriber.form, self.seen)));
            recipients += u32::from(self.connections.push(subscriber.slot, frame));
        }
        let bytes = frames
            .iter()
            .flatten()
            .map(|frame| frame.bytes().len())
            .max()
            .unwrap_or(0);
        let number = self.connections.count_fan_out(bytes as u64, recipients);
        self.tap.fanned_out(number, message_key(message), recipients);
        self.counters.deliveries.add(u64::from(recipients));
        if recipients > 0
            && let Some((_, connection, _)) = subscribers
                .first()
                .and_then(|first| self.connections.at(first.slot))
        {
            let usage = &connection.session.site.live.usage;
            usage.delivered(u64::from(recipients), bytes);
        }
    }

    fn subscribed(&mut self, subscribed: Subscribed) {
        let id = subscribed.subscriber;
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let form = form_of(connection);
        let home = self.homes.home_of(&subscribed.channel);
        // The queue from a home keeps its order: all that it sent to this shard up to here has been handled.
        self.seen.advance(home.0, subscribed.position);
        let gap = subscribed.gap.then(|| Frame::new(gap(&subscribed.spelled, form)));
        let others = self.events_on_subscribing(&subscribed, form);
        if let Some(staged) = self.connections.staged(id.slot) {
            staged.gaps.extend(gap);
            staged.messages.extend(subscribed.replay);
            staged.others.extend(others);
        } else {
            let replay = subscribed
                .replay
                .iter()
                .map(|message| Frame::new(encode(message, form, self.seen)));
            let frames: Vec<Frame> = gap.into_iter().chain(replay).chain(others).collect();
            for frame in &frames {
                self.connections.push_to(id, frame);
            }
        }
        self.answer_part(id, form);
    }

    fn published(&mut self, ticket: Ticket, outcome: Published) {
        if let Some(waiting) = self.tickets.waiting.remove(&ticket) {
            // Whoever asked may have gone meanwhile.
            let _ = waiting.send(outcome);
        }
    }

    fn presence_refused(&mut self, member: ConnId, channel: ChannelKey) {
        let message = "this channel has as many presence members as it may have";
        self.counters.refusals.count("limit_exceeded");
        self.push(
            member,
            server::error("limit_exceeded", message, Some(&channel.name)),
        );
    }
}

impl ShardSink<'_> {
    fn push(&mut self, id: ConnId, bytes: Bytes) {
        self.connections.push_to(id, &Frame::new(bytes));
    }

    /// One home has answered a subscribe; the last one brings the client's answer.
    fn answer_part(&mut self, id: ConnId, form: Form) {
        let Some(pending) = self
            .connections
            .get_mut(id)
            .and_then(|connection| connection.pending.as_mut())
        else {
            return;
        };
        pending.waiting = pending.waiting.saturating_sub(1);
        if pending.waiting == 0
            && let Some(staged) = self.connections.finish_subscribe(id)
        {
            self.unstage(id, form, staged);
        }
    }

    /// Sends what a stream's subscriptions brought: per home in the order of its messages, so that the ids never claim
    /// what is still to come.
    fn unstage(&mut self, id: ConnId, form: Form, mut staged: Staged) {
        staged.messages.sort_by_key(|message| (message.home, message.seq));
        for gap in &staged.gaps {
            self.connections.push_to(id, gap);
        }
        let mut cursor = staged.cursor;
        for message in &staged.messages {
            cursor.advance(message.home.0, message.seq);
            let frame = Frame::new(encode_with(message, form, Some(&cursor.to_string())));
            self.connections.push_to(id, &frame);
        }
        for other in &staged.others {
            self.connections.push_to(id, other);
        }
        self.push(id, sse::cursor(&self.seen.to_string()));
    }

    /// What a new subscriber is told besides messages: the members, and on its channel the site's connection count.
    fn events_on_subscribing(&mut self, subscribed: &Subscribed, form: Form) -> Vec<Frame> {
        let mut events = Vec::new();
        if let Some(members) = &subscribed.members {
            let members: Vec<_> = members
                .iter()
                .map(|member| (member.id.to_string(), text(&member.state)))
                .collect();
            let data = server::presence_sync(members.iter().map(|(id, state)| (id.as_str(), *state)));
            events.push(Frame::new(relay_event(
                &subscribed.channel.name,
                PRESENCE_EVENT,
                &data,
                form,
            )));
        }
        if &*subscribed.channel.name == CONNECTIONS_CHANNEL
            && let Some(connection) = self.connections.get(subscribed.subscriber)
        {
            let site = &connection.session.site;
            let (active, max) = (site.live.connections(), site.limits.connections_max);
            self.watched_sites.entry(site.id).or_insert(active);
            let data = server::connections(u64::from(active), u64::from(max));
            events.push(Frame::new(relay_event(
                CONNECTIONS_CHANNEL,
                CONNECTIONS_EVENT,
                &data,
                form,
            )));
        }
        events
    }
}

/// Keeps a delivery for a stream whose subscriptions are under way.
fn stage(staged: &mut Staged, message: &Arc<Message>, form: Form) {
    if message.seq == 0 {
        staged.others.push(Frame::new(encode_with(message, form, None)));
    } else {
        staged.messages.push(Arc::clone(message));
    }
}

/// Tells one message from all others, on whichever shard.
pub fn message_key(message: &Arc<Message>) -> MessageKey {
    (message.published_at_ns, Arc::as_ptr(message) as usize)
}

/// The form in which a connection takes messages.
pub fn form_of(connection: &Connection) -> Form {
    match connection.transport {
        Transport::WebSocket { ids: true } => Form::WsIds,
        Transport::WebSocket { ids: false } | Transport::Dispatch => Form::WsPlain,
        Transport::Stream if connection.session.version == 1 => Form::SseV1,
        Transport::Stream => Form::SseV2,
    }
}

/// One wire form of a message, with its id where the form has one (protocol, "WebSocket", "Server-Sent Events").
///
/// A socket's message carries its own. A stream's carries the shard's cursor: how far every home's messages have been
/// handled here, which is the same for all streams of the shard, and so the frame is.
pub fn encode(message: &Message, form: Form, seen: &Cursor) -> Bytes {
    match form {
        Form::WsPlain => encode_with(message, form, None),
        Form::WsIds => {
            let id = MessageId {
                run: seen.run(),
                home: message.home.0,
                seq: message.seq,
            }
            .text();
            encode_with(message, form, Some(&id))
        }
        Form::SseV1 | Form::SseV2 => encode_with(message, form, Some(&seen.to_string())),
    }
}

/// Like [`encode`] with the given id. Only text messages have one.
fn encode_with(message: &Message, form: Form, id: Option<&str>) -> Bytes {
    let channel: &str = &message.spelled;
    match &message.kind {
        Kind::Text { event, data } => match form {
            Form::WsPlain | Form::WsIds => server::message(channel, event, text(data), id),
            Form::SseV1 => sse::message_v1(event, text(data), id),
            Form::SseV2 => sse::message_v2(channel, event, text(data), id),
        },
        Kind::Binary { frame } => wire::ws::binary_frame(frame),
        Kind::Presence(Presence::Join(member)) => {
            let data = server::presence_join(&member.id.to_string(), text(&member.state));
            relay_event(channel, PRESENCE_EVENT, &data, form)
        }
        Kind::Presence(Presence::Leave(id)) => relay_event(
            channel,
            PRESENCE_EVENT,
            &server::presence_leave(&id.to_string()),
            form,
        ),
        Kind::Relay { event, data } => relay_event(channel, event, text(data), form),
    }
}

/// An event of the relay's own, which has no id.
pub fn relay_event(channel: &str, event: &str, data: &str, form: Form) -> Bytes {
    match form {
        Form::WsPlain | Form::WsIds => server::message(channel, event, data, None),
        Form::SseV1 => sse::message_v1(event, data, None),
        Form::SseV2 => sse::message_v2(channel, event, data, None),
    }
}

fn gap(channel: &str, form: Form) -> Bytes {
    match form {
        Form::WsPlain | Form::WsIds => server::gap(channel),
        Form::SseV1 => sse::gap_v1(channel),
        Form::SseV2 => sse::gap_v2(channel),
    }
}

/// JSON that was checked as UTF-8 where it came in.
fn text(data: &Bytes) -> &str {
    std::str::from_utf8(data).expect("JSON text was valid UTF-8 when it was taken in")
}
