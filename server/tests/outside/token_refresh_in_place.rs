//! `auth` with a new token carries a session on: nothing is lost, and the new grants are the ones that count.

use crate::{options, relay, with_site};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_refreshed_session_outlives_its_first_token() {
    let (relay, site) =
        with_site(options().config("session.token_grace_ms = 0\nsession.clock_leeway_ms = 0"));
    let short = site.token().v1().expires_in(3);
    let (mut refreshed, mut left_alone) = (relay.ws(&short), relay.ws(&short));
    refreshed.subscribe(&["events"]);
    left_alone.subscribe(&["events"]);
    let new = site.token().v1();
    refreshed.send(&json!({"type": "auth", "token": new.sign()}));
    assert_eq!(
        refreshed.text(),
        json!({"type": "auth_ok", "exp": new.claims["exp"]})
    );
    assert_eq!(left_alone.closed().0, 4001);
    relay.published(&site, "events", "e", "1");
    refreshed.expect_message("events", "e", &json!(1));
}

#[test]
fn a_session_goes_on_for_the_grace_time() {
    let (relay, site) =
        with_site(options().config("session.token_grace_ms = 600000\nsession.clock_leeway_ms = 0"));
    let token = site.token().v1().expires_in(1);
    let mut socket = relay.ws(&token);
    socket.subscribe(&["events"]);
    // Once the door refuses the token, it has run out for the session too.
    testkit::until("the token to run out", || {
        relay.ws(&token).frame_within(RUNS_OUT).and(Some(()))
    });
    relay.published(&site, "events", "e", "1");
    socket.expect_message("events", "e", &json!(1));
}

/// A socket with a token that is still good stays silent for this long.
const RUNS_OUT: Duration = Duration::from_millis(100);

#[test]
fn new_grants_replace_the_old_ones() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token());
    let mut witness = relay.ws(&site.token());
    let qualified = site.qualified("gone");
    socket.subscribe(&["kept", &qualified]);
    witness.subscribe(&["kept", "gone"]);
    for ws in [&mut socket, &mut witness] {
        for _ in 0..2 {
            assert_eq!(ws.text()["data"]["action"], "sync");
        }
    }
    socket.presence("kept", json!({}));
    socket.presence("gone", json!({}));
    for _ in 0..2 {
        assert_eq!(socket.text()["data"]["action"], "join");
        assert_eq!(witness.text()["data"]["action"], "join");
    }

    let narrower = site.token().subscribe(&["kept"]).publish(&["kept"]);
    socket.send(&json!({"type": "auth", "token": narrower.sign()}));
    let mut answers = [socket.text(), socket.text()];
    answers.sort_by_key(|answer| answer["type"].to_string());
    assert_eq!(
        answers[0],
        json!({"type": "auth_ok", "exp": narrower.claims["exp"]})
    );
    assert_eq!(
        answers[1],
        json!({"type": "unsubscribed", "channels": [qualified]})
    );
    let leave = witness.text();
    assert_eq!(
        (&leave["channel"], &leave["data"]["action"]),
        (&json!("gone"), &json!("leave"))
    );

    relay.published(&site, "gone", "e", "1");
    relay.published(&site, "kept", "e", "2");
    socket.expect_message("kept", "e", &json!(2));
    socket.publish("gone", "e", json!(3));
    socket.expect_error("forbidden");
    // And wider again, without a new socket.
    socket.send(&json!({"type": "auth", "token": site.token().sign()}));
    assert_eq!(socket.text()["type"], "auth_ok");
    socket.subscribe(&["gone"]);
}

#[test]
fn a_bad_token_is_unauthorized_and_changes_nothing() {
    let (relay, site) = relay();
    let other_site = relay.add_site("https://two.example");
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let bad = [
        site.token().secret("not the secret").sign(),
        site.token().expires_in(-3600).sign(),
        site.token().user("8").sign(),
        other_site.token().sign(),
        site.token().unsigned(),
        "no token at all".to_owned(),
        String::new(),
    ];
    for token in bad {
        socket.send(&json!({"type": "auth", "token": token}));
        socket.expect_error("unauthorized");
    }
    relay.published(&site, "events", "e", "1");
    socket.expect_message("events", "e", &json!(1));
}
