//! What the packages run once a new binary is in place: the relay goes on as it, and says what was done.

use crate::{options, with_site};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::{Relay, until};

/// Runs the packages' script beside a service manager that only takes notes; answers what both said.
fn hand_over(relay: &Relay, binary: &str) -> (String, String) {
    let directory = relay.directory();
    let (notes, path) = (directory.join("notes"), directory.join("bin"));
    std::fs::create_dir_all(&path).expect("a directory");
    let manager = path.join("systemctl");
    std::fs::write(
        &manager,
        format!("#!/bin/sh\necho \"$*\" >>{}\n", notes.display()),
    )
    .expect("a script");
    std::fs::set_permissions(&manager, std::fs::Permissions::from_mode(0o755)).expect("it runs");
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd/hand-over");
    let output = Command::new("sh")
        .arg(script)
        .arg(binary)
        .arg(directory.join("hookcast.toml"))
        .env("PATH", format!("{}:/usr/bin:/bin", path.display()))
        .output()
        .expect("the script runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let noted = std::fs::read_to_string(&notes).expect("the service manager was asked");
    std::fs::remove_file(&notes).expect("its notes");
    (said, noted)
}

fn settings(relay: &Relay) -> String {
    format!(
        "server.data_dir = {:?}\nserver.drain_ms = 100\n",
        relay.data_dir()
    )
}

#[test]
fn a_running_relay_is_handed_over_and_not_restarted() {
    let (mut relay, site) = with_site(options());
    relay.rewrite_config(&settings(&relay));
    let mut said = String::new();
    let mut old = relay.upgrade_by(|relay| {
        let (output, noted) = hand_over(relay, env!("CARGO_BIN_EXE_hookcast"));
        assert!(!noted.contains("restart"), "{noted}");
        said = output;
    });
    assert!(
        said.contains("handed over to the new version without a restart"),
        "{said}"
    );
    assert!(
        said.contains(&format!("process {} has taken over", relay.pid())),
        "{said}"
    );
    until("the old process to end", || old.try_wait().expect("its state"));
    relay.published(&site, "a", "e", "1");
}

#[test]
fn settings_that_the_new_version_refuses_leave_the_old_one_serving() {
    let (relay, site) = with_site(options());
    relay.rewrite_config(&format!("{}server.no_such_setting = 1\n", settings(&relay)));
    let (said, noted) = hand_over(&relay, env!("CARGO_BIN_EXE_hookcast"));
    assert!(
        said.contains("the old one goes on serving") && said.contains("no_such_setting"),
        "{said}"
    );
    assert!(!noted.contains("restart"), "{noted}");
    relay.published(&site, "a", "e", "1");
}

#[test]
fn a_relay_that_cannot_be_handed_over_is_restarted() {
    let (mut relay, _site) = with_site(options());
    relay.rewrite_config(&settings(&relay));
    // The service manager thinks that it runs.
    relay.kill();
    let (said, noted) = hand_over(&relay, env!("CARGO_BIN_EXE_hookcast"));
    assert!(said.contains("so it is restarted"), "{said}");
    assert!(
        noted.lines().any(|line| line == "restart hookcast.service"),
        "{noted}"
    );
}
