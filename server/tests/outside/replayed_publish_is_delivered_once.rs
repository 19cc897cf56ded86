//! The same signature within its minute is one message, whoever repeats it and wherever it arrives.

use crate::relay;
use serde_json::json;
use testkit::site::{body, post};

#[test]
fn a_repeated_request_is_answered_and_not_delivered() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let body = body("events", "e", "1");
    let headers = site.signed_headers(body.as_bytes());
    let first = post(relay.address(), &headers, body.as_bytes());
    assert_eq!((first.status, first.json()), (200, json!({"ok": true})));
    for _ in 0..3 {
        let again = post(relay.address(), &headers, body.as_bytes());
        assert_eq!(
            (again.status, again.json()),
            (200, json!({"ok": true, "duplicate": true}))
        );
    }
    relay.published(&site, "events", "after", "2");
    socket.expect_message("events", "e", &json!(1));
    socket.expect_message("events", "after", &json!(2));
}

#[test]
fn repeated_at_the_same_time_on_every_shard_it_is_one_message() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    let body = body("events", "e", "1");
    let headers = site.signed_headers(body.as_bytes());
    let barrier = std::sync::Barrier::new(16);
    let duplicates = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    post(relay.address(), &headers, body.as_bytes()).json()
                })
            })
            .collect();
        posts
            .into_iter()
            .map(|post| post.join().expect("an answer"))
            .filter(|answer| {
                assert_eq!(answer["ok"], true, "{answer}");
                answer["duplicate"] == true
            })
            .count()
    });
    assert_eq!(duplicates, 15);
    relay.published(&site, "events", "after", "2");
    socket.expect_message("events", "e", &json!(1));
    socket.expect_message("events", "after", &json!(2));
}

#[test]
fn the_same_message_signed_again_is_a_new_message() {
    let (relay, site) = relay();
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["events"]);
    for _ in 0..2 {
        let answer = relay.publish(&site, "events", "e", "1");
        assert_eq!((answer.status, answer.json()), (200, json!({"ok": true})));
        socket.expect_message("events", "e", &json!(1));
    }
}

#[test]
fn the_same_bytes_at_the_same_time_from_two_sites_are_two_messages() {
    let (relay, one) = relay();
    let two = relay.add_site("https://two.example");
    let body = body("events", "e", "1");
    let now = testkit::now().as_millis().to_string();
    for site in [&one, &two] {
        let answer = post(
            relay.address(),
            &site.signed_headers_at(body.as_bytes(), &now),
            body.as_bytes(),
        );
        assert_eq!(answer.json(), json!({"ok": true}));
    }
}
