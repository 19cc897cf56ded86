//! Sites as the operator looks after them.

use hookcast_api::ApiError;
use hookcast_api::site::{Credentials, Site, SiteStatus, Sites, Usage, WpConfig};
use hookcast_api::tools::{MintedToken, SignatureCheck, TokenReport};
use serde_json::{Value, json};

use super::{Desk, PASSWORD};

const URL: &str = "https://shop.example";

#[test]
fn a_site_is_added_changed_and_listed() {
    let (desk, owner) = Desk::owned();
    let key = desk.site(&owner, URL).site_key;
    let path = format!("/api/sites/{key}");
    let site: Site = desk.get(&owner, &path).ok();
    assert_eq!(
        (site.name.as_str(), site.url.as_str(), site.status),
        ("shop.example", URL, SiteStatus::Active)
    );

    let change = json!({
        "name": "Shop", "url": "https://www.shop.example/", "origins": ["https://shop.example"],
        "limits": {"connections": 100, "publishes_per_second": 5, "messages_per_month": 0},
    });
    let changed: Site = desk.send(&owner, "PATCH", &path, &change).ok();
    assert_eq!(
        (changed.name.as_str(), changed.url.as_str()),
        ("Shop", "https://www.shop.example")
    );
    assert_eq!(changed.limits.connections, Some(100));
    let sites = desk.store.sites();
    let live = sites.by_key(&key).unwrap();
    assert_eq!(
        (
            live.limits.connections_max,
            live.limits.publish_rate,
            live.limits.publish_burst
        ),
        (100, 5, 15)
    );
    assert_eq!(live.origins, ["https://shop.example"]);
    assert_eq!(desk.get(&owner, "/api/sites").ok::<Sites>().sites, [changed]);
}

#[test]
fn what_is_wrong_with_a_site_is_named_with_its_field() {
    let (desk, owner) = Desk::owned();
    let key = desk.site(&owner, URL).site_key;
    desk.site(&owner, "https://other.example");
    let field = |reply: super::Reply| {
        assert_eq!(reply.status, 400);
        reply.json::<ApiError>().fields[0].field.clone()
    };
    assert_eq!(
        field(desk.send(
            &owner,
            "POST",
            "/api/sites",
            &json!({"url": "https://SHOP.example/"})
        )),
        "url"
    );
    assert_eq!(
        field(desk.send(&owner, "POST", "/api/sites", &json!({"url": "shop"}))),
        "url"
    );
    let path = format!("/api/sites/{key}");
    for (change, wrong) in [
        (json!({"name": ""}), "name"),
        (json!({"url": "https://other.example"}), "url"),
        (json!({"url": "nowhere"}), "url"),
        (json!({"origins": ["not an origin"]}), "origins"),
        (json!({"limits": {"messages_per_month": 1_u64 << 41}}), "limits"),
    ] {
        assert_eq!(
            field(desk.send(&owner, "PATCH", &path, &change)),
            wrong,
            "{change}"
        );
    }
    assert_eq!(
        desk.send(&owner, "PATCH", "/api/sites/nothing", &json!({"name": "x"}))
            .status,
        404
    );
}

#[test]
fn credentials_are_shown_after_the_password_or_by_a_keys_scope() {
    let (desk, owner) = Desk::owned();
    let added = desk.site(&owner, URL);
    let path = format!("/api/sites/{}/credentials", added.site_key);
    let wrong = desk.send(&owner, "POST", &path, &json!({"password": "not it at all"}));
    assert_eq!(wrong.refusal(), (403, "wrong_password".to_owned()));
    assert_eq!(desk.send(&owner, "POST", &path, &json!({})).status, 403);
    let shown: Credentials = desk
        .send(&owner, "POST", &path, &json!({"password": PASSWORD}))
        .ok();
    assert_eq!(shown.publish_secret, added.publish_secret);
    let key = desk.key(&owner, &["secrets"]);
    let shown: Credentials = desk.send(&key, "POST", &path, &json!({})).ok();
    assert_eq!(shown.jwt_secret, added.jwt_secret);
}

#[test]
fn guessing_the_password_for_a_secret_is_slowed_down_too() {
    let (desk, owner) = Desk::owned();
    let path = format!("/api/sites/{}/credentials", desk.site(&owner, URL).site_key);
    let guess = || {
        desk.send(&owner, "POST", &path, &json!({"password": "a wrong guess"}))
            .status
    };
    assert!((0..50).any(|_| guess() == 429));
}

