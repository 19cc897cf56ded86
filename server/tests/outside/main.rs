//! The real binary, from outside, by clients that share no code with it. One property a file.
//!
//! `RELAY_TEST_DRIVER=epoll` runs the same suite on the other driver.

mod connection_counts;
mod crash_loses_no_site;
mod delivery;
mod fd_exhaustion_pauses_accept;
mod fd_leak;
mod following_crowd;
mod graceful_stop;
mod hostile_frames;
mod hostile_http;
mod hostile_messages;
mod hostile_tokens;
mod limits;
mod metrics;
mod other_requests;
mod packaged_hand_over;
mod presence_leaves_with_its_socket;
mod publish_batch;
mod publish_refusals;
mod recovery_after_reconnect;
mod registration;
mod reload;
mod replayed_publish_is_delivered_once;
mod restart_refuses_nobody;
mod silent_peers;
mod site_isolation;
mod slow_reader_does_not_delay_others;
mod socket_refusals;
mod streams;
mod subscriptions;
mod token_refresh_in_place;
mod upgrade_loses_nobody;

use testkit::{Options, Relay, Site};

/// How this suite's relay is started, before it is.
fn options() -> Options {
    Options::new(env!("CARGO_BIN_EXE_hookcast"))
}

/// A relay with default settings, and a site that was added while it ran.
fn relay() -> (Relay, Site) {
    with_site(options())
}

fn with_site(options: Options) -> (Relay, Site) {
    let relay = options.start();
    let site = relay.add_site("https://one.example");
    (relay, site)
}
