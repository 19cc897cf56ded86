//! What WordPress calls: registering by hand, unregistering, and its list of triggers.

use hookcast_api::site::{RegisterRequest, UnregisterRequest};
use hookcast_api::trigger::{SiteTrigger, SiteTriggers};
use http::{StatusCode, header};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::exchange::{Answer, Failure};
use super::routing::done;
use super::sites::{about, credentials_of};
use crate::insight::Surface;
use crate::site::{Refusal, SignedHeaders};
use crate::store::sites::{self, RegisteredBy, Registration};
use crate::store::{StoreError, api_keys, audit, triggers as stored};

pub async fn register(call: &Call<'_>) -> Result<Answer, Failure> {
    let key = call.ask.bearer().unwrap_or_default().to_owned();
    let request: RegisterRequest = plain_json(call)?;
    let note = by_wordpress(call, "site.registered");
    let (now_ms, sites_max) = (call.now_ms(), call.ask.config.limits.sites_max);
    let registered = call
        .admin
        .store
        .write(move |tx| {
            let key = api_keys::authorize(tx, &key, api_keys::SCOPE_REGISTER, now_ms)?;
            let registration = Registration {
                url: &request.site_url,
                name: &request.site_name,
                by: RegisteredBy::ApiKey,
                account_id: key.account_id,
                sites_max,
            };
            let row = sites::register(tx, &registration, now_ms)?;
            let note = audit::Note {
                details: format!("with the API key {}", key.name),
                ..about(note, &row)
            };
            audit::note(tx, &note, now_ms)?;
            Ok(row)
        })
        .await;
    Ok(Answer::json(&credentials_of(
        &registered.map_err(|error| refused(call, error))?,
    )))
}

pub async fn unregister(call: &Call<'_>) -> Result<Answer, Failure> {
    let key = call.ask.bearer().map(str::to_owned);
    let request: UnregisterRequest = plain_json(call)?;
    let note = by_wordpress(call, "site.unregistered");
    let now_ms = call.now_ms();
    let unregistered = call
        .admin
        .store
        .write(move |tx| {
            let row = sites::unregister(
                tx,
                &request.site_key,
                &request.publish_secret,
                key.as_deref(),
                now_ms,
            )?;
            audit::note(tx, &about(note, &row), now_ms)
        })
        .await;
    unregistered.map_err(|error| refused(call, error))?;
    Ok(done())
}

/// Signed like `/site/stats`: over an empty body.
pub async fn triggers(call: &Call<'_>) -> Result<Answer, Failure> {
    let verified = SignedHeaders::parse(&call.ask.headers)
        .and_then(|headers| call.admin.store.sites().verify(&headers, b"", call.now_ms()));
    let site = match verified {
        Ok(verified) => verified.site,
        Err(refusal) => {
            call.relay.refused(&refusal, Surface::Publish, None, call.ask.ip);
            return Err(refusal.into());
        }
    };
    let id = site.id.0;
    let (version, rows) = call
        .admin
        .store
        .read(move |db| Ok((stored::list_version(db, id)?, stored::list(db, id)?)))
        .await?;
    let triggers = rows
        .into_iter()
        .filter(|row| row.spec.enabled && row.spec.source.is_wordpress())
        .map(|row| SiteTrigger {
            id: row.id,
            spec: row.spec,
        })
        .collect();
    let list = SiteTriggers { version, triggers };
    let answer = Answer::json(&list);
    // Of the text, not the version alone: two relays, or one set up anew, may count to the same number.
    let text = serde_json::to_vec(&list).expect("a list of triggers is plain data");
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(text)[..12]));
    let known = call.ask.header("if-none-match").unwrap_or_default();
    let fresh = known
        .split(',')
        .any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let answer = if fresh {
        Answer::media("application/json", "").status(StatusCode::NOT_MODIFIED)
    } else {
        answer
    };
    Ok(answer.with(header::ETAG, &etag))
}

fn by_wordpress(call: &Call<'_>, action: &'static str) -> audit::Note {
    audit::Note {
        actor: "WordPress".to_owned(),
        ..call.note(action, None, "", "")
    }
}

/// WordPress' requests are taken whatever content type they name, as the plugin's contract does.
fn plain_json<T: serde::de::DeserializeOwned>(call: &Call<'_>) -> Result<T, Failure> {
    serde_json::from_slice(&call.ask.body)
        .map_err(|e| Failure::invalid(format!("the body is not what this route takes: {e}")))
}

fn refused(call: &Call<'_>, error: StoreError) -> Failure {
    if let StoreError::Refused(refusal) = &error {
        call.relay
            .refused(&listed(refusal), Surface::Register, None, call.ask.ip);
    }
    error.into()
}

/// As counters know it.
fn listed(refusal: &Refusal) -> Refusal {
    Refusal {
        message: format!("{}: {}", refusal.code, refusal.message).into(),
        ..refusal.clone()
    }
}
