//! The web app that the binary carries: a page that names its assets, and assets whose names change with their content.
//!
//! Everything was compressed when it was built (`cargo xtask ui`); here the form is chosen that the browser asks for. Where the app was not
//! built, the page says so and how to build it. Nothing here reads the disk, and nothing here is secret: the page is the same for everybody.

use std::borrow::Cow;
use std::sync::OnceLock;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use rust_embed::{Embed, EmbeddedFile};
use sha2::{Digest as _, Sha256};

#[derive(Embed)]
#[folder = "../admin-ui/dist/"]
#[allow_missing = true]
struct Dist;

/// Where the app lies, below the base path.
pub const PATH: &str = "/dashboard";
const PAGE: &str = "index.html";
/// As `admin-ui/index.html` has it; the relay's base path goes in front.
const BASE: &str = "<base href=\"/dashboard/\">";
const ASSET_LIFE: &str = "public, max-age=31536000, immutable";

/// Whether a path (without the base path) belongs to the app.
pub fn owns(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// Answers a request for a path that the app [`owns`].
pub fn answer(method: &Method, path: &str, headers: &HeaderMap, base_path: &str) -> Response<Bytes> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "use GET\n");
        response
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let below = path.strip_prefix(PATH).unwrap_or_default();
    match below.strip_prefix("/assets/") {
        Some(name) => asset(name, headers),
        None => page(below, headers, base_path),
    }
}

/// Every address below `/dashboard` is the same page; which of its pages is meant, the app reads from the address.
fn page(below: &str, headers: &HeaderMap, base_path: &str) -> Response<Bytes> {
    let Some(page) = whole_page(base_path) else {
        return not_built();
    };
    let unchanged = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| {
            known
                .split(',')
                .any(|one| one.trim().trim_start_matches("W/") == page.tag)
        });
    let mut response = match unchanged {
        true => empty(StatusCode::NOT_MODIFIED),
        false => with_type(page.html.clone(), "text/html; charset=utf-8"),
    };
    let set = response.headers_mut();
    set.insert(
        header::ETAG,
        HeaderValue::from_str(&page.tag).expect("a tag is hex in quotes"),
    );
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    set.insert(header::CONTENT_SECURITY_POLICY, policy(below));
    set.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    set.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    set.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("same-origin"),
    );
    response
}

/// Own files only. The page that connects a site sends its answer, as a form, to a WordPress anywhere: only there may
/// a form leave.
fn policy(below: &str) -> HeaderValue {
    HeaderValue::from_static(match below {
        "/connect" => concat!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; ",
            "base-uri 'self'; frame-ancestors 'none'; form-action 'self' https: http:"
        ),
        _ => concat!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; ",
            "base-uri 'self'; frame-ancestors 'none'; form-action 'self'"
        ),
    })
}

#[derive(Clone)]
struct Page {
    html: Bytes,
    tag: String,
    base_path: String,
}

/// The page with the relay's base path in it: made once, since a relay has one base path. `None` where the app was not built.
fn whole_page(base_path: &str) -> Option<Cow<'static, Page>> {
    static MADE: OnceLock<Option<Page>> = OnceLock::new();
    let make = || {
        let html = String::from_utf8(Dist::get(PAGE)?.data.into_owned()).ok()?;
        let html = html.replacen(BASE, &format!("<base href=\"{base_path}/dashboard/\">"), 1);
        let tag = format!("\"{}\"", &hex::encode(Sha256::digest(&html))[..24]);
        Some(Page {
            html: html.into(),
            tag,
            base_path: base_path.to_owned(),
        })
    };
    match MADE.get_or_init(make) {
        Some(page) if page.base_path == base_path => Some(Cow::Borrowed(page)),
        Some(_) => make().map(Cow::Owned),
        None => None,
    }
}

fn asset(name: &str, headers: &HeaderMap) -> Response<Bytes> {
    let media = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        // The compressed forms are no files of their own.
        _ => return text(StatusCode::NOT_FOUND, "there is no such file\n"),
    };
    let path = format!("assets/{name}");
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let packed = [("br", "br"), ("gzip", "gz")]
        .into_iter()
        .filter(|(encoding, _)| accepts(accepted, encoding))
        .find_map(|(encoding, extension)| Some((encoding, Dist::get(&format!("{path}.{extension}"))?)));
    let (encoding, file) = match packed {
        Some((encoding, file)) => (Some(encoding), file),
        None => match Dist::get(&path) {
            Some(file) => (None, file),
            None => return text(StatusCode::NOT_FOUND, "there is no such file: reload the page\n"),
        },
    };
    let mut response = with_type(bytes(file), media);
    let set = response.headers_mut();
    if let Some(encoding) = encoding {
        set.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    set.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static(ASSET_LIFE));
    response
}

fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => Bytes::from(data),
    }
}

