//! Triggers as they are kept.

use bytes::Bytes;
use hookcast_api::ApiError;
use hookcast_api::trigger::{
    SavedTrigger, SiteTriggers, TriggerDocument, TriggerTestResult, Triggers, WebhookSecret,
};
use serde_json::{Value, json};

use super::{As, Desk, PASSWORD, Reply};
use crate::site::signature_hex;

fn spec(name: &str, source: Value) -> Value {
    json!({
        "name": name, "enabled": true, "source": source, "channel": "events", "event": "post.saved",
        "data": {"kind": "fields", "fields": [{"name": "title", "value": {"kind": "path", "path": "1.post_title"}}]},
        "conditions": {"mode": "all", "rules": [{"path": "1.post_status", "comparison": "equals", "value": "publish"}]},
    })
}

fn save_post() -> Value {
    json!({"kind": "action", "hook": "save_post", "priority": 10, "args": 3})
}

fn site(desk: &Desk, owner: &As) -> (hookcast_api::site::Credentials, String) {
    let credentials = desk.site(owner, "https://shop.example");
    let path = format!("/api/sites/{}/triggers", credentials.site_key);
    (credentials, path)
}

#[test]
fn a_trigger_of_each_kind_is_added_and_comes_back() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let sources = [
        save_post(),
        json!({"kind": "post_type", "post_type": "product"}),
        json!({"kind": "option", "option": "blogname"}),
        json!({"kind": "webhook", "verify": "woocommerce"}),
        json!({"kind": "dispatch"}),
    ];
    for source in &sources {
        let saved: SavedTrigger = desk.send(&owner, "POST", &path, &spec("T", source.clone())).ok();
        let webhook = source["kind"] == "webhook";
        assert_eq!(
            (
                saved.webhook_secret.is_some(),
                saved.trigger.webhook_url.is_some()
            ),
            (webhook, webhook)
        );
    }
    let list: Triggers = desk.get(&owner, &path).ok();
    assert_eq!((list.version, list.triggers.len()), (5, 5));
    let sent = serde_json::to_value(&list.triggers[0].spec).unwrap();
    assert_eq!(sent, spec("T", save_post()));
    assert_eq!(
        desk.get(&owner, &path.replace("/triggers", "")).ok::<Value>()["triggers"],
        5
    );
}

#[test]
fn every_fault_of_a_trigger_is_named() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let mut bad = spec("", save_post());
    bad["channel"] = json!("wps:connections");
    let error: ApiError = desk.send(&owner, "POST", &path, &bad).json();
    assert_eq!(
        error.fields.iter().map(|f| f.field.as_str()).collect::<Vec<_>>(),
        ["name", "channel"]
    );
    assert_eq!(desk.get(&owner, &path).ok::<Triggers>().triggers.len(), 0);
}

#[test]
fn a_change_of_a_version_that_has_moved_on_is_refused() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let saved: SavedTrigger = desk.send(&owner, "POST", &path, &spec("One", save_post())).ok();
    let own = format!("{path}/{}", saved.trigger.id);
    let change = |version: u64, name: &str| {
        desk.send(
            &owner,
            "PUT",
            &own,
            &json!({"version": version, "spec": spec(name, save_post())}),
        )
    };
    assert_eq!(change(1, "Two").ok::<SavedTrigger>().trigger.version, 2);
    assert_eq!(change(1, "Three").refusal(), (409, "conflict".to_owned()));
    assert_eq!(
        desk.get(&owner, &path).ok::<Triggers>().triggers[0].spec.name,
        "Two"
    );
    assert_eq!(desk.send(&owner, "DELETE", &own, &()).status, 200);
    assert_eq!(desk.send(&owner, "DELETE", &own, &()).status, 404);
}

#[test]
fn a_trigger_of_another_site_is_not_there() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let other = desk.site(&owner, "https://other.example").site_key;
    let saved: SavedTrigger = desk.send(&owner, "POST", &path, &spec("One", save_post())).ok();
    let through = format!("/api/sites/{other}/triggers/{}", saved.trigger.id);
    assert_eq!(desk.send(&owner, "DELETE", &through, &()).status, 404);
    let change = json!({"version": 1, "spec": spec("x", save_post())});
    assert_eq!(desk.send(&owner, "PUT", &through, &change).status, 404);
}

