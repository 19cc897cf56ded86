//! What a browser asks for over its socket: subscribe, publish, presence, a fresh token (protocol, "WebSocket").

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use wire::channel::{self, ChannelError};
use wire::client::{Channels, ClientMessage, Since as ClientSince};
use wire::id::Cursor;
use wire::server;

use super::close_reason::CloseReason;
use super::outbox::Frame;
use super::ws::{Next, close, push};
use super::{Pending, Staged, Transport};
use crate::clock;
use crate::hub::{ChannelKey, Homes, Kind, Message, Origin, Since, Subscribing, ToHome};
use crate::ids::ConnId;
use crate::insight::Surface;
use crate::shard::{Context, Shard};
use crate::site::{Refusal, Site};

const NO_GRANT_SUBSCRIBE: &str = "the token does not allow subscribing to this channel";
const NO_GRANT_PUBLISH: &str = "the token does not allow publishing on this channel";

/// Does what one text message asks for.
pub fn message(ctx: &Context, id: ConnId, message: ClientMessage<'_>) -> Next {
    if ctx.with(|shard| {
        shard
            .connections
            .get(id)
            .is_some_and(|c| c.transport == Transport::Dispatch)
    }) {
        // The page of an open site only listens; what it sends has no meaning here.
        return Next::Continue;
    }
    let next = match message {
        ClientMessage::Pong => return Next::Continue,
        ClientMessage::Message { channel, event, data } => {
            return match over_rate(ctx, id) {
                None => publish(ctx, id, &channel, &event, data),
                Some(_) => too_fast(ctx, id, Surface::Message, &channel),
            };
        }
        ClientMessage::Presence { channel, state } => return presence(ctx, id, &channel, state),
        ClientMessage::Ping => {
            push(ctx, id, server::pong());
            Next::Continue
        }
        ClientMessage::Subscribe { channels, since } => subscribe(ctx, id, &channels, &since),
        ClientMessage::Unsubscribe { channels } => unsubscribe(ctx, id, &channels),
        ClientMessage::Auth { token } => refresh(ctx, id, &token),
        ClientMessage::Unknown { kind } => {
            let kind: String = kind.chars().take(40).collect();
            bad_frame(
                ctx,
                id,
                "unknown_type",
                &format!("there is no message of type \"{kind}\""),
            )
        }
    };
    paced(ctx, id, next)
}

/// A frame that could not be understood; too many of them close the connection.
pub fn bad_frame(ctx: &Context, id: ConnId, code: &'static str, message: &str) -> Next {
    refuse(
        ctx,
        id,
        Surface::Message,
        code,
        Cow::Owned(message.to_owned()),
        None,
    );
    let now_ms = ctx.now_ms();
    let too_many = ctx.with(|shard| {
        shard
            .connections
            .get_mut(id)
            .is_some_and(|connection| connection.bad_frames.count(now_ms))
    });
    if too_many {
        close(ctx, id, CloseReason::BadFrames);
        return Next::Discard;
    }
    Next::Continue
}

/// Takes one from the client's rate. `Some`: the milliseconds until there is one again.
fn over_rate(ctx: &Context, id: ConnId) -> Option<u64> {
    let limits = &ctx.config().limits;
    let (rate, burst) = (limits.client_messages_per_second, limits.client_messages_burst);
    ctx.with(|shard| {
        let connection = shard.connections.get_mut(id)?;
        connection.messages_in += 1;
        connection.message_rate.take(rate, burst, clock::unix_ms()).err()
    })
}

/// Paces what must not be lost: a client over its rate is not read from until it is within it again.
pub fn paced(ctx: &Context, id: ConnId, next: Next) -> Next {
    match over_rate(ctx, id) {
        Some(wait_ms) if next == Next::Continue => Next::Pause(wait_ms),
        _ => next,
    }
}

fn too_fast(ctx: &Context, id: ConnId, surface: Surface, channel: &str) -> Next {
    let message = "too many messages: this one was dropped; send less often";
    refuse(ctx, id, surface, "rate_limited", message.into(), Some(channel));
    Next::Continue
}

fn refuse(
    ctx: &Context,
    id: ConnId,
    surface: Surface,
    code: &'static str,
    message: Cow<'static, str>,
    channel: Option<&str>,
) {
    let Some((site, ip)) = session_of(ctx, id) else {
        return;
    };
    push(ctx, id, server::error(code, &message, channel));
    ctx.refused(&Refusal::new(400, code, message), surface, Some(&site), Some(ip));
}

