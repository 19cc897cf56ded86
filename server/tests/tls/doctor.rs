//! The doctor looks at the certificate that the relay shows.

use crate::{Files, NAME, options, replace};
use serde_json::Value;
use testkit::Relay;
use testkit::relay::free_address;

/// What the doctor finds about the relay's own certificate: how it is, and in which words.
fn finding(relay: &Relay) -> (String, String) {
    let settings = relay.directory().join("hookcast.toml");
    let output = relay.cli_output(&["doctor", "--json", "--config", settings.to_str().expect("UTF-8")]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let checks = report["checks"].as_array().expect("checks");
    let own = checks.iter().find(|check| check["id"] == "own_certificate");
    let own = own.unwrap_or_else(|| panic!("nothing about it in {report}"));
    assert_eq!(own["status"] == "ok", own["remedy"].is_null(), "{own}");
    let text = |name: &str| own[name].as_str().expect("text").to_owned();
    (text("status"), text("finding"))
}

fn start(files: &Files, public_url: &str) -> Relay {
    let lines = files.config(free_address());
    let public_url = format!("server.public_url = {public_url:?}");
    options().config(&lines).config(&public_url).start()
}

#[test]
fn a_certificate_that_fits_and_holds_is_well() {
    let relay = start(&Files::new(), &format!("https://{NAME}"));
    let (status, finding) = finding(&relay);
    assert_eq!(status, "ok", "{finding}");
}

#[test]
fn one_for_another_name_is_a_warning() {
    let relay = start(&Files::new(), "https://elsewhere.example");
    let (status, finding) = finding(&relay);
    assert_eq!(status, "warning", "{finding}");
    assert!(
        finding.contains(NAME) && finding.contains("elsewhere.example"),
        "{finding}"
    );
}

#[test]
fn one_that_has_ended_is_a_failure() {
    let files = Files::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new([NAME.to_owned()]).expect("parameters");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 3, 31);
    let certificate = params.self_signed(&key).expect("a certificate");
    replace(&files.chain(), &certificate.pem());
    replace(&files.key(), &key.serialize_pem());
    let (status, finding) = finding(&start(&files, &format!("https://{NAME}")));
    assert_eq!(status, "failed", "{finding}");
    assert!(finding.contains("expired"), "{finding}");
}
