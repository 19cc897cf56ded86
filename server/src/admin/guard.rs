//! What a request to the operator API must be before it is anyone's: sent to a name of ours, and if it changes something
//! with a browser's cookie, sent by a page of ours.

use std::net::IpAddr;

use hookcast_api::routes::Access;
use hookcast_api::{API_VERSION, CSRF_HEADER, VERSION_HEADER, VersionMismatch, code};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::exchange::{Ask, Failure};

/// Checks that need nothing but the request. An API key in the request stands for them all: no page of a stranger has one.
pub fn check(ask: &Ask, access: Access, changes_state: bool) -> Result<(), Failure> {
    if access == Access::OwnProof {
        return Ok(());
    }
    version(ask)?;
    if ask.bearer().is_some() {
        return Ok(());
    }
    host(ask)?;
    if changes_state {
        origin(ask)?;
        if ask.header(CSRF_HEADER).is_none_or(str::is_empty) {
            return Err(csrf_failure());
        }
    }
    Ok(())
}

/// The session's token, as the header must carry it. Not the cookie, and not to be found without it.
pub fn csrf_token(session_token: &str) -> String {
    hex::encode(
        &Sha256::new()
            .chain_update("csrf:")
            .chain_update(session_token)
            .finalize()[..16],
    )
}

/// The header is this session's.
pub fn csrf(ask: &Ask, session_token: &str) -> Result<(), Failure> {
    let sent = ask.header(CSRF_HEADER).unwrap_or_default();
    match sent.as_bytes().ct_eq(csrf_token(session_token).as_bytes()).into() {
        true => Ok(()),
        false => Err(csrf_failure()),
    }
}

fn csrf_failure() -> Failure {
    Failure::new(
        403,
        code::CSRF,
        format!("send the session's CSRF token in the header {CSRF_HEADER}; GET /api/me names it"),
    )
}

fn version(ask: &Ask) -> Result<(), Failure> {
    let Some(sent) = ask.header(VERSION_HEADER) else {
        return Ok(());
    };
    match sent.parse() {
        Ok(API_VERSION) => Ok(()),
        Ok(client) => {
            let mismatch = VersionMismatch {
                client,
                server: API_VERSION,
            };
            Err(Failure::new(409, code::API_VERSION_MISMATCH, mismatch.advice()))
        }
        Err(_) => Err(Failure::invalid(format!("{VERSION_HEADER} is not a number"))),
    }
}

/// A name of someone else's that points here (DNS rebinding) makes a stranger's page one of ours to its browser. An address
/// cannot be pointed anywhere, so every address is allowed.
fn host(ask: &Ask) -> Result<(), Failure> {
    let sent = ask.header("host").unwrap_or_default();
    let name = host_name(sent);
    let public = ask
        .config
        .server
        .public_url
        .as_ref()
        .map(|url| host_name(url.authority()));
    let known = is_address(name)
        || name.eq_ignore_ascii_case("localhost")
        || public.is_some_and(|public| public.eq_ignore_ascii_case(name))
        || ask
            .config
            .admin
            .hosts
            .iter()
            .any(|host| host_name(host).eq_ignore_ascii_case(name));
    if known {
        return Ok(());
    }
    Err(Failure::new(
        421,
        code::UNKNOWN_HOST,
        "the relay does not answer to this host name: set server.public_url, or add the name to admin.hosts",
    ))
}

/// The page that sends the request is the relay's own: the same host as the request's, or the public URL's.
fn origin(ask: &Ask) -> Result<(), Failure> {
    let foreign = || {
        Failure::new(
            403,
            code::FOREIGN_ORIGIN,
            "the request was sent by a page of another origin than the relay's",
        )
    };
    let fetch_site = ask.header("sec-fetch-site").unwrap_or("none");
    if fetch_site == "cross-site" {
        return Err(foreign());
    }
    // A program that is no browser sends none; the CSRF token stands for it.
    if !ask.headers.contains_key("origin") {
        return Ok(());
    }
    let sent = ask.header("origin").ok_or_else(foreign)?;
    let authority = sent
        .strip_prefix("https://")
        .or_else(|| sent.strip_prefix("http://"))
        .ok_or_else(foreign)?;
    let ours = ask
        .header("host")
        .is_some_and(|host| host.eq_ignore_ascii_case(authority))
        || ask.config.server.public_url.as_ref().is_some_and(|url| {
            let scheme = if url.is_secure() { "https" } else { "http" };
            format!("{scheme}://{}", url.authority()).eq_ignore_ascii_case(sent)
        });
    ours.then_some(()).ok_or_else(foreign)
}

/// Without the port.
fn host_name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !is_bare_v6(authority) => {
            name
        }
        _ => authority,
    }
}

fn is_bare_v6(authority: &str) -> bool {
    !authority.starts_with('[') && authority.parse::<IpAddr>().is_ok()
}

fn is_address(name: &str) -> bool {
    name.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok()
}

/// A Host header that can be part of a URL.
pub fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b".-:[]_".contains(&c))
}