fn session_of(ctx: &Context, id: ConnId) -> Option<(Arc<Site>, std::net::IpAddr)> {
    ctx.with(|shard| {
        let connection = shard.connections.get(id)?;
        Some((Arc::clone(&connection.session.site), connection.ip))
    })
}

/// Where a client left off on a channel, from an id that it was given: a message's, or a stream's cursor.
pub fn since(id: &str, run: u64, homes: &Homes, channel: &ChannelKey) -> Since {
    Cursor::parse(id)
        .filter(|cursor| cursor.run() == run)
        .and_then(|cursor| cursor.at(homes.home_of(channel).0))
        .map_or(Since::Unknown, Since::Seq)
}

/// What became of one channel of a subscribe.
enum Verdict {
    Accepted,
    Refused(&'static str, Cow<'static, str>),
}

fn subscribe(ctx: &Context, id: ConnId, channels: &Channels<'_>, from: &ClientSince<'_>) -> Next {
    let name_bytes_max = ctx.config().limits.channel_name_bytes_max;
    let mut refused: Vec<(&str, &'static str, Cow<'static, str>)> = Vec::new();
    let next = ctx.with(|shard| {
        let (mut accepted, mut questions) = (Vec::new(), Vec::new());
        for spelled in &channels.names {
            match subscribe_one(
                shard,
                id,
                spelled,
                from.of(spelled),
                name_bytes_max,
                &mut questions,
            ) {
                Verdict::Accepted => accepted.push(&**spelled),
                Verdict::Refused(code, message) => refused.push((spelled, code, message)),
            }
        }
        let mut answer = BytesMut::from(&server::subscribed(accepted.iter().copied())[..]);
        for (channel, code, message) in &refused {
            answer.extend_from_slice(&server::error(code, message, Some(channel)));
        }
        if channels.cut > 0 {
            let message = format!(
                "{} channels more than a connection may have were left out",
                channels.cut
            );
            answer.extend_from_slice(&server::error("limit_exceeded", &message, None));
        }
        ask_homes(shard, id, Frame::new(answer.freeze()), None, questions)
    });
    if let Some((site, ip)) = session_of(ctx, id) {
        for (_, code, message) in refused {
            ctx.refused(
                &Refusal::new(400, code, message),
                Surface::Subscribe,
                Some(&site),
                Some(ip),
            );
        }
    }
    next
}

fn subscribe_one(
    shard: &mut Shard,
    id: ConnId,
    spelled: &str,
    from: Option<&str>,
    name_bytes_max: usize,
    questions: &mut Vec<ToHome>,
) -> Verdict {
    let Some(connection) = shard.connections.get_mut(id) else {
        return Verdict::Accepted;
    };
    let site = &connection.session.site;
    let bare = match channel::bare(spelled, &site.site_id, name_bytes_max) {
        Ok(bare) => bare,
        Err(error) => return Verdict::Refused(error.code(), error.to_string().into()),
    };
    if !connection.session.grants.may_subscribe(bare) {
        return Verdict::Refused("forbidden", NO_GRANT_SUBSCRIBE.into());
    }
    let key = ChannelKey::new(site.id, bare);
    let from = from.map(|id| since(id, shard.run, &shard.homes, &key));
    let members = connection.session.version >= 2 && !key.is_relay();
    match shard
        .local
        .subscribe(id, key.clone(), spelled.into(), from, members)
    {
        Subscribing::Pending(question) => {
            if bare.len() != spelled.len() {
                connection.qualified.get_or_insert_default().push(key.name);
            }
            questions.push(question);
            Verdict::Accepted
        }
        Subscribing::Already => Verdict::Accepted,
        Subscribing::Full => {
            let message = "this connection has as many channels as it may: unsubscribe from others first";
            Verdict::Refused("limit_exceeded", message.into())
        }
    }
}

/// Sends a subscribe's questions to their homes. `answer` leaves when all have answered, and ahead of what they bring;
/// a stream's `staged` is put in order behind it.
pub fn ask_homes(
    shard: &mut Shard,
    id: ConnId,
    answer: Frame,
    staged: Option<Staged>,
    questions: Vec<ToHome>,
) -> Next {
    if questions.is_empty() {
        shard.connections.push_to(id, &answer);
        return Next::Continue;
    }
    let Some(place) = shard.connections.reserve(id) else {
        return Next::Discard;
    };
    let waiting = questions.len() as u32;
    shard.connections.begin_subscribe(
        id,
        Box::new(Pending {
            waiting,
            waiter: None,
            place,
            answer,
            staged,
        }),
    );
    for question in questions {
        shard.send_home(question);
    }
    let pending = shard
        .connections
        .get(id)
        .is_some_and(|connection| connection.pending.is_some());
    if pending {
        Next::AwaitAnswers
    } else {
        Next::Continue
    }
}

