//! Requests to the operator API: typed both ways, with the CSRF header, and one kind of failure.

use crate::app::app;
use crate::browser;
use crate::text::{fill, t};
use hookcast_api::routes::{Op, path_with};
use hookcast_api::{API_VERSION, ApiError, CSRF_HEADER, FieldError, VERSION_HEADER, code};
use hookcast_json::{FromJson, ToJson, Value};
use js_sys::JsString;
use std::pin::Pin;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// Why a request did not succeed, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// 0: no answer at all.
    pub status: u16,
    pub code: String,
    pub message: String,
    pub fields: Vec<FieldError>,
}

impl Failure {
    fn unreachable() -> Failure {
        Failure {
            status: 0,
            code: "unreachable".to_owned(),
            message: t().common.unreachable.to_owned(),
            fields: Vec::new(),
        }
    }

    fn unreadable(status: u16) -> Failure {
        let message = fill(t().common.unreadable, &[("status", &status.to_string())]);
        Failure {
            status,
            code: "unreadable".to_owned(),
            message,
            fields: Vec::new(),
        }
    }

    /// What to say beside a field.
    pub fn of_field(&self, field: &str) -> Option<String> {
        self.fields
            .iter()
            .find(|wrong| wrong.field == field)
            .map(|wrong| wrong.message.clone())
    }

    /// Refusals that every reader meets have a text in every language; the others speak the server's English.
    fn translated(mut self) -> Failure {
        let c = &t().common;
        let known = match self.code.as_str() {
            code::INVALID_CREDENTIALS => c.invalid_credentials,
            code::WRONG_PASSWORD => c.wrong_password,
            code::FORBIDDEN => c.forbidden,
            code::RATE_LIMITED => c.rate_limited,
            code::CONFLICT => c.conflict,
            code::UNAVAILABLE => c.unavailable,
            code::UNAUTHENTICATED => c.unauthenticated,
            _ => return self,
        };
        self.message = known.to_owned();
        self
    }
}

pub type Outcome<T> = Result<T, Failure>;
/// One type for every request under way.
pub type Answering<T> = Pin<Box<dyn Future<Output = Outcome<T>>>>;

/// A request that has not been sent, and what its answer is read as. Only the reading knows the type: the rest is compiled once.
pub struct Request<T> {
    pub call: Call,
    pub read: fn(u16, String) -> Outcome<T>,
}

/// What is sent.
pub struct Call {
    op: Op,
    path: String,
    body: Option<String>,
}

/// `GET`s and `DELETE`s: nothing to send.
pub fn ask<T: FromJson>(op: Op, path: &[&str]) -> Request<T> {
    ask_with(op, path, "")
}

/// The same with a query, such as `?limit=100`.
pub fn ask_with<T: FromJson>(op: Op, path: &[&str], query: &str) -> Request<T> {
    Request {
        call: call(op, path, query, None),
        read: read_json,
    }
}

/// What sends a body.
pub fn send<T: FromJson>(op: Op, path: &[&str], body: &impl ToJson) -> Request<T> {
    Request {
        call: call(op, path, "", Some(body.to_json())),
        read: read_json,
    }
}

/// The answer's text as it is: for documents that are not JSON.
pub fn text(op: Op, path: &[&str], body: &impl ToJson) -> Request<String> {
    Request {
        call: call(op, path, "", Some(body.to_json())),
        read: |_, text| Ok(text),
    }
}

fn read_json<T: FromJson>(status: u16, text: String) -> Outcome<T> {
    hookcast_json::read(&text).map_err(|_| Failure::unreadable(status))
}

fn call(op: Op, path: &[&str], query: &str, body: Option<Value>) -> Call {
    let encoded: Vec<String> = path
        .iter()
        .map(|part| js_sys::encode_uri_component(part).into())
        .collect();
    let encoded: Vec<&str> = encoded.iter().map(String::as_str).collect();
    let mut path = path_with(op.path(), &encoded);
    path.push_str(query);
    Call {
        op,
        path,
        body: body.map(|body| body.to_text()),
    }
}

impl<T: 'static> IntoFuture for Request<T> {
    type Output = Outcome<T>;
    type IntoFuture = Answering<T>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (status, text) = answer(self.call).await?;
            (self.read)(status, text)
        })
    }
}

/// What the relay says to a request.
pub fn answer(call: Call) -> Answering<(u16, String)> {
    Box::pin(raw(call))
}

async fn raw(Call { op, path, body }: Call) -> Outcome<(u16, String)> {
    let options = web_sys::RequestInit::new();
    options.set_method(op.method().as_str());
    options.set_credentials(web_sys::RequestCredentials::SameOrigin);
    let headers = web_sys::Headers::new().map_err(|_| Failure::unreachable())?;
    let set = |name: &str, value: &str| {
        let _invalid = headers.set(name, value);
    };
    set(VERSION_HEADER, &API_VERSION.to_string());
    if op.method().changes_state() {
        set(CSRF_HEADER, &app().csrf());
    }
    if let Some(body) = &body {
        set("content-type", "application/json");
        options.set_body(&JsValue::from_str(body));
    }
    options.set_headers(&headers);

    let url = browser::root() + &path;
    let answer = JsFuture::from(browser::window().fetch_with_str_and_init(&url, &options))
        .await
        .map_err(|_| Failure::unreachable())?;
    let answer: web_sys::Response = answer.unchecked_into();
    let status = answer.status();
    let text = match answer.text() {
        Ok(text) => JsFuture::from(text).await.map_err(|_| Failure::unreachable())?,
        Err(_) => return Err(Failure::unreachable()),
    };
    let text = text.unchecked_into::<JsString>().as_string().unwrap_or_default();
    if answer.ok() {
        return Ok((status, text));
    }
    let failure = match hookcast_json::read::<ApiError>(&text) {
        Ok(error) => Failure {
            status,
            code: error.error,
            message: error.message,
            fields: error.fields,
        }
        .translated(),
        // A proxy's page, most likely.
        Err(_) => Failure::unreadable(status),
    };
    match failure.code.as_str() {
        code::UNAUTHENTICATED => app().session_ended(),
        code::API_VERSION_MISMATCH => app().version_differs(),
        _ => {}
    }
    Err(failure)
}
