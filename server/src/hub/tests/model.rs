//! One shard's pair of halves does, step by step, exactly what the naive hub does.

use proptest::prelude::*;

use super::naive::{Naive, Told};
use super::*;

const CHANNELS: u32 = 3;
const SLOTS: u32 = 5;

#[derive(Clone, Debug)]
enum Step {
    Text {
        channel: u32,
        size: usize,
    },
    Binary {
        channel: u32,
    },
    Subscribe {
        slot: u32,
        channel: u32,
        since: SinceStep,
    },
    Unsubscribe {
        slot: u32,
        channel: u32,
    },
    Presence {
        slot: u32,
        channel: u32,
        state: u8,
    },
    Leave {
        slot: u32,
        channel: u32,
    },
    Reconnect {
        slot: u32,
    },
    Wait {
        ms: u64,
    },
}

#[derive(Clone, Copy, Debug)]
enum SinceStep {
    Never,
    Unknown,
    /// So many places back from the home's last.
    Ago(u64),
    Ahead,
}

fn step() -> impl Strategy<Value = Step> {
    let (slot, channel) = (0..SLOTS, 0..CHANNELS);
    let since = prop_oneof![
        2 => Just(SinceStep::Never),
        1 => Just(SinceStep::Unknown),
        1 => Just(SinceStep::Ahead),
        6 => (0u64..20).prop_map(SinceStep::Ago),
    ];
    prop_oneof![
        8 => (channel.clone(), 0usize..300).prop_map(|(channel, size)| Step::Text { channel, size }),
        1 => channel.clone().prop_map(|channel| Step::Binary { channel }),
        5 => (slot.clone(), channel.clone(), since)
            .prop_map(|(slot, channel, since)| Step::Subscribe { slot, channel, since }),
        3 => (slot.clone(), channel.clone()).prop_map(|(slot, channel)| Step::Unsubscribe { slot, channel }),
        3 => (slot.clone(), channel.clone(), any::<u8>())
            .prop_map(|(slot, channel, state)| Step::Presence { slot, channel, state }),
        1 => (slot.clone(), channel).prop_map(|(slot, channel)| Step::Leave { slot, channel }),
        1 => slot.prop_map(|slot| Step::Reconnect { slot }),
        2 => (0u64..60).prop_map(|ms| Step::Wait { ms }),
    ]
}

/// The real hub, with the exchange of its halves folded into one call.
struct Real {
    home: Home,
    local: Local,
    generation: u32,
    now_ms: u64,
    told: Tape,
}

#[derive(Default)]
struct Tape {
    told: Vec<(ConnId, Told)>,
    live: Vec<ConnId>,
}

impl Sink for Tape {
    fn deliver(&mut self, message: &Arc<Message>, subscribers: &[Subscriber]) {
        let channel = message.channel.name.clone();
        let told = match &message.kind {
            Kind::Text { .. } => Told::Text {
                channel,
                number: message.published_at_ns,
            },
            Kind::Binary { .. } => Told::Binary {
                channel,
                number: message.published_at_ns,
            },
            Kind::Presence(change) => Told::Presence {
                channel,
                change: change.clone(),
            },
            Kind::Relay { .. } => unreachable!("none is sent"),
        };
        let live = |subscriber: &Subscriber| self.live[subscriber.slot as usize];
        self.told.extend(
            subscribers
                .iter()
                .map(|subscriber| (live(subscriber), told.clone())),
        );
    }

    fn subscribed(&mut self, subscribed: Subscribed) {
        let replay = subscribed
            .replay
            .iter()
            .map(|message| message.published_at_ns)
            .collect();
        let Subscribed {
            channel,
            gap,
            position,
            members,
            ..
        } = subscribed;
        let members = members.expect("asked for").to_vec();
        let told = Told::Subscribed {
            channel: channel.name,
            gap,
            replay,
            position,
            members,
        };
        self.told.push((subscribed.subscriber, told));
    }

    fn published(&mut self, _: Ticket, _: Published) {}

    fn presence_refused(&mut self, member: ConnId, channel: ChannelKey) {
        self.told.push((
            member,
            Told::Full {
                channel: channel.name,
            },
        ));
    }
}

impl Real {
    fn new(limits: HomeLimits) -> Self {
        let mut local = Local::new(HERE, LocalLimits::default());
        let live: Vec<_> = (0..SLOTS).map(conn).collect();
        for &conn in &live {
            local.open(conn, Form::WsIds);
        }
        let told = Tape {
            told: Vec::new(),
            live,
        };
        Self {
            home: Home::new(HERE, limits),
            local,
            generation: 0,
            now_ms: 0,
            told,
        }
    }

    fn send(&mut self, message: impl IntoIterator<Item = ToHome>) {
        let Self {
            home, local, told, ..
        } = self;
        for message in message {
            home.handle(HERE, message, self.now_ms, &mut |_, message| {
                local.handle(message, told);
            });
        }
    }
}

