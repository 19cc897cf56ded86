//! One module a page.

pub mod connect;
pub mod connections;
pub mod events;
pub mod gate;
pub mod guide;
pub mod login;
pub mod overview;
pub mod settings;
pub mod setup;
pub mod site;
pub mod sites;
pub mod tokens;
pub mod triggers;
