//! SIGHUP takes up what can be taken up, says what needs a restart, and keeps the old settings where the new ones are wrong.

use crate::{options, with_site};
use rustix::process::Signal;
use serde_json::json;
use testkit::until;

#[test]
fn a_changed_limit_counts_for_open_and_new_connections() {
    let (relay, site) = with_site(options().config("limits.message_bytes_max = 100000"));
    let mut open = relay.ws(&site.token().v1());
    open.subscribe(&["events"]);
    open.publish("events", "e", json!("x".repeat(5000)));
    assert_eq!(open.text()["event"], "e");
    relay.rewrite_config("limits.message_bytes_max = 2000\nhttp.headers_max = 50");
    relay.signal(Signal::HUP);
    until("the new limit", || {
        let mut new = relay.ws(&site.token().v1());
        new.send_binary("events", &[0; 5000]);
        new.send_ping(b"still open?");
        matches!(new.frame(), testkit::Frame::Close(1009, _)).then_some(())
    });
    until("a word about what needs a restart", || {
        relay.log().contains("http.headers_max").then_some(())
    });
    assert_eq!(relay.stats(&site).status, 200);
}

#[test]
fn wrong_settings_change_nothing() {
    let (relay, site) = with_site(options().config("limits.connections_per_site_max = 5"));
    relay.rewrite_config("limits.connections_per_site_max = 9\nlimits.no_such_setting = 1");
    relay.signal(Signal::HUP);
    until("a word about the mistake", || {
        relay.log().contains("no_such_setting").then_some(())
    });
    assert_eq!(relay.stats(&site).json()["max_connections"], 5);
}
