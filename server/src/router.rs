//! From a request to whoever answers it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;

use http::{HeaderValue, Method, StatusCode, Uri, header};
use serde::Serialize;
use wire::channel;

use crate::admin;
use crate::client_script;
use crate::clock;
use crate::connection::http::{Request, Response, full, json, refuse};
use crate::connection::takeover::{Admitted, SocketRequest, StreamRequest, Takeover};
use crate::connection::{Transport, dispatch};
use crate::dashboard;
use crate::hub::ChannelKey;
use crate::insight::Surface;
use crate::metrics;
use crate::publish;
use crate::shard::Context;
use crate::site::{Refusal, Session, SignedHeaders, Site};

/// What a request comes to.
pub enum Routed {
    Response(Response),
    /// The socket leaves the HTTP phase.
    Takeover(Takeover),
}

impl From<Response> for Routed {
    fn from(response: Response) -> Self {
        Self::Response(response)
    }
}

/// Answers one request. A path under the base path is served as if it stood at the root; the bare path is served too,
/// for proxies that strip their prefix.
pub async fn route(ctx: &Rc<Context>, mut request: Request) -> Routed {
    if let Some(answer) = proof(ctx, &request) {
        return answer;
    }
    let config = ctx.config();
    if let Some(stripped) = config.server.base_path.strip(request.head.uri.path()) {
        let query = request
            .head
            .uri
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let path = if stripped.is_empty() { "/" } else { stripped };
        match format!("{path}{query}").parse::<Uri>() {
            Ok(uri) => request.head.uri = uri,
            Err(_) => return not_found().into(),
        }
    }
    let path = request.path().to_owned();
    match path.as_str() {
        "/ws" => only(&request, &[Method::GET]).unwrap_or_else(|| socket(ctx, &request)),
        "/" => only(&request, &[Method::GET]).unwrap_or_else(|| root(ctx, &request)),
        "/sse" => only(&request, &[Method::GET]).unwrap_or_else(|| stream(ctx, &request)),
        "/publish" => match only(&request, &[Method::POST]) {
            Some(refused) => refused,
            None => publish::handle(ctx, request).await.into(),
        },
        "/publish/batch" => match only(&request, &[Method::POST]) {
            Some(refused) => refused,
            None => publish::batch::handle(ctx, request).await.into(),
        },
        "/site/stats" => only(&request, &[Method::GET]).unwrap_or_else(|| stats(ctx, &request).into()),
        "/hookcast.js" => only(&request, &[Method::GET, Method::HEAD])
            .unwrap_or_else(|| client_script::answer(&request.head.headers).map(full).into()),
        "/healthz" => only(&request, &[Method::GET, Method::HEAD]).unwrap_or_else(|| health(ctx).into()),
        "/readyz" => only(&request, &[Method::GET, Method::HEAD]).unwrap_or_else(|| ready(ctx).into()),
        "/metrics" => {
            only(&request, &[Method::GET]).unwrap_or_else(|| metrics::guarded(ctx, &request).into())
        }
        path if admin::owns(path) => admin::handle(ctx, request).await.into(),
        path if dashboard::owns(path) => {
            let base_path = ctx.config().server.base_path.as_str().to_owned();
            let head = &request.head;
            dashboard::answer(&head.method, path, &head.headers, &base_path)
                .map(full)
                .into()
        }
        _ => not_found().into(),
    }
}

/// What a certificate authority asks for to see that a name is ours (HTTP-01): by that name, at the root, and as long as
/// an order is open.
pub fn proof(ctx: &Context, request: &Request) -> Option<Routed> {
    let proofs = &ctx.tls.as_ref()?.certificates.challenges;
    let answer = proofs.answer(request.path())?;
    Some(only(request, &[Method::GET, Method::HEAD]).unwrap_or_else(|| {
        let mut response = Response::new(full(answer.to_string()));
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.into()
    }))
}