#[test]
fn the_order_is_kept_and_must_name_each_once() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let ids = ["A", "B", "C"].map(|name| {
        desk.send(&owner, "POST", &path, &spec(name, save_post()))
            .ok::<SavedTrigger>()
            .trigger
            .id
    });
    let order = |ids: &[&String]| desk.send(&owner, "POST", &format!("{path}/order"), &json!({"ids": ids}));
    let list: Triggers = order(&[&ids[2], &ids[0], &ids[1]]).ok();
    assert_eq!(
        list.triggers
            .iter()
            .map(|t| t.spec.name.as_str())
            .collect::<String>(),
        "CAB"
    );
    assert_eq!(order(&[&ids[0], &ids[1]]).status, 400);
    assert_eq!(order(&[&ids[0], &ids[1], &ids[1]]).status, 400);
    let added: SavedTrigger = desk.send(&owner, "POST", &path, &spec("D", save_post())).ok();
    assert_eq!(
        desk.get(&owner, &path).ok::<Triggers>().triggers[3].id,
        added.trigger.id
    );
}

#[test]
fn a_file_of_triggers_goes_to_another_site_whole_or_not_at_all() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    for name in ["A", "B"] {
        desk.send(
            &owner,
            "POST",
            &path,
            &spec(name, json!({"kind": "webhook", "verify": "bearer"})),
        )
        .ok::<SavedTrigger>();
    }
    let file = desk.get(&owner, &format!("{path}/export"));
    assert!(!String::from_utf8_lossy(&file.body).contains("secret"));
    let file: TriggerDocument = file.ok();
    let other = format!(
        "/api/sites/{}/triggers",
        desk.site(&owner, "https://other.example").site_key
    );
    let import = |document: &Value, replace: bool| {
        desk.send(
            &owner,
            "POST",
            &format!("{other}/import"),
            &json!({"document": document, "replace": replace}),
        )
    };
    let good = serde_json::to_value(&file).unwrap();
    assert_eq!(import(&good, false).ok::<Triggers>().triggers.len(), 2);
    assert_eq!(import(&good, false).ok::<Triggers>().triggers.len(), 4);
    let mut bad = good.clone();
    bad["triggers"][1]["event"] = json!("");
    assert_eq!(
        import(&bad, true).json::<ApiError>().fields[0].field,
        "document.triggers.1.event"
    );
    assert_eq!(desk.get(&owner, &other).ok::<Triggers>().triggers.len(), 4);
    assert_eq!(import(&good, true).ok::<Triggers>().triggers.len(), 2);
    bad["format"] = json!("something else");
    assert_eq!(
        import(&bad, true).json::<ApiError>().fields[0].field,
        "document.format"
    );
    let many = json!({"format": TriggerDocument::FORMAT, "triggers": vec![spec("x", save_post()); 201]});
    assert_eq!(import(&many, true).status, 400);
    assert_eq!(desk.get(&owner, &other).ok::<Triggers>().triggers.len(), 2);
}

#[test]
fn a_test_shows_what_would_be_published_and_publishes_if_asked() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let saved: SavedTrigger = desk.send(&owner, "POST", &path, &spec("One", save_post())).ok();
    let test = |input: Value, publish: bool| {
        let body = json!({"input": input, "publish": publish});
        desk.send(
            &owner,
            "POST",
            &format!("{path}/{}/test", saved.trigger.id),
            &body,
        )
        .ok::<TriggerTestResult>()
    };
    let input = json!([5, {"post_title": "Hi", "post_status": "publish"}]);
    let shown = test(input.clone(), false);
    assert!(shown.matched && !shown.published && shown.data == json!({"title": "Hi"}));
    assert_eq!(desk.relay.published.borrow().len(), 0);
    assert!(test(input, true).published);
    assert_eq!(desk.relay.published.borrow().len(), 1);
    let draft = test(json!([5, {"post_status": "draft"}]), true);
    assert!(!draft.matched && !draft.published && draft.missing == ["1.post_title"]);
    assert_eq!(desk.relay.published.borrow().len(), 1);
    let list: Triggers = desk.get(&owner, &path).ok();
    assert_eq!(
        (list.triggers[0].fired, list.triggers[0].last_fired_at),
        (1, Some(desk.now_ms))
    );
}

#[test]
fn a_webhooks_secret_needs_the_password_and_stays_through_changes() {
    let (desk, owner) = Desk::owned();
    let (_, path) = site(&desk, &owner);
    let webhook = json!({"kind": "webhook", "verify": "github"});
    let saved: SavedTrigger = desk
        .send(&owner, "POST", &path, &spec("One", webhook.clone()))
        .ok();
    let first = saved.webhook_secret.unwrap();
    let own = format!("{path}/{}", saved.trigger.id);
    let ask = |body: Value| desk.send(&owner, "POST", &format!("{own}/secret"), &body);
    assert_eq!(ask(json!({})).refusal(), (403, "wrong_password".to_owned()));
    assert_eq!(
        ask(json!({"password": PASSWORD})).ok::<WebhookSecret>().secret,
        first
    );
    let changed: SavedTrigger = desk
        .send(
            &owner,
            "PUT",
            &own,
            &json!({"version": 1, "spec": spec("Two", webhook)}),
        )
        .ok();
    assert_eq!(changed.webhook_secret, None);
    assert_eq!(
        ask(json!({"password": PASSWORD})).ok::<WebhookSecret>().secret,
        first
    );
    let renewed = ask(json!({"password": PASSWORD, "renew": true}))
        .ok::<WebhookSecret>()
        .secret;
    assert_ne!(renewed, first);
    let plain: SavedTrigger = desk.send(&owner, "POST", &path, &spec("Plain", save_post())).ok();
    let reply = desk.send(
        &owner,
        "POST",
        &format!("{path}/{}/secret", plain.trigger.id),
        &json!({"password": PASSWORD}),
    );
    assert_eq!(reply.refusal(), (409, "conflict".to_owned()));
}

