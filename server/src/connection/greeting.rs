//! The beginning of a connection: TLS, and the first bytes of the first request.
//!
//! Nearly every connection begins with one WebSocket handshake and nothing else. When that lies whole and in good form in
//! the first bytes, it is answered from where it lies. Whatever is not exactly that (another address, a head in pieces, a
//! header too much or too little) goes to hyper with all that was read, and is judged there: nothing is refused here but
//! what the token itself is refused for.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::hyper_io::READ_BYTES;
use super::socket::Socket;
use super::takeover::{self, Refused, SocketRequest};
use super::{http as phase, refused};
use crate::listener::Serves;
use crate::router;
use crate::shard::Context;
use crate::shard::http_watch::Watched;
use crate::tls;

/// Browsers send about fifteen.
const HEADERS_MAX: usize = 32;

/// Serves one accepted socket until it ends. A session runs in a task of its own, which is small; this one is not.
pub async fn serve(ctx: Rc<Context>, socket: Rc<Socket>, direct: IpAddr, serves: Serves) {
    let watched = Watched::new(&ctx, &socket, ctx.config().http.head_timeout_ms);
    if socket.is_tls() {
        watched.watch.allow(&ctx, ctx.config().http.handshake_timeout_ms);
        if !handshake(&ctx, &socket, direct).await {
            return;
        }
        watched.watch.allow(&ctx, ctx.config().http.head_timeout_ms);
    }
    loop {
        match first_bytes(&ctx, &socket, direct, serves) {
            First::Nothing => {}
            First::Session | First::End => return,
            First::Refused(Refused { head, refusal }) => {
                drop(watched);
                return Box::pin(refused::run(ctx, socket, head, &refusal)).await;
            }
            First::Other(received) => {
                return Box::pin(phase::serve(socket, direct, serves, received, watched)).await;
            }
        }
        if socket.readable().await.is_err() {
            return;
        }
    }
}

/// Whether the TLS handshake succeeded. It ends when its socket does, and the watch ends that in time.
async fn handshake(ctx: &Context, socket: &Socket, peer: IpAddr) -> bool {
    match socket.handshake().await {
        // A certificate authority has seen what it wanted, and nothing else is said (RFC 8737, section 3).
        Ok(()) if socket.has_agreed_on(tls::ACME_TLS) => {
            socket.shutdown_write();
            false
        }
        Ok(()) => {
            ctx.counters.tls_handshakes.increment();
            true
        }
        // One that connects and leaves without a word: a port scan, or a monitor.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
        Err(error) => {
            ctx.counters.tls_failures.increment();
            tracing::debug!(%peer, %error, "a TLS handshake failed");
            false
        }
    }
}

/// What the first bytes of a connection came to.
enum First {
    /// None are there yet.
    Nothing,
    /// The peer has gone.
    End,
    Session,
    Refused(Refused),
    /// What hyper is to judge.
    Other(Bytes),
}

fn first_bytes(ctx: &Rc<Context>, socket: &Rc<Socket>, direct: IpAddr, serves: Serves) -> First {
    let mut scratch = ctx.scratch.borrow_mut();
    let received = match socket.try_read(&mut scratch[..READ_BYTES]) {
        Ok(0) => {
            socket.shutdown_write();
            return First::End;
        }
        Ok(read) => &scratch[..read],
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            ) =>
        {
            return First::Nothing;
        }
        Err(_) => return First::End,
    };
    let wanted = match serves {
        Serves::Relay => wanted(ctx, received, direct),
        Serves::Metrics | Serves::Redirect => None,
    };
    match wanted {
        Some((request, behind)) => {
            ctx.counters.requests.increment();
            match takeover::begin_socket(ctx, request, socket, &received[behind..]) {
                None => First::Session,
                Some(refused) => First::Refused(refused),
            }
        }
        None => First::Other(Bytes::copy_from_slice(received)),
    }
}

