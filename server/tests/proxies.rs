//! The configurations that `hookcast proxy-config` prints, in the real web servers.
//!
//! Where a web server is not installed its test says so and passes, unless `RELAY_TEST_PROXIES=required` (as
//! `cargo xtask test` sets it after installing them).

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};
use testkit::relay::free_address;
use testkit::{Answer, Frame, Options, Relay, Site, Sse, Ws, http, site, until};

const NGINX: &str = "/usr/sbin/nginx";
const APACHE: &str = "/usr/sbin/apache2";
const CADDY: &str = "/usr/bin/caddy";

/// A relay under a path of another site's, one on a host of its own, and a web server in front of both.
struct Setup {
    path: Place,
    host: Place,
    // Stopped after the relays: it would wait for a stream whose reader has gone, until the next bytes fail.
    _front: Front,
    logs: tempfile::TempDir,
}

/// One way to a relay.
struct Place {
    relay: Relay,
    site: Site,
    front: SocketAddr,
    prefix: &'static str,
}

struct Front {
    child: Child,
}

impl Drop for Front {
    fn drop(&mut self) {
        // Not SIGKILL: the master ends its workers.
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let _gone = kill_process(pid, Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn installed(program: &str) -> bool {
    let there = Path::new(program).exists();
    let required = std::env::var("RELAY_TEST_PROXIES").is_ok_and(|value| value == "required");
    assert!(there || !required, "{program} is missing");
    if !there {
        eprintln!("{program} is not installed: its configuration was not tried");
    }
    there
}

fn options() -> Options {
    Options::new(env!("CARGO_BIN_EXE_hookcast"))
}

impl Place {
    fn new(prefix: &'static str) -> Place {
        let relay = options()
            .config(&format!("server.base_path = \"{prefix}\""))
            .start_under(prefix);
        let site = Site::from_json(&relay.cli(&["site", "add", "--url", "https://one.example"]));
        let place = Place {
            relay,
            site,
            front: free_address(),
            prefix,
        };
        until("the relay to take up the site", || {
            let headers = place.site.signed_headers(b"");
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let path = format!("{prefix}/site/stats");
            (http::request(place.relay.address(), "GET", &path, &headers, b"")
                .ok()?
                .status
                == 200)
                .then_some(())
        });
        place
    }

    /// What `hookcast proxy-config` prints for it.
    fn printed(&self, server: &str) -> String {
        let (upstream, front) = (self.relay.address().to_string(), self.front.to_string());
        let mut args = vec!["proxy-config", server, "--upstream", &upstream];
        if self.prefix.is_empty() {
            args.extend(["--server-name", "localhost", "--listen", &front]);
        } else {
            args.extend(["--path", self.prefix]);
        }
        let output = self.relay.cli_output(&args);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn token(&self) -> String {
        self.site.token().sign()
    }

    fn ws(&self, token: &str) -> Ws {
        Ws::open(self.front, &format!("{}/ws?token={token}", self.prefix))
    }

    fn sse(&self, token: &str) -> Sse {
        Sse::try_open(
            self.front,
            &format!("{}/sse?channels=events&token={token}", self.prefix),
            &[],
        )
    }

    fn publish(&self, data: &str) -> Answer {
        let body = site::body("events", "e", data);
        let headers = self.site.signed_headers(body.as_bytes());
        let mut headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        headers.push(("Content-Type", "application/json"));
        http::request(
            self.front,
            "POST",
            &format!("{}/publish", self.prefix),
            &headers,
            body.as_bytes(),
        )
        .expect("an answer through the proxy")
    }

    /// Everything a site does, through the proxy. Gives the token that must be in no log.
    fn check(&self) -> String {
        let token = self.token();
        let mut ws = self.ws(&token);
        ws.subscribe(&["events"]);
        // The first bytes come before any message: else a buffer would hold a quiet stream back for ever.
        let mut sse = self.sse(&token);
        assert_eq!(sse.head.status, 200, "{:?}", sse.head);
        assert!(sse.event_raw().is_some());

        assert_eq!(self.publish(r#"{"n":1}"#).status, 200);
        assert_eq!(data(&mut ws), json!({"n": 1}));
        assert_eq!(stream_data(&mut sse), json!({"n": 1}));

        // Near the limit of a publish: no bound of the web server's stands below the relay's.
        let large = "x".repeat(1_048_576 - 200);
        assert_eq!(self.publish(&format!("\"{large}\"")).status, 200);
        assert_eq!(data(&mut ws), json!(large));

        let frame = ws.send_binary("events", b"\x00\xff");
        loop {
            match ws.frame() {
                Frame::Binary(echo) => break assert_eq!(echo, frame),
                Frame::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
        // A refusal is the relay's own.
        let (code, _) = Ws::refused(self.front, &format!("{}/ws?token=garbage", self.prefix));
        assert_eq!(code, 4001);
        assert_eq!(self.sse("garbage").head.status, 401);
        let missing = http::try_get(self.front, &format!("{}/nothing/there", self.prefix)).unwrap();
        assert_eq!((missing.status, missing.error().is_empty()), (404, false));
        token
    }
}

/// The data of the next publish; presence is passed over.
fn data(ws: &mut Ws) -> Value {
    loop {
        let mut message = ws.text();
        if message["event"] == "e" {
            return message["data"].take();
        }
        assert_eq!(message["event"], "wps.presence", "{message}");
    }
}

fn stream_data(sse: &mut Sse) -> Value {
    loop {
        let mut message = sse.json();
        if message["event"] == "e" {
            return message["data"].take();
        }
        assert_eq!(message["event"], "wps.presence", "{message}");
    }
}

impl Setup {
    /// `configure` makes the web server's configuration from the two printed ones; `command` starts it in `dir`.
    fn start(server: &str, configure: fn(&Parts<'_>) -> String, command: fn(&Path) -> Command) -> Setup {
        let (path, host) = (Place::new("/relay"), Place::new(""));
        let logs = tempfile::tempdir().unwrap();
        let parts = Parts {
            dir: logs.path(),
            path_front: path.front,
            in_path: path.printed(server),
            on_host: host.printed(server),
            host_front: host.front,
        };
        std::fs::write(logs.path().join("front.conf"), configure(&parts)).unwrap();
        let output = File::create(logs.path().join("output.log")).unwrap();
        let child = command(logs.path())
            .current_dir(logs.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        let mut front = Front { child };
        for place in [&path, &host] {
            until("the web server to pass requests on", || {
                if let Ok(Some(exit)) = front.child.try_wait() {
                    panic!("{server} ended with {exit}: {}", all_logs(logs.path()));
                }
                let answer = http::try_get(place.front, &format!("{}/healthz", place.prefix)).ok()?;
                (answer.status == 200).then_some(())
            });
        }
        Setup {
            path,
            host,
            _front: front,
            logs,
        }
    }

    fn check(self) -> String {
        let tokens = [self.path.check(), self.host.check()];
        let logs = all_logs(self.logs.path());
        for token in tokens {
            // A token's middle part is its own; the head is the same for all.
            let claims = token.split('.').nth(1).unwrap();
            assert!(!logs.contains(claims), "a token is in a log:\n{logs}");
        }
        logs
    }
}

struct Parts<'a> {
    dir: &'a Path,
    path_front: SocketAddr,
    host_front: SocketAddr,
    in_path: String,
    on_host: String,
}

fn all_logs(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|ending| ending == "log") {
            all.push_str(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
        }
    }
    all
}

fn nginx() -> Setup {
    Setup::start(
        "nginx",
        |parts| {
            let dir = parts.dir.display();
            let user = if geteuid().is_root() { "user root;" } else { "" };
            let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .iter()
                .map(|kind| format!("{kind}_temp_path {dir}/{kind};\n"))
                .collect();
            format!(
                "{user} daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log info;\n\
                 events {{}}\n\
                 http {{\n{temp} access_log {dir}/access.log;\n\
                 server {{ listen {};\n location ~ \\.php$ {{ return 418; }}\n{} }}\n{} }}\n",
                parts.path_front, parts.in_path, parts.on_host
            )
        },
        |dir| {
            let mut command = Command::new(NGINX);
            command
                .arg("-e")
                .arg(dir.join("error.log"))
                .arg("-c")
                .arg(dir.join("front.conf"));
            command
        },
    )
}

fn apache() -> Setup {
    Setup::start(
        "apache",
        |parts| {
            let dir = parts.dir.display();
            let modules: String = [
                "mpm_event",
                "authz_core",
                "reqtimeout",
                "setenvif",
                "headers",
                "proxy",
                "proxy_http",
                "proxy_wstunnel",
            ]
            .iter()
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .collect();
            let user = if geteuid().is_root() {
                "User www-data\nGroup www-data\n"
            } else {
                ""
            };
            // The time-outs of Debian's own reqtimeout.conf: they must not end a socket.
            format!(
                "ServerRoot {dir}\nServerName localhost\nPidFile {dir}/apache.pid\nErrorLog {dir}/error.log\n\
                 Define APACHE_LOG_DIR {dir}\n{modules}{user}\
                 RequestReadTimeout header=20-40,minrate=500\nRequestReadTimeout body=10,minrate=500\n\
                 Listen {path_front}\nListen {host_front}\n\
                 <VirtualHost {path_front}>\n\
                 CustomLog {dir}/access.log \"%r\" env=!hookcast\n{in_path}\n</VirtualHost>\n{on_host}\n",
                path_front = parts.path_front,
                host_front = parts.host_front,
                in_path = parts.in_path,
                on_host = parts.on_host,
            )
        },
        |dir| {
            let mut command = Command::new(APACHE);
            command.arg("-DFOREGROUND").arg("-f").arg(dir.join("front.conf"));
            command
        },
    )
}

fn caddy() -> Setup {
    Setup::start(
        "caddy",
        |parts| {
            format!(
                "{{\n admin off\n auto_https off\n}}\nhttp://{front} {{\n bind {ip}\n{in_path}\n}}\n{on_host}\n",
                front = parts.path_front,
                ip = parts.path_front.ip(),
                in_path = parts.in_path,
                on_host = parts.on_host,
            )
        },
        |dir| {
            let mut command = Command::new(CADDY);
            command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(dir.join("front.conf"));
            command
                .env("HOME", dir)
                .env("XDG_DATA_HOME", dir)
                .env("XDG_CONFIG_HOME", dir);
            command
        },
    )
}

#[test]
fn nginx_passes_everything_on_and_logs_no_token() {
    if installed(NGINX) {
        nginx().check();
    }
}

#[test]
fn apache_passes_everything_on_and_logs_no_token() {
    if installed(APACHE) {
        let logs = apache().check();
        // The host of its own is logged, without the query.
        assert!(logs.contains("GET /ws HTTP/1.1"), "{logs}");
    }
}

#[test]
fn caddy_passes_everything_on_and_logs_no_token() {
    if installed(CADDY) {
        let logs = caddy().check();
        assert!(logs.contains("token=REDACTED"), "{logs}");
    }
}

/// With nothing but the relay's own pings, for longer than any web server's usual minute.
#[test]
#[ignore = "takes over a minute; `cargo xtask test` runs it"]
fn a_quiet_connection_outlives_a_minute_behind_each() {
    type Front = (&'static str, fn() -> Setup);
    let fronts: [Front; 3] = [(NGINX, nginx), (APACHE, apache), (CADDY, caddy)];
    std::thread::scope(|scope| {
        for (program, start) in fronts {
            scope.spawn(move || {
                if installed(program) {
                    let setup = start();
                    std::thread::scope(|scope| {
                        scope.spawn(|| stays_open(&setup.path));
                        scope.spawn(|| stays_open(&setup.host));
                    });
                }
            });
        }
    });
}

fn stays_open(place: &Place) {
    let token = place.token();
    let mut sse = place.sse(&token);
    let mut ws = place.ws(&token);
    ws.subscribe(&["events"]);
    // Pings are answered meanwhile, and are no frames here.
    let until = Instant::now() + Duration::from_secs(80);
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        match ws.frame_within(left) {
            Some(Frame::Text(text)) if text["event"] == "wps.presence" => {}
            Some(frame) => panic!("{frame:?} behind {}", place.front),
            None => {}
        }
    }
    assert_eq!(place.publish(r#"{"still":true}"#).status, 200);
    assert_eq!(data(&mut ws), json!({"still": true}));
    assert_eq!(stream_data(&mut sse), json!({"still": true}));
}
