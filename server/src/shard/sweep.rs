//! The shard's clockwork: one walk over all connections instead of a timer each.

use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::sink::{CONNECTIONS_CHANNEL, CONNECTIONS_EVENT};
use super::ticker::Ticker;
use super::{Context, Shard};
use crate::clock;
use crate::config::Config;
use crate::connection::close_reason::CloseReason;
use crate::connection::outbox::Frame;
use crate::connection::{Connection, Transport, dispatch};
use crate::hub::{ChannelKey, Message, Origin};
use crate::ids::{ConnId, SiteId};
use crate::site::{Site, SiteStatus, Sites};

/// A closing peer has this long to read the last word and end its side.
const LINGER_MS: u64 = 5_000;
/// Between two looks at the connection counts and at the hub's old memories.
const SLOW_TICK_MS: u64 = 1_000;

/// A ping is the same for everyone.
struct Frames {
    ping: Frame,
    /// A control frame: the page of an open site expects nothing but dispatches.
    bare_ping: Frame,
    comment: Frame,
}

/// Runs for as long as the shard does.
pub async fn run(ctx: Rc<Context>, mut ticker: Ticker) {
    let frames = Frames {
        ping: Frame::new(wire::server::ping()),
        bare_ping: Frame::new(wire::ws::ping_frame(b"")),
        comment: Frame::new(wire::sse::comment("ping")),
    };
    let mut slow_tick_ms = 0;
    loop {
        let config = ctx.config();
        let tick = tick(&config);
        if let Err(error) = ticker.tick(tick).await {
            tracing::error!(%error, "the clockwork's timer failed: the runtime's own goes on");
            monoio::time::sleep(tick).await;
        }
        let now_ms = ctx.now_ms();
        ctx.sweep_http(now_ms);
        ctx.with(|shard| sweep(shard, &config, &frames, now_ms));
        if now_ms >= slow_tick_ms {
            slow_tick_ms = now_ms + SLOW_TICK_MS;
            ctx.with(|shard| {
                shard.home.sweep(now_ms);
                tell_connection_counts(&ctx, shard);
            });
            ctx.counters
                .mesh_depth
                .set(ctx.with(|shard| shard.mesh.depth() as u64));
        }
        ctx.drain_step(now_ms);
    }
}

/// Often enough that no time-out is late by more than an eighth; a quarter of a second where they are long.
fn tick(config: &Config) -> Duration {
    let session = &config.session;
    let shortest = session
        .ping_interval_ms
        .min(session.client_silence_ms)
        .min(config.http.head_timeout_ms);
    Duration::from_millis((shortest / 8).clamp(10, 250))
}

fn sweep(shard: &mut Shard, config: &Config, frames: &Frames, now_ms: u64) {
    let session = &config.session;
    let now_unix_ms = clock::unix_ms();
    for slot in 0..shard.connections.slots() {
        let Some((id, connection, _)) = shard.connections.at(slot) else {
            continue;
        };
        if connection.closing.is_some() {
            linger(shard, id, now_ms);
            continue;
        }
        let expires_ms = connection.session.expires_ms();
        let is_stream = connection.transport == Transport::Stream;
        let grace_ms = if is_stream { 0 } else { session.token_grace_ms };
        let silent_ms = now_ms.saturating_sub(connection.last_heard_ms);
        let has_token = connection.transport != Transport::Dispatch;
        if has_token && now_unix_ms >= expires_ms.saturating_add(grace_ms) {
            shard.connections.close(id, CloseReason::TokenExpired);
        } else if !is_stream && silent_ms >= session.client_silence_ms {
            shard.connections.close(id, CloseReason::Silent);
        } else if now_ms.saturating_sub(connection.last_ping_ms) >= session.ping_interval_ms {
            let ping = match connection.transport {
                Transport::WebSocket { .. } => &frames.ping,
                Transport::Stream => &frames.comment,
                Transport::Dispatch => &frames.bare_ping,
            };
            if let Some((connection, _)) = shard.connections.at_mut(slot) {
                connection.last_ping_ms = now_ms;
            }
            shard.connections.push(slot, ping);
        }
    }
}

/// Gives a closing peer its time, and then ends the socket.
fn linger(shard: &mut Shard, id: ConnId, now_ms: u64) {
    let Some(connection) = shard.connections.get_mut(id) else {
        return;
    };
    match connection.closed_by_ms {
        None => connection.closed_by_ms = NonZeroU64::new(now_ms + LINGER_MS),
        Some(until_ms) if now_ms >= until_ms.get() => connection.socket.shutdown_both(),
        Some(_) => {}
    }
}

/// Tells subscribers of `wps:connections` a count that has changed (protocol, "Presence").
fn tell_connection_counts(ctx: &Context, shard: &mut Shard) {
    let sites = ctx.sites();
    let watched: Vec<(SiteId, u32)> = shard
        .watched_sites
        .iter()
        .map(|(site, count)| (*site, *count))
        .collect();
    for (site, told) in watched {
        let key = ChannelKey::new(site, CONNECTIONS_CHANNEL);
        let known = sites.by_id(site).filter(|_| shard.local.subscribers(&key) > 0);
        let Some(known) = known else {
            shard.watched_sites.remove(&site);
            continue;
        };
        let active = known.live.connections();
        if active == told {
            continue;
        }
        shard.watched_sites.insert(site, active);
        let data = wire::server::connections(u64::from(active), u64::from(known.limits.connections_max));
        let mut message = Message::relay(key, CONNECTIONS_EVENT, Bytes::from(data), clock::monotonic_ns());
        message.origin = Origin::Relay;
        shard.deliver_here(&Arc::new(message));
    }
}

/// Whether a connection's site, as it is now, still lets it stay.
fn is_served(connection: &Connection, site: &Site) -> bool {
    site.status == SiteStatus::Active
        && (connection.transport != Transport::Dispatch || dispatch::is_open(site))
}

impl Context {
    /// Takes up a new snapshot of the sites: connections of a site that is gone are closed at once, the others go on
    /// with their site as it is now.
    pub fn take_up_sites(&self, sites: Arc<Sites>) {
        self.with(|shard| {
            for slot in 0..shard.connections.slots() {
                let Some((id, connection, _)) = shard.connections.at(slot) else {
                    continue;
                };
                let current = sites.by_id(connection.session.site.id);
                match current {
                    Some(site) if is_served(connection, site) => {
                        if !Arc::ptr_eq(site, &connection.session.site) {
                            let site = Arc::clone(site);
                            if let Some((connection, _)) = shard.connections.at_mut(slot) {
                                connection.session.site = site;
                            }
                        }
                    }
                    _ => shard.connections.close(id, CloseReason::SiteGone),
                }
            }
        });
        self.set_sites(sites);
    }
}
