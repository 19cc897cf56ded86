//! What a shard's local half promises, one property each.

use super::*;
use crate::hub::tests::{HERE, channel, conn, text};

#[derive(Default)]
struct Recorder {
    delivered: Vec<Vec<u32>>,
    subscribed: Vec<u32>,
    refused: Vec<u32>,
}

impl Sink for Recorder {
    fn deliver(&mut self, _: &Arc<Message>, subscribers: &[Subscriber]) {
        self.delivered
            .push(subscribers.iter().map(|subscriber| subscriber.slot).collect());
    }

    fn subscribed(&mut self, subscribed: Subscribed) {
        self.subscribed.push(subscribed.subscriber.slot);
    }

    fn published(&mut self, _: Ticket, _: Published) {}

    fn presence_refused(&mut self, member: ConnId, _: ChannelKey) {
        self.refused.push(member.slot);
    }
}

struct Bench {
    local: Local,
    sink: Recorder,
}

impl Bench {
    fn new(limits: LocalLimits) -> Self {
        Self {
            local: Local::new(HERE, limits),
            sink: Recorder::default(),
        }
    }

    fn with_connections(count: u32) -> Self {
        let mut bench = Self::new(LocalLimits::default());
        for slot in 0..count {
            bench.local.open(conn(slot), Form::WsPlain);
        }
        bench
    }

    fn subscribe(&mut self, conn: ConnId, name: &str) -> Subscribing {
        self.local
            .subscribe(conn, channel(name), name.into(), None, false)
    }

    /// Subscribes, and gives the answer that the home would send.
    fn ask(&mut self, conn: ConnId, name: &str) -> ToLocal {
        match self.subscribe(conn, name) {
            Subscribing::Pending(ToHome::Subscribe {
                channel,
                spelled,
                subscriber,
                id,
                ..
            }) => ToLocal::Subscribed(Box::new(Subscribed {
                channel,
                spelled,
                subscriber,
                id,
                position: 0,
                gap: false,
                replay: Vec::new(),
                members: None,
            })),
            other => panic!("{other:?}"),
        }
    }

    fn handle(&mut self, message: ToLocal) {
        self.local.handle(message, &mut self.sink);
    }

    fn activate(&mut self, slot: u32, name: &str) {
        let answer = self.ask(conn(slot), name);
        self.handle(answer);
    }

    /// The slots that a message on the channel reaches, in order.
    fn reached(&mut self, name: &str) -> Vec<u32> {
        self.sink.delivered.clear();
        self.handle(ToLocal::Deliver(text(&channel(name), "e")));
        let mut slots = self.sink.delivered.pop().unwrap_or_default();
        slots.sort_unstable();
        slots
    }

    fn presence(&mut self, slot: u32, name: &str) -> PresenceAttempt {
        match self.local.presence(conn(slot), channel(name), Bytes::new()) {
            Ok(ToHome::Presence { attempt, .. }) => attempt,
            other => panic!("{other:?}"),
        }
    }

    fn refuse(&mut self, slot: u32, name: &str, attempt: PresenceAttempt) {
        self.handle(ToLocal::PresenceRefused {
            channel: channel(name),
            member: conn(slot),
            attempt,
        });
    }
}

fn is_unsubscribe(message: &Option<ToHome>) -> bool {
    matches!(message, Some(ToHome::Unsubscribe { .. }))
}

#[test]
fn a_pending_subscriber_gets_nothing_before_its_answer() {
    let mut bench = Bench::with_connections(2);
    bench.activate(0, "a");
    let answer = bench.ask(conn(1), "a");
    assert_eq!(bench.reached("a"), [0]);
    bench.handle(answer);
    assert_eq!(bench.reached("a"), [0, 1]);
    assert_eq!(bench.sink.subscribed, [0, 1]);
}

#[test]
fn a_second_subscription_to_a_channel_is_the_first() {
    let mut bench = Bench::with_connections(1);
    let answer = bench.ask(conn(0), "a");
    assert!(matches!(bench.subscribe(conn(0), "a"), Subscribing::Already));
    bench.handle(answer);
    assert!(matches!(bench.subscribe(conn(0), "a"), Subscribing::Already));
    assert_eq!(bench.reached("a"), [0]);
    assert!(is_unsubscribe(&bench.local.unsubscribe(conn(0), &channel("a"))));
    assert_eq!(bench.reached("a"), [0; 0]);
}

