//! Sites, their secrets and limits, and API keys: who gets in, and who no longer does.

use hookcast::site::{SiteLimits, SiteStatus};
use hookcast::store::sites::{self, LimitOverrides, RegisteredBy, Registration, Rotation};
use hookcast::store::{Role, StoreHandle, api_keys};

use super::{NOW, open, register, registration};

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
