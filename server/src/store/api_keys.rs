//! API keys: 64 hex characters, shown once, kept as a hash.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{StoreError, secret};
use crate::site::Refusal;

/// What a key may be used for.
pub const SCOPES: [&str; 7] = [
    "read", "register", "sites", "secrets", "triggers", "publish", "operate",
];

/// Register and unregister sites: what the WordPress plugin needs.
pub const SCOPE_REGISTER: &str = "register";

/// `last_used_ms` moves at most this often, so that a busy key does not write on every use.
const LAST_USED_STEP_MS: u64 = 60_000;

const NAME_BYTES_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    pub id: i64,
    pub name: String,
    /// The first characters, to tell keys apart.
    pub prefix: String,
    pub scopes: Vec<String>,
    pub account_id: Option<i64>,
    pub created_ms: u64,
    pub last_used_ms: Option<u64>,
    pub revoked_ms: Option<u64>,
    pub expires_ms: Option<u64>,
}

impl ApiKey {
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own == scope)
    }
}

const COLUMNS: &str =
    "id, name, prefix, scopes, account_id, created_ms, last_used_ms, revoked_ms, expires_ms";

fn row(row: &Row<'_>) -> rusqlite::Result<ApiKey> {
    let scopes: String = row.get(3)?;
    Ok(ApiKey {
        id: row.get(0)?,
        name: row.get(1)?,
        prefix: row.get(2)?,
        scopes: scopes.split_whitespace().map(str::to_owned).collect(),
        account_id: row.get(4)?,
        created_ms: row.get::<_, i64>(5)? as u64,
        last_used_ms: row.get::<_, Option<i64>>(6)?.map(|ms| ms as u64),
        revoked_ms: row.get::<_, Option<i64>>(7)?.map(|ms| ms as u64),
        expires_ms: row.get::<_, Option<i64>>(8)?.map(|ms| ms as u64),
    })
}

/// The key in full, this once, and what is kept of it.
pub fn create(
    tx: &Transaction<'_>,
    name: &str,
    scopes: &[String],
    account_id: Option<i64>,
    now_ms: u64,
) -> Result<(String, ApiKey), StoreError> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!(
            "name an API key in 1 to {NAME_BYTES_MAX} bytes"
        )));
    }
    if scopes.is_empty() {
        return Err(StoreError::Invalid(format!(
            "an API key needs a scope: {}",
            SCOPES.join(", ")
        )));
    }
    if let Some(unknown) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(StoreError::Invalid(format!(
            "no scope `{unknown}`; there are: {}",
            SCOPES.join(", ")
        )));
    }
    let key = secret::secret();
    tx.execute(
        "INSERT INTO api_keys (name, hash, prefix, scopes, account_id, created_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![name, secret::hash(&key), &key[..8], scopes.join(" "), account_id, now_ms as i64],
    )?;
    let kept = by_id(tx, tx.last_insert_rowid())?
        .ok_or_else(|| StoreError::NotFound("the API key just made is gone".to_owned()))?;
    Ok((key, kept))
}

/// All keys, revoked ones too, oldest first.
pub fn list(db: &Connection) -> Result<Vec<ApiKey>, StoreError> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys ORDER BY id"))?;
    Ok(query.query_map([], row)?.collect::<Result<_, _>>()?)
}

pub fn by_id(db: &Connection, id: i64) -> Result<Option<ApiKey>, StoreError> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM api_keys WHERE id = ?1"))?;
    Ok(query.query_row([id], row).optional()?)
}

/// The key behind an `Authorization: Bearer`, if it is one, unrevoked, not expired, and with this scope.
pub fn authorize(tx: &Transaction<'_>, key: &str, scope: &str, now_ms: u64) -> Result<ApiKey, StoreError> {
    let found = identify(tx, key, now_ms)?
        .ok_or_else(|| StoreError::Refused(Refusal::new(401, "invalid_api_key", "invalid API key")))?;
    if !found.has_scope(scope) {
        return Err(StoreError::Refused(Refusal::forbidden(format!(
            "the API key has no scope `{scope}`"
        ))));
    }
    Ok(found)
}

/// Whose key it is. Found by its hash, so that the time it takes tells nothing about the key.
pub fn identify(tx: &Transaction<'_>, key: &str, now_ms: u64) -> Result<Option<ApiKey>, StoreError> {
    if key.len() != 64 || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut query = tx.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM api_keys WHERE hash = ?1 AND revoked_ms IS NULL"
    ))?;
    let found = query.query_row([secret::hash(key)], row).optional()?;
    let Some(found) = found.filter(|key| key.expires_ms.is_none_or(|at| now_ms < at)) else {
        return Ok(None);
    };
    if found
        .last_used_ms
        .is_none_or(|used| now_ms.saturating_sub(used) >= LAST_USED_STEP_MS)
    {
        tx.execute(
            "UPDATE api_keys SET last_used_ms = ?2 WHERE id = ?1",
            params![found.id, now_ms as i64],
        )?;
    }
    Ok(Some(found))
}

pub fn set_expiry(tx: &Transaction<'_>, id: i64, expires_ms: u64) -> Result<ApiKey, StoreError> {
    tx.execute(
        "UPDATE api_keys SET expires_ms = ?2 WHERE id = ?1",
        params![id, expires_ms as i64],
    )?;
    by_id(tx, id)?.ok_or_else(|| StoreError::NotFound("there is no such API key".to_owned()))
}

pub fn revoke_id(tx: &Transaction<'_>, id: i64, now_ms: u64) -> Result<ApiKey, StoreError> {
    let known = by_id(tx, id)?.filter(|key| key.revoked_ms.is_none());
    let key = known.ok_or_else(|| StoreError::NotFound("there is no such API key".to_owned()))?;
    tx.execute(
        "UPDATE api_keys SET revoked_ms = ?2 WHERE id = ?1",
        params![id, now_ms as i64],
    )?;
    Ok(key)
}

/// By id, prefix or name; a name or prefix must be of one unrevoked key.
pub fn revoke(tx: &Transaction<'_>, which: &str, now_ms: u64) -> Result<ApiKey, StoreError> {
    let matches: Vec<ApiKey> = list(tx)?
        .into_iter()
        .filter(|key| key.revoked_ms.is_none())
        .filter(|key| key.id.to_string() == which || key.prefix == which || key.name == which)
        .collect();
    match matches.as_slice() {
        [] => Err(StoreError::NotFound(format!(
            "no API key `{which}` in use; `hookcast apikey list` shows all"
        ))),
        [key] => {
            tx.execute(
                "UPDATE api_keys SET revoked_ms = ?2 WHERE id = ?1",
                params![key.id, now_ms as i64],
            )?;
            Ok(ApiKey {
                revoked_ms: Some(now_ms),
                ..key.clone()
            })
        }
        _ => Err(StoreError::Invalid(format!(
            "`{which}` names several API keys: use the id"
        ))),
    }
}
