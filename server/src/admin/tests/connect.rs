//! One-click connect, and what the plugin registers by hand.

use bytes::Bytes;
use hookcast_api::connect::{ConnectAuthorized, ConnectCancelled, ConnectDescription};
use hookcast_api::site::{Credentials, SiteStatus, Sites};
use serde_json::{Value, json};

use super::{As, Desk, Reply};

const SITE: &str = "https://shop.example";
const CALLBACK: &str = "https://shop.example/wp-admin/admin-post.php?action=wpsignal_oauth_callback";

fn query() -> Value {
    json!({"state": "s-1", "callback_url": CALLBACK, "site_url": SITE, "site_name": "Shop"})
}

fn authorized(desk: &Desk, owner: &As) -> ConnectAuthorized {
    desk.send(owner, "POST", "/api/connect/authorize", &query()).ok()
}

fn exchange(desk: &Desk, code: &str) -> Reply {
    let body = Bytes::from(json!({"code": code}).to_string());
    desk.ask(desk.request(&As::default(), "POST", "/api/connect/exchange", body))
}

#[test]
fn a_site_is_connected_by_one_click_and_a_code() {
    let (desk, owner) = Desk::owned();
    let shown: ConnectDescription = desk.send(&owner, "POST", "/api/connect/describe", &query()).ok();
    assert_eq!(
        (shown.site_name.as_str(), shown.callback_host.as_str()),
        ("Shop", "shop.example")
    );
    assert!(shown.may_authorize && !shown.registered && !shown.insecure);
    let form = authorized(&desk, &owner);
    assert_eq!((form.action.as_str(), form.wps_state.as_str()), (CALLBACK, "s-1"));
    assert_eq!(
        desk.store.sites().len(),
        0,
        "nothing is registered before the code is redeemed"
    );

    let credentials: Credentials = exchange(&desk, &form.wps_code).ok();
    let sites = desk.store.sites();
    let site = sites.by_key(&credentials.site_key).unwrap();
    assert_eq!((site.url.as_str(), site.name.as_str()), (SITE, "Shop"));
    assert_eq!(site.publish_secrets.current, credentials.publish_secret);
    assert!(
        desk.audit(&owner)
            .contains(&("site.connected".to_owned(), "WordPress".to_owned()))
    );
    let shown: ConnectDescription = desk.send(&owner, "POST", "/api/connect/describe", &query()).ok();
    assert!(shown.registered);
}

#[test]
fn a_code_works_once_and_for_ten_minutes() {
    let (mut desk, owner) = Desk::owned();
    let code = authorized(&desk, &owner).wps_code;
    assert_eq!(exchange(&desk, &code).status, 200);
    assert_eq!(exchange(&desk, &code).refusal(), (401, "invalid_code".to_owned()));

    let late = authorized(&desk, &owner).wps_code;
    let in_time = authorized(&desk, &owner).wps_code;
    desk.now_ms += 10 * 60 * 1000 - 1;
    assert_eq!(exchange(&desk, &in_time).status, 200);
    desk.now_ms += 1;
    assert_eq!(exchange(&desk, &late).refusal(), (401, "invalid_code".to_owned()));

    for wrong in ["", "0", &"0".repeat(64)] {
        assert_eq!(exchange(&desk, wrong).refusal(), (401, "invalid_code".to_owned()));
    }
    let no_code = desk.ask(desk.request(
        &As::default(),
        "POST",
        "/api/connect/exchange",
        Bytes::from_static(b"{}"),
    ));
    assert_eq!(no_code.refusal(), (400, "invalid_request".to_owned()));
}

#[test]
fn a_tampered_query_gets_no_code_and_is_not_followed() {
    let (desk, owner) = Desk::owned();
    for (field, value, code) in [
        (
            "callback_url",
            json!("https://evil.example/wp-admin/admin-post.php?action=wpsignal_oauth_callback"),
            "invalid_callback",
        ),
        ("callback_url", json!("javascript:alert(1)"), "invalid_callback"),
        ("site_url", json!("https://other.example"), "invalid_callback"),
        ("site_url", json!("not an address"), "invalid_request"),
        ("state", json!(""), "invalid_state"),
        ("state", json!("a\r\nSet-Cookie: x"), "invalid_state"),
        ("state", json!("x".repeat(1000)), "invalid_state"),
        ("site_name", json!("x".repeat(1000)), "invalid_request"),
    ] {
        let mut query = query();
        query[field] = value;
        for path in [
            "/api/connect/describe",
            "/api/connect/authorize",
            "/api/connect/cancel",
        ] {
            assert_eq!(
                desk.send(&owner, "POST", path, &query).refusal(),
                (400, code.to_owned()),
                "{path} {query}"
            );
        }
    }
}

