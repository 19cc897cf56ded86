//! Set-up, log-in, sessions, users.

use hookcast_api::account::{Me, Role, Sessions, State, User, Users};
use serde_json::json;

use super::{As, Desk, EMAIL, PASSWORD, signed_in};
use crate::admin::guard::csrf_token;

fn anybody() -> As {
    As {
        csrf: Some("x".to_owned()),
        ..As::default()
    }
}

#[test]
fn the_first_owner_is_made_once_and_with_the_token_only() {
    let desk = Desk::new();
    let state: State = desk.get(&As::default(), "/api/state").ok();
    assert!(state.needs_setup && state.me.is_none());
    let token = desk.admin.setup_token().unwrap().unwrap();
    let with = |token: &str, email: &str, password: &str| {
        desk.send(
            &anybody(),
            "POST",
            "/api/setup",
            &json!({"token": token, "email": email, "password": password}),
        )
    };
    assert_eq!(
        with("0", EMAIL, PASSWORD).refusal(),
        (403, "setup_closed".to_owned())
    );
    assert_eq!(
        with(&token, "nobody", PASSWORD)
            .json::<hookcast_api::ApiError>()
            .fields[0]
            .field,
        "email"
    );
    assert_eq!(
        with(&token, EMAIL, "short")
            .json::<hookcast_api::ApiError>()
            .fields[0]
            .field,
        "password"
    );
    let reply = with(&token, EMAIL, PASSWORD);
    let me: Me = reply.ok();
    assert_eq!((me.user.email.as_str(), me.user.role), (EMAIL, Role::Owner));
    assert_eq!(desk.admin.setup_token().unwrap(), None);
    assert_eq!(
        with(&token, "second@x.example", PASSWORD).refusal(),
        (403, "setup_closed".to_owned())
    );
    let state: State = desk.get(&signed_in(&reply), "/api/state").ok();
    assert!(!state.needs_setup && state.me.is_some_and(|me| me.user.email == EMAIL));
}

#[test]
fn the_session_cookie_is_out_of_scripts_and_other_sites_reach() {
    let (desk, _) = Desk::owned();
    let reply = desk.log_in(EMAIL, PASSWORD);
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");

    let mut ask = desk.request(
        &anybody(),
        "POST",
        "/api/login",
        json!({"email": EMAIL, "password": PASSWORD}).to_string().into(),
    );
    ask.headers
        .insert("content-type", "application/json".parse().unwrap());
    ask.secure = true;
    let reply = desk.ask(ask);
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with("__Secure-hookcast_session=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
}

#[test]
fn every_log_in_is_a_new_session_and_ends_the_one_before_it() {
    let (desk, first) = Desk::owned();
    let body = json!({"email": EMAIL, "password": PASSWORD});
    let second = signed_in(&desk.send(&first, "POST", "/api/login", &body));
    assert_ne!(first.cookie, second.cookie);
    assert_eq!(desk.get(&first, "/api/me").status, 401);
    assert_eq!(desk.get(&second, "/api/me").status, 200);
}

#[test]
fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let (desk, owner) = Desk::owned();
    let wrong = desk.log_in(EMAIL, "not the password");
    let unknown = desk.log_in("typed-my-password-here@x", "not the password");
    assert_eq!(wrong.refusal(), (401, "invalid_credentials".to_owned()));
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(desk.log_in("OWNER@relay.example", PASSWORD).status, 200);
    let log = String::from_utf8(desk.get(&owner, "/api/audit").body).unwrap();
    assert_eq!(log.matches("login.refused").count(), 2);
    assert!(
        !log.contains("typed-my-password-here") && !log.contains("not the password"),
        "{log}"
    );
}

#[test]
fn guessing_is_slowed_down_and_says_for_how_long() {
    let (mut desk, _) = Desk::owned();
    let refused = (0..50)
        .map(|_| desk.log_in(EMAIL, "a wrong guess"))
        .find(|reply| reply.status == 429)
        .expect("never slowed");
    assert_eq!(refused.refusal().1, "rate_limited");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(
        desk.log_in(EMAIL, PASSWORD).status,
        429,
        "the right password is no way around"
    );
    desk.now_ms += wait * 1000;
    assert_eq!(desk.log_in(EMAIL, PASSWORD).status, 200);
}

