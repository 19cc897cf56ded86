//! Triggers, as operators change them.

use bytes::Bytes;
use hookcast_api::code;
use hookcast_api::trigger::{
    SavedTrigger, Source, Trigger, TriggerChange, TriggerDocument, TriggerImport, TriggerOrder, TriggerSpec,
    TriggerTest, TriggerTestResult, Triggers, WebhookSecret, WebhookSecretRequest,
};

use super::Outgoing;
use super::call::Call;
use super::exchange::{Answer, Failure};
use super::routing::done;
use crate::insight::LogOrigin;
use crate::store::triggers::{self as stored, TriggerRow};
use crate::store::{StoreError, audit};
use crate::trigger::{NameLimits, TRIGGERS_PER_SITE_MAX, evaluate, validate};

pub async fn list(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = call.site()?.id.0;
    let (version, rows) = call.admin.store.read(move |db| all(db, id)).await?;
    Ok(Answer::json(&shown_list(call, version, rows)))
}

pub async fn add(call: &Call<'_>) -> Result<Answer, Failure> {
    let spec: TriggerSpec = call.ask.json()?;
    let site = call.site()?;
    let spec = valid(call, spec, &site.site_id, "")?;
    let note = call.note("trigger.added", Some(&site.key), &spec.name, described(&spec));
    let (id, now_ms) = (site.id.0, call.now_ms());
    let row = call
        .admin
        .store
        .write(move |tx| {
            room(tx, id, 1)?;
            audit::note(tx, &note, now_ms)?;
            stored::add(tx, id, &spec, now_ms)
        })
        .await?;
    let webhook_secret = row.webhook_secret.clone();
    Ok(Answer::json(&SavedTrigger {
        trigger: shown(call, row),
        webhook_secret,
    }))
}

pub async fn change(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: TriggerChange = call.ask.json()?;
    let site = call.site()?;
    let spec = valid(call, request.spec, &site.site_id, "spec.")?;
    let note = call.note("trigger.changed", Some(&site.key), &spec.name, described(&spec));
    let (id, trigger, now_ms) = (site.id.0, call.arg(1).to_owned(), call.now_ms());
    let (had_secret, row) = call
        .admin
        .store
        .write(move |tx| {
            let had_secret = stored::of_site(tx, id, &trigger)?.webhook_secret.is_some();
            let row = stored::replace(tx, id, &trigger, request.version, &spec, now_ms)?;
            if row.is_some() {
                audit::note(tx, &note, now_ms)?;
            }
            Ok((had_secret, row))
        })
        .await?;
    let Some(row) = row else {
        let message = "someone else has changed this trigger meanwhile: load it again and repeat the change";
        return Err(Failure::new(409, code::CONFLICT, message));
    };
    let webhook_secret = row.webhook_secret.clone().filter(|_| !had_secret);
    Ok(Answer::json(&SavedTrigger {
        trigger: shown(call, row),
        webhook_secret,
    }))
}

pub async fn remove(call: &Call<'_>) -> Result<Answer, Failure> {
    let site = call.site()?;
    let mut note = call.note("trigger.removed", Some(&site.key), "", "");
    let (id, trigger, now_ms) = (site.id.0, call.arg(1).to_owned(), call.now_ms());
    call.admin
        .store
        .write(move |tx| {
            note.subject = stored::remove(tx, id, &trigger)?.spec.name;
            audit::note(tx, &note, now_ms)
        })
        .await?;
    Ok(done())
}

pub async fn order(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: TriggerOrder = call.ask.json()?;
    let site = call.site()?;
    let note = call.note("trigger.reordered", Some(&site.key), &site.name, "");
    let (id, now_ms) = (site.id.0, call.now_ms());
    let (version, rows) = call
        .admin
        .store
        .write(move |tx| {
            stored::order(tx, id, &request.ids)?;
            audit::note(tx, &note, now_ms)?;
            all(tx, id)
        })
        .await?;
    Ok(Answer::json(&shown_list(call, version, rows)))
}

pub async fn export(call: &Call<'_>) -> Result<Answer, Failure> {
    let id = call.site()?.id.0;
    let rows = call.admin.store.read(move |db| stored::list(db, id)).await?;
    Ok(Answer::json(&TriggerDocument {
        format: TriggerDocument::FORMAT.to_owned(),
        triggers: rows.into_iter().map(|row| row.spec).collect(),
    }))
}

pub async fn import(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: TriggerImport = call.ask.json()?;
    if request.document.format != TriggerDocument::FORMAT {
        let message = format!(
            "this is not a trigger file of a known form ({})",
            TriggerDocument::FORMAT
        );
        return Err(Failure::field("document.format", &message));
    }
    let site = call.site()?;
    let mut specs = Vec::with_capacity(request.document.triggers.len());
    for (place, spec) in request.document.triggers.into_iter().enumerate() {
        specs.push(valid(
            call,
            spec,
            &site.site_id,
            &format!("document.triggers.{place}."),
        )?);
    }
    let how = if request.replace {
        "in place of all others"
    } else {
        "after the others"
    };
    let note = call.note(
        "trigger.imported",
        Some(&site.key),
        &site.name,
        format!("{} triggers, {how}", specs.len()),
    );
    let (id, now_ms) = (site.id.0, call.now_ms());
    let (version, rows) = call
        .admin
        .store
        .write(move |tx| {
            if request.replace {
                stored::remove_all(tx, id)?;
            }
            room(tx, id, specs.len())?;
            for spec in &specs {
                stored::add(tx, id, spec, now_ms)?;
            }
            audit::note(tx, &note, now_ms)?;
            all(tx, id)
        })
        .await?;
    Ok(Answer::json(&shown_list(call, version, rows)))
}

