//! What one setting's own type cannot see: ranges, and settings that contradict each other.

use std::net::SocketAddr;

use super::settings::Sections;
use super::value::{AcmeChallenge, AcmeDirectory, DomainName};

/// Names in one certificate: what Let's Encrypt allows.
const DOMAINS_MAX: usize = 100;

/// The framing that a message gains on its way into an outbox: the frame's header, and the JSON around `data` with
/// the longest names.
const ENVELOPE_BYTES: usize = 4096;

/// What is refused.
pub fn problems(s: &Sections) -> Vec<String> {
    let mut problems = Vec::new();
    let mut at_least = |key: &str, value: u64, min: u64| {
        if value < min {
            problems.push(format!("`{key}` is {value}: it must be at least {min}"));
        }
    };
    at_least("server.ring_entries", s.server.ring_entries.into(), 64);
    // hyper's own least buffer.
    at_least("http.head_bytes_max", s.http.head_bytes_max as u64, 8192);
    at_least("http.headers_max", s.http.headers_max as u64, 10);
    at_least("http.head_timeout_ms", s.http.head_timeout_ms, 1);
    at_least("http.body_timeout_ms", s.http.body_timeout_ms, 1);
    at_least("http.keep_alive_ms", s.http.keep_alive_ms, 1);
    at_least("http.handshake_timeout_ms", s.http.handshake_timeout_ms, 1);
    at_least("session.ping_interval_ms", s.session.ping_interval_ms, 10);
    at_least(
        "limits.publish_body_bytes_max",
        s.limits.publish_body_bytes_max as u64,
        1024,
    );
    at_least(
        "limits.message_bytes_max",
        s.limits.message_bytes_max as u64,
        1024,
    );
    at_least(
        "limits.channel_name_bytes_max",
        s.limits.channel_name_bytes_max as u64,
        1,
    );
    at_least(
        "limits.event_name_bytes_max",
        s.limits.event_name_bytes_max as u64,
        1,
    );
    at_least(
        "limits.channels_per_connection_max",
        s.limits.channels_per_connection_max.into(),
        1,
    );
    at_least("limits.outbox_bytes_max", s.limits.outbox_bytes_max as u64, 4096);
    at_least("limits.outbox_frames_max", s.limits.outbox_frames_max as u64, 1);
    at_least("admin.session_idle_ms", s.admin.session_idle_ms, 1000);
    at_least("tls.reload_interval_ms", s.tls.reload_interval_ms, 50);
    at_least("tls.acme_retry_ms", s.tls.acme_retry_ms, 50);
    for (key, rate, burst_key, burst) in [
        (
            "publishes_per_second",
            s.limits.publishes_per_second,
            "publishes_burst",
            s.limits.publishes_burst,
        ),
        (
            "client_messages_per_second",
            s.limits.client_messages_per_second,
            "client_messages_burst",
            s.limits.client_messages_burst,
        ),
        (
            "presence_per_second",
            s.limits.presence_per_second,
            "presence_burst",
            s.limits.presence_burst,
        ),
    ] {
        if rate > 0 && burst == 0 {
            problems.push(format!(
                "`limits.{burst_key}` is 0: with `limits.{key}` set it must be at least 1"
            ));
        }
    }
    if s.server.listen.is_empty() {
        problems
            .push("`server.listen` is empty: name at least one address, such as 127.0.0.1:8080".to_owned());
    }
    // A channel's length in a binary frame is a u16, and names are kept per subscription.
    if s.limits.channel_name_bytes_max > 4096 || s.limits.event_name_bytes_max > 4096 {
        problems.push(
            "`limits.channel_name_bytes_max` and `limits.event_name_bytes_max` go up to 4096".to_owned(),
        );
    }
    tls(s, &mut problems);
    if s.admin.session_life_ms < s.admin.session_idle_ms {
        problems.push("`admin.session_life_ms` must not be below `admin.session_idle_ms`".to_owned());
    }
    if s.metrics
        .token
        .as_ref()
        .is_some_and(|token| token.expose().len() < 3)
    {
        problems.push("`metrics.token` is too short to keep anyone out".to_owned());
    }
    if let Err(wrong) = s.log.level.parse::<tracing_subscriber::EnvFilter>() {
        problems.push(format!("`log.level`: {wrong}"));
    }
    problems
}

