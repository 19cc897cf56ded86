//! What a channel's home costs in messages between shards, against sending every publish to every shard.

use super::*;

/// Messages that cross between shards when one is published: to the home, and from there.
fn crossings(shards: u16, interested: u16, publisher: ShardId, name: &ChannelKey, homes: &Homes) -> usize {
    let at = homes.home_of(name);
    let mut home = Home::new(at, HomeLimits::default());
    for shard in (0..interested).map(|offset| ShardId((publisher.0 + offset) % shards)) {
        let subscribe = ToHome::Subscribe {
            channel: name.clone(),
            spelled: name.name.clone(),
            subscriber: ConnId {
                shard,
                slot: 0,
                generation: 0,
            },
            id: SubscriptionId(0),
            since: None,
            members: false,
        };
        home.handle(shard, subscribe, 0, &mut |_, _| {});
    }
    let mut crossed = usize::from(at != publisher);
    home.handle(publisher, publish(text(name, "e")), 0, &mut |to, _| {
        crossed += usize::from(to != at);
    });
    crossed
}

#[test]
fn a_publish_crosses_once_to_its_home_and_once_to_each_interested_shard() {
    let shards = 8;
    let homes = Homes::new(shards, Seed([7; 16]));
    for interested in 0..=shards {
        for index in 0..64 {
            let publisher = ShardId(index % shards);
            let crossed = crossings(
                shards,
                interested,
                publisher,
                &channel(&format!("channel {index}")),
                &homes,
            );
            assert!(
                crossed <= usize::from(interested) + 1,
                "{crossed} crossings for {interested} shards"
            );
            // Where all are interested, a broadcast would save the hop to the home; anywhere else it costs more.
            assert!(crossed <= usize::from(shards), "{crossed} crossings");
        }
    }
}
