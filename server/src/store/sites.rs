//! Sites: who may publish and whose browsers may connect. Every change here reaches the shards as a new snapshot.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{StoreError, api_keys, secret, site_url};
use crate::site::{Refusal, Secrets, SiteLimits, site_id};

const NAME_BYTES_MAX: usize = 200;
const ORIGINS_MAX: usize = 50;

/// One row, with its secrets.
#[derive(Clone, Debug)]
pub struct SiteRow {
    pub id: u32,
    pub site_key: String,
    pub url: String,
    pub name: String,
    pub status: Status,
    pub registered_by: RegisteredBy,
    pub account_id: Option<i64>,
    /// False when the site has an account and that is switched off.
    pub account_active: bool,
    /// Switched off by an operator; refused like a site whose account is.
    pub deactivated: bool,
    pub publish_secrets: Secrets,
    pub jwt_secrets: Secrets,
    pub limits: LimitOverrides,
    pub origins: Vec<String>,
    pub dispatch_token: Option<String>,
    pub dispatch_open: bool,
    pub created_ms: u64,
    pub updated_ms: u64,
    pub archived_ms: Option<u64>,
}

impl SiteRow {
    pub fn site_id(&self) -> String {
        site_id(&self.site_key)
    }

    /// What WordPress needs to know.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            site_key: self.site_key.clone(),
            publish_secret: self.publish_secrets.current.clone(),
            jwt_secret: self.jwt_secrets.current.clone(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, serde::Serialize)]
pub struct Credentials {
    pub site_key: String,
    pub publish_secret: String,
    pub jwt_secret: String,
}

macro_rules! names {
    ($(#[doc = $doc:literal])* $Name:ident { $($Variant:ident = $text:literal),* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Name { $($Variant),* }

        impl $Name {
            pub fn as_str(self) -> &'static str {
                match self { $($Name::$Variant => $text),* }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($Name::$Variant),)* _ => None }
            }
        }
    };
}

names! {
    /// Whether the site's credentials work. (An account that is switched off is the account's matter.)
    Status { Active = "active", Archived = "archived" }
}

names! {
    /// How a site came to be; one registered with an API key needs one to unregister.
    RegisteredBy { ApiKey = "api_key", Cli = "cli", Connect = "connect", Admin = "admin" }
}

/// A site's own limits; what is `None` follows the settings, 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOverrides {
    pub connections_max: Option<u32>,
    pub publish_rate: Option<u32>,
    pub publish_burst: Option<u32>,
    pub monthly_quota: Option<u64>,
}

impl LimitOverrides {
    pub fn over(self, defaults: SiteLimits) -> SiteLimits {
        SiteLimits {
            connections_max: self.connections_max.unwrap_or(defaults.connections_max),
            publish_rate: self.publish_rate.unwrap_or(defaults.publish_rate),
            publish_burst: self.publish_burst.unwrap_or(defaults.publish_burst),
            monthly_quota: self.monthly_quota.unwrap_or(defaults.monthly_quota),
        }
    }
}

const SELECT: &str =
    "SELECT s.id, s.site_key, s.url, s.name, s.status, s.registered_by, s.account_id, coalesce(a.active, 1),
    s.publish_secret, s.publish_secret_previous, s.publish_secret_previous_until_ms,
    s.jwt_secret, s.jwt_secret_previous, s.jwt_secret_previous_until_ms,
    s.connections_max, s.publish_rate, s.publish_burst, s.monthly_quota,
    s.origins, s.dispatch_token, s.dispatch_open, s.created_ms, s.updated_ms, s.archived_ms, s.deactivated
    FROM sites s LEFT JOIN accounts a ON a.id = s.account_id";