fn fetched(desk: &Desk, key: &str, secret: &str, etag: Option<&str>) -> Reply {
    let mut ask = desk.request(&As::default(), "GET", "/site/triggers", Bytes::new());
    let sign = signature_hex(secret, b"", desk.now_ms);
    for (name, value) in [
        ("x-wp-signal-key", key),
        ("x-wp-signal-ts", &desk.now_ms.to_string()),
        ("x-wp-signal-sign", &sign),
    ] {
        ask.headers.insert(
            http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
    }
    if let Some(etag) = etag {
        ask.headers.insert("if-none-match", etag.parse().unwrap());
    }
    ask.headers.insert("host", "any.example".parse().unwrap());
    desk.ask(ask)
}

#[test]
fn wordpress_gets_the_enabled_ones_it_evaluates_and_not_twice() {
    let (desk, owner) = Desk::owned();
    let (credentials, path) = site(&desk, &owner);
    desk.send(&owner, "POST", &path, &spec("WP", save_post()))
        .ok::<SavedTrigger>();
    desk.send(
        &owner,
        "POST",
        &path,
        &spec("Hook", json!({"kind": "webhook", "verify": "bearer"})),
    )
    .ok::<SavedTrigger>();
    let mut off = spec("Off", save_post());
    off["enabled"] = json!(false);
    desk.send(&owner, "POST", &path, &off).ok::<SavedTrigger>();

    let reply = fetched(&desk, &credentials.site_key, &credentials.publish_secret, None);
    let list: SiteTriggers = reply.ok();
    assert_eq!(
        list.triggers
            .iter()
            .map(|t| t.spec.name.as_str())
            .collect::<Vec<_>>(),
        ["WP"]
    );
    let etag = reply.headers["etag"].to_str().unwrap();
    let again = fetched(
        &desk,
        &credentials.site_key,
        &credentials.publish_secret,
        Some(etag),
    );
    assert_eq!((again.status, again.body.len()), (304, 0));
    desk.send(&owner, "POST", &path, &spec("More", save_post()))
        .ok::<SavedTrigger>();
    assert_eq!(
        fetched(
            &desk,
            &credentials.site_key,
            &credentials.publish_secret,
            Some(etag)
        )
        .status,
        200
    );

    assert_eq!(
        fetched(&desk, &credentials.site_key, "wrong", None).refusal(),
        (401, "invalid_signature".to_owned())
    );
    assert_eq!(
        fetched(&desk, "unknown", "wrong", None).refusal(),
        (401, "unknown_site_key".to_owned())
    );
    let bare = desk.ask(desk.request(&As::default(), "GET", "/site/triggers", Bytes::new()));
    assert_eq!(bare.refusal(), (400, "invalid_request".to_owned()));
}

#[test]
fn what_wordpress_evaluated_is_counted_for_its_own_site_only() {
    let (desk, owner) = Desk::owned();
    let (credentials, path) = site(&desk, &owner);
    let other = desk.site(&owner, "https://other.example");
    let id_of = |key: &str| desk.store.sites().by_key(key).unwrap().id;
    let saved: SavedTrigger = desk.send(&owner, "POST", &path, &spec("One", save_post())).ok();
    let trigger = saved.trigger.id;
    desk.admin
        .fired_in_wordpress(id_of(&other.site_key), &trigger, desk.now_ms);
    desk.admin
        .fired_in_wordpress(id_of(&credentials.site_key), "not an id", desk.now_ms);
    let fired = |desk: &Desk| desk.get(&owner, &path).ok::<Triggers>().triggers[0].fired;
    assert_eq!(fired(&desk), 0);
    desk.admin
        .fired_in_wordpress(id_of(&credentials.site_key), &trigger, desk.now_ms);
    assert_eq!(fired(&desk), 1);
    let rows = vec![
        (id_of(&other.site_key).0, trigger.clone(), 5, 1),
        (id_of(&credentials.site_key).0, trigger, 2, 1),
    ];
    desk.store
        .write_blocking(move |tx| crate::store::triggers::add_fired(tx, &rows))
        .unwrap();
    assert_eq!(fired(&desk), 3);
}
