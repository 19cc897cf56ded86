//! `POST /hooks/{id}`: somebody else's webhook becomes an event.

use bytes::Bytes;
use hookcast_api::trigger::Source;
use serde_json::Value;

use super::Outgoing;
use super::call::Call;
use super::exchange::{Answer, Failure};
use super::routing::done;
use crate::insight::{LogOrigin, Surface};
use crate::site::{Refusal, SiteStatus};
use crate::store::triggers;
use crate::trigger::{evaluate, prove};

pub async fn receive(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = call.arg(0).to_owned();
    let row = call.admin.store.read(move |db| triggers::by_id(db, &id)).await?;
    let sites = call.admin.store.sites();
    let found = row.and_then(|row| {
        let site = sites.by_id(crate::ids::SiteId(row.site_id))?.clone();
        let Source::Webhook { verify } = row.spec.source else {
            return None;
        };
        let secret = row.webhook_secret.clone()?;
        (row.spec.enabled && site.status == SiteStatus::Active).then_some((row, site, verify, secret))
    });
    let (row, site, verify, secret) =
        found.ok_or_else(|| Failure::not_found("webhook, or it is switched off"))?;
    let refused = |refusal: Refusal| {
        call.relay
            .refused(&refusal, Surface::Webhook, Some(&site), call.ask.ip);
        call.admin.fired.problem(&row.id, &refusal.message);
        Failure::from(refusal)
    };
    if let Err(unproven) = prove(verify, &secret, &call.ask.headers, &call.ask.body) {
        return Err(refused(Refusal::new(401, "invalid_signature", unproven.0)));
    }
    // WooCommerce asks a new webhook's address with `webhook_id=1` in a form, not JSON: an answer is all it wants.
    let Ok(input) = serde_json::from_slice::<Value>(&call.ask.body) else {
        if call.ask.body.starts_with(b"webhook_id=") {
            return Ok(done());
        }
        return Err(refused(Refusal::invalid_request("the body is not JSON")));
    };
    let outcome = evaluate(&row.spec, &input);
    if !outcome.matched {
        call.admin.fired.problem(&row.id, "its conditions did not hold");
        return Ok(done());
    }
    let message = Outgoing {
        channel: row.spec.channel.clone(),
        event: row.spec.event.clone(),
        data: Bytes::from(outcome.data.to_string()),
        origin: LogOrigin::Trigger,
    };
    call.relay.publish(&site, message).await.map_err(Failure::from)?;
    call.admin
        .fired
        .fired(site.id, &row.id, &outcome.missing, call.now_ms());
    Ok(done())
}
