//! What a home promises, one property each.

use super::*;
use crate::hub::tests::{HERE, channel, conn, event, publish, text};
use crate::hub::{Homes, Seed, Since, SubscriptionId, Ticket};
use bytes::Bytes;

/// A home, and what it hands out.
struct Bench {
    home: Home,
    now_ms: u64,
    next_id: u32,
}

impl Bench {
    fn new(limits: HomeLimits) -> Self {
        Self {
            home: Home::new(HERE, limits),
            now_ms: 0,
            next_id: 0,
        }
    }

    fn send_from(&mut self, from: ShardId, message: ToHome) -> Vec<(ShardId, ToLocal)> {
        let mut out = Vec::new();
        self.home
            .handle(from, message, self.now_ms, &mut |shard, message| {
                out.push((shard, message));
            });
        out
    }

    fn send(&mut self, message: ToHome) -> Vec<(ShardId, ToLocal)> {
        self.send_from(HERE, message)
    }

    fn publish(&mut self, channel: &ChannelKey, event: &str) -> Vec<(ShardId, ToLocal)> {
        self.send(publish(text(channel, event)))
    }

    fn subscribe_from(&mut self, from: ShardId, channel: &ChannelKey, since: Option<Since>) -> Subscribed {
        self.next_id += 1;
        let message = ToHome::Subscribe {
            channel: channel.clone(),
            spelled: channel.name.clone(),
            subscriber: ConnId {
                shard: from,
                slot: self.next_id,
                generation: 0,
            },
            id: SubscriptionId(self.next_id),
            since,
            members: true,
        };
        match self.send_from(from, message).pop() {
            Some((to, ToLocal::Subscribed(subscribed))) if to == from => *subscribed,
            other => panic!("no answer to a subscription but {other:?}"),
        }
    }

    fn subscribe(&mut self, channel: &ChannelKey, since: Option<Since>) -> Subscribed {
        self.subscribe_from(HERE, channel, since)
    }

    fn unsubscribe(&mut self, channel: &ChannelKey) {
        assert!(
            self.send(ToHome::Unsubscribe {
                channel: channel.clone()
            })
            .is_empty()
        );
    }

    fn join(&mut self, channel: &ChannelKey, member: u32) -> Vec<(ShardId, ToLocal)> {
        let state = Bytes::from_static(b"{}");
        let attempt = PresenceAttempt(0);
        self.send(ToHome::Presence {
            channel: channel.clone(),
            member: conn(member),
            state,
            attempt,
        })
    }

    fn leave(&mut self, channel: &ChannelKey, member: u32) -> Vec<(ShardId, ToLocal)> {
        self.send(ToHome::Leave {
            channel: channel.clone(),
            member: conn(member),
        })
    }

    fn signed(&mut self, channel: &ChannelKey, digest: u8) -> Published {
        let message = text(channel, "e");
        let out = self.send(ToHome::Publish {
            message,
            dedupe: Some([digest; 32]),
            ticket: Some(Ticket(7)),
        });
        match out.first() {
            Some((
                HERE,
                ToLocal::Published {
                    ticket: Ticket(7),
                    outcome,
                },
            )) => *outcome,
            other => panic!("a publisher's answer comes first, not {other:?}"),
        }
    }
}

fn events(messages: &[Arc<Message>]) -> Vec<&str> {
    messages.iter().map(|message| event(message)).collect()
}

#[test]
fn a_publish_reaches_each_interested_shard_once_and_no_other() {
    let mut bench = Bench::new(HomeLimits::default());
    let (a, b) = (channel("a"), channel("b"));
    for shard in [3, 200, 64, 3] {
        bench.subscribe_from(ShardId(shard), &a, None);
    }
    bench.subscribe_from(ShardId(9), &b, None);
    let to: Vec<_> = bench.publish(&a, "e").iter().map(|(shard, _)| shard.0).collect();
    assert_eq!(to, [3, 64, 200]);
}

