//! The running shards, as the operator's side asks them.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use hookcast_api::insight::{self, Channel, Channels, Connections, Totals};
use serde_json::Value;
use wire::publish::Publish;

use super::exchange::Failure;
use super::insight::{ShardReport, Source};
use super::relay::{ConnectionQuery, Outgoing, Relay};
use crate::clock;
use crate::connection::close_reason::CloseReason;
use crate::connection::{Connection, Transport};
use crate::hub::{ChannelKey, Member, Origin};
use crate::ids::{ConnId, ShardId, SiteId};
use crate::insight::{LogOrigin, Surface};
use crate::publish;
use crate::shard::connections::Hot;
use crate::shard::{Context, Shard, Shards, ShardsBusy};
use crate::site::{Refusal, Site};

/// What a question from a thread waits for at most: a shard that takes longer is asked again in the next round.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Channels listed of a site, and members of each: what a page can show.
const CHANNELS_MAX: usize = 500;
const MEMBERS_MAX: usize = 100;
/// A state is cut off the list, not off the channel, when it is larger.
const STATE_BYTES_MAX: usize = 4096;

impl Relay for Rc<Context> {
    fn publish<'a>(
        &'a self,
        site: &'a Arc<Site>,
        message: Outgoing,
    ) -> LocalBoxFuture<'a, Result<(), Refusal>> {
        async move {
            let data =
                str::from_utf8(&message.data).map_err(|_| Refusal::invalid_request("data: not UTF-8"))?;
            let parsed = Publish {
                channel: message.channel.into(),
                event: message.event.into(),
                data,
                trigger: None,
            };
            let mut queued = publish::message(self, site, &parsed)?;
            queued.origin = match message.origin {
                LogOrigin::Trigger => Origin::Trigger,
                LogOrigin::Dispatch => Origin::Dispatch,
                _ => Origin::Operator,
            };
            let now_ms = clock::unix_ms();
            site.admit_publish(1, now_ms)?;
            match publish::submit(self, queued, None).await {
                Ok(_) => site.live.usage.published(data.len()),
                Err(refusal) => {
                    site.live.month.refund(1, now_ms);
                    return Err(refusal);
                }
            }
            Ok(())
        }
        .boxed_local()
    }

    fn disconnect(&self, id: ConnId) -> LocalBoxFuture<'_, Result<bool, Failure>> {
        async move {
            if id.shard.0 >= self.shards.count() {
                return Ok(false);
            }
            let close = move |ctx: &Rc<Context>| {
                ctx.with(|shard| {
                    let there = !shard.connections.is_closing(id);
                    shard.connections.close(id, CloseReason::Disconnected);
                    there
                })
            };
            self.shards.ask(id.shard, close).await.map_err(busy)
        }
        .boxed_local()
    }

    fn connections(&self, query: ConnectionQuery) -> LocalBoxFuture<'_, Result<Connections, Failure>> {
        async move {
            let limit = query.limit;
            let listed = self
                .shards
                .ask_all(move |ctx| ctx.with(|shard| list(shard, &query)));
            Ok(together(listed.await.map_err(busy)?, limit))
        }
        .boxed_local()
    }

    fn channels(&self, site: SiteId) -> LocalBoxFuture<'_, Result<Channels, Failure>> {
        async move {
            let counted = self
                .shards
                .ask_all(move |ctx| ctx.with(|shard| shard.local.largest(Some(site), CHANNELS_MAX)));
            let homed = self
                .shards
                .ask_all(move |ctx| ctx.with(|shard| homed(shard, site)));
            let (counted, homed) = (counted.await.map_err(busy)?, homed.await.map_err(busy)?);
            let mut channels = std::collections::BTreeMap::<ChannelKey, Channel>::new();
            for (key, channel) in homed.into_iter().flatten() {
                channels.insert(key, channel);
            }
            for local in counted.into_iter().flatten() {
                let channel = channels
                    .entry(local.channel.clone())
                    .or_insert_with(|| unknown(&local.channel));
                channel.subscribers += local.subscribers as u32;
            }
            let mut channels = channels.into_values().collect::<Vec<_>>();
            channels.sort_by(|a, b| {
                b.subscribers
                    .cmp(&a.subscribers)
                    .then_with(|| a.name.cmp(&b.name))
            });
            let truncated = channels.len() > CHANNELS_MAX;
            channels.truncate(CHANNELS_MAX);
            Ok(Channels { channels, truncated })
        }
        .boxed_local()
    }

    fn dispatch_raw(&self, site: SiteId, body: Bytes) {
        let sent = self.shards.run_all(move |ctx| {
            Context::dispatch_raw(ctx, site, &body);
        });
        if sent.is_err() {
            tracing::warn!("a shard was too busy to pass a dispatch on to plain sockets");
        }
    }

    fn refused(&self, refusal: &Refusal, surface: Surface, site: Option<&Arc<Site>>, address: IpAddr) {
        Context::refused(self, refusal, surface, site.map(|site| &**site), Some(address));
    }
}

