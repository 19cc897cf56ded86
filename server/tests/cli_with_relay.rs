//! The command line beside a running relay.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use testkit::{Options, Relay, Site, Ws, until};

const SHOP: &str = "https://shop.example";

fn relay() -> Relay {
    Options::new(env!("CARGO_BIN_EXE_hookcast"))
        .config("server.drain_ms = 0")
        .start()
}

fn publish(relay: &Relay, data: &str) -> (Option<i32>, Value) {
    let url = relay.url();
    let args = [
        "publish",
        "--site",
        SHOP,
        "--channel",
        "events",
        "--event",
        "hello",
        "--data",
        data,
        "--url",
        &url,
    ];
    let output = relay.cli_output(&[&args[..], &["--json"]].concat());
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

/// `hookcast listen`, with what it prints.
struct Listen {
    child: Child,
    messages: BufReader<std::process::ChildStdout>,
    notes: BufReader<std::process::ChildStderr>,
}

impl Listen {
    fn start(relay: &Relay, more: &[&str]) -> Listen {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hookcast"))
            .args([
                "listen",
                "--site",
                SHOP,
                "--channels",
                "events",
                "--json",
                "--url",
                &relay.url(),
            ])
            .args(more)
            .arg("--data-dir")
            .arg(relay.data_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let messages = BufReader::new(child.stdout.take().unwrap());
        let notes = BufReader::new(child.stderr.take().unwrap());
        let mut listen = Listen {
            child,
            messages,
            notes,
        };
        listen.note("listening on");
        listen
    }

    /// Reads its notes up to one that contains `part`.
    fn note(&mut self, part: &str) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.notes.read_line(&mut line).unwrap() > 0,
                "it ended without saying `{part}`"
            );
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The data of the next message.
    fn data(&mut self) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(
                self.messages.read_line(&mut line).unwrap() > 0,
                "it ended without a message"
            );
            let mut message: Value = serde_json::from_str(&line).unwrap();
            if message["event"] == "hello" {
                return message["data"].take();
            }
        }
    }

    fn exit_code(mut self) -> Option<i32> {
        until("the listener to end", || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn hears_and_ends(transport: &[&str]) {
    let relay = relay();
    relay.cli(&["site", "add", "--url", SHOP]);
    let mut listen = Listen::start(&relay, &[transport, &["--count", "2"]].concat());
    assert_eq!(
        publish(&relay, r#"{"n": 1}"#),
        (Some(0), json!({"status": 200, "body": {"ok": true}}))
    );
    assert_eq!(publish(&relay, r#""ü""#).0, Some(0));
    assert_eq!((listen.data(), listen.data()), (json!({"n": 1}), json!("ü")));
    assert_eq!(listen.exit_code(), Some(0));
}

#[test]
fn listen_prints_what_publish_sends() {
    hears_and_ends(&[]);
}

#[test]
fn listen_prints_what_publish_sends_over_a_stream() {
    hears_and_ends(&["--sse"]);
}

fn comes_back(transport: &[&str]) {
    let mut relay = relay();
    relay.cli(&["site", "add", "--url", SHOP]);
    let mut listen = Listen::start(&relay, transport);
    assert_eq!(publish(&relay, "1").0, Some(0));
    assert_eq!(listen.data(), 1);
    assert!(relay.stop().success());
    relay.start_again();
    listen.note("listening on");
    assert_eq!(publish(&relay, "2").0, Some(0));
    assert_eq!(listen.data(), 2);
}

#[test]
fn listen_comes_back_after_a_restart() {
    comes_back(&[]);
}

#[test]
fn listen_comes_back_after_a_restart_over_a_stream() {
    comes_back(&["--sse"]);
}

/// Its token lasts two seconds: it must have sent fresh ones to hear anything after them and their grace.
#[test]
fn listen_renews_its_token_in_place() {
    let options = Options::new(env!("CARGO_BIN_EXE_hookcast"));
    let relay = options
        .config("session.token_grace_ms = 0\nsession.clock_leeway_ms = 0")
        .start();
    relay.cli(&["site", "add", "--url", SHOP]);
    let mut listen = Listen::start(&relay, &["--ttl", "2"]);
    let started = std::time::Instant::now();
    for n in 0.. {
        assert_eq!(publish(&relay, &n.to_string()).0, Some(0));
        assert_eq!(listen.data(), n);
        if started.elapsed().as_secs() >= 5 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn archiving_a_site_ends_its_listener_with_the_reason() {
    let relay = relay();
    relay.cli(&["site", "add", "--url", SHOP]);
    let mut listen = Listen::start(&relay, &[]);
    relay.cli(&["site", "archive", SHOP]);
    listen.note("4003");
    assert_eq!(listen.exit_code(), Some(1));
    let (code, answer) = publish(&relay, "1");
    assert_eq!(
        (code, &answer["body"]["error"]),
        (Some(1), &json!("unknown_site_key"))
    );
    relay.cli(&["site", "restore", SHOP]);
    assert_eq!(publish(&relay, "1").0, Some(0));
}

#[test]
fn rotated_secrets_overlap_in_the_running_relay() {
    let relay = relay();
    let old = Site::from_json(&relay.cli(&["site", "add", "--url", SHOP]));
    let new = Site::from_json(&relay.cli(&["site", "rotate", SHOP, "--overlap", "1h"]));
    for site in [&old, &new] {
        assert_eq!(relay.publish(site, "events", "hello", "1").status, 200);
        Ws::open(relay.address(), &format!("/ws?token={}", site.token().sign())).subscribe(&["events"]);
    }
    let last = Site::from_json(&relay.cli(&["site", "rotate", SHOP, "--overlap", "0s"]));
    for site in [&old, &new] {
        assert_eq!(
            relay.publish(site, "events", "hello", "1").error(),
            "invalid_signature"
        );
    }
    assert_eq!(relay.publish(&last, "events", "hello", "1").status, 200);
}

#[test]
fn a_token_for_a_user_connects() {
    let relay = relay();
    relay.cli(&["site", "add", "--url", SHOP]);
    for more in [&["--v1"][..], &["--publish", "events"]] {
        let minted = relay.cli(&[&["token", "mint", "--site", SHOP, "--user", "7"][..], more].concat());
        let mut ws = Ws::open(
            relay.address(),
            &format!("/ws?token={}", minted["token"].as_str().unwrap()),
        );
        ws.subscribe(&["events"]);
    }
}

#[test]
fn a_server_keeps_its_directory_for_itself() {
    let relay = relay();
    relay.cli(&["site", "add", "--url", SHOP]);
    let copy = relay.directory().join("copy.db");
    let copy = copy.to_str().unwrap();
    relay.cli(&["backup", copy]);
    for args in [&["restore", copy][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = relay.cli_output(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(why.contains("is using"), "{why}");
    }
}

#[test]
fn a_relay_that_is_not_there_is_named() {
    let mut relay = relay();
    relay.cli(&["site", "add", "--url", SHOP]);
    relay.stop();
    let url = relay.url();
    let output = relay.cli_output(&[
        "publish",
        "--site",
        SHOP,
        "--channel",
        "c",
        "--event",
        "e",
        "--url",
        &url,
    ]);
    assert_eq!(output.status.code(), Some(1));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        why.contains("is the relay running there") && why.contains(&relay.address().to_string()),
        "{why}"
    );
}
