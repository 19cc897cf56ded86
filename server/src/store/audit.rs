//! Who changed what, when, from where. Never a secret: callers name what changed, not what it changed to where that is one.

use rusqlite::{Connection, Row, Transaction, params};

use super::StoreError;

/// Kept this long.
pub const AGE_MS_MAX: u64 = 365 * 24 * 3600 * 1000;
/// And at most this many, whatever their age: a hundred megabytes at the very most.
const ENTRIES_MAX: i64 = 200_000;
pub const PAGE_MAX: u32 = 500;
const TEXT_CHARS_MAX: usize = 500;

/// What is about to be written down.
#[derive(Clone, Debug, Default)]
pub struct Note {
    pub actor: String,
    pub address: Option<String>,
    pub action: &'static str,
    pub site_key: Option<String>,
    pub subject: String,
    pub details: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: u64,
    pub at_ms: u64,
    pub actor: String,
    pub address: Option<String>,
    pub action: String,
    pub site_key: Option<String>,
    pub subject: String,
    pub details: String,
}

fn row(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get::<_, i64>(0)? as u64,
        at_ms: row.get::<_, i64>(1)? as u64,
        actor: row.get(2)?,
        address: row.get(3)?,
        action: row.get(4)?,
        site_key: row.get(5)?,
        subject: row.get(6)?,
        details: row.get(7)?,
    })
}

/// In the transaction of the change itself: neither is there without the other.
pub fn note(tx: &Transaction<'_>, note: &Note, now_ms: u64) -> Result<(), StoreError> {
    let cut = |text: &str| text.chars().take(TEXT_CHARS_MAX).collect::<String>();
    tx.prepare_cached(
        "INSERT INTO audit (at_ms, actor, address, action, site_key, subject, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        now_ms as i64,
        cut(&note.actor),
        note.address,
        note.action,
        note.site_key,
        cut(&note.subject),
        cut(&note.details)
    ])?;
    Ok(())
}

/// Newest first, those before the entry `before` if it is given, of one site or of all.
pub fn list(
    db: &Connection,
    before: Option<u64>,
    site_key: Option<&str>,
    limit: u32,
) -> Result<Vec<Entry>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT id, at_ms, actor, address, action, site_key, subject, details FROM audit
         WHERE id < ?1 AND (?2 IS NULL OR site_key = ?2) ORDER BY id DESC LIMIT ?3",
    )?;
    let before = before.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
    let rows = query.query_map(params![before, site_key, limit.min(PAGE_MAX)], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Removes what is older than [`AGE_MS_MAX`], and the oldest beyond what is kept at most.
pub fn prune(tx: &Transaction<'_>, now_ms: u64) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "DELETE FROM audit WHERE at_ms < ?1 OR id <= (SELECT coalesce(max(id), 0) FROM audit) - ?2",
        params![now_ms.saturating_sub(AGE_MS_MAX) as i64, ENTRIES_MAX],
    )?)
}
