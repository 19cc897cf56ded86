//! Guessing passwords costs WordPress nothing: while guesses come as fast as they can be sent, every publish is taken.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::json;
use testkit::until;

use super::client::{Stop, listening, post};
use super::set_up;

#[test]
fn a_flood_of_log_in_guesses_refuses_no_publish() {
    let (relay, owner) = set_up();
    let site = owner.add_site("https://shop.example");
    let mut page = listening(&relay, &site.token(), &["events"]);
    let (stop, guesses, slowed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        for guesser in 0..4 {
            let (relay, stop, guesses, slowed) = (&relay, &stop, &guesses, &slowed);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let guess = guesses.fetch_add(1, Ordering::Relaxed);
                    let email = if guesser == 0 {
                        "owner@relay.example".to_owned()
                    } else {
                        format!("{guess}@x.example")
                    };
                    let answer = post(
                        relay,
                        "/api/login",
                        &json!({"email": email, "password": "a wrong guess"}),
                    );
                    match answer.status {
                        401 | 503 => {}
                        429 => {
                            assert!(answer.header("retry-after").is_some(), "{answer:?}");
                            slowed.fetch_add(1, Ordering::Relaxed);
                        }
                        _ => panic!("{answer:?}"),
                    }
                }
            });
        }
        until("guesses to be slowed down", || {
            (slowed.load(Ordering::Relaxed) > 10).then_some(())
        });
        for number in 0..200 {
            relay.published(&site, "events", "n", &number.to_string());
            page.expect_message("events", "n", &json!(number));
        }
    });
}
