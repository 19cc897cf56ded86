//! A refused socket is opened and then closed with a code that the browser can read.

use crate::{options, relay, with_site};
use serde_json::json;
use testkit::{Ws, until};

#[test]
fn a_bad_token_is_4001() {
    let (relay, site) = relay();
    let expired = format!("/ws?token={}", site.token().expires_in(-60).sign());
    let forged = format!("/ws?token={}", site.token().secret("wrong").sign());
    for path in [
        "/ws",
        "/ws?token=",
        "/ws?token=abc",
        "/ws?token=a.b.c",
        "/ws?other=1",
        &expired,
        &forged,
    ] {
        let (code, reason) = Ws::refused(relay.address(), path);
        assert_eq!(code, 4001, "for {path}");
        assert!(!reason.is_empty(), "no reason for {path}");
    }
}

#[test]
fn an_unknown_site_is_4003() {
    let (relay, site) = relay();
    let stranger = testkit::Site {
        id: "0".repeat(64),
        tenant_id: "1".repeat(64),
        ..site
    };
    assert_eq!(relay.ws(&stranger.token()).closed().0, 4003);
}

#[test]
fn a_full_site_is_4029_until_somebody_leaves() {
    let (relay, site) = with_site(options().config("limits.connections_per_site_max = 3"));
    let token = site.token();
    let first = relay.ws(&token);
    let _second = relay.ws(&token);
    let mut stream = relay.sse(&token, &["events"]);
    assert!(stream.event_raw().is_some(), "a comment at once");
    assert_eq!(relay.ws(&token).closed().0, 4029);
    let answer = relay.get(&format!("/sse?token={}&channels=events", token.sign()));
    assert_eq!(answer.status, 429);
    assert!(!answer.error().is_empty());
    // The limit is one site's own.
    let other = relay.add_site("https://two.example");
    relay.ws(&other.token()).subscribe(&["events"]);

    drop(first);
    let mut next = until("the place to be free", || {
        let mut socket = relay.ws(&token.clone().v1());
        socket.send(&json!({"type": "subscribe", "channels": ["a"]}));
        matches!(socket.frame(), testkit::Frame::Text(_)).then_some(socket)
    });
    assert!(next.drain().is_empty());
    assert_eq!(
        relay.stats(&site).json(),
        json!({"active_connections": 3, "max_connections": 3})
    );
}

#[test]
fn archiving_a_site_closes_its_sockets_with_4003() {
    let (relay, site) = relay();
    let other = relay.add_site("https://two.example");
    let mut sockets: Vec<_> = (0..4).map(|_| relay.ws(&site.token())).collect();
    let mut stream = relay.sse(&site.token().v1(), &["events"]);
    let mut unrelated = relay.ws(&other.token());
    relay.cli(&["site", "archive", &site.key]);
    for socket in &mut sockets {
        assert_eq!(socket.closed().0, 4003);
    }
    while stream.event_raw().is_some() {}
    assert_eq!(relay.ws(&site.token()).closed().0, 4003);
    let answer = relay.get(&format!("/sse?token={}&channels=events", site.token().sign()));
    assert_eq!(answer.status, 404);
    assert!(unrelated.drain().is_empty());
}
