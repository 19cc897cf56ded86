//! Getting in: state, set-up, log-in, and one's own password.

use hookcast_api::account::{LoginRequest, Me, PasswordChange, SetupRequest, State};
use hookcast_api::{API_VERSION, code};
use http::header;

use super::call::{Call, Caller, cookie_name, lifetimes, user};
use super::exchange::{Answer, Ask, Failure};
use super::{guard, passwords};
use crate::store::accounts::{self, Account};
use crate::store::audit;
use crate::store::sessions::{self, Session};

const EMAIL_BYTES_MAX: usize = 254;

pub async fn state(call: &Call<'_>) -> Result<Answer, Failure> {
    let owned = call.admin.store.read(accounts::any_owner).await?;
    Ok(Answer::json(&State {
        api_version: API_VERSION,
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        needs_setup: !owned,
        public_url: call.ask.public_url(),
        base_path: call.ask.config.server.base_path.as_str().to_owned(),
        secure: call.ask.secure,
        me: match &call.caller {
            Caller::Person {
                account,
                session,
                token,
            } => Some(me_of(call.ask, account, session, token)),
            _ => None,
        },
    }))
}

pub fn me(call: &Call<'_>) -> Result<Answer, Failure> {
    let (account, session, token) = call.person()?;
    Ok(Answer::json(&me_of(call.ask, account, session, token)))
}

pub async fn setup(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: SetupRequest = call.ask.json()?;
    let closed = || {
        Failure::new(
            403,
            code::SETUP_CLOSED,
            "this set-up link is not valid any more: sign in, or restart the relay for a new link",
        )
    };
    call.admin.throttled(call.ask, "")?;
    if !call.admin.setup.matches(&request.token) || call.admin.store.read(accounts::any_owner).await? {
        return Err(closed());
    }
    let email = checked_email(&request.email)?;
    checked_password("password", &request.password)?;
    let hash = call.admin.passwords.hash(&request.password).await?;
    let note = call.note(
        "relay.set_up",
        None,
        &email,
        "the first owner, by the set-up link",
    );
    let now_ms = call.now_ms();
    let created = call
        .admin
        .store
        .write(move |tx| {
            let account = accounts::create_first(tx, &email, &hash, now_ms)?;
            if account.is_some() {
                audit::note(tx, &note, now_ms)?;
            }
            Ok(account)
        })
        .await?;
    let account = created.ok_or_else(closed)?;
    call.admin.throttle.succeeded(call.ask.ip, "");
    sign_in(call, account, "login").await
}

pub async fn login(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: LoginRequest = call.ask.json()?;
    let email = request.email.trim().to_owned();
    call.admin.throttled(call.ask, &email)?;
    let sought = email.clone();
    let found = call
        .admin
        .store
        .read(move |db| accounts::by_email(db, &sought))
        .await?;
    let found = found.filter(|(account, _)| account.active);
    let kept = found.as_ref().map(|(_, hash)| hash.as_str());
    let good = call.admin.passwords.verify(&request.password, kept).await?;
    match found {
        Some((account, _)) if good => {
            call.admin.throttle.succeeded(call.ask.ip, &email);
            sign_in(call, account, "login").await
        }
        known => {
            let mut note = call.note("login.refused", None, &email, "");
            // A mistyped address may be a password: only accounts that exist are named.
            note.subject = known
                .map(|(account, _)| account.email)
                .unwrap_or_else(|| "an unknown address".to_owned());
            let now_ms = call.now_ms();
            call.admin
                .store
                .write(move |tx| audit::note(tx, &note, now_ms))
                .await?;
            Err(Failure::new(
                401,
                code::INVALID_CREDENTIALS,
                "the email or the password is not right",
            ))
        }
    }
}

/// A session of its own for every log-in; the one before it in this browser ends.
async fn sign_in(call: &Call<'_>, account: Account, action: &'static str) -> Result<Answer, Failure> {
    let ask = call.ask;
    let (address, agent) = (
        ask.ip.to_string(),
        ask.header("user-agent").unwrap_or_default().to_owned(),
    );
    let before = match &call.caller {
        Caller::Person { account, session, .. } => Some((account.id, session.id.clone())),
        _ => None,
    };
    let mut note = call.note(action, None, &account.email, "");
    note.actor.clone_from(&account.email);
    let (id, now_ms, lifetimes) = (account.id, call.now_ms(), lifetimes(ask));
    let (token, session) = call
        .admin
        .store
        .write(move |tx| {
            sessions::prune(tx, lifetimes, now_ms)?;
            if let Some((account_id, session_id)) = before {
                sessions::end_if_there(tx, account_id, &session_id)?;
            }
            accounts::logged_in(tx, id, now_ms)?;
            audit::note(tx, &note, now_ms)?;
            sessions::create(tx, id, &address, &agent, now_ms)
        })
        .await?;
    let account = Account {
        last_login_ms: Some(now_ms),
        ..account
    };
    let me = me_of(ask, &account, &session, &token);
    Ok(Answer::json(&me).with(
        header::SET_COOKIE,
        &cookie(ask, &token, ask.config.admin.session_life_ms / 1000),
    ))
}

/// A new password ends every session, this one included; the answer brings another one.
pub async fn change_password(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: PasswordChange = call.ask.json()?;
    let (account, _, _) = call.person()?;
    if let Err(mut failure) = call.password_again(&request.current).await {
        for field in &mut failure.error.fields {
            field.field = "current".to_owned();
        }
        return Err(failure);
    }
    checked_password("new", &request.new)?;
    let hash = call.admin.passwords.hash(&request.new).await?;
    let (id, now_ms) = (account.id, call.now_ms());
    let note = call.note("password.changed", None, &account.email, "every session ended");
    call.admin
        .store
        .write(move |tx| {
            accounts::set_password(tx, id, &hash)?;
            sessions::end_all(tx, id, None)?;
            audit::note(tx, &note, now_ms)
        })
        .await?;
    sign_in(call, account.clone(), "login").await
}

pub fn checked_email(email: &str) -> Result<String, Failure> {
    check_email(email).map_err(|why| Failure::field("email", &why))
}

/// The address without the spaces around it, or why it can be none.
pub fn check_email(email: &str) -> Result<String, String> {
    let email = email.trim();
    let plausible = email.len() <= EMAIL_BYTES_MAX
        && email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty())
        && !email.chars().any(|c| c.is_control() || c.is_whitespace());
    match plausible {
        true => Ok(email.to_owned()),
        false => Err("type an email address, such as you@example.com".to_owned()),
    }
}

pub fn checked_password(field: &str, password: &str) -> Result<(), Failure> {
    passwords::check(password).map_err(|why| Failure::field(field, &why))
}

fn me_of(ask: &Ask, account: &Account, session: &Session, token: &str) -> Me {
    Me {
        user: user(account),
        csrf: guard::csrf_token(token),
        session_id: session.id.clone(),
        session_expires_at: lifetimes(ask).expires_ms(session),
    }
}

/// With no token and no time: the browser forgets it.
pub fn cookie(ask: &Ask, token: &str, seconds: u64) -> String {
    let path = match ask.config.server.base_path.as_str() {
        "" => "/",
        path => path,
    };
    let secure = if ask.secure { "; Secure" } else { "" };
    format!(
        "{}={token}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        cookie_name(ask.secure)
    )
}
