//! API keys for scripts and for WordPress sites that register by hand.

use hookcast_api::account::{ApiKey, ApiKeys, CreatedApiKey, NewApiKey};

use super::call::{Call, scope};
use super::exchange::{Answer, Failure};
use super::routing::done;
use crate::store::{accounts, api_keys, audit};

const DAYS_MAX: u32 = 3660;
const MS_PER_DAY: u64 = 86_400_000;

pub async fn list(call: &Call<'_>) -> Result<Answer, Failure> {
    let (all, owners) = call
        .admin
        .store
        .read(|db| Ok((api_keys::list(db)?, accounts::list(db)?)))
        .await?;
    let email = |id: Option<i64>| {
        let owner = owners.iter().find(|account| Some(account.id) == id);
        owner.map_or_else(|| "command line".to_owned(), |account| account.email.clone())
    };
    let keys = all
        .iter()
        .filter(|key| key.revoked_ms.is_none())
        .map(|key| shown(key, email(key.account_id)));
    Ok(Answer::json(&ApiKeys { keys: keys.collect() }))
}

pub async fn add(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: NewApiKey = call.ask.json()?;
    if request.name.trim().is_empty() {
        return Err(Failure::field(
            "name",
            "give the key a name, so that you know later what it was for",
        ));
    }
    if request.scopes.is_empty() {
        return Err(Failure::field("scopes", "choose at least one"));
    }
    if request
        .expires_in_days
        .is_some_and(|days| days == 0 || days > DAYS_MAX)
    {
        return Err(Failure::field("expires_in_days", "choose 1 to 3,660 days"));
    }
    let (account, _, _) = call.person()?;
    let (email, account_id, now_ms) = (account.email.clone(), account.id, call.now_ms());
    let expires_ms = request
        .expires_in_days
        .map(|days| now_ms + u64::from(days) * MS_PER_DAY);
    let scopes = request
        .scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect::<Vec<_>>();
    let note = call.note("key.added", None, request.name.trim(), scopes.join(", "));
    let (secret, key) = call
        .admin
        .store
        .write(move |tx| {
            audit::note(tx, &note, now_ms)?;
            let (secret, key) = api_keys::create(tx, &request.name, &scopes, Some(account_id), now_ms)?;
            match expires_ms {
                None => Ok((secret, key)),
                Some(at) => Ok((secret, api_keys::set_expiry(tx, key.id, at)?)),
            }
        })
        .await?;
    Ok(Answer::json(&CreatedApiKey {
        key: shown(&key, email),
        secret,
    }))
}

pub async fn revoke(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = call
        .arg(0)
        .parse::<i64>()
        .map_err(|_| Failure::not_found("API key"))?;
    let mut note = call.note("key.revoked", None, "", "");
    let now_ms = call.now_ms();
    call.admin
        .store
        .write(move |tx| {
            let key = api_keys::revoke_id(tx, id, now_ms)?;
            note.subject = key.name;
            audit::note(tx, &note, now_ms)
        })
        .await?;
    Ok(done())
}

fn shown(key: &api_keys::ApiKey, created_by: String) -> ApiKey {
    ApiKey {
        id: u32::try_from(key.id).unwrap_or(u32::MAX),
        name: key.name.clone(),
        scopes: key.scopes.iter().filter_map(|text| scope(text)).collect(),
        hint: key.prefix.clone(),
        created_by,
        created_at: key.created_ms,
        last_used_at: key.last_used_ms,
        expires_at: key.expires_ms,
    }
}
