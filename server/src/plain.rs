//! The listener of `tls.redirect_listen`: port 80 for people who type a name, and for an authority that asks there. Nothing of
//! the relay is served in the clear.

use http::{HeaderValue, Method, StatusCode, header, uri::Authority};

use crate::connection::http::{Request, Response, full, refuse};
use crate::router::{self, Routed};
use crate::shard::Context;
use crate::site::Refusal;

/// A proof that an authority asks for, or the way to https.
pub fn answer(ctx: &Context, request: &Request) -> Routed {
    if let Some(answer) = router::proof(ctx, request) {
        return answer;
    }
    // Whatever else was sent in the clear is not to be repeated by itself.
    if let Some(refused) = router::only(request, &[Method::GET, Method::HEAD]) {
        return refused;
    }
    let to = secure_authority(ctx, request).and_then(|authority| {
        let path = request
            .head
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str());
        HeaderValue::from_str(&format!("https://{authority}{path}")).ok()
    });
    let Some(to) = to else {
        let message = "this port only shows the way to https, and the request names no host";
        return refuse(&Refusal::new(400, "tls_required", message)).into();
    };
    let mut response = Response::new(full(""));
    // Not for ever: a browser would keep it for longer than the setting stands.
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, to);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.into()
}

/// The public address, or the host that was asked for at the port of TLS.
fn secure_authority(ctx: &Context, request: &Request) -> Option<String> {
    let config = ctx.config();
    if let Some(url) = config.server.public_url.as_ref().filter(|url| url.is_secure()) {
        return Some(url.authority().to_owned());
    }
    let asked: Authority = request.header("host")?.parse().ok()?;
    let host = asked.host();
    match config.tls.listen.first()?.port() {
        443 => Some(host.to_owned()),
        port => Some(format!("{host}:{port}")),
    }
}
