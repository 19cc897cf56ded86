//! Presence is a connection's own: it ends with it, however it ends.

use crate::relay;
use serde_json::{Value, json};
use testkit::{Relay, Site, Ws};

fn watcher(relay: &Relay, site: &Site) -> Ws {
    let mut socket = relay.ws(&site.token());
    socket.subscribe(&["room"]);
    assert_eq!(presence(&mut socket)["action"], "sync");
    socket
}

/// The data of the next frame, which must be presence on the room.
fn presence(socket: &mut Ws) -> Value {
    let mut frame = socket.text();
    assert_eq!(
        (&frame["channel"], &frame["event"]),
        (&json!("room"), &json!("wps.presence")),
        "{frame}"
    );
    frame["data"].take()
}

fn joined(socket: &mut Ws) -> String {
    let data = presence(socket);
    assert_eq!(data["action"], "join");
    data["id"].as_str().expect("an id").to_owned()
}

#[test]
fn join_update_and_leave_are_seen() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut member = relay.ws(&site.token());
    member.presence("room", json!({"name": "Ada"}));
    let join = presence(&mut watcher);
    let id = join["id"].clone();
    assert_eq!(
        join,
        json!({"action": "join", "id": id, "state": {"name": "Ada"}})
    );
    member.presence(&site.qualified("room"), json!({"name": "Ada", "line": 3}));
    assert_eq!(
        presence(&mut watcher),
        json!({"action": "join", "id": id, "state": {"name": "Ada", "line": 3}})
    );

    let mut late = relay.ws(&site.token());
    late.subscribe(&[&site.qualified("room")]);
    let members = json!([{"id": id, "state": {"name": "Ada", "line": 3}}]);
    assert_eq!(presence(&mut late), json!({"action": "sync", "members": members}));

    member.presence("room", Value::Null);
    for socket in [&mut watcher, &mut late] {
        assert_eq!(presence(socket), json!({"action": "leave", "id": id}));
    }
    // A second goodbye says nothing.
    member.presence("room", Value::Null);
    assert!(member.drain().is_empty());
    assert!(watcher.drain().is_empty());
}

#[test]
fn a_closed_socket_leaves() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut member = relay.ws(&site.token());
    member.presence("room", json!({}));
    let id = joined(&mut watcher);
    member.send_close();
    assert_eq!(presence(&mut watcher), json!({"action": "leave", "id": id}));
}

#[test]
fn a_killed_client_leaves() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut member = relay.ws(&site.token());
    member.presence("room", json!({}));
    let id = joined(&mut watcher);
    drop(member);
    assert_eq!(presence(&mut watcher), json!({"action": "leave", "id": id}));
}

#[test]
fn two_hundred_join_and_leave_and_all_of_it_is_seen() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut stream = relay.sse(&site.token(), &["room"]);
    let mut present = Vec::new();
    for round in 0..200_u32 {
        let mut member = relay.ws(&site.token().v1());
        member.presence("room", json!({"round": round}));
        present.push((joined(&mut watcher), member));
        if present.len() > 7 {
            let (id, member) = present.remove(usize::try_from(round).expect("small") % 7);
            drop(member);
            assert_eq!(presence(&mut watcher), json!({"action": "leave", "id": id}));
        }
    }
    let (mut joins, mut leaves) = (0, 0);
    while (joins, leaves) != (200, 193) {
        let message = stream.json();
        match message["data"]["action"].as_str() {
            Some("join") => joins += 1,
            Some("leave") => leaves += 1,
            Some("sync") => {}
            _ => panic!("{message}"),
        }
    }
    let mut late = relay.ws(&site.token());
    late.subscribe(&["room"]);
    let sync = presence(&mut late);
    let mut members: Vec<&str> = sync["members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|member| member["id"].as_str().expect("an id"))
        .collect();
    let mut expected: Vec<&str> = present.iter().map(|(id, _)| id.as_str()).collect();
    members.sort_unstable();
    expected.sort_unstable();
    assert_eq!(members, expected);
}

#[test]
fn a_version_1_subscriber_gets_no_sync() {
    let (relay, site) = relay();
    let mut member = relay.ws(&site.token());
    let mut socket = relay.ws(&site.token().v1());
    socket.subscribe(&["room"]);
    assert!(socket.drain().is_empty());
    member.presence("room", json!({"name": "Ada"}));
    joined(&mut socket);
}

#[test]
fn presence_needs_the_publish_grant_and_no_subscription() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut reader = relay.ws(&site.token().publish(&[]));
    reader.presence("room", json!({}));
    assert_eq!(reader.expect_error("forbidden")["channel"], "room");
    let mut writer = relay.ws(&site.token().subscribe(&[]));
    writer.presence("room", json!({}));
    joined(&mut watcher);
    assert!(writer.drain().is_empty());
}

#[test]
fn a_state_is_an_object_of_at_most_4_kib() {
    let (relay, site) = relay();
    let mut watcher = watcher(&relay, &site);
    let mut socket = relay.ws(&site.token());
    for state in [
        json!(1),
        json!("text"),
        json!([]),
        json!(true),
        json!({"a": "x".repeat(5000)}),
        json!({"a": "x".repeat(1_000_000)}),
    ] {
        socket.presence("room", state);
        assert_eq!(socket.text()["type"], "error");
    }
    socket.presence("room", json!({"a": "x".repeat(4000)}));
    // The first that anybody hears of: the refused states were never seen.
    let state = presence(&mut watcher)["state"].take();
    assert_eq!(state["a"].as_str().map(str::len), Some(4000));
}
