//! Dispatch: unsigned JSON from simple scripts (`{"event","data","timestamp"}`), by a token, or on an open site by being on
//! this machine.

use std::sync::Arc;

use bytes::Bytes;
use hookcast_api::site::{Dispatch, DispatchChange, DispatchToken};
use hookcast_api::trigger::Source;
use http::{StatusCode, header};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::call::Call;
use super::exchange::{Answer, Ask, Failure};
use super::sites::about;
use super::{Admin, Outgoing, Relay};
use crate::insight::{LogOrigin, Surface};
use crate::site::{Refusal, Site, SiteStatus};
use crate::store::sites::SiteRow;
use crate::store::{audit, secret, sites, triggers};
use crate::trigger::evaluate;

/// Where a dispatch goes that no trigger claims.
const CHANNEL: &str = "events";

pub fn settings(call: &Call<'_>) -> Result<Answer, Failure> {
    Ok(Answer::json(&shown(call.ask, &*call.site()?)))
}

pub async fn change(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: DispatchChange = call.ask.json()?;
    let site = call.site()?;
    let before = site.dispatch.as_ref();
    let enabled = request.enabled.unwrap_or(before.is_some());
    let open = request
        .open
        .unwrap_or(before.is_some_and(|dispatch| dispatch.open));
    if open && !enabled && request.open.is_some() {
        return Err(Failure::field("open", "switch dispatch on first"));
    }
    let token = enabled.then(|| before.map_or_else(secret::secret, |dispatch| dispatch.token.clone()));
    let details = match (enabled, open) {
        (false, _) => "off",
        (true, false) => "on, with a token",
        (true, true) => "open: from this machine without a token",
    };
    save(call, token, open, "site.dispatch_changed", details).await?;
    Ok(Answer::json(&shown(call.ask, &*call.site()?)))
}

pub async fn new_token(call: &Call<'_>) -> Result<Answer, Failure> {
    let open = call
        .site()?
        .dispatch
        .as_ref()
        .is_some_and(|dispatch| dispatch.open);
    let token = secret::secret();
    save(
        call,
        Some(token.clone()),
        open,
        "site.dispatch_token_made",
        "the one before stopped working",
    )
    .await?;
    let php = format!(
        "wp_remote_post( '{}/dispatch', array(\n\
         \t'blocking' => false,\n\
         \t'headers'  => array( 'Content-Type' => 'application/json', 'Authorization' => 'Bearer {token}' ),\n\
         \t'body'     => wp_json_encode( array( 'event' => 'my-event', 'data' => array( 'id' => 1 ), 'timestamp' => time() ) ),\n\
         ) );\n",
        call.ask.public_url()
    );
    Ok(Answer::json(&DispatchToken { token, php }))
}

async fn save(
    call: &Call<'_>,
    token: Option<String>,
    open: bool,
    action: &'static str,
    details: &str,
) -> Result<SiteRow, Failure> {
    let note = call.note(action, None, "", details);
    let (key, now_ms) = (call.site()?.key.clone(), call.now_ms());
    let row = call
        .admin
        .store
        .write(move |tx| {
            let row = sites::set_dispatch(tx, &key, token.as_deref(), open, now_ms)?;
            audit::note(tx, &about(note, &row), now_ms)?;
            Ok(row)
        })
        .await?;
    Ok(row)
}

fn shown(ask: &Ask, site: &Site) -> Dispatch {
    Dispatch {
        enabled: site.dispatch.is_some(),
        open: site.dispatch.as_ref().is_some_and(|dispatch| dispatch.open),
        url: format!("{}/dispatch", ask.public_url()),
        token_hint: site
            .dispatch
            .as_ref()
            .map(|dispatch| dispatch.token.chars().take(6).collect()),
    }
}

/// `POST /dispatch`, answered in the words that the recipe's scripts look for.
pub async fn dispatched(admin: &Admin, ask: &Ask, relay: &dyn Relay) -> Answer {
    let site = match site_of(admin, ask) {
        Ok(site) => site,
        Err(refusal) => return refused(&refusal, ask, relay, None),
    };
    match publish(admin, ask, relay, &site).await {
        Ok(()) => Answer::json(&json!({"status": "success", "message": "Event broadcasted"})),
        Err(refusal) => refused(&refusal, ask, relay, Some(&site)),
    }
}