fn unsubscribe(ctx: &Context, id: ConnId, channels: &Channels<'_>) -> Next {
    let name_bytes_max = ctx.config().limits.channel_name_bytes_max;
    ctx.with(|shard| {
        for spelled in &channels.names {
            let Some(connection) = shard.connections.get_mut(id) else {
                return;
            };
            let site = &connection.session.site;
            // A name that cannot be subscribed to is not subscribed to.
            let Ok(bare) = channel::bare(spelled, &site.site_id, name_bytes_max) else {
                continue;
            };
            let key = ChannelKey::new(site.id, bare);
            connection.forget_spelling(|name| *name == key.name);
            if let Some(message) = shard.local.unsubscribe(id, &key) {
                shard.send_home(message);
            }
        }
        let answer = server::unsubscribed(channels.names.iter().map(|name| &**name));
        shard.connections.push_to(id, &Frame::new(answer));
    });
    Next::Continue
}

/// The channel that a browser may publish on, or why it may not.
fn publishable(
    ctx: &Context,
    id: ConnId,
    spelled: &str,
) -> Option<Result<ChannelKey, (&'static str, Cow<'static, str>)>> {
    let name_bytes_max = ctx.config().limits.channel_name_bytes_max;
    ctx.with(|shard| {
        let session = &shard.connections.get(id)?.session;
        let bare = match channel::bare(spelled, &session.site.site_id, name_bytes_max) {
            Ok(bare) => bare,
            Err(error) => return Some(Err(refused_name(error))),
        };
        Some(if session.grants.may_publish(bare) {
            Ok(ChannelKey::new(session.site.id, bare))
        } else {
            Err(("forbidden", NO_GRANT_PUBLISH.into()))
        })
    })
}

fn refused_name(error: ChannelError) -> (&'static str, Cow<'static, str>) {
    (error.code(), error.to_string().into())
}

fn publish(ctx: &Context, id: ConnId, spelled: &str, event: &str, data: &str) -> Next {
    let key = match publishable(ctx, id, spelled) {
        None => return Next::Discard,
        Some(Err((code, message))) => {
            refuse(ctx, id, Surface::Message, code, message, Some(spelled));
            return Next::Continue;
        }
        Some(Ok(key)) => key,
    };
    if let Err(error) = channel::check_event(event, ctx.config().limits.event_name_bytes_max) {
        refuse(
            ctx,
            id,
            Surface::Message,
            error.code(),
            error.to_string().into(),
            Some(spelled),
        );
        return Next::Continue;
    }
    let kind = Kind::Text {
        event: event.into(),
        data: Bytes::copy_from_slice(data.as_bytes()),
    };
    send(ctx, id, key, spelled, kind)
}

/// Forwards a binary frame, whole and unread (protocol, "WebSocket").
pub fn binary(ctx: &Context, id: ConnId, frame: &[u8]) -> Next {
    let parsed = match wire::binary::parse(frame) {
        Ok(parsed) => parsed,
        Err(error) => return bad_frame(ctx, id, wire::binary::BinaryError::CODE, &error.to_string()),
    };
    match publishable(ctx, id, parsed.channel) {
        None => Next::Discard,
        Some(Err((code, message))) => {
            refuse(ctx, id, Surface::Message, code, message, Some(parsed.channel));
            Next::Continue
        }
        Some(Ok(key)) => {
            let kind = Kind::Binary {
                frame: Bytes::copy_from_slice(frame),
            };
            send(ctx, id, key, parsed.channel, kind)
        }
    }
}

fn send(ctx: &Context, id: ConnId, key: ChannelKey, spelled: &str, kind: Kind) -> Next {
    ctx.counters.client_messages.increment();
    let spelled = if spelled.len() == key.name.len() {
        Arc::clone(&key.name)
    } else {
        spelled.into()
    };
    let message = Message::new(key, spelled, kind, Origin::Connection(id), clock::monotonic_ns());
    let congested = ctx.with(|shard| {
        shard.publish_unanswered(message);
        shard.is_congested()
    });
    if congested {
        Next::AwaitRoom
    } else {
        Next::Continue
    }
}

