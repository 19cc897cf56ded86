//! Who may sign in.

use hookcast_api::account::{NewUser, UserChange, Users};

use super::accounts::{checked_email, checked_password};
use super::call::{Call, stored_role, user};
use super::exchange::{Answer, Failure};
use super::routing::done;
use crate::store::{accounts, audit, sessions};

pub async fn list(call: &Call<'_>) -> Result<Answer, Failure> {
    let all = call.admin.store.read(accounts::list).await?;
    Ok(Answer::json(&Users {
        users: all.iter().map(user).collect(),
    }))
}

pub async fn add(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: NewUser = call.ask.json()?;
    let email = checked_email(&request.email)?;
    checked_password("password", &request.password)?;
    let sought = email.clone();
    if call
        .admin
        .store
        .read(move |db| accounts::by_email(db, &sought))
        .await?
        .is_some()
    {
        return Err(Failure::field(
            "email",
            "there is a user with this address already",
        ));
    }
    let hash = call.admin.passwords.hash(&request.password).await?;
    let role = stored_role(request.role);
    let note = call.note("user.added", None, &email, role.as_str());
    let now_ms = call.now_ms();
    let account = call
        .admin
        .store
        .write(move |tx| {
            audit::note(tx, &note, now_ms)?;
            accounts::create(tx, &email, &hash, role, now_ms)
        })
        .await?;
    Ok(Answer::json(&user(&account)))
}

/// A new role or password ends the user's sessions, but for the one that asks.
pub async fn change(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: UserChange = call.ask.json()?;
    let id = user_id(call)?;
    let (own, session, _) = call.person()?;
    let keep = (own.id == id).then(|| session.id.clone());
    let hash = match &request.password {
        None => None,
        Some(password) => {
            checked_password("password", password)?;
            Some(call.admin.passwords.hash(password).await?)
        }
    };
    let mut note = call.note("user.changed", None, "", "");
    let now_ms = call.now_ms();
    let kept = keep.clone();
    let account = call
        .admin
        .store
        .write(move |tx| {
            let before = accounts::by_id(tx, id)?
                .ok_or_else(|| crate::store::StoreError::NotFound("there is no such user".to_owned()))?;
            let mut changes = Vec::new();
            if let Some(role) = request.role.map(stored_role).filter(|role| *role != before.role) {
                accounts::set_role(tx, id, role)?;
                changes.push(format!("role: {}", role.as_str()));
            }
            if let Some(hash) = hash {
                accounts::set_password(tx, id, &hash)?;
                changes.push("new password".to_owned());
            }
            if !changes.is_empty() {
                sessions::end_all(tx, id, kept.as_deref())?;
                note.subject.clone_from(&before.email);
                note.details = changes.join(", ");
                audit::note(tx, &note, now_ms)?;
            }
            accounts::by_id(tx, id)
        })
        .await?
        .ok_or_else(|| Failure::not_found("user"))?;
    call.admin
        .insight
        .sessions_ended_but(id, keep.as_deref().unwrap_or_default());
    Ok(Answer::json(&user(&account)))
}

pub async fn remove(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = user_id(call)?;
    let mut note = call.note("user.removed", None, "", "");
    let now_ms = call.now_ms();
    call.admin
        .store
        .write(move |tx| {
            note.subject = accounts::by_id(tx, id)?
                .map(|account| account.email)
                .unwrap_or_default();
            accounts::remove(tx, id)?;
            audit::note(tx, &note, now_ms)
        })
        .await?;
    call.admin.insight.sessions_ended_but(id, "");
    Ok(done())
}

fn user_id(call: &Call<'_>) -> Result<i64, Failure> {
    call.arg(0).parse().map_err(|_| Failure::not_found("user"))
}