fn busy(_: ShardsBusy) -> Failure {
    Failure::unavailable("the relay is too busy to answer: try again shortly")
}

/// The shards, for the thread that gathers insight.
pub struct ShardSource(pub Shards);

impl Source for ShardSource {
    fn reports(&self) -> Option<Vec<ShardReport>> {
        self.ask(|ctx| {
            let totals = totals(ctx);
            ctx.with(|shard| ShardReport {
                shard: shard.id.0,
                totals: Totals {
                    drops: totals.drops + shard.connections.overflowed(),
                    ..totals
                },
                channels: shard.home.totals().channels as u64,
                queued_bytes: shard.connections.lag().bytes,
                notes: shard.tap.take(),
            })
        })
    }

    fn connections(&self, query: &ConnectionQuery) -> Option<Connections> {
        let (limit, query) = (query.limit, query.clone());
        Some(together(
            self.ask(move |ctx| ctx.with(|shard| list(shard, &query)))?,
            limit,
        ))
    }

    fn watch(&self, watched: Vec<(SiteId, u64)>) {
        if self
            .0
            .run_all(move |ctx| ctx.with(|shard| shard.tap.watch(watched.clone())))
            .is_err()
        {
            tracing::warn!("a shard was too busy to be told whose payloads to show");
        }
    }
}

impl ShardSource {
    /// Every shard's answer, in their order; `None` if one does not give it in time.
    fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(&Rc<Context>) -> T + Clone + Send + 'static,
    ) -> Option<Vec<T>> {
        let (reply, answers) = sync_channel(usize::from(self.0.count()));
        for shard in self.0.ids() {
            let (question, reply) = (question.clone(), reply.clone());
            // Whoever asked may have given up.
            self.0
                .run(shard, move |ctx| drop(reply.try_send((shard, question(ctx)))))
                .ok()?;
        }
        drop(reply);
        let deadline = Instant::now() + ANSWER_WAIT;
        let mut all: Vec<(ShardId, T)> = Vec::new();
        for _ in self.0.ids() {
            all.push(
                answers
                    .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                    .ok()?,
            );
        }
        all.sort_by_key(|(shard, _)| *shard);
        Some(all.into_iter().map(|(_, answer)| answer).collect())
    }
}

fn totals(ctx: &Context) -> Totals {
    let counters = &ctx.counters;
    Totals {
        sockets: counters.sockets.read(),
        streams: counters.streams.read(),
        publishes: counters.publishes.read(),
        deliveries: counters.deliveries.read(),
        drops: counters.dropped.read(),
        refusals: counters.refusals.read().iter().map(|(_, count)| count).sum(),
        bytes_in: counters.bytes_in.read(),
        bytes_out: counters.bytes_out.read(),
    }
}

