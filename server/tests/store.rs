//! The store by its public face: what is answered is durable and visible, and stays so.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hookcast::ids::SiteId;
use hookcast::site::{SiteLimits, SiteStatus};
use hookcast::store::sites::{self, LimitOverrides, RegisteredBy, Registration, Rotation};
use hookcast::store::{Role, StoreError, StoreHandle, TakenUp, api_keys, backup, transfer, triggers, usage};
use hookcast::trigger::NameLimits;
use hookcast_api::trigger::TriggerSpec;

const NAMES: NameLimits = NameLimits {
    channel: 256,
    event: 128,
};
const NOW: u64 = 1_800_000_000_000;

fn open(dir: &Path) -> StoreHandle {
    StoreHandle::open(dir, Role::Tool, SiteLimits::default()).unwrap()
}

fn registration(url: &str) -> Registration<'_> {
    Registration {
        url,
        name: "",
        by: RegisteredBy::Cli,
        account_id: None,
        sites_max: 0,
    }
}

fn register(store: &StoreHandle, url: &'static str) -> sites::SiteRow {
    store
        .write_blocking(move |tx| sites::register(tx, &registration(url), NOW))
        .unwrap()
}

#[test]
fn a_registered_site_is_in_the_snapshot_when_it_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let site = register(&store, "https://One.example/");
    let snapshot = store.sites();
    let seen = snapshot.by_key(&site.site_key).unwrap();
    assert_eq!(
        (seen.url.as_str(), seen.name.as_str()),
        ("https://one.example", "one.example")
    );
    assert_eq!(seen.status, SiteStatus::Active);
    assert_eq!(snapshot.by_site_id(&site.site_id()).unwrap().id, seen.id);
    assert_eq!(
        (
            site.site_key.len(),
            site.publish_secrets.current.len(),
            site.jwt_secrets.current.len()
        ),
        (32, 64, 64)
    );
}

#[test]
fn the_same_address_gets_its_key_back_with_new_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = register(&store, "https://one.example");
    let key = first.site_key.clone();
    store
        .write_blocking(move |tx| sites::archive(tx, &key, NOW))
        .unwrap();
    assert_eq!(
        store.sites().by_key(&first.site_key).unwrap().status,
        SiteStatus::Archived
    );
    let second = register(&store, "HTTPS://ONE.example:443/");
    assert_eq!(second.site_key, first.site_key);
    assert_ne!(second.publish_secrets.current, first.publish_secrets.current);
    assert_ne!(second.jwt_secrets.current, first.jwt_secrets.current);
    let snapshot = store.sites();
    assert_eq!(snapshot.len(), 1);
    assert_eq!(
        snapshot.by_key(&first.site_key).unwrap().status,
        SiteStatus::Active
    );
    assert_ne!(register(&store, "http://one.example").site_key, first.site_key);
}

#[test]
fn the_limit_of_sites_counts_the_active_ones() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let limited = |url: &'static str| {
        store.write_blocking(move |tx| {
            sites::register(
                tx,
                &Registration {
                    sites_max: 1,
                    ..registration(url)
                },
                NOW,
            )
        })
    };
    let first = limited("https://one.example").unwrap();
    assert_eq!(
        limited("https://two.example").unwrap_err().refusal().code,
        "site_limit_reached"
    );
    // Known already: no more sites than before.
    limited("https://one.example").unwrap();
    store
        .write_blocking(move |tx| sites::archive(tx, &first.site_key, NOW))
        .unwrap();
    limited("https://two.example").unwrap();
    assert_eq!(limited("https://one.example").unwrap_err().refusal().status, 403);
}

#[test]
fn live_counters_survive_snapshots() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let key = register(&store, "https://one.example").site_key;
    let before = store.sites().by_key(&key).unwrap().clone();
    let _slot = before.connect().unwrap();
    let renamed = key.clone();
    store
        .write_blocking(move |tx| sites::rename(tx, &renamed, "Uno", NOW))
        .unwrap();
    let after = store.sites().by_key(&key).unwrap().clone();
    assert_eq!(after.name, "Uno");
    assert_eq!(after.live.connections(), 1);
}

#[test]
fn a_rotated_secret_overlaps_with_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let site = register(&store, "https://one.example");
    let key = site.site_key.clone();
    let rotated = store
        .write_blocking(move |tx| sites::rotate(tx, &key, Rotation::Publish, 1000, NOW))
        .unwrap();
    let old = site.publish_secrets.current.as_str();
    assert_eq!(rotated.publish_secrets.valid(NOW + 999).nth(1), Some(old));
    assert_eq!(rotated.publish_secrets.valid(NOW + 1000).nth(1), None);
    assert_eq!(rotated.jwt_secrets, site.jwt_secrets);
    let seen = store.sites().by_key(&site.site_key).unwrap().clone();
    assert_eq!(seen.publish_secrets, rotated.publish_secrets);
    let key = site.site_key.clone();
    let at_once = store
        .write_blocking(move |tx| sites::rotate(tx, &key, Rotation::Both, 0, NOW))
        .unwrap();
    assert_eq!(at_once.publish_secrets.previous, None);
    assert_ne!(at_once.jwt_secrets.current, site.jwt_secrets.current);
}

