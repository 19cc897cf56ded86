//! Tests of the hub: one property each, a comparison with a naive hub, and a simulation of several shards.

mod model;
mod naive;
mod ownership;
mod simulation;
mod world;

use std::sync::Arc;

use bytes::Bytes;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::*;
use crate::ids::{ConnId, ShardId, SiteId};

pub const HERE: ShardId = ShardId(0);

pub fn channel(name: &str) -> ChannelKey {
    ChannelKey::new(SiteId(1), name)
}

pub fn conn(slot: u32) -> ConnId {
    ConnId {
        shard: HERE,
        slot,
        generation: 0,
    }
}

pub fn text(channel: &ChannelKey, event: &str) -> Arc<Message> {
    let kind = Kind::Text {
        event: event.into(),
        data: Bytes::new(),
    };
    Arc::new(Message::new(
        channel.clone(),
        channel.name.clone(),
        kind,
        Origin::Server,
        0,
    ))
}

pub fn publish(message: Arc<Message>) -> ToHome {
    ToHome::Publish {
        message,
        dedupe: None,
        ticket: None,
    }
}

/// The event name of a text message.
pub fn event(message: &Message) -> &str {
    match &message.kind {
        Kind::Text { event, .. } => event,
        kind => panic!("not a text message: {kind:?}"),
    }
}

/// Runs `check` on `cases` inputs, and on a failure shows the smallest input that fails, and the seed, which
/// `HOOKCAST_SEED` brings back.
pub fn for_all<S: Strategy>(cases: u32, inputs: S, check: impl Fn(S::Value) -> Result<(), String>) {
    let seed = seed();
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, rng(seed));
    let outcome = runner.run(&inputs, |input| check(input).map_err(TestCaseError::fail));
    if let Err(failure) = outcome {
        panic!("HOOKCAST_SEED={seed}\n{failure}");
    }
}

/// How many of `cases` inputs fail the check.
pub fn failures<S: Strategy>(cases: u32, inputs: S, check: impl Fn(S::Value) -> Result<(), String>) -> u32 {
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(1));
    let fails = |_: &u32| check(inputs.new_tree(&mut runner).expect("no filter").current()).is_err();
    (0..cases)
        .filter(fails)
        .count()
        .try_into()
        .expect("at most `cases`")
}

fn seed() -> u64 {
    std::env::var("HOOKCAST_SEED").map_or_else(
        |_| std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
        |typed| typed.parse().expect("HOOKCAST_SEED is a number"),
    )
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}
