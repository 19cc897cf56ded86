//! A site whose account is switched off is refused with the code that the plugin knows, and let in again as it was.

use serde_json::{Value, json};
use testkit::{Answer, until};

use super::client::listening;
use super::set_up;

#[test]
fn a_site_that_is_switched_off_keeps_its_credentials() {
    let (relay, owner) = set_up();
    let site = owner.add_site("https://shop.example");
    let neighbour = owner.add_site("https://other.example");
    let mut page = listening(&relay, &site.token(), &["events"]);
    let mut unrelated = listening(&relay, &neighbour.token(), &["events"]);
    let switch = |off: bool| -> Value {
        let path = format!("/api/sites/{}", site.key);
        owner.ok("PATCH", &path, &json!({"deactivated": off}))
    };
    let refused = |answer: Answer| (answer.status, answer.error()) == (401, "account_deactivated".to_owned());

    assert_eq!(switch(true)["status"], "account_deactivated");
    assert_eq!(page.closed().0, 4003);
    until("publishes to be refused", || {
        refused(relay.publish(&site, "events", "n", "1")).then_some(())
    });
    assert!(refused(relay.stats(&site)));
    assert_eq!(relay.ws(&site.token()).closed().0, 4003);
    relay.published(&neighbour, "events", "n", "1");
    unrelated.expect_message("events", "n", &json!(1));

    switch(false);
    until("publishes to be taken", || {
        (relay.publish(&site, "events", "n", "2").status == 200).then_some(())
    });
    let mut page = listening(&relay, &site.token(), &["events"]);
    relay.published(&site, "events", "n", "3");
    page.expect_message("events", "n", &json!(3));
}