/// The WebSocket that `received` asks for, and where what follows begins.
fn wanted(ctx: &Context, received: &[u8], direct: IpAddr) -> Option<(SocketRequest, usize)> {
    let config = ctx.config();
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(behind) = request.parse(received).ok()? else {
        return None;
    };
    let target = request.path?;
    if request.method != Some("GET")
        || request.version != Some(1)
        || request.headers.len() > config.http.headers_max
    {
        return None;
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if path != "/ws" && config.server.base_path.strip(path) != Some("/ws") {
        return None;
    }
    if !query.is_none_or(is_ordinary) {
        return None;
    }
    let asked = Asked::read(request.headers)?;
    let peer = ctx.peer(direct, false, &asked.forwarded);
    let accept = wire::ws::derive_accept_key(asked.key);
    let request = router::socket_wanted(ctx, query, asked.origin, accept, peer.ip);
    Some((request, behind))
}

/// Whether a query is made of what tokens and the other parameters are made of; all else is the business of a parser of
/// addresses. Without a way out of the loop, so that it looks at many bytes at once.
fn is_ordinary(query: &str) -> bool {
    query.bytes().fold(true, |good, byte| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        let mark = (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~');
        let part = (byte == b'=') | (byte == b'&') | (byte == b'%') | (byte == b'+');
        good & (letter | digit | mark | part)
    })
}

/// The headers of a handshake in good form.
struct Asked<'a> {
    key: &'a [u8],
    origin: Option<&'a str>,
    /// What trusted proxies have added.
    forwarded: HeaderMap,
}

impl<'a> Asked<'a> {
    fn read(headers: &[httparse::Header<'a>]) -> Option<Self> {
        let (mut upgrade, mut connection, mut version, mut key, mut origin) = (None, None, None, None, None);
        let mut forwarded = HeaderMap::new();
        for header in headers {
            let place = match header.name {
                name if name.eq_ignore_ascii_case("upgrade") => &mut upgrade,
                name if name.eq_ignore_ascii_case("connection") => &mut connection,
                name if name.eq_ignore_ascii_case("sec-websocket-version") => &mut version,
                name if name.eq_ignore_ascii_case("sec-websocket-key") => &mut key,
                name if name.eq_ignore_ascii_case("origin") => &mut origin,
                name if name.eq_ignore_ascii_case("content-length")
                    || name.eq_ignore_ascii_case("transfer-encoding")
                    || name.eq_ignore_ascii_case("expect") =>
                {
                    return None;
                }
                name if name.eq_ignore_ascii_case("x-forwarded-for")
                    || name.eq_ignore_ascii_case("x-forwarded-proto") =>
                {
                    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                    forwarded.append(name, HeaderValue::from_bytes(header.value).ok()?);
                    continue;
                }
                _ => continue,
            };
            // One that comes twice is for hyper to judge.
            if place.replace(header.value).is_some() {
                return None;
            }
        }
        let origin = match origin {
            None => None,
            Some(origin) => Some(str::from_utf8(origin).ok().filter(|origin| origin.is_ascii())?),
        };
        let key = key.filter(|key: &&[u8]| key.len() == 24 && key.ends_with(b"=="))?;
        let good =
            has_token(upgrade?, b"websocket") && has_token(connection?, b"upgrade") && version? == b"13";
        good.then_some(Self {
            key,
            origin,
            forwarded,
        })
    }
}

/// Whether a comma-separated list has `token`.
fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_query_has_no_byte_that_an_address_could_not_have() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~=&%+".contains(&byte);
        for byte in 0..128 {
            assert_eq!(is_ordinary(&char::from(byte).to_string()), plain(byte), "{byte}");
        }
        assert!(!is_ordinary("token=\u{e9}"));
    }

    fn asked<'a>(headers: &'a [(&'a str, &'a str)]) -> Option<Asked<'a>> {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| httparse::Header {
                name,
                value: value.as_bytes(),
            })
            .collect();
        Asked::read(&headers)
    }

    const GOOD: [(&str, &str); 4] = [
        ("Upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn only_a_handshake_in_good_form_is_taken() {
        assert!(asked(&GOOD).is_some());
        for (place, line) in GOOD.into_iter().enumerate() {
            let mut headers = GOOD.to_vec();
            headers.remove(place);
            assert!(asked(&headers).is_none(), "without {}", line.0);
            headers.extend([line, line]);
            assert!(asked(&headers).is_none(), "{} twice", line.0);
        }
        for (name, value) in [
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("Expect", "100-continue"),
            ("Origin", "https://\u{e9}.example"),
        ] {
            let mut headers = GOOD.to_vec();
            headers.push((name, value));
            assert!(asked(&headers).is_none(), "{name}");
        }
    }
}
