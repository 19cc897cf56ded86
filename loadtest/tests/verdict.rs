//! The load test against stand-ins for the relay: a sound one passes, and each kind of broken one fails for its own reason.

mod stand_in;

use std::path::Path;
use std::process::{Command, Output};

use hookcast_load::report::Report;
use stand_in::{Fault, StandIn};

fn load(relay: &StandIn, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hookcast-load"));
    command
        .args(arguments)
        .args(["--url", &relay.url(), "--dialect", "open", "--quiet"]);
    command.args(["--warmup", "0.1", "--duration", "0.6"]);
    command.output().expect("the load test runs")
}

/// The verdict over a fan-out with this fault: the exit code, and the reasons.
fn verdict(fault: Fault, via: &str) -> (Option<i32>, Vec<String>) {
    let relay = StandIn::start(fault);
    let output = load(
        &relay,
        &["fan-out", "-n", "6", "--rate", "100", "--via", via, "--json", "-"],
    );
    let report: Report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("no report ({error}): {}", String::from_utf8_lossy(&output.stderr));
    });
    assert_eq!(output.status.code() == Some(0), report.verdict.pass);
    (output.status.code(), report.verdict.reasons)
}

fn fails_with(fault: Fault, words: &[&str]) {
    for via in ["ws", "sse"] {
        let (code, reasons) = verdict(fault, via);
        assert_eq!(code, Some(1), "{fault:?} over {via}: {reasons:?}");
        let said = reasons.join("; ");
        assert!(
            words.iter().all(|word| said.contains(word)),
            "{fault:?} over {via}: {said}"
        );
        assert_eq!(reasons.len(), words.len(), "{fault:?} over {via}: {said}");
    }
}

#[test]
fn a_sound_relay_passes() {
    for via in ["ws", "sse", "both"] {
        assert_eq!(verdict(Fault::None, via), (Some(0), Vec::new()), "over {via}");
    }
}

#[test]
fn a_dropped_message_fails() {
    fails_with(Fault::Drop, &["1 messages lost"]);
}

#[test]
fn a_duplicate_fails() {
    fails_with(Fault::Duplicate, &["1 duplicates"]);
}

/// With one member there is one publisher, so that no two messages are ever under way in no order at all.
#[test]
fn a_reordered_pair_fails() {
    for (fault, code) in [(Fault::None, 0), (Fault::Reorder, 1)] {
        let relay = StandIn::start(fault);
        let room = [
            "rooms",
            "--rooms",
            "1",
            "--members",
            "1",
            "--rate",
            "100",
            "--json",
            "-",
        ];
        let output = load(&relay, &room);
        let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(output.status.code(), Some(code));
        let said = report.verdict.reasons.join("; ");
        assert_eq!(said.contains("1 messages out of order"), code == 1, "{said}");
    }
}

#[test]
fn a_message_for_another_channel_fails() {
    fails_with(Fault::Leak, &["1 messages on a channel", "1 messages lost"]);
}

#[test]
fn a_relay_that_closes_a_subscriber_fails_with_its_code() {
    let (code, reasons) = verdict(Fault::Close, "ws");
    assert_eq!(code, Some(1));
    assert!(
        reasons
            .iter()
            .any(|reason| reason.contains("closed by the relay with 4001")),
        "{reasons:?}"
    );
}

#[test]
fn a_refused_publish_fails_and_is_no_hole() {
    let (code, reasons) = verdict(Fault::Refuse, "ws");
    assert_eq!(code, Some(1));
    assert_eq!(
        reasons,
        [
            "fan-out: 1 publishes refused",
            "1 × publish: refused with status 429"
        ]
    );
}

#[test]
fn a_storm_passes_when_everybody_got_in() {
    let relay = StandIn::start(Fault::None);
    for (connections, code) in [("20", 0), ("1000", 1)] {
        let storm = [
            "connect-storm",
            "--connections",
            connections,
            "--rate",
            "100",
            "--json",
            "-",
        ];
        let output = load(&relay, &storm);
        let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
        let said = report.verdict.reasons.join("; ");
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(said.contains("subscribers did not get in"), code == 1, "{said}");
    }
}

#[test]
fn handshakes_follow_one_another_until_the_relay_refuses_them() {
    let handshakes = ["handshakes", "--in-flight", "4", "--json", "-"];
    let relay = StandIn::start(Fault::None);
    let report: Report = serde_json::from_slice(&load(&relay, &handshakes).stdout).expect("a report");
    assert!(report.verdict.pass, "{:?}", report.verdict);
    let part = &report.parts[0];
    assert!(part.handshakes.count > 20, "{} handshakes", part.handshakes.count);
    assert!(part.opened + part.replaced >= part.handshakes.count);
    let relay = StandIn::start(Fault::Unavailable);
    let report: Report = serde_json::from_slice(&load(&relay, &handshakes).stdout).expect("a report");
    let said = report.verdict.reasons.join("; ");
    assert!(
        !report.verdict.pass && said.contains("refused with status 503"),
        "{said}"
    );
}

#[test]
fn members_of_a_room_hear_one_another() {
    let relay = StandIn::start(Fault::None);
    let output = load(
        &relay,
        &["rooms", "--rooms", "3", "--members", "4", "--rate", "200"],
    );
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let closed = load(
        &relay,
        &["rooms", "--rooms", "3", "--members", "4", "--in-flight", "1"],
    );
    assert_eq!(
        closed.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&closed.stdout)
    );
}

#[test]
fn workers_share_a_run_and_find_what_each_alone_cannot() {
    for (fault, code) in [(Fault::None, 0), (Fault::DropLast, 1)] {
        let relay = StandIn::start(fault);
        let output = load(
            &relay,
            &[
                "fan-out",
                "-n",
                "6",
                "--rate",
                "100",
                "--workers",
                "2",
                "--json",
                "-",
            ],
        );
        let report: Report = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(
            output.status.code(),
            Some(code),
            "{fault:?}: {:?}",
            report.verdict
        );
        assert_eq!(report.parts[0].subscribers, 6);
        assert_eq!(report.parts[0].opened, 6);
    }
}

#[test]
fn the_page_shows_the_verdict_and_charts_and_needs_nothing_from_elsewhere() {
    let directory = tempfile::tempdir().expect("a directory");
    let page = directory.path().join("report.html");
    let relay = StandIn::start(Fault::Duplicate);
    let path = page.to_str().expect("a plain path");
    load(&relay, &["fan-out", "-n", "6", "--rate", "100", "--html", path]);
    let text = std::fs::read_to_string(Path::new(&page)).expect("a page");
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>"));
    assert!(text.contains("FAIL") && text.contains("1 duplicates"));
    assert!(
        text.matches("<svg").count() >= 5 && text.matches("<svg").count() == text.matches("</svg>").count()
    );
    assert!(
        ["NaN", "inf", "http://www", "src=", "@import"]
            .iter()
            .all(|word| !text.contains(word))
    );
}

#[test]
fn nobody_there_is_an_answer_too() {
    let output = Command::new(env!("CARGO_BIN_EXE_hookcast-load"))
        .args([
            "fan-out",
            "-n",
            "2",
            "--url",
            "http://127.0.0.1:1",
            "--dialect",
            "open",
            "--quiet",
        ])
        .args(["--duration", "0.1", "--warmup", "0"])
        .output()
        .expect("the load test runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Connection refused"));
}

#[test]
fn missing_credentials_are_told_before_anything_is_sent() {
    let output = Command::new(env!("CARGO_BIN_EXE_hookcast-load"))
        .args(["fan-out"])
        .env_clear()
        .output()
        .expect("the load test runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hookcast site add"));
}
