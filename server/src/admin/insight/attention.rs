//! What an operator should look at, each with its reason and its remedy.

use hookcast_api::insight::{Attention, Relay, Severity};

use crate::site::{SiteStatus, Sites};

/// Sites that are each told about; more say nothing more.
const SITES_MAX: usize = 20;

/// What is asked about besides the sites.
pub struct Facts<'a> {
    pub relay: &'a Relay,
    pub public_url_set: bool,
    /// Open descriptors, about, and their limit.
    pub descriptors: Option<(u64, u64)>,
    /// Connections closed for reading too slowly, in the last minute.
    pub drops_last_minute: u64,
    /// Sites whose browsers were refused in the last minute: key, name, the code, how often.
    pub refused_browsers: &'a [(String, String, String, u64)],
}

pub fn attention(facts: &Facts<'_>, sites: &Sites) -> Vec<Attention> {
    let mut all = Vec::new();
    let mut tell = |code: &str, severity, message: String, remedy: &str, site_key: Option<String>| {
        let (code, remedy) = (code.to_owned(), remedy.to_owned());
        all.push(Attention {
            code,
            severity,
            message,
            remedy,
            site_key,
        });
    };
    if let Some((open, max)) = facts.descriptors
        && open * 10 >= max * 8
    {
        let severity = if open * 100 >= max * 95 {
            Severity::Critical
        } else {
            Severity::Warning
        };
        tell(
            "fd_limit_near",
            severity,
            format!("{open} of {max} file descriptors are in use: new connections will be refused"),
            "Raise LimitNOFILE in the systemd unit (or ulimit -n) and restart the relay.",
            None,
        );
    }
    if let Some(reason) = &facts.relay.driver_reason {
        tell(
            "driver_fell_back",
            Severity::Info,
            format!(
                "The relay runs on {} instead of io_uring: {reason}",
                facts.relay.driver
            ),
            "Nothing is broken; io_uring costs less CPU. In Docker, allow it in the seccomp profile; elsewhere raise LimitMEMLOCK.",
            None,
        );
    }
    if !facts.public_url_set {
        tell(
            "public_url_missing",
            Severity::Warning,
            "The relay does not know its public address, so links and snippets are made from the address in your browser.".to_owned(),
            "Set server.public_url (HOOKCAST_PUBLIC_URL) to the address that WordPress and browsers use.",
            None,
        );
    }
    if facts.drops_last_minute > 0 {
        tell(
            "slow_readers",
            Severity::Info,
            format!(
                "{} messages did not reach connections that read too slowly in the last minute.",
                facts.drops_last_minute
            ),
            "Browsers on slow lines reconnect by themselves; if it goes on, publish less or raise limits.outbox_bytes_max.",
            None,
        );
    }
    for (site_key, name, code, times) in facts.refused_browsers.iter().take(SITES_MAX) {
        let remedy = match code.as_str() {
            "origin_forbidden" => "Add the page's origin to the site's allowed origins, or clear the list.",
            "limit_reached" | "connection_limit" => "Raise the site's connection limit.",
            _ => {
                "Look at the site's recent refusals: a wrong clock or old secrets in WordPress are the usual reasons."
            }
        };
        tell(
            "site_refuses_browsers",
            Severity::Warning,
            format!("{name} had {times} browsers refused in the last minute ({code})."),
            remedy,
            Some(site_key.clone()),
        );
    }
    let open = |site: &&std::sync::Arc<crate::site::Site>| {
        site.status == SiteStatus::Active && site.dispatch.as_ref().is_some_and(|dispatch| dispatch.open)
    };
    for site in sites.iter().filter(open).take(SITES_MAX) {
        tell(
            "dispatch_open",
            Severity::Warning,
            format!(
                "{} takes dispatches from this machine, and sockets on /, without a token.",
                site.name
            ),
            "Fine for trying things out. For anything else switch \"open\" off and send the dispatch token.",
            Some(site.key.clone()),
        );
    }
    all
}

/// How many descriptors this process may have open.
pub fn descriptors_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}