/// Whether `Accept-Encoding` allows an encoding: named, or covered by `*`, and not with `q=0` (RFC 9110, section 12.5.3).
fn accepts(accepted: &str, encoding: &str) -> bool {
    let weight = |wanted: &str| {
        accepted.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            if !parts.next()?.eq_ignore_ascii_case(wanted) {
                return None;
            }
            let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some(quality.is_none_or(|quality| quality.parse().is_ok_and(|quality: f32| quality > 0.0)))
        })
    };
    weight(encoding).or_else(|| weight("*")).unwrap_or(false)
}

fn not_built() -> Response<Bytes> {
    const PAGE: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>hookcast</title>\
        <h1>This hookcast was built without its web app</h1>\
        <p>Build it with <code>cargo xtask ui</code>, then the server anew with <code>cargo build --release</code>. \
        The relay itself works, and so do its API and its command line.</p></html>\n";
    let mut response = with_type(Bytes::from_static(PAGE.as_bytes()), "text/html; charset=utf-8");
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let set = response.headers_mut();
    set.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    set.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}

fn text(status: StatusCode, body: &'static str) -> Response<Bytes> {
    let mut response = with_type(Bytes::from_static(body.as_bytes()), "text/plain; charset=utf-8");
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

fn with_type(body: Bytes, media: &'static str) -> Response<Bytes> {
    let mut response = Response::new(body);
    let set = response.headers_mut();
    set.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    set.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str, headers: &[(header::HeaderName, &str)], base_path: &str) -> Response<Bytes> {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect();
        answer(&Method::GET, path, &headers, base_path)
    }

    #[test]
    fn the_app_owns_its_path_and_what_is_below_it() {
        assert!(owns("/dashboard") && owns("/dashboard/") && owns("/dashboard/sites/abc"));
        assert!(!owns("/dashboards") && !owns("/") && !owns("/api/state"));
    }

    #[test]
    fn encodings_are_chosen_as_the_browser_asks() {
        assert!(accepts("gzip, deflate, br, zstd", "br"));
        assert!(accepts("br;q=0.5", "br"));
        assert!(accepts("*", "gzip"));
        assert!(!accepts("br;q=0, *", "br"));
        assert!(!accepts("identity", "br"));
        assert!(!accepts("", "gzip"));
        assert!(!accepts("brotli", "br"));
    }

    #[test]
    fn a_method_that_changes_something_is_refused() {
        let response = answer(&Method::POST, "/dashboard", &HeaderMap::new(), "");
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET, HEAD");
    }

    #[test]
    fn a_file_that_is_not_there_is_not_the_page() {
        for path in [
            "/dashboard/assets/app-0.js",
            "/dashboard/assets/../index.html",
            "/dashboard/assets/app.js.br",
            "/dashboard/assets/",
        ] {
            assert_eq!(ask(path, &[], "").status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn only_the_connect_page_may_send_a_form_away() {
        assert!(
            policy("/connect")
                .to_str()
                .unwrap()
                .contains("form-action 'self' https: http:")
        );
        assert!(policy("/sites").to_str().unwrap().ends_with("form-action 'self'"));
    }

    /// With the app built, the page and what it names; without it, the page that says how to build it.
    #[test]
    fn the_page_is_whole_or_says_what_is_missing() {
        let response = ask("/dashboard/sites", &[], "/relay");
        if Dist::get(PAGE).is_none() {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(
                std::str::from_utf8(response.body())
                    .unwrap()
                    .contains("cargo xtask ui")
            );
            return;
        }
        assert_eq!(response.status(), StatusCode::OK);
        let html = std::str::from_utf8(response.body()).unwrap().to_owned();
        assert!(html.contains("<base href=\"/relay/dashboard/\">"));
        let tag = response.headers()[header::ETAG].to_str().unwrap().to_owned();
        assert_eq!(
            ask("/dashboard", &[(header::IF_NONE_MATCH, &tag)], "/relay").status(),
            StatusCode::NOT_MODIFIED
        );
        assert_eq!(
            ask("/dashboard", &[(header::IF_NONE_MATCH, "\"other\"")], "/relay").status(),
            StatusCode::OK
        );

        let mut named = 0;
        for name in html
            .split("\"assets/")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            named += 1;
            for (encoding, wanted) in [("br, gzip", Some("br")), ("gzip", Some("gzip")), ("", None)] {
                let response = ask(
                    &format!("/dashboard/assets/{name}"),
                    &[(header::ACCEPT_ENCODING, encoding)],
                    "/relay",
                );
                assert_eq!(response.status(), StatusCode::OK, "{name}");
                assert_eq!(
                    response
                        .headers()
                        .get(header::CONTENT_ENCODING)
                        .map(|value| value.to_str().unwrap()),
                    wanted,
                    "{name}"
                );
                assert_eq!(response.headers()[header::CACHE_CONTROL], ASSET_LIFE);
                assert!(!response.body().is_empty());
            }
        }
        assert!(named >= 5, "the page names its assets");
    }
}