/// A refusal for every method but these.
pub fn only(request: &Request, methods: &[Method]) -> Option<Routed> {
    if methods.contains(&request.head.method) {
        return None;
    }
    let allowed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "{} is not a method of this address: use {allowed}",
        request.head.method
    );
    let mut response = refuse(&Refusal::new(405, "method_not_allowed", message));
    response.headers_mut().insert(
        header::ALLOW,
        HeaderValue::from_str(&allowed).expect("methods are ASCII"),
    );
    Some(response.into())
}

pub fn not_found() -> Response {
    refuse(&Refusal::new(
        404,
        "not_found",
        "there is nothing at this address: check the path and the relay's base path",
    ))
}

/// The answer where a handler failed.
pub fn failed() -> Routed {
    refuse(&Refusal::new(
        500,
        "internal",
        "the relay failed to answer this request; its log says more",
    ))
    .into()
}

/// One value of the query, percent-decoded.
pub fn query_value(request: &Request, name: &str) -> Option<String> {
    value_in(request.head.uri.query()?, name).map(Cow::into_owned)
}

/// One value of a query, percent-decoded. A token is long and has nothing to decode, so it is not copied: a handshake shows
/// the difference.
pub fn value_in<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if is_plain(key) {
            if key != name {
                return None;
            }
            if is_plain(value) {
                return Some(Cow::Borrowed(value));
            }
        }
        let (key, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
        (key == name).then(|| Cow::Owned(value.into_owned()))
    })
}

/// Whether there is nothing to decode.
fn is_plain(text: &str) -> bool {
    memchr::memchr2(b'%', b'+', text.as_bytes()).is_none()
}

/// `GET /`: a plain socket of an open site, or a person who is shown the web app.
fn root(ctx: &Context, request: &Request) -> Routed {
    if request.head.headers.contains_key(header::UPGRADE) {
        return upgrade(ctx, request, Transport::Dispatch);
    }
    let to = format!("{}/dashboard", ctx.config().server.base_path.as_str());
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    match HeaderValue::from_str(&to) {
        Ok(to) => response.headers_mut().insert(header::LOCATION, to),
        Err(_) => return not_found().into(),
    };
    response.into()
}

/// `GET /ws` (protocol, "WebSocket"; RFC 6455, section 4.2.1).
fn socket(ctx: &Context, request: &Request) -> Routed {
    let ids = query_value(request, "ids").is_some_and(|value| value == "1");
    upgrade(ctx, request, Transport::WebSocket { ids })
}

fn upgrade(ctx: &Context, request: &Request, transport: Transport) -> Routed {
    let accept = match handshake(request) {
        Ok(accept) => accept,
        Err(refusal) => {
            ctx.refused(&refusal, Surface::Socket, None, Some(request.peer.ip));
            let mut response = refuse(&refusal);
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            if refusal.status == 426 {
                response
                    .headers_mut()
                    .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                response
                    .headers_mut()
                    .insert("sec-websocket-version", HeaderValue::from_static("13"));
            }
            return response.into();
        }
    };
    let admitted = match transport {
        Transport::Dispatch => dispatch::admit(ctx, request).map_err(|refusal| (refusal, None)),
        Transport::WebSocket { .. } | Transport::Stream => {
            admit(ctx, request.head.uri.query(), request.header("origin"))
        }
    };
    Routed::Takeover(Takeover::Socket(wanted(
        ctx,
        accept,
        transport,
        request.peer.ip,
        admitted,
    )))
}

/// A WebSocket that was asked for at `/ws` in good form, let in or not.
pub fn socket_wanted(
    ctx: &Context,
    query: Option<&str>,
    origin: Option<&str>,
    accept: String,
    ip: IpAddr,
) -> SocketRequest {
    let ids = query
        .and_then(|query| value_in(query, "ids"))
        .is_some_and(|value| value == "1");
    let admitted = admit(ctx, query, origin);
    wanted(ctx, accept, Transport::WebSocket { ids }, ip, admitted)
}

fn wanted(
    ctx: &Context,
    accept: String,
    transport: Transport,
    ip: IpAddr,
    admitted: Admission,
) -> SocketRequest {
    let admitted = admitted.map_err(|(refusal, site)| {
        ctx.refused(&refusal, Surface::Socket, site.as_deref(), Some(ip));
        refusal
    });
    SocketRequest {
        accept,
        transport,
        ip,
        admitted,
    }
}

