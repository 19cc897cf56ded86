//! Who may do what: walked over the whole table of routes, so that a new route cannot be forgotten.

use bytes::Bytes;
use hookcast_api::account::Scope;
use hookcast_api::routes::{Access, Method, Op, ROUTES, Route};
use hookcast_api::{API_VERSION, CSRF_HEADER, VERSION_HEADER};
use http::HeaderValue;

use super::{As, Desk, Reply};
use crate::admin::Ask;
use crate::config::Sources;

fn path(route: &Route) -> String {
    route.path_with(&["0123456789abcdef0123456789abcdef", "0123456789abcdef"])
}

fn guarded(route: &&Route) -> bool {
    !matches!(route.access, Access::Public | Access::OwnProof)
}

fn changing(route: &&Route) -> bool {
    route.method.changes_state()
}

fn request(desk: &Desk, who: &As, route: &Route) -> Ask {
    let mut ask = desk.request(
        who,
        route.method.as_str(),
        &path(route),
        Bytes::from_static(b"{}"),
    );
    ask.headers
        .insert("content-type", HeaderValue::from_static("application/json"));
    ask
}

fn call(desk: &Desk, who: &As, route: &Route) -> Reply {
    desk.ask(request(desk, who, route))
}

#[test]
fn every_route_answers() {
    let (desk, owner) = Desk::owned();
    for route in ROUTES {
        // These end the session that the others need.
        if matches!(route.op, Op::Logout) {
            continue;
        }
        let reply = call(&desk, &owner, route);
        let body = String::from_utf8_lossy(&reply.body);
        assert_ne!(reply.status, 405, "{}", route.path);
        assert!(
            reply.status < 500 || reply.status == 503,
            "{} {}: {body}",
            route.method.as_str(),
            route.path
        );
        assert!(!body.contains("no such address"), "{}: {body}", route.path);
    }
}

#[test]
fn no_session_is_refused_everywhere_but_where_none_is_needed() {
    let (desk, _) = Desk::owned();
    let nobody = As {
        csrf: Some("x".to_owned()),
        ..As::default()
    };
    let mut tried = 0;
    for route in ROUTES.iter().filter(guarded) {
        assert_eq!(
            call(&desk, &nobody, route).refusal(),
            (401, "unauthenticated".to_owned()),
            "{}",
            route.path
        );
        tried += 1;
    }
    assert!(tried > 50, "{tried}");
}

#[test]
fn a_viewer_is_refused_every_change_but_of_their_own() {
    let (desk, owner) = Desk::owned();
    let viewer = desk.viewer(&owner);
    let mut tried = 0;
    for route in ROUTES
        .iter()
        .filter(|route| matches!(route.access, Access::Owner(_) | Access::OwnerOnly))
    {
        assert_eq!(
            call(&desk, &viewer, route).refusal(),
            (403, "forbidden".to_owned()),
            "{}",
            route.path
        );
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}

#[test]
fn a_change_without_the_sessions_csrf_token_is_refused() {
    let (desk, owner) = Desk::owned();
    for csrf in [
        None,
        Some(String::new()),
        Some("0".repeat(32)),
        Some("x".to_owned()),
    ] {
        let who = As {
            csrf,
            ..owner.clone()
        };
        for route in ROUTES.iter().filter(guarded).filter(changing) {
            assert_eq!(
                call(&desk, &who, route).refusal(),
                (403, "csrf".to_owned()),
                "{}",
                route.path
            );
        }
    }
    // Without a session any value will do, but there must be one: a form of another site cannot send the header.
    let who = As::default();
    for route in ROUTES
        .iter()
        .filter(|route| route.access == Access::Public)
        .filter(changing)
    {
        assert_eq!(
            call(&desk, &who, route).refusal(),
            (403, "csrf".to_owned()),
            "{}",
            route.path
        );
    }
}

#[test]
fn a_change_from_another_origin_is_refused() {
    let (desk, owner) = Desk::owned();
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "http://localhost:8081"),
        ("origin", "http://localhost"),
        ("origin", "null"),
        ("origin", "http://localhost:8080.evil.example"),
        ("sec-fetch-site", "cross-site"),
    ];
    for (name, value) in foreign {
        for route in ROUTES
            .iter()
            .filter(|route| route.access != Access::OwnProof)
            .filter(changing)
        {
            let mut ask = request(&desk, &owner, route);
            ask.headers.insert(name, HeaderValue::from_static(value));
            let refusal = desk.ask(ask).refusal();
            assert_eq!(
                refusal,
                (403, "foreign_origin".to_owned()),
                "{} {name}: {value}",
                route.path
            );
        }
    }
    let mut ask = desk.request(&owner, "POST", "/api/me/sessions/revoke-others", Bytes::new());
    ask.headers
        .insert("origin", HeaderValue::from_static("http://localhost:8080"));
    ask.headers
        .insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
    assert_eq!(desk.ask(ask).status, 200);
}

