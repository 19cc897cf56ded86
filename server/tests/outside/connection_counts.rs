//! `wps:connections`, `/site/stats` and `/healthz` count sockets and streams.

use crate::{options, relay, with_site};
use serde_json::{Value, json};
use testkit::{Relay, Site, Ws};

fn watcher(relay: &Relay, site: &Site) -> Ws {
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["wps:connections"]);
    socket
}

fn count(socket: &mut Ws) -> Value {
    let frame = socket.text();
    assert_eq!(
        (&frame["type"], &frame["channel"]),
        (&json!("message"), &json!("wps:connections")),
        "{frame}"
    );
    assert_eq!(frame["event"], "wps.connections");
    frame["data"].clone()
}

/// Counts come at most once a second, so that the ones in between may be left out; the last one is always told.
fn wait_for_count(socket: &mut Ws, wanted: u64) {
    while count(socket)["active_connections"] != wanted {}
}

#[test]
fn the_count_is_told_on_subscribing_and_on_every_change() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    assert_eq!(
        count(&mut watcher),
        json!({"active_connections": 1, "max_connections": 0})
    );
    let mut sockets: Vec<Ws> = (0..20).map(|_| relay.ws(&site.token())).collect();
    let streams: Vec<_> = (0..5).map(|_| relay.sse(&site.token(), &["events"])).collect();
    wait_for_count(&mut watcher, 26);
    assert_eq!(
        relay.stats(&site).json(),
        json!({"active_connections": 26, "max_connections": 0})
    );
    sockets.truncate(5);
    drop(streams);
    wait_for_count(&mut watcher, 6);
    assert_eq!(relay.active_connections(&site), 6);
}

#[test]
fn the_limit_is_told_too() {
    let (relay, site) = with_site(options().config("limits.connections_per_site_max = 9"));
    let mut watcher = watcher(&relay, &site);
    assert_eq!(
        count(&mut watcher),
        json!({"active_connections": 1, "max_connections": 9})
    );
}

#[test]
fn each_site_counts_its_own() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let _sockets: Vec<Ws> = (0..3).map(|_| relay.ws(&one.token())).collect();
    let _other = relay.ws(&two.token());
    relay.wait_for_connections(&one, 3);
    relay.wait_for_connections(&two, 1);
    assert_eq!(relay.get("/healthz").json()["active_connections"], 4);
}

#[test]
fn the_counts_need_the_grant_and_go_over_streams_as_well() {
    let (relay, site) = relay();
    let mut without = relay.ws(&site.token().subscribe(&["events"]));
    without.send(&json!({"type": "subscribe", "channels": ["wps:connections"]}));
    assert_eq!(without.text(), json!({"type": "subscribed", "channels": []}));
    without.expect_error("forbidden");
    let mut stream = relay.sse(&site.token().v1(), &["wps:connections"]);
    let event = stream.event();
    assert_eq!(event.event.as_deref(), Some("wps.connections"));
    assert_eq!(
        event.data.as_deref(),
        Some(r#"{"active_connections":2,"max_connections":0}"#)
    );
}

#[test]
fn two_hundred_come_and_go_and_the_last_word_is_right() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut present = Vec::new();
    for number in 0..200 {
        present.push(relay.ws(&site.token().v1()));
        if number % 3 == 0 {
            present.swap_remove(0);
        }
    }
    let expected = u64::try_from(present.len()).expect("few") + 1;
    wait_for_count(&mut watcher, expected);
    present.clear();
    wait_for_count(&mut watcher, 1);
}
