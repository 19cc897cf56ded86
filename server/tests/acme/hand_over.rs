//! One process of a data directory orders: not two while one hands over to the other.

use crate::{Case, NAME, serial};
use testkit::until;

#[test]
fn the_new_process_takes_the_stored_certificate_and_orders_nothing() {
    let mut case = Case::new().with("server.drain_ms = 0").start();
    let before = serial(&case.connect());
    let asked = case.acme.asked();
    let mut old = case.relay.upgrade();
    until("the old process to end", || old.try_wait().expect("its state"));
    assert_eq!(serial(&case.connect()), before);
    assert_eq!(case.acme.asked(), asked);
}

#[test]
fn an_order_under_way_is_given_up_and_begun_again_by_the_new_process() {
    let case = Case::new().with("server.drain_ms = 0");
    case.acme.take_time();
    let mut case = case.start();
    until("the authority to look", || {
        (case.acme.asked().looks == 1).then_some(())
    });
    let mut old = case.relay.upgrade();
    until("the old process to end", || old.try_wait().expect("its state"));
    until("the new process to order", || {
        (case.acme.asked().looks == 2).then_some(())
    });
    case.acme.relent();
    drop(case.connect());
    let asked = case.acme.asked();
    assert_eq!(
        (asked.accounts, asked.orders, asked.certificates),
        (1, 2, 1),
        "{asked:?}"
    );
    assert!(case.relay.log().contains(NAME));
}
