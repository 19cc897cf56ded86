//! The store by its public face: what is answered is durable and visible, and stays so.

mod keeping;
mod sites;
mod writing;

use std::path::Path;

use hookcast::site::SiteLimits;
use hookcast::store::sites::{RegisteredBy, Registration, SiteRow};
use hookcast::store::{Role, StoreHandle};
use hookcast::trigger::NameLimits;

const NAMES: NameLimits = NameLimits {
    channel: 256,
    event: 128,
};
const NOW: u64 = 1_800_000_000_000;

fn open(dir: &Path) -> StoreHandle {
    StoreHandle::open(dir, Role::Tool, SiteLimits::default()).unwrap()
}

fn registration(url: &str) -> Registration<'_> {
    Registration {
        url,
        name: "",
        by: RegisteredBy::Cli,
        account_id: None,
        sites_max: 0,
    }
}

fn register(store: &StoreHandle, url: &'static str) -> SiteRow {
    store
        .write_blocking(move |tx| hookcast::store::sites::register(tx, &registration(url), NOW))
        .unwrap()
}