#[test]
fn limits_are_the_sites_own_or_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let defaults = SiteLimits {
        connections_max: 7,
        publish_rate: 5,
        publish_burst: 9,
        monthly_quota: 0,
    };
    let store = StoreHandle::open(dir.path(), Role::Tool, defaults).unwrap();
    let key = register(&store, "https://one.example").site_key;
    assert_eq!(store.sites().by_key(&key).unwrap().limits, defaults);
    let own = LimitOverrides {
        connections_max: Some(0),
        monthly_quota: Some(50),
        ..LimitOverrides::default()
    };
    let of = key.clone();
    store
        .write_blocking(move |tx| sites::set_limits(tx, &of, own, NOW))
        .unwrap();
    let limits = SiteLimits {
        connections_max: 0,
        monthly_quota: 50,
        ..defaults
    };
    assert_eq!(store.sites().by_key(&key).unwrap().limits, limits);
    store
        .set_site_defaults(SiteLimits {
            publish_rate: 6,
            ..defaults
        })
        .unwrap();
    store.read_blocking(|_| Ok(())).unwrap();
    assert_eq!(
        store.sites().by_key(&key).unwrap().limits,
        SiteLimits {
            publish_rate: 6,
            ..limits
        }
    );
}

#[test]
fn another_process_write_reaches_the_watchers_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let server = StoreHandle::open(dir.path(), Role::Server, SiteLimits::default()).unwrap();
    let (tell, heard) = mpsc::channel();
    server
        .on_sites(move |sites| {
            tell.send(sites.len()).unwrap();
            TakenUp::Yes
        })
        .unwrap();
    assert_eq!(heard.recv().unwrap(), 0);
    let other = open(dir.path());
    register(&other, "https://one.example");
    let started = std::time::Instant::now();
    // Far above the second it should take, so that only "never" fails on a slow machine.
    assert_eq!(heard.recv_timeout(Duration::from_secs(30)).unwrap(), 1);
    eprintln!("taken up after {:?}", started.elapsed());
    assert_eq!(server.sites().len(), 1);
}

#[test]
fn a_watcher_without_room_is_asked_again_until_it_has_the_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (tell, heard) = mpsc::channel();
    let mut refusals = 2;
    store
        .on_sites(move |sites| {
            let _ = tell.send(sites.len());
            if sites.is_empty() || refusals == 0 {
                return TakenUp::Yes;
            }
            refusals -= 1;
            TakenUp::AskAgain
        })
        .unwrap();
    register(&store, "https://one.example");
    let calls: Vec<usize> = (0..4)
        .map(|_| heard.recv_timeout(Duration::from_secs(30)).unwrap())
        .collect();
    assert_eq!(calls, [0, 1, 1, 1]);
    store.close();
    assert!(heard.try_recv().is_err(), "asked again although it was taken up");
}

#[test]
fn an_account_switched_off_deactivates_its_sites() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let account = store
        .write_blocking(|tx| {
            tx.execute(
                "INSERT INTO accounts (email, password_hash, role, created_ms) VALUES ('a@example.com', 'x', 'owner', 1)",
                [],
            )?;
            Ok(tx.last_insert_rowid())
        })
        .unwrap();
    let site = store
        .write_blocking(move |tx| {
            let new = Registration {
                account_id: Some(account),
                ..registration("https://one.example")
            };
            sites::register(tx, &new, NOW)
        })
        .unwrap();
    store
        .write_blocking(|tx| Ok(tx.execute("UPDATE accounts SET active = 0", [])?))
        .unwrap();
    assert_eq!(
        store.sites().by_key(&site.site_key).unwrap().status,
        SiteStatus::AccountDeactivated
    );
}

#[test]
fn a_failed_or_panicking_write_changes_nothing_and_the_next_one_works() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = store.write_blocking::<()>(|tx| {
        sites::register(tx, &registration("https://one.example"), NOW)?;
        Err(StoreError::Invalid("no".to_owned()))
    });
    assert!(matches!(refused, Err(StoreError::Invalid(_))));
    let panicked = store.write_blocking::<()>(|tx| {
        sites::register(tx, &registration("https://two.example"), NOW)?;
        panic!("on purpose")
    });
    assert!(matches!(panicked, Err(StoreError::Failed)));
    assert!(store.sites().is_empty());
    register(&store, "https://three.example");
    assert_eq!(store.sites().len(), 1);
}

