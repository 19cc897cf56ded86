//! One's own sessions.

use hookcast_api::account::{Session, Sessions};
use http::header;

use super::accounts::cookie;
use super::call::{Call, lifetimes};
use super::exchange::{Answer, Failure};
use super::routing::done;
use crate::store::{audit, sessions};

pub async fn logout(call: &Call<'_>) -> Result<Answer, Failure> {
    let (account, session, _) = call.person()?;
    let (account_id, id, now_ms) = (account.id, session.id.clone(), call.now_ms());
    let note = call.note("logout", None, &account.email, "");
    call.admin
        .store
        .write(move |tx| {
            sessions::end_if_there(tx, account_id, &id)?;
            audit::note(tx, &note, now_ms)
        })
        .await?;
    call.admin.insight.session_ended(&session.id);
    Ok(done().with(header::SET_COOKIE, &cookie(call.ask, "", 0)))
}

pub async fn list(call: &Call<'_>) -> Result<Answer, Failure> {
    let (account, current, _) = call.person()?;
    let (id, lifetimes, now_ms) = (account.id, lifetimes(call.ask), call.now_ms());
    let all = call
        .admin
        .store
        .read(move |db| sessions::list(db, id, lifetimes, now_ms))
        .await?;
    let sessions = all
        .into_iter()
        .map(|session| Session {
            current: session.id == current.id,
            expires_at: lifetimes.expires_ms(&session),
            id: session.id,
            created_at: session.created_ms,
            last_seen_at: session.last_seen_ms,
            address: session.address,
            user_agent: session.user_agent,
        })
        .collect();
    Ok(Answer::json(&Sessions { sessions }))
}

pub async fn revoke(call: &Call<'_>) -> Result<Answer, Failure> {
    let (account, _, _) = call.person()?;
    let (account_id, id, now_ms) = (account.id, call.arg(0).to_owned(), call.now_ms());
    let note = call.note("session.revoked", None, &account.email, format!("session {id}"));
    let ended = id.clone();
    call.admin
        .store
        .write(move |tx| {
            sessions::end(tx, account_id, &id)?;
            audit::note(tx, &note, now_ms)
        })
        .await?;
    call.admin.insight.session_ended(&ended);
    Ok(done())
}

pub async fn revoke_others(call: &Call<'_>) -> Result<Answer, Failure> {
    let (account, session, _) = call.person()?;
    let (account_id, keep, now_ms) = (account.id, session.id.clone(), call.now_ms());
    let mut note = call.note("session.revoked", None, &account.email, "");
    call.admin
        .store
        .write(move |tx| {
            let ended = sessions::end_all(tx, account_id, Some(&keep))?;
            note.details = format!("{ended} other sessions");
            audit::note(tx, &note, now_ms)
        })
        .await?;
    call.admin.insight.sessions_ended_but(account.id, &session.id);
    Ok(done())
}
