//! One running relay, its data directory and its command line.

use crate::{Answer, Process, Site, Sse, Token, Ws, http, until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use tempfile::TempDir;

/// How a relay is started.
pub struct Options {
    binary: PathBuf,
    workers: usize,
    config: String,
    environment: Vec<(String, String)>,
    wrapper: Vec<String>,
    activated: bool,
}

impl Options {
    /// A relay of two shards with the default settings, but for the ends of sessions: those are quick.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let mut environment = Vec::new();
        // `cargo xtask test` runs these suites once for each of the two drivers.
        if std::env::var("RELAY_TEST_DRIVER").is_ok_and(|driver| driver == "epoll") {
            environment.push(("MONOIO_FORCE_LEGACY_DRIVER".to_owned(), "1".to_owned()));
        }
        Self {
            binary: binary.into(),
            workers: 2,
            config: String::new(),
            environment,
            wrapper: Vec::new(),
            activated: false,
        }
    }

    /// The number of shards.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Lines of the configuration file.
    pub fn config(mut self, toml: &str) -> Self {
        self.config.push_str(toml);
        self.config.push('\n');
        self
    }

    /// A variable of the relay's environment.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The listener is this process's, and stays open across the relay's restarts (systemd's socket activation).
    pub fn activated(mut self) -> Self {
        self.activated = true;
        self
    }

    /// A program that starts the relay in its place, such as `prlimit`.
    pub fn wrapper(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Start, and wait until the relay takes connections.
    pub fn start(self) -> Relay {
        self.start_under("")
    }

    /// Start a relay whose settings put it under a path.
    pub fn start_under(self, base_path: &'static str) -> Relay {
        let directory = tempfile::Builder::new()
            .prefix("hookcast-test-")
            .tempdir()
            .expect("a temporary directory");
        std::fs::write(directory.path().join("hookcast.toml"), &self.config).expect("a configuration file");
        let address = free_address();
        let activator = self
            .activated
            .then(|| TcpListener::bind(address).expect("a listener for the relay"));
        let mut relay = Relay {
            options: self,
            base_path,
            directory,
            address,
            activator,
            child: None,
        };
        relay.launch();
        relay
    }
}

/// An address of 127.0.0.0/8 that belongs to this process and this call alone. A port that was found free could be taken by
/// another test's relay before it is used, and SO_REUSEPORT would then hide that.
pub fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let port = NEXT.fetch_add(1, Ordering::Relaxed);
    // Process ids have at most 22 bits; the lowest bit keeps clear of the network's own address.
    let host = (std::process::id() << 1) | 1;
    SocketAddrV4::new(Ipv4Addr::from_bits(0x7f00_0000 | (host & 0x00ff_ffff)), port).into()
}

/// Starts the relay with its standard input as the one socket that it is activated with.
const ACTIVATE: [&str; 3] = [
    "sh",
    "-c",
    r#"export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@" 3<&0 0</dev/null"#,
];

pub struct Relay {
    options: Options,
    base_path: &'static str,
    directory: TempDir,
    address: SocketAddr,
    activator: Option<TcpListener>,
    child: Option<Process>,
}

