//! The new process's side of an upgrade.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, IoSliceMut};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketType, recvmsg, sockopt::socket_type,
};

use super::VARIABLE;
use super::frames::{self, FORMAT, Hello, ToNew, ToOld};
use super::link::{self, Link, Outgoing};
use super::old::patiently;
use crate::hub::{ChannelKey, HomeState, Homes, SHARDS_MAX, Seed};
use crate::ids::{ShardId, SiteId};
use crate::listening::Held;
use crate::shard::{Shard, Shards};
use crate::store::StoreHandle;

/// Listening sockets at most: one for each shard and a few addresses.
const LISTENERS_MAX: usize = 4 * SHARDS_MAX;

/// What the old process hands over before the cut.
pub struct Inheritance {
    stream: BufReader<UnixStream>,
    pub listeners: Vec<Held>,
    pub run: u64,
    pub seed: Seed,
    pub shards: u16,
}

/// Why it cannot be taken.
#[derive(Debug)]
pub struct InheritanceError(String);

impl fmt::Display for InheritanceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for InheritanceError {
    fn from(error: io::Error) -> Self {
        Self(format!("the old process does not hand over: {error}"))
    }
}

impl Inheritance {
    /// What the process that started this one hands over, if it is there for that.
    pub fn from_environment() -> Result<Option<Self>, InheritanceError> {
        if std::env::var_os(VARIABLE).is_none() {
            return Ok(None);
        }
        let stdin = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map_err(io::Error::from)?;
        if socket_type(&stdin).ok() != Some(SocketType::STREAM) {
            return Err(InheritanceError(format!(
                "{VARIABLE} is set, and standard input is no socket: only a relay that upgrades itself sets it"
            )));
        }
        rustix::stdio::dup2_stdin(File::open("/dev/null")?).map_err(io::Error::from)?;
        Self::receive(UnixStream::from(stdin)).map(Some)
    }

    fn receive(mut stream: UnixStream) -> Result<Self, InheritanceError> {
        let listeners = receive_listeners(&mut stream)?;
        let mut stream = BufReader::new(stream);
        let hello: Hello = frames::read(&mut stream)?;
        let mut inheritance = Self {
            stream,
            listeners,
            run: hello.run,
            seed: Seed(hello.seed),
            shards: hello.shards,
        };
        match disagreement(&hello) {
            None => Ok(inheritance),
            Some(reason) => {
                inheritance.refuse(&reason);
                Err(InheritanceError(reason))
            }
        }
    }

    /// Tells the old process why it has to go on.
    pub fn refuse(&mut self, reason: &str) {
        let refused = ToOld::Refused(reason.to_owned());
        // It has ended where it does not listen.
        let _ = frames::write(&mut self.stream.get_ref(), &refused, &mut Vec::new());
    }

    /// Tells the old process that all is there but the state, and waits for it: one for each home.
    pub fn take_up(mut self) -> Result<(Vec<HomeState>, Succeeding), InheritanceError> {
        frames::write(&mut self.stream.get_ref(), &ToOld::Ready, &mut Vec::new())?;
        let mut states: Vec<HomeState> = (0..self.shards).map(|_| HomeState::default()).collect();
        let strange = || InheritanceError("the old process hands over what belongs to no home".into());
        loop {
            let value: ToNew = frames::read(&mut self.stream)?;
            match value {
                ToNew::Home { home, seq } => {
                    states.get_mut(usize::from(home)).ok_or_else(strange)?.seq = seq;
                }
                ToNew::Channels { home, channels } => {
                    let state = states.get_mut(usize::from(home)).ok_or_else(strange)?;
                    let channels = channels.into_iter();
                    state.channels.extend(
                        channels.map(|(site, name, floor)| (ChannelKey::new(SiteId(site), name), floor)),
                    );
                }
                ToNew::Remembered { home, at_ms, packet } => {
                    let state = states.get_mut(usize::from(home)).ok_or_else(strange)?;
                    state.remembered.push((at_ms, packet.into_message()));
                }
                ToNew::Signatures { home, site, marks } => {
                    let state = states.get_mut(usize::from(home)).ok_or_else(strange)?;
                    state.signatures.push((SiteId(site), marks));
                }
                ToNew::HandedOver => break,
                ToNew::Publish { .. } | ToNew::Unlocked => return Err(strange()),
            }
        }
        let (link, carrier) = link::link();
        carrier.carry(self.stream.get_ref().try_clone()?)?;
        let succeeding = Succeeding {
            stream: self.stream,
            link,
        };
        Ok((states, succeeding))
    }
}

