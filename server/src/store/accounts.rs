//! Who may sign in. Passwords come here as argon2id hashes only.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::StoreError;

/// The first owner is made by whoever has the set-up link; every later one by an owner.
pub const ACCOUNTS_MAX: u32 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRole {
    Owner,
    Viewer,
}

impl AccountRole {
    pub fn as_str(self) -> &'static str {
        match self {
            AccountRole::Owner => "owner",
            AccountRole::Viewer => "viewer",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: i64,
    pub email: String,
    pub role: AccountRole,
    /// Switched off: cannot sign in, and the sites it registered are refused with `account_deactivated`.
    pub active: bool,
    pub created_ms: u64,
    pub last_login_ms: Option<u64>,
}

const COLUMNS: &str = "id, email, role, active, created_ms, last_login_ms";

pub(super) fn row_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Account> {
    let role: String = row.get(first + 2)?;
    Ok(Account {
        id: row.get(first)?,
        email: row.get(first + 1)?,
        role: if role == "owner" {
            AccountRole::Owner
        } else {
            AccountRole::Viewer
        },
        active: row.get(first + 3)?,
        created_ms: row.get::<_, i64>(first + 4)? as u64,
        last_login_ms: row.get::<_, Option<i64>>(first + 5)?.map(|ms| ms as u64),
    })
}

pub fn list(db: &Connection) -> Result<Vec<Account>, StoreError> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts ORDER BY id"))?;
    Ok(query
        .query_map([], |row| row_from(row, 0))?
        .collect::<Result<_, _>>()?)
}

pub fn by_id(db: &Connection, id: i64) -> Result<Option<Account>, StoreError> {
    let mut query = db.prepare_cached(&format!("SELECT {COLUMNS} FROM accounts WHERE id = ?1"))?;
    Ok(query.query_row([id], |row| row_from(row, 0)).optional()?)
}

/// The account with this address, in any case, and its password's hash.
pub fn by_email(db: &Connection, email: &str) -> Result<Option<(Account, String)>, StoreError> {
    let mut query = db.prepare_cached(&format!(
        "SELECT {COLUMNS}, password_hash FROM accounts WHERE email = ?1"
    ))?;
    Ok(query
        .query_row([email], |row| Ok((row_from(row, 0)?, row.get(6)?)))
        .optional()?)
}

pub fn password_hash(db: &Connection, id: i64) -> Result<String, StoreError> {
    let mut query = db.prepare_cached("SELECT password_hash FROM accounts WHERE id = ?1")?;
    query
        .query_row([id], |row| row.get(0))
        .optional()?
        .ok_or_else(gone)
}

/// Whether somebody can sign in as an owner: the relay is set up.
pub fn any_owner(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.query_row(
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE role = 'owner' AND active = 1)",
        [],
        |row| row.get(0),
    )?)
}

pub fn create(
    tx: &Transaction<'_>,
    email: &str,
    password_hash: &str,
    role: AccountRole,
    now_ms: u64,
) -> Result<Account, StoreError> {
    if by_email(tx, email)?.is_some() {
        return Err(StoreError::Invalid(format!(
            "there is an account {email} already"
        )));
    }
    let count: u32 = tx.query_row("SELECT count(*) FROM accounts", [], |row| row.get(0))?;
    if count >= ACCOUNTS_MAX {
        return Err(StoreError::Invalid(format!(
            "there are {ACCOUNTS_MAX} accounts already: remove one first"
        )));
    }
    tx.execute(
        "INSERT INTO accounts (email, password_hash, role, created_ms) VALUES (?1, ?2, ?3, ?4)",
        params![email, password_hash, role.as_str(), now_ms as i64],
    )?;
    by_id(tx, tx.last_insert_rowid())?.ok_or_else(gone)
}

/// The first owner. Refused once there is one, so that two set-up requests at the same time make one owner.
pub fn create_first(
    tx: &Transaction<'_>,
    email: &str,
    password_hash: &str,
    now_ms: u64,
) -> Result<Option<Account>, StoreError> {
    if any_owner(tx)? {
        return Ok(None);
    }
    create(tx, email, password_hash, AccountRole::Owner, now_ms).map(Some)
}

pub fn set_password(tx: &Transaction<'_>, id: i64, password_hash: &str) -> Result<(), StoreError> {
    match tx.execute(
        "UPDATE accounts SET password_hash = ?2 WHERE id = ?1",
        params![id, password_hash],
    )? {
        0 => Err(gone()),
        _ => Ok(()),
    }
}

pub fn set_role(tx: &Transaction<'_>, id: i64, role: AccountRole) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE accounts SET role = ?2 WHERE id = ?1",
        params![id, role.as_str()],
    )?;
    owner_left(tx)
}

pub fn set_active(tx: &Transaction<'_>, id: i64, active: bool) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE accounts SET active = ?2 WHERE id = ?1",
        params![id, active],
    )?;
    owner_left(tx)
}

/// Its sessions end with it; its sites stay, with nobody's account behind them.
pub fn remove(tx: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
    match tx.execute("DELETE FROM accounts WHERE id = ?1", [id])? {
        0 => Err(gone()),
        _ => owner_left(tx),
    }
}

pub fn logged_in(tx: &Transaction<'_>, id: i64, now_ms: u64) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE accounts SET last_login_ms = ?2 WHERE id = ?1",
        params![id, now_ms as i64],
    )?;
    Ok(())
}

/// An error rolls the transaction back: a relay without an owner could be looked after by nobody.
fn owner_left(tx: &Transaction<'_>) -> Result<(), StoreError> {
    match any_owner(tx)? {
        true => Ok(()),
        false => Err(StoreError::Invalid(
            "the relay needs an owner: make another one first".to_owned(),
        )),
    }
}

fn gone() -> StoreError {
    StoreError::NotFound("there is no such user".to_owned())
}
