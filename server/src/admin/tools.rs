//! Publishing by hand, the audit log, the settings, and the doctor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bytes::Bytes;
use futures_channel::oneshot;
use hookcast_api::site::PublishRequest;
use hookcast_api::tools::{AuditEntry, AuditLog, DoctorRequest, EffectiveConfig, Setting};

use super::Outgoing;
use super::call::Call;
use super::exchange::{Answer, Failure};
use super::routing::done;
use crate::cli::Target;
use crate::config::SETTINGS;
use crate::doctor::{Inside, Outside, Trial, examine};
use crate::insight::LogOrigin;
use crate::site::SiteStatus;
use crate::store::audit;

pub async fn publish(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: PublishRequest = call.ask.json()?;
    let site = call.site()?;
    if site.status != SiteStatus::Active {
        return Err(Failure::new(
            409,
            hookcast_api::code::CONFLICT,
            "the site is not active: restore it first",
        ));
    }
    let message = Outgoing {
        channel: request.channel,
        event: request.event,
        data: Bytes::from(request.data.to_string()),
        origin: LogOrigin::Operator,
    };
    call.relay.publish(&site, message).await?;
    Ok(done())
}

pub async fn audit(call: &Call<'_>) -> Result<Answer, Failure> {
    let limit = call
        .ask
        .number("limit", 100)?
        .clamp(1, u64::from(audit::PAGE_MAX)) as u32;
    let before = match call.ask.param("before") {
        None => None,
        Some(_) => Some(call.ask.number("before", 0)?),
    };
    let site = call.ask.param("site");
    let entries = call
        .admin
        .store
        .read(move |db| audit::list(db, before, site.as_deref(), limit))
        .await?;
    let next_before = entries
        .last()
        .filter(|_| entries.len() == limit as usize)
        .map(|entry| entry.id);
    let entries = entries.into_iter().map(|entry| AuditEntry {
        id: entry.id,
        at: entry.at_ms,
        actor: entry.actor,
        address: entry.address,
        action: entry.action,
        site_key: entry.site_key,
        subject: entry.subject,
        details: entry.details,
    });
    Ok(Answer::json(&AuditLog {
        entries: entries.collect(),
        next_before,
    }))
}

pub fn config(call: &Call<'_>) -> Result<Answer, Failure> {
    let (effective, defaults) = (
        call.ask.config.to_json(),
        crate::config::Config::default().to_json(),
    );
    let settings = SETTINGS.iter().map(|setting| {
        let value = &effective[setting.section][setting.name];
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        };
        let is_default = effective[setting.section][setting.name] == defaults[setting.section][setting.name];
        let source = match (
            is_default,
            std::env::var_os(setting.env()),
            call.ask.config.file(),
        ) {
            (true, ..) => "default",
            (false, Some(_), _) => "environment",
            (false, None, Some(_)) => "file",
            (false, None, None) => "command line",
        };
        Setting {
            name: setting.key(),
            value,
            source: source.to_owned(),
            help: setting
                .doc
                .iter()
                .map(|line| line.trim())
                .collect::<Vec<_>>()
                .join(" "),
        }
    });
    Ok(Answer::json(&EffectiveConfig {
        settings: settings.collect(),
    }))
}

/// Runs on a thread of its own: it opens sockets to the relay itself, and waits for them.
pub async fn doctor(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: DoctorRequest = match call.ask.body.is_empty() {
        true => DoctorRequest::default(),
        false => call.ask.json()?,
    };
    let admin = call.admin;
    let busy = || Failure::unavailable("the doctor is at work already: wait for its report").retry_after(20);
    let at_work = admin.examining.try_start().ok_or_else(busy)?;
    let config = call.ask.config.clone();
    let url = request.url.filter(|url| !url.is_empty()).or_else(|| {
        config
            .server
            .public_url
            .as_ref()
            .map(|url| url.as_str().to_owned())
    });
    let target = url.as_deref().map(Target::parse).transpose();
    let target =
        target.map_err(|_| Failure::field("url", "type an address such as https://relay.example"))?;
    let sites = admin.store.sites();
    let trial = sites
        .iter()
        .find(|site| site.status == SiteStatus::Active)
        .map(|site| Trial::of(site, call.now_ms()));
    let outside = url.zip(target).map(|(url, target)| Outside {
        url,
        target,
        trial,
        idle: request.idle,
    });
    let facts = admin.insight.relay();
    let driver = Some((facts.driver.clone(), facts.driver_reason.clone()));
    let certificate_problem = admin.insight.tls().and_then(|tls| tls.health.problem());
    let now_ms = call.now_ms();
    let (reply, report) = oneshot::channel();
    thread::Builder::new()
        .name("doctor".to_owned())
        .spawn(move || {
            let report = examine(
                &Inside {
                    config: &config,
                    driver,
                    certificate_problem,
                    now_ms,
                },
                outside.as_ref(),
                now_ms,
            );
            drop(at_work);
            // Whoever asked may have gone.
            let _ = reply.send(report);
        })
        .map_err(|_| busy())?;
    let report = report
        .await
        .map_err(|_| Failure::new(500, hookcast_api::code::INTERNAL, "the doctor failed"))?;
    Ok(Answer::json(&report))
}

/// One at a time: each holds sockets and a thread for up to a minute and a half.
#[derive(Clone, Default)]
pub struct Examining(Arc<AtomicBool>);

impl Examining {
    fn try_start(&self) -> Option<Examination> {
        (!self.0.swap(true, Ordering::AcqRel)).then(|| Examination(Arc::clone(&self.0)))
    }
}

struct Examination(Arc<AtomicBool>);

impl Drop for Examination {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