#[test]
fn text_messages_of_all_channels_count_in_one_order() {
    let mut bench = Bench::new(HomeLimits::default());
    let (a, b) = (channel("a"), channel("b"));
    bench.subscribe(&a, None);
    bench.subscribe(&b, None);
    let mut seen = Vec::new();
    for name in [&a, &b, &b, &a] {
        for (_, message) in bench.publish(name, "e") {
            let ToLocal::Deliver(message) = message else {
                panic!("{message:?}")
            };
            seen.push((message.seq, message.home));
        }
    }
    assert_eq!(seen, [(1, HERE), (2, HERE), (3, HERE), (4, HERE)]);
}

#[test]
fn binary_presence_and_relay_messages_are_delivered_but_take_no_place_and_are_not_remembered() {
    let mut bench = Bench::new(HomeLimits::default());
    let a = channel("a");
    bench.subscribe(&a, None);
    let frame = Kind::Binary {
        frame: Bytes::from_static(b"\0\x01ax"),
    };
    let binary = Message::new(a.clone(), a.name.clone(), frame, Origin::Connection(conn(1)), 0);
    let relay = Message::relay(a.clone(), "wps.connections", Bytes::from_static(b"{}"), 0);
    let mut out = bench.send(publish(Arc::new(binary)));
    out.extend(bench.send(publish(Arc::new(relay))));
    out.extend(bench.join(&a, 1));
    assert_eq!(out.len(), 3);
    for (_, message) in &out {
        assert!(
            matches!(message, ToLocal::Deliver(message) if message.seq == 0),
            "{message:?}"
        );
    }
    assert_eq!(bench.subscribe(&a, Some(Since::Unknown)).replay.len(), 0);
    assert_eq!(bench.home.totals().remembered_bytes, 0);
}

#[test]
fn a_returning_subscriber_gets_exactly_what_it_missed() {
    let mut bench = Bench::new(HomeLimits::default());
    let (a, b) = (channel("a"), channel("b"));
    for (name, event) in [(&a, "1"), (&b, "2"), (&a, "3"), (&b, "4"), (&a, "5")] {
        bench.publish(name, event);
    }
    let subscribed = bench.subscribe(&a, Some(Since::Seq(1)));
    assert_eq!((subscribed.gap, subscribed.position), (false, 5));
    assert_eq!(events(&subscribed.replay), ["3", "5"]);
    let subscribed = bench.subscribe(&a, Some(Since::Seq(5)));
    assert_eq!((subscribed.gap, subscribed.replay.len()), (false, 0));
}

#[test]
fn a_new_subscriber_gets_no_replay_and_no_gap() {
    let mut bench = Bench::new(HomeLimits {
        memory_messages_max: 1,
        ..HomeLimits::default()
    });
    let a = channel("a");
    bench.publish(&a, "1");
    bench.publish(&a, "2");
    let subscribed = bench.subscribe(&a, None);
    assert_eq!(
        (subscribed.gap, subscribed.replay.len(), subscribed.position),
        (false, 0, 2)
    );
}

#[test]
fn a_gap_is_told_once_the_first_missed_message_is_forgotten_and_not_before() {
    let mut bench = Bench::new(HomeLimits {
        memory_messages_max: 2,
        ..HomeLimits::default()
    });
    let a = channel("a");
    for event in ["1", "2", "3", "4"] {
        bench.publish(&a, event);
    }
    let close = bench.subscribe(&a, Some(Since::Seq(2)));
    assert_eq!((close.gap, events(&close.replay)), (false, vec!["3", "4"]));
    let far = bench.subscribe(&a, Some(Since::Seq(1)));
    assert_eq!((far.gap, events(&far.replay)), (true, vec!["3", "4"]));
}

#[test]
fn a_foreign_or_future_position_is_a_gap_and_replays_all_that_is_remembered() {
    let mut bench = Bench::new(HomeLimits::default());
    let a = channel("a");
    bench.publish(&a, "1");
    bench.publish(&a, "2");
    for since in [Since::Unknown, Since::Seq(3), Since::Seq(u64::MAX)] {
        let subscribed = bench.subscribe(&a, Some(since));
        assert_eq!(
            (subscribed.gap, events(&subscribed.replay)),
            (true, vec!["1", "2"]),
            "{since:?}"
        );
    }
}

