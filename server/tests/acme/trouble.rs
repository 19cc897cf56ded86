//! What goes wrong is said with a code, a reason and a remedy, and the relay serves what it can meanwhile.

use crate::{Case, NAME};
use rustix::process::Signal;
use testkit::{Options, relay::free_address, until};

#[test]
fn an_authority_that_is_down_costs_nothing_but_the_certificate() {
    let case = Case::new();
    case.acme.be_down();
    let case = case.start();
    case.wait_for_log("acme_unexpected");
    assert!(case.relay.log().contains("502"), "{}", case.relay.log());
    assert!(case.relay.log().contains("https and wss are refused"));
    assert_eq!(case.metric("hookcast_certificate_expires_seconds"), 0);
    let site = case.relay.add_site("https://one.example");
    let mut socket = case.relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    case.relay.published(&site, "events", "e", "1");
    socket.expect_message("events", "e", &serde_json::json!(1));
    // It is asked again and again, more and more seldom.
    until("another failure", || {
        (case.metric("hookcast_certificate_failures_total") >= 2).then_some(())
    });
    let settings = case.relay.directory().join("hookcast.toml");
    let doctor = case
        .relay
        .cli_output(&["doctor", "--config", settings.to_str().expect("UTF-8")]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let own = said.lines().find(|line| line.contains("own_certificate"));
    assert!(own.is_some_and(|line| line.starts_with("failed")), "{said}");
    case.acme.relent();
    drop(case.connect());
}

#[test]
fn an_authority_that_cannot_be_reached_is_named() {
    let mut case = Case::new();
    case.lines = format!("tls.acme_domains = [\"{NAME}\"]\n");
    let nobody = free_address();
    let relay = Options::new(env!("CARGO_BIN_EXE_hookcast"))
        .environment("SSL_CERT_FILE", case.acme.pem_file().to_str().expect("UTF-8"))
        .config(&format!(
            "tls.listen = [\"{}\"]\ntls.acme_terms_agreed = true\ntls.acme_directory = \"https://{nobody}/directory\"\n{}",
            case.address, case.lines
        ))
        .start();
    until("the failure", || {
        relay.log().contains("acme_unreachable").then_some(())
    });
    assert!(relay.log().contains("Connection refused"), "{}", relay.log());
}

#[test]
fn a_name_that_leads_elsewhere_is_told_with_what_the_authority_saw() {
    for (challenge, port) in [("tls-alpn-01", "port 443"), ("http-01", "port 80")] {
        let case = Case::new().with(&format!("tls.acme_challenge = \"{challenge}\""));
        // Somebody else's machine.
        let nobody = free_address();
        case.acme.names_lead_to(Some(nobody), Some(nobody));
        let case = case.start();
        case.wait_for_log("acme_challenge_failed");
        let log = case.relay.log();
        let line = log
            .lines()
            .find(|line| line.contains("acme_challenge_failed"))
            .expect("a line");
        for part in [NAME, "Connection refused", port, "DNS"] {
            assert!(line.contains(part), "no {part} in {line}");
        }
    }
}

#[test]
fn a_wrong_answer_is_told_and_the_next_order_may_succeed() {
    let case = Case::new();
    case.acme.disbelieve();
    let case = case.start();
    case.wait_for_log("acmeIdentifier of another authorization");
    case.acme.relent();
    drop(case.connect());
}

#[test]
fn a_limited_rate_is_waited_out_unless_somebody_asks_for_more() {
    let case = Case::new();
    case.acme.limit_rates(3600);
    let mut case = case.start();
    case.wait_for_log("acme_rate_limited");
    let told = case.relay.log();
    let line = told
        .lines()
        .find(|line| line.contains("acme_rate_limited"))
        .expect("a line");
    assert!(line.contains("again_in_s=3600"), "{line}");
    assert!(line.contains("staging"), "{line}");
    case.acme.relent();
    // An hour is not over, not even for a relay that was started anew: the operator's reload is what asks again.
    assert!(case.relay.stop().success());
    case.relay.start_again();
    case.wait_for_log("the last order of a certificate failed");
    assert_eq!(case.acme.asked().orders, 1);
    case.relay.signal(Signal::HUP);
    drop(case.connect());
    assert_eq!(case.acme.asked().orders, 2);
}

#[test]
fn a_name_that_the_authority_does_not_serve_is_told() {
    let case = Case::new().with("tls.acme_domains = [\"relay.invalid\"]").start();
    case.wait_for_log("acme_name_rejected");
    assert!(case.relay.log().contains("tls.acme_domains"));
}
