//! Plain sockets of an open site: no token, no subscription, each dispatch as the raw JSON that was posted.
//!
//! For pages written against the widespread recipe that opens `new WebSocket(url)` and listens. Off unless a site's
//! operator switches it open.

use std::sync::Arc;

use bytes::Bytes;

use super::Transport;
use super::http::Request;
use super::outbox::Frame;
use super::takeover::Admitted;
use crate::ids::SiteId;
use crate::router::query_value;
use crate::shard::Context;
use crate::site::{Grants, Refusal, Session, Site, SiteStatus, Sites};

/// Finds the open site that a plain socket belongs to, and counts the connection.
pub fn admit(ctx: &Context, request: &Request) -> Result<Admitted, Refusal> {
    let site = open_site(&ctx.sites(), request)?;
    let slot = site.connect()?;
    let grants = Grants::new(&site.site_id, [], Some(Vec::new()));
    // No token, so none that runs out: the session ends when the site is no longer open or registered.
    Ok(Admitted {
        session: Session {
            site,
            user: "0".into(),
            version: 1,
            grants,
            exp: u64::MAX,
        },
        slot,
    })
}

/// The site named by `?site=KEY`, or the one whose pages ask, or the only open one there is.
fn open_site(sites: &Sites, request: &Request) -> Result<Arc<Site>, Refusal> {
    let mut open = sites.iter().filter(|site| is_open(site));
    let found = if let Some(key) = query_value(request, "site") {
        open.find(|site| site.key == key)
    } else {
        let origin = request
            .header("origin")
            .and_then(|origin| url::Url::parse(origin).ok());
        let open: Vec<_> = open.collect();
        let of_page = origin.and_then(|origin| {
            open.iter()
                .find(|site| url::Url::parse(&site.url).is_ok_and(|url| url.origin() == origin.origin()))
        });
        of_page.copied().or(match open.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    };
    found.cloned().ok_or_else(|| {
        Refusal::unauthorized(
            "no token was sent, and no site here is open for plain sockets: connect to /ws with a token, or have the \
             operator switch the site's dispatch open",
        )
    })
}

pub fn is_open(site: &Site) -> bool {
    site.status == SiteStatus::Active && site.dispatch.as_ref().is_some_and(|dispatch| dispatch.open)
}

impl Context {
    /// Hands a dispatch to this shard's plain sockets of the site, as it came. Answers how many there are.
    pub fn dispatch_raw(&self, site: SiteId, body: &Bytes) -> u32 {
        let frame = Frame::new(wire::ws::text_frame(body));
        self.with(|shard| {
            let mut recipients = 0;
            for slot in 0..shard.connections.slots() {
                let Some((_, connection, _)) = shard.connections.at(slot) else {
                    continue;
                };
                if connection.transport == Transport::Dispatch && connection.session.site.id == site {
                    recipients += u32::from(shard.connections.push(slot, &frame));
                }
            }
            recipients
        })
    }
}