#[test]
fn a_session_ends_when_it_is_unused_and_when_it_is_old() {
    let (mut desk, owner) = Desk::owned();
    let (idle, life) = (
        desk.config.admin.session_idle_ms,
        desk.config.admin.session_life_ms,
    );
    desk.now_ms += idle - 1;
    assert_eq!(desk.get(&owner, "/api/me").status, 200);
    desk.now_ms += idle - 1;
    assert_eq!(desk.get(&owner, "/api/me").status, 200, "using it keeps it");
    let begun = super::START_MS;
    while desk.now_ms + idle - 1 < begun + life {
        desk.now_ms += idle - 1;
        assert_eq!(desk.get(&owner, "/api/me").status, 200);
    }
    desk.now_ms = begun + life;
    assert_eq!(desk.get(&owner, "/api/me").status, 401);

    let owner = signed_in(&desk.log_in(EMAIL, PASSWORD));
    desk.now_ms += idle;
    assert_eq!(desk.get(&owner, "/api/me").status, 401);
}

#[test]
fn logging_out_ends_the_session_and_the_cookie() {
    let (desk, owner) = Desk::owned();
    let reply = desk.send(&owner, "POST", "/api/logout", &());
    assert!(
        reply.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(desk.get(&owner, "/api/me").status, 401);
}

#[test]
fn sessions_are_listed_and_revoked_one_by_one_or_together() {
    let (desk, owner) = Desk::owned();
    let others = [
        signed_in(&desk.log_in(EMAIL, PASSWORD)),
        signed_in(&desk.log_in(EMAIL, PASSWORD)),
    ];
    let all: Sessions = desk.get(&owner, "/api/me/sessions").ok();
    assert_eq!(
        (
            all.sessions.len(),
            all.sessions.iter().filter(|session| session.current).count()
        ),
        (3, 1)
    );
    let other: Me = desk.get(&others[0], "/api/me").ok();
    let path = format!("/api/me/sessions/{}", other.session_id);
    assert_eq!(desk.send(&owner, "DELETE", &path, &()).status, 200);
    assert_eq!(
        desk.send(&owner, "DELETE", &path, &()).refusal(),
        (404, "not_found".to_owned())
    );
    assert_eq!(desk.get(&others[0], "/api/me").status, 401);
    assert_eq!(
        desk.send(&owner, "POST", "/api/me/sessions/revoke-others", &())
            .status,
        200
    );
    assert_eq!(desk.get(&others[1], "/api/me").status, 401);
    assert_eq!(desk.get(&owner, "/api/me").status, 200);
}

#[test]
fn a_session_of_another_user_cannot_be_revoked() {
    let (desk, owner) = Desk::owned();
    let viewer = desk.viewer(&owner);
    let me: Me = desk.get(&owner, "/api/me").ok();
    let reply = desk.send(
        &viewer,
        "DELETE",
        &format!("/api/me/sessions/{}", me.session_id),
        &(),
    );
    assert_eq!(reply.refusal(), (404, "not_found".to_owned()));
    assert_eq!(desk.get(&owner, "/api/me").status, 200);
}

#[test]
fn a_new_password_ends_every_session_and_gives_a_new_one() {
    let (desk, owner) = Desk::owned();
    let other = signed_in(&desk.log_in(EMAIL, PASSWORD));
    let change = |current: &str, new: &str| {
        desk.send(
            &owner,
            "POST",
            "/api/me/password",
            &json!({"current": current, "new": new}),
        )
    };
    let wrong = change("not the password", "some other words");
    assert_eq!(wrong.refusal(), (403, "wrong_password".to_owned()));
    assert_eq!(wrong.json::<hookcast_api::ApiError>().fields[0].field, "current");
    assert_eq!(change(PASSWORD, "short").status, 400);
    let fresh = signed_in(&change(PASSWORD, "some other words"));
    for ended in [&owner, &other] {
        assert_eq!(desk.get(ended, "/api/me").status, 401);
    }
    assert_eq!(desk.get(&fresh, "/api/me").status, 200);
    assert_eq!(desk.log_in(EMAIL, PASSWORD).status, 401);
    assert_eq!(desk.log_in(EMAIL, "some other words").status, 200);
}

#[test]
fn the_last_owner_stays_an_owner_and_stays() {
    let (desk, owner) = Desk::owned();
    let me: Me = desk.get(&owner, "/api/me").ok();
    let path = format!("/api/users/{}", me.user.id);
    assert_eq!(
        desk.send(&owner, "PATCH", &path, &json!({"role": "viewer"}))
            .status,
        400
    );
    assert_eq!(desk.send(&owner, "DELETE", &path, &()).status, 400);
    assert_eq!(desk.get(&owner, "/api/users").ok::<Users>().users.len(), 1);
    let body = json!({"email": "two@x.example", "password": PASSWORD, "role": "owner"});
    let two: User = desk.send(&owner, "POST", "/api/users", &body).ok();
    assert_eq!(
        desk.send(&owner, "POST", "/api/users", &body)
            .json::<hookcast_api::ApiError>()
            .fields[0]
            .field,
        "email"
    );
    assert_eq!(desk.send(&owner, "DELETE", &path, &()).status, 200);
    assert_eq!(desk.get(&owner, "/api/me").status, 401);
    let two_in = signed_in(&desk.log_in("two@x.example", PASSWORD));
    assert_eq!(
        desk.get(&two_in, "/api/users").ok::<Users>().users,
        [User {
            last_login_at: Some(desk.now_ms),
            ..two
        }]
    );
}

#[test]
fn a_changed_role_or_password_ends_the_users_sessions() {
    let (desk, owner) = Desk::owned();
    let viewer = desk.viewer(&owner);
    let me: Me = desk.get(&viewer, "/api/me").ok();
    let path = format!("/api/users/{}", me.user.id);
    assert_eq!(desk.send(&owner, "PATCH", &path, &json!({})).status, 200);
    assert_eq!(desk.get(&viewer, "/api/me").status, 200, "nothing changed");
    assert_eq!(
        desk.send(&owner, "PATCH", &path, &json!({"role": "owner"}))
            .ok::<User>()
            .role,
        Role::Owner
    );
    assert_eq!(desk.get(&viewer, "/api/me").status, 401);
    assert_eq!(
        desk.send(&owner, "PATCH", &path, &json!({"password": "fresh words here"}))
            .status,
        200
    );
    assert_eq!(desk.log_in("viewer@x.example", PASSWORD).status, 401);
    assert_eq!(desk.log_in("viewer@x.example", "fresh words here").status, 200);
    assert_eq!(
        desk.send(&owner, "PATCH", "/api/users/99", &json!({"role": "owner"}))
            .status,
        404
    );
}

#[test]
fn the_csrf_token_is_not_the_cookie_and_belongs_to_one_session() {
    let (desk, owner) = Desk::owned();
    let other = signed_in(&desk.log_in(EMAIL, PASSWORD));
    let (_, token) = owner.cookie.as_ref().unwrap().split_once('=').unwrap();
    assert_eq!(Some(csrf_token(token)), owner.csrf);
    assert!(!token.contains(owner.csrf.as_ref().unwrap()));
    let mixed = As {
        csrf: other.csrf,
        ..owner
    };
    assert_eq!(
        desk.send(&mixed, "POST", "/api/logout", &()).refusal(),
        (403, "csrf".to_owned())
    );
}

#[test]
fn no_secret_of_an_account_reaches_the_audit_log() {
    let (desk, owner) = Desk::owned();
    let key = desk.key(&owner, &["read"]);
    let body = json!({"current": PASSWORD, "new": "other words entirely"});
    let owner = signed_in(&desk.send(&owner, "POST", "/api/me/password", &body));
    let log = String::from_utf8(desk.get(&owner, "/api/audit").body).unwrap();
    assert!(
        log.contains("password.changed") && log.contains("key.added"),
        "{log}"
    );
    for secret in [
        PASSWORD,
        "other words entirely",
        key.key.as_ref().unwrap(),
        owner.csrf.as_ref().unwrap(),
        "argon2",
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}