#[test]
fn rotated_secrets_overlap_for_as_long_as_was_asked() {
    let (mut desk, owner) = Desk::owned();
    let before = desk.site(&owner, URL);
    let path = format!("/api/sites/{}/rotate", before.site_key);
    let body = |seconds: u32| json!({"password": PASSWORD, "overlap_seconds": seconds});
    let refused = desk.send(&owner, "POST", &path, &body(8 * 86_400));
    assert_eq!(refused.json::<ApiError>().fields[0].field, "overlap_seconds");
    assert_eq!(
        desk.send(&owner, "POST", &path, &json!({"overlap_seconds": 0}))
            .status,
        403
    );
    let after: Credentials = desk.send(&owner, "POST", &path, &body(60)).ok();
    assert_ne!(after.publish_secret, before.publish_secret);
    let valid = |now_ms| {
        let sites = desk.store.sites();
        sites
            .by_key(&before.site_key)
            .unwrap()
            .publish_secrets
            .valid(now_ms)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        valid(desk.now_ms + 59_999),
        [after.publish_secret.clone(), before.publish_secret.clone()]
    );
    assert_eq!(
        valid(desk.now_ms + 60_000),
        std::slice::from_ref(&after.publish_secret)
    );
    let site = |desk: &Desk| {
        desk.get(&owner, &format!("/api/sites/{}", before.site_key))
            .ok::<Site>()
    };
    assert_eq!(site(&desk).previous_secrets_until, Some(desk.now_ms + 60_000));
    desk.now_ms += 60_000;
    assert_eq!(site(&desk).previous_secrets_until, None);
}

#[test]
fn archiving_needs_the_name_and_restoring_brings_everything_back() {
    let (desk, owner) = Desk::owned();
    let added = desk.site(&owner, URL);
    let path = format!("/api/sites/{}", added.site_key);
    let refused = desk.send(
        &owner,
        "POST",
        &format!("{path}/archive"),
        &json!({"confirm": "shop"}),
    );
    assert_eq!(refused.json::<ApiError>().fields[0].field, "confirm");
    let archived: Site = desk
        .send(
            &owner,
            "POST",
            &format!("{path}/archive"),
            &json!({"confirm": "shop.example"}),
        )
        .ok();
    assert_eq!(
        (archived.status, archived.archived_at),
        (SiteStatus::Archived, Some(desk.now_ms))
    );
    let publish = json!({"channel": "a", "event": "b", "data": 1});
    assert_eq!(
        desk.send(&owner, "POST", &format!("{path}/publish"), &publish)
            .refusal(),
        (409, "conflict".to_owned())
    );
    let restored: Site = desk
        .send(&owner, "POST", &format!("{path}/restore"), &json!({}))
        .ok();
    assert_eq!(restored.status, SiteStatus::Active);
    assert_eq!(
        desk.store
            .sites()
            .by_key(&added.site_key)
            .unwrap()
            .publish_secrets
            .current,
        added.publish_secret
    );
}

#[test]
fn a_site_that_is_switched_off_says_so() {
    let (desk, owner) = Desk::owned();
    let path = format!("/api/sites/{}", desk.site(&owner, URL).site_key);
    let off: Site = desk
        .send(&owner, "PATCH", &path, &json!({"deactivated": true}))
        .ok();
    assert_eq!(off.status, SiteStatus::AccountDeactivated);
    let on: Site = desk
        .send(&owner, "PATCH", &path, &json!({"deactivated": false}))
        .ok();
    assert_eq!(on.status, SiteStatus::Active);
}

#[test]
fn usage_has_a_row_for_every_day() {
    let (desk, owner) = Desk::owned();
    let path = format!("/api/sites/{}/usage", desk.site(&owner, URL).site_key);
    let usage: Usage = desk.get(&owner, &format!("{path}?days=7")).ok();
    assert_eq!((usage.days.len(), usage.days[6].day.as_str()), (7, "2027-01-15"));
    assert_eq!(desk.get(&owner, &path).ok::<Usage>().days.len(), 30);
    assert_eq!(desk.get(&owner, &format!("{path}?days=x")).status, 400);
}

#[test]
fn the_wp_config_line_points_wordpress_at_the_relay() {
    let (desk, owner) = Desk::owned();
    let key = desk.site(&owner, URL).site_key;
    let config: WpConfig = desk.get(&owner, &format!("/api/sites/{key}/wp-config")).ok();
    assert_eq!(
        config.lines,
        "define( 'WPSignal\\\\BASE_URL', 'http://localhost:8080' );\n"
    );
}

