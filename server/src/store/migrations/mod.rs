//! Numbered steps from an empty database to today's. A released step is never edited: a change is a new file and a new
//! line at the end of [`MIGRATIONS`].

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// Step `n` (from 1) takes a database of version `n - 1` to version `n`.
pub const MIGRATIONS: &[&str] = &[include_str!("0001_sites.sql"), include_str!("0002_operator.sql")];

/// The version that this program writes.
pub const VERSION: u32 = MIGRATIONS.len() as u32;

/// Marks the file as ours (SQLite's `application_id`): "hkct".
pub const APPLICATION_ID: i32 = 0x686b_6374;

/// The database's version; refuses one that is not ours, or that a later hookcast has written.
pub fn version(db: &Connection) -> Result<u32, StoreError> {
    version_up_to(db, VERSION)
}

fn version_up_to(db: &Connection, known: u32) -> Result<u32, StoreError> {
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (tables > 0 || version > 0) {
        return Err(StoreError::Foreign);
    }
    if version > known {
        return Err(StoreError::Newer {
            found: version,
            known,
        });
    }
    Ok(version)
}

/// Brings the database to [`VERSION`], all steps in one transaction. Tells the version it had.
pub fn migrate(db: &mut Connection) -> Result<u32, StoreError> {
    migrate_with(db, MIGRATIONS)
}

fn migrate_with(db: &mut Connection, steps: &[&str]) -> Result<u32, StoreError> {
    let newest = steps.len() as u32;
    if version_up_to(db, newest)? == newest {
        return Ok(newest);
    }
    // Two processes may open an old database at once: the second sees the first one's work.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version_up_to(&tx, newest)?;
    for step in &steps[found as usize..] {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", newest)?;
    tx.commit()?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every version a database may have been left at, filled, and brought to today's.
    #[test]
    fn each_older_version_is_migrated_with_its_rows() {
        for old in 1..=MIGRATIONS.len() {
            let mut db = Connection::open_in_memory().unwrap();
            migrate_with(&mut db, &MIGRATIONS[..old]).unwrap();
            db.execute_batch(
                "INSERT INTO sites (site_key, url, name, status, registered_by, publish_secret, jwt_secret, created_ms, updated_ms)
                 VALUES ('k', 'https://a.example', 'A', 'active', 'cli', 'p', 'j', 1, 1);",
            )
            .unwrap();
            assert_eq!(migrate(&mut db).unwrap() as usize, old);
            assert_eq!(version(&db).unwrap(), VERSION);
            let url: String = db
                .query_row("SELECT url FROM sites", [], |row| row.get(0))
                .unwrap();
            assert_eq!(url, "https://a.example");
        }
    }

    #[test]
    fn a_later_step_runs_once_and_keeps_what_was_there() {
        let mut db = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE t (a TEXT) STRICT; INSERT INTO t VALUES ('kept');";
        let second = "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'new';";
        assert_eq!(migrate_with(&mut db, &[first]).unwrap(), 0);
        assert_eq!(migrate_with(&mut db, &[first, second]).unwrap(), 1);
        assert_eq!(migrate_with(&mut db, &[first, second]).unwrap(), 2);
        assert!(matches!(
            migrate_with(&mut db, &[first]),
            Err(StoreError::Newer { found: 2, known: 1 })
        ));
        let row: (String, String) = db
            .query_row("SELECT a, b FROM t", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!(row, ("kept".to_owned(), "new".to_owned()));
    }

    #[test]
    fn a_failing_step_leaves_the_database_as_it_was() {
        let mut db = Connection::open_in_memory().unwrap();
        assert!(migrate_with(&mut db, &["CREATE TABLE t (a TEXT); CREATE TABLE t (a TEXT);"]).is_err());
        assert_eq!(version(&db).unwrap(), 0);
        migrate(&mut db).unwrap();
    }

    #[test]
    fn a_newer_or_foreign_database_is_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        migrate(&mut db).unwrap();
        db.pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(matches!(migrate(&mut db), Err(StoreError::Newer { .. })));
        let mut foreign = Connection::open_in_memory().unwrap();
        foreign.execute_batch("CREATE TABLE posts (id INTEGER)").unwrap();
        assert!(matches!(migrate(&mut foreign), Err(StoreError::Foreign)));
    }
}