fn row(row: &Row<'_>) -> rusqlite::Result<SiteRow> {
    let unknown = |column, text: String| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, text.into())
    };
    let secrets = |first: usize| -> rusqlite::Result<Secrets> {
        let previous: Option<String> = row.get(first + 1)?;
        let until: Option<i64> = row.get(first + 2)?;
        Ok(Secrets {
            current: row.get(first)?,
            previous: previous.zip(until.map(|ms| ms as u64)),
        })
    };
    let status: String = row.get(4)?;
    let registered_by: String = row.get(5)?;
    let origins: String = row.get(18)?;
    Ok(SiteRow {
        id: row.get(0)?,
        site_key: row.get(1)?,
        url: row.get(2)?,
        name: row.get(3)?,
        status: Status::parse(&status).ok_or_else(|| unknown(4, status))?,
        registered_by: RegisteredBy::parse(&registered_by).ok_or_else(|| unknown(5, registered_by))?,
        account_id: row.get(6)?,
        account_active: row.get(7)?,
        publish_secrets: secrets(8)?,
        jwt_secrets: secrets(11)?,
        limits: LimitOverrides {
            connections_max: row.get(14)?,
            publish_rate: row.get(15)?,
            publish_burst: row.get(16)?,
            monthly_quota: row.get::<_, Option<i64>>(17)?.map(|n| n as u64),
        },
        origins: serde_json::from_str(&origins).map_err(|e| unknown(18, e.to_string()))?,
        dispatch_token: row.get(19)?,
        dispatch_open: row.get(20)?,
        created_ms: row.get::<_, i64>(21)? as u64,
        updated_ms: row.get::<_, i64>(22)? as u64,
        archived_ms: row.get::<_, Option<i64>>(23)?.map(|ms| ms as u64),
        deactivated: row.get(24)?,
    })
}

/// All sites, archived ones too, oldest first.
pub fn all(db: &Connection) -> Result<Vec<SiteRow>, StoreError> {
    let mut query = db.prepare_cached(&format!("{SELECT} ORDER BY s.id"))?;
    Ok(query.query_map([], row)?.collect::<Result<_, _>>()?)
}

pub fn by_key(db: &Connection, site_key: &str) -> Result<Option<SiteRow>, StoreError> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE s.site_key = ?1"))?;
    Ok(query.query_row([site_key], row).optional()?)
}

/// By a normalised address.
pub fn by_url(db: &Connection, url: &str) -> Result<Option<SiteRow>, StoreError> {
    let mut query = db.prepare_cached(&format!("{SELECT} WHERE s.url = ?1"))?;
    Ok(query.query_row([url], row).optional()?)
}

/// By key, by address (its scheme may be left out), or by the beginning (8 characters at least) of a key: what a person types.
pub fn find(db: &Connection, which: &str) -> Result<SiteRow, StoreError> {
    if let Some(site) = by_key(db, which)? {
        return Ok(site);
    }
    let spellings = match which.contains("://") {
        true => vec![which.to_owned()],
        false => vec![format!("https://{which}"), format!("http://{which}")],
    };
    for url in spellings.iter().filter_map(|url| site_url::normalise(url).ok()) {
        if let Some(site) = by_url(db, &url)? {
            return Ok(site);
        }
    }
    let begins = |site: &SiteRow| which.len() >= 8 && site.site_key.starts_with(which);
    let mut matches: Vec<SiteRow> = all(db)?.into_iter().filter(begins).collect();
    match (matches.pop(), matches.is_empty()) {
        (Some(site), true) => Ok(site),
        (Some(_), false) => Err(StoreError::Invalid(format!(
            "`{which}` begins several site keys: type more of it"
        ))),
        (None, _) => Err(StoreError::NotFound(format!(
            "no site `{which}`; `hookcast site list` shows all"
        ))),
    }
}

/// A site that asks to be known.
pub struct Registration<'a> {
    pub url: &'a str,
    /// Empty: the address' host.
    pub name: &'a str,
    pub by: RegisteredBy,
    pub account_id: Option<i64>,
    /// Active sites there may be; 0: any number.
    pub sites_max: u32,
}

/// The same address again gets the same key with new secrets, and comes back if it was archived.
pub fn register(tx: &Transaction<'_>, new: &Registration<'_>, now_ms: u64) -> Result<SiteRow, StoreError> {
    let url = site_url::normalise(new.url)?;
    let name = match new.name.trim() {
        "" => site_url::host(&url).to_owned(),
        name => valid_name(name)?,
    };
    let known = by_url(tx, &url)?;
    if known.as_ref().is_none_or(|site| site.status == Status::Archived) {
        let active: u32 = tx.query_row("SELECT count(*) FROM sites WHERE status = 'active'", [], |row| {
            row.get(0)
        })?;
        if new.sites_max != 0 && active >= new.sites_max {
            return Err(StoreError::Refused(Refusal::new(
                403,
                "site_limit_reached",
                format!(
                    "this relay takes {} sites: archive one that is not used any more, or raise limits.sites_max",
                    new.sites_max
                ),
            )));
        }
    }
    let (publish, jwt) = (secret::secret(), secret::secret());
    let key = match known {
        Some(site) => {
            tx.execute(
                "UPDATE sites SET name = ?2, status = 'active', registered_by = ?3, account_id = coalesce(?4, account_id),
                     publish_secret = ?5, publish_secret_previous = NULL, publish_secret_previous_until_ms = NULL,
                     jwt_secret = ?6, jwt_secret_previous = NULL, jwt_secret_previous_until_ms = NULL,
                     updated_ms = ?7, archived_ms = NULL
                 WHERE id = ?1",
                params![site.id, name, new.by.as_str(), new.account_id, publish, jwt, now_ms as i64],
            )?;
            site.site_key
        }
        None => {
            let key = secret::site_key();
            tx.execute(
                "INSERT INTO sites (site_key, url, name, status, registered_by, account_id, publish_secret, jwt_secret,
                     created_ms, updated_ms)
                 VALUES (?1, ?2, ?3, 'active', ?4, ?5, ?6, ?7, ?8, ?8)",
                params![key, url, name, new.by.as_str(), new.account_id, publish, jwt, now_ms as i64],
            )?;
            key
        }
    };
    again(tx, &key)
}

