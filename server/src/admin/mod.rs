//! The operator's side: accounts and sessions, the JSON API, what WordPress and webhooks call, and live insight.
//!
//! [`Admin`] knows no socket: it takes an [`Ask`] and gives an [`Answer`], and asks the running relay through [`Relay`].
//! Nothing here blocks a shard: the store, passwords and the gathering of insight have threads of their own. Secrets are in
//! answers that show them on purpose, and nowhere else: not in the audit log, not in the log, not in errors.

mod accounts;
mod call;
mod connect;
mod connector;
mod dispatch;
mod exchange;
mod fired;
mod guard;
mod http;
pub mod insight;
mod keys;
pub mod openapi;
pub mod passwords;
mod plugin;
mod relay;
mod routing;
mod sessions;
mod setup;
mod shards;
mod sites;
mod throttle;
mod tokens;
mod tools;
mod triggers;
mod users;
mod webhooks;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::accounts::check_email;
pub use self::http::{extra_ms, handle, owns};
pub use exchange::{Answer, AnswerBody, Ask, Failure};
pub use relay::{Outgoing, Relay};
pub use setup::SetupLink;
pub use shards::ShardSource;

use fired::Fired;
use insight::Insight;
use passwords::{Cost, Passwords};
use throttle::Throttle;

use crate::ids::SiteId;
use crate::store::{StoreError, StoreHandle, accounts as stored_accounts};

/// The operator's side of one relay; every shard holds the same one.
pub struct Admin {
    store: StoreHandle,
    passwords: Passwords,
    throttle: Throttle,
    setup: SetupLink,
    fired: Fired,
    examining: tools::Examining,
    insight: Arc<Insight>,
}

impl Admin {
    pub fn new(store: StoreHandle, insight: Arc<Insight>) -> std::io::Result<Admin> {
        Admin::with_cost(store, insight, Cost::default())
    }

    fn with_cost(store: StoreHandle, insight: Arc<Insight>, cost: Cost) -> std::io::Result<Admin> {
        Ok(Admin {
            fired: Fired::start(store.clone())?,
            passwords: Passwords::start(cost)?,
            throttle: Throttle::default(),
            setup: SetupLink::default(),
            examining: tools::Examining::default(),
            insight,
            store,
        })
    }

    /// The one-time token for the set-up link, while there is no owner. `None` once somebody owns the relay.
    pub fn setup_token(&self) -> Result<Option<String>, StoreError> {
        let owned = self.store.read_blocking(stored_accounts::any_owner)?;
        Ok((!owned).then(|| self.setup.token().to_owned()))
    }

    /// WordPress published for a trigger that it evaluated itself.
    pub fn fired_in_wordpress(&self, site: SiteId, trigger: &str, now_ms: u64) {
        self.fired.fired_in_wordpress(site, trigger, now_ms);
    }

    pub fn insight(&self) -> &Arc<Insight> {
        &self.insight
    }
}
