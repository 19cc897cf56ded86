//! Bounded lock-free queues between the shards.
//!
//! Each ordered pair of shards has two rings: one to the home half (publishes, subscriptions, presence), one to the
//! local half (deliveries, answers). They are separate so that no circle of full queues can form: draining a home ring
//! may need room in local rings, draining a local ring needs only this shard's own flusher.
//!
//! A full ring spills into a backlog on the sender's side. The backlog is bounded by its feeders: nobody accepts a new
//! publish while [`Mesh::is_congested`], a connection has at most one subscribe under way, and an ended connection
//! leaves at most as many messages as it had channels.

use std::collections::VecDeque;
use std::sync::Arc;

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::ids::ShardId;
use crate::wake::Wake;

/// Messages a ring holds: at 64 bytes each, 256 KiB per ordered pair and direction.
const RING_MESSAGES: usize = 4096;

pub struct Mesh<H, L> {
    me: ShardId,
    peers: Vec<Option<Peer<H, L>>>,
}

struct Peer<H, L> {
    to_home: Outgoing<H>,
    to_local: Outgoing<L>,
    from_home: Consumer<H>,
    from_local: Consumer<L>,
    wake: Arc<Wake>,
    /// Something was sent since the last wake-up.
    sent: bool,
}

struct Outgoing<T> {
    ring: Producer<T>,
    backlog: VecDeque<T>,
}

impl<H, L> Mesh<H, L> {
    /// One mesh per shard; `wakes[i]` wakes shard `i`.
    pub fn between(wakes: &[Arc<Wake>]) -> Vec<Self> {
        let count = wakes.len();
        // `home.producers[a][b]` and `home.consumers[a][b]` are the ends of what `a` sends to the home half of `b`.
        let (mut home, mut local) = (Ends::new(count), Ends::new(count));
        (0..count)
            .map(|me| Self {
                me: ShardId(me as u16),
                peers: (0..count)
                    .map(|other| {
                        (other != me).then(|| Peer {
                            to_home: Outgoing::new(home.producers[me][other].take()),
                            to_local: Outgoing::new(local.producers[me][other].take()),
                            from_home: home.consumers[other][me].take().expect("each end is taken once"),
                            from_local: local.consumers[other][me].take().expect("each end is taken once"),
                            wake: Arc::clone(&wakes[other]),
                            sent: false,
                        })
                    })
                    .collect(),
            })
            .collect()
    }

    /// Queues a message for the home half of another shard.
    pub fn send_home(&mut self, to: ShardId, message: H) {
        let peer = self.peer(to);
        peer.to_home.send(message);
        peer.sent = true;
    }

    /// Queues a message for the local half of another shard.
    pub fn send_local(&mut self, to: ShardId, message: L) {
        let peer = self.peer(to);
        peer.to_local.send(message);
        peer.sent = true;
    }

    /// Wakes every shard that something was sent to since the last call.
    pub fn wake_peers(&mut self) {
        for peer in self.peers.iter_mut().flatten() {
            if std::mem::take(&mut peer.sent) {
                peer.wake.wake();
            }
        }
    }

    /// The next message for this shard's home half from `from`.
    pub fn receive_home(&mut self, from: ShardId) -> Option<H> {
        self.peers[from.0 as usize].as_mut()?.from_home.pop().ok()
    }

    /// The next message for this shard's local half from `from`.
    pub fn receive_local(&mut self, from: ShardId) -> Option<L> {
        self.peers[from.0 as usize].as_mut()?.from_local.pop().ok()
    }

    /// Every shard but this one.
    pub fn others(&self) -> impl Iterator<Item = ShardId> + use<H, L> {
        let me = self.me.0;
        (0..self.peers.len() as u16)
            .filter(move |&shard| shard != me)
            .map(ShardId)
    }

    /// Whether some ring is full: new publishes wait, and homes take none.
    pub fn is_congested(&self) -> bool {
        self.peers
            .iter()
            .flatten()
            .any(|peer| !peer.to_local.backlog.is_empty() || !peer.to_home.backlog.is_empty())
    }