#[test]
fn a_message_is_forgotten_at_its_age() {
    let mut bench = Bench::new(HomeLimits {
        memory_ms: 100,
        ..HomeLimits::default()
    });
    let a = channel("a");
    bench.publish(&a, "1");
    bench.now_ms = 50;
    bench.publish(&a, "2");
    bench.now_ms = 99;
    assert!(!bench.subscribe(&a, Some(Since::Seq(0))).gap);
    bench.now_ms = 100;
    let subscribed = bench.subscribe(&a, Some(Since::Seq(0)));
    assert_eq!((subscribed.gap, events(&subscribed.replay)), (true, vec!["2"]));
    bench.now_ms = 150;
    bench.home.sweep(bench.now_ms);
    let totals = bench.home.totals();
    assert_eq!((totals.remembered_messages, totals.remembered_bytes), (0, 0));
    assert!(
        !bench.subscribe(&a, Some(Since::Seq(2))).gap,
        "nothing was missed"
    );
}

#[test]
fn over_the_bytes_bound_the_oldest_of_all_channels_go_first() {
    let (a, b) = (channel("a"), channel("b"));
    let one = text(&a, "1").cost();
    let mut bench = Bench::new(HomeLimits {
        memory_bytes_max: 3 * one,
        ..HomeLimits::default()
    });
    for (name, event) in [(&a, "1"), (&b, "2"), (&a, "3"), (&b, "4"), (&b, "5")] {
        bench.publish(name, event);
    }
    assert_eq!(bench.home.totals().remembered_bytes, 3 * one);
    assert_eq!(events(&bench.subscribe(&a, Some(Since::Unknown)).replay), ["3"]);
    assert_eq!(
        events(&bench.subscribe(&b, Some(Since::Unknown)).replay),
        ["4", "5"]
    );
}

#[test]
fn a_message_over_the_whole_bound_leaves_no_hole_behind() {
    let a = channel("a");
    let small = text(&a, "1").cost();
    let mut bench = Bench::new(HomeLimits {
        memory_bytes_max: small + 10,
        ..HomeLimits::default()
    });
    bench.publish(&a, "1");
    bench.publish(&a, &"2".repeat(100));
    let subscribed = bench.subscribe(&a, Some(Since::Seq(0)));
    assert_eq!((subscribed.gap, subscribed.replay.len()), (true, 0));
    bench.publish(&a, "3");
    let subscribed = bench.subscribe(&a, Some(Since::Seq(2)));
    assert_eq!((subscribed.gap, events(&subscribed.replay)), (false, vec!["3"]));
}

#[test]
fn without_a_memory_every_miss_is_a_gap_and_unheard_channels_leave_no_record() {
    let mut bench = Bench::new(HomeLimits {
        memory_messages_max: 0,
        ..HomeLimits::default()
    });
    let a = channel("a");
    bench.publish(&a, "1");
    assert_eq!(bench.home.totals().channels, 0);
    bench.subscribe(&a, None);
    bench.publish(&a, "2");
    let subscribed = bench.subscribe(&a, Some(Since::Seq(1)));
    assert_eq!((subscribed.gap, subscribed.replay.len()), (true, 0));
    assert!(!bench.subscribe(&a, Some(Since::Seq(2))).gap);
}

#[test]
fn a_request_seen_again_is_a_duplicate_within_its_window() {
    let mut bench = Bench::new(HomeLimits {
        signature_ms: 100,
        ..HomeLimits::default()
    });
    let a = channel("a");
    bench.subscribe(&a, None);
    assert_eq!(bench.signed(&a, 1), Published::Accepted);
    assert_eq!(bench.signed(&a, 2), Published::Accepted);
    bench.now_ms = 99;
    assert_eq!(bench.signed(&a, 1), Published::Duplicate);
    assert_eq!(
        bench.home.totals().sequenced,
        2,
        "the duplicate was not delivered"
    );
    bench.now_ms = 100;
    assert_eq!(bench.signed(&a, 1), Published::Accepted);
    bench.home.sweep(10_000);
    assert_eq!(bench.home.totals().signatures, 0);
}

