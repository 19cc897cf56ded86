//! Triggers of the sites, in their order, each with a version of its own and one of the list.

use hookcast_api::trigger::{Source, TriggerSpec};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{StoreError, secret};

#[derive(Clone, Debug)]
pub struct TriggerRow {
    pub id: String,
    pub site_id: u32,
    pub version: u64,
    pub spec: TriggerSpec,
    /// Webhooks only.
    pub webhook_secret: Option<String>,
    pub created_ms: u64,
    pub updated_ms: u64,
    pub fired: u64,
    pub last_fired_ms: Option<u64>,
}

const COLUMNS: &str =
    "id, site_id, version, spec, webhook_secret, created_ms, updated_ms, fired, last_fired_ms";

fn row(row: &Row<'_>) -> rusqlite::Result<TriggerRow> {
    let spec: String = row.get(3)?;
    Ok(TriggerRow {
        id: row.get(0)?,
        site_id: row.get(1)?,
        version: row.get::<_, i64>(2)? as u64,
        spec: serde_json::from_str(&spec).map_err(|e| {
            rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(e))
        })?,
        webhook_secret: row.get(4)?,
        created_ms: row.get::<_, i64>(5)? as u64,
        updated_ms: row.get::<_, i64>(6)? as u64,
        fired: row.get::<_, i64>(7)? as u64,
        last_fired_ms: row.get::<_, Option<i64>>(8)?.map(|ms| ms as u64),
    })
}

/// A site's triggers in their order.
pub fn list(db: &Connection, site_id: u32) -> Result<Vec<TriggerRow>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM triggers WHERE site_id = ?1 ORDER BY position, id"
    ))?;
    Ok(query.query_map([site_id], row)?.collect::<Result<_, _>>()?)
}

/// How many triggers each site has.
pub fn counts(db: &Connection) -> Result<Vec<(u32, u32)>, StoreError> {
    let mut query = db.prepare_cached("SELECT site_id, count(*) FROM triggers GROUP BY site_id")?;
    Ok(query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?)
}

/// 0 for a list that was never changed.
pub fn list_version(db: &Connection, site_id: u32) -> Result<u64, StoreError> {
    let mut query = db.prepare_cached("SELECT version FROM trigger_lists WHERE site_id = ?1")?;
    Ok(query
        .query_row([site_id], |row| row.get::<_, i64>(0))
        .optional()?
        .unwrap_or(0) as u64)
}

pub fn by_id(db: &Connection, id: &str) -> Result<Option<TriggerRow>, StoreError> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM triggers WHERE id = ?1"))?;
    Ok(query.query_row([id], row).optional()?)
}

pub fn of_site(db: &Connection, site_id: u32, id: &str) -> Result<TriggerRow, StoreError> {
    by_id(db, id)?
        .filter(|trigger| trigger.site_id == site_id)
        .ok_or_else(gone)
}

/// Adds a trigger after the others. A webhook gets a secret.
pub fn add(
    tx: &Transaction<'_>,
    site_id: u32,
    spec: &TriggerSpec,
    now_ms: u64,
) -> Result<TriggerRow, StoreError> {
    let id = secret::random_hex::<8>();
    tx.execute(
        "INSERT INTO triggers (id, site_id, position, version, spec, webhook_secret, created_ms, updated_ms)
         SELECT ?1, ?2, coalesce(max(position) + 1, 0), 1, ?3, ?4, ?5, ?5 FROM triggers WHERE site_id = ?2",
        params![id, site_id, json(spec)?, webhook_secret(spec), now_ms as i64],
    )?;
    changed(tx, site_id)?;
    of_site(tx, site_id, &id)
}

/// Adds a trigger of an export after the others, with the id and the secret it had, which senders of webhooks know. An id
/// that is some other site's here is replaced by a new one.
pub fn put_back(
    tx: &Transaction<'_>,
    site_id: u32,
    id: &str,
    spec: &TriggerSpec,
    secret: Option<&str>,
    now_ms: u64,
) -> Result<(), StoreError> {
    let id = match by_id(tx, id)? {
        Some(_) => secret::random_hex::<8>(),
        None => id.to_owned(),
    };
    let secret = webhook_secret(spec).map(|fresh| secret.map_or(fresh, str::to_owned));
    tx.execute(
        "INSERT INTO triggers (id, site_id, position, version, spec, webhook_secret, created_ms, updated_ms)
         SELECT ?1, ?2, coalesce(max(position) + 1, 0), 1, ?3, ?4, ?5, ?5 FROM triggers WHERE site_id = ?2",
        params![id, site_id, json(spec)?, secret, now_ms as i64],
    )?;
    changed(tx, site_id)
}

