//! Sites: what is registered, its credentials, limits and usage.

use hookcast_api::FieldError;
use hookcast_api::account::PasswordAgain;
use hookcast_api::site::{
    AddedSite, ArchiveRequest, Credentials, NewSite, RotateRequest, Site, SiteChange, SiteLimits, SiteStatus,
    Sites, Usage, UsageDay, WpConfig,
};

use http::header;

use super::call::Call;
use super::exchange::{Answer, Failure};
use super::insight::SiteSeen;
use crate::store::sites::{self, LimitOverrides, Registration, Rotation, SiteRow};
use crate::store::{StoreError, audit, triggers, usage};

const OVERLAP_SECONDS_MAX: u32 = 7 * 24 * 3600;
const USAGE_DAYS_MAX: u64 = 366;
const MS_PER_DAY: u64 = 86_400_000;
/// A site's own rate allows this many seconds of it at once.
const BURST_SECONDS: u32 = 3;

pub async fn list(call: &Call<'_>) -> Result<Answer, Failure> {
    let (rows, counts) = call
        .admin
        .store
        .read(|db| Ok((sites::all(db)?, triggers::counts(db)?)))
        .await?;
    let count = |id| {
        counts
            .iter()
            .find(|(site, _)| *site == id)
            .map_or(0, |(_, count)| *count)
    };
    let sites = rows.iter().map(|row| shown(call, row, count(row.id))).collect();
    Ok(Answer::json(&Sites { sites }))
}

pub async fn one(call: &Call<'_>) -> Result<Answer, Failure> {
    let row = row(call).await?;
    answer(call, row).await
}

pub async fn add(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: NewSite = call.ask.json()?;
    let sought = request.url.clone();
    let known = call
        .admin
        .store
        .read(move |db| sites::by_url(db, &crate::store::site_url::normalise(&sought)?))
        .await
        .map_err(|error| about_field(error, "url"))?;
    if known.is_some() {
        let message =
            "this site is here already: rotate its secrets instead, or restore it if it is archived";
        return Err(Failure::field("url", message));
    }
    let note = call.note("site.added", None, "", "by an operator");
    let (account_id, now_ms) = (call.account_id(), call.now_ms());
    let sites_max = call.ask.config.limits.sites_max;
    let row = call
        .admin
        .store
        .write(move |tx| {
            let registration = Registration {
                url: &request.url,
                name: &request.name,
                by: sites::RegisteredBy::Admin,
                account_id,
                sites_max,
            };
            let row = sites::register(tx, &registration, now_ms)?;
            audit::note(tx, &about(note, &row), now_ms)?;
            Ok(row)
        })
        .await?;
    let credentials = credentials_of(&row);
    Ok(Answer::json(&AddedSite {
        site: shown(call, &row, 0),
        credentials,
    }))
}

pub async fn change(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: SiteChange = call.ask.json()?;
    let note = call.note("site.changed", None, "", "");
    let (key, now_ms) = (call.site()?.key.clone(), call.now_ms());
    let changed = call
        .admin
        .store
        .write(move |tx| {
            let mut row = required(tx, &key)?;
            let mut changes = Vec::new();
            let mut tell = |name: &str, value: String| changes.push(format!("{name}: {value}"));
            if let Some(name) = request.name.filter(|name| *name != row.name) {
                row = sites::rename(tx, &key, &name, now_ms).map_err(in_field("name"))?;
                tell("name", row.name.clone());
            }
            if let Some(url) = request.url.filter(|url| *url != row.url) {
                row = sites::move_to(tx, &key, &url, now_ms).map_err(in_field("url"))?;
                tell("url", row.url.clone());
            }
            if let Some(limits) = request
                .limits
                .map(stored_limits)
                .filter(|limits| *limits != row.limits)
            {
                row = sites::set_limits(tx, &key, limits, now_ms).map_err(in_field("limits"))?;
                tell("limits", limits_text(shown_limits(limits)));
            }
            if let Some(origins) = request.origins.filter(|origins| *origins != row.origins) {
                row = sites::set_origins(tx, &key, &origins, now_ms).map_err(in_field("origins"))?;
                let text = if row.origins.is_empty() {
                    "any".to_owned()
                } else {
                    row.origins.join(", ")
                };
                tell("origins", text);
            }
            if let Some(off) = request.deactivated.filter(|off| *off != row.deactivated) {
                row = sites::set_deactivated(tx, &key, off, now_ms)?;
                tell("deactivated", off.to_string());
            }
            if !changes.is_empty() {
                let mut note = about(note, &row);
                note.details = changes.join("; ");
                audit::note(tx, &note, now_ms)?;
            }
            Ok(row)
        })
        .await;
    let row = changed.map_err(field_of)?;
    answer(call, row).await
}

