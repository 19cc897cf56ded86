//! The one-time codes of one-click connect. A code is found by its hash and is gone with its first use.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{StoreError, secret};

/// How long WordPress has to redeem a code.
pub const LIFE_MS: u64 = 10 * 60 * 1000;
/// Codes waiting at once; authorizing more than this in ten minutes is no operator's doing.
const WAITING_MAX: u32 = 1000;

/// What the operator agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub site_url: String,
    pub site_name: String,
    pub account_id: i64,
}

pub fn create(tx: &Transaction<'_>, grant: &Grant, now_ms: u64) -> Result<String, StoreError> {
    tx.execute(
        "DELETE FROM connect_codes WHERE expires_ms <= ?1",
        [now_ms as i64],
    )?;
    let waiting: u32 = tx.query_row("SELECT count(*) FROM connect_codes", [], |row| row.get(0))?;
    if waiting >= WAITING_MAX {
        return Err(StoreError::Busy);
    }
    let code = secret::secret();
    tx.execute(
        "INSERT INTO connect_codes (hash, site_url, site_name, account_id, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            secret::hash(&code),
            grant.site_url,
            grant.site_name,
            grant.account_id,
            now_ms.saturating_add(LIFE_MS) as i64
        ],
    )?;
    Ok(code)
}

/// Takes the code; an unknown, used or expired one is `None`.
pub fn redeem(tx: &Transaction<'_>, code: &str, now_ms: u64) -> Result<Option<Grant>, StoreError> {
    let mut query = tx.prepare_cached(
        "DELETE FROM connect_codes WHERE hash = ?1 RETURNING site_url, site_name, account_id, expires_ms",
    )?;
    let found = query
        .query_row([secret::hash(code)], |row| {
            let grant = Grant {
                site_url: row.get(0)?,
                site_name: row.get(1)?,
                account_id: row.get(2)?,
            };
            Ok((grant, row.get::<_, i64>(3)? as u64))
        })
        .optional()?;
    Ok(found
        .filter(|(_, expires_ms)| now_ms < *expires_ms)
        .map(|(grant, _)| grant))
}