    /// Whether the way to other shards' local halves is full: this shard's home half takes nothing meanwhile.
    pub fn is_delivery_congested(&self) -> bool {
        self.peers
            .iter()
            .flatten()
            .any(|peer| !peer.to_local.backlog.is_empty())
    }

    /// Moves what waits in the backlogs into rings that have room again.
    pub fn retry(&mut self) {
        for peer in self.peers.iter_mut().flatten() {
            peer.sent |= peer.to_home.retry() | peer.to_local.retry();
        }
        self.wake_peers();
    }

    /// Messages that wait in this shard's outgoing rings and backlogs.
    pub fn depth(&self) -> usize {
        self.peers
            .iter()
            .flatten()
            .map(|peer| peer.to_home.depth() + peer.to_local.depth())
            .sum()
    }

    fn peer(&mut self, to: ShardId) -> &mut Peer<H, L> {
        self.peers[to.0 as usize]
            .as_mut()
            .expect("a shard sends nothing to itself through the mesh")
    }
}

impl<T> Outgoing<T> {
    fn new(ring: Option<Producer<T>>) -> Self {
        Self {
            ring: ring.expect("each end is taken once"),
            backlog: VecDeque::new(),
        }
    }

    /// Order is kept: nothing overtakes the backlog.
    fn send(&mut self, message: T) {
        if !self.backlog.is_empty() {
            return self.backlog.push_back(message);
        }
        if let Err(PushError::Full(message)) = self.ring.push(message) {
            self.backlog.push_back(message);
        }
    }

    /// Answers whether anything moved.
    fn retry(&mut self) -> bool {
        let before = self.backlog.len();
        while let Some(message) = self.backlog.pop_front() {
            if let Err(PushError::Full(message)) = self.ring.push(message) {
                self.backlog.push_front(message);
                break;
            }
        }
        self.backlog.len() < before
    }

    fn depth(&self) -> usize {
        RING_MESSAGES - self.ring.slots() + self.backlog.len()
    }
}

/// The ends of one direction's rings, by sender and receiver.
struct Ends<T> {
    producers: Vec<Vec<Option<Producer<T>>>>,
    consumers: Vec<Vec<Option<Consumer<T>>>>,
}

impl<T> Ends<T> {
    fn new(count: usize) -> Self {
        let mut ends = Self {
            producers: Vec::new(),
            consumers: Vec::new(),
        };
        for from in 0..count {
            let (mut producers, mut consumers) = (Vec::new(), Vec::new());
            for to in 0..count {
                let capacity = if from == to { 1 } else { RING_MESSAGES };
                let (producer, consumer) = RingBuffer::new(capacity);
                producers.push(Some(producer));
                consumers.push(Some(consumer));
            }
            ends.producers.push(producers);
            ends.consumers.push(consumers);
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Numbers = Mesh<u32, u32>;

    fn pair() -> (Numbers, Numbers, Vec<Arc<Wake>>) {
        let wakes: Vec<_> = (0..2).map(|_| crate::wake::pair().unwrap().0).collect();
        let mut meshes = Mesh::between(&wakes);
        let second = meshes.pop().unwrap();
        (meshes.pop().unwrap(), second, wakes)
    }

    #[test]
    fn order_is_kept_through_a_full_ring() {
        let (mut first, mut second, _wakes) = pair();
        let total = RING_MESSAGES as u32 + 100;
        for number in 0..total {
            first.send_local(ShardId(1), number);
        }
        assert!(first.is_delivery_congested());
        let mut received = Vec::new();
        while received.len() < total as usize {
            while let Some(number) = second.receive_local(ShardId(0)) {
                received.push(number);
            }
            first.retry();
        }
        assert!(received.into_iter().eq(0..total));
        assert!(!first.is_congested());
        assert_eq!(first.depth(), 0);
    }

    #[test]
    fn many_messages_are_one_wake_up() {
        let (mut first, _second, wakes) = pair();
        for number in 0..10 {
            first.send_home(ShardId(1), number);
            first.wake_peers();
        }
        assert_eq!((wakes[0].sent(), wakes[1].sent()), (0, 1));
    }
}
