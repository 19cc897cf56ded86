//! A relay that is stopped, or dies, and starts again: with a listener that stays open nobody is refused, and whoever comes back
//! is told what it can't have.

use crate::following_crowd::{Crowd, Gaps, Publishes};
use crate::{options, with_site};
use std::io::{BufReader, Write as _};
use testkit::{http, until};

const ROOMY: &str =
    "server.drain_ms = 300\nlimits.publishes_per_second = 0\nlimits.connections_per_site_max = 0";

#[test]
fn a_crowd_comes_back_after_a_crash() {
    let (mut relay, site) = with_site(options().config(ROOMY));
    let crowd = Crowd::new(relay.address(), &site, Gaps::Told);
    std::thread::scope(|scope| {
        crowd.gather(scope, Publishes::MayFail);
        crowd.let_pass(10);
        relay.kill();
        relay.start_again();
        crowd.let_pass(10);
        crowd.end();
    });
}

#[test]
fn no_publish_fails_while_an_activated_relay_restarts() {
    let (mut relay, site) = with_site(options().config(ROOMY).activated());
    let crowd = Crowd::new(relay.address(), &site, Gaps::Told);
    std::thread::scope(|scope| {
        crowd.gather(scope, Publishes::Succeed);
        for _ in 0..2 {
            crowd.let_pass(10);
            assert!(relay.stop().success());
            relay.start_again();
        }
        crowd.let_pass(10);
        crowd.end();
    });
}

#[test]
fn what_waits_at_an_activated_listener_is_served_by_the_next_relay() {
    let (mut relay, _site) = with_site(options().config(ROOMY).activated());
    assert!(relay.stop().success());
    let mut waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = http::connect(relay.address()).expect("the listener is open");
            write!(
                stream,
                "GET /healthz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n"
            )
            .expect("a request");
            stream
        })
        .collect();
    relay.start_again();
    for stream in &mut waiting {
        let answer = http::read_answer(&mut BufReader::new(stream)).expect("an answer");
        assert_eq!(answer.status, 200);
    }
}

#[test]
fn a_new_connection_is_answered_while_the_relay_drains() {
    let (mut relay, site) = with_site(options().config("server.drain_ms = 500"));
    let _socket = relay.ws(&site.token());
    let mut early = http::connect(relay.address()).expect("a connection");
    let mut kept = http::connect(relay.address()).expect("a connection");
    let request = "GET /readyz HTTP/1.1\r\nHost: relay\r\n\r\n";
    write!(kept, "{request}").expect("a request");
    assert_eq!(
        http::read_answer(&mut BufReader::new(&kept))
            .expect("an answer")
            .status,
        200
    );
    relay.signal(rustix::process::Signal::TERM);
    until("the relay to drain", || {
        relay.log().contains("stopping").then_some(())
    });
    // It was accepted, or waited to be, before the relay was told to stop.
    write!(early, "{request}").expect("a request");
    let answer = http::read_answer(&mut BufReader::new(&early)).expect("an answer");
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(relay.wait().code(), Some(0));
}