/// Checks that the request asks for a WebSocket, and nothing else, and answers its accept key.
pub fn handshake(request: &Request) -> Result<String, Refusal> {
    let headers = &request.head.headers;
    let has_token = |name: header::HeaderName, token: &str| {
        headers.get_all(name).iter().any(|value| {
            value.to_str().is_ok_and(|value| {
                value
                    .split(',')
                    .any(|part| part.trim().eq_ignore_ascii_case(token))
            })
        })
    };
    if !has_token(header::UPGRADE, "websocket") || !has_token(header::CONNECTION, "upgrade") {
        let message = "this address speaks WebSocket: the Upgrade and Connection headers did not arrive; a proxy in \
                       between has to pass them on";
        return Err(Refusal::new(426, "upgrade_required", message));
    }
    if request.head.version < http::Version::HTTP_11 {
        let message = "a WebSocket handshake is HTTP/1.1: a proxy in between speaks an older version";
        return Err(Refusal::invalid_request(message));
    }
    if headers
        .get("sec-websocket-version")
        .is_none_or(|version| version.as_bytes() != b"13")
    {
        return Err(Refusal::new(
            426,
            "upgrade_required",
            "only version 13 of WebSocket is spoken here",
        ));
    }
    if headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Refusal::invalid_request("a WebSocket handshake has no body"));
    }
    let keys: Vec<_> = headers.get_all("sec-websocket-key").iter().collect();
    match keys.as_slice() {
        // 16 bytes in base64.
        [key] if key.len() == 24 && key.as_bytes().ends_with(b"==") => {
            Ok(wire::ws::derive_accept_key(key.as_bytes()))
        }
        _ => Err(Refusal::invalid_request(
            "Sec-WebSocket-Key is not 16 bytes in base64",
        )),
    }
}

type Admission = Result<Admitted, (Refusal, Option<std::sync::Arc<Site>>)>;

/// Checks the token, the origin and the site's connection limit.
fn admit(ctx: &Context, query: Option<&str>, origin: Option<&str>) -> Admission {
    let token = query
        .and_then(|query| value_in(query, "token"))
        .unwrap_or_default();
    let session = ctx
        .sites()
        .verify_token(&token, clock::unix_ms(), ctx.config().session.clock_leeway_ms)
        .map_err(|refusal| (refusal, None))?;
    let site = std::sync::Arc::clone(&session.site);
    if let Err(refusal) = check_origin(&site, origin) {
        return Err((refusal, Some(site)));
    }
    let slot = site.connect().map_err(|refusal| (refusal, Some(site)))?;
    Ok(Admitted { session, slot })
}

fn check_origin(site: &Site, origin: Option<&str>) -> Result<(), Refusal> {
    let allowed = |origin: &str| {
        site.origins
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(origin))
    };
    match origin {
        // Without an origin it is no browser page, which is what the list is about.
        Some(origin) if !site.origins.is_empty() && !allowed(origin) => Err(Refusal::new(
            403,
            "origin_forbidden",
            "this page's origin is not on the site's list of allowed origins: the operator can add it",
        )),
        _ => Ok(()),
    }
}

/// `GET /sse` (protocol, "Server-Sent Events").
fn stream(ctx: &Context, request: &Request) -> Routed {
    let origin = request.header("origin").map(str::to_owned);
    let mut site = None;
    let outcome = admit(ctx, request.head.uri.query(), origin.as_deref())
        .map_err(|(refusal, of)| {
            site = of;
            refusal
        })
        .and_then(|admitted| {
            site = Some(std::sync::Arc::clone(&admitted.session.site));
            let channels = stream_channels(ctx, request, &admitted.session)?;
            Ok(StreamRequest {
                admitted,
                ip: request.peer.ip,
                channels,
                // Browsers send the header; a page that makes its own first request has only the query.
                last_event_id: request
                    .head
                    .headers
                    .get("last-event-id")
                    .map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned())
                    .or_else(|| query_value(request, "last_event_id")),
                origin: origin.clone(),
            })
        });
    match outcome {
        Ok(stream) => Routed::Takeover(Takeover::Stream(stream)),
        Err(refusal) => {
            ctx.refused(&refusal, Surface::Stream, site.as_deref(), Some(request.peer.ip));
            let mut response = refuse(&refusal);
            if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(&origin).ok()) {
                response
                    .headers_mut()
                    .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
                response
                    .headers_mut()
                    .insert(header::VARY, HeaderValue::from_static("Origin"));
            }
            response.into()
        }
    }
}

