//! What outlives the process: counts, backups, exports, and directories of other versions.

use hookcast::ids::SiteId;
use hookcast::site::{SiteLimits, SiteStatus};
use hookcast::store::sites::{self, LimitOverrides};
use hookcast::store::{Role, StoreError, StoreHandle, backup, transfer, triggers, usage};
use hookcast_api::trigger::TriggerSpec;

use super::{NAMES, NOW, open, register};

#[test]
fn usage_and_the_months_count_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let defaults = SiteLimits {
        monthly_quota: 3,
        ..SiteLimits::default()
    };
    let serve = || StoreHandle::open(dir.path(), Role::Server, defaults).unwrap();
    let now = hookcast::clock::unix_ms();
    let store = serve();
    let key = register(&store, "https://one.example").site_key;
    let site = store.sites().by_key(&key).unwrap().clone();
    for _ in 0..2 {
        site.admit_publish(1, now).unwrap();
        site.live.usage.published(10);
        site.live.usage.delivered(5, 10);
    }
    site.live.usage.refused("rate_limited");
    store.close();
    drop(store);

    let store = serve();
    let site = store.sites().by_key(&key).unwrap().clone();
    assert_eq!(site.live.month.used(now), 2);
    site.admit_publish(1, now).unwrap();
    site.live.usage.published(10);
    assert_eq!(site.admit_publish(1, now).unwrap_err().code, "quota_exceeded");
    store.close();
    drop(store);

    let store = serve();
    let SiteId(id) = store.sites().by_key(&key).unwrap().id;
    assert_eq!(store.sites().by_key(&key).unwrap().live.month.used(now), 3);
    let days = store.read_blocking(move |db| usage::days(db, id, 0)).unwrap();
    // Two days when midnight fell in between.
    let sum = |of: fn(&usage::Day) -> u64| days.iter().map(of).sum::<u64>();
    assert_eq!((sum(|d| d.published), sum(|d| d.published_bytes)), (3, 30));
    assert_eq!(
        (
            sum(|d| d.delivered),
            sum(|d| d.delivered_bytes),
            sum(|d| d.refused)
        ),
        (10, 100, 1)
    );
}

#[test]
fn a_backup_taken_while_serving_restores_what_it_saw() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("copy.db");
    let server = StoreHandle::open(&data, Role::Server, SiteLimits::default()).unwrap();
    let key = register(&server, "https://one.example").site_key;
    backup::backup(&data, &file, false).unwrap();
    assert!(matches!(
        backup::backup(&data, &file, false),
        Err(StoreError::Invalid(_))
    ));
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    register(&server, "https://two.example");

    assert!(matches!(
        backup::restore(&data, &file, NOW),
        Err(StoreError::InUse(_))
    ));
    server.close();
    drop(server);
    let restored = backup::restore(&data, &file, NOW).unwrap();
    assert_eq!(restored.sites, 1);
    let store = open(&data);
    assert!(store.sites().by_key(&key).is_some());
    assert_eq!(store.sites().len(), 1);
    drop(store);
    // What was there before is a backup itself.
    backup::restore(&data, &restored.kept.unwrap(), NOW + 1).unwrap();
    assert_eq!(open(&data).sites().len(), 2);
}

#[test]
fn what_is_no_backup_is_refused_and_nothing_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = open(&data);
    register(&store, "https://one.example");
    store.close();
    drop(store);
    let garbage = dir.path().join("garbage");
    std::fs::write(&garbage, "not a database at all, but long enough to be looked at").unwrap();
    assert!(backup::restore(&data, &garbage, NOW).is_err());
    assert!(backup::restore(&data, &dir.path().join("missing"), NOW).is_err());
    let newer = dir.path().join("newer.db");
    backup::backup(&data, &newer, false).unwrap();
    rusqlite::Connection::open(&newer)
        .unwrap()
        .pragma_update(None, "user_version", 9999)
        .unwrap();
    assert!(matches!(
        backup::restore(&data, &newer, NOW),
        Err(StoreError::Newer { found: 9999, .. })
    ));
    assert_eq!(open(&data).sites().len(), 1);
}

#[test]
fn a_directory_of_a_later_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.close();
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("hookcast.db")).unwrap();
    db.pragma_update(None, "user_version", 9999).unwrap();
    let refused = StoreHandle::open(dir.path(), Role::Server, SiteLimits::default())
        .err()
        .unwrap();
    assert!(refused.to_string().contains("later hookcast"), "{refused}");
}

#[test]
fn an_export_imports_elsewhere_with_secrets_and_limits() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (open(&dir.path().join("from")), open(&dir.path().join("to")));
    let site = register(&from, "https://one.example");
    let key = site.site_key.clone();
    from.write_blocking(move |tx| {
        let limits = LimitOverrides {
            publish_rate: Some(3),
            ..LimitOverrides::default()
        };
        sites::set_limits(tx, &key, limits, NOW)?;
        sites::set_origins(tx, &key, &["https://one.example/".to_owned()], NOW)?;
        sites::set_dispatch(tx, &key, Some("t0ken"), true, NOW)
    })
    .unwrap();
    let spec: TriggerSpec = serde_json::from_value(serde_json::json!({
        "name": "Orders", "enabled": true, "source": {"kind": "webhook", "verify": "bearer"},
        "channel": "shop", "event": "order", "data": {"kind": "whole"},
    }))
    .unwrap();
    let trigger = from
        .write_blocking(move |tx| triggers::add(tx, site.id, &spec, NOW))
        .unwrap();
    let archived = register(&from, "https://two.example").site_key;
    let which = archived.clone();
    from.write_blocking(move |tx| sites::archive(tx, &which, NOW))
        .unwrap();

    let json = serde_json::to_string(&from.read_blocking(transfer::export).unwrap()).unwrap();
    let import = |replace| {
        let export: transfer::Export = serde_json::from_str(&json).unwrap();
        to.write_blocking(move |tx| transfer::import(tx, &export, replace, NAMES, NOW))
            .unwrap()
    };
    assert_eq!(import(false).added.len(), 2);
    let (before, after) = (from.sites(), to.sites());
    let (before, after) = (
        before.by_key(&site.site_key).unwrap(),
        after.by_key(&site.site_key).unwrap(),
    );
    assert_eq!(before.publish_secrets, after.publish_secrets);
    assert_eq!(before.jwt_secrets, after.jwt_secrets);
    assert_eq!(
        (before.limits, &before.origins, &before.dispatch),
        (after.limits, &after.origins, &after.dispatch)
    );
    assert_eq!(after.origins, ["https://one.example"]);
    assert_eq!(to.sites().by_key(&archived).unwrap().status, SiteStatus::Archived);
    assert_eq!(import(false).skipped.len(), 2);
    assert_eq!(import(true).replaced.len(), 2);
    // Its address and its secret are what the webhook's sender knows.
    let id = trigger.id.clone();
    let copied = to
        .read_blocking(move |db| triggers::by_id(db, &id))
        .unwrap()
        .unwrap();
    assert_eq!(
        (copied.spec, copied.webhook_secret),
        (trigger.spec, trigger.webhook_secret)
    );
    assert_eq!(copied.site_id, after.id.0);
    assert_eq!(to.sites().len(), 2);
}