pub async fn credentials(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: PasswordAgain = call.ask.json()?;
    call.password_again(&request.password).await?;
    let row = noted(call, "site.credentials_shown", "", |tx, key, _| required(tx, key)).await?;
    Ok(Answer::json(&credentials_of(&row)))
}

pub async fn rotate(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: RotateRequest = call.ask.json()?;
    if request.overlap_seconds > OVERLAP_SECONDS_MAX {
        return Err(Failure::field("overlap_seconds", "at most 7 days (604,800 s)"));
    }
    call.password_again(&request.password).await?;
    let overlap_ms = u64::from(request.overlap_seconds) * 1000;
    let details = format!("the secrets before work for {} s more", request.overlap_seconds);
    let row = noted(call, "site.secrets_rotated", &details, move |tx, key, now_ms| {
        sites::rotate(tx, key, Rotation::Both, overlap_ms, now_ms)
    })
    .await?;
    Ok(Answer::json(&credentials_of(&row)))
}

pub async fn archive(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: ArchiveRequest = call.ask.json()?;
    let site = call.site()?;
    if request.confirm.trim() != site.name {
        return Err(Failure::field("confirm", "type the site's name to archive it"));
    }
    let row = noted(
        call,
        "site.archived",
        "its sockets are closed with 4003",
        sites::archive,
    )
    .await?;
    answer(call, row).await
}

pub async fn restore(call: &Call<'_>) -> Result<Answer, Failure> {
    let row = noted(call, "site.restored", "with the secrets it had", sites::restore).await?;
    answer(call, row).await
}

pub async fn usage(call: &Call<'_>) -> Result<Answer, Failure> {
    let days = call.ask.number("days", 30)?.clamp(1, USAGE_DAYS_MAX);
    let id = call.site()?.id.0;
    let today = call.now_ms() / MS_PER_DAY;
    let first = (today + 1).saturating_sub(days);
    let stored = call
        .admin
        .store
        .read(move |db| usage::days(db, id, first as u32))
        .await?;
    let days = (first..=today).map(|day| {
        let found = stored
            .iter()
            .find(|stored| u64::from(stored.day) == day)
            .copied()
            .unwrap_or_default();
        UsageDay {
            day: date(day),
            publishes: found.published,
            deliveries: found.delivered,
            connections_peak: found.connections_peak,
        }
    });
    Ok(Answer::json(&Usage { days: days.collect() }))
}

pub fn wp_config(call: &Call<'_>) -> Result<Answer, Failure> {
    call.site()?;
    let url = call.ask.public_url().replace('\\', "\\\\").replace('\'', "\\'");
    Ok(Answer::json(&WpConfig {
        lines: format!("define( 'WPSignal\\\\BASE_URL', '{url}' );\n"),
    }))
}

/// The connector with this site's values: a file to put into WordPress, and as secret as the credentials in it.
pub async fn connector(call: &Call<'_>) -> Result<Answer, Failure> {
    let request: PasswordAgain = call.ask.json()?;
    call.password_again(&request.password).await?;
    let row = noted(
        call,
        "site.credentials_shown",
        "in the connector file",
        |tx, key, _| required(tx, key),
    )
    .await?;
    let credentials = row.credentials();
    let file = super::connector::filled(&super::connector::Values {
        url: &call.ask.public_url(),
        site_key: &credentials.site_key,
        publish_secret: &credentials.publish_secret,
        jwt_secret: &credentials.jwt_secret,
    });
    Ok(Answer::media("application/x-php", file).with(
        header::CONTENT_DISPOSITION,
        "attachment; filename=\"hookcast.php\"",
    ))
}

