//! The doctor, over the API and as a command, against a relay that is well and one that is not there.

use serde_json::{Value, json};

use super::set_up;

fn status<'a>(report: &'a Value, id: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("checks");
    let check = checks
        .iter()
        .find(|check| check["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {report}"));
    check["status"].as_str().expect("a status")
}

#[test]
fn a_relay_that_is_well_passes_every_check_that_matters() {
    let (relay, owner) = set_up();
    owner.add_site("https://shop.example");
    let report = owner.post("/api/doctor", json!({"url": relay.url()}));
    for id in [
        "listener",
        "data_dir",
        "dns",
        "path_prefix",
        "clock_skew",
        "forwarded_headers",
        "publish",
        "websocket",
        "sse",
    ] {
        assert_eq!(status(&report, id), "ok", "{id}: {report}");
    }
    assert_eq!(status(&report, "certificate"), "warning", "plain http");
    assert_eq!(status(&report, "idle"), "skipped");

    let printed = relay.cli_output(&["doctor", "--url", &relay.url(), "--json"]);
    let report = serde_json::from_slice::<Value>(&printed.stdout).expect("a report");
    for id in ["publish", "websocket", "sse"] {
        assert_eq!(status(&report, id), "ok", "{id}: {report}");
    }
}

#[test]
fn what_is_not_there_is_named_with_a_remedy() {
    let (relay, owner) = set_up();
    let nobody = format!("http://{}", testkit::relay::free_address());
    let report = owner.post("/api/doctor", json!({"url": nobody}));
    assert_eq!(status(&report, "connect"), "failed");
    let report = owner.post(
        "/api/doctor",
        json!({"url": format!("{}/elsewhere", relay.url())}),
    );
    assert_eq!(status(&report, "path_prefix"), "failed");
    for check in report["checks"].as_array().expect("checks") {
        let well = check["status"] == "ok";
        assert_eq!(check["remedy"].is_null(), well, "{check}");
    }
    assert_eq!(
        owner
            .ask("POST", "/api/doctor", &json!({"url": "nonsense"}))
            .status,
        400
    );
    let output = relay.cli_output(&["doctor", "--url", &nobody]);
    assert_eq!(output.status.code(), Some(1));
}
