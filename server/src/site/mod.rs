//! From a snapshot: which site, may it do this, how much. Pure: the clock is passed in as Unix milliseconds.
//!
//! The store builds a [`Sites`] after each change and hands it to every shard. What must outlive a snapshot — counters,
//! rate limits — is in [`SiteLive`], which the next snapshot takes over. Nothing here logs, and no `Debug` or error text
//! contains a secret or a token.

#[cfg(test)]
pub mod fixture;
mod grants;
mod live;
mod quota;
mod rate;
mod refusal;
mod signature;
mod snapshot;
mod token;

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::ids::SiteId;

pub use grants::Grants;
pub use live::{ConnectionSlot, SiteLive, Usage, UsageTotals};
pub use quota::MonthCounter;
pub use rate::Gcra;
pub use refusal::{REFUSAL_CODES, Refusal};
pub use signature::{SignedHeaders, Verified, sign, signature_hex};
pub use snapshot::Sites;
pub use token::{Claims, Session, TokenError, TokenReport, mint};

/// One registered site as the shards see it. Immutable: a change makes a new one in the next snapshot.
#[derive(Debug)]
pub struct Site {
    pub id: SiteId,
    /// 32 lower-case hex characters; what the site sends with a publish.
    pub key: String,
    /// [`site_id`] of the key; what tokens and qualified channel names carry.
    pub site_id: String,
    /// [`tenant_id`] of the key; a token must carry it too.
    pub tenant_id: String,
    pub url: String,
    pub name: String,
    pub status: SiteStatus,
    pub publish_secrets: Secrets,
    pub jwt_secrets: Secrets,
    pub limits: SiteLimits,
    /// Browser origins that may connect (`https://example.com`); empty allows any.
    pub origins: Vec<String>,
    pub dispatch: Option<Dispatch>,
    pub live: Arc<SiteLive>,
}

/// Whether a site's credentials work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteStatus {
    Active,
    /// Disconnected: its key is unknown to the outside until the same URL registers again.
    Archived,
    /// The account that owns it is switched off.
    AccountDeactivated,
}

/// A secret and, during a rotation, the one before it: both work until `previous` runs out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    pub current: String,
    /// The earlier secret, and the Unix milliseconds until which it is still accepted.
    pub previous: Option<(String, u64)>,
}

impl Secrets {
    pub fn only(current: impl Into<String>) -> Self {
        Self {
            current: current.into(),
            previous: None,
        }
    }

    /// The secrets that are good at `now_ms`, the current one first.
    pub fn valid(&self, now_ms: u64) -> impl Iterator<Item = &str> {
        let previous = self.previous.as_ref().filter(|(_, until_ms)| now_ms < *until_ms);
        std::iter::once(self.current.as_str()).chain(previous.map(|(secret, _)| secret.as_str()))
    }
}

/// Masked: a secret printed once is a secret in every log.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let previous = self.previous.as_ref().map(|(_, until_ms)| until_ms);
        f.debug_struct("Secrets")
            .field("current", &"masked")
            .field("previous_until_ms", &previous)
            .finish()
    }
}

/// What one site may use. 0 means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteLimits {
    /// Sockets and streams open at once.
    pub connections_max: u32,
    /// Publishes a second, over time.
    pub publish_rate: u32,
    /// Publishes at once after a pause; at least 1 is assumed where there is a rate.
    pub publish_burst: u32,
    /// Publishes in a calendar month (UTC).
    pub monthly_quota: u64,
}

/// The plain dispatch endpoint of a site: `POST /dispatch`.
#[derive(Clone, PartialEq, Eq)]
pub struct Dispatch {
    pub token: String,
    /// Loopback may dispatch without the token, and a socket without a token receives the dispatches.
    pub open: bool,
}

/// Masked, like [`Secrets`].
impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch")
            .field("token", &"masked")
            .field("open", &self.open)
            .finish()
    }
}

/// The id by which tokens and qualified channel names know a site.
pub fn site_id(site_key: &str) -> String {
    hex::encode(
        Sha256::new()
            .chain_update("site:")
            .chain_update(site_key)
            .finalize(),
    )
}

/// The id that a token carries beside the site's.
pub fn tenant_id(site_key: &str) -> String {
    hex::encode(
        Sha256::new()
            .chain_update("tenant:")
            .chain_update(site_key)
            .finalize(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_the_key() {
        let key = "0123456789abcdef0123456789abcdef";
        // printf 'site:%s' KEY | sha256sum
        assert_eq!(
            site_id(key),
            "85efa1fa3f9a64ba0ef5a644315bff74c044d324925e31e8c080c3e72284b56e"
        );
        assert_eq!(
            tenant_id(key),
            "5b076b58533aa42f8d51ad768105ec72c115c84c2ff136b424bab96b540f8c4e"
        );
    }

    #[test]
    fn the_previous_secret_works_until_it_runs_out() {
        let secrets = Secrets {
            current: "new".into(),
            previous: Some(("old".into(), 100)),
        };
        assert_eq!(secrets.valid(99).collect::<Vec<_>>(), ["new", "old"]);
        assert_eq!(secrets.valid(100).collect::<Vec<_>>(), ["new"]);
        assert_eq!(Secrets::only("new").valid(0).collect::<Vec<_>>(), ["new"]);
    }

    #[test]
    fn debug_output_has_no_secret() {
        let mut site = fixture::site(1);
        site.publish_secrets.previous = Some((fixture::JWT_SECRET.into(), 5));
        site.dispatch = Some(Dispatch {
            token: "dispatch-token".into(),
            open: false,
        });
        let text = format!("{site:?}");
        for secret in [fixture::PUBLISH_SECRET, fixture::JWT_SECRET, "dispatch-token"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn a_snapshot_knows_a_site_by_each_name() {
        let sites = Sites::new([fixture::site(1), fixture::site(2)]);
        let two = fixture::site(2);
        assert_eq!(sites.by_key(&two.key).unwrap().id, two.id);
        assert_eq!(sites.by_site_id(&two.site_id).unwrap().id, two.id);
        assert_eq!(sites.by_id(SiteId(2)).unwrap().key, two.key);
        assert!(sites.by_key(&two.site_id).is_none());
        assert_eq!((sites.len(), sites.iter().count()), (2, 2));
    }

    #[test]
    fn counters_outlive_a_snapshot() {
        let sites = Sites::new([fixture::site(1)]);
        let slot = sites.by_id(SiteId(1)).unwrap().connect().unwrap();
        let next = Sites::new([Site {
            live: sites.live(SiteId(1)),
            ..fixture::site(1)
        }]);
        assert_eq!(next.by_id(SiteId(1)).unwrap().live.connections(), 1);
        drop(slot);
        assert_eq!(next.by_id(SiteId(1)).unwrap().live.connections(), 0);
        assert_eq!(
            next.live(SiteId(9)).connections(),
            0,
            "a new site begins with none"
        );
    }
}