#[test]
fn an_async_write_is_answered_on_a_shards_runtime() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .build()
        .unwrap();
    let site = runtime.block_on(async {
        let site = store
            .write(|tx| sites::register(tx, &registration("https://one.example"), NOW))
            .await
            .unwrap();
        let key = site.site_key.clone();
        store.read(move |db| sites::find(db, &key)).await.unwrap()
    });
    assert_eq!(site.url, "https://one.example");
    // Queued by the call: nobody waits for it, it happens all the same.
    drop(store.write(move |tx| sites::rename(tx, &site.site_key, "Later", NOW)));
    store.close();
    let again = open(dir.path());
    assert_eq!(again.sites().iter().next().unwrap().name, "Later");
    assert!(matches!(
        runtime.block_on(store.read(|_| Ok(()))),
        Err(StoreError::Closed)
    ));
}

#[test]
fn a_store_that_cannot_keep_up_refuses_instead_of_queueing_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (go, wait) = mpsc::channel::<()>();
    drop(store.read(move |_| {
        wait.recv().unwrap_or_default();
        Ok(())
    }));
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .build()
        .unwrap();
    let mut waiting = Vec::new();
    let busy = loop {
        assert!(waiting.len() < 5000, "nothing was refused");
        let mut job = Box::pin(store.read(|_| Ok(())));
        match futures_util::FutureExt::now_or_never(job.as_mut()) {
            Some(Err(e)) => break e,
            Some(Ok(())) => panic!("answered out of turn"),
            None => waiting.push(job),
        }
    };
    assert!(matches!(busy, StoreError::Busy));
    assert_eq!(busy.refusal().status, 503);
    go.send(()).unwrap();
    for job in waiting {
        runtime.block_on(job).unwrap();
    }
}

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
fn unregistering_takes_the_secret_and_the_key_of_a_site_made_with_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (api_key, kept) = store
        .write_blocking(|tx| api_keys::create(tx, "shop", &["register".to_owned()], None, NOW))
        .unwrap();
    let (other_scope, _) = store
        .write_blocking(|tx| api_keys::create(tx, "reader", &["read".to_owned()], None, NOW))
        .unwrap();
    let site = store
        .write_blocking(|tx| {
            sites::register(
                tx,
                &Registration {
                    by: RegisteredBy::ApiKey,
                    ..registration("https://one.example")
                },
                NOW,
            )
        })
        .unwrap();
    let secret = site.publish_secrets.current.clone();
    let unregister = |key: &str, secret: &str, api_key: Option<&str>| {
        let (key, secret, api_key) = (key.to_owned(), secret.to_owned(), api_key.map(str::to_owned));
        store
            .write_blocking(move |tx| sites::unregister(tx, &key, &secret, api_key.as_deref(), NOW))
            .map_err(|e| e.refusal().code)
    };
    assert_eq!(
        unregister("0".repeat(32).as_str(), &secret, Some(&api_key)).unwrap_err(),
        "not_found"
    );
    assert_eq!(
        unregister(&site.site_key, &secret, None).unwrap_err(),
        "invalid_api_key"
    );
    assert_eq!(
        unregister(&site.site_key, &secret, Some(&"0".repeat(64))).unwrap_err(),
        "invalid_api_key"
    );
    assert_eq!(
        unregister(&site.site_key, &secret, Some(&other_scope)).unwrap_err(),
        "forbidden"
    );
    assert_eq!(
        unregister(&site.site_key, "wrong", Some(&api_key)).unwrap_err(),
        "unauthorized"
    );
    unregister(&site.site_key, &secret, Some(&api_key)).unwrap();
    assert_eq!(
        unregister(&site.site_key, &secret, Some(&api_key)).unwrap_err(),
        "not_found"
    );
    let used = store
        .read_blocking(move |db| api_keys::by_id(db, kept.id))
        .unwrap()
        .unwrap();
    assert_eq!(used.last_used_ms, Some(NOW));
    store
        .write_blocking(|tx| api_keys::revoke(tx, "shop", NOW))
        .unwrap();
    let refused = store.write_blocking(move |tx| api_keys::authorize(tx, &api_key, "register", NOW));
    assert_eq!(refused.unwrap_err().refusal().code, "invalid_api_key");
}

#[test]
fn an_api_key_is_kept_as_a_hash_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (key, _) = store
        .write_blocking(|tx| api_keys::create(tx, "shop", &["register".to_owned()], None, NOW))
        .unwrap();
    assert_eq!(key.len(), 64);
    store.close();
    drop(store);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()));
    }
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
