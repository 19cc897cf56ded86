//! Sites and their triggers as JSON, from one relay to another. The file holds their secrets.

use hookcast_api::trigger::TriggerSpec;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use super::sites::{self, LimitOverrides, RegisteredBy, Status};
use super::{StoreError, site_url, triggers};
use crate::site::site_id;
use crate::trigger::{NameLimits, TRIGGERS_PER_SITE_MAX, validate};

/// The form of the file; a later hookcast that changes it reads this one too.
pub const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    pub hookcast_export: u32,
    pub sites: Vec<ExportedSite>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedSite {
    pub site_key: String,
    pub url: String,
    pub name: String,
    pub status: String,
    pub registered_by: String,
    pub publish_secret: String,
    pub jwt_secret: String,
    #[serde(default)]
    pub limits: LimitOverrides,
    #[serde(default)]
    pub origins: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch_token: Option<String>,
    #[serde(default)]
    pub dispatch_open: bool,
    #[serde(default)]
    pub deactivated: bool,
    pub created_ms: u64,
    #[serde(default)]
    pub triggers: Vec<ExportedTrigger>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedTrigger {
    pub id: String,
    pub spec: TriggerSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    pub added: Vec<String>,
    pub replaced: Vec<String>,
    /// Known here already, and left as they are.
    pub skipped: Vec<String>,
}

pub fn export(db: &Connection) -> Result<Export, StoreError> {
    let exported = |site: sites::SiteRow| {
        let triggers = triggers::list(db, site.id)?;
        let triggers = triggers.into_iter().map(|trigger| ExportedTrigger {
            id: trigger.id,
            spec: trigger.spec,
            webhook_secret: trigger.webhook_secret,
        });
        Ok(ExportedSite {
            site_key: site.site_key,
            url: site.url,
            name: site.name,
            status: site.status.as_str().to_owned(),
            registered_by: site.registered_by.as_str().to_owned(),
            publish_secret: site.publish_secrets.current,
            jwt_secret: site.jwt_secrets.current,
            limits: site.limits,
            origins: site.origins,
            dispatch_token: site.dispatch_token,
            dispatch_open: site.dispatch_open,
            deactivated: site.deactivated,
            created_ms: site.created_ms,
            triggers: triggers.collect(),
        })
    };
    let sites = sites::all(db)?
        .into_iter()
        .map(exported)
        .collect::<Result<_, StoreError>>()?;
    Ok(Export {
        hookcast_export: FORMAT,
        sites,
    })
}

/// All of the file or nothing. A site whose key or address is known here is left alone unless `replace` is set; then its
/// triggers are replaced, too.
pub fn import(
    tx: &Transaction<'_>,
    export: &Export,
    replace: bool,
    names: NameLimits,
    now_ms: u64,
) -> Result<Imported, StoreError> {
    if export.hookcast_export != FORMAT {
        return Err(StoreError::Invalid(format!(
            "the export has form {}, this hookcast reads form {FORMAT}",
            export.hookcast_export
        )));
    }
    let mut done = Imported::default();
    for site in &export.sites {
        check(site, names)?;
        let url = site_url::normalise(&site.url)?;
        let known = [sites::by_key(tx, &site.site_key)?, sites::by_url(tx, &url)?];
        let known: Vec<u32> = known.into_iter().flatten().map(|row| row.id).collect();
        match (known.first(), replace) {
            (Some(_), false) => {
                done.skipped.push(url);
                continue;
            }
            (Some(first), true) if known.iter().any(|id| id != first) => {
                return Err(StoreError::Invalid(format!(
                    "{url}: its key and its address belong to two different sites here; nothing was imported"
                )));
            }
            (Some(id), true) => {
                tx.execute(
                    "UPDATE sites SET site_key = ?2, url = ?3 WHERE id = ?1",
                    params![id, site.site_key, url],
                )?;
                done.replaced.push(url.clone());
            }
            (None, _) => {
                tx.execute(
                    "INSERT INTO sites (site_key, url, name, status, registered_by, publish_secret, jwt_secret, created_ms,
                         updated_ms) VALUES (?1, ?2, '', 'active', 'cli', '', '', ?3, ?3)",
                    params![site.site_key, url, site.created_ms as i64],
                )?;
                done.added.push(url.clone());
            }
        }
        tx.execute(
            "UPDATE sites SET registered_by = ?2, publish_secret = ?3, publish_secret_previous = NULL,
                 publish_secret_previous_until_ms = NULL, jwt_secret = ?4, jwt_secret_previous = NULL,
                 jwt_secret_previous_until_ms = NULL WHERE site_key = ?1",
            params![
                site.site_key,
                site.registered_by,
                site.publish_secret,
                site.jwt_secret
            ],
        )?;
        sites::rename(tx, &site.site_key, &site.name, now_ms)?;
        sites::set_limits(tx, &site.site_key, site.limits, now_ms)?;
        sites::set_origins(tx, &site.site_key, &site.origins, now_ms)?;
        sites::set_dispatch(
            tx,
            &site.site_key,
            site.dispatch_token.as_deref(),
            site.dispatch_open,
            now_ms,
        )?;
        let row = match Status::parse(&site.status) {
            Some(Status::Archived) => sites::archive(tx, &site.site_key, now_ms)?,
            _ => sites::restore(tx, &site.site_key, now_ms)?,
        };
        sites::set_deactivated(tx, &site.site_key, site.deactivated, now_ms)?;
        triggers::remove_all(tx, row.id)?;
        for trigger in &site.triggers {
            let secret = trigger.webhook_secret.as_deref();
            triggers::put_back(tx, row.id, &trigger.id, &trigger.spec, secret, now_ms)?;
        }
    }
    Ok(done)
}

fn check(site: &ExportedSite, names: NameLimits) -> Result<(), StoreError> {
    let wrong = |what: &str| {
        Err(StoreError::Invalid(format!(
            "{}: {what}; nothing was imported",
            site.url
        )))
    };
    let hex = |text: &str, len: usize| {
        text.len() == len
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if !hex(&site.site_key, 32) {
        return wrong("site_key must be 32 lower-case hex characters");
    }
    if !hex(&site.publish_secret, 64) || !hex(&site.jwt_secret, 64) {
        return wrong("publish_secret and jwt_secret must be 64 lower-case hex characters");
    }
    if Status::parse(&site.status).is_none() {
        return wrong("status must be `active` or `archived`");
    }
    if RegisteredBy::parse(&site.registered_by).is_none() {
        return wrong("registered_by is unknown");
    }
    if site.triggers.len() > TRIGGERS_PER_SITE_MAX {
        return wrong(&format!("it has more than {TRIGGERS_PER_SITE_MAX} triggers"));
    }
    for trigger in &site.triggers {
        if !hex(&trigger.id, 16) {
            return wrong("a trigger's id must be 16 lower-case hex characters");
        }
        if let Some(fault) = validate(&trigger.spec, &site_id(&site.site_key), names).first() {
            return wrong(&format!(
                "trigger {}: {}: {}",
                trigger.spec.name, fault.field, fault.message
            ));
        }
    }
    Ok(())
}