impl Relay {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the relay runs").id()
    }

    fn launch(&mut self) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join("log"))
            .expect("a log file");
        let activation = ACTIVATE.map(str::to_owned).to_vec();
        let wrapper = match &self.activator {
            Some(_) => &activation,
            None => &self.options.wrapper,
        };
        let stdin = self.activator.as_ref().map_or_else(Stdio::null, |listener| {
            OwnedFd::from(listener.try_clone().expect("the listener twice")).into()
        });
        let mut command = match wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.options.binary);
                command
            }
            None => Command::new(&self.options.binary),
        };
        command
            .arg("serve")
            .arg("--config")
            .arg(self.directory.path().join("hookcast.toml"))
            .args(["--listen", &self.address.to_string()])
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(["--workers", &self.options.workers.to_string()])
            .envs(self.options.environment.iter().cloned())
            .stdin(stdin)
            .stdout(log.try_clone().expect("the log file twice"))
            .stderr(log);
        self.child = Some(Process::Started(command.spawn().expect("the relay starts")));
        let (address, base_path) = (self.address, self.base_path);
        until("the relay to be ready", || {
            let exit = self
                .child
                .as_mut()
                .expect("just started")
                .try_wait()
                .expect("its state");
            assert!(
                exit.is_none(),
                "the relay ended at once with {exit:?}:\n{}",
                self.log()
            );
            let answer = http::try_get(address, &format!("{base_path}/readyz")).ok()?;
            (answer.status == 200).then_some(())
        });
    }

    /// Other settings, for the next SIGHUP or start.
    pub fn rewrite_config(&self, toml: &str) {
        std::fs::write(self.directory.path().join("hookcast.toml"), toml).expect("a configuration file");
    }

    /// All that the relay wrote to its standard output and error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        self.child.as_ref().expect("the relay runs").signal(signal);
    }

    /// Wait for the relay's end.
    pub fn wait(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the relay runs");
        until("the relay to end", || child.try_wait().expect("its state"))
    }

    /// Has the relay hand over to a new process, and waits until that one serves. Answers the old process.
    pub fn upgrade(&mut self) -> Process {
        self.upgrade_by(|relay| relay.signal(Signal::USR2))
    }

    /// The same, with `tell` as what tells the relay.
    pub fn upgrade_by(&mut self, tell: impl FnOnce(&Self)) -> Process {
        Process::adopt_orphans();
        let id = self.pid();
        tell(self);
        let holder = || {
            let lock = std::fs::read_to_string(self.data_dir().join("server.lock")).ok()?;
            lock.lines().next()?.parse().ok()
        };
        let new = until("another process to take over", || {
            holder().filter(|holder: &i32| u32::try_from(*holder) != Ok(id))
        });
        let new = Process::Adopted(rustix::process::Pid::from_raw(new).expect("a process id"));
        self.child.replace(new).expect("the relay ran")
    }

    /// SIGTERM, and the end of it.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL: no goodbye.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Start again with the same address and data.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the relay still runs");
        self.launch();
    }

    /// Run a subcommand on this relay's data directory.
    pub fn cli_output(&self, arguments: &[&str]) -> std::process::Output {
        Command::new(&self.options.binary)
            .args(arguments)
            .arg("--data-dir")
            .arg(self.data_dir())
            .stdin(Stdio::null())
            .output()
            .expect("the command runs")
    }

    /// Run a subcommand that must succeed, and read the JSON it prints.
    pub fn cli(&self, arguments: &[&str]) -> Value {
        let mut words = arguments.to_vec();
        words.push("--json");
        let output = self.cli_output(&words);
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "hookcast {words:?}: {}\n{out}{error}",
            output.status
        );
        serde_json::from_str(&out)
            .unwrap_or_else(|problem| panic!("hookcast {words:?} printed {out}: {problem}"))
    }

    /// Add a site while the relay runs, and wait until the relay knows it.
    pub fn add_site(&self, url: &str) -> Site {
        let site = Site::from_json(&self.cli(&["site", "add", "--url", url]));
        self.wait_for_site(&site);
        site
    }

    pub fn wait_for_site(&self, site: &Site) {
        until("the relay to take up the site", || {
            (self.stats(site).status == 200).then_some(())
        });
    }

    pub fn get(&self, path: &str) -> Answer {
        http::try_get(self.address, path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        http::request(self.address, method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub fn publish(&self, site: &Site, channel: &str, event: &str, data: &str) -> Answer {
        site.publish(self.address, channel, event, data)
    }

    /// Publish, which must be accepted.
    pub fn published(&self, site: &Site, channel: &str, event: &str, data: &str) {
        let answer = self.publish(site, channel, event, data);
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    pub fn stats(&self, site: &Site) -> Answer {
        site.stats(self.address)
    }

    pub fn active_connections(&self, site: &Site) -> u64 {
        let answer = self.stats(site);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["active_connections"].as_u64().expect("a number")
    }

    pub fn wait_for_connections(&self, site: &Site, wanted: u64) {
        until(&format!("{wanted} active connections"), || {
            (self.active_connections(site) == wanted).then_some(())
        });
    }

    pub fn ws(&self, token: &Token) -> Ws {
        Ws::open(self.address, &format!("/ws?token={}", token.sign()))
    }

    /// A socket with message ids.
    pub fn ws_with_ids(&self, token: &Token) -> Ws {
        Ws::open(self.address, &format!("/ws?ids=1&token={}", token.sign()))
    }

    pub fn sse(&self, token: &Token, channels: &[&str]) -> Sse {
        Sse::open(self.address, &token.sign(), channels, None)
    }

    pub fn sse_after(&self, token: &Token, channels: &[&str], last_event_id: &str) -> Sse {
        Sse::open(self.address, &token.sign(), channels, Some(last_event_id))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.lines().rev().take(60).collect::<Vec<_>>();
            eprintln!("--- the end of the relay's log:");
            for line in tail.into_iter().rev() {
                eprintln!("{line}");
            }
        }
        if let Some(mut child) = self.child.take() {
            child.end();
        }
    }
}
