//! Any order in which the queues between shards may move is right: each subscriber is told what happened on its
//! channels in order, once, with every loss told or counted; members converge; interest never leaks.

use std::cell::RefCell;

use bytes::Bytes;
use proptest::prelude::*;

use super::world::{Fault, Met, World};
use super::*;

const CHANNELS: usize = 5;
const SLOTS: u32 = 3;

/// Numbers are taken modulo what there is, so that a shrunken input still means something.
#[derive(Clone, Debug)]
enum Step {
    Publish {
        shard: u16,
        channel: usize,
        binary: bool,
        signature: Option<u8>,
    },
    Subscribe {
        shard: u16,
        slot: usize,
        channel: usize,
        since: SinceStep,
    },
    Unsubscribe {
        shard: u16,
        slot: usize,
        channel: usize,
    },
    Presence {
        shard: u16,
        slot: usize,
        channel: usize,
        state: u8,
    },
    Leave {
        shard: u16,
        slot: usize,
        channel: usize,
    },
    Reconnect {
        shard: u16,
        slot: usize,
    },
    Carry {
        which: usize,
    },
    Lose {
        which: usize,
    },
    Wait {
        ms: u64,
    },
}

#[derive(Clone, Debug)]
enum SinceStep {
    Never,
    LeftOff(usize),
    Anywhere(u64),
    Unknown,
}

fn step() -> impl Strategy<Value = Step> {
    let shard = 0u16..4;
    let slot = 0..SLOTS as usize;
    // Most of what happens meets on one channel.
    let channel = prop_oneof![2 => Just(0), 1 => 0..CHANNELS];
    let since = prop_oneof![
        3 => Just(SinceStep::Never),
        5 => (0usize..32).prop_map(SinceStep::LeftOff),
        1 => (0u64..60).prop_map(SinceStep::Anywhere),
        1 => Just(SinceStep::Unknown),
    ];
    let place = (shard.clone(), slot.clone(), channel.clone());
    prop_oneof![
        8 => (shard.clone(), channel, prop::bool::weighted(0.2), prop::option::weighted(0.3, 0u8..12))
            .prop_map(|(shard, channel, binary, signature)| Step::Publish { shard, channel, binary, signature }),
        6 => (place.clone(), since)
            .prop_map(|((shard, slot, channel), since)| Step::Subscribe { shard, slot, channel, since }),
        3 => place.clone().prop_map(|(shard, slot, channel)| Step::Unsubscribe { shard, slot, channel }),
        3 => (place.clone(), any::<u8>())
            .prop_map(|((shard, slot, channel), state)| Step::Presence { shard, slot, channel, state }),
        1 => place.prop_map(|(shard, slot, channel)| Step::Leave { shard, slot, channel }),
        2 => (shard, slot).prop_map(|(shard, slot)| Step::Reconnect { shard, slot }),
        30 => (0usize..64).prop_map(|which| Step::Carry { which }),
        1 => (0usize..64).prop_map(|which| Step::Lose { which }),
        1 => (0u64..40).prop_map(|ms| Step::Wait { ms }),
    ]
}

fn simulate(shards: u16, limits: HomeLimits, fault: Option<Fault>, steps: &[Step]) -> Result<World, String> {
    let mut world = World::new(shards, SLOTS, limits, fault);
    let channels: Vec<_> = (0..CHANNELS)
        .map(|index| channel(&format!("channel {index}")))
        .collect();
    let at = |shard: u16| ShardId(shard % shards);
    for step in steps.iter().cloned() {
        match step {
            Step::Publish {
                shard,
                channel,
                binary,
                signature,
            } => {
                let kind = if binary {
                    Kind::Binary { frame: Bytes::new() }
                } else {
                    Kind::Text {
                        event: "e".into(),
                        data: Bytes::new(),
                    }
                };
                // A signature covers the body, and so the channel: the same one is never seen on two.
                let signature =
                    signature.map(|signature| signature * 16 + u8::try_from(channel).expect("few"));
                world.publish(at(shard), &channels[channel], kind, signature);
            }
            Step::Subscribe {
                shard,
                slot,
                channel,
                since,
            } => {
                let key = &channels[channel];
                let left: Vec<_> = world
                    .left_off
                    .iter()
                    .filter(|(on, _)| on == key)
                    .map(|(_, seq)| *seq)
                    .collect();
                let (since, returning) = match since {
                    SinceStep::LeftOff(which) if !left.is_empty() => {
                        (Some(Since::Seq(left[left.len() - 1 - which % left.len()])), true)
                    }
                    SinceStep::Never | SinceStep::LeftOff(_) => (None, false),
                    SinceStep::Anywhere(seq) => (Some(Since::Seq(seq)), false),
                    SinceStep::Unknown => (Some(Since::Unknown), false),
                };
                world.subscribe(at(shard), slot, key, since, returning);
            }
            Step::Unsubscribe { shard, slot, channel } => {
                world.unsubscribe(at(shard), slot, &channels[channel]);
            }
            Step::Presence {
                shard,
                slot,
                channel,
                state,
            } => {
                world.presence(at(shard), slot, &channels[channel], Bytes::from(vec![state]));
            }
            Step::Leave { shard, slot, channel } => world.leave(at(shard), slot, &channels[channel]),
            Step::Reconnect { shard, slot } => world.reconnect(at(shard), slot),
            Step::Carry { which } => {
                world.carry(which);
            }
            Step::Lose { which } => world.lose(which),
            Step::Wait { ms } => world.wait(ms),
        }
    }
    world.settle()?;
    world.wind_up()?;
    Ok(world)
}

/// Small, so that every bound is met.
fn small() -> HomeLimits {
    HomeLimits {
        memory_messages_max: 6,
        memory_ms: 150,
        memory_bytes_max: 4_000,
        channel_members_max: 4,
        idle_ms: 1_000_000,
        signature_ms: 1_000_000,
        ..HomeLimits::default()
    }
}

/// Records of idle channels come and go as well.
fn forgetful() -> HomeLimits {
    HomeLimits {
        idle_ms: 30,
        idle_channels_max: 2,
        ..small()
    }
}

fn steps(count: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), count)
}

#[test]
fn subscribers_are_told_everything_once_and_in_order_whatever_the_queues_do() {
    for_all(1_000, (1u16..=4, steps(1..300)), |(shards, steps)| {
        simulate(shards, small(), None, &steps).map(drop)
    });
}

#[test]
fn it_holds_while_idle_channels_are_forgotten() {
    for_all(500, (1u16..=4, steps(1..300)), |(shards, steps)| {
        simulate(shards, forgetful(), None, &steps).map(drop)
    });
}

#[test]
fn the_simulation_notices_a_queue_that_breaks_its_promise() {
    let faults = [
        Fault::Overtaking,
        Fault::DeliveryLostUncounted,
        Fault::DeliveryDoubled,
        Fault::AnswerLost,
        Fault::UnsubscribeLost,
        Fault::LeaveLost,
    ];
    for fault in faults {
        let noticed = failures(10, steps(250..300), |steps| {
            simulate(3, small(), Some(fault), &steps).map(drop)
        });
        assert!(noticed > 0, "{fault:?} went unnoticed");
    }
}

#[test]
fn the_simulation_meets_what_it_checks() {
    let met = RefCell::new(Met::default());
    let failed = failures(20, steps(250..300), |steps| {
        met.borrow_mut().add(&simulate(3, small(), None, &steps)?.met);
        Ok(())
    });
    assert_eq!(failed, 0);
    assert!(met.borrow().all(), "{met:?}");
}