/// By the token in the header or the query; without one, from this very machine, the one site that is open.
fn site_of(admin: &Admin, ask: &Ask) -> Result<Arc<Site>, Refusal> {
    let sites = admin.store.sites();
    let dispatching = || {
        sites
            .iter()
            .filter(|site| site.status == SiteStatus::Active && site.dispatch.is_some())
    };
    let sent = ask.bearer().map(str::to_owned).or_else(|| ask.param("token"));
    if let Some(sent) = sent {
        // Every token is compared, so that the time says nothing about which one was close.
        let found = dispatching().fold(None, |found, site| {
            let token = site
                .dispatch
                .as_ref()
                .map_or("", |dispatch| dispatch.token.as_str());
            if bool::from(token.as_bytes().ct_eq(sent.as_bytes())) {
                Some(site)
            } else {
                found
            }
        });
        return found
            .cloned()
            .ok_or_else(|| Refusal::new(401, "unauthorized", "no site has this dispatch token"));
    }
    // A proxy on this machine speaks for the whole internet: what it forwards is not from here.
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| ask.headers.contains_key(*name));
    let from_here = ask.direct.to_canonical().is_loopback() && !forwarded;
    let mut open = dispatching().filter(|site| site.dispatch.as_ref().is_some_and(|dispatch| dispatch.open));
    match (from_here, open.next(), open.next()) {
        (true, Some(site), None) => Ok(site.clone()),
        (true, Some(_), Some(_)) => Err(Refusal::new(
            401,
            "unauthorized",
            "several sites are open: send the dispatch token of the one you mean",
        )),
        _ => Err(Refusal::new(
            401,
            "unauthorized",
            "send the site's dispatch token, as Authorization: Bearer or as ?token=",
        )),
    }
}

async fn publish(admin: &Admin, ask: &Ask, relay: &dyn Relay, site: &Arc<Site>) -> Result<(), Refusal> {
    let input: Value =
        serde_json::from_slice(&ask.body).map_err(|_| Refusal::invalid_request("the body is not JSON"))?;
    let event = input
        .get("event")
        .and_then(Value::as_str)
        .filter(|event| !event.is_empty());
    let event = event
        .ok_or_else(|| Refusal::invalid_request("the field event is missing"))?
        .to_owned();
    let id = site.id.0;
    let all = admin
        .store
        .read(move |db| triggers::list(db, id))
        .await
        .map_err(|error| error.refusal())?;
    let named = |wanted: Option<&str>| {
        let fits =
            |source: &Source| matches!(source, Source::Dispatch { event } if event.as_deref() == wanted);
        all.iter()
            .filter(|row| row.spec.enabled && fits(&row.spec.source))
            .collect::<Vec<_>>()
    };
    let mut claimed = named(Some(&event));
    if claimed.is_empty() {
        claimed = named(None);
    }
    if claimed.is_empty() {
        let data = input.get("data").cloned().unwrap_or(Value::Null);
        let message = Outgoing {
            channel: CHANNEL.to_owned(),
            event,
            data: Bytes::from(data.to_string()),
            origin: LogOrigin::Dispatch,
        };
        relay.publish(site, message).await?;
    }
    for row in claimed {
        let outcome = evaluate(&row.spec, &input);
        if !outcome.matched {
            admin.fired.problem(&row.id, "its conditions did not hold");
            continue;
        }
        let message = Outgoing {
            channel: row.spec.channel.clone(),
            event: row.spec.event.clone(),
            data: Bytes::from(outcome.data.to_string()),
            origin: LogOrigin::Dispatch,
        };
        relay.publish(site, message).await?;
        admin.fired.fired(site.id, &row.id, &outcome.missing, ask.now_ms);
    }
    if site.dispatch.as_ref().is_some_and(|dispatch| dispatch.open) {
        relay.dispatch_raw(site.id, ask.body.clone());
    }
    Ok(())
}

fn refused(refusal: &Refusal, ask: &Ask, relay: &dyn Relay, site: Option<&Arc<Site>>) -> Answer {
    relay.refused(refusal, Surface::Dispatch, site, ask.ip);
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"status": "error", "error": refusal.code, "message": refusal.message});
    let answer = Answer::json(&body).status(status);
    match refusal.retry_after_s {
        Some(seconds) => answer.with(header::RETRY_AFTER, &seconds.to_string()),
        None => answer,
    }
}
