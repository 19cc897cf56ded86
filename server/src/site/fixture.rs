//! A site for tests.

use super::*;

pub const PUBLISH_SECRET: &str = "1111111111111111111111111111111111111111111111111111111111111111";
pub const JWT_SECRET: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// An active site without limits; `number` tells several apart.
pub fn site(number: u32) -> Site {
    let key = format!("{number:032x}");
    Site {
        id: SiteId(number),
        site_id: site_id(&key),
        tenant_id: tenant_id(&key),
        key,
        url: format!("https://site-{number}.example"),
        name: format!("Site {number}"),
        status: SiteStatus::Active,
        publish_secrets: Secrets::only(PUBLISH_SECRET),
        jwt_secrets: Secrets::only(JWT_SECRET),
        limits: SiteLimits::default(),
        origins: Vec::new(),
        dispatch: None,
        live: Arc::default(),
    }
}
