//! HTTP to the authority: one request at a time, on the certificates' own thread, which may wait.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use url::Url;

use crate::cli::Target;

/// For each read; a whole answer may take [`ANSWER_WAIT`].
const READ_WAIT: Duration = Duration::from_secs(20);
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// A chain has some kilobytes, a directory less.
const BODY_BYTES_MAX: usize = 1 << 20;
/// What an authority may put off the next try by.
const RETRY_AFTER_S_MAX: u64 = 24 * 3600;

/// Trouble on the way to the authority, or with whatever answers in its place.
#[derive(Debug)]
pub enum Trouble {
    Unreachable(String),
    Status(u16),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "the authority cannot be reached: {why}"),
            Self::Status(status) => write!(f, "the authority answers with status {status} and no reason"),
        }
    }
}

impl std::error::Error for Trouble {}

fn unreachable(url: &Url, why: impl fmt::Display) -> Error {
    let host = url.host_str().unwrap_or_default();
    Error::Other(Box::new(Trouble::Unreachable(format!("{host}: {why}"))))
}

/// What the authority said last about when to ask again, in seconds; 0 for nothing.
#[derive(Clone, Default)]
pub struct Patience(Arc<AtomicU64>);

impl Patience {
    pub fn take(&self) -> Option<Duration> {
        match self.0.swap(0, Ordering::Relaxed) {
            0 => None,
            s => Some(Duration::from_secs(s)),
        }
    }
}

#[derive(Clone, Default)]
pub struct Client {
    pub patience: Patience,
}

impl HttpClient for Client {
    /// Never pending: the thread does nothing else meanwhile.
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let patience = self.patience.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(body) => body.to_bytes(),
                Err(never) => match never {},
            };
            exchange(&head, &body, &patience)
        })
    }
}

fn exchange(head: &http::request::Parts, body: &[u8], patience: &Patience) -> Result<BytesResponse, Error> {
    let url = Url::parse(&head.uri.to_string()).map_err(|_| Error::Str("an address of the authority"))?;
    if url.scheme() != "https" {
        // A directory by https that leads elsewhere is not to be followed there.
        return Err(unreachable(&url, "it leads to an address that is not https"));
    }
    let target = Target::parse(&url.origin().ascii_serialization())
        .map_err(|_| Error::Str("an address of the authority"))?;
    let headers: Vec<_> = head
        .headers
        .iter()
        .filter(|(name, _)| *name != header::USER_AGENT)
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let path = match url.query() {
        None => url.path().to_owned(),
        Some(query) => format!("{}?{query}", url.path()),
    };
    let deadline = Instant::now() + ANSWER_WAIT;
    let stream = target.dial(READ_WAIT).map_err(|error| unreachable(&url, error))?;
    let method = head.method.as_str();
    let mut answer = target
        .request_over(stream, method, &path, &headers, body)
        .map_err(|error| unreachable(&url, error))?;
    let received = match method {
        // It tells the length of a body that does not come.
        "HEAD" => Vec::new(),
        _ => whole(&mut answer.body, deadline).map_err(|error| unreachable(&url, error))?,
    };
    if let Some(s) = answer
        .header("retry-after")
        .and_then(|value| value.trim().parse::<u64>().ok())
        && answer.status >= 400
    {
        patience.0.store(s.min(RETRY_AFTER_S_MAX), Ordering::Relaxed);
    }
    // Refusals are documents (RFC 7807). Without one, somebody else answers.
    let has_reason = answer
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/problem+json"));
    if answer.status >= 400 && !has_reason {
        return Err(Error::Other(Box::new(Trouble::Status(answer.status))));
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    let (parts, ()) = response.body(())?.into_parts();
    Ok(BytesResponse {
        parts,
        body: Box::new(Bytes::from(received)),
    })
}

fn whole(body: &mut impl io::Read, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        match body.read(&mut buffer)? {
            0 => return Ok(received),
            read => received.extend_from_slice(&buffer[..read]),
        }
        if received.len() > BODY_BYTES_MAX || Instant::now() > deadline {
            return Err(io::Error::other("its answer does not end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_end_is_given_up() {
        let later = Instant::now() + ANSWER_WAIT;
        assert!(whole(&mut io::repeat(b'x'), later).is_err());
        assert_eq!(whole(&mut &b"done"[..], later).unwrap(), b"done");
    }

    #[test]
    fn an_authority_that_leads_to_plain_http_is_not_followed() {
        let request = Request::builder().uri("http://127.0.0.1:1/nonce");
        let (head, ()) = request.body(()).unwrap().into_parts();
        let refused = exchange(&head, b"", &Patience::default()).err().unwrap();
        assert!(refused.to_string().contains("not https"), "{refused}");
    }
}
