//! The hub: a message at its channel's home, its way to another shard, and the fan-out to subscribers' outboxes.

use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use hookcast::connection::outbox::{Arena, Frame, Outbox, OutboxLimits};
use hookcast::hub::{
    ChannelKey, Form, Home, HomeLimits, Kind, Local, LocalLimits, Message, Origin, Published, Sink,
    Subscribed, Subscriber, Subscribing, Ticket, ToHome, ToLocal,
};
use hookcast::ids::{ConnId, ShardId, SiteId};
use hookcast::mesh::Mesh;

use super::{Rung, data};

const LIMITS: OutboxLimits = OutboxLimits {
    bytes_max: 4 << 20,
    frames_max: 4096,
};
const SHARD: ShardId = ShardId(0);

fn key() -> ChannelKey {
    ChannelKey::new(SiteId(1), "events")
}

fn message() -> Message {
    let key = key();
    let spelled = Arc::clone(&key.name);
    let kind = Kind::Text {
        event: "post.updated".into(),
        data: Bytes::from(data()),
    };
    Message::new(key, spelled, kind, Origin::Server, 0)
}

/// Outboxes without sockets: what is queued counts as written at once.
struct Outboxes {
    arena: Arena,
    boxes: Vec<Outbox>,
    subscribed: Vec<Subscribed>,
}

impl Sink for Outboxes {
    fn deliver(&mut self, message: &Arc<Message>, subscribers: &[Subscriber]) {
        let Kind::Text { event, data } = &message.kind else {
            return;
        };
        let text = std::str::from_utf8(data).expect("JSON");
        let frame = Frame::new(wire::server::message(&message.spelled, event, text, None));
        for subscriber in subscribers {
            let outbox = &mut self.boxes[subscriber.slot as usize];
            outbox.push(&mut self.arena, &frame, LIMITS).expect("room");
        }
        for subscriber in subscribers {
            let outbox = &mut self.boxes[subscriber.slot as usize];
            let written = outbox.single(&self.arena).expect("one frame").len();
            outbox.advance(&mut self.arena, written);
        }
    }

    fn subscribed(&mut self, subscribed: Subscribed) {
        self.subscribed.push(subscribed);
    }

    fn published(&mut self, _: Ticket, _: Published) {}

    fn presence_refused(&mut self, _: ConnId, _: ChannelKey) {}
}

/// A fan-out to as many subscribers: encode once, queue for each, take off again.
pub(super) fn fan_out(audience: u32) -> Rung {
    let mut local = Local::new(SHARD, LocalLimits::default());
    let mut home = Home::new(SHARD, HomeLimits::default());
    let mut sink = Outboxes {
        arena: Arena::default(),
        boxes: (0..audience).map(|_| Outbox::default()).collect(),
        subscribed: Vec::new(),
    };
    for slot in 0..audience {
        let id = ConnId {
            shard: SHARD,
            slot,
            generation: 0,
        };
        local.open(id, Form::WsPlain);
        let asked = local.subscribe(id, key(), Arc::clone(&key().name), None, false);
        let Subscribing::Pending(request) = asked else {
            unreachable!("a new subscription")
        };
        let mut answers = Vec::new();
        home.handle(SHARD, request, 0, &mut |_, answer| answers.push(answer));
        answers
            .into_iter()
            .for_each(|answer| local.handle(answer, &mut sink));
    }
    let message = Arc::new(message());
    Rung::new(
        "fan-out",
        format!("{audience} subscribers"),
        u64::from(audience),
        move || {
            local.deliver(black_box(&message), &mut sink);
        },
    )
}

/// A publish at its channel's home: order, memory, and the one message for the shard that is interested.
pub(super) fn publish_at_home() -> Rung {
    let mut home = Home::new(SHARD, HomeLimits::default());
    let mut local = Local::new(SHARD, LocalLimits::default());
    let id = ConnId {
        shard: SHARD,
        slot: 0,
        generation: 0,
    };
    local.open(id, Form::WsPlain);
    if let Subscribing::Pending(request) = local.subscribe(id, key(), Arc::clone(&key().name), None, false) {
        home.handle(SHARD, request, 0, &mut |_, _| {});
    }
    let template = message();
    Rung::new("home", "publish", 1, move || {
        let publish = ToHome::Publish {
            message: Arc::new(template.clone()),
            dedupe: None,
            ticket: None,
        };
        home.handle(SHARD, publish, 1, &mut |to, answer| drop(black_box((to, answer))));
    })
}

/// A delivery from one shard's home to another shard, there and taken out, without waking anyone.
pub(super) fn mesh() -> Rung {
    let wakes: Vec<_> = (0..2)
        .map(|_| hookcast::wake::pair().expect("an eventfd").0)
        .collect();
    let mut ends = Mesh::<ToHome, ToLocal>::between(&wakes);
    let (other, here) = (ends.pop().expect("two"), ends.pop().expect("two"));
    let (other, here) = (RefCell::new(other), RefCell::new(here));
    let message = Arc::new(message());
    let keep = Rc::new(wakes);
    Rung::new("mesh", "one delivery to another shard", 1, move || {
        let _alive = &keep;
        here.borrow_mut()
            .send_local(ShardId(1), ToLocal::Deliver(Arc::clone(&message)));
        black_box(other.borrow_mut().receive_local(SHARD).expect("it arrives"));
    })
}
