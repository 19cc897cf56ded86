//! The way of messages to the other process: a bounded queue that any shard fills and one thread empties.

use std::io::{BufWriter, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::frames::{self, Packet, ToNew, ToOld};
use crate::hub::Message;
use crate::ids::ShardId;

/// Values that may wait, at some 100 bytes each under 4 MiB.
const QUEUE_MAX: usize = 32_768;
/// Bytes of payload that may wait.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// One value for the other process. Encoded by the link's own thread.
#[derive(Debug)]
pub enum Outgoing {
    Publish {
        home: ShardId,
        id: u64,
        dedupe: Option<[u8; 32]>,
        message: Arc<Message>,
    },
    Published {
        home: ShardId,
        id: u64,
        duplicate: bool,
    },
    Deliver {
        home: ShardId,
        message: Arc<Message>,
    },
    Unlocked,
    Serving,
}

/// The sending end; a clone is the same queue. Once something did not fit, nothing goes any more: the other side sees an
/// end rather than a hole.
#[derive(Clone, Debug)]
pub struct Link {
    queue: SyncSender<Outgoing>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicUsize,
    broken: AtomicBool,
}

/// What a [`Link`] queues, until somebody [`carries`](Carrier::carry) it.
pub struct Carrier {
    queue: Receiver<Outgoing>,
    shared: Arc<Shared>,
}

pub fn link() -> (Link, Carrier) {
    let (sender, queue) = sync_channel(QUEUE_MAX);
    let shared = Arc::<Shared>::default();
    let link = Link {
        queue: sender,
        shared: Arc::clone(&shared),
    };
    (link, Carrier { queue, shared })
}

impl Link {
    /// Queues a value. Answers whether it will be carried.
    pub fn send(&self, value: Outgoing) -> bool {
        let bytes = value.bytes();
        if self.shared.broken.load(Ordering::Relaxed) {
            return false;
        }
        let waiting = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = waiting + bytes <= QUEUE_BYTES_MAX && self.queue.try_send(value).is_ok();
        if !fits {
            self.shared.broken.store(true, Ordering::Relaxed);
        }
        fits
    }
}

impl Outgoing {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish { message, .. } | Self::Deliver { message, .. } => message.cost(),
            Self::Published { .. } | Self::Unlocked | Self::Serving => 0,
        }
    }
}

impl Carrier {
    /// Starts the thread that writes to `stream`. It ends with the last [`Link`], the stream, or a queue that ran over,
    /// and the stream ends with it.
    pub fn carry(self, stream: UnixStream) -> std::io::Result<()> {
        let writing = thread::Builder::new().name("upgrade-out".to_owned());
        writing.spawn(move || {
            // The other process has gone, or cannot keep up: it is told by the end alone.
            let _ = self.run(&stream);
            let _ = stream.shutdown(Shutdown::Both);
        })?;
        Ok(())
    }

    fn run(self, stream: &UnixStream) -> std::io::Result<()> {
        let mut out = BufWriter::new(stream);
        let mut scratch = Vec::new();
        while let Ok(first) = self.queue.recv() {
            let mut next = Some(first);
            while let Some(value) = next {
                if self.shared.broken.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.shared.bytes.fetch_sub(value.bytes(), Ordering::Relaxed);
                write(&mut out, value, &mut scratch)?;
                next = self.queue.try_recv().ok();
            }
            out.flush()?;
        }
        Ok(())
    }
}

fn write(out: &mut impl std::io::Write, value: Outgoing, scratch: &mut Vec<u8>) -> std::io::Result<()> {
    match value {
        Outgoing::Publish {
            home,
            id,
            dedupe,
            message,
        } => match Packet::new(&message) {
            Some(packet) => {
                let home = home.0;
                let publish = ToNew::Publish {
                    home,
                    id,
                    dedupe,
                    packet,
                };
                frames::write(out, &publish, scratch)
            }
            None => Ok(()),
        },
        Outgoing::Deliver { home, message } => match Packet::new(&message) {
            Some(packet) => frames::write(out, &ToOld::Deliver { home: home.0, packet }, scratch),
            None => Ok(()),
        },
        Outgoing::Published { home, id, duplicate } => {
            let home = home.0;
            frames::write(out, &ToOld::Published { home, id, duplicate }, scratch)
        }
        Outgoing::Unlocked => frames::write(out, &ToNew::Unlocked, scratch),
        Outgoing::Serving => frames::write(out, &ToOld::Serving, scratch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(id: u64) -> Outgoing {
        Outgoing::Published {
            home: ShardId(0),
            id,
            duplicate: false,
        }
    }

    #[test]
    fn what_does_not_fit_ends_the_link() {
        let (link, carrier) = link();
        let sent = (0..).take_while(|&id| link.send(number(id))).count();
        assert_eq!(sent, QUEUE_MAX);
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        carrier.carry(ours).unwrap();
        // No prefix with a hole behind it: the end.
        assert!(frames::read::<ToOld>(&mut theirs).is_err());
        assert!(!link.send(number(0)));
    }

    #[test]
    fn values_arrive_in_order_until_the_link_is_dropped() {
        let (link, carrier) = link();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        carrier.carry(ours).unwrap();
        for id in 0..1_000 {
            assert!(link.send(number(id)));
        }
        drop(link);
        for expected in 0..1_000 {
            match frames::read::<ToOld>(&mut theirs).unwrap() {
                ToOld::Published { id, .. } => assert_eq!(id, expected),
                other => panic!("{other:?}"),
            }
        }
        assert!(frames::read::<ToOld>(&mut theirs).is_err());
    }
}
