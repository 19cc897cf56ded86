//! The old process's side of an upgrade.

use std::ffi::OsString;
use std::io::{self, BufReader, BufWriter, IoSlice, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::frames::{self, FORMAT, Hello, Packet, ToNew, ToOld};
use super::link::{self, Carrier, Link, Outgoing};
use super::{SharedListeners, Stage, VARIABLE, locked};
use crate::hub::{ChannelKey, HomeState, Homes, Published, Seed};
use crate::ids::{ShardId, SiteId};
use crate::listening::Held;
use crate::shard::drain::Next;
use crate::shard::{Context, Job, Shards, ShardsBusy};
use crate::store::StoreHandle;

/// How long the new process may take until it is ready: its settings, its store with a migration of it, its sockets.
const READY_WAIT: Duration = Duration::from_secs(30);
/// How long it may take from the cut until it serves. Publishes wait that long.
const SERVING_WAIT: Duration = Duration::from_secs(10);
/// How long a shard may take to give its home's state.
const STATE_WAIT: Duration = Duration::from_secs(5);
/// Between two looks whether the new process has ended, or this one is to stop.
const LOOK: Duration = Duration::from_millis(50);
/// Channels, or signatures, in one value.
const CHUNK: usize = 1_024;

/// What an upgrade needs of the relay that runs.
pub struct Predecessor {
    /// As it was when the relay started: the file there may be another one now, which is the point.
    pub binary: PathBuf,
    pub arguments: Vec<OsString>,
    pub run: u64,
    pub seed: Seed,
    pub homes: Homes,
    pub listeners: SharedListeners,
    pub drain_ms: u64,
    pub shards: Shards,
    pub store: StoreHandle,
    pub stage: Arc<Stage>,
}

/// Hands everything to a new process. On an error this one goes on as before, or was told to stop meanwhile.
pub fn hand_over(old: Predecessor) -> Result<u32, String> {
    let done = start(&old).and_then(|mut new| {
        let done = new.talk(&old);
        if done.is_err() {
            new.end();
        }
        done.map(|()| new.child.id())
    });
    if done.is_err() {
        old.stage.abandon();
    }
    done
}

fn start(old: &Predecessor) -> Result<NewProcess, String> {
    let named = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let (ours, theirs) = UnixStream::pair().map_err(named("no socket pair"))?;
    let child = Command::new(&old.binary)
        .args(&old.arguments)
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .env(VARIABLE, "1")
        // These are about this process.
        .env_remove("LISTEN_FDS")
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDNAMES")
        .env_remove("WATCHDOG_PID")
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", old.binary.display()))?;
    let (said, heard) = channel();
    let stream = ours.try_clone().map_err(named("no second descriptor"));
    let mut new = NewProcess {
        child,
        stream: ours,
        heard,
    };
    let shards = old.shards.clone();
    let listening = stream.and_then(|stream| {
        thread::Builder::new()
            .name("upgrade-in".to_owned())
            .spawn(move || listen(&stream, &said, &shards))
            .map_err(named("no thread"))
    });
    match listening {
        Ok(_) => Ok(new),
        Err(error) => {
            new.end();
            Err(error)
        }
    }
}

struct NewProcess {
    child: Child,
    stream: UnixStream,
    heard: Receiver<Said>,
}

/// What the new process says about itself.
enum Said {
    Ready,
    Refused(String),
    Serving,
}

impl NewProcess {
    fn talk(&mut self, old: &Predecessor) -> Result<(), String> {
        let failed = |error: io::Error| format!("the new process does not listen: {error}");
        send_listeners(&self.stream, &locked(&old.listeners)).map_err(failed)?;
        let mut scratch = Vec::new();
        frames::write(&mut &self.stream, &hello(old), &mut scratch).map_err(failed)?;
        match self.wait(old, READY_WAIT, "be ready")? {
            Said::Ready => {}
            Said::Refused(reason) => return Err(format!("the new process cannot take over: {reason}")),
            Said::Serving => return Err("the new process says that it serves, with nothing to serve".into()),
        }
        let (link, carrier) = link::link();
        let served = self.cut(old, &link, carrier);
        if served.is_err() && !old.shards.is_stopped() {
            // The homes lead again, with what they had handed on.
            each_shard(&old.shards, |ctx| ctx.with(crate::shard::Shard::stand_alone));
        }
        served?;
        locked(&old.listeners).clear();
        tell_service_manager(self.child.id());
        old.store.unlock();
        // Its end tells the same.
        let _ = link.send(Outgoing::Unlocked);
        let drain_ms = old.drain_ms;
        each_shard(&old.shards, move |ctx| ctx.begin_drain(drain_ms, Next::Successor));
        Ok(())
    }

    /// From the cut until the new process serves.
    fn cut(&mut self, old: &Predecessor, link: &Link, carrier: Carrier) -> Result<(), String> {
        let states = cut(&old.shards, link)?;
        let failed = |error: io::Error| format!("the new process does not take the state: {error}");
        send_states(&self.stream, states).map_err(failed)?;
        let stream = self.stream.try_clone().map_err(failed)?;
        // What was published since the cut goes behind the state.
        carrier.carry(stream).map_err(failed)?;
        match self.wait(old, SERVING_WAIT, "serve")? {
            Said::Serving if old.stage.finish() => Ok(()),
            Said::Serving => Err("the relay was told to stop".into()),
            Said::Refused(reason) => Err(format!("the new process cannot take over: {reason}")),
            Said::Ready => Err("the new process says twice that it is ready".into()),
        }
    }

    fn wait(&mut self, old: &Predecessor, limit: Duration, what: &str) -> Result<Said, String> {
        let deadline = Instant::now() + limit;
        loop {
            match self.heard.recv_timeout(LOOK) {
                Ok(said) => return Ok(said),
                Err(RecvTimeoutError::Timeout) if old.stage.is_stopped() => {
                    return Err("the relay was told to stop".into());
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(format!(
                        "the new process did not {what} within {} s",
                        limit.as_secs()
                    ));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().map_err(|error| error.to_string())?;
                    return Err(format!(
                        "the new process ended ({status}) before it could {what}; what it wrote says why"
                    ));
                }
            }
        }
    }

    fn end(&mut self) {
        // Its end is what is wanted: one that has come already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whom the service manager watches from now on. The service itself never was down.
fn tell_service_manager(pid: u32) {
    let _ = sd_notify::notify(&[
        sd_notify::NotifyState::MainPid(pid),
        sd_notify::NotifyState::Ready,
    ]);
}

fn hello(old: &Predecessor) -> Hello {
    Hello {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: old.run,
        seed: old.seed.0,
        shards: old.homes.shards(),
        homed: (0..32)
            .map(|index| {
                let name = format!("channel-{index}");
                let home = old.homes.home_of(&ChannelKey::new(SiteId(index), name.as_str()));
                (name, home.0)
            })
            .collect(),
    }
}

/// One byte with each socket, which tells whether the service manager holds it too, and another one at the end.
fn send_listeners(stream: &UnixStream, listeners: &[Held]) -> io::Result<()> {
    for listener in listeners {
        let descriptors = [listener.socket.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::other("a descriptor does not fit"));
        }
        sendmsg(
            stream,
            &[IoSlice::new(&[1 + u8::from(listener.shared)])],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        )?;
    }
    (&mut &*stream).write_all(&[0])
}

/// Cuts every home, and collects what it gave.
fn cut(shards: &Shards, link: &Link) -> Result<Vec<HomeState>, String> {
    let (given, states) = channel();
    let link = link.clone();
    shards
        .run_all(move |ctx| {
            let state = ctx.with(|shard| shard.follow(link.clone()));
            // The upgrade may have been given up meanwhile.
            let _ = given.send((ctx.id, state));
        })
        .map_err(|busy| busy.to_string())?;
    let mut by_shard: Vec<(ShardId, HomeState)> = Vec::new();
    let deadline = Instant::now() + STATE_WAIT;
    for _ in shards.ids() {
        let left = deadline.saturating_duration_since(Instant::now());
        let state = states.recv_timeout(left);
        by_shard.push(state.map_err(|_| "a shard is too busy to hand over".to_owned())?);
    }
    by_shard.sort_by_key(|(id, _)| *id);
    Ok(by_shard.into_iter().map(|(_, state)| state).collect())
}

fn send_states(stream: &UnixStream, states: Vec<HomeState>) -> io::Result<()> {
    let mut out = BufWriter::new(stream);
    let mut scratch = Vec::new();
    let mut send = |value: &ToNew| frames::write(&mut out, value, &mut scratch);
    for (home, state) in (0..).zip(states) {
        send(&ToNew::Home { home, seq: state.seq })?;
        for chunk in state.channels.chunks(CHUNK) {
            let channel = |(key, floor): &(ChannelKey, u64)| (key.site.0, key.name.to_string(), *floor);
            let channels = chunk.iter().map(channel).collect();
            send(&ToNew::Channels { home, channels })?;
        }
        for (at_ms, message) in state.remembered {
            if let Some(packet) = Packet::new(&message) {
                send(&ToNew::Remembered { home, at_ms, packet })?;
            }
        }
        for (site, marks) in state.signatures {
            for chunk in marks.chunks(CHUNK) {
                let (site, marks) = (site.0, chunk.to_vec());
                send(&ToNew::Signatures { home, site, marks })?;
            }
        }
    }
    send(&ToNew::HandedOver)?;
    out.flush()
}

/// Takes in what the new process says, until it ends.
fn listen(stream: &UnixStream, said: &Sender<Said>, shards: &Shards) {
    let mut from = BufReader::new(stream);
    let mut serves = false;
    // Whoever waited for what it says may have given up.
    while let Ok(value) = frames::read::<ToOld>(&mut from) {
        match value {
            ToOld::Ready => drop(said.send(Said::Ready)),
            ToOld::Refused(reason) => drop(said.send(Said::Refused(reason))),
            ToOld::Serving => {
                serves = true;
                drop(said.send(Said::Serving));
            }
            ToOld::Deliver { home, packet } => {
                let message = packet.into_message();
                patiently(shards, ShardId(home), move |ctx| {
                    ctx.with(|shard| shard.follow_message(message));
                });
            }
            ToOld::Published { home, id, duplicate } => {
                let outcome = if duplicate {
                    Published::Duplicate
                } else {
                    Published::Accepted
                };
                patiently(shards, ShardId(home), move |ctx| {
                    ctx.with(|shard| shard.follow_answer(id, outcome));
                });
            }
        }
    }
    if serves && !shards.is_stopped() {
        tracing::warn!("the new process does not follow up any more: connections are closed at once");
        each_shard(shards, |ctx| {
            ctx.with(crate::shard::Shard::stand_alone);
            ctx.hurry_drain();
        });
    }
}

fn each_shard(shards: &Shards, job: impl Fn(&std::rc::Rc<Context>) + Clone + Send + 'static) {
    for shard in shards.ids() {
        let job = job.clone();
        patiently(shards, shard, move |ctx| job(ctx));
    }
}

/// Queues a job, waiting for room: what is not read meanwhile waits in the stream, and then in the new process's link,
/// which is bounded.
pub(super) fn patiently(
    shards: &Shards,
    shard: ShardId,
    job: impl FnOnce(&std::rc::Rc<Context>) + Send + 'static,
) {
    let mut job: Option<Job> = Some(Box::new(job));
    while let Some(next) = job.take() {
        match shards.offer(shard, next) {
            Ok(()) => {}
            Err((_, ShardsBusy)) if shards.is_stopped() => {}
            Err((back, ShardsBusy)) => {
                job = Some(back);
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
