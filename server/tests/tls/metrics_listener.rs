//! `metrics.listen` serves `/metrics` to anyone who can reach it, and nothing else.

use crate::{metric, options};
use testkit::http;
use testkit::relay::free_address;

#[test]
fn metrics_are_served_on_their_own_listener_and_nothing_else_is() {
    let address = free_address();
    let relay = options()
        .config(&format!("metrics.listen = [\"{address}\"]"))
        .start();
    let answer = http::try_get(address, "/metrics").expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.text().ends_with("# EOF\n"), "not all of it");
    assert!(metric(&answer.text(), "hookcast_accepted_total") > 0);
    for path in [
        "/",
        "/healthz",
        "/ws",
        "/publish",
        "/dashboard",
        "/metrics/x",
        "/api/setup",
    ] {
        let answer = http::try_get(address, path).expect("an answer");
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (404, "not_found"),
            "{path}"
        );
    }
    let answer = http::request(address, "POST", "/metrics", &[], b"x").expect("an answer");
    assert_eq!(answer.status, 405, "{answer:?}");
    // The relay's own listener has none without a token.
    assert_eq!(relay.get("/metrics").status, 404);
}

#[test]
fn a_relay_without_room_still_tells_its_numbers() {
    let address = free_address();
    let relay = options()
        .workers(1)
        .config(&format!(
            "metrics.listen = [\"{address}\"]\nlimits.connections_max = 5"
        ))
        .start();
    let idle: Vec<_> = (0..5)
        .map(|_| http::connect(relay.address()).expect("a connection"))
        .collect();
    testkit::until("the relay to be full", || {
        let answer = http::try_get(address, "/metrics").expect("an answer");
        (metric(&answer.text(), "hookcast_http_connections") >= 5).then_some(())
    });
    let answer = http::try_get(address, "/metrics").expect("an answer");
    assert_eq!(answer.status, 200);
    drop(idle);
}
