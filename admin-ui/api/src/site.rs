//! Sites: what is registered, its credentials, limits, dispatch and usage.

#[cfg(feature = "web")]
use hookcast_json::Json;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::{Millis, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sites {
    pub sites: Vec<Site>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SiteStatus {
    Active,
    /// Its key does not work and its sockets were closed with 4003; it can be restored.
    Archived,
    /// Switched off by the operator: refused with `account_deactivated`, which the plugin shows as such.
    AccountDeactivated,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Site {
    /// 32 hex characters; the site's name in this API's paths.
    pub site_key: String,
    /// As tokens and channel names spell it, 64 hex characters.
    pub site_id: String,
    pub name: String,
    pub url: String,
    pub status: SiteStatus,
    pub limits: SiteLimits,
    /// Browser origins that may open sockets; empty means any.
    pub origins: Vec<String>,
    pub created_at: Millis,
    pub archived_at: Option<Millis>,
    /// Until when the secrets before the last rotation still work.
    pub previous_secrets_until: Option<Millis>,
    /// Sockets and streams now.
    pub connections: u64,
    /// Publishes accepted this month (UTC), against `limits.messages_per_month`.
    pub published_this_month: u64,
    /// In this run of the relay; `None` until the first.
    pub last_publish_at: Option<Millis>,
    /// In this run of the relay; `None` until the first browser.
    pub last_connection_at: Option<Millis>,
    pub dispatch_enabled: bool,
    /// Shown in red: `/dispatch` from loopback and sockets on `/` need no token.
    pub dispatch_open: bool,
    pub triggers: u32,
    /// Payloads are in the event log until then, because an operator asked to see them.
    pub payloads_until: Option<Millis>,
}

/// `None` is the relay's own default, `Some(0)` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SiteLimits {
    pub connections: Option<u32>,
    pub publishes_per_second: Option<u32>,
    pub messages_per_month: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    pub url: String,
    /// Empty: the URL's host.
    #[serde(default)]
    pub name: String,
}

/// What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SiteChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<SiteLimits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origins: Option<Vec<String>>,
    /// Refuse the site with `account_deactivated`, or let it in again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated: Option<bool>,
}

/// A new site with the only unasked look at its credentials.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddedSite {
    pub site: Site,
    pub credentials: Credentials,
}

/// The three values of a site, as WordPress keeps them.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Credentials {
    pub site_key: String,
    pub publish_secret: String,
    pub jwt_secret: String,
}

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    #[serde(default)]
    pub password: String,
    /// How long the old secrets keep working, at most 7 days; 0 ends them at once.
    pub overlap_seconds: u32,
}

/// Archiving closes every socket: the site's name is typed to confirm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ArchiveRequest {
    pub confirm: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// Oldest first, a day without traffic included.
    pub days: Vec<UsageDay>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageDay {
    /// `2026-11-20`, UTC.
    pub day: String,
    pub publishes: u64,
    pub deliveries: u64,
    pub connections_peak: u64,
}

/// Lines to paste into wp-config.php, above "That's all, stop editing".
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WpConfig {
    /// For the WordSocket plugin: where the relay is. Holds no secret.
    pub lines: String,
}

/// Dispatch: unsigned JSON from simple scripts, see the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dispatch {
    pub enabled: bool,
    pub open: bool,
    /// `https://relay.example/dispatch`
    pub url: String,
    /// Enough to tell tokens apart; the token itself is shown when it is made.
    pub token_hint: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DispatchChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
}

/// A new dispatch token; the one before it stops working.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DispatchToken {
    pub token: String,
    /// The wp_remote_post call with the token filled in.
    pub php: String,
}

/// Publish by hand.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    pub channel: String,
    pub event: String,
    #[serde(default)]
    pub data: Value,
}

/// `POST /api/sites/register`: the plugin's contract, unknown fields are let through.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterRequest {
    pub site_url: String,
    #[serde(default)]
    pub site_name: String,
}

/// `POST /api/sites/unregister`: the plugin's contract.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnregisterRequest {
    pub site_key: String,
    pub publish_secret: String,
}
