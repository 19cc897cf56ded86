//! One immutable view of all sites.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Site, SiteLive};
use crate::ids::SiteId;

/// All sites at one moment, by each of their names. Archived sites are in it, so that a refusal can tell them from strangers.
#[derive(Debug, Default)]
pub struct Sites {
    // Keys come from outside: the standard map's seeded hash keeps a client from choosing collisions.
    by_key: HashMap<String, Arc<Site>>,
    by_site_id: HashMap<String, Arc<Site>>,
    by_id: HashMap<SiteId, Arc<Site>>,
}

impl Sites {
    pub fn new(sites: impl IntoIterator<Item = Site>) -> Self {
        let mut all = Self::default();
        for site in sites {
            let site = Arc::new(site);
            all.by_key.insert(site.key.clone(), site.clone());
            all.by_site_id.insert(site.site_id.clone(), site.clone());
            all.by_id.insert(site.id, site);
        }
        all
    }

    pub fn by_key(&self, site_key: &str) -> Option<&Arc<Site>> {
        self.by_key.get(site_key)
    }

    pub fn by_site_id(&self, site_id: &str) -> Option<&Arc<Site>> {
        self.by_site_id.get(site_id)
    }

    pub fn by_id(&self, id: SiteId) -> Option<&Arc<Site>> {
        self.by_id.get(&id)
    }

    /// The counters of a site in this snapshot, for the next one to take over; fresh ones for a new site.
    pub fn live(&self, id: SiteId) -> Arc<SiteLive> {
        self.by_id
            .get(&id)
            .map(|site| site.live.clone())
            .unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.by_id.values()
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}