/// One change of the site that the path names, written down together with its note.
async fn noted(
    call: &Call<'_>,
    action: &'static str,
    details: &str,
    change: impl FnOnce(&rusqlite::Transaction<'_>, &str, u64) -> Result<SiteRow, StoreError> + Send + 'static,
) -> Result<SiteRow, Failure> {
    let note = call.note(action, None, "", details);
    let (key, now_ms) = (call.site()?.key.clone(), call.now_ms());
    let row = call
        .admin
        .store
        .write(move |tx| {
            let row = change(tx, &key, now_ms)?;
            audit::note(tx, &about(note, &row), now_ms)?;
            Ok(row)
        })
        .await?;
    Ok(row)
}

pub fn about(note: audit::Note, row: &SiteRow) -> audit::Note {
    audit::Note {
        site_key: Some(row.site_key.clone()),
        subject: row.name.clone(),
        ..note
    }
}

fn required(db: &rusqlite::Connection, key: &str) -> Result<SiteRow, StoreError> {
    sites::by_key(db, key)?.ok_or_else(|| StoreError::NotFound("there is no such site".to_owned()))
}

/// Marks what is wrong with its field; taken off again by [`field_of`].
fn in_field(field: &'static str) -> impl Fn(StoreError) -> StoreError {
    move |error| match error {
        StoreError::Invalid(text) => StoreError::Invalid(format!("{field}\u{0}{text}")),
        other => other,
    }
}

fn field_of(error: StoreError) -> Failure {
    if let StoreError::Invalid(text) = &error
        && let Some((field, text)) = text.split_once('\0')
    {
        return Failure::fields(vec![FieldError {
            field: field.to_owned(),
            message: text.to_owned(),
        }]);
    }
    error.into()
}

fn about_field(error: StoreError, field: &'static str) -> Failure {
    field_of(in_field(field)(error))
}

async fn row(call: &Call<'_>) -> Result<SiteRow, Failure> {
    let key = call.site()?.key.clone();
    Ok(call.admin.store.read(move |db| required(db, &key)).await?)
}

async fn answer(call: &Call<'_>, row: SiteRow) -> Result<Answer, Failure> {
    let id = row.id;
    let triggers = call
        .admin
        .store
        .read(move |db| triggers::list(db, id))
        .await?
        .len();
    Ok(Answer::json(&shown(call, &row, triggers as u32)))
}

fn shown(call: &Call<'_>, row: &SiteRow, triggers: u32) -> Site {
    let now_ms = call.now_ms();
    let sites = call.admin.store.sites();
    let live = sites.by_key(&row.site_key).map(|site| &site.live);
    let SiteSeen {
        last_publish_ms,
        last_connection_ms,
        payloads_until_ms,
    } = call.admin.insight.seen(crate::ids::SiteId(row.id), now_ms);
    let previous = |secrets: &crate::site::Secrets| secrets.previous.as_ref().map(|(_, until_ms)| *until_ms);
    Site {
        site_id: row.site_id(),
        site_key: row.site_key.clone(),
        name: row.name.clone(),
        url: row.url.clone(),
        status: match (row.status, row.account_active && !row.deactivated) {
            (sites::Status::Archived, _) => SiteStatus::Archived,
            (sites::Status::Active, false) => SiteStatus::AccountDeactivated,
            (sites::Status::Active, true) => SiteStatus::Active,
        },
        limits: shown_limits(row.limits),
        origins: row.origins.clone(),
        created_at: row.created_ms,
        archived_at: row.archived_ms,
        previous_secrets_until: previous(&row.publish_secrets)
            .max(previous(&row.jwt_secrets))
            .filter(|until_ms| now_ms < *until_ms),
        connections: live.map_or(0, |live| live.connections().into()),
        published_this_month: live.map_or(0, |live| live.month.used(now_ms)),
        last_publish_at: last_publish_ms,
        last_connection_at: last_connection_ms,
        dispatch_enabled: row.dispatch_token.is_some(),
        dispatch_open: row.dispatch_open,
        triggers,
        payloads_until: payloads_until_ms,
    }
}

pub fn credentials_of(row: &SiteRow) -> Credentials {
    let stored = row.credentials();
    Credentials {
        site_key: stored.site_key,
        publish_secret: stored.publish_secret,
        jwt_secret: stored.jwt_secret,
    }
}

fn stored_limits(limits: SiteLimits) -> LimitOverrides {
    LimitOverrides {
        connections_max: limits.connections,
        publish_rate: limits.publishes_per_second,
        publish_burst: limits
            .publishes_per_second
            .map(|rate| rate.saturating_mul(BURST_SECONDS)),
        monthly_quota: limits.messages_per_month,
    }
}

fn shown_limits(limits: LimitOverrides) -> SiteLimits {
    SiteLimits {
        connections: limits.connections_max,
        publishes_per_second: limits.publish_rate,
        messages_per_month: limits.monthly_quota,
    }
}

fn limits_text(limits: SiteLimits) -> String {
    let number = |value: Option<u64>| match value {
        None => "default".to_owned(),
        Some(0) => "unlimited".to_owned(),
        Some(value) => value.to_string(),
    };
    format!(
        "connections {}, publishes a second {}, messages a month {}",
        number(limits.connections.map(u64::from)),
        number(limits.publishes_per_second.map(u64::from)),
        number(limits.messages_per_month)
    )
}

/// `2026-11-20`, from days since 1970-01-01 (proleptic Gregorian calendar, in eras of 400 years that begin in March).
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_723, "2024-01-01"),
            (20_777, "2026-11-20"),
        ] {
            assert_eq!(date(days), expected);
        }
    }
}
