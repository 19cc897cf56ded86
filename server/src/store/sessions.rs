//! Who is signed in. A session is found by the hash of its cookie's token; the token itself is kept nowhere.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::accounts::{self, Account};
use super::{StoreError, secret};

/// Sessions of one account; the longest unused one makes room for the next.
const SESSIONS_PER_ACCOUNT_MAX: u32 = 20;
/// `last_seen_ms` moves at most this often, so that looking around does not write all the time.
pub const LAST_SEEN_STEP_MS: u64 = 60_000;
const USER_AGENT_CHARS_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub created_ms: u64,
    pub last_seen_ms: u64,
    pub address: String,
    pub user_agent: String,
}

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Unused for this long.
    pub idle_ms: u64,
    /// Even in use.
    pub life_ms: u64,
}

impl Lifetimes {
    pub fn expires_ms(self, session: &Session) -> u64 {
        (session.last_seen_ms.saturating_add(self.idle_ms))
            .min(session.created_ms.saturating_add(self.life_ms))
    }
}

const COLUMNS: &str = "s.id, s.created_ms, s.last_seen_ms, s.address, s.user_agent";

fn row(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        created_ms: row.get::<_, i64>(1)? as u64,
        last_seen_ms: row.get::<_, i64>(2)? as u64,
        address: row.get(3)?,
        user_agent: row.get(4)?,
    })
}

/// The token for the cookie, and the session.
pub fn create(
    tx: &Transaction<'_>,
    account_id: i64,
    address: &str,
    user_agent: &str,
    now_ms: u64,
) -> Result<(String, Session), StoreError> {
    let token = secret::secret();
    let session = Session {
        id: secret::random_hex::<8>(),
        created_ms: now_ms,
        last_seen_ms: now_ms,
        address: address.to_owned(),
        user_agent: user_agent
            .chars()
            .filter(|c| !c.is_control())
            .take(USER_AGENT_CHARS_MAX)
            .collect(),
    };
    tx.execute(
        "INSERT INTO sessions (id, hash, account_id, created_ms, last_seen_ms, address, user_agent)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
        params![
            session.id,
            secret::hash(&token),
            account_id,
            now_ms as i64,
            session.address,
            session.user_agent
        ],
    )?;
    tx.execute(
        "DELETE FROM sessions WHERE account_id = ?1 AND id NOT IN
             (SELECT id FROM sessions WHERE account_id = ?1 ORDER BY last_seen_ms DESC, rowid DESC LIMIT ?2)",
        params![account_id, SESSIONS_PER_ACCOUNT_MAX],
    )?;
    Ok((token, session))
}

/// Who the cookie's token belongs to. A session that has run out, or whose account is switched off, is none.
pub fn find(
    db: &Connection,
    token: &str,
    lifetimes: Lifetimes,
    now_ms: u64,
) -> Result<Option<(Account, Session)>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, a.id, a.email, a.role, a.active, a.created_ms, a.last_login_ms
         FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE s.hash = ?1 AND a.active = 1"
    ))?;
    let found = query
        .query_row([secret::hash(token)], |found| {
            Ok((accounts::row_from(found, 5)?, row(found)?))
        })
        .optional()?;
    Ok(found.filter(|(_, session)| now_ms < lifetimes.expires_ms(session)))
}

pub fn seen(tx: &Transaction<'_>, id: &str, now_ms: u64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE sessions SET last_seen_ms = ?2 WHERE id = ?1",
        params![id, now_ms as i64],
    )?;
    Ok(())
}

/// Those of an account that have not run out, the latest first.
pub fn list(
    db: &Connection,
    account_id: i64,
    lifetimes: Lifetimes,
    now_ms: u64,
) -> Result<Vec<Session>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions s WHERE s.account_id = ?1 ORDER BY s.last_seen_ms DESC"
    ))?;
    let all = query
        .query_map([account_id], row)?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(all
        .into_iter()
        .filter(|session| now_ms < lifetimes.expires_ms(session))
        .collect())
}

/// Ends one of the account's own sessions.
pub fn end(tx: &Transaction<'_>, account_id: i64, id: &str) -> Result<(), StoreError> {
    match tx.execute(
        "DELETE FROM sessions WHERE account_id = ?1 AND id = ?2",
        params![account_id, id],
    )? {
        0 => Err(StoreError::NotFound("there is no such session".to_owned())),
        _ => Ok(()),
    }
}

/// The same for a session that may have ended already.
pub fn end_if_there(tx: &Transaction<'_>, account_id: i64, id: &str) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM sessions WHERE account_id = ?1 AND id = ?2",
        params![account_id, id],
    )?;
    Ok(())
}

/// Marks those of the sessions that still stand as in use, and tells which they are.
pub fn keep_alive(tx: &Transaction<'_>, ids: &[String], now_ms: u64) -> Result<Vec<String>, StoreError> {
    let mut query = tx.prepare_cached(
        "UPDATE sessions SET last_seen_ms = max(last_seen_ms, ?2)
         WHERE id = ?1 AND account_id IN (SELECT id FROM accounts WHERE active = 1)",
    )?;
    let mut alive = Vec::new();
    for id in ids {
        if query.execute(params![id, now_ms as i64])? > 0 {
            alive.push(id.clone());
        }
    }
    Ok(alive)
}

/// Ends an account's sessions, but for `keep`. Tells how many.
pub fn end_all(tx: &Transaction<'_>, account_id: i64, keep: Option<&str>) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "DELETE FROM sessions WHERE account_id = ?1 AND id IS NOT ?2",
        params![account_id, keep],
    )?)
}

/// Removes what has run out.
pub fn prune(tx: &Transaction<'_>, lifetimes: Lifetimes, now_ms: u64) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "DELETE FROM sessions WHERE last_seen_ms + ?2 <= ?1 OR created_ms + ?3 <= ?1",
        params![now_ms as i64, lifetimes.idle_ms as i64, lifetimes.life_ms as i64],
    )?)
}