#[test]
fn a_host_that_is_not_ours_is_refused_before_anything_is_looked_up() {
    let flags = vec![
        (
            "server.public_url".to_owned(),
            "https://relay.example/relay".to_owned(),
        ),
        ("admin.hosts".to_owned(), "inside.example".to_owned()),
    ];
    let sources = Sources {
        flags,
        ..Sources::default()
    };
    let desk = Desk::with(sources.load().unwrap());
    let owner = desk.set_up();
    let status = |host: &'static str| {
        let mut ask = desk.request(&owner, "GET", "/api/me", Bytes::new());
        ask.headers.insert("host", HeaderValue::from_static(host));
        desk.ask(ask).status
    };
    for ours in [
        "relay.example",
        "RELAY.example:443",
        "inside.example:8080",
        "localhost",
        "127.0.0.1:8080",
        "[::1]:8080",
        "192.168.1.5",
    ] {
        assert_eq!(status(ours), 200, "{ours}");
    }
    for other in [
        "evil.example",
        "relay.example.evil.example",
        "localhost.evil.example",
        "",
        "127.0.0.1.nip.example",
    ] {
        assert_eq!(status(other), 421, "{other}");
    }
}

#[test]
fn a_key_does_what_its_scopes_say_and_nothing_else() {
    let (desk, owner) = Desk::owned();
    for scope in Scope::ALL {
        let key = desk.key(&owner, &[scope.as_str()]);
        for route in ROUTES.iter().filter(guarded) {
            let refused = call(&desk, &key, route).status == 403;
            let covered =
                matches!(route.access, Access::Viewer(needed) | Access::Owner(needed) if needed == scope);
            assert_eq!(refused, !covered, "{} with {}", route.path, scope.as_str());
        }
    }
    let unknown = As {
        key: Some("0".repeat(64)),
        ..As::default()
    };
    assert_eq!(
        desk.get(&unknown, "/api/sites").refusal(),
        (401, "invalid_api_key".to_owned())
    );
}

#[test]
fn a_key_expires_and_can_be_revoked() {
    let (mut desk, owner) = Desk::owned();
    let body = serde_json::json!({"name": "short", "scopes": ["read"], "expires_in_days": 1});
    let created: serde_json::Value = desk.send(&owner, "POST", "/api/keys", &body).ok();
    let short = As {
        key: created["secret"].as_str().map(str::to_owned),
        ..As::default()
    };
    let long = desk.key(&owner, &["read"]);
    desk.now_ms += 86_400_000 - 1;
    assert_eq!(desk.get(&short, "/api/sites").status, 200);
    desk.now_ms += 1;
    assert_eq!(
        desk.get(&short, "/api/sites").refusal(),
        (401, "invalid_api_key".to_owned())
    );
    assert_eq!(desk.get(&long, "/api/sites").status, 200);

    let owner = super::signed_in(&desk.log_in(super::EMAIL, super::PASSWORD));
    let id = desk.get(&owner, "/api/keys").ok::<serde_json::Value>()["keys"][1]["id"].clone();
    assert_eq!(
        desk.send(&owner, "DELETE", &format!("/api/keys/{id}"), &())
            .status,
        200
    );
    assert_eq!(desk.get(&long, "/api/sites").status, 401);
}

#[test]
fn another_api_version_is_told_so() {
    let (desk, owner) = Desk::owned();
    let status = |version: &str| {
        let mut ask = desk.request(&owner, "GET", "/api/me", Bytes::new());
        ask.headers
            .insert(VERSION_HEADER, HeaderValue::from_str(version).unwrap());
        desk.ask(ask).refusal_or_ok()
    };
    assert_eq!(status(&API_VERSION.to_string()), (200, String::new()));
    assert_eq!(
        status(&(API_VERSION + 1).to_string()),
        (409, "api_version_mismatch".to_owned())
    );
    assert_eq!(status("x"), (400, "invalid_request".to_owned()));
}

#[test]
fn a_wrong_method_and_an_unknown_address_say_so() {
    let (desk, owner) = Desk::owned();
    let reply = desk.send(&owner, "DELETE", "/api/sites", &());
    assert_eq!(reply.refusal(), (405, "method_not_allowed".to_owned()));
    assert_eq!(reply.headers["allow"], "GET, POST");
    assert_eq!(
        desk.get(&owner, "/api/nothing").refusal(),
        (404, "not_found".to_owned())
    );
}

#[test]
fn what_is_not_json_or_has_an_unknown_field_is_refused() {
    let (desk, owner) = Desk::owned();
    let send = |kind: &'static str, body: &'static str| {
        let mut ask = desk.request(&owner, "POST", "/api/sites", Bytes::from_static(body.as_bytes()));
        ask.headers.insert("content-type", HeaderValue::from_static(kind));
        ask.headers.insert(
            CSRF_HEADER,
            HeaderValue::from_str(owner.csrf.as_ref().unwrap()).unwrap(),
        );
        desk.ask(ask).refusal()
    };
    let good = r#"{"url":"https://a.example"}"#;
    for (kind, body) in [
        ("application/json", "{"),
        ("application/json", ""),
        ("application/json", r#"{"url":"https://a.example","nmae":"A"}"#),
        ("text/plain", good),
        ("application/x-www-form-urlencoded", good),
    ] {
        assert_eq!(
            send(kind, body),
            (400, "invalid_request".to_owned()),
            "{kind} {body}"
        );
    }
}

impl Reply {
    fn refusal_or_ok(&self) -> (u16, String) {
        if self.status == 200 {
            (200, String::new())
        } else {
            self.refusal()
        }
    }
}

/// The table says who; nothing that is for owners is reachable by `GET` for a change.
#[test]
fn reading_is_all_that_get_does() {
    for route in ROUTES.iter().filter(|route| route.method == Method::Get) {
        assert!(!matches!(route.access, Access::Owner(_)), "{}", route.path);
    }
}
