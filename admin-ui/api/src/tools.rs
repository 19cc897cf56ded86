//! Token tools, the audit log, the effective configuration, and the doctor's report.

#[cfg(feature = "web")]
use hookcast_json::Json;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::{Millis, Value};

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InspectRequest {
    pub token: String,
    /// Channels to try against the token's grants.
    #[serde(default)]
    pub channels: Vec<String>,
}

/// What a pasted token says, and what the relay makes of it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenReport {
    /// The decoded header and claims, where they can be read at all.
    pub header: Option<Value>,
    pub claims: Option<Value>,
    pub site_key: Option<String>,
    pub site_name: Option<String>,
    /// The relay would accept it now.
    pub accepted: bool,
    /// Why not, as the relay would say it.
    pub refusal: Option<TokenRefusal>,
    pub signature: SignatureCheck,
    pub user: Option<String>,
    /// 1 or 2.
    pub version: Option<u8>,
    pub issued_at: Option<Millis>,
    pub expires_at: Option<Millis>,
    /// The relay's clock.
    pub now: Millis,
    /// How far `iat` lies ahead of the relay's clock, seconds; a sign of a clock that is off where above 0.
    pub issued_ahead_seconds: Option<i64>,
    /// Bare prefixes; an empty one is every channel of the site.
    pub may_subscribe: Vec<String>,
    pub may_publish: Vec<String>,
    pub channels: Vec<ChannelCheck>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenRefusal {
    pub code: String,
    pub message: String,
    /// What a socket would be closed with.
    pub close_code: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SignatureCheck {
    /// Signed with the site's secret.
    Current,
    /// Signed with the secret before the last rotation, which still works.
    Previous,
    Wrong,
    /// No site of ours to check it against.
    Unchecked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChannelCheck {
    pub channel: String,
    pub subscribe: bool,
    pub publish: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MintRequest {
    pub user: String,
    /// Bare or qualified prefixes; an empty string is every channel of the site.
    pub subscribe: Vec<String>,
    pub publish: Vec<String>,
    /// 10 to 86,400.
    pub lifetime_seconds: u32,
}

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MintedToken {
    pub token: String,
    pub expires_at: Millis,
    /// `wss://relay.example/ws`, without the token.
    pub ws_url: String,
    pub sse_url: String,
}

/// `GET /api/audit?before=&limit=&site=`
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditLog {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// Pass as `before` for the next page; `None` at the end.
    pub next_before: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntry {
    pub id: u64,
    pub at: Millis,
    /// An email, `key: NAME`, `WordPress`, `command line`.
    pub actor: String,
    pub address: Option<String>,
    /// Stable: `site.added`, `site.secrets_rotated`, `login.refused`, …
    pub action: String,
    pub site_key: Option<String>,
    /// What it was done to, for people: a site's name, a user's email.
    pub subject: String,
    /// What changed, never a secret.
    pub details: String,
}

/// The effective configuration, secrets masked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EffectiveConfig {
    pub settings: Vec<Setting>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Setting {
    /// `server.listen`
    pub name: String,
    pub value: String,
    /// `default`, `file`, `environment` or `command line`.
    pub source: String,
    pub help: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DoctorRequest {
    /// Checked from outside through this URL; absent: the configured public URL.
    pub url: Option<String>,
    /// Also holds a socket open for more than 60 s.
    pub idle: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DoctorReport {
    pub at: Millis,
    pub url: Option<String>,
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// Stable: `driver`, `fd_limit`, `certificate`, `websocket`, …
    pub id: String,
    pub status: CheckStatus,
    /// What was looked at and found.
    pub finding: String,
    /// What to do, unless it is ok.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    Ok,
    Warning,
    Failed,
    /// Could not be looked at, because something before it failed or it was not asked for.
    Skipped,
}
