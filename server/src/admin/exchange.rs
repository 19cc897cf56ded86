//! One request and its answer, independent of the connection that carries them.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_channel::mpsc;
use hookcast_api::{ApiError, FieldError, code};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::site::Refusal;
use crate::store::StoreError;

/// A request with its body read.
pub struct Ask {
    pub method: Method,
    /// Without the base path.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Who asks, as far as trusted proxies can tell.
    pub ip: IpAddr,
    /// The other end of the socket, no proxy in between believed.
    pub direct: IpAddr,
    /// The browser came by https.
    pub secure: bool,
    /// The settings as they are now.
    pub config: Arc<Config>,
    pub now_ms: u64,
}

impl Ask {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a query parameter, decoded.
    pub fn param(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    }

    /// A number from the query: `absent` if it is not there, an error if it is none.
    pub fn number(&self, name: &str, absent: u64) -> Result<u64, Failure> {
        match self.param(name) {
            None => Ok(absent),
            Some(text) => text
                .parse()
                .map_err(|_| Failure::field(name, "must be a whole number")),
        }
    }

    pub fn flag(&self, name: &str) -> bool {
        self.param(name)
            .is_some_and(|value| value == "1" || value == "true")
    }

    /// The body as JSON. What serde says names the field and never repeats a secret's value of the right type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let kind = self.header("content-type").unwrap_or_default();
        if !kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        {
            return Err(Failure::invalid(
                "send the body as Content-Type: application/json",
            ));
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| Failure::invalid(format!("the body is not what this route takes: {e}")))
    }

    /// The secret behind `Authorization: Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, rest) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self
            .headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        cookies.flat_map(|line| line.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
    }

    /// The relay's address for snippets and links: as configured, else as this request came.
    pub fn public_url(&self) -> String {
        match &self.config.server.public_url {
            Some(url) => url.as_str().to_owned(),
            None => {
                let scheme = if self.secure { "https" } else { "http" };
                let host = self
                    .header("host")
                    .filter(|host| super::guard::is_host(host))
                    .unwrap_or("localhost");
                format!("{scheme}://{host}{}", self.config.server.base_path.as_str())
            }
        }
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: AnswerBody,
}

pub enum AnswerBody {
    Whole(Bytes),
    /// Ends when the sender goes.
    Events(mpsc::Receiver<Bytes>),
}

impl Answer {
    pub fn json(value: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(value).expect("answers are plain data");
        Answer::media("application/json", body)
    }

    pub fn media(kind: &'static str, body: impl Into<Bytes>) -> Answer {
        Answer {
            status: StatusCode::OK,
            headers: vec![
                (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ],
            body: AnswerBody::Whole(body.into()),
        }
    }

    pub fn events(events: mpsc::Receiver<Bytes>) -> Answer {
        Answer {
            headers: vec![
                (
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/event-stream"),
                ),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (
                    HeaderName::from_static("x-accel-buffering"),
                    HeaderValue::from_static("no"),
                ),
            ],
            status: StatusCode::OK,
            body: AnswerBody::Events(events),
        }
    }

    pub fn with(mut self, name: HeaderName, value: &str) -> Answer {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    pub fn status(mut self, status: StatusCode) -> Answer {
        self.status = status;
        self
    }
}

/// A refusal of the operator API: a status, a stable code, a sentence, and which fields are wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    pub status: u16,
    pub error: ApiError,
    pub retry_after_s: Option<u32>,
    /// For a wrong method.
    pub allow: Option<String>,
}

impl Failure {
    pub fn new(status: u16, error: &str, message: impl Into<String>) -> Failure {
        let error = ApiError {
            error: error.to_owned(),
            message: message.into(),
            fields: Vec::new(),
        };
        Failure {
            status,
            error,
            retry_after_s: None,
            allow: None,
        }
    }

    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new(400, code::INVALID_REQUEST, message)
    }

    /// One field is wrong.
    pub fn field(field: &str, message: &str) -> Failure {
        Failure::fields(vec![FieldError {
            field: field.to_owned(),
            message: message.to_owned(),
        }])
    }

    /// Several may be wrong; at least one is.
    pub fn fields(fields: Vec<FieldError>) -> Failure {
        let message = match fields.first() {
            Some(first) => format!("{}: {}", first.field, first.message),
            None => "the request is not valid".to_owned(),
        };
        let mut failure = Failure::invalid(message);
        failure.error.fields = fields;
        failure
    }

    pub fn not_found(what: &str) -> Failure {
        Failure::new(404, code::NOT_FOUND, format!("there is no such {what}"))
    }

    pub fn forbidden(message: impl Into<String>) -> Failure {
        Failure::new(403, code::FORBIDDEN, message)
    }

    pub fn unavailable(message: &str) -> Failure {
        Failure {
            retry_after_s: Some(1),
            ..Failure::new(503, code::UNAVAILABLE, message)
        }
    }

    pub fn retry_after(self, seconds: u32) -> Failure {
        Failure {
            retry_after_s: Some(seconds),
            ..self
        }
    }

    pub fn answer(&self) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = Answer::json(&self.error).status(status);
        if let Some(seconds) = self.retry_after_s {
            answer = answer.with(header::RETRY_AFTER, &seconds.to_string());
        }
        if let Some(allow) = &self.allow {
            answer = answer.with(header::ALLOW, allow);
        }
        answer
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let failure = Failure::new(refusal.status, refusal.code, refusal.message);
        Failure {
            retry_after_s: refusal.retry_after_s,
            ..failure
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let refusal = error.refusal();
        if refusal.status >= 500 {
            tracing::error!(%error, "the operator API could not use the store");
        }
        Failure::from(refusal)
    }
}