#[test]
fn signatures_of_one_site_do_not_count_for_another_and_are_bounded() {
    let mut bench = Bench::new(HomeLimits {
        site_signatures_max: 2,
        ..HomeLimits::default()
    });
    let (mine, other) = (channel("a"), ChannelKey::new(SiteId(2), "a"));
    for digest in [1, 2, 3] {
        assert_eq!(bench.signed(&mine, digest), Published::Accepted);
    }
    assert_eq!(bench.signed(&other, 3), Published::Accepted);
    assert_eq!(bench.signed(&mine, 3), Published::Duplicate);
    assert_eq!(
        bench.signed(&mine, 1),
        Published::Accepted,
        "the oldest had to go"
    );
    assert_eq!(bench.home.totals().signatures, 3);
}

#[test]
fn members_join_update_and_leave_as_messages_on_the_bare_name() {
    let mut bench = Bench::new(HomeLimits::default());
    let a = channel("a");
    bench.subscribe(&a, None);
    for out in [bench.join(&a, 1), bench.join(&a, 1), bench.leave(&a, 1)] {
        let [(HERE, ToLocal::Deliver(message))] = &out[..] else {
            panic!("{out:?}")
        };
        assert_eq!(message.spelled, a.name);
        assert!(matches!(message.kind, Kind::Presence(_)));
    }
    assert!(bench.leave(&a, 1).is_empty(), "who has left cannot leave again");
    assert_eq!(bench.home.totals().members, 0);
}

#[test]
fn the_members_in_an_answer_are_those_of_its_moment() {
    let mut bench = Bench::new(HomeLimits::default());
    let a = channel("a");
    bench.join(&a, 2);
    bench.join(&a, 1);
    let ids = |subscribed: Subscribed| -> Vec<u32> {
        subscribed
            .members
            .expect("asked for")
            .iter()
            .map(|member| member.id.slot)
            .collect()
    };
    assert_eq!(ids(bench.subscribe(&a, None)), [1, 2]);
    bench.leave(&a, 1);
    assert_eq!(ids(bench.subscribe(&a, None)), [2]);
    assert_eq!(ids(bench.subscribe(&channel("empty"), None)), [0; 0]);
}

#[test]
fn a_full_channel_refuses_new_members_but_not_changes() {
    let mut bench = Bench::new(HomeLimits {
        channel_members_max: 2,
        ..HomeLimits::default()
    });
    let a = channel("a");
    bench.join(&a, 1);
    bench.join(&a, 2);
    let refused = bench.join(&a, 3);
    assert!(matches!(&refused[..], [(HERE, ToLocal::PresenceRefused { member, .. })] if *member == conn(3)));
    assert!(bench.join(&a, 2).is_empty(), "a change, and nobody subscribed");
    bench.leave(&a, 1);
    assert!(bench.join(&a, 3).is_empty());
}

#[test]
fn the_members_of_all_channels_are_bounded_together() {
    let mut bench = Bench::new(HomeLimits {
        members_max: 2,
        ..HomeLimits::default()
    });
    bench.join(&channel("a"), 1);
    bench.join(&channel("b"), 1);
    let refused = bench.join(&channel("c"), 1);
    assert!(matches!(&refused[..], [(HERE, ToLocal::PresenceRefused { .. })]));
    assert!(
        bench.home.describe(&channel("c")).is_none(),
        "a refusal leaves no record"
    );
}

#[test]
fn a_channel_left_for_a_moment_tells_no_false_gap() {
    let mut bench = Bench::new(HomeLimits {
        memory_ms: 10,
        idle_ms: 1_000,
        ..HomeLimits::default()
    });
    let a = channel("a");
    bench.subscribe(&a, None);
    bench.publish(&a, "1");
    bench.unsubscribe(&a);
    bench.now_ms = 999;
    bench.home.sweep(bench.now_ms);
    assert!(!bench.subscribe(&a, Some(Since::Seq(1))).gap);
}

#[test]
fn an_idle_channel_is_dropped_in_time_and_its_next_record_tells_a_gap() {
    let mut bench = Bench::new(HomeLimits {
        idle_ms: 1_000,
        ..HomeLimits::default()
    });
    let (a, b) = (channel("a"), channel("b"));
    bench.subscribe(&a, None);
    bench.publish(&a, "1");
    bench.publish(&b, "2");
    bench.unsubscribe(&a);
    bench.now_ms = 1_000;
    bench.home.sweep(bench.now_ms);
    let totals = bench.home.totals();
    assert_eq!(
        (totals.channels, totals.idle_channels, totals.remembered_bytes),
        (0, 0, 0)
    );
    assert!(bench.subscribe(&a, Some(Since::Seq(1))).gap);
    assert!(
        !bench.subscribe(&b, Some(Since::Seq(2))).gap,
        "nothing was published since"
    );
}

