//! What was answered is on disk: a kill -9 in the middle of writes loses no site and breaks no file.

use crate::options;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::{Relay, Site, http};

/// Register sites over the API until told to stop; every one that was answered.
fn register_until(
    relay: &Relay,
    api_key: &str,
    worker: usize,
    stop: &AtomicBool,
    answered: &Mutex<Vec<Site>>,
) {
    let authorization = format!("Bearer {api_key}");
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let body = format!(r#"{{"site_url":"https://w{worker}-n{number}.example","site_name":"n"}}"#);
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer = http::request(
            relay.address(),
            "POST",
            "/api/sites/register",
            &headers,
            body.as_bytes(),
        );
        // No answer is no promise: the relay was killed first.
        let Ok(answer) = answer else { return };
        assert_eq!(answer.status, 200, "{answer:?}");
        answered
            .lock()
            .expect("no holder panics")
            .push(Site::from_json(&answer.json()));
    }
}

#[test]
fn every_answered_registration_survives_kill_9() {
    let mut relay = options().config("limits.connections_max = 0").start();
    let api_key = relay.cli(&["apikey", "create", "--name", "test"])["api_key"]
        .as_str()
        .expect("a key")
        .to_owned();
    testkit::until("the relay to take up the key", || {
        let authorization = format!("Bearer {api_key}");
        let headers = [("Authorization", authorization.as_str())];
        let answer = relay.request(
            "POST",
            "/api/sites/register",
            &headers,
            br#"{"site_url":"https://first.example","site_name":""}"#,
        );
        (answer.status == 200).then_some(())
    });
    let answered = Mutex::new(Vec::new());
    for round in 0..3 {
        let before = answered.lock().expect("no holder panics").len();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let (relay, api_key, stop, answered) = (&relay, api_key.as_str(), &stop, &answered);
                scope.spawn(move || register_until(relay, api_key, round * 10 + worker, stop, answered));
            }
            // In the middle of writes, not before them.
            testkit::until("some registrations", || {
                (answered.lock().expect("no holder panics").len() >= before + 10).then_some(())
            });
            relay.signal(rustix::process::Signal::KILL);
            stop.store(true, Ordering::Relaxed);
        });
        relay.wait();
        relay.start_again();
        for site in answered.lock().expect("no holder panics").iter() {
            let answer = relay.stats(site);
            assert_eq!(
                answer.status, 200,
                "an answered site is gone after round {round}: {answer:?}"
            );
        }
    }
}

#[test]
fn every_site_that_the_command_line_printed_survives_kill_9() {
    let mut relay = options().start();
    let mut sites = Vec::new();
    for number in 0..6 {
        let json = relay.cli(&["site", "add", "--url", &format!("https://n{number}.example")]);
        relay.kill();
        sites.push(Site::from_json(&json));
        relay.start_again();
        for site in &sites {
            assert_eq!(relay.stats(site).status, 200);
        }
    }
}
