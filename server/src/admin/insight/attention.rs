//! What an operator should look at, each with its reason and its remedy.

use hookcast_api::insight::{Attention, Relay, Severity};

use crate::site::{SiteStatus, Sites};
use crate::tls::{Health, Stage, span};

/// Sites that are each told about; more say nothing more.
const SITES_MAX: usize = 20;

/// What is asked about besides the sites.
pub struct Facts<'a> {
    pub relay: &'a Relay,
    pub public_url_set: bool,
    /// Where the relay itself speaks TLS.
    pub certificate: Option<&'a Health>,
    /// Of the Unix clock.
    pub now_s: u64,
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
    if let Some(health) = facts.certificate {
        for (code, severity, message, remedy) in certificate(health, facts.now_s) {
            tell(code, severity, message, &remedy, None);
        }
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

/// The certificate's own state, and, where it is another matter, that a new one cannot be had.
fn certificate(health: &Health, now_s: u64) -> Vec<(&'static str, Severity, String, String)> {
    let problem = health.problem();
    let because = problem.as_ref().map_or(String::new(), |problem| {
        format!(" The reason: {}.", problem.reason)
    });
    let remedy = |otherwise: &str| {
        problem
            .as_ref()
            .map_or(otherwise, |problem| problem.remedy)
            .to_owned()
    };
    let Some(validity) = health.validity() else {
        let message = format!("The relay has no TLS certificate yet: https and wss are refused.{because}");
        let remedy = remedy("Wait a minute: it is being ordered. The log says how far it is.");
        return vec![("certificate_missing", Severity::Critical, message, remedy)];
    };
    let renew = remedy("Renew it with whatever made it (certbot, lego, your hosting panel).");
    let left = span(validity.expires_s.saturating_sub(now_s));
    match validity.stage(now_s) {
        Stage::Expired => {
            let message = format!(
                "The TLS certificate expired {} ago: browsers and WordPress refuse it.{because}",
                span(now_s - validity.expires_s)
            );
            vec![("certificate_expired", Severity::Critical, message, renew)]
        }
        Stage::EndsAtOnce | Stage::EndsSoon => {
            let severity = match validity.stage(now_s) {
                Stage::EndsAtOnce => Severity::Critical,
                _ => Severity::Warning,
            };
            let message = format!("The TLS certificate ends in {left}, and was not renewed.{because}");
            vec![("certificate_ends_soon", severity, message, renew)]
        }
        Stage::NotYetValid => {
            let message = "The TLS certificate is not valid yet: browsers refuse it.".to_owned();
            let remedy = "Set this machine's clock (timedatectl set-ntp true), or renew the certificate.".to_owned();
            vec![("certificate_not_yet_valid", Severity::Critical, message, remedy)]
        }
        Stage::Valid => problem
            .map(|problem| {
                let message = format!(
                    "The TLS certificate could not be renewed; the one in use ends in {left}. The reason: {}.",
                    problem.reason
                );
                let remedy = problem.remedy.to_owned();
                ("certificate_renewal_fails", Severity::Warning, message, remedy)
            })
            .into_iter()
            .collect(),
    }
}

/// How many descriptors this process may have open.
pub fn descriptors_max() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::{Problem, Validity};

    const DAY_S: u64 = 24 * 60 * 60;

    fn health(days: Option<u64>, fails: bool) -> Health {
        let health = Health::default();
        if let Some(days) = days {
            health.took(Validity {
                from_s: 0,
                expires_s: days * DAY_S,
            });
        }
        if fails {
            health.failed(Problem {
                code: "acme_unreachable",
                reason: "no way there".to_owned(),
                remedy: "Mend it.",
            });
        }
        health
    }

    #[test]
    fn each_state_of_a_certificate_has_its_code() {
        let now_s = 60 * DAY_S;
        for (days, fails, expected) in [
            (Some(90), false, None),
            (
                Some(90),
                true,
                Some(("certificate_renewal_fails", Severity::Warning)),
            ),
            (
                Some(73),
                false,
                Some(("certificate_ends_soon", Severity::Warning)),
            ),
            (Some(73), true, Some(("certificate_ends_soon", Severity::Warning))),
            (
                Some(62),
                true,
                Some(("certificate_ends_soon", Severity::Critical)),
            ),
            (Some(50), false, Some(("certificate_expired", Severity::Critical))),
            (None, false, Some(("certificate_missing", Severity::Critical))),
            (None, true, Some(("certificate_missing", Severity::Critical))),
        ] {
            let found = certificate(&health(days, fails), now_s);
            let told = found.first().map(|(code, severity, ..)| (*code, *severity));
            assert_eq!(told, expected, "{days:?} {fails}");
            for (_, _, message, remedy) in found {
                assert_eq!(message.contains("no way there"), fails, "{message}");
                assert_eq!(remedy == "Mend it.", fails, "{remedy}");
            }
        }
        let health = Health::default();
        health.took(Validity {
            from_s: 61 * DAY_S,
            expires_s: 150 * DAY_S,
        });
        assert_eq!(certificate(&health, now_s)[0].0, "certificate_not_yet_valid");
    }
}