#[test]
fn over_the_bound_the_idle_channel_used_least_recently_goes() {
    let mut bench = Bench::new(HomeLimits {
        idle_channels_max: 2,
        ..HomeLimits::default()
    });
    for (now_ms, name) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
        bench.now_ms = now_ms;
        bench.publish(&channel(name), "e");
    }
    assert!(bench.home.describe(&channel("b")).is_none());
    assert!(bench.home.describe(&channel("a")).is_some());
    assert!(bench.home.describe(&channel("c")).is_some());
}

#[test]
fn channels_in_use_are_not_idle_whatever_the_bound() {
    let mut bench = Bench::new(HomeLimits {
        idle_channels_max: 0,
        idle_ms: 1,
        ..HomeLimits::default()
    });
    let (heard, peopled) = (channel("heard"), channel("peopled"));
    bench.subscribe(&heard, None);
    bench.join(&peopled, 1);
    for step in 0..100 {
        bench.now_ms += 10;
        bench.publish(&channel(&format!("passing {step}")), "e");
        bench.home.sweep(bench.now_ms);
    }
    let totals = bench.home.totals();
    assert_eq!(totals.channels - totals.idle_channels, 2);
    assert!(
        totals.idle_channels <= 1,
        "only the one in use while the bound is applied: {totals:?}"
    );
    assert!(!bench.publish(&heard, "e").is_empty());
}

#[test]
fn a_channel_that_comes_and_goes_waits_in_the_idle_queue_once() {
    let mut bench = Bench::new(HomeLimits::default());
    let a = channel("a");
    for _ in 0..1_000 {
        bench.subscribe(&a, None);
        bench.unsubscribe(&a);
    }
    assert_eq!(bench.home.idle_queue.len(), 1);
    assert_eq!(bench.home.totals().idle_channels, 1);
}

#[test]
fn the_relays_own_channels_are_listed_while_somebody_listens() {
    let mut bench = Bench::new(HomeLimits::default());
    let own = channel("wps:connections");
    bench.subscribe(&channel("a"), None);
    bench.subscribe(&own, None);
    assert_eq!(bench.home.relay_channels().collect::<Vec<_>>(), [&own]);
    bench.subscribe_from(ShardId(1), &own, None);
    bench.unsubscribe(&own);
    assert_eq!(
        bench.home.relay_channels().count(),
        1,
        "another shard still listens"
    );
    bench.send_from(ShardId(1), ToHome::Unsubscribe { channel: own.clone() });
    assert_eq!(bench.home.relay_channels().count(), 0);
}

#[test]
fn the_largest_channels_are_listed_greatest_first_and_by_site() {
    let mut bench = Bench::new(HomeLimits::default());
    for (name, events) in [("a", 1), ("b", 3), ("c", 2)] {
        for _ in 0..events {
            bench.publish(&channel(name), "e");
        }
    }
    bench.publish(&ChannelKey::new(SiteId(2), "other"), &"e".repeat(10_000));
    let names = |list: Vec<HomedChannel>| {
        list.iter()
            .map(|entry| entry.channel.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(bench.home.largest(Some(SiteId(1)), 2)), ["b", "c"]);
    assert_eq!(names(bench.home.largest(None, 2)), ["other", "b"]);
}

#[test]
fn channels_spread_over_all_homes_and_differently_each_run() {
    let homes = Homes::new(4, Seed([1; 16]));
    let mut counts = [0; 4];
    let names: Vec<_> = (0..4_000)
        .map(|index| channel(&format!("channel {index}")))
        .collect();
    for name in &names {
        counts[usize::from(homes.home_of(name).0)] += 1;
    }
    // 1,000 each, with a standard deviation of 27.
    assert!(
        counts.iter().all(|count| (800..1_200).contains(count)),
        "{counts:?}"
    );
    let other_run = Homes::new(4, Seed([2; 16]));
    assert!(
        names
            .iter()
            .any(|name| homes.home_of(name) != other_run.home_of(name))
    );
}
