//! `GET /hookcast.js`: the connector's browser client, for sites that installed only the connector's one PHP file.
//!
//! It is a copy of its own licence (GPL) that the relay hands out, not a part of the relay.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};

const SCRIPT: &str = include_str!("../../wordpress/hookcast.js");

/// WordPress adds its version to the address; a relay that was upgraded is noticed within the hour.
const LIFE: &str = "public, max-age=3600";

static ETAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = Sha256::digest(SCRIPT);
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{hex}\"")).expect("hex is ASCII")
});

pub fn answer(headers: &HeaderMap) -> Response<Bytes> {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == *ETAG);
    let mut response = Response::new(match known {
        true => Bytes::new(),
        false => Bytes::from_static(SCRIPT.as_bytes()),
    });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let set = response.headers_mut();
    set.insert(header::ETAG, ETAG.clone());
    for (name, value) in [
        (header::CACHE_CONTROL, LIFE),
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        // The site's pages are of another origin.
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "cross-origin",
        ),
    ] {
        set.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_sent_once_and_then_known() {
        let first = answer(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.body(), SCRIPT);
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, first.headers()[header::ETAG].clone());
        let again = answer(&headers);
        assert_eq!(
            (again.status(), again.body().len()),
            (StatusCode::NOT_MODIFIED, 0)
        );
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"another\""));
        assert_eq!(answer(&headers).status(), StatusCode::OK);
    }
}
