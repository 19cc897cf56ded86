//! Webhooks and dispatch.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use hookcast_api::trigger::{SavedTrigger, Triggers};
use http::HeaderName;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{As, Desk, Reply};
use crate::insight::{LogOrigin, Surface};

fn hmac(secret: &str, body: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn post(desk: &Desk, path: &str, headers: &[(&'static str, String)], body: &str) -> Reply {
    let mut ask = desk.request(&As::default(), "POST", path, Bytes::from(body.to_owned()));
    for (name, value) in headers {
        ask.headers
            .insert(HeaderName::from_static(name), value.parse().unwrap());
    }
    ask.headers.insert("host", "any.example".parse().unwrap());
    desk.ask(ask)
}

struct Hook {
    key: String,
    id: String,
    secret: String,
}

fn webhook(desk: &Desk, owner: &As, verify: &str) -> Hook {
    let key = desk.site(owner, &format!("https://{verify}.example")).site_key;
    let spec = json!({
        "name": "Order", "enabled": true, "source": {"kind": "webhook", "verify": verify},
        "channel": "orders", "event": "order.created",
        "data": {"kind": "fields", "fields": [
            {"name": "id", "value": {"kind": "path", "path": "id"}},
            {"name": "sku", "value": {"kind": "path", "path": "items.0.sku"}},
            {"name": "shop", "value": {"kind": "constant", "value": "main"}}]},
        "conditions": {"mode": "any", "rules": [{"path": "status", "comparison": "not_equals", "value": "draft"}]},
    });
    let saved: SavedTrigger = desk
        .send(owner, "POST", &format!("/api/sites/{key}/triggers"), &spec)
        .ok();
    assert_eq!(
        saved.trigger.webhook_url,
        Some(format!("http://localhost:8080/hooks/{}", saved.trigger.id))
    );
    Hook {
        key,
        id: saved.trigger.id,
        secret: saved.webhook_secret.unwrap(),
    }
}

const ORDER: &str = r#"{"id":7,"status":"processing","items":[{"sku":"a-1"}]}"#;

#[test]
fn each_kind_of_sender_proves_itself_and_is_published() {
    let (desk, owner) = Desk::owned();
    for verify in ["woocommerce", "github", "bearer"] {
        let hook = webhook(&desk, &owner, verify);
        let proof = |secret: &str| match verify {
            "woocommerce" => ("x-wc-webhook-signature", STANDARD.encode(hmac(secret, ORDER))),
            "github" => (
                "x-hub-signature-256",
                format!("sha256={}", hex::encode(hmac(secret, ORDER))),
            ),
            _ => ("authorization", format!("Bearer {secret}")),
        };
        let path = format!("/hooks/{}", hook.id);
        assert_eq!(
            post(&desk, &path, &[proof("wrong")], ORDER).refusal(),
            (401, "invalid_signature".to_owned())
        );
        assert_eq!(
            post(&desk, &path, &[], ORDER).refusal(),
            (401, "invalid_signature".to_owned())
        );
        assert_eq!(
            desk.relay.refused.borrow().last(),
            Some(&("invalid_signature", Surface::Webhook))
        );
        assert_eq!(post(&desk, &path, &[proof(&hook.secret)], ORDER).status, 200);
        let published = desk.relay.published.borrow();
        let (site, message) = published.last().unwrap();
        assert_eq!(
            (site, message.channel.as_str(), message.event.as_str()),
            (&hook.key, "orders", "order.created")
        );
        assert_eq!(message.origin, LogOrigin::Trigger);
        assert_eq!(
            serde_json::from_slice::<Value>(&message.data).unwrap(),
            json!({"id": 7, "sku": "a-1", "shop": "main"})
        );
    }
    assert_eq!(desk.relay.published.borrow().len(), 3);
}

#[test]
fn a_missing_path_is_left_out_and_a_condition_that_fails_publishes_nothing() {
    let (desk, owner) = Desk::owned();
    let hook = webhook(&desk, &owner, "bearer");
    let send = |body: &str| {
        let proof = ("authorization", format!("Bearer {}", hook.secret));
        post(&desk, &format!("/hooks/{}", hook.id), &[proof], body)
    };
    assert_eq!(send(r#"{"id":8}"#).status, 200);
    let data = desk.relay.published.borrow()[0].1.data.clone();
    assert_eq!(
        serde_json::from_slice::<Value>(&data).unwrap(),
        json!({"id": 8, "shop": "main"})
    );
    let problem = |desk: &Desk| {
        let list: Triggers = desk
            .get(&owner, &format!("/api/sites/{}/triggers", hook.key))
            .ok();
        (
            list.triggers[0].fired,
            list.triggers[0].last_problem.clone().unwrap_or_default(),
        )
    };
    assert_eq!(problem(&desk), (1, "not in its input: items.0.sku".to_owned()));
    assert_eq!(send(r#"{"status":"draft"}"#).status, 200);
    assert_eq!(problem(&desk), (1, "its conditions did not hold".to_owned()));
    assert_eq!(send("not json").refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(
        send("webhook_id=3").status,
        200,
        "WooCommerce asks a new address with a form"
    );
    assert_eq!(desk.relay.published.borrow().len(), 1);
}

#[test]
fn a_webhook_that_is_off_unknown_or_of_an_archived_site_is_not_there() {
    let (desk, owner) = Desk::owned();
    let hook = webhook(&desk, &owner, "bearer");
    let send = || {
        post(
            &desk,
            &format!("/hooks/{}", hook.id),
            &[("authorization", format!("Bearer {}", hook.secret))],
            ORDER,
        )
    };
    assert_eq!(
        post(&desk, "/hooks/0123456789abcdef", &[], ORDER).refusal(),
        (404, "not_found".to_owned())
    );
    assert_eq!(send().status, 200);
    let archive = json!({"confirm": "bearer.example"});
    assert_eq!(
        desk.send(
            &owner,
            "POST",
            &format!("/api/sites/{}/archive", hook.key),
            &archive
        )
        .status,
        200
    );
    assert_eq!(send().refusal(), (404, "not_found".to_owned()));
}

fn dispatching(desk: &Desk, owner: &As, url: &str) -> (String, String) {
    let key = desk.site(owner, url).site_key;
    let token: Value = desk
        .send(
            owner,
            "POST",
            &format!("/api/sites/{key}/dispatch/token"),
            &json!({}),
        )
        .ok();
    assert!(
        token["php"]
            .as_str()
            .unwrap()
            .contains("wp_remote_post( 'http://localhost:8080/dispatch'")
    );
    (key, token["token"].as_str().unwrap().to_owned())
}

const EVENT: &str = r#"{"event":"order","data":{"n":1},"timestamp":1700000000}"#;

#[test]
fn a_dispatch_needs_its_sites_token_and_goes_to_events() {
    let (desk, owner) = Desk::owned();
    let (key, token) = dispatching(&desk, &owner, "https://shop.example");
    let bearer = |token: &str| vec![("authorization", format!("Bearer {token}"))];
    for (path, headers) in [
        ("/dispatch".to_owned(), vec![]),
        ("/dispatch".to_owned(), bearer("wrong")),
        ("/dispatch?token=".to_owned(), vec![]),
    ] {
        let reply = post(&desk, &path, &headers, EVENT);
        let body: Value = reply.json();
        assert_eq!(
            (reply.status, body["status"].as_str(), body["error"].as_str()),
            (401, Some("error"), Some("unauthorized"))
        );
    }
    for (path, headers) in [
        ("/dispatch".to_owned(), bearer(&token)),
        (format!("/dispatch?token={token}"), vec![]),
    ] {
        let body: Value = post(&desk, &path, &headers, EVENT).ok();
        assert_eq!(body, json!({"status": "success", "message": "Event broadcasted"}));
    }
    let published = desk.relay.published.borrow();
    assert_eq!(published.len(), 2);
    let (site, message) = &published[0];
    assert_eq!(
        (site, message.channel.as_str(), message.event.as_str()),
        (&key, "events", "order")
    );
    assert_eq!(
        (&message.data[..], message.origin),
        (&br#"{"n":1}"#[..], LogOrigin::Dispatch)
    );
    assert_eq!(desk.relay.raw.borrow().len(), 0);
}

#[test]
fn a_dispatch_without_an_event_is_an_error_in_the_recipes_words() {
    let (desk, owner) = Desk::owned();
    let (_, token) = dispatching(&desk, &owner, "https://shop.example");
    for body in [
        r#"{"data":1}"#,
        r#"{"event":""}"#,
        r#"{"event":5}"#,
        "no json",
        "[]",
    ] {
        let reply = post(&desk, &format!("/dispatch?token={token}"), &[], body);
        assert_eq!(
            (reply.status, reply.json::<Value>()["status"].as_str()),
            (400, Some("error")),
            "{body}"
        );
    }
}

#[test]
fn a_dispatch_trigger_says_where_its_event_goes() {
    let (desk, owner) = Desk::owned();
    let (key, token) = dispatching(&desk, &owner, "https://shop.example");
    let add = |name: &str, event: Option<&str>, channel: &str| {
        let mut source = json!({"kind": "dispatch"});
        if let Some(event) = event {
            source["event"] = json!(event);
        }
        let spec = json!({
            "name": name, "enabled": true, "source": source, "channel": channel, "event": "mapped",
            "data": {"kind": "whole", "path": "data"},
        });
        desk.send(&owner, "POST", &format!("/api/sites/{key}/triggers"), &spec)
            .ok::<SavedTrigger>();
    };
    add("Orders", Some("order"), "orders");
    let send = |body: &str| {
        let sent = post(&desk, &format!("/dispatch?token={token}"), &[], body);
        assert_eq!(sent.status, 200);
    };
    let last = || {
        let published = desk.relay.published.borrow();
        let message = &published.last().unwrap().1;
        (message.channel.clone(), message.event.clone())
    };
    send(EVENT);
    assert_eq!(last(), ("orders".to_owned(), "mapped".to_owned()));
    send(r#"{"event":"other"}"#);
    assert_eq!(last(), ("events".to_owned(), "other".to_owned()));
    add("Rest", None, "rest");
    send(r#"{"event":"other"}"#);
    assert_eq!(last(), ("rest".to_owned(), "mapped".to_owned()));
    send(EVENT);
    assert_eq!(last(), ("orders".to_owned(), "mapped".to_owned()));
    assert_eq!(desk.relay.published.borrow().len(), 4);
}

#[test]
fn an_open_site_takes_dispatches_from_this_machine_and_no_other() {
    let (desk, owner) = Desk::owned();
    let (key, _) = dispatching(&desk, &owner, "https://shop.example");
    assert_eq!(post(&desk, "/dispatch", &[], EVENT).status, 401);
    let open = |key: &str, open: bool| {
        desk.send(
            &owner,
            "PATCH",
            &format!("/api/sites/{key}/dispatch"),
            &json!({"open": open}),
        )
        .ok::<Value>()
    };
    assert_eq!(open(&key, true)["open"], true);
    assert_eq!(post(&desk, "/dispatch", &[], EVENT).status, 200);
    assert_eq!(&desk.relay.raw.borrow()[0][..], EVENT.as_bytes());
    // What a proxy on this machine passes on comes from elsewhere.
    assert_eq!(
        post(
            &desk,
            "/dispatch",
            &[("x-forwarded-for", "203.0.113.9".to_owned())],
            EVENT
        )
        .status,
        401
    );
    let mut ask = desk.request(
        &As::default(),
        "POST",
        "/dispatch",
        Bytes::from_static(EVENT.as_bytes()),
    );
    ask.direct = "203.0.113.9".parse().unwrap();
    assert_eq!(desk.ask(ask).status, 401);
    let (second, _) = dispatching(&desk, &owner, "https://second.example");
    open(&second, true);
    assert_eq!(
        post(&desk, "/dispatch", &[], EVENT).status,
        401,
        "which of the two?"
    );
    open(&second, false);
    open(&key, false);
    assert_eq!(post(&desk, "/dispatch", &[], EVENT).status, 401);
}

#[test]
fn dispatch_is_off_until_it_is_switched_on_and_keeps_its_token() {
    let (desk, owner) = Desk::owned();
    let key = desk.site(&owner, "https://shop.example").site_key;
    let path = format!("/api/sites/{key}/dispatch");
    assert_eq!(desk.get(&owner, &path).ok::<Value>()["enabled"], false);
    assert_eq!(
        desk.send(&owner, "PATCH", &path, &json!({"open": true})).status,
        400
    );
    let on: Value = desk.send(&owner, "PATCH", &path, &json!({"enabled": true})).ok();
    let hint = on["token_hint"].as_str().unwrap().to_owned();
    let open: Value = desk.send(&owner, "PATCH", &path, &json!({"open": true})).ok();
    assert_eq!(open["token_hint"], hint.as_str());
    let off: Value = desk.send(&owner, "PATCH", &path, &json!({"enabled": false})).ok();
    assert_eq!(
        (off["enabled"].as_bool(), off["open"].as_bool()),
        (Some(false), Some(false))
    );
}