#[test]
fn publishing_by_hand_is_marked_as_the_operators() {
    let (desk, owner) = Desk::owned();
    let key = desk.site(&owner, URL).site_key;
    let body = json!({"channel": "events", "event": "hello", "data": {"n": 1}});
    assert_eq!(
        desk.send(&owner, "POST", &format!("/api/sites/{key}/publish"), &body)
            .status,
        200
    );
    let published = desk.relay.published.borrow();
    assert_eq!(
        (published[0].0.as_str(), published[0].1.origin),
        (key.as_str(), crate::insight::LogOrigin::Operator)
    );
    assert_eq!(&published[0].1.data[..], br#"{"n":1}"#);
}

#[test]
fn a_minted_token_is_accepted_for_exactly_what_it_was_minted_for() {
    let (mut desk, owner) = Desk::owned();
    let key = desk.site(&owner, URL).site_key;
    let path = format!("/api/sites/{key}/tokens");
    let body = |lifetime: u32| json!({"user": "7", "subscribe": ["events"], "publish": [], "lifetime_seconds": lifetime});
    assert_eq!(
        desk.send(&owner, "POST", &path, &body(5))
            .json::<ApiError>()
            .fields[0]
            .field,
        "lifetime_seconds"
    );
    let minted: MintedToken = desk.send(&owner, "POST", &path, &body(60)).ok();
    assert_eq!(minted.ws_url, "ws://localhost:8080/ws");
    let inspect = |desk: &Desk, token: &str| {
        let body = json!({"token": token, "channels": ["events", "events.more", "other"]});
        desk.send(&owner, "POST", "/api/tokens/inspect", &body)
            .ok::<TokenReport>()
    };
    let report = inspect(&desk, &minted.token);
    assert!(
        report.accepted && report.signature == SignatureCheck::Current,
        "{report:?}"
    );
    assert_eq!(
        (report.user.as_deref(), report.may_subscribe.as_slice()),
        (Some("7"), &["events".to_owned()][..])
    );
    assert_eq!(
        report
            .channels
            .iter()
            .map(|c| (c.subscribe, c.publish))
            .collect::<Vec<_>>(),
        [(true, false), (true, false), (false, false)]
    );

    let mut forged = minted.token.clone();
    forged.replace_range(forged.len() - 4.., "AAAA");
    let report = inspect(&desk, &forged);
    assert_eq!(
        (report.accepted, report.signature),
        (false, SignatureCheck::Wrong)
    );
    assert_eq!(report.refusal.unwrap().close_code, 4001);

    desk.now_ms += 120_000;
    let report = inspect(&desk, &minted.token);
    assert!(report.refusal.unwrap().message.contains("expired"));
    let report = inspect(&desk, "not a token");
    assert_eq!(
        (report.claims, report.signature),
        (None, SignatureCheck::Unchecked)
    );
}

#[test]
fn secrets_of_sites_reach_neither_lists_nor_the_audit_log() {
    let (desk, owner) = Desk::owned();
    let added = desk.site(&owner, URL);
    let path = format!("/api/sites/{}", added.site_key);
    let rotated: Credentials = desk
        .send(
            &owner,
            "POST",
            &format!("{path}/rotate"),
            &json!({"password": PASSWORD, "overlap_seconds": 0}),
        )
        .ok();
    let token: Value = desk
        .send(&owner, "POST", &format!("{path}/dispatch/token"), &json!({}))
        .ok();
    let minted: MintedToken = desk
        .send(
            &owner,
            "POST",
            &format!("{path}/tokens"),
            &json!({"user": "7", "subscribe": [""], "publish": [], "lifetime_seconds": 60}),
        )
        .ok();
    for shown in [
        "/api/sites",
        &path,
        "/api/audit?limit=500",
        "/api/insight",
        "/api/config",
        &format!("{path}/dispatch"),
    ] {
        let text = String::from_utf8(desk.get(&owner, shown).body).unwrap();
        for secret in [
            &added.publish_secret,
            &added.jwt_secret,
            &rotated.publish_secret,
            &rotated.jwt_secret,
            &minted.token,
            token["token"].as_str().unwrap(),
        ] {
            assert!(!text.contains(secret), "{shown}");
        }
    }
    let actions = desk
        .audit(&owner)
        .into_iter()
        .map(|(action, _)| action)
        .collect::<Vec<_>>();
    for action in [
        "site.added",
        "site.secrets_rotated",
        "site.dispatch_token_made",
        "token.minted",
        "relay.set_up",
    ] {
        assert!(actions.iter().any(|done| done == action), "{action}: {actions:?}");
    }
}

#[test]
fn the_audit_log_goes_by_pages_and_by_site() {
    let (desk, owner) = Desk::owned();
    let one = desk.site(&owner, URL).site_key;
    desk.site(&owner, "https://other.example");
    let first: hookcast_api::tools::AuditLog = desk.get(&owner, "/api/audit?limit=2").ok();
    assert_eq!(first.entries.len(), 2);
    let rest: hookcast_api::tools::AuditLog = desk
        .get(
            &owner,
            &format!("/api/audit?limit=100&before={}", first.next_before.unwrap()),
        )
        .ok();
    assert!(rest.entries[0].id < first.entries[1].id && rest.next_before.is_none());
    let of_site: hookcast_api::tools::AuditLog = desk.get(&owner, &format!("/api/audit?site={one}")).ok();
    assert_eq!(
        of_site
            .entries
            .iter()
            .map(|entry| entry.action.as_str())
            .collect::<Vec<_>>(),
        ["site.added"]
    );
}