fn presence(ctx: &Context, id: ConnId, spelled: &str, state: Option<&str>) -> Next {
    let config = ctx.config();
    let key = match publishable(ctx, id, spelled) {
        None => return Next::Discard,
        Some(Err((code, message))) => {
            refuse(ctx, id, Surface::Presence, code, message, Some(spelled));
            return Next::Continue;
        }
        Some(Ok(key)) => key,
    };
    let (rate, burst) = (config.limits.presence_per_second, config.limits.presence_burst);
    let within_rate = ctx.with(|shard| {
        let connection = shard.connections.get_mut(id)?;
        connection.presence_rate.take(rate, burst, clock::unix_ms()).ok()
    });
    if within_rate.is_none() && state.is_some() {
        return too_fast(ctx, id, Surface::Presence, spelled);
    }
    let Some(state) = state else {
        ctx.with(|shard| {
            if let Some(message) = shard.local.leave(id, &key) {
                shard.send_home(message);
            }
        });
        return Next::Continue;
    };
    if state.len() > config.limits.presence_state_bytes_max {
        let message = format!(
            "the state is larger than {} bytes",
            config.limits.presence_state_bytes_max
        );
        refuse(
            ctx,
            id,
            Surface::Presence,
            "limit_exceeded",
            message.into(),
            Some(spelled),
        );
        return Next::Continue;
    }
    let state = Bytes::copy_from_slice(state.as_bytes());
    let joined = ctx.with(|shard| {
        shard
            .local
            .presence(id, key, state)
            .map(|message| shard.send_home(message))
    });
    if joined.is_err() {
        let message = "this connection is a member of as many channels as it may be: leave others first";
        refuse(
            ctx,
            id,
            Surface::Presence,
            "limit_exceeded",
            message.into(),
            Some(spelled),
        );
        return Next::Continue;
    }
    Next::Continue
}

/// Takes a fresh token: its grants replace the old ones.
fn refresh(ctx: &Context, id: ConnId, token: &str) -> Next {
    let leeway_ms = ctx.config().session.clock_leeway_ms;
    let fresh = ctx.sites().verify_token(token, clock::unix_ms(), leeway_ms);
    let outcome = ctx.with(|shard| {
        let connection = shard.connections.get_mut(id)?;
        Some(fresh.and_then(|fresh| {
            connection.session.refreshed_by(&fresh)?;
            let exp = fresh.exp;
            connection.session = fresh;
            Ok(exp)
        }))
    });
    match outcome {
        None => Next::Discard,
        Some(Err(refusal)) => {
            refuse(ctx, id, Surface::Socket, "unauthorized", refusal.message, None);
            Next::Continue
        }
        Some(Ok(exp)) => {
            push(ctx, id, server::auth_ok(exp));
            ctx.with(|shard| end_uncovered(shard, id));
            Next::Continue
        }
    }
}

/// Ends what a fresh token no longer covers: subscriptions, which are reported, and presence.
fn end_uncovered(shard: &mut Shard, id: ConnId) {
    let Some(connection) = shard.connections.get(id) else {
        return;
    };
    let grants = &connection.session.grants;
    let lost: Vec<ChannelKey> = shard
        .local
        .subscriptions(id)
        .filter(|key| !grants.may_subscribe(&key.name))
        .cloned()
        .collect();
    let left: Vec<ChannelKey> = shard
        .local
        .presences(id)
        .filter(|key| !grants.may_publish(&key.name))
        .cloned()
        .collect();
    if !lost.is_empty() {
        let site_id = &connection.session.site.site_id;
        let spelled: Vec<String> = lost
            .iter()
            .map(|key| match connection.is_qualified(&key.name) {
                true => format!("site:{site_id}:{}", key.name),
                false => key.name.to_string(),
            })
            .collect();
        let frame = Frame::new(server::unsubscribed(spelled.iter().map(String::as_str)));
        if let Some(connection) = shard.connections.get_mut(id) {
            connection.forget_spelling(|name| lost.iter().any(|key| key.name == *name));
        }
        shard.connections.push_to(id, &frame);
    }
    for key in &lost {
        if let Some(message) = shard.local.unsubscribe(id, key) {
            shard.send_home(message);
        }
    }
    for key in &left {
        if let Some(message) = shard.local.leave(id, key) {
            shard.send_home(message);
        }
    }
}
