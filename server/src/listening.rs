//! The listening sockets: bound here, or handed over by the service manager.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd};

use crate::config::Config;
use crate::listener;

/// What a listening socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `server.listen`
    Relay,
    /// `tls.listen`
    Tls,
    /// `tls.redirect_listen`
    Redirect,
    /// `metrics.listen`
    Metrics,
}

/// A listening socket.
#[derive(Debug)]
pub struct Held {
    pub socket: TcpListener,
    /// The service manager holds it too, and so keeps its queue when this process lets go of it.
    pub shared: bool,
}

impl Held {
    fn copy(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            shared: self.shared,
        })
    }
}

pub struct Listening {
    /// By shard.
    pub sockets: Vec<Vec<(Purpose, Held)>>,
    pub addresses: Vec<(Purpose, SocketAddr)>,
}

/// Opens what the settings name, for `count` shards. A socket that was `handed` over, by the service manager or by the
/// process before this one, serves for the setting that names its address, and for `server.listen` where none does; what
/// they leave out is bound here.
pub fn open(config: &Config, count: u16, handed: Vec<Held>) -> Result<Listening, String> {
    let mut listening = Listening {
        sockets: (0..count).map(|_| Vec::new()).collect(),
        addresses: Vec::new(),
    };
    let inherited = with_purpose(config, handed)
        .map_err(|error| format!("a socket that was handed over is of no use: {error}"))?;
    for (purpose, setting, addresses) in [
        (Purpose::Relay, "--listen", &config.server.listen),
        (Purpose::Tls, "tls.listen", &config.tls.listen),
        (
            Purpose::Redirect,
            "tls.redirect_listen",
            &config.tls.redirect_listen,
        ),
        (Purpose::Metrics, "metrics.listen", &config.metrics.listen),
    ] {
        let given = inherited.iter().filter(|(of, ..)| *of == purpose);
        let mut by_address: Vec<(SocketAddr, Vec<&Held>)> = Vec::new();
        for (_, address, held) in given {
            match by_address.iter_mut().find(|(known, _)| known == address) {
                Some((_, of_address)) => of_address.push(held),
                None => by_address.push((*address, vec![held])),
            }
        }
        for (address, of_address) in &by_address {
            listening
                .share(purpose, *address, of_address)
                .map_err(|error| error.to_string())?;
        }
        if by_address.is_empty() {
            for address in addresses {
                listening.bind(purpose, setting, *address)?;
            }
        }
    }
    Ok(listening)
}

impl Listening {
    /// The sockets of one address: each has a shard that accepts from it, and each shard accepts from one of them.
    fn share(&mut self, purpose: Purpose, address: SocketAddr, sockets: &[&Held]) -> io::Result<()> {
        let shards = shards_of(purpose, &mut self.sockets);
        let count = shards.len();
        for turn in 0..count.max(sockets.len()) {
            shards[turn % count].push((purpose, sockets[turn % sockets.len()].copy()?));
        }
        self.addresses.push((purpose, address));
        Ok(())
    }

    /// All sockets once more, for whoever serves next.
    pub fn copies(&self) -> io::Result<Vec<Held>> {
        let all = self.sockets.iter().flatten();
        all.map(|(_, held)| held.copy()).collect()
    }

    /// A socket for each shard.
    fn bind(&mut self, purpose: Purpose, setting: &str, mut address: SocketAddr) -> Result<(), String> {
        if is_taken(address) {
            return Err(format!(
                "{address} is in use already: stop what listens there, or choose another address with {setting}"
            ));
        }
        for of_shard in shards_of(purpose, &mut self.sockets) {
            let listener = listener::bind(address).map_err(|error| {
                format!("{address} cannot be listened on: {error}; choose another address with {setting}")
            })?;
            // Port 0 is chosen by the kernel once, and then the same for every shard.
            address = listener
                .local_addr()
                .map_err(|error| format!("{address} cannot be listened on: {error}"))?;
            of_shard.push((
                purpose,
                Held {
                    socket: listener,
                    shared: false,
                },
            ));
        }
        self.addresses.push((purpose, address));
        Ok(())
    }
}

/// Scrapes and redirects are rare: the first shard serves them all.
fn shards_of(purpose: Purpose, sockets: &mut [Vec<(Purpose, Held)>]) -> &mut [Vec<(Purpose, Held)>] {
    match purpose {
        Purpose::Metrics | Purpose::Redirect => &mut sockets[..1],
        Purpose::Relay | Purpose::Tls => sockets,
    }
}

/// The sockets of socket activation.
pub fn activated() -> io::Result<Vec<Held>> {
    let mut handed_over = listenfd::ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..handed_over.len() {
        if let Some(socket) = handed_over.take_tcp_listener(index)? {
            // Nobody gets it by accident: whom it is handed to gets a copy.
            fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
            sockets.push(Held { socket, shared: true });
        }
    }
    Ok(sockets)
}

fn with_purpose(config: &Config, handed: Vec<Held>) -> io::Result<Vec<(Purpose, SocketAddr, Held)>> {
    let mut inherited = Vec::new();
    for held in handed {
        held.socket.set_nonblocking(true)?;
        let address = held.socket.local_addr()?;
        let purpose = if config.tls.listen.contains(&address) {
            Purpose::Tls
        } else if config.tls.redirect_listen.contains(&address) {
            Purpose::Redirect
        } else if config.metrics.listen.contains(&address) {
            Purpose::Metrics
        } else {
            Purpose::Relay
        };
        inherited.push((purpose, address, held));
    }
    Ok(inherited)
}

/// The kernel gives back the sockets of an io_uring a little after its process has ended: what a restart waits for.
const RELEASE_WAIT: Duration = Duration::from_secs(2);

/// Whether something else listens there: with SO_REUSEPORT two relays of one user would share the port unnoticed.
fn is_taken(address: SocketAddr) -> bool {
    let deadline = Instant::now() + RELEASE_WAIT;
    let in_use = || TcpListener::bind(address).is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
    while address.port() != 0 && in_use() {
        if Instant::now() >= deadline {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(address: SocketAddr, count: usize) -> Vec<TcpListener> {
        let first = listener::bind(address).unwrap();
        let address = first.local_addr().unwrap();
        let others = (1..count).map(|_| listener::bind(address).unwrap());
        std::iter::once(first).chain(others).collect()
    }

    /// The local sockets of each shard, as inodes: the same file is the same number.
    fn inodes(listening: &Listening) -> Vec<Vec<u64>> {
        let inode = |(_, held): &(Purpose, Held)| rustix::fs::fstat(&held.socket).unwrap().st_ino;
        listening
            .sockets
            .iter()
            .map(|of_shard| of_shard.iter().map(inode).collect())
            .collect()
    }

    #[test]
    fn every_socket_is_accepted_from_and_every_shard_accepts() {
        for (sockets, shards) in [(1, 4), (4, 4), (4, 2), (2, 3), (3, 1)] {
            let handed = bound("127.0.0.1:0".parse().unwrap(), sockets);
            let handed = handed.into_iter().map(|socket| Held { socket, shared: true });
            let listening = open(&Config::default(), shards, handed.collect()).unwrap();
            let by_shard = inodes(&listening);
            assert!(
                by_shard.iter().all(|of_shard| !of_shard.is_empty()),
                "{by_shard:?}"
            );
            let distinct: std::collections::HashSet<_> = by_shard.iter().flatten().collect();
            assert_eq!(distinct.len(), sockets, "{sockets} sockets on {shards} shards");
            assert_eq!(listening.addresses.len(), 1);
        }
    }
}