/// Replaces a trigger if it still has the version that its editor read; `None` if it has not.
pub fn replace(
    tx: &Transaction<'_>,
    site_id: u32,
    id: &str,
    version: u64,
    spec: &TriggerSpec,
    now_ms: u64,
) -> Result<Option<TriggerRow>, StoreError> {
    let before = of_site(tx, site_id, id)?;
    if before.version != version {
        return Ok(None);
    }
    // A trigger that stays a webhook keeps its secret: its sender knows it.
    let secret = webhook_secret(spec).map(|fresh| before.webhook_secret.unwrap_or(fresh));
    tx.execute(
        "UPDATE triggers SET version = version + 1, spec = ?2, webhook_secret = ?3, updated_ms = ?4 WHERE id = ?1",
        params![id, json(spec)?, secret, now_ms as i64],
    )?;
    changed(tx, site_id)?;
    of_site(tx, site_id, id).map(Some)
}

pub fn remove(tx: &Transaction<'_>, site_id: u32, id: &str) -> Result<TriggerRow, StoreError> {
    let trigger = of_site(tx, site_id, id)?;
    tx.execute("DELETE FROM triggers WHERE id = ?1", [id])?;
    changed(tx, site_id)?;
    Ok(trigger)
}

pub fn remove_all(tx: &Transaction<'_>, site_id: u32) -> Result<usize, StoreError> {
    let removed = tx.execute("DELETE FROM triggers WHERE site_id = ?1", [site_id])?;
    changed(tx, site_id)?;
    Ok(removed)
}

/// `ids` are the site's triggers, each once, in their new order.
pub fn order(tx: &Transaction<'_>, site_id: u32, ids: &[String]) -> Result<(), StoreError> {
    let mut known = list(tx, site_id)?
        .into_iter()
        .map(|trigger| trigger.id)
        .collect::<Vec<_>>();
    let mut wanted = ids.to_vec();
    known.sort();
    wanted.sort();
    if known != wanted {
        return Err(StoreError::Invalid(
            "name every trigger of the site, each once".to_owned(),
        ));
    }
    for (position, id) in ids.iter().enumerate() {
        tx.execute(
            "UPDATE triggers SET position = ?2 WHERE id = ?1",
            params![id, position as i64],
        )?;
    }
    changed(tx, site_id)
}

/// A new secret; the one before it stops working.
pub fn renew_webhook_secret(tx: &Transaction<'_>, site_id: u32, id: &str) -> Result<String, StoreError> {
    let fresh = secret::secret();
    tx.execute(
        "UPDATE triggers SET webhook_secret = ?3 WHERE id = ?1 AND site_id = ?2 AND webhook_secret IS NOT NULL",
        params![id, site_id, fresh],
    )?;
    Ok(fresh)
}

/// Adds to the counts of triggers that fired since the last call: (site, id, times, last time).
pub fn add_fired(tx: &Transaction<'_>, fired: &[(u32, String, u64, u64)]) -> Result<(), StoreError> {
    let mut update = tx.prepare_cached(
        "UPDATE triggers SET fired = fired + ?2, last_fired_ms = max(coalesce(last_fired_ms, 0), ?3)
         WHERE id = ?1 AND site_id = ?4",
    )?;
    for (site, id, times, last_ms) in fired {
        update.execute(params![id, *times as i64, *last_ms as i64, site])?;
    }
    Ok(())
}

fn changed(tx: &Transaction<'_>, site_id: u32) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO trigger_lists (site_id, version) VALUES (?1, 1)
         ON CONFLICT (site_id) DO UPDATE SET version = version + 1",
        [site_id],
    )?;
    Ok(())
}

fn webhook_secret(spec: &TriggerSpec) -> Option<String> {
    matches!(spec.source, Source::Webhook { .. }).then(secret::secret)
}

fn json(spec: &TriggerSpec) -> Result<String, StoreError> {
    serde_json::to_string(spec)
        .map_err(|e| StoreError::Invalid(format!("the trigger cannot be written: {e}")))
}

fn gone() -> StoreError {
    StoreError::NotFound("there is no such trigger".to_owned())
}
