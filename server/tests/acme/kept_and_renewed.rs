//! A certificate outlives the process, and is renewed in its last third while connections stay.

use crate::{Case, NAME, serial};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;
use testkit::{relay::free_address, until};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_restart_takes_what_is_stored_and_asks_nobody() {
    let mut case = Case::new().start();
    let before = serial(&case.connect());
    assert!(case.relay.stop().success());
    let asked = case.acme.asked();
    case.acme.be_down();
    case.relay.start_again();
    let client = case.acme.client(NAME);
    let stream = client
        .connect(case.address)
        .expect("TLS from the first moment on");
    assert_eq!(serial(&stream), before);
    assert_eq!(case.acme.asked(), asked, "nobody was asked");
}

#[test]
fn another_name_in_the_settings_is_ordered_while_the_stored_certificate_serves() {
    let mut case = Case::new().start();
    drop(case.connect());
    assert!(case.relay.stop().success());
    let more = std::fs::read_to_string(case.relay.directory().join("hookcast.toml")).expect("the settings");
    let more = more.replace(&format!("[\"{NAME}\"]"), &format!("[\"{NAME}\", \"www.{NAME}\"]"));
    case.relay.rewrite_config(&more);
    case.acme.take_time();
    case.relay.start_again();
    drop(
        case.acme
            .client(NAME)
            .connect(case.address)
            .expect("the stored one"),
    );
    case.acme.relent();
    drop(case.connect_as(&format!("www.{NAME}")));
    assert_eq!(case.acme.asked().accounts, 1, "the account is the same");
}

#[test]
fn a_certificate_in_its_last_third_is_renewed_and_connections_stay() {
    let case = Case::new();
    case.acme.issue_with(70 * DAY, 20 * DAY);
    case.acme.take_time();
    let case = case.start();
    until("the authority to look", || {
        (case.acme.asked().looks == 1).then_some(())
    });
    case.acme.relent();
    case.acme.wait_for_certificates(1);
    // The next one is fresh, and takes a moment.
    case.acme.take_time();
    case.acme.issue_with(Duration::from_secs(60), 90 * DAY);
    let old = serial(&case.connect());
    let site = case.relay.add_site("https://one.example");
    let mut socket = case.ws(&site);
    socket.subscribe(&["events"]);
    case.acme.relent();
    case.acme.wait_for_certificates(2);
    until("the new certificate", || {
        (serial(&case.connect()) != old).then_some(())
    });
    case.relay.published(&site, "events", "e", "1");
    socket.expect_message("events", "e", &json!(1));
    // And from here on there is nothing to order.
    assert_eq!(case.metric("hookcast_certificate_replacements_total"), 2);
    assert_eq!(case.acme.asked().orders, 2);
}

#[test]
fn an_authority_that_wants_a_renewal_is_heard() {
    let case = Case::new().start();
    let old = serial(&case.connect());
    case.acme.want_renewal(true);
    // A reload asks at once; otherwise some hours pass.
    case.relay.signal(Signal::HUP);
    until("the new certificate", || {
        (serial(&case.connect()) != old).then_some(())
    });
    case.wait_for_log("the authority wants the TLS certificate renewed earlier");
}

#[test]
fn a_damaged_certificate_is_replaced_by_a_new_one() {
    let mut case = Case::new().start();
    drop(case.connect());
    assert!(case.relay.stop().success());
    let acme = case.relay.data_dir().join("acme");
    let own = std::fs::read_dir(&acme)
        .expect("a directory")
        .find_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_dir()))
        .expect("the authority's directory");
    std::fs::write(own.join("certificate.pem"), "cut off").expect("damaged");
    case.relay.start_again();
    drop(case.connect());
    assert_eq!(case.acme.asked().certificates, 2);
    case.wait_for_log("the stored TLS certificate is of no use");
}

#[test]
fn an_account_that_the_authority_forgot_is_made_anew() {
    let mut case = Case::new().start();
    drop(case.connect());
    assert!(case.relay.stop().success());
    case.acme.reset();
    let settings =
        std::fs::read_to_string(case.relay.directory().join("hookcast.toml")).expect("the settings");
    case.relay.rewrite_config(&settings.replace(NAME, "new.example"));
    case.relay.start_again();
    drop(case.connect_as("new.example"));
    assert_eq!(case.acme.asked().accounts, 2);
}

#[test]
fn each_authority_has_a_certificate_of_its_own() {
    let mut case = Case::new().start();
    drop(case.connect());
    assert!(case.relay.stop().success());
    let settings =
        std::fs::read_to_string(case.relay.directory().join("hookcast.toml")).expect("the settings");
    // As from staging to production: what the first one issued is not to be used any more.
    let nobody = format!("https://{}/directory", free_address());
    case.relay
        .rewrite_config(&settings.replace(&case.acme.url(), &nobody));
    case.relay.start_again();
    case.wait_for_log("acme_unreachable");
    assert!(case.acme.client(NAME).connect(case.address).is_err());
}