pub async fn test(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: TriggerTest = call.ask.json()?;
    let site = call.site()?;
    let row = one(call).await?;
    let outcome = evaluate(&row.spec, &request.input);
    let mut published = false;
    if request.publish && outcome.matched {
        let message = Outgoing {
            channel: row.spec.channel.clone(),
            event: row.spec.event.clone(),
            data: Bytes::from(outcome.data.to_string()),
            origin: LogOrigin::Trigger,
        };
        call.relay.publish(&site, message).await?;
        call.admin
            .fired
            .fired(site.id, &row.id, &outcome.missing, call.now_ms());
        let note = call.note("trigger.test_fired", Some(&site.key), &row.spec.name, "");
        let now_ms = call.now_ms();
        call.admin
            .store
            .write(move |tx| audit::note(tx, &note, now_ms))
            .await?;
        published = true;
    }
    Ok(Answer::json(&TriggerTestResult {
        matched: outcome.matched,
        published,
        channel: row.spec.channel,
        event: row.spec.event,
        data: outcome.data,
        missing: outcome.missing,
    }))
}

pub async fn webhook_secret(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: WebhookSecretRequest = call.ask.json()?;
    let site = call.site()?;
    let row = one(call).await?;
    let Some(secret) = row.webhook_secret else {
        return Err(Failure::new(
            409,
            code::CONFLICT,
            "this trigger is not a webhook: it has no secret",
        ));
    };
    call.password_again(&request.password).await?;
    let action = if request.renew {
        "trigger.secret_renewed"
    } else {
        "trigger.secret_shown"
    };
    let note = call.note(action, Some(&site.key), &row.spec.name, "");
    let (id, now_ms) = (site.id.0, call.now_ms());
    let secret = call
        .admin
        .store
        .write(move |tx| {
            audit::note(tx, &note, now_ms)?;
            match request.renew {
                true => stored::renew_webhook_secret(tx, id, &row.id),
                false => Ok(secret),
            }
        })
        .await?;
    Ok(Answer::json(&WebhookSecret { secret }))
}

async fn one(call: &Call<'_>) -> Result<TriggerRow, Failure> {
    let (id, trigger) = (call.site()?.id.0, call.arg(1).to_owned());
    Ok(call
        .admin
        .store
        .read(move |db| stored::of_site(db, id, &trigger))
        .await?)
}

fn all(db: &rusqlite::Connection, site: u32) -> Result<(u64, Vec<TriggerRow>), StoreError> {
    Ok((stored::list_version(db, site)?, stored::list(db, site)?))
}

fn room(db: &rusqlite::Connection, site: u32, more: usize) -> Result<(), StoreError> {
    match stored::list(db, site)?.len() + more <= TRIGGERS_PER_SITE_MAX {
        true => Ok(()),
        false => Err(StoreError::Invalid(format!(
            "a site has at most {TRIGGERS_PER_SITE_MAX} triggers"
        ))),
    }
}

/// Every fault with its field; `within` is where the trigger stands in the request.
fn valid(call: &Call<'_>, spec: TriggerSpec, site_id: &str, within: &str) -> Result<TriggerSpec, Failure> {
    let limits = &call.ask.config.limits;
    let names = NameLimits {
        channel: limits.channel_name_bytes_max,
        event: limits.event_name_bytes_max,
    };
    let mut faults = validate(&spec, site_id, names);
    if faults.is_empty() {
        return Ok(spec);
    }
    for fault in &mut faults {
        fault.field.insert_str(0, within);
    }
    Err(Failure::fields(faults))
}

/// For the audit log: where it comes from and goes to.
fn described(spec: &TriggerSpec) -> String {
    let source = match &spec.source {
        Source::Action { hook, .. } => format!("action {hook}"),
        Source::PostType { post_type } => format!("post type {post_type}"),
        Source::Option { option } => format!("option {option}"),
        Source::Webhook { .. } => "webhook".to_owned(),
        Source::Dispatch { event } => format!("dispatch {}", event.as_deref().unwrap_or("of any event")),
    };
    let off = if spec.enabled { "" } else { ", off" };
    format!("{source} to {} on {}{off}", spec.event, spec.channel)
}

fn shown_list(call: &Call<'_>, version: u64, rows: Vec<TriggerRow>) -> Triggers {
    Triggers {
        version,
        triggers: rows.into_iter().map(|row| shown(call, row)).collect(),
    }
}

fn shown(call: &Call<'_>, row: TriggerRow) -> Trigger {
    let (times, last_ms, last_problem) = call
        .admin
        .fired
        .since_written(crate::ids::SiteId(row.site_id), &row.id);
    let webhook = matches!(row.spec.source, Source::Webhook { .. });
    Trigger {
        webhook_url: webhook.then(|| format!("{}/hooks/{}", call.ask.public_url(), row.id)),
        id: row.id,
        version: row.version,
        spec: row.spec,
        created_at: row.created_ms,
        updated_at: row.updated_ms,
        last_fired_at: last_ms.max(row.last_fired_ms),
        fired: row.fired + times,
        last_problem,
    }
}
