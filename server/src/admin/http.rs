//! The thin layer between the relay's HTTP phase and the operator's side.

use std::convert::Infallible;
use std::rc::Rc;

use futures_util::StreamExt;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::exchange::{Answer, AnswerBody, Ask, Failure};
use super::{Admin, Relay};
use crate::clock;
use crate::connection::http::{Request, Response, full};
use crate::shard::Context;

/// The doctor waits for time-outs, and for a socket to stay open for more than a minute.
const DOCTOR_MS: u64 = 150_000;

/// Whether a path (without the base path) is answered here.
pub fn owns(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/hooks/") || matches!(path, "/site/triggers" | "/dispatch")
}

/// How much longer than any other request this one may take.
pub fn extra_ms(path: &str) -> u64 {
    if path.ends_with("/api/doctor") {
        DOCTOR_MS
    } else {
        0
    }
}

pub async fn handle(ctx: &Rc<Context>, mut request: Request) -> Response {
    let config = ctx.config();
    let (method, path) = (request.head.method.clone(), request.path().to_owned());
    let bytes_max = Admin::body_bytes_max(method.as_str(), &path, config.limits.publish_body_bytes_max);
    let body = match request.read_body(bytes_max).await {
        Ok(body) => body,
        Err(refusal) => return response(Failure::from(refusal).answer()),
    };
    let ask = Ask {
        method,
        query: request.head.uri.query().unwrap_or_default().to_owned(),
        path,
        headers: request.head.headers,
        body,
        ip: request.peer.ip,
        direct: request.peer.direct,
        secure: request.peer.secure,
        config,
        now_ms: clock::unix_ms(),
    };
    let relay: &dyn Relay = ctx;
    response(ctx.admin.route(relay, &ask).await)
}

fn response(answer: Answer) -> Response {
    let body = match answer.body {
        AnswerBody::Whole(bytes) => full(bytes),
        AnswerBody::Events(events) => {
            let frames = events.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
            StreamBody::new(frames).boxed_unsync()
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    response.headers_mut().extend(answer.headers);
    response
}
