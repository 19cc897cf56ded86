//! Live insight, fed by hand in the place of the shards.

use hookcast_api::insight::{EventLog, PayloadWatchState, Snapshot, StreamEvent};
use serde_json::json;

use super::{As, Desk};
use crate::admin::insight::{ShardReport, StreamOwner, StreamWish};
use crate::ids::SiteId;
use crate::insight::{Delivered, LogOrigin, MessageKey, Noted, Refused, Surface};

fn noted(key: MessageKey, site: SiteId, payload: Option<&'static str>) -> Noted {
    Noted {
        key,
        at_ms: 5,
        site,
        channel: "events".into(),
        event: "e".into(),
        binary: false,
        bytes: 2,
        origin: LogOrigin::WordPress,
        payload: payload.map(|text| text.as_bytes().into()),
    }
}

fn delivered(key: MessageKey, recipients: u32, us: u64) -> Delivered {
    Delivered { key, recipients, us }
}

fn refused(site: Option<SiteId>) -> Refused {
    Refused {
        at_ms: 5,
        site,
        surface: Surface::Socket,
        code: "unauthorized",
        message: "the token expired 3 s ago".into(),
        address: None,
    }
}

struct Watch(futures_channel::mpsc::Receiver<bytes::Bytes>);

impl Watch {
    fn open(desk: &Desk, wish: StreamWish) -> Watch {
        Watch(desk.admin.insight().open_stream(wish, desk.now_ms).unwrap())
    }

    fn events(&mut self) -> Vec<StreamEvent> {
        std::iter::from_fn(|| self.0.try_recv().ok())
            .map(|bytes| {
                let text = String::from_utf8(bytes.to_vec()).unwrap();
                serde_json::from_str(text.strip_prefix("data: ").unwrap()).unwrap()
            })
            .collect()
    }
}

impl Desk {
    fn round(&mut self, report: impl FnOnce(&mut ShardReport)) {
        let mut one = ShardReport::default();
        report(&mut one);
        self.now_ms += 250;
        self.admin
            .insight()
            .take_in(vec![one], &self.store.sites(), true, self.now_ms);
    }
}

fn with_site() -> (Desk, As, String, SiteId) {
    let (desk, owner) = Desk::owned();
    let key = desk.site(&owner, "https://shop.example").site_key;
    let id = desk.store.sites().by_key(&key).unwrap().id;
    (desk, owner, key, id)
}

#[test]
fn a_stream_begins_with_the_snapshot_and_follows_the_log() {
    let (mut desk, _, key, id) = with_site();
    let mut watch = Watch::open(
        &desk,
        StreamWish {
            log: true,
            ..StreamWish::default()
        },
    );
    let mut quiet = Watch::open(&desk, StreamWish::default());
    assert!(matches!(
        watch.events()[..],
        [StreamEvent::Snapshot { api_version: 1, .. }]
    ));
    quiet.events();
    desk.round(|report| {
        report.notes.messages = vec![noted((20, 1), id, None), noted((10, 1), id, None)];
        report.notes.delivered = vec![delivered((10, 1), 2, 70)];
    });
    let events = watch.events();
    let logged = events.iter().find_map(|event| match event {
        StreamEvent::Log { entries, missed: 0 } => Some(entries.clone()),
        _ => None,
    });
    let logged = logged.expect("no log");
    assert_eq!(
        logged
            .iter()
            .map(|entry| (entry.seq, entry.recipients, entry.last_write_us))
            .collect::<Vec<_>>(),
        [(1, 2, Some(70)), (2, 0, None)]
    );
    assert_eq!(logged[0].site_key, key);
    assert!(
        quiet
            .events()
            .iter()
            .all(|event| !matches!(event, StreamEvent::Log { .. }))
    );
}