/// A site takes itself off, by the protocol: its publish secret proves that it is the site, and if an API key registered it,
/// one must come along.
pub fn unregister(
    tx: &Transaction<'_>,
    site_key: &str,
    publish_secret: &str,
    api_key: Option<&str>,
    now_ms: u64,
) -> Result<SiteRow, StoreError> {
    let site = by_key(tx, site_key)?
        .filter(|site| site.status == Status::Active)
        .ok_or_else(|| StoreError::Refused(Refusal::new(404, "not_found", "no such site")))?;
    if site.registered_by == RegisteredBy::ApiKey || api_key.is_some() {
        api_keys::authorize(tx, api_key.unwrap_or_default(), api_keys::SCOPE_REGISTER, now_ms)?;
    }
    let matches = |known: &str| {
        use subtle::ConstantTimeEq;
        bool::from(known.as_bytes().ct_eq(publish_secret.as_bytes()))
    };
    if !site.publish_secrets.valid(now_ms).any(matches) {
        return Err(StoreError::Refused(Refusal::new(
            403,
            "unauthorized",
            "the publish secret is not this site's",
        )));
    }
    archive(tx, site_key, now_ms)
}

/// Its sockets are closed with 4003 and its key stops working; usage, limits and secrets stay for [`restore`].
pub fn archive(tx: &Transaction<'_>, site_key: &str, now_ms: u64) -> Result<SiteRow, StoreError> {
    tx.execute(
        "UPDATE sites SET status = 'archived', archived_ms = ?2, updated_ms = ?2
         WHERE site_key = ?1 AND status = 'active'",
        params![site_key, now_ms as i64],
    )?;
    again(tx, site_key)
}

/// An archived site works again with the credentials it had.
pub fn restore(tx: &Transaction<'_>, site_key: &str, now_ms: u64) -> Result<SiteRow, StoreError> {
    tx.execute(
        "UPDATE sites SET status = 'active', archived_ms = NULL, updated_ms = ?2
         WHERE site_key = ?1 AND status = 'archived'",
        params![site_key, now_ms as i64],
    )?;
    again(tx, site_key)
}

/// Which secrets to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Publish,
    Jwt,
    Both,
}

/// New secrets; the ones they replace work for `overlap_ms` more, so that WordPress can be told without losing a message.
pub fn rotate(
    tx: &Transaction<'_>,
    site_key: &str,
    which: Rotation,
    overlap_ms: u64,
    now_ms: u64,
) -> Result<SiteRow, StoreError> {
    let until = now_ms.saturating_add(overlap_ms) as i64;
    let columns: &[&str] = match which {
        Rotation::Publish => &["publish_secret"],
        Rotation::Jwt => &["jwt_secret"],
        Rotation::Both => &["publish_secret", "jwt_secret"],
    };
    for column in columns {
        tx.execute(
            &format!(
                "UPDATE sites SET {column}_previous = iif(?3 > ?4, {column}, NULL),
                     {column}_previous_until_ms = iif(?3 > ?4, ?3, NULL), {column} = ?2, updated_ms = ?4
                 WHERE site_key = ?1"
            ),
            params![site_key, secret::secret(), until, now_ms as i64],
        )?;
    }
    again(tx, site_key)
}

pub fn rename(tx: &Transaction<'_>, site_key: &str, name: &str, now_ms: u64) -> Result<SiteRow, StoreError> {
    let name = valid_name(name.trim())?;
    tx.execute(
        "UPDATE sites SET name = ?2, updated_ms = ?3 WHERE site_key = ?1",
        params![site_key, name, now_ms as i64],
    )?;
    again(tx, site_key)
}