#[test]
fn declining_sends_the_browser_back_with_the_reason() {
    let (desk, owner) = Desk::owned();
    let viewer = desk.viewer(&owner);
    let back: ConnectCancelled = desk.send(&viewer, "POST", "/api/connect/cancel", &query()).ok();
    assert_eq!(
        back.location,
        format!("{CALLBACK}&wps_state=s-1&wps_error=cancelled")
    );
}

#[test]
fn a_viewer_sees_who_asks_and_may_not_agree() {
    let (desk, owner) = Desk::owned();
    let viewer = desk.viewer(&owner);
    let shown: ConnectDescription = desk.send(&viewer, "POST", "/api/connect/describe", &query()).ok();
    assert!(!shown.may_authorize);
    assert_eq!(
        desk.send(&viewer, "POST", "/api/connect/authorize", &query())
            .status,
        403
    );
}

fn register(desk: &Desk, key: &As, body: &Value) -> Reply {
    // As the plugin sends it: no cookie, no CSRF header, and a host that need not be known.
    let mut ask = desk.request(key, "POST", "/api/sites/register", body.to_string().into());
    ask.headers.insert("host", "any.example".parse().unwrap());
    desk.ask(ask)
}

#[test]
fn registering_by_hand_needs_a_key_of_its_scope() {
    let (desk, owner) = Desk::owned();
    let body = json!({"site_url": "https://Shop.example/", "site_name": "Shop", "plugin_version": "0.25"});
    for (key, refusal) in [
        (As::default(), (401, "invalid_api_key")),
        (
            As {
                key: Some("0".repeat(64)),
                ..As::default()
            },
            (401, "invalid_api_key"),
        ),
        (desk.key(&owner, &["read", "sites"]), (403, "forbidden")),
    ] {
        assert_eq!(
            register(&desk, &key, &body).refusal(),
            (refusal.0, refusal.1.to_owned())
        );
    }
    let key = desk.key(&owner, &["register"]);
    assert_eq!(
        register(&desk, &key, &json!({"site_url": "shop"})).refusal(),
        (400, "invalid_request".to_owned())
    );
    let first: Credentials = register(&desk, &key, &body).ok();
    let again: Credentials = register(&desk, &key, &json!({"site_url": SITE})).ok();
    assert_eq!(first.site_key, again.site_key);
    assert_ne!(first.publish_secret, again.publish_secret);
    assert_eq!(desk.store.sites().len(), 1);
}

#[test]
fn unregistering_archives_the_site_and_registering_brings_it_back() {
    let (desk, owner) = Desk::owned();
    let key = desk.key(&owner, &["register"]);
    let site: Credentials = register(&desk, &key, &json!({"site_url": SITE})).ok();
    let unregister = |key: &As, site_key: &str, secret: &str| {
        let body = json!({"site_key": site_key, "publish_secret": secret}).to_string();
        desk.ask(desk.request(key, "POST", "/api/sites/unregister", body.into()))
    };
    assert_eq!(
        unregister(&key, &site.site_key, "wrong").refusal(),
        (403, "unauthorized".to_owned())
    );
    assert_eq!(
        unregister(&As::default(), &site.site_key, &site.publish_secret).refusal(),
        (401, "invalid_api_key".to_owned())
    );
    assert_eq!(
        unregister(&key, "0123", &site.publish_secret).refusal(),
        (404, "not_found".to_owned())
    );
    assert_eq!(unregister(&key, &site.site_key, &site.publish_secret).status, 200);
    assert_eq!(unregister(&key, &site.site_key, &site.publish_secret).status, 404);
    let sites: Sites = desk.get(&owner, "/api/sites").ok();
    assert_eq!(sites.sites[0].status, SiteStatus::Archived);
    let back: Credentials = register(&desk, &key, &json!({"site_url": SITE})).ok();
    assert_eq!(back.site_key, site.site_key);
}
