//! A delivery allocates nothing, in the whole relay: counted by its own allocator while a load test runs against it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use hookcast_load::dialect::Dialect;
use hookcast_load::engine::{Engine, Settings};
use hookcast_load::plan::{Part, Plan, Publish, Share};
use hookcast_load::process::Processes;
use hookcast_load::site::{Credentials, Site};
use hookcast_load::target::Target;

struct Relay {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Relay {
    /// Allocations of the relay so far.
    fn allocations(&mut self) -> u64 {
        let input = self.child.stdin.as_mut().expect("piped");
        writeln!(input)
            .and_then(|()| input.flush())
            .expect("the relay listens");
        loop {
            let mut line = String::new();
            assert!(
                self.answers.read_line(&mut line).expect("the relay answers") > 0,
                "the relay ended"
            );
            if let Some(count) = line.strip_prefix("allocations ") {
                return count.trim().parse().expect("a number");
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Allocations while `subscribers` got `rate` messages each.
fn cost(relay: &mut Relay, url: &str, site: &Credentials, subscribers: usize, rate: f64) -> (f64, f64) {
    let part = Part {
        sockets: subscribers,
        publish: Publish::Http,
        rate,
        name: "count".into(),
        ..Part::default()
    };
    let plan = Plan {
        duration: 1.0,
        warmup: 0.0,
        parts: vec![part],
        ..Plan::default()
    };
    let before = relay.allocations();
    let report = Engine::new(Settings {
        target: Target::parse(url).expect("an address"),
        dialect: Dialect::Hookcast(Box::new(Site::new(site))),
        plan,
        share: Share::WHOLE,
        run: 1 + subscribers as u32,
        start_at: None,
        sources: Vec::new(),
        server: Processes::default(),
        progress: None,
    })
    .and_then(Engine::run)
    .expect("the load test runs");
    assert!(report.verdict.pass, "{:?}", report.verdict);
    let sent: u64 = report.parts[0].channels.iter().map(|channel| channel.sent).sum();
    ((relay.allocations() - before) as f64, sent as f64)
}

#[test]
fn a_delivery_allocates_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = env!("CARGO_BIN_EXE_relay-counted");
    let output = Command::new(program)
        .args([
            "site",
            "add",
            "--url",
            "https://count.example",
            "--json",
            "--data-dir",
        ])
        .arg(directory.path())
        .output()
        .expect("the relay's program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let json = text.split("allocations").next().unwrap_or_default();
    let site: Credentials = serde_json::from_str(json).expect("credentials");
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port");
    let mut child = Command::new(program)
        .args([
            "serve",
            "--workers",
            "1",
            "--log-level",
            "warn",
            "--listen",
            &address.to_string(),
        ])
        .args(["--set", "limits.publishes_per_second=0", "--data-dir"])
        .arg(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the relay starts");
    let answers = BufReader::new(child.stdout.take().expect("piped"));
    let mut relay = Relay { child, answers };
    testkit::until("the relay to listen", || {
        std::net::TcpStream::connect(address).ok()
    });
    let url = format!("http://{address}");
    // The first run fills what is kept for later: buffers, the arena, the channel's memory.
    cost(&mut relay, &url, &site, 200, 100.0);
    let measured = [(10, 20.0), (10, 120.0), (200, 20.0), (200, 120.0)]
        .map(|(subscribers, rate)| cost(&mut relay, &url, &site, subscribers, rate));
    // A run costs something for itself, something for each subscriber and something for each publish. What is left when
    // all of that is taken away is what each delivery costs.
    let [
        (small_few, few),
        (small_many, many),
        (large_few, few_again),
        (large_many, many_again),
    ] = measured;
    let per_publish_small = (small_many - small_few) / (many - few);
    let per_publish_large = (large_many - large_few) / (many_again - few_again);
    let per_delivery = (per_publish_large - per_publish_small) / 190.0;
    assert!(
        per_delivery.abs() < 0.05,
        "{per_delivery} allocations a delivery: {measured:?}"
    );
}
