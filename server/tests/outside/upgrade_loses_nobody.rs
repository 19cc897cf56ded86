//! An upgrade: another process takes over while clients follow and publishes go on. Nobody is refused, nothing is missed, and
//! nothing comes twice.

use crate::following_crowd::{Crowd, Gaps, Publishes, size};
use crate::{options, with_site};
use rustix::process::Signal;
use serde_json::json;
use std::path::Path;
use testkit::{Options, Process, Relay, until};

const ROOMY: &str = "server.drain_ms = 1500\nrecovery.messages_max = 100000\nlimits.publishes_per_second = 0\n\
                     limits.connections_per_site_max = 0";

fn ended(old: &mut Process) {
    let status = until("the old process to end", || old.try_wait().expect("its state"));
    assert_eq!(status.code(), Some(0), "the old process");
}

#[test]
fn a_crowd_is_handed_over_twice_and_misses_nothing() {
    let (mut relay, site) = with_site(options().config(ROOMY));
    let crowd = Crowd::new(relay.address(), &site, Gaps::Never);
    std::thread::scope(|scope| {
        crowd.gather(scope, Publishes::Succeed);
        for _ in 0..2 {
            crowd.let_pass(10);
            let mut old = relay.upgrade();
            ended(&mut old);
        }
        crowd.let_pass(10);
        crowd.end();
    });
    assert_eq!(crowd.returns(), 2 * size(), "everyone was sent away once by each");
    assert!(relay.stop().success());
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Another build: this one under another version of the same length.
fn next_version() -> String {
    let (front, last) = VERSION.split_at(VERSION.len() - 1);
    let digit = last.parse::<u8>().expect("a version ends in a digit");
    format!("{front}{}", (digit + 1) % 10)
}

/// Puts a build that calls itself `version` in the place of whatever is there, as a package does.
fn install(at: &Path, version: &str) {
    let mut build = std::fs::read(env!("CARGO_BIN_EXE_hookcast")).expect("the binary");
    let mut from = 0;
    while let Some(found) = build[from..]
        .windows(VERSION.len())
        .position(|bytes| bytes == VERSION.as_bytes())
    {
        from += found;
        build[from..from + VERSION.len()].copy_from_slice(version.as_bytes());
        from += VERSION.len();
    }
    let new = at.with_extension("new");
    std::fs::write(&new, build).expect("a file");
    let mode = std::fs::metadata(env!("CARGO_BIN_EXE_hookcast"))
        .expect("the binary")
        .permissions();
    std::fs::set_permissions(&new, mode).expect("it runs");
    std::fs::rename(new, at).expect("its place");
}

/// The version that serves, by its own account.
fn serving(relay: &Relay) -> String {
    let headers = [("Authorization", "Bearer metrics-token")];
    let metrics = relay.request("GET", "/metrics", &headers, b"").text();
    let told = metrics
        .split("version=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    told.unwrap_or_else(|| panic!("no version in {metrics}"))
        .to_owned()
}

#[test]
fn a_crowd_is_handed_over_to_another_build_and_misses_nothing() {
    let place = tempfile::tempdir().expect("a directory");
    let binary = place.path().join("hookcast");
    install(&binary, VERSION);
    let options = Options::new(&binary)
        .config(ROOMY)
        .config("metrics.token = \"metrics-token\"");
    let (mut relay, site) = with_site(options);
    assert_eq!(serving(&relay), VERSION);
    let crowd = Crowd::new(relay.address(), &site, Gaps::Never);
    std::thread::scope(|scope| {
        crowd.gather(scope, Publishes::Succeed);
        crowd.let_pass(10);
        install(&binary, &next_version());
        ended(&mut relay.upgrade());
        crowd.let_pass(10);
        crowd.end();
    });
    assert_eq!(crowd.returns(), size(), "everyone was sent away once");
    eprintln!("{} clients got each of {} messages", size(), crowd.published());
    assert_eq!(serving(&relay), next_version());
    assert!(relay.stop().success());
}

#[test]
fn an_activated_relay_hands_over_too() {
    let (mut relay, site) = with_site(options().config(ROOMY).activated());
    let mut socket = relay.ws_with_ids(&site.token().v1());
    socket.subscribe(&["a"]);
    relay.published(&site, "a", "n", "1");
    let id = socket.text()["id"].clone();
    let mut old = relay.upgrade();
    relay.published(&site, "a", "n", "2");
    socket.expect_message("a", "n", &json!(2));
    assert_eq!(socket.closed().0, 1012);
    ended(&mut old);
    let mut socket = relay.ws_with_ids(&site.token().v1());
    socket.send(&json!({"type": "subscribe", "channels": ["a"], "since": {"a": id}}));
    assert_eq!(socket.text()["type"], "subscribed");
    socket.expect_message("a", "n", &json!(2));
    assert!(relay.stop().success());
}

#[test]
fn what_the_old_process_is_told_is_delivered_everywhere() {
    let (mut relay, site) = with_site(options().config("server.drain_ms = 20000"));
    let token = site.token().v1();
    let mut before = relay.ws(&token);
    before.subscribe(&["a"]);
    let mut old = relay.upgrade();
    let mut after = relay.ws(&token);
    after.subscribe(&["a"]);
    before.publish("a", "from-the-old", json!(1));
    after.expect_message("a", "from-the-old", &json!(1));
    before.expect_message("a", "from-the-old", &json!(1));
    after.publish("a", "from-the-new", json!(2));
    before.expect_message("a", "from-the-new", &json!(2));
    after.expect_message("a", "from-the-new", &json!(2));
    let frame = before.send_binary("a", b"\x01\x02");
    assert_eq!(after.frame(), testkit::Frame::Binary(frame.clone()));
    assert_eq!(before.frame(), testkit::Frame::Binary(frame));
    old.signal(Signal::TERM);
    old.signal(Signal::TERM);
    until("the old process to end", || old.try_wait().expect("its state"));
    assert_eq!(relay.get("/readyz").status, 200);
}

#[test]
fn a_request_that_was_seen_before_the_upgrade_is_a_duplicate_after_it() {
    let (mut relay, site) = with_site(options().config("server.drain_ms = 100"));
    let body = testkit::site::body("a", "e", "1");
    let headers = site.signed_headers(body.as_bytes());
    let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let first = relay.request("POST", "/publish", &headers, body.as_bytes());
    assert_eq!(first.json(), json!({"ok": true}));
    ended(&mut relay.upgrade());
    let again = relay.request("POST", "/publish", &headers, body.as_bytes());
    assert_eq!(again.json(), json!({"ok": true, "duplicate": true}));
}

#[test]
fn the_command_says_who_took_over() {
    let (mut relay, _site) = with_site(options().config("server.drain_ms = 100"));
    let before = relay.pid();
    let mut said = String::new();
    let mut old = relay.upgrade_by(|relay| {
        let output = relay.cli_output(&["upgrade"]);
        assert!(output.status.success(), "{output:?}");
        said = String::from_utf8(output.stdout).expect("text");
    });
    let expected = format!("process {} has taken over from process {before}\n", relay.pid());
    assert_eq!(said, expected);
    ended(&mut old);
    assert!(relay.stop().success());
    let without = relay.cli_output(&["upgrade"]);
    assert_eq!(without.status.code(), Some(1), "no relay runs");
}

#[test]
fn a_new_process_that_cannot_start_changes_nothing() {
    let (relay, site) = with_site(options());
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["a"]);
    let settings = relay.directory().join("hookcast.toml");
    std::fs::write(&settings, "server.no_such_setting = 1\n").expect("the settings");
    relay.signal(Signal::USR2);
    until("the relay to say that it was not upgraded", || {
        relay
            .log()
            .contains("not upgraded, and serving as before")
            .then_some(())
    });
    assert!(relay.log().contains("no_such_setting"), "and why");
    // The command says the same, without waiting for what will not come.
    let asked = relay.cli_output(&["upgrade"]);
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(
        said.contains("still serves") && said.contains("no_such_setting"),
        "{said}"
    );
    relay.published(&site, "a", "n", "1");
    socket.expect_message("a", "n", &json!(1));
}