fn tls(s: &Sections, problems: &mut Vec<String>) {
    let listens = !s.tls.listen.is_empty();
    let has_file = s.tls.certificate.is_some() || s.tls.key.is_some();
    if s.tls.certificate.is_some() != s.tls.key.is_some() {
        problems.push("`tls.certificate` and `tls.key` go together: set both or none".to_owned());
    }
    let orders = !s.tls.acme_domains.is_empty();
    if listens && !has_file && !orders {
        problems.push(
            "`tls.listen` is set, but no certificate: set `tls.acme_domains`, or `tls.certificate` and `tls.key`"
                .to_owned(),
        );
    }
    if has_file && orders {
        problems.push(
            "a certificate comes either from files (`tls.certificate`, `tls.key`) or from an authority (`tls.acme_domains`): leave one out"
                .to_owned(),
        );
    }
    if orders {
        acme(s, problems);
    }
    if !listens && (has_file || orders) {
        problems.push(
            "a certificate is set, but `tls.listen` is empty: name an address such as 0.0.0.0:443".to_owned(),
        );
    }
    if !listens && !s.tls.redirect_listen.is_empty() {
        problems.push("`tls.redirect_listen` leads to https, but `tls.listen` is empty".to_owned());
    }
    let mut taken = s.server.listen.clone();
    for (key, addresses) in [
        ("tls.listen", &s.tls.listen),
        ("tls.redirect_listen", &s.tls.redirect_listen),
        ("metrics.listen", &s.metrics.listen),
    ] {
        for address in addresses {
            if address.port() != 0 && taken.contains(address) {
                problems.push(format!(
                    "`{key}` names {address}, which another listener has already"
                ));
            }
            taken.push(*address);
        }
    }
}

fn acme(s: &Sections, problems: &mut Vec<String>) {
    let names = || s.tls.acme_domains.iter().map(DomainName::as_str);
    if !s.tls.acme_terms_agreed {
        problems.push(
            "`tls.acme_domains` is set: read the authority's terms of service (Let's Encrypt: https://letsencrypt.org/repository/) and set `tls.acme_terms_agreed` to true"
                .to_owned(),
        );
    }
    if names().count() > DOMAINS_MAX {
        problems.push(format!("`tls.acme_domains` holds {DOMAINS_MAX} names at most"));
    }
    for (at, name) in names().enumerate() {
        if names().take(at).any(|other| other == name) {
            problems.push(format!("`tls.acme_domains` names {name} twice"));
        }
        let is_public = !matches!(s.tls.acme_directory, AcmeDirectory::Own(_));
        if is_public && !name.contains('.') {
            problems.push(format!(
                "`tls.acme_domains`: Let's Encrypt gives no certificate for `{name}`: use the name that the Internet knows this machine by"
            ));
        }
    }
    if s.tls.acme_email.as_ref().is_some_and(|email| {
        let parts = email.split_once('@');
        parts.is_none_or(|(who, whose)| who.is_empty() || !whose.contains('.'))
            || email.contains(char::is_whitespace)
    }) {
        problems.push("`tls.acme_email` is no e-mail address, such as you@example.com".to_owned());
    }
}

/// An authority asks on one port only, from far away.
fn unreachable(s: &Sections, warnings: &mut Vec<String>) {
    let (challenge, setting, port, addresses) = match s.tls.acme_challenge {
        AcmeChallenge::TlsAlpn01 => ("tls-alpn-01", "tls.listen", 443, s.tls.listen.clone()),
        AcmeChallenge::Http01 => {
            let both = [s.tls.redirect_listen.as_slice(), &s.server.listen].concat();
            ("http-01", "tls.redirect_listen", 80, both)
        }
    };
    let on_port = || addresses.iter().filter(|address| address.port() == port);
    let is_local = |address: &SocketAddr| address.ip().is_loopback();
    if on_port().next().is_none() {
        warnings.push(format!(
            "`tls.acme_challenge` is {challenge}, and no address of `{setting}` has port {port}: the authority asks there and nowhere else, so something has to pass port {port} of your names on to the relay"
        ));
    } else if on_port().all(is_local) {
        warnings.push(format!(
            "`tls.acme_challenge` is {challenge}, and `{setting}` has port {port} on loopback only: the authority cannot ask there; use 0.0.0.0:{port}"
        ));
    }
}

/// What works, but is likely not meant.
pub fn warnings(s: &Sections) -> Vec<String> {
    let mut warnings = Vec::new();
    if s.session.client_silence_ms <= s.session.ping_interval_ms {
        warnings.push(format!(
            "`session.client_silence_ms` ({}) is not above `session.ping_interval_ms` ({}): idle clients are closed before they are pinged",
            s.session.client_silence_ms, s.session.ping_interval_ms
        ));
    }
    let largest = s
        .limits
        .message_bytes_max
        .max(s.limits.publish_body_bytes_max)
        .saturating_add(ENVELOPE_BYTES);
    if s.limits.outbox_bytes_max < largest {
        warnings.push(format!(
            "`limits.outbox_bytes_max` ({}) does not hold the largest message with its envelope ({largest} bytes): one such message closes its readers",
            s.limits.outbox_bytes_max
        ));
    }
    if s.session.ping_interval_ms >= 45_000 {
        warnings.push(
            "`session.ping_interval_ms` is 45 s or more: the WordPress plugin drops a socket that is silent for 45 s"
                .to_owned(),
        );
    }
    if !s.tls.acme_domains.is_empty() {
        unreachable(s, &mut warnings);
        if s.tls.acme_directory == AcmeDirectory::Staging {
            warnings.push(
                "`tls.acme_directory` is staging: its certificates are for trials, and browsers don't trust them"
                    .to_owned(),
            );
        }
    }
    if s.server.trusted_proxies.iter().any(|net| net.prefix_len() == 0) {
        warnings.push(
            "`server.trusted_proxies` trusts every address: anyone can claim any client address".to_owned(),
        );
    }
    warnings
}
