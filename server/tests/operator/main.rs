//! The operator's side of the real binary, by its API alone: what a script can do.

mod certificate_needs_attention;
mod client;
mod doctor;
mod forwarded_addresses;
mod log_in_flood;
mod log_keeps_no_secret;
mod switched_off_site;
mod whole_life_of_a_relay;

use testkit::{Options, Relay};

fn options() -> Options {
    Options::new(env!("CARGO_BIN_EXE_hookcast"))
}

/// A relay that was set up by its link, and its owner.
fn set_up() -> (Relay, client::Operator) {
    let relay = options().start();
    let owner = client::Operator::set_up(&relay);
    (relay, owner)
}
