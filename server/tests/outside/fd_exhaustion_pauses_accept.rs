//! Out of descriptors, the relay waits for one instead of spinning, says so, and goes on as soon as there is one.

use crate::{options, with_site};
use testkit::{http, until};

#[test]
fn accept_goes_on_once_descriptors_are_free() {
    let (relay, site) = with_site(options().wrapper(&["prlimit", "--nofile=96:96"]));
    let mut established = relay.ws(&site.token().v1());
    established.subscribe(&["events"]);
    let hoard: Vec<_> = (0..150)
        .map(|_| http::connect(relay.address()).expect("the kernel's queue takes it"))
        .collect();
    until("a word about it in the log", || {
        let log = relay.log().to_lowercase();
        (log.contains("descriptor") || log.contains("too many open files") || log.contains("nofile"))
            .then_some(())
    });
    // What is open still works.
    established.publish("events", "e", serde_json::json!(1));
    established.expect_message("events", "e", &serde_json::json!(1));

    let before = processor_ticks(relay.pid());
    let begun = std::time::Instant::now();
    let window = std::time::Duration::from_secs(2);
    std::thread::sleep(window - begun.elapsed());
    let used = processor_ticks(relay.pid()) - before;
    // A hundred ticks are a second: two shards that spin would use four hundred, an idle relay next to none.
    assert!(
        used < 100,
        "{used} ticks of processor time in {window:?}: accept spins"
    );

    drop(hoard);
    until("a new connection to be served", || {
        http::try_get(relay.address(), "/healthz")
            .ok()
            .filter(|answer| answer.status == 200)
    });
}

fn processor_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the relay runs");
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .expect("a name in brackets")
        .1
        .split_whitespace()
        .collect();
    let number = |index: usize| fields[index].parse::<u64>().expect("a number");
    number(11) + number(12)
}
