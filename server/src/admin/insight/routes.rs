//! Insight over the API.

use hookcast_api::code;
use hookcast_api::insight::{PayloadWatch, PayloadWatchState, Refusals};

use super::{StreamOwner, StreamWish};
use crate::admin::call::{Call, Caller, lifetimes};
use crate::admin::exchange::{Answer, Failure};
use crate::admin::relay::ConnectionQuery;
use crate::admin::routing::done;
use crate::ids::ConnId;
use crate::store::audit;

const LIST_MAX: u64 = 1_000;
/// A table that is sent every second.
const STREAMED_CONNECTIONS_MAX: usize = 200;
const SEARCH_BYTES_MAX: usize = 200;

pub fn snapshot(call: &Call<'_>) -> Result<Answer, Failure> {
    Ok(Answer::json(&call.admin.insight.snapshot(call.now_ms())))
}

pub async fn stream(call: &Call<'_>) -> Result<Answer, Failure> {
    let owner = match &call.caller {
        Caller::Person { account, session, .. } => StreamOwner {
            account: Some(account.id),
            session: Some(session.id.clone()),
            until_ms: Some(session.created_ms.saturating_add(lifetimes(call.ask).life_ms)),
            ..StreamOwner::default()
        },
        Caller::Key(key) => StreamOwner {
            key: Some(key.id),
            until_ms: key.expires_ms,
            ..StreamOwner::default()
        },
        Caller::Nobody => StreamOwner::default(),
    };
    let site_key = call.ask.param("site");
    let connections = match call.ask.flag("connections") {
        false => None,
        true => Some(ConnectionQuery {
            limit: STREAMED_CONNECTIONS_MAX,
            ..query(call)?
        }),
    };
    let wish = StreamWish {
        owner,
        site_key,
        log: call.ask.flag("log"),
        connections,
    };
    match call.admin.insight.open_stream(wish, call.now_ms()) {
        Some(events) => Ok(Answer::events(events)),
        None => Err(
            Failure::unavailable("as many pages watch this relay as it serves: close some").retry_after(10),
        ),
    }
}

pub fn events(call: &Call<'_>) -> Result<Answer, Failure> {
    let (after, limit) = (call.ask.number("after", 0)?, call.ask.number("limit", 200)?);
    let site = call.ask.param("site");
    let limit = limit.clamp(1, LIST_MAX) as usize;
    Ok(Answer::json(&call.admin.insight.events(
        site.as_deref(),
        after,
        limit,
    )))
}

pub fn refusals(call: &Call<'_>) -> Result<Answer, Failure> {
    let site = call.site()?;
    Ok(Answer::json(&Refusals {
        refusals: call.admin.insight.refusals(&site.key, LIST_MAX as usize),
    }))
}

pub async fn channels(call: &Call<'_>) -> Result<Answer, Failure> {
    let site = call.site()?;
    Ok(Answer::json(&call.relay.channels(site.id).await?))
}

pub async fn connections(call: &Call<'_>) -> Result<Answer, Failure> {
    let limit = call.ask.number("limit", 200)?.clamp(1, LIST_MAX) as usize;
    let query = ConnectionQuery {
        limit,
        ..query(call)?
    };
    Ok(Answer::json(&call.relay.connections(query).await?))
}

pub async fn disconnect(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = call
        .arg(0)
        .parse::<ConnId>()
        .map_err(|_| Failure::not_found("connection"))?;
    if !call.relay.disconnect(id).await? {
        return Err(Failure::not_found("connection any more"));
    }
    let note = call.note("connection.closed", None, call.arg(0), "by an operator");
    let now_ms = call.now_ms();
    call.admin
        .store
        .write(move |tx| audit::note(tx, &note, now_ms))
        .await?;
    Ok(done())
}

pub async fn watch_payloads(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: PayloadWatch = call.ask.json()?;
    let site = call.site()?;
    let until = call
        .admin
        .insight
        .watch_payloads(site.id, request.on, call.now_ms());
    let details = if request.on { "on, for ten minutes" } else { "off" };
    let note = call.note("site.payloads_watched", Some(&site.key), &site.name, details);
    let now_ms = call.now_ms();
    call.admin
        .store
        .write(move |tx| audit::note(tx, &note, now_ms))
        .await?;
    Ok(Answer::json(&PayloadWatchState { until }))
}

fn query(call: &Call<'_>) -> Result<ConnectionQuery, Failure> {
    let site = match call.ask.param("site") {
        None => None,
        Some(key) => {
            let sites = call.admin.store.sites();
            Some(sites.by_key(&key).ok_or_else(|| Failure::not_found("site"))?.id)
        }
    };
    let search = call.ask.param("search").unwrap_or_default();
    if search.len() > SEARCH_BYTES_MAX {
        return Err(Failure::new(
            400,
            code::INVALID_REQUEST,
            "search for at most 200 bytes",
        ));
    }
    Ok(ConnectionQuery {
        site,
        search,
        limit: 0,
    })
}
