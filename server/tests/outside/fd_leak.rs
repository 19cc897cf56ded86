//! However a connection begins and ends, its descriptor is given back.

use crate::{options, with_site};
use serde_json::json;
use std::io::Write as _;
use testkit::{Relay, Site, http, until};

fn descriptors(relay: &Relay) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", relay.pid()))
        .expect("the relay runs")
        .count()
}

/// One of each way to come and go.
fn come_and_go(relay: &Relay, site: &Site) {
    let token = site.token();
    let mut socket = relay.ws(&token);
    socket.subscribe(&["events"]);
    socket.presence("events", json!({}));
    drop(socket);
    let mut polite = relay.ws(&token);
    polite.send_close();
    assert_eq!(polite.closed().0, 1005, "the client's close is echoed");
    assert_eq!(relay.ws(&token.clone().secret("wrong")).closed().0, 4001);
    let mut broken = relay.ws(&token);
    broken.send_raw(&[0xff; 16]);
    assert_eq!(broken.closed().0, 1002);
    drop(relay.sse(&token, &["events"]));
    assert_eq!(relay.get("/healthz").status, 200);
    assert_eq!(relay.get("/no/such/page").status, 404);
    relay.published(site, "events", "e", "1");
    drop(http::connect(relay.address()).expect("a connection"));
    let mut half = http::connect(relay.address()).expect("a connection");
    write!(
        half,
        "POST /publish HTTP/1.1\r\nHost: relay\r\nContent-Length: 1000\r\n\r\nhalf"
    )
    .expect("half a request");
    drop(half);
    http::raw(relay.address(), b"\x16\x03\x01 this is no HTTP\r\n\r\n");
}

#[test]
fn every_way_to_leave_gives_the_descriptor_back() {
    let (relay, site) = with_site(options().config("limits.publishes_per_second = 0"));
    // What is opened once and kept is open after the first round.
    come_and_go(&relay, &site);
    until("the first round to be gone", || {
        (relay.active_connections(&site) == 0).then_some(())
    });
    let mut settled = descriptors(&relay);
    until("the descriptors to settle", || {
        let before = std::mem::replace(&mut settled, descriptors(&relay));
        (before == settled).then_some(())
    });
    for _ in 0..40 {
        come_and_go(&relay, &site);
    }
    // One for a connection of this very look would be excused; forty would not.
    until(&format!("the {settled} descriptors of the beginning"), || {
        (descriptors(&relay) <= settled + 1).then_some(())
    });
    assert_eq!(relay.active_connections(&site), 0);
}