#[test]
fn recipients_of_several_shards_and_rounds_add_up() {
    let (mut desk, owner, _, id) = with_site();
    let mut watch = Watch::open(
        &desk,
        StreamWish {
            log: true,
            ..StreamWish::default()
        },
    );
    // A shard may tell of a delivery in the round before its message's home tells of the message.
    desk.round(|report| report.notes.delivered = vec![delivered((10, 1), 3, 50)]);
    desk.round(|report| report.notes.messages = vec![noted((10, 1), id, None)]);
    watch.events();
    desk.round(|report| report.notes.delivered = vec![delivered((10, 1), 4, 90), delivered((99, 9), 1, 1)]);
    let written = watch.events().into_iter().find_map(|event| match event {
        StreamEvent::LogWritten { entries } => Some(entries),
        _ => None,
    });
    let written = written.expect("nothing written");
    assert_eq!(
        (written[0].seq, written[0].recipients, written[0].last_write_us),
        (1, 7, Some(90))
    );
    let log: EventLog = desk.get(&owner, "/api/events").ok();
    assert_eq!(log.entries[0].recipients, 7);
}

#[test]
fn a_stream_of_one_site_hears_of_no_other() {
    let (mut desk, owner, key, id) = with_site();
    let other = desk.site(&owner, "https://other.example").site_key;
    let other_id = desk.store.sites().by_key(&other).unwrap().id;
    let mut watch = Watch::open(
        &desk,
        StreamWish {
            log: true,
            site_key: Some(key.clone()),
            ..StreamWish::default()
        },
    );
    desk.round(|report| {
        report.notes.messages = vec![noted((10, 1), other_id, None), noted((11, 1), id, None)];
        report.notes.refusals = vec![refused(Some(other_id)), refused(None), refused(Some(id))];
    });
    for event in watch.events() {
        match event {
            StreamEvent::Log { entries, .. } => assert!(entries.iter().all(|entry| entry.site_key == key)),
            StreamEvent::Refusals { entries, .. } => assert_eq!(entries.len(), 1),
            _ => {}
        }
    }
    let refusals: hookcast_api::insight::Refusals =
        desk.get(&owner, &format!("/api/sites/{key}/refusals")).ok();
    assert_eq!(refusals.refusals[0].message, "the token expired 3 s ago");
    let log: EventLog = desk.get(&owner, &format!("/api/events?site={other}")).ok();
    assert_eq!(log.entries.len(), 1);
}

#[test]
fn the_log_is_bounded_and_says_what_it_no_longer_holds() {
    let (mut desk, owner, _, id) = with_site();
    for round in 0..30 {
        desk.round(|report| {
            report.notes.messages = (0..100).map(|n| noted((round * 100 + n, 1), id, None)).collect();
        });
    }
    let log: EventLog = desk.get(&owner, "/api/events?after=5&limit=1000").ok();
    assert_eq!((log.entries.len(), log.entries.last().unwrap().seq), (1000, 3000));
    assert_eq!(log.missed, 995, "the ring holds the last 2,000");
    let log: EventLog = desk.get(&owner, "/api/events?after=2999").ok();
    assert_eq!((log.entries.len(), log.missed), (1, 0));
}

#[test]
fn rates_and_history_come_from_the_totals_of_full_seconds() {
    let (mut desk, owner, ..) = with_site();
    for publishes in [0, 0, 0, 0, 5, 5, 5, 10] {
        desk.round(|report| {
            report.totals.publishes = publishes;
            report.totals.sockets = 3;
        });
    }
    desk.round(|report| report.totals.publishes = 20);
    let shown: Snapshot = desk.get(&owner, "/api/insight").ok();
    assert_eq!(shown.tick.totals.publishes, 20);
    assert_eq!(
        shown
            .history
            .iter()
            .map(|point| point.rates.publishes)
            .collect::<Vec<_>>(),
        [5.0, 15.0]
    );
    assert_eq!(shown.tick.rates.publishes, 15.0);
    assert_eq!(shown.tick.shards[0].rates.publishes, 15.0);
}

#[test]
fn payloads_are_shown_for_ten_minutes_after_being_asked_for() {
    let (mut desk, owner, key, id) = with_site();
    let path = format!("/api/sites/{key}/payloads");
    let on: PayloadWatchState = desk.send(&owner, "PUT", &path, &json!({"on": true})).ok();
    assert_eq!(on.until, Some(desk.now_ms + 600_000));
    assert_eq!(
        *desk.shards.watched.lock().unwrap(),
        [(id, desk.now_ms + 600_000)]
    );
    desk.round(|report| report.notes.messages = vec![noted((10, 1), id, Some("{\"secret\":1}"))]);
    let shown = |desk: &Desk| {
        desk.get(&owner, "/api/events").ok::<EventLog>().entries[0]
            .payload
            .clone()
    };
    assert_eq!(shown(&desk).as_deref(), Some("{\"secret\":1}"));
    let off: PayloadWatchState = desk.send(&owner, "PUT", &path, &json!({"on": false})).ok();
    assert_eq!(off.until, None);
    assert!(desk.shards.watched.lock().unwrap().is_empty());
}