/// The shard's first connections that fit, and how many do.
fn list(shard: &Shard, query: &ConnectionQuery) -> (Vec<insight::Connection>, u64) {
    let (mut listed, mut total) = (Vec::new(), 0);
    for slot in 0..shard.connections.slots() {
        let Some((id, connection, hot)) = shard.connections.at(slot) else {
            continue;
        };
        if connection.closing.is_some()
            || query.site.is_some_and(|site| connection.session.site.id != site)
            || !found(shard, id, connection, &query.search)
        {
            continue;
        }
        total += 1;
        if listed.len() < query.limit {
            listed.push(shown(shard, id, connection, hot));
        }
    }
    (listed, total)
}

fn found(shard: &Shard, id: ConnId, connection: &Connection, search: &str) -> bool {
    search.is_empty()
        || connection.session.user.contains(search)
        || connection.ip.to_string().contains(search)
        || shard
            .local
            .subscriptions(id)
            .any(|channel| channel.name.contains(search))
}

fn shown(shard: &Shard, id: ConnId, connection: &Connection, hot: &Hot) -> insight::Connection {
    let has_token = connection.transport != Transport::Dispatch;
    insight::Connection {
        id: id.to_string(),
        site_key: connection.session.site.key.clone(),
        transport: match connection.transport {
            Transport::WebSocket { .. } => insight::Transport::WebSocket,
            Transport::Stream => insight::Transport::Sse,
            Transport::Dispatch => insight::Transport::Raw,
        },
        user: connection.session.user.to_string(),
        address: connection.ip.to_string(),
        shard: id.shard.0,
        opened_at: connection.opened_unix_ms,
        token_expires_at: has_token.then(|| connection.session.expires_ms()),
        channels: names(shard.local.subscriptions(id)),
        present_in: names(shard.local.presences(id)),
        bytes_in: connection.bytes_in,
        bytes_out: hot.bytes_out,
        queued_bytes: u64::from(hot.outbox.bytes()),
        lag_ms: match hot.blocked {
            true => clock::monotonic_ms().saturating_sub(hot.blocked_since_ms),
            false => 0,
        },
        dropped: 0,
    }
}

/// In order, so that a table does not change from look to look.
fn names<'a>(channels: impl Iterator<Item = &'a ChannelKey>) -> Vec<String> {
    let mut names = channels
        .map(|channel| channel.name.to_string())
        .collect::<Vec<_>>();
    names.sort();
    names
}

fn together(shards: Vec<(Vec<insight::Connection>, u64)>, limit: usize) -> Connections {
    let total = shards.iter().map(|(_, total)| total).sum();
    let mut connections = shards
        .into_iter()
        .flat_map(|(listed, _)| listed)
        .collect::<Vec<_>>();
    // The latest first, which is what a person who watches looks for.
    connections.sort_by(|a, b| b.opened_at.cmp(&a.opened_at).then_with(|| a.id.cmp(&b.id)));
    connections.truncate(limit);
    Connections { connections, total }
}

/// What this shard is the home of: members and what is remembered.
fn homed(shard: &Shard, site: SiteId) -> Vec<(ChannelKey, Channel)> {
    let largest = shard.home.largest(Some(site), CHANNELS_MAX);
    let listed = largest.into_iter().map(|homed| {
        let members = shard.home.members(&homed.channel, MEMBERS_MAX);
        let channel = Channel {
            remembered: homed.remembered_messages as u32,
            members_truncated: homed.members > members.len(),
            members: members.into_iter().map(member).collect(),
            ..unknown(&homed.channel)
        };
        (homed.channel, channel)
    });
    listed.collect()
}

fn member(member: Member) -> insight::Member {
    let state = match member.state.len() <= STATE_BYTES_MAX {
        true => serde_json::from_slice(&member.state).unwrap_or(Value::Null),
        false => Value::Null,
    };
    insight::Member {
        id: member.id.to_string(),
        state,
    }
}

fn unknown(channel: &ChannelKey) -> Channel {
    Channel {
        name: channel.name.to_string(),
        subscribers: 0,
        remembered: 0,
        members: Vec::new(),
        members_truncated: false,
    }
}