#[test]
fn the_home_hears_of_the_last_unsubscribe_only_and_pending_ones_count() {
    let mut bench = Bench::with_connections(2);
    bench.activate(0, "a");
    let _answer = bench.ask(conn(1), "a");
    assert!(bench.local.unsubscribe(conn(0), &channel("a")).is_none());
    assert!(is_unsubscribe(&bench.local.unsubscribe(conn(1), &channel("a"))));
    assert!(bench.local.unsubscribe(conn(1), &channel("a")).is_none());
    assert_eq!(bench.local.totals(), LocalTotals::default());
}

#[test]
fn an_answer_to_a_subscription_that_ended_meanwhile_is_ignored() {
    let mut bench = Bench::with_connections(1);
    let first = bench.ask(conn(0), "a");
    bench.local.unsubscribe(conn(0), &channel("a"));
    let second = bench.ask(conn(0), "a");
    bench.handle(first);
    assert_eq!(
        bench.reached("a"),
        [0; 0],
        "the first answer is not the second subscription's"
    );
    bench.handle(second);
    assert_eq!(bench.reached("a"), [0]);
    assert_eq!(bench.sink.subscribed, [0]);
}

#[test]
fn an_answer_for_a_closed_connection_does_not_reach_the_next_in_its_slot() {
    let mut bench = Bench::with_connections(1);
    let late = bench.ask(conn(0), "a");
    assert!(matches!(
        bench.local.close(conn(0))[..],
        [ToHome::Unsubscribe { .. }]
    ));
    let next = ConnId {
        generation: 1,
        ..conn(0)
    };
    bench.local.open(next, Form::SseV2);
    let answer = bench.ask(next, "a");
    bench.handle(late);
    assert_eq!(bench.reached("a"), [0; 0]);
    bench.handle(answer);
    assert_eq!(bench.reached("a"), [0]);
    assert!(
        bench.local.close(conn(0)).is_empty(),
        "the old connection was closed before"
    );
    assert_eq!(bench.reached("a"), [0]);
}

#[test]
fn what_a_closed_connection_asks_for_does_not_befall_the_next_in_its_slot() {
    let mut bench = Bench::with_connections(1);
    bench.local.close(conn(0));
    bench.local.open(
        ConnId {
            generation: 1,
            ..conn(0)
        },
        Form::WsPlain,
    );
    assert!(matches!(bench.subscribe(conn(0), "a"), Subscribing::Already));
    assert!(bench.local.presence(conn(0), channel("a"), Bytes::new()).is_err());
    assert_eq!(bench.local.totals(), LocalTotals::default());
}

#[test]
fn leaving_subscribers_take_nobody_with_them_whatever_the_order() {
    let mut bench = Bench::with_connections(5);
    for slot in 0..5 {
        for name in ["a", "b", "c"] {
            bench.activate(slot, name);
        }
    }
    bench.local.unsubscribe(conn(0), &channel("a"));
    bench.local.unsubscribe(conn(4), &channel("a"));
    bench.local.unsubscribe(conn(0), &channel("c"));
    assert!(bench.local.close(conn(2)).is_empty());
    bench.local.unsubscribe(conn(3), &channel("b"));
    assert_eq!(bench.reached("a"), [1, 3]);
    assert_eq!(bench.reached("b"), [0, 1, 4]);
    assert_eq!(bench.reached("c"), [1, 3, 4]);
}

#[test]
fn subscribers_carry_their_connections_form() {
    let mut bench = Bench::new(LocalLimits::default());
    for (slot, form) in [Form::WsPlain, Form::WsIds, Form::SseV1, Form::SseV2]
        .into_iter()
        .enumerate()
    {
        bench.local.open(conn(u32::try_from(slot).expect("four")), form);
    }
    struct Forms(Vec<(u32, Form)>);
    impl Sink for Forms {
        fn deliver(&mut self, _: &Arc<Message>, subscribers: &[Subscriber]) {
            self.0.extend(
                subscribers
                    .iter()
                    .map(|subscriber| (subscriber.slot, subscriber.form)),
            );
        }
        fn subscribed(&mut self, _: Subscribed) {}
        fn published(&mut self, _: Ticket, _: Published) {}
        fn presence_refused(&mut self, _: ConnId, _: ChannelKey) {}
    }
    for slot in 0..4 {
        bench.activate(slot, "a");
    }
    let mut forms = Forms(Vec::new());
    bench.local.deliver(&text(&channel("a"), "e"), &mut forms);
    assert_eq!(
        forms.0,
        [
            (0, Form::WsPlain),
            (1, Form::WsIds),
            (2, Form::SseV1),
            (3, Form::SseV2)
        ]
    );
}

