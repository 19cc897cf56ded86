//! A relay that starts without a certificate has one soon, by either challenge, and keeps it to itself.

use crate::{Case, NAME};
use serde_json::json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use testkit::relay::free_address;
use testkit::{TlsClient, http, until};

#[test]
fn tls_alpn_01_gives_a_certificate_that_sockets_use() {
    let case = Case::new().with("tls.acme_email = \"ops@relay.example\"").start();
    case.acme.wait_for_certificates(1);
    let site = case.relay.add_site("https://one.example");
    let mut socket = case.ws(&site);
    socket.subscribe(&["events"]);
    case.relay.published(&site, "events", "e", "1");
    socket.expect_message("events", "e", &json!(1));
    assert_eq!(case.acme.contacts(), ["mailto:ops@relay.example"]);
    let asked = case.acme.asked();
    assert_eq!(
        (asked.accounts, asked.orders, asked.looks),
        (1, 1, 1),
        "{asked:?}"
    );
}

#[test]
fn http_01_is_answered_beside_the_base_path_and_for_any_host() {
    let case = Case::new()
        .with("tls.acme_challenge = \"http-01\"\nserver.base_path = \"/relay\"")
        .start_under("/relay");
    // Only now does the name lead anywhere; until then orders fail and are tried again.
    case.acme.names_lead_to(Some(case.relay.address()), None);
    drop(case.connect());
    // The proof is gone with its order, and the path is nobody's.
    let path = "/.well-known/acme-challenge/token-0-0";
    let gone = http::try_get(case.relay.address(), path).expect("an answer");
    assert_eq!((gone.status, gone.error().as_str()), (404, "not_found"));
}

#[test]
fn port_80_answers_an_authority_and_shows_everybody_else_the_way_to_https() {
    let plain = free_address();
    let case = Case::new().with(&format!(
        "tls.acme_challenge = \"http-01\"\ntls.redirect_listen = [\"{plain}\"]\nserver.public_url = \"https://{NAME}/relay\""
    ));
    case.acme.names_lead_to(Some(plain), None);
    let case = case.start();
    drop(case.connect());
    let shown = http::try_get(plain, "/relay/dashboard?tab=1").expect("an answer");
    assert_eq!(shown.status, 307, "{shown:?}");
    assert_eq!(
        shown.header("location"),
        Some("https://relay.example/relay/dashboard?tab=1")
    );
    // Nothing of the relay is there.
    for (method, path, status) in [
        ("GET", "/healthz", 307),
        ("POST", "/publish", 405),
        ("GET", "/ws", 307),
    ] {
        let answer = http::request(plain, method, path, &[("Upgrade", "websocket")], b"").expect("an answer");
        assert_eq!(answer.status, status, "{method} {path}");
    }
}

#[test]
fn one_certificate_stands_for_all_names() {
    let names = [NAME, "www.relay.example", "other.example"];
    let case = Case::new().with(&format!("tls.acme_domains = {names:?}")).start();
    for name in names {
        drop(case.connect_as(name));
    }
    let asked = case.acme.asked();
    assert_eq!(
        (asked.orders, asked.looks, asked.certificates),
        (1, 3, 1),
        "{asked:?}"
    );
}

#[test]
fn a_nonce_that_is_refused_is_replaced() {
    let case = Case::new();
    case.acme.refuse_a_nonce();
    let case = case.start();
    drop(case.connect());
    assert_eq!(case.metric("hookcast_certificate_failures_total"), 0);
}

#[test]
fn the_proof_is_shown_to_a_validation_and_to_nobody_else() {
    let case = Case::new();
    case.acme.take_time();
    let case = case.start();
    until("the authority to look", || {
        (case.acme.asked().looks > 0).then_some(())
    });
    // There is no certificate yet, and the proof is none for connections.
    let anybody = || TlsClient::trusting_anything(NAME);
    for protocols in [
        &[][..],
        &["http/1.1"],
        &["acme-tls/1", "http/1.1"],
        &["http/1.1", "acme-tls/1"],
    ] {
        assert!(
            anybody().offering(protocols).connect(case.address).is_err(),
            "{protocols:?}"
        );
    }
    // A validation of another name is none of ours.
    let stranger = TlsClient::trusting_anything("other.example").offering(&["acme-tls/1"]);
    assert!(stranger.connect(case.address).is_err());
    let validation = anybody()
        .offering(&["acme-tls/1"])
        .connect(case.address)
        .expect("a validation");
    let said = http::request_over(validation, NAME, "GET", "/healthz", &[], b"");
    assert!(said.is_err(), "nothing is served in a validation: {said:?}");
    case.acme.relent();
    drop(case.connect());
    assert!(
        anybody().offering(&["acme-tls/1"]).connect(case.address).is_err(),
        "the order is over"
    );
    drop(
        anybody()
            .offering(&["http/1.1", "acme-tls/1"])
            .connect(case.address)
            .expect("a connection"),
    );
}

#[test]
fn what_is_kept_is_the_owners_alone_and_no_key_is_in_the_log() {
    let case = Case::new().with("log.level = \"trace\"").start();
    drop(case.connect());
    let mut files = Vec::new();
    walk(&case.relay.data_dir().join("acme"), &mut files);
    assert!(files.len() >= 2, "{files:?}");
    let log = case.relay.log();
    let mut keys = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).expect("text");
        for key in [
            text.split("PRIVATE KEY-----\n").nth(1),
            text.split("\"key_pkcs8\":\"").nth(1),
        ] {
            let Some(key) = key else { continue };
            keys += 1;
            assert!(
                !log.contains(&key[..40]),
                "a key of {} in the log",
                file.display()
            );
        }
    }
    assert_eq!(keys, 2, "the account's and the certificate's");
}

fn walk(directory: &Path, files: &mut Vec<std::path::PathBuf>) {
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o700, "{}", directory.display());
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files.push(path);
        }
    }
}
