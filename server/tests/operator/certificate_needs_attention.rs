//! A certificate that cannot be had is told on the operator's list and by the doctor, with the reason, until it is there.

use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::relay::free_address;
use testkit::{Acme, until};

use super::client::Operator;
use super::options;

const NAME: &str = "relay.example";

fn about_certificates(owner: &Operator) -> Option<Value> {
    let insight = owner.get("/api/insight");
    let attention = insight["attention"].as_array().expect("a list");
    let about = |one: &&Value| {
        one["code"]
            .as_str()
            .is_some_and(|code| code.starts_with("certificate_"))
    };
    attention.iter().find(about).cloned()
}

fn own_certificate(owner: &Operator) -> Value {
    let report = owner.post("/api/doctor", json!({}));
    let checks = report["checks"].as_array().expect("checks");
    let own = checks.iter().find(|check| check["id"] == "own_certificate");
    own.cloned()
        .unwrap_or_else(|| panic!("nothing about it in {report}"))
}

#[test]
fn a_missing_certificate_is_on_the_list_until_it_is_there() {
    let (acme, address) = (Acme::start(), free_address());
    acme.names_lead_to(None, Some(address));
    acme.be_down();
    let relay = options()
        .environment("SSL_CERT_FILE", acme.pem_file().to_str().expect("UTF-8"))
        .config(&format!(
            "tls.listen = [\"{address}\"]\ntls.acme_domains = [\"{NAME}\"]\ntls.acme_terms_agreed = true\n\
             tls.acme_directory = \"{}\"",
            acme.url()
        ))
        .start();
    let owner = Operator::set_up(&relay);
    let told = until("the list to give the reason", || {
        about_certificates(&owner)
            .filter(|one| one["message"].as_str().is_some_and(|text| text.contains("502")))
    });
    assert_eq!(
        (told["code"].as_str(), told["severity"].as_str()),
        (Some("certificate_missing"), Some("critical")),
        "{told}"
    );
    assert!(
        told["remedy"]
            .as_str()
            .is_some_and(|text| text.contains("tls.acme_directory")),
        "{told}"
    );
    let own = own_certificate(&owner);
    assert_eq!(own["status"], "failed", "{own}");
    assert!(
        own["finding"]
            .as_str()
            .is_some_and(|text| text.contains("acme_unexpected")),
        "{own}"
    );
    acme.relent();
    relay.signal(Signal::HUP);
    until("the list to be empty of it", || {
        about_certificates(&owner).is_none().then_some(())
    });
    let own = own_certificate(&owner);
    assert_eq!(own["status"], "ok", "{own}");
}