/// Two sets of limits, so that a comparison can be made that must fail.
fn run(real: HomeLimits, naive: HomeLimits, steps: Vec<Step>) -> Result<(), String> {
    let mut real = Real::new(real);
    let mut naive = Naive::new(naive);
    let keys: Vec<_> = (0..CHANNELS)
        .map(|index| channel(&format!("channel {index}")))
        .collect();
    let key = |index: u32| keys[index as usize].clone();
    for (number, step) in (1u64..).zip(steps) {
        let told = format!("{number}: {step:?}");
        match step {
            Step::Text { channel, size } => {
                let mut message = text(&key(channel), &"e".repeat(size));
                Arc::make_mut(&mut message).published_at_ns = number;
                naive.text(&key(channel), number, message.cost(), real.now_ms);
                real.send([publish(message)]);
            }
            Step::Binary { channel } => {
                let kind = Kind::Binary { frame: Bytes::new() };
                let name = key(channel).name;
                real.send([publish(Arc::new(Message::new(
                    key(channel),
                    name,
                    kind,
                    Origin::Server,
                    number,
                )))]);
                naive.binary(&key(channel), number);
            }
            Step::Subscribe { slot, channel, since } => {
                let conn = real.told.live[slot as usize];
                let last = real.home.totals().sequenced;
                let since = match since {
                    SinceStep::Never => None,
                    SinceStep::Unknown => Some(Since::Unknown),
                    SinceStep::Ago(places) => Some(Since::Seq(last.saturating_sub(places))),
                    SinceStep::Ahead => Some(Since::Seq(last + 1)),
                };
                naive.subscribe(conn, &key(channel), since, real.now_ms);
                let name = key(channel).name;
                if let Subscribing::Pending(message) =
                    real.local.subscribe(conn, key(channel), name, since, true)
                {
                    real.send([message]);
                }
            }
            Step::Unsubscribe { slot, channel } => {
                let conn = real.told.live[slot as usize];
                naive.unsubscribe(conn, &key(channel));
                let message = real.local.unsubscribe(conn, &key(channel));
                real.send(message);
            }
            Step::Presence { slot, channel, state } => {
                let conn = real.told.live[slot as usize];
                let state = Bytes::from(vec![state]);
                naive.presence(conn, &key(channel), state.clone());
                let message = real
                    .local
                    .presence(conn, key(channel), state)
                    .expect("no limit in reach");
                real.send([message]);
            }
            Step::Leave { slot, channel } => {
                let conn = real.told.live[slot as usize];
                naive.leave(conn, &key(channel));
                let message = real.local.leave(conn, &key(channel));
                real.send(message);
            }
            Step::Reconnect { slot } => {
                let conn = real.told.live[slot as usize];
                naive.close(conn);
                let messages = real.local.close(conn);
                real.send(messages);
                real.generation += 1;
                let next = ConnId {
                    generation: real.generation,
                    ..conn
                };
                real.told.live[slot as usize] = next;
                real.local.open(next, Form::WsIds);
            }
            Step::Wait { ms } => {
                real.now_ms += ms;
                real.home.sweep(real.now_ms);
                naive.forget(real.now_ms);
            }
        }
        agree(&mut real, &mut naive).map_err(|why| format!("{told}: {why}"))?;
    }
    Ok(())
}

fn agree(real: &mut Real, naive: &mut Naive) -> Result<(), String> {
    // Who of several subscribers comes first is nobody's business; what each is told, and in what order, is.
    let by_connection = |told: &mut Vec<(ConnId, Told)>| {
        let mut told = std::mem::take(told);
        told.sort_by_key(|(conn, _)| *conn);
        told
    };
    let (ours, theirs) = (by_connection(&mut real.told.told), by_connection(&mut naive.told));
    // The leaves of one connection's channels come in no particular order.
    let leaves = |told: &[(ConnId, Told)]| {
        let mut told: Vec<_> = told.iter().map(|entry| format!("{entry:?}")).collect();
        told.sort_unstable();
        told
    };
    if ours != theirs && leaves(&ours) != leaves(&theirs) {
        return Err(format!("told {ours:?}\ninstead of {theirs:?}"));
    }
    let totals = real.home.totals();
    naive.forget(real.now_ms);
    let remembered = (totals.remembered_messages, totals.remembered_bytes);
    if remembered != naive.remembered() || totals.members != naive.members() {
        return Err(format!(
            "{totals:?}, not {:?} and {} members",
            naive.remembered(),
            naive.members()
        ));
    }
    Ok(())
}

fn tight() -> HomeLimits {
    HomeLimits {
        memory_messages_max: 4,
        memory_ms: 100,
        memory_bytes_max: 3_000,
        channel_members_max: 3,
        members_max: 5,
        idle_ms: 1_000_000,
        ..HomeLimits::default()
    }
}

#[test]
fn the_hub_does_what_the_naive_hub_does() {
    for_all(1_000, proptest::collection::vec(step(), 1..120), |steps| {
        run(tight(), tight(), steps)
    });
}

#[test]
fn the_comparison_notices_a_different_limit() {
    let other = [
        HomeLimits {
            memory_messages_max: 5,
            ..tight()
        },
        HomeLimits {
            memory_ms: 101,
            ..tight()
        },
        HomeLimits {
            memory_bytes_max: 2_900,
            ..tight()
        },
        HomeLimits {
            channel_members_max: 4,
            ..tight()
        },
        HomeLimits {
            members_max: 6,
            ..tight()
        },
    ];
    for limits in other {
        let steps = proptest::collection::vec(step(), 100..120);
        let compare = |steps| run(limits.clone(), tight(), steps);
        assert!(failures(100, steps, compare) > 0, "{limits:?} went unnoticed");
    }
}
