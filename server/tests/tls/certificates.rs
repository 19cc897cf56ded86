//! The certificate: refused at the start if it is broken, read again when it changes, kept when the new one is broken.

use crate::{Files, NAME, options, replace, self_signed, start, start_with};
use rustix::process::Signal;
use serde_json::json;
use std::process::Command;
use testkit::relay::free_address;
use testkit::{TlsClient, until};

#[test]
fn a_renewed_certificate_is_taken_up_under_open_connections() {
    let mut tls = start();
    let mut before = tls.ws(&tls.site.token().v1());
    before.subscribe(&["events"]);
    let old = tls.files.client();
    tls.files.renew();
    let client = tls.files.client();
    until("the new certificate", || client.connect(tls.address).ok());
    // One that has never been here: a session from before would be resumed without a look at the certificate.
    assert!(
        old.connect(tls.address).is_err(),
        "the old one is gone for new connections"
    );
    let mut after = tls.ws_as(&client, &tls.site.token().v1());
    after.subscribe(&["events"]);
    tls.relay.published(&tls.site, "events", "e", "1");
    before.expect_message("events", "e", &json!(1));
    after.expect_message("events", "e", &json!(1));
}

#[test]
fn sighup_reads_the_certificate_at_once() {
    let files = Files::new();
    let address = free_address();
    let config = files.config(address).replace("= 50", "= 3600000");
    let relay = options().config(&config).start();
    let (pem, key) = self_signed();
    replace(&files.chain(), &pem);
    replace(&files.key(), &key);
    relay.signal(Signal::HUP);
    let client = TlsClient::trusting(&pem, NAME);
    until("the new certificate", || client.connect(address).ok());
}

#[test]
fn a_broken_new_certificate_leaves_the_old_one_in_use_and_is_reported() {
    let mut tls = start_with("metrics.token = \"metrics-token\"");
    let (_, other_key) = self_signed();
    let good_key = std::fs::read_to_string(tls.files.key()).expect("the key");
    for broken in [other_key.as_str(), "not a key at all", ""] {
        let failures = tls.metric("hookcast_certificate_failures_total");
        replace(&tls.files.key(), broken);
        until("the failure to be counted", || {
            (tls.metric("hookcast_certificate_failures_total") > failures).then_some(())
        });
        tls.client.connect(tls.address).expect("the old certificate");
    }
    assert!(
        tls.relay.log().contains("the TLS certificate stays as it was"),
        "{}",
        tls.relay.log()
    );
    assert!(
        !tls.relay.log().contains(good_key.lines().nth(1).expect("base64")),
        "a key in the log"
    );
    // And from there to a good one.
    tls.files.renew();
    let client = tls.files.client();
    until("the good certificate", || client.connect(tls.address).ok());
}

#[test]
fn an_expired_certificate_is_served_with_a_warning_and_its_end_is_in_the_metrics() {
    let files = Files::new();
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new([NAME.to_owned()]).expect("parameters");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 3, 31);
    replace(
        &files.chain(),
        &params.self_signed(&key).expect("a certificate").pem(),
    );
    replace(&files.key(), &key.serialize_pem());
    let address = free_address();
    let relay = options()
        .config(&files.config(address))
        .config("metrics.token = \"metrics-token\"")
        .start();
    assert!(
        relay.log().contains("the TLS certificate expired"),
        "{}",
        relay.log()
    );
    let answer = relay.request(
        "GET",
        "/metrics",
        &[("Authorization", "Bearer metrics-token")],
        b"",
    );
    // 2020-03-31
    assert_eq!(
        crate::metric(&answer.text(), "hookcast_certificate_expires_seconds"),
        1_585_612_800
    );
}

#[test]
fn a_start_without_a_usable_certificate_is_refused_and_says_why() {
    let files = Files::new();
    let (_, other_key) = self_signed();
    let chain = std::fs::read_to_string(files.chain()).expect("the chain");
    let key = std::fs::read_to_string(files.key()).expect("the key");
    let cases: [(&str, Option<&str>, &str); 5] = [
        (&chain, Some(&other_key), "does not belong to the certificate"),
        (&chain, None, "which is not there"),
        ("rubbish", Some(&key), "holds no certificate"),
        (&chain, Some("rubbish"), "holds no private key"),
        ("", Some(&key), "holds no certificate"),
    ];
    for (chain, key, why) in cases {
        replace(&files.chain(), chain);
        match key {
            Some(key) => replace(&files.key(), key),
            None => std::fs::remove_file(files.key()).expect("the key was there"),
        }
        let error = refused_start(&files, &files.config(free_address()));
        assert!(error.contains(why), "expected {why:?} in {error}");
        assert!(error.contains("tls."), "the setting is not named in {error}");
    }
    for (config, why) in [
        (format!("tls.listen = [\"{}\"]", free_address()), "no certificate"),
        (format!("tls.certificate = {:?}", files.chain()), "go together"),
        (
            format!("tls.certificate = {0:?}\ntls.key = {0:?}", files.chain()),
            "`tls.listen` is empty",
        ),
    ] {
        let error = refused_start(&files, &config);
        assert!(error.contains(why), "expected {why:?} in {error}");
    }
}

/// What a start with these settings says when it fails, as it must.
fn refused_start(files: &Files, config: &str) -> String {
    let file = files.directory.path().join("hookcast.toml");
    std::fs::write(&file, config).expect("a configuration file");
    let output = Command::new(env!("CARGO_BIN_EXE_hookcast"))
        .args(["serve", "--listen", &free_address().to_string(), "--config"])
        .arg(&file)
        .arg("--data-dir")
        .arg(files.directory.path().join("data"))
        .output()
        .expect("the relay runs");
    assert!(!output.status.success(), "it started");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
