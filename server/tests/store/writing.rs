//! One writer, many readers: a write is seen by everybody or by nobody.

use std::sync::mpsc;
use std::time::Duration;

use hookcast::site::SiteLimits;
use hookcast::store::sites::{self};
use hookcast::store::{Role, StoreError, StoreHandle, TakenUp};

use super::{NOW, open, register, registration};

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