/// The site has moved: its key and secrets stay.
pub fn move_to(tx: &Transaction<'_>, site_key: &str, url: &str, now_ms: u64) -> Result<SiteRow, StoreError> {
    let url = site_url::normalise(url)?;
    if by_url(tx, &url)?.is_some_and(|other| other.site_key != site_key) {
        return Err(StoreError::Invalid(
            "there is another site with this address".to_owned(),
        ));
    }
    tx.execute(
        "UPDATE sites SET url = ?2, updated_ms = ?3 WHERE site_key = ?1",
        params![site_key, url, now_ms as i64],
    )?;
    again(tx, site_key)
}

/// Refuses a site with `account_deactivated`, or lets it in again.
pub fn set_deactivated(
    tx: &Transaction<'_>,
    site_key: &str,
    off: bool,
    now_ms: u64,
) -> Result<SiteRow, StoreError> {
    tx.execute(
        "UPDATE sites SET deactivated = ?2, updated_ms = ?3 WHERE site_key = ?1",
        params![site_key, off, now_ms as i64],
    )?;
    again(tx, site_key)
}

/// Replaces all of the site's own limits.
pub fn set_limits(
    tx: &Transaction<'_>,
    site_key: &str,
    limits: LimitOverrides,
    now_ms: u64,
) -> Result<SiteRow, StoreError> {
    if limits.monthly_quota.is_some_and(|quota| quota > 1 << 40) {
        return Err(StoreError::Invalid("a monthly quota goes up to 2^40".to_owned()));
    }
    tx.execute(
        "UPDATE sites SET connections_max = ?2, publish_rate = ?3, publish_burst = ?4, monthly_quota = ?5, updated_ms = ?6
         WHERE site_key = ?1",
        params![
            site_key,
            limits.connections_max,
            limits.publish_rate,
            limits.publish_burst,
            limits.monthly_quota.map(|quota| quota as i64),
            now_ms as i64
        ],
    )?;
    again(tx, site_key)
}

/// Browser origins that may connect; none: any.
pub fn set_origins(
    tx: &Transaction<'_>,
    site_key: &str,
    origins: &[String],
    now_ms: u64,
) -> Result<SiteRow, StoreError> {
    if origins.len() > ORIGINS_MAX {
        return Err(StoreError::Invalid(format!(
            "a site may have {ORIGINS_MAX} origins"
        )));
    }
    let origins = origins
        .iter()
        .map(|origin| valid_origin(origin))
        .collect::<Result<Vec<_>, _>>()?;
    let json = serde_json::Value::from(origins).to_string();
    tx.execute(
        "UPDATE sites SET origins = ?2, updated_ms = ?3 WHERE site_key = ?1",
        params![site_key, json, now_ms as i64],
    )?;
    again(tx, site_key)
}

/// `token: None` switches the plain dispatch endpoint off.
pub fn set_dispatch(
    tx: &Transaction<'_>,
    site_key: &str,
    token: Option<&str>,
    open: bool,
    now_ms: u64,
) -> Result<SiteRow, StoreError> {
    tx.execute(
        "UPDATE sites SET dispatch_token = ?2, dispatch_open = ?3, updated_ms = ?4 WHERE site_key = ?1",
        params![site_key, token, open && token.is_some(), now_ms as i64],
    )?;
    again(tx, site_key)
}

fn again(tx: &Transaction<'_>, site_key: &str) -> Result<SiteRow, StoreError> {
    by_key(tx, site_key)?.ok_or_else(|| StoreError::NotFound(format!("no site `{site_key}`")))
}

fn valid_name(name: &str) -> Result<String, StoreError> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(StoreError::Invalid(format!(
            "site_name must have 1 to {NAME_BYTES_MAX} bytes and no control characters"
        )));
    }
    Ok(name.to_owned())
}

fn valid_origin(origin: &str) -> Result<String, StoreError> {
    let invalid = || StoreError::Invalid(format!("`{origin}` is no origin, such as https://example.com"));
    let parsed = url::Url::parse(origin).map_err(|_| invalid())?;
    let normal = parsed.origin().ascii_serialization();
    let bare = matches!(parsed.scheme(), "http" | "https") && parsed.as_str().trim_end_matches('/') == normal;
    if bare { Ok(normal) } else { Err(invalid()) }
}
