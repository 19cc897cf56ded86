//! `/metrics`: closed by default, open behind its token or on its own listener, and with few labels.

use crate::{options, relay, with_site};
use testkit::{Relay, http, until};

const TOKEN: &str = "a-token-of-this-test";

fn scrape(relay: &Relay) -> String {
    let bearer = format!("Bearer {TOKEN}");
    let answer = relay.request("GET", "/metrics", &[("Authorization", &bearer)], b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

/// The sum of a metric over its shards and labels.
fn sum(text: &str, name: &str) -> f64 {
    let of = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let series = series.split('{').next()?;
        (series == name).then(|| value.parse::<f64>().expect("a number"))
    };
    let values: Vec<f64> = text.lines().filter_map(of).collect();
    assert!(!values.is_empty(), "no {name} in:\n{text}");
    values.iter().sum()
}

#[test]
fn metrics_are_not_there_by_default() {
    let (relay, _) = relay();
    assert_eq!(relay.get("/metrics").status, 404);
}

#[test]
fn the_token_opens_them_and_they_count() {
    let (relay, site) = with_site(options().config(&format!("metrics.token = \"{TOKEN}\"")));
    assert_eq!(relay.get("/metrics").status, 401);
    let wrong = relay.request("GET", "/metrics", &[("Authorization", "Bearer wrong")], b"");
    assert_eq!(wrong.status, 401);

    let mut sockets: Vec<_> = (0..3).map(|_| relay.ws(&site.token().v1())).collect();
    for socket in &mut sockets {
        socket.subscribe(&["events"]);
    }
    let _stream = relay.sse(&site.token().v1(), &["events"]);
    for _ in 0..4 {
        relay.published(&site, "events", "e", "\"a payload\"");
    }
    for socket in &mut sockets {
        for _ in 0..4 {
            assert_eq!(socket.text()["event"], "e");
        }
    }
    assert_eq!(relay.publish(&site, "wps:x", "e", "1").status, 403);
    let text = until("the counts", || {
        let text = scrape(&relay);
        (sum(&text, "hookcast_deliveries_total") >= 16.0).then_some(text)
    });
    assert_eq!(sum(&text, "hookcast_connections"), 4.0);
    assert_eq!(sum(&text, "hookcast_publishes_total"), 4.0);
    assert_eq!(sum(&text, "hookcast_refusals_total"), 1.0, "{text}");
    let driver = if std::env::var("RELAY_TEST_DRIVER").is_ok() {
        "epoll"
    } else {
        "driver=\""
    };
    assert!(text.contains(driver), "which driver runs is not said:\n{text}");
    // Nothing of a site, and nothing that a stranger could fill up.
    for private in [
        &site.key,
        &site.id,
        &site.publish_secret,
        "one.example",
        "a payload",
        "events",
    ] {
        assert!(!text.contains(private), "{private} in:\n{text}");
    }
}

#[test]
fn a_listener_of_their_own_serves_nothing_else() {
    let address = testkit::relay::free_address();
    let relay = options()
        .config(&format!("metrics.listen = [\"{address}\"]"))
        .start();
    let answer = until("the listener", || http::try_get(address, "/metrics").ok());
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("hookcast_"));
    assert_eq!(http::try_get(address, "/healthz").expect("an answer").status, 404);
    assert_eq!(relay.get("/metrics").status, 404);
}
