//! The service manager's watchdog (`WatchdogSec=`): it hears from us as long as every shard answers.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::shard::Shards;

/// Starts it if the service manager asked for it. It ends with the process.
pub fn start(shards: &Shards) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let shards = shards.clone();
    let watching = thread::Builder::new().name("watchdog".to_owned());
    // Twice in the time that the manager waits, as its manual advises.
    let started = watching.spawn(move || watch(&shards, limit / 2));
    if let Err(error) = started {
        tracing::error!(%error, "the watchdog could not be started: the service manager will restart the relay");
    }
}

fn watch(shards: &Shards, interval: Duration) {
    loop {
        let began = Instant::now();
        if all_answer(shards, interval) {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        } else {
            tracing::error!("a shard does not answer: the service manager is not told that all is well");
        }
        thread::sleep(interval.saturating_sub(began.elapsed()));
    }
}

/// Whether every shard does a job within `limit`.
pub fn all_answer(shards: &Shards, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let (answered, answers) = sync_channel(usize::from(shards.count()));
    let asked = shards.run_all(move |_| {
        // Nobody listens any more once the time is up.
        let _ = answered.try_send(());
    });
    asked.is_ok()
        && shards.ids().all(|_| {
            answers
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .is_ok()
        })
}
