//! Starting and ending the servers that are compared, each on a port of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use hookcast_load::site::Credentials;
use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// On io_uring
    Hookcast,
    HookcastEpoll,
    /// Two shards, on both cores
    HookcastTwo,
    Floor,
    Nchan,
    Axum,
    Mosquitto,
    /// uWebSockets
    Uws,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hookcast => "hookcast",
            Self::HookcastEpoll => "hookcast (epoll)",
            Self::HookcastTwo => "hookcast (2 shards)",
            Self::Floor => "send(2) floor",
            Self::Nchan => "nchan",
            Self::Axum => "axum",
            Self::Mosquitto => "mosquitto",
            Self::Uws => "uWebSockets",
        }
    }
}

pub struct Server {
    kind: Kind,
    child: Child,
    port: u16,
    credentials: Option<Credentials>,
    directory: tempfile::TempDir,
}

/// A server that does not listen by then never will.
const START: Duration = Duration::from_secs(10);
const STOP: Duration = Duration::from_secs(5);
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

impl Server {
    pub fn start(kind: Kind, programs: &Path) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| format!("a directory: {error}"))?;
        let port = free_port()?;
        let mut credentials = None;
        let mut command = match kind {
            Kind::Hookcast | Kind::HookcastEpoll | Kind::HookcastTwo => {
                let program = programs.join("hookcast");
                credentials = Some(register(&program, directory.path())?);
                let mut command = Command::new(program);
                command.args([
                    "serve",
                    "--listen",
                    &format!("127.0.0.1:{port}"),
                    "--log-level",
                    "warn",
                ]);
                command.args(["--workers", if kind == Kind::HookcastTwo { "2" } else { "1" }]);
                command.args([
                    "--driver",
                    if kind == Kind::HookcastEpoll {
                        "epoll"
                    } else {
                        "auto"
                    },
                ]);
                // A load test is what the limits are there to stop.
                command.args(["--set", "limits.publishes_per_second=0"]);
                command.args(["--set", "limits.client_messages_per_second=0"]);
                command
                    .args(["--set", "server.drain_ms=0", "--data-dir"])
                    .arg(directory.path());
                command
            }
            Kind::Floor | Kind::Axum | Kind::Uws => {
                let program = programs.join(match kind {
                    Kind::Floor => "peer-floor",
                    Kind::Axum => "peer-axum",
                    _ => "peer-uws",
                });
                if kind == Kind::Uws && !program.exists() {
                    return Err(
                        "peer-uws is missing: `cargo xtask bench` builds it with a C++ compiler".to_owned(),
                    );
                }
                let mut command = Command::new(program);
                command.arg(port.to_string());
                command
            }
            Kind::Nchan => {
                if !Path::new(NCHAN).exists() {
                    return Err("nchan is missing: apt-get install nginx-light libnginx-mod-nchan".to_owned());
                }
                let path = configure(&directory, port, include_str!("../../../peers/nchan.conf"))?;
                let mut command = Command::new("/usr/sbin/nginx");
                command.arg("-p").arg(directory.path()).arg("-c").arg(path);
                command
            }
            Kind::Mosquitto => {
                if !Path::new(MOSQUITTO).exists() {
                    return Err("mosquitto is missing: apt-get install mosquitto".to_owned());
                }
                let path = configure(&directory, port, include_str!("../../../peers/mosquitto.conf"))?;
                let mut command = Command::new(MOSQUITTO);
                command.arg("-c").arg(path);
                command
            }
        };
        let log =
            fs::File::create(directory.path().join("stderr")).map_err(|error| format!("a log: {error}"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command
            .spawn()
            .map_err(|error| format!("{:?}: {error}", command.get_program()))?;
        let mut server = Self {
            kind,
            child,
            port,
            credentials,
            directory,
        };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().is_ok_and(|status| status.is_some());
            if ended || Instant::now() > deadline {
                let said = fs::read_to_string(self.directory.path().join("stderr")).unwrap_or_default();
                return Err(format!("{} did not start: {}", self.kind.name(), said.trim()));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn dialect(&self) -> &'static str {
        match self.kind {
            Kind::Hookcast | Kind::HookcastEpoll | Kind::HookcastTwo => "hookcast",
            Kind::Floor | Kind::Axum | Kind::Uws => "open",
            Kind::Nchan => "nchan",
            Kind::Mosquitto => "mqtt",
        }
    }

    /// For the load test's environment.
    pub fn credentials(&self) -> Vec<(&'static str, &str)> {
        self.credentials
            .iter()
            .flat_map(|site| {
                [
                    ("HOOKCAST_SITE_KEY", site.site_key.as_str()),
                    ("HOOKCAST_PUBLISH_SECRET", site.publish_secret.as_str()),
                    ("HOOKCAST_JWT_SECRET", site.jwt_secret.as_str()),
                ]
            })
            .collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(id) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _ended = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let deadline = Instant::now() + STOP;
        while self.child.try_wait().is_ok_and(|status| status.is_none()) {
            if Instant::now() > deadline {
                let _killed = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener
        .map(|address| address.port())
        .map_err(|error| format!("no free port: {error}"))
}

fn register(program: &Path, directory: &Path) -> Result<Credentials, String> {
    let mut command = Command::new(program);
    command
        .args([
            "site",
            "add",
            "--url",
            "https://load.example",
            "--json",
            "--data-dir",
        ])
        .arg(directory);
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    serde_json::from_slice(&output.stdout).map_err(|error| {
        format!(
            "hookcast site add: {error}; {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn configure(directory: &tempfile::TempDir, port: u16, template: &str) -> Result<std::path::PathBuf, String> {
    let place = directory.path().display().to_string();
    let text = template
        .replace("@PORT@", &port.to_string())
        .replace("@DIR@", &place)
        .replace("@MODULE@", NCHAN);
    let path = directory.path().join("server.conf");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