#[test]
fn a_session_that_ends_takes_its_streams_along() {
    let (desk, owner, ..) = with_site();
    let me: hookcast_api::account::Me = desk.get(&owner, "/api/me").ok();
    let of = |session: &str| StreamWish {
        owner: StreamOwner {
            session: Some(session.to_owned()),
            account: Some(1),
            ..StreamOwner::default()
        },
        ..StreamWish::default()
    };
    let mut watch = Watch::open(&desk, of(&me.session_id));
    let mut other = Watch::open(&desk, of("another"));
    assert_eq!(desk.send(&owner, "POST", "/api/logout", &()).status, 200);
    assert!(matches!(watch.events().last(), Some(StreamEvent::Closing { .. })));
    assert!(!matches!(
        other.events().last(),
        Some(StreamEvent::Closing { .. })
    ));
}

#[test]
fn other_pages_hear_of_a_change() {
    let (desk, owner, key, _) = with_site();
    let mut watch = Watch::open(&desk, StreamWish::default());
    assert_eq!(
        desk.send(
            &owner,
            "PATCH",
            &format!("/api/sites/{key}"),
            &json!({"name": "New"})
        )
        .status,
        200
    );
    let changed = watch
        .events()
        .into_iter()
        .any(|event| matches!(event, StreamEvent::Changed { site_key: Some(changed), .. } if changed == key));
    assert!(changed);
}

#[test]
fn only_so_many_streams_are_served() {
    let (desk, owner, ..) = with_site();
    let mut open = Vec::new();
    while let Some(stream) = desk.admin.insight().open_stream(StreamWish::default(), 1) {
        open.push(stream);
        assert!(open.len() < 1000);
    }
    let reply = desk.get(&owner, "/api/stream");
    assert_eq!(reply.refusal(), (503, "unavailable".to_owned()));
    open.clear();
    let reply = desk.get(&owner, "/api/stream?log=1");
    assert!(
        reply.headers["content-type"]
            .as_bytes()
            .starts_with(b"text/event-stream")
    );
    assert!(
        String::from_utf8(reply.body)
            .unwrap()
            .starts_with("data: {\"type\":\"snapshot\"")
    );
}

#[test]
fn a_connection_is_disconnected_by_its_id() {
    let (desk, owner, ..) = with_site();
    let id = crate::ids::ConnId {
        shard: crate::ids::ShardId(1),
        slot: 2,
        generation: 3,
    };
    desk.relay.known.set(Some(id));
    let close = |id: &str| {
        desk.send(&owner, "DELETE", &format!("/api/connections/{id}"), &())
            .status
    };
    assert_eq!(
        (close("1-2-3"), close("1-2-4"), close("nonsense")),
        (200, 404, 404)
    );
    assert!(
        desk.audit(&owner)
            .iter()
            .any(|(action, _)| action == "connection.closed")
    );
}

#[test]
fn an_open_dispatch_asks_for_attention() {
    let (mut desk, owner, key, _) = with_site();
    desk.send(
        &owner,
        "PATCH",
        &format!("/api/sites/{key}/dispatch"),
        &json!({"enabled": true, "open": true}),
    )
    .ok::<serde_json::Value>();
    let mut watch = Watch::open(&desk, StreamWish::default());
    for _ in 0..5 {
        desk.round(|_| {});
    }
    let shown: Snapshot = desk.get(&owner, "/api/insight").ok();
    assert!(
        shown
            .attention
            .iter()
            .any(|item| item.code == "dispatch_open" && item.site_key.as_ref() == Some(&key))
    );
    assert!(
        watch
            .events()
            .iter()
            .any(|event| matches!(event, StreamEvent::Attention { .. }))
    );
}
