//! From rows to the snapshot that the shards read.

use rusqlite::Connection;

use super::{StoreError, sites, usage};
use crate::ids::SiteId;
use crate::site::{Dispatch, Site, SiteLimits, SiteStatus, Sites, site_id, tenant_id};

/// All sites as they are now. Counters of sites that `before` knew go on; a new site's month begins with what the store
/// has counted.
pub fn build(db: &Connection, before: &Sites, defaults: SiteLimits) -> Result<Sites, StoreError> {
    let mut all = Vec::new();
    for row in sites::all(db)? {
        let id = SiteId(row.id);
        let live = before.live(id);
        if before.by_id(id).is_none()
            && let Some((month, published)) = usage::last_month(db, row.id)?
        {
            live.month.restore(month, published);
        }
        let status = match (row.status, row.account_active && !row.deactivated) {
            (sites::Status::Archived, _) => SiteStatus::Archived,
            (sites::Status::Active, false) => SiteStatus::AccountDeactivated,
            (sites::Status::Active, true) => SiteStatus::Active,
        };
        all.push(Site {
            id,
            site_id: site_id(&row.site_key),
            tenant_id: tenant_id(&row.site_key),
            key: row.site_key,
            url: row.url,
            name: row.name,
            status,
            publish_secrets: row.publish_secrets,
            jwt_secrets: row.jwt_secrets,
            limits: row.limits.over(defaults),
            origins: row.origins,
            dispatch: row.dispatch_token.map(|token| Dispatch {
                token,
                open: row.dispatch_open,
            }),
            live,
        });
    }
    Ok(Sites::new(all))
}
