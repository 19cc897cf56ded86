//! Requests to the operator API: typed both ways, with the CSRF header, and one kind of failure.

use crate::app::app;
use crate::browser;
use crate::text::{fill, t};
use hookcast_api::routes::{Op, route};
use hookcast_api::{API_VERSION, ApiError, CSRF_HEADER, FieldError, VERSION_HEADER, code};
use js_sys::JsString;
use serde::Serialize;
use serde::de::DeserializeOwned;
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

/// `GET`s and `DELETE`s: nothing to send.
pub async fn ask<T: DeserializeOwned>(op: Op, path: &[&str]) -> Outcome<T> {
    request(op, path, "", None).await
}

/// The same with a query, such as `?limit=100`.
pub async fn ask_with<T: DeserializeOwned>(op: Op, path: &[&str], query: &str) -> Outcome<T> {
    request(op, path, query, None).await
}

/// What sends a body.
pub async fn send<B: Serialize, T: DeserializeOwned>(op: Op, path: &[&str], body: &B) -> Outcome<T> {
    request(
        op,
        path,
        "",
        Some(serde_json::to_string(body).expect("the API's types are JSON")),
    )
    .await
}

async fn request<T: DeserializeOwned>(
    op: Op,
    path: &[&str],
    query: &str,
    body: Option<String>,
) -> Outcome<T> {
    let (status, text) = raw(op, path, query, body).await?;
    serde_json::from_str(&text).map_err(|_| Failure::unreadable(status))
}

/// The answer's text as it is: for documents that are not JSON.
pub async fn text<B: Serialize>(op: Op, path: &[&str], body: &B) -> Outcome<String> {
    let body = serde_json::to_string(body).expect("the API's types are JSON");
    Ok(raw(op, path, "", Some(body)).await?.1)
}

async fn raw(op: Op, path: &[&str], query: &str, body: Option<String>) -> Outcome<(u16, String)> {
    let route = route(op);
    let options = web_sys::RequestInit::new();
    options.set_method(route.method.as_str());
    options.set_credentials(web_sys::RequestCredentials::SameOrigin);
    let headers = web_sys::Headers::new().map_err(|_| Failure::unreachable())?;
    let set = |name: &str, value: &str| {
        let _invalid = headers.set(name, value);
    };
    set(VERSION_HEADER, &API_VERSION.to_string());
    if route.method.changes_state() {
        set(CSRF_HEADER, &app().csrf());
    }
    if let Some(body) = &body {
        set("content-type", "application/json");
        options.set_body(&JsValue::from_str(body));
    }
    options.set_headers(&headers);

    let encoded: Vec<String> = path
        .iter()
        .map(|part| js_sys::encode_uri_component(part).into())
        .collect();
    let encoded: Vec<&str> = encoded.iter().map(String::as_str).collect();
    let url = format!("{}{}{query}", browser::root(), route.path_with(&encoded));
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
    let failure = match serde_json::from_str::<ApiError>(&text) {
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
