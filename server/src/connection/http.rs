//! The HTTP phase of a connection: hyper reads requests, handlers answer them, and `/ws` and `/sse` take the socket
//! over raw. A WebSocket handshake that comes first on its connection, and is like any other, does not get here
//! (`greeting`).
//!
//! A take-over works like this: the service puts what it wants to become into a cell and answers hyper with an error,
//! before a byte was written; hyper gives the socket back together with what it had already read; the session then
//! writes its own response head. Requests before it on the same connection were served by hyper as usual.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use serde::Serialize;

use super::hyper_io::HyperIo;
use super::socket::Socket;
use super::takeover::Takeover;
use crate::admin;
use crate::listener::Serves;
use crate::metrics;
use crate::plain;
use crate::router;
use crate::shard::Context;
use crate::shard::http_watch::{HttpWatch, NO_DEADLINE, Watched};
use crate::site::Refusal;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;
pub type Response = http::Response<Body>;

/// One request, its path without the base path.
pub struct Request {
    pub head: http::request::Parts,
    pub body: Incoming,
    pub peer: Peer,
}

/// Who asks, as far as the trusted proxies in between can tell.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub ip: IpAddr,
    /// The browser came by https: to us, or to a trusted proxy.
    pub secure: bool,
    /// The other end of the socket: the same as `ip` unless a trusted proxy stands in between.
    pub direct: IpAddr,
    /// Whether `direct` is a trusted proxy, so that its forwarded headers were believed.
    pub proxied: bool,
}

impl Request {
    /// The path, as the router sees it.
    pub fn path(&self) -> &str {
        self.head.uri.path()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// Reads the body, at most `bytes_max` of it.
    pub async fn read_body(&mut self, bytes_max: usize) -> Result<Bytes, Refusal> {
        use hyper::body::Body as _;
        if self.body.size_hint().lower() > bytes_max as u64 {
            return Err(Refusal::payload_too_large(bytes_max));
        }
        let mut whole: Option<Bytes> = None;
        let mut collected = Vec::new();
        while let Some(frame) = self.body.frame().await {
            let Ok(frame) = frame else {
                return Err(Refusal::invalid_request("the body ended early: send it whole"));
            };
            let Ok(data) = frame.into_data() else { continue };
            if whole.as_ref().map_or(0, Bytes::len) + collected.len() + data.len() > bytes_max {
                return Err(Refusal::payload_too_large(bytes_max));
            }
            match whole.take() {
                // Most bodies arrive in one piece, which is then used as it is.
                None if collected.is_empty() => whole = Some(data),
                None => collected.extend_from_slice(&data),
                Some(first) => {
                    collected.extend_from_slice(&first);
                    collected.extend_from_slice(&data);
                }
            }
        }
        Ok(whole.unwrap_or_else(|| collected.into()))
    }
}

pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A JSON answer that no cache keeps.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_vec(value).expect("answers are plain data");
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `{"error": CODE, "message": TEXT}` (protocol, "Publishing").
pub fn refuse(refusal: &Refusal) -> Response {
    #[derive(Serialize)]
    struct Answer<'a> {
        error: &'a str,
        message: &'a str,
    }
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(
        status,
        &Answer {
            error: refusal.code,
            message: &refusal.message,
        },
    );
    if let Some(seconds) = refusal.retry_after_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Serves requests, of which `received` has come already, until the socket ends or a session takes it over. Never
/// cancelled: it ends by its socket.
pub async fn serve(socket: Rc<Socket>, direct: IpAddr, serves: Serves, received: Bytes, watched: Watched) {
    let ctx = Rc::clone(&watched.ctx);
    let config = ctx.config();
    let takeover = Rc::new(RefCell::new(None));
    let service = Service {
        ctx: Rc::clone(&ctx),
        takeover: Rc::clone(&takeover),
        watch: Rc::clone(&watched.watch),
        direct,
        secure: socket.is_tls(),
        serves,
    };
    let mut connection = http1::Builder::new()
        .half_close(true)
        .max_headers(config.http.headers_max)
        .max_buf_size(config.http.head_bytes_max.max(8192))
        .serve_connection(HyperIo::new(socket, received), service);
    drop(config);
    let outcome = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    drop(watched);
    let wanted = takeover.borrow_mut().take();
    let parts = connection.into_parts();
    let socket = parts.io.into_socket();
    match wanted {
        Some(wanted) => super::takeover::begin(ctx, wanted, socket, &parts.read_buf).await,
        None => {
            if outcome.is_ok() {
                socket.shutdown_write();
            }
        }
    }
}

struct Service {
    ctx: Rc<Context>,
    takeover: Rc<RefCell<Option<Takeover>>>,
    watch: Rc<HttpWatch>,
    direct: IpAddr,
    secure: bool,
    serves: Serves,
}

/// The service's answer to hyper when the socket is wanted: nothing is written for it.
#[derive(Debug)]
pub struct TakenOver;

impl std::fmt::Display for TakenOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the socket is taken over")
    }
}

impl std::error::Error for TakenOver {}

impl hyper::service::Service<http::Request<Incoming>> for Service {
    type Response = Response;
    type Error = TakenOver;
    type Future = Pin<Box<dyn Future<Output = Result<Response, TakenOver>>>>;

    fn call(&self, request: http::Request<Incoming>) -> Self::Future {
        let (ctx, takeover, watch) = (
            Rc::clone(&self.ctx),
            Rc::clone(&self.takeover),
            Rc::clone(&self.watch),
        );
        let (head, body) = request.into_parts();
        let peer = ctx.peer(self.direct, self.secure, &head.headers);
        let serves = self.serves;
        Box::pin(async move {
            let config = ctx.config();
            ctx.counters.requests.increment();
            watch.waiting_for_head.set(false);
            let patience_ms = config.http.body_timeout_ms + admin::extra_ms(head.uri.path());
            watch.deadline_ms.set(ctx.now_ms() + patience_ms);
            let handled = {
                let request = Request { head, body, peer };
                let mut handling = pin!(async {
                    match serves {
                        Serves::Relay => router::route(&ctx, request).await,
                        Serves::Metrics => metrics::alone(&ctx, &request),
                        Serves::Redirect => plain::answer(&ctx, &request),
                    }
                });
                poll_fn(|cx| {
                    // A bug in one handler is that request's failure, not the core's.
                    let polled =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| handling.as_mut().poll(cx)));
                    polled.unwrap_or_else(|_| std::task::Poll::Ready(router::failed()))
                })
                .await
            };
            match handled {
                router::Routed::Response(mut response) => {
                    if watch.draining.get() {
                        // Not hyper's own way, which drops a request that has just arrived on a connection kept alive.
                        response
                            .headers_mut()
                            .insert(header::CONNECTION, HeaderValue::from_static("close"));
                    }
                    watch.answered.set(true);
                    let streams = response
                        .headers()
                        .get(header::CONTENT_TYPE)
                        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
                    watch.waiting_for_head.set(true);
                    watch.deadline_ms.set(if streams {
                        NO_DEADLINE
                    } else {
                        ctx.now_ms() + config.http.keep_alive_ms
                    });
                    Ok(response)
                }
                router::Routed::Takeover(wanted) => {
                    *takeover.borrow_mut() = Some(wanted);
                    Err(TakenOver)
                }
            }
        })
    }
}
