//! The peers that come with the project pass a tiny load test: a number from one that loses messages would say nothing.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use hookcast_load::dialect::Dialect;
use hookcast_load::engine::{Engine, Settings};
use hookcast_load::plan::{Part, Plan, Publish, Share};
use hookcast_load::process::Processes;
use hookcast_load::target::Target;

struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    fn start(program: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port");
        let mut command = Command::new(program);
        command.arg(address.port().to_string()).stdout(Stdio::null());
        let child = command.spawn().expect("the peer starts");
        let peer = Self { child, address };
        testkit::until("the peer to listen", || TcpStream::connect(address).ok());
        peer
    }

    /// Every message reached every subscriber of its channel once, in order, and nobody else.
    fn passes(&self, part: Part) {
        let plan = Plan {
            duration: 0.5,
            warmup: 0.0,
            parts: vec![part],
            ..Plan::default()
        };
        let report = Engine::new(Settings {
            target: Target::parse(&format!("http://{}", self.address)).expect("an address"),
            dialect: Dialect::Open,
            plan,
            share: Share::WHOLE,
            run: 1,
            start_at: None,
            sources: Vec::new(),
            server: Processes::default(),
            progress: None,
        })
        .and_then(Engine::run)
        .expect("the load test runs");
        assert!(report.verdict.pass, "{:?}", report.verdict);
        assert!(report.parts[0].deliveries > 0, "nothing was measured");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

const PEERS: [&str; 2] = [env!("CARGO_BIN_EXE_peer-floor"), env!("CARGO_BIN_EXE_peer-axum")];

#[test]
fn what_a_member_says_reaches_its_room() {
    let rooms = || Part {
        channels: 4,
        sockets: 20,
        publish: Publish::Members,
        ..Part::default()
    };
    for program in PEERS {
        let peer = Peer::start(program);
        peer.passes(Part {
            rate: 200.0,
            ..rooms()
        });
        peer.passes(Part {
            in_flight: 2,
            ..rooms()
        });
        // Longer than what a frame's first length holds, and than the buffer that it is read into.
        peer.passes(Part {
            rate: 40.0,
            size: 70_000,
            ..rooms()
        });
    }
}

#[test]
fn what_a_server_publishes_reaches_sockets_and_streams() {
    for program in PEERS {
        let peer = Peer::start(program);
        peer.passes(Part {
            sockets: 10,
            streams: 10,
            publish: Publish::Http,
            rate: 50.0,
            ..Part::default()
        });
    }
}