/// The channels of `?channels=a,b`, each once.
fn stream_channels(
    ctx: &Context,
    request: &Request,
    session: &Session,
) -> Result<Vec<(String, ChannelKey)>, Refusal> {
    let limits = &ctx.config().limits;
    let list = query_value(request, "channels").unwrap_or_default();
    let mut channels: Vec<(String, ChannelKey)> = Vec::new();
    for spelled in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if channels.len() >= limits.channels_per_connection_max as usize {
            let message = format!(
                "a stream may have {} channels at most",
                limits.channels_per_connection_max
            );
            return Err(Refusal::new(400, "limit_exceeded", message));
        }
        let bare = channel::bare(spelled, &session.site.site_id, limits.channel_name_bytes_max).map_err(
            |error| {
                let status = if error.code() == "forbidden" { 403 } else { 400 };
                Refusal::new(status, error.code(), error.to_string())
            },
        )?;
        if !session.grants.may_subscribe(bare) {
            return Err(Refusal::forbidden(format!(
                "the token does not allow subscribing to {bare}"
            )));
        }
        let key = ChannelKey::new(session.site.id, bare);
        if channels.iter().all(|(_, other)| *other != key) {
            channels.push((spelled.to_owned(), key));
        }
    }
    if channels.is_empty() {
        return Err(Refusal::invalid_request(
            "name the channels to listen to: ?channels=a,b",
        ));
    }
    Ok(channels)
}

/// `GET /site/stats`, signed over an empty body (protocol, "Site registration").
fn stats(ctx: &Context, request: &Request) -> Response {
    #[derive(Serialize)]
    struct Stats {
        active_connections: u32,
        max_connections: u32,
    }
    let verified = SignedHeaders::parse(&request.head.headers)
        .and_then(|headers| ctx.sites().verify(&headers, b"", clock::unix_ms()));
    match verified {
        Ok(verified) => json(
            StatusCode::OK,
            &Stats {
                active_connections: verified.site.live.connections(),
                max_connections: verified.site.limits.connections_max,
            },
        ),
        Err(refusal) => {
            ctx.refused(&refusal, Surface::Publish, None, Some(request.peer.ip));
            refuse(&refusal)
        }
    }
}

/// `GET /healthz`: the relay lives (protocol, "Site registration").
fn health(ctx: &Context) -> Response {
    #[derive(Serialize)]
    struct Health {
        status: &'static str,
        active_connections: u64,
        published_messages: u64,
    }
    let sum = |read: fn(&crate::shard::counters::ShardCounters) -> u64| -> u64 {
        ctx.shards
            .ids()
            .map(|shard| read(ctx.shards.counters(shard)))
            .sum()
    };
    let mut response = json(
        StatusCode::OK,
        &Health {
            status: "ok",
            active_connections: sum(|counters| counters.sockets.read() + counters.streams.read()),
            published_messages: sum(|counters| counters.publishes.read()),
        },
    );
    response
        .headers_mut()
        .insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// `GET /readyz`: the relay takes connections. While it drains it lives, and isn't ready.
fn ready(ctx: &Context) -> Response {
    #[derive(Serialize)]
    struct Ready {
        status: &'static str,
    }
    if ctx.draining.get() {
        json(StatusCode::SERVICE_UNAVAILABLE, &Ready { status: "draining" })
    } else {
        json(StatusCode::OK, &Ready { status: "ready" })
    }
}