#[test]
fn two_sites_channels_of_one_name_are_apart() {
    let mut bench = Bench::with_connections(1);
    bench.activate(0, "a");
    bench.handle(ToLocal::Deliver(text(&ChannelKey::new(SiteId(2), "a"), "e")));
    assert!(bench.sink.delivered.is_empty());
}

#[test]
fn a_connection_has_only_so_many_channels_and_presences() {
    let mut bench = Bench::new(LocalLimits {
        connection_channels_max: 2,
        connection_presences_max: 1,
    });
    bench.local.open(conn(0), Form::WsPlain);
    bench.activate(0, "a");
    bench.activate(0, "b");
    assert!(matches!(bench.subscribe(conn(0), "c"), Subscribing::Full));
    assert!(matches!(bench.subscribe(conn(0), "a"), Subscribing::Already));
    bench.local.unsubscribe(conn(0), &channel("a"));
    bench.activate(0, "c");

    bench.presence(0, "a");
    bench.presence(0, "a");
    assert!(matches!(
        bench.local.presence(conn(0), channel("b"), Bytes::new()),
        Err(Full)
    ));
    assert!(bench.local.leave(conn(0), &channel("a")).is_some());
    bench.presence(0, "b");
}

#[test]
fn closing_a_connection_ends_all_that_it_had_in_one_call() {
    let mut bench = Bench::with_connections(2);
    for name in ["a", "b"] {
        bench.activate(0, name);
    }
    bench.activate(1, "b");
    let _pending = bench.ask(conn(0), "c");
    bench.presence(0, "a");
    bench.presence(0, "elsewhere");
    let mut ended: Vec<_> = bench
        .local
        .close(conn(0))
        .iter()
        .map(|message| match message {
            ToHome::Unsubscribe { channel } => format!("unsubscribe {}", channel.name),
            ToHome::Leave { channel, member } if *member == conn(0) => format!("leave {}", channel.name),
            other => panic!("{other:?}"),
        })
        .collect();
    ended.sort_unstable();
    assert_eq!(
        ended,
        ["leave a", "leave elsewhere", "unsubscribe a", "unsubscribe c"]
    );
    assert_eq!(
        bench.local.totals(),
        LocalTotals {
            channels: 1,
            subscriptions: 1,
            presences: 0
        }
    );
}

#[test]
fn a_refused_presence_is_forgotten_unless_a_later_one_is_under_way() {
    let mut bench = Bench::with_connections(1);
    let first = bench.presence(0, "a");
    let second = bench.presence(0, "a");
    bench.refuse(0, "a", first);
    assert_eq!(bench.local.presences(conn(0)).count(), 1);
    bench.refuse(0, "a", second);
    assert_eq!(bench.local.presences(conn(0)).count(), 0);
    assert_eq!(bench.sink.refused, [0, 0]);
}

#[test]
fn a_connection_can_list_what_it_has() {
    let mut bench = Bench::with_connections(1);
    bench.activate(0, "a");
    let _pending = bench.ask(conn(0), "b");
    bench.presence(0, "c");
    assert_eq!(
        bench.local.subscriptions(conn(0)).collect::<Vec<_>>(),
        [&channel("a"), &channel("b")]
    );
    assert_eq!(
        bench.local.presences(conn(0)).collect::<Vec<_>>(),
        [&channel("c")]
    );
    let stale = ConnId {
        generation: 9,
        ..conn(0)
    };
    assert_eq!(
        bench.local.subscriptions(stale).count() + bench.local.presences(stale).count(),
        0
    );
}

#[test]
fn the_channels_with_most_subscribers_are_listed_first() {
    let mut bench = Bench::with_connections(3);
    for (slot, name) in [(0, "a"), (0, "b"), (1, "b"), (2, "b"), (1, "c"), (2, "c")] {
        bench.activate(slot, name);
    }
    let list = bench.local.largest(None, 2);
    let counted: Vec<_> = list
        .iter()
        .map(|entry| (&*entry.channel.name, entry.subscribers))
        .collect();
    assert_eq!(counted, [("b", 3), ("c", 2)]);
    assert!(bench.local.largest(Some(SiteId(2)), 2).is_empty());
}

#[test]
fn a_subscriber_is_eight_bytes() {
    assert_eq!(size_of::<Subscriber>(), 8);
}

#[test]
#[should_panic(expected = "still has its connection")]
fn a_slot_is_not_opened_twice() {
    let mut bench = Bench::with_connections(1);
    bench.local.open(
        ConnId {
            generation: 1,
            ..conn(0)
        },
        Form::WsPlain,
    );
}