/// Why these two processes cannot follow each other.
fn disagreement(hello: &Hello) -> Option<String> {
    if hello.format != FORMAT {
        return Some(format!(
            "versions {} and {} do not understand each other: stop and start the relay instead",
            hello.version,
            env!("CARGO_PKG_VERSION")
        ));
    }
    if !(1..=SHARDS_MAX).contains(&usize::from(hello.shards)) {
        return Some(format!("{} shards are more than this version has", hello.shards));
    }
    let homes = Homes::new(hello.shards, Seed(hello.seed));
    let agree = (0..)
        .zip(&hello.homed)
        .all(|(site, (name, home))| homes.home_of(&ChannelKey::new(SiteId(site), name.as_str())).0 == *home);
    (!agree).then(|| "this version homes channels otherwise: stop and start the relay instead".to_owned())
}

fn receive_listeners(stream: &mut UnixStream) -> Result<Vec<Held>, InheritanceError> {
    let mut listeners = Vec::new();
    loop {
        let mut byte = [0];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            stream.as_fd(),
            &mut [IoSliceMut::new(&mut byte)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
        .map_err(io::Error::from)?;
        let shared = byte == [2];
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                listeners.extend(descriptors.map(|descriptor: OwnedFd| Held {
                    socket: TcpListener::from(descriptor),
                    shared,
                }));
            }
        }
        if received.bytes == 0 || byte == [0] {
            break;
        }
        if listeners.len() > LISTENERS_MAX {
            return Err(InheritanceError("the old process has too many listeners".into()));
        }
    }
    if listeners.is_empty() {
        return Err(InheritanceError("the old process hands over no listener".into()));
    }
    Ok(listeners)
}

/// A run that has been taken up, while the old process still has connections.
pub struct Succeeding {
    stream: BufReader<UnixStream>,
    pub link: Link,
}

impl Succeeding {
    /// Tells the old process that the shards serve, and takes in what it hands on until it has gone.
    pub fn serve(self, shards: Shards, store: StoreHandle) -> io::Result<()> {
        let _ = self.link.send(Outgoing::Serving);
        drop(self.link);
        let stream = self.stream;
        thread::Builder::new()
            .name("upgrade-in".to_owned())
            .spawn(move || listen(stream, &shards, &store))?;
        Ok(())
    }
}

fn listen(mut stream: BufReader<UnixStream>, shards: &Shards, store: &StoreHandle) {
    let mut locked = false;
    while let Ok(value) = frames::read::<ToNew>(&mut stream) {
        match value {
            ToNew::Publish {
                home,
                id,
                dedupe,
                packet,
            } => {
                let message = packet.into_message();
                patiently(shards, ShardId(home), move |ctx| {
                    ctx.with(|shard| shard.publish_for_follower(id, message, dedupe));
                });
            }
            ToNew::Unlocked => locked = lock(store),
            // The state is complete already.
            _ => break,
        }
    }
    tracing::info!("the old process has gone");
    if !locked {
        lock(store);
    }
    for shard in shards.ids() {
        patiently(shards, shard, |ctx| ctx.with(Shard::stand_alone));
    }
}

fn lock(store: &StoreHandle) -> bool {
    match store.lock() {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "the data directory is not locked");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_speaks_otherwise_is_refused_with_a_word() {
        let hello = Hello {
            format: FORMAT + 1,
            version: "9.9.9".into(),
            run: 1,
            seed: [0; 16],
            shards: 2,
            homed: Vec::new(),
        };
        assert!(disagreement(&hello).is_some_and(|reason| reason.contains("9.9.9")));
        let homed = vec![("channel-0".to_owned(), 200)];
        let hello = Hello {
            format: FORMAT,
            homed,
            ..hello
        };
        assert!(disagreement(&hello).is_some_and(|reason| reason.contains("homes channels")));
    }
}
