//! `POST /publish`: authenticates a site's request and turns it into a message (protocol, "Publishing").

pub mod batch;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_channel::oneshot;
use http::StatusCode;
use serde::Serialize;
use wire::channel;
use wire::publish::{self, Publish};

use crate::clock;
use crate::connection::http::{Request, Response, json, refuse};
use crate::hub::Ticket;
use crate::hub::{ChannelKey, Kind, Message, Origin, Published};
use crate::insight::Surface;
use crate::shard::Context;
use crate::site::{Refusal, SignedHeaders, Site, Verified};

/// The most that a home takes to answer; WordPress waits 2 s.
const ANSWER_WAIT: Duration = Duration::from_millis(1_500);

#[derive(Serialize)]
struct Accepted {
    ok: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

pub async fn handle(ctx: &Rc<Context>, mut request: Request) -> Response {
    let ip = request.peer.ip;
    let mut site = None;
    match accept(ctx, &mut request, &mut site).await {
        Ok(published) => json(
            StatusCode::OK,
            &Accepted {
                ok: true,
                duplicate: published == Published::Duplicate,
            },
        ),
        Err(refusal) => {
            ctx.refused(&refusal, Surface::Publish, site.as_deref(), Some(ip));
            refuse(&refusal)
        }
    }
}

/// The checks in the protocol's order, and then the publish. `of` is set as soon as the site is known.
async fn accept(
    ctx: &Context,
    request: &mut Request,
    of: &mut Option<Arc<Site>>,
) -> Result<Published, Refusal> {
    let (body, verified) = authenticate(ctx, request, of).await?;
    let (site, now_ms) = (verified.site, clock::unix_ms());
    let parsed = publish::parse(&body).map_err(|error| Refusal::invalid_request(error.to_string()))?;
    let message = message(ctx, &site, &parsed)?;
    site.admit_publish(1, now_ms)?;
    let outcome = submit(ctx, message, Some(verified.signature)).await;
    match &outcome {
        Ok(Published::Accepted) => {
            site.live.usage.published(parsed.data.len());
            fired(ctx, &site, parsed.trigger.as_deref(), now_ms);
        }
        Ok(Published::Duplicate) | Err(_) => site.live.month.refund(1, now_ms),
    }
    outcome
}

/// Counts a trigger that WordPress evaluated.
fn fired(ctx: &Context, site: &Site, trigger: Option<&str>, now_ms: u64) {
    if let Some(trigger) = trigger {
        ctx.admin.fired_in_wordpress(site.id, trigger, now_ms);
    }
}

/// The site behind a signed request, and the body that it signed.
async fn authenticate(
    ctx: &Context,
    request: &mut Request,
    of: &mut Option<Arc<Site>>,
) -> Result<(Bytes, Verified), Refusal> {
    let body_bytes_max = ctx.config().limits.publish_body_bytes_max;
    // Before the body is read: a request without credentials costs no memory.
    SignedHeaders::parse(&request.head.headers)?;
    let body = request.read_body(body_bytes_max).await?;
    let headers = SignedHeaders::parse(&request.head.headers)?;
    let verified = ctx.sites().verify(&headers, &body, clock::unix_ms())?;
    *of = Some(Arc::clone(&verified.site));
    Ok((body, verified))
}

/// A checked message. A name that is out of bounds is told before one that is somebody else's.
pub fn message(ctx: &Context, site: &Site, parsed: &Publish<'_>) -> Result<Message, Refusal> {
    let config = ctx.config();
    let limits = &config.limits;
    let bare = channel::bare(&parsed.channel, &site.site_id, limits.channel_name_bytes_max);
    let event = channel::check_event(&parsed.event, limits.event_name_bytes_max);
    let invalid = |field: &str, code: &str, error: &dyn std::fmt::Display| {
        (code != "forbidden").then(|| Refusal::invalid_request(format!("{field}: {error}")))
    };
    let out_of_bounds = bare
        .as_ref()
        .err()
        .and_then(|error| invalid("channel", error.code(), error))
        .or_else(|| {
            event
                .as_ref()
                .err()
                .and_then(|error| invalid("event", error.code(), error))
        });
    if let Some(refusal) = out_of_bounds {
        return Err(refusal);
    }
    let bare = bare.map_err(|error| Refusal::forbidden(error.to_string()))?;
    event.map_err(|error| Refusal::forbidden(error.to_string()))?;
    if channel::is_reserved(bare) {
        return Err(Refusal::forbidden(
            "channels under wps: belong to the relay: choose another name",
        ));
    }
    let key = ChannelKey::new(site.id, bare);
    let spelled = if bare.len() == parsed.channel.len() {
        Arc::clone(&key.name)
    } else {
        Arc::from(&*parsed.channel)
    };
    // Copied: the message is remembered for a minute, and would keep the connection's whole read buffer with it.
    let data = Bytes::copy_from_slice(parsed.data.as_bytes());
    let kind = Kind::Text {
        event: (*parsed.event).into(),
        data,
    };
    Ok(Message::new(
        key,
        spelled,
        kind,
        if parsed.trigger.is_some() {
            Origin::Trigger
        } else {
            Origin::Server
        },
        clock::monotonic_ns(),
    ))
}

/// Hands a message to its home and waits for the answer, which comes before the fan-out.
pub async fn submit(ctx: &Context, message: Message, dedupe: Option<[u8; 32]>) -> Result<Published, Refusal> {
    ctx.admission().await?;
    let submitted = ctx.with(|shard| shard.publish(message, dedupe));
    outcome(ctx, submitted, ANSWER_WAIT).await
}

/// What the home answers to a message that was handed to it.
async fn outcome(
    ctx: &Context,
    (ticket, answer): (Ticket, oneshot::Receiver<Published>),
    wait: Duration,
) -> Result<Published, Refusal> {
    match monoio::time::timeout(wait, answer).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) | Err(_) => {
            ctx.with(|shard| shard.tickets.forget(ticket));
            Err(Refusal::new(
                503,
                "overloaded",
                "the relay has more to deliver than it can: try again shortly",
            )
            .retry_after(1))
        }
    }
}
