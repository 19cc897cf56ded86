//! Triggers: what in WordPress (or in a webhook) becomes which event on which channel.
//!
//! A trigger looks at one JSON value, its input:
//! * action: the array of the hook's arguments, `0` being the first;
//! * post type: `{"id":…,"action":"published"|"updated"|"trashed"|"deleted","post":{…}}`;
//! * option: `{"option":…,"old":…,"new":…}`;
//! * webhook: the body;
//! * dispatch: `{"event":…,"data":…,"timestamp":…}`.
//!
//! A path is keys and indexes joined by dots (`1.post_title`, `order.items.0.sku`); the empty path is the whole input.

#[cfg(feature = "web")]
use hookcast_json::Json;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::{Millis, Value};

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Triggers {
    /// Grows with every change of the site's list; the ETag of `/site/triggers`.
    pub version: u64,
    pub triggers: Vec<Trigger>,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trigger {
    /// 16 hex characters, also the last part of a webhook's address.
    pub id: String,
    /// Grows with every change of this trigger; a change names the version that it read.
    pub version: u64,
    pub spec: TriggerSpec,
    pub created_at: Millis,
    pub updated_at: Millis,
    /// When the relay last published for it. Hooks that WordPress evaluates are counted when it says which trigger fired.
    pub last_fired_at: Option<Millis>,
    pub fired: u64,
    /// Why its last run published nothing (a missing path, a condition), in this run of the relay.
    pub last_problem: Option<String>,
    /// Webhook triggers: the address to give to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerSpec {
    pub name: String,
    pub enabled: bool,
    pub source: Source,
    pub channel: String,
    pub event: String,
    pub data: DataSpec,
    #[serde(default)]
    pub conditions: Conditions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A WordPress action hook.
    Action {
        hook: String,
        #[serde(default = "default_priority")]
        priority: i32,
        /// How many arguments the hook passes, 0 to 16.
        #[serde(default = "default_args")]
        args: u8,
    },
    /// Posts of a type are published, updated, trashed or deleted.
    PostType { post_type: String },
    /// An option changes.
    Option { option: String },
    /// A request to `/hooks/{id}`.
    Webhook { verify: WebhookVerify },
    /// A request to `/dispatch`; `event` absent takes every event that no other trigger names.
    Dispatch {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
    },
}

impl Source {
    /// Evaluated by WordPress rather than by the relay.
    pub fn is_wordpress(&self) -> bool {
        matches!(
            self,
            Source::Action { .. } | Source::PostType { .. } | Source::Option { .. }
        )
    }
}

fn default_priority() -> i32 {
    10
}

fn default_args() -> u8 {
    1
}

/// How a webhook's sender proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WebhookVerify {
    /// `X-WC-Webhook-Signature`: base64 of the body's HMAC-SHA256.
    #[serde(rename = "woocommerce")]
    WooCommerce,
    /// `X-Hub-Signature-256`: `sha256=` and the hex of the body's HMAC-SHA256.
    #[serde(rename = "github")]
    GitHub,
    /// `Authorization: Bearer {secret}`.
    Bearer,
}

/// What becomes the event's data.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DataSpec {
    /// An object with these fields; a path that is not there leaves its field out.
    Fields { fields: Vec<Field> },
    /// What the path names, as it is; `null` where it is not there.
    Whole {
        #[serde(default)]
        path: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub name: String,
    pub value: FieldValue,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum FieldValue {
    Path { path: String },
    Constant { value: Value },
}

#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Conditions {
    pub mode: Mode,
    /// Empty: always.
    pub rules: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    All,
    Any,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub path: String,
    pub comparison: Comparison,
    /// Unused by `exists` and `missing`.
    #[serde(default)]
    pub value: Value,
}

/// Text is compared as text and numbers as numbers; a number is equal to the text that spells it, because WordPress
/// passes both. A path that is not there satisfies only `missing`, `not_equals` and `not_contains`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    Equals,
    NotEquals,
    /// A text holds the value, or an array has it among its members.
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    GreaterThan,
    AtLeast,
    LessThan,
    AtMost,
    Exists,
    Missing,
}

impl Comparison {
    pub const ALL: [Comparison; 12] = [
        Comparison::Equals,
        Comparison::NotEquals,
        Comparison::Contains,
        Comparison::NotContains,
        Comparison::StartsWith,
        Comparison::EndsWith,
        Comparison::GreaterThan,
        Comparison::AtLeast,
        Comparison::LessThan,
        Comparison::AtMost,
        Comparison::Exists,
        Comparison::Missing,
    ];
}

/// `PUT`: the whole trigger as it shall be, and the version that it replaces.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerChange {
    pub version: u64,
    pub spec: TriggerSpec,
}

/// A created or changed trigger. A new webhook's secret is shown here, and else only after the password.
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SavedTrigger {
    pub trigger: Trigger,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WebhookSecretRequest {
    #[serde(default)]
    pub password: String,
    /// Make a new one; the old one stops working.
    #[serde(default)]
    pub renew: bool,
}

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookSecret {
    pub secret: String,
}

/// Every trigger's id, in the order they shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerOrder {
    pub ids: Vec<String>,
}

/// Triggers as a file: no ids, no secrets, readable by another relay.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerDocument {
    /// [`TriggerDocument::FORMAT`]
    pub format: String,
    pub triggers: Vec<TriggerSpec>,
}

impl TriggerDocument {
    pub const FORMAT: &'static str = "hookcast-triggers-1";
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerImport {
    /// Remove the site's triggers first; otherwise the document's are added after them.
    #[serde(default)]
    pub replace: bool,
    pub document: TriggerDocument,
}

/// Fires a trigger with an input of one's own.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TriggerTest {
    #[serde(default)]
    pub input: Value,
    /// Publish what comes out; otherwise only show it.
    #[serde(default)]
    pub publish: bool,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TriggerTestResult {
    /// Whether the conditions hold.
    pub matched: bool,
    pub published: bool,
    pub channel: String,
    pub event: String,
    pub data: Value,
    /// Paths that the input does not have.
    pub missing: Vec<String>,
}

/// `GET /site/triggers`: what WordPress evaluates, the enabled ones only, in their order.
#[cfg(feature = "serde")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteTriggers {
    pub version: u64,
    pub triggers: Vec<SiteTrigger>,
}

#[cfg(feature = "serde")]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteTrigger {
    pub id: String,
    #[serde(flatten)]
    pub spec: TriggerSpec,
}
