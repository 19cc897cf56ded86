//! `POST /publish/batch`: up to a hundred publishes under one signature, answered per item in their order (protocol,
//! "Several at once"). What a site sends at the end of a page costs it one request this way.
//!
//! Items of one channel are delivered in their order: all are handed over before the first answer is waited for, and what
//! is over the rate takes everything after it along, so that a publisher that sends the rest again changes no order.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use futures_channel::oneshot;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use wire::publish::{self, Publish, PublishError};

use super::{ANSWER_WAIT, authenticate, fired, message, outcome};
use crate::clock;
use crate::connection::http::{Request, Response, json, refuse};
use crate::hub::Published;
use crate::hub::Ticket;
use crate::insight::Surface;
use crate::shard::Context;
use crate::site::{Refusal, Site};

#[derive(Serialize)]
struct Answer {
    ok: bool,
    results: Vec<Item>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item {
    Accepted {
        ok: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    },
    Refused {
        ok: bool,
        error: &'static str,
        message: String,
    },
}

/// An item that is on its way to its home.
struct Pending {
    submitted: (Ticket, oneshot::Receiver<Published>),
    data_bytes: usize,
    /// The trigger that made it, if one did.
    trigger: Option<String>,
}

pub async fn handle(ctx: &Rc<Context>, mut request: Request) -> Response {
    let ip = request.peer.ip;
    let mut site = None;
    let results = match accept(ctx, &mut request, &mut site).await {
        Ok(results) => results,
        Err(refusal) => {
            ctx.refused(&refusal, Surface::Publish, site.as_deref(), Some(ip));
            return refuse(&refusal);
        }
    };
    for refusal in results.iter().filter_map(|result| result.as_ref().err()) {
        ctx.refused(refusal, Surface::Publish, site.as_deref(), Some(ip));
    }
    answer(results)
}

fn answer(results: Vec<Result<Published, Refusal>>) -> Response {
    let retry_after_s = results
        .iter()
        .filter_map(|result| result.as_ref().err()?.retry_after_s)
        .max();
    let results = results.into_iter().map(Item::from).collect();
    let mut response = json(StatusCode::OK, &Answer { ok: true, results });
    if let Some(seconds) = retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

impl From<Result<Published, Refusal>> for Item {
    fn from(result: Result<Published, Refusal>) -> Self {
        match result {
            Ok(published) => Self::Accepted {
                ok: true,
                duplicate: published == Published::Duplicate,
            },
            Err(refusal) => Self::Refused {
                ok: false,
                error: refusal.code,
                message: refusal.message.into_owned(),
            },
        }
    }
}

async fn accept(
    ctx: &Context,
    request: &mut Request,
    of: &mut Option<Arc<Site>>,
) -> Result<Vec<Result<Published, Refusal>>, Refusal> {
    let (body, verified) = authenticate(ctx, request, of).await?;
    let items = publish::parse_batch(&body).map_err(|error| Refusal::invalid_request(error.to_string()))?;
    let site = &verified.site;
    let mut pending = Vec::with_capacity(items.len());
    // Over the rate or the quota: so is everything that follows.
    let mut exhausted: Option<Refusal> = None;
    for (index, item) in items.into_iter().enumerate() {
        let submitted = match &exhausted {
            Some(refusal) => Err(refusal.clone()),
            None => submit(ctx, site, item, item_key(verified.signature, index)).await,
        };
        if let Err(refusal) = &submitted
            && refusal.retry_after_s.is_some()
        {
            exhausted = Some(refusal.clone());
        }
        pending.push(submitted);
    }
    let deadline = Instant::now() + ANSWER_WAIT;
    let mut results = Vec::with_capacity(pending.len());
    for item in pending {
        results.push(match item {
            Ok(item) => finish(ctx, site, item, deadline).await,
            Err(refusal) => Err(refusal),
        });
    }
    Ok(results)
}

async fn submit(
    ctx: &Context,
    site: &Site,
    item: Result<Publish<'_>, PublishError>,
    key: [u8; 32],
) -> Result<Pending, Refusal> {
    let parsed = item.map_err(|error| Refusal::invalid_request(error.to_string()))?;
    let message = message(ctx, site, &parsed)?;
    let now_ms = clock::unix_ms();
    site.admit_publish(1, now_ms)?;
    if let Err(refusal) = ctx.admission().await {
        site.live.month.refund(1, now_ms);
        return Err(refusal);
    }
    Ok(Pending {
        submitted: ctx.with(|shard| shard.publish(message, Some(key))),
        data_bytes: parsed.data.len(),
        trigger: parsed.trigger.map(std::borrow::Cow::into_owned),
    })
}

async fn finish(ctx: &Context, site: &Site, item: Pending, deadline: Instant) -> Result<Published, Refusal> {
    let wait = deadline.saturating_duration_since(Instant::now());
    let outcome = outcome(ctx, item.submitted, wait).await;
    match &outcome {
        Ok(Published::Accepted) => {
            site.live.usage.published(item.data_bytes);
            fired(ctx, site, item.trigger.as_deref(), clock::unix_ms());
        }
        Ok(Published::Duplicate) | Err(_) => site.live.month.refund(1, clock::unix_ms()),
    }
    outcome
}

/// Each item is known by the batch's signature and its place: a batch that is sent again delivers only what the first
/// time did not. The place goes into the first bytes: a home remembers half of a signature.
fn item_key(mut signature: [u8; 32], index: usize) -> [u8; 32] {
    let place = u16::try_from(index + 1)
        .expect("a batch is bounded")
        .to_be_bytes();
    signature[0] ^= place[0];
    signature[1] ^= place[1];
    signature
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_has_a_key_of_its_own() {
        let keys: std::collections::HashSet<_> = (0..publish::BATCH_MAX)
            .map(|index| *item_key([7; 32], index).first_chunk::<16>().expect("16 of 32"))
            .collect();
        assert_eq!(keys.len(), publish::BATCH_MAX);
        assert!(!keys.contains(&[7; 16]), "and none is that of a single publish");
    }
}
