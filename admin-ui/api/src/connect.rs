//! One-click connect: WordPress asks, the operator decides, a one-time code carries the answer.

#[cfg(feature = "web")]
use hookcast_json::Json;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

/// The query of `/dashboard/connect`, as WordPress built it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConnectQuery {
    pub state: String,
    pub callback_url: String,
    pub site_url: String,
    #[serde(default)]
    pub site_name: String,
}

/// What the page shows before the operator decides. A query that must not be followed is an error instead
/// (`invalid_callback`, `invalid_state`, `invalid_request`), and there is then nowhere safe to send the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectDescription {
    pub site_url: String,
    pub site_name: String,
    pub callback_host: String,
    /// The callback is plain http: the code could be read on its way.
    pub insecure: bool,
    /// The URL is registered already: authorizing gives it new secrets and its old ones stop working.
    pub registered: bool,
    /// The signed-in user may authorize.
    pub may_authorize: bool,
}

/// POST a form with these fields to `action`.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectAuthorized {
    pub action: String,
    pub wps_state: String,
    pub wps_code: String,
}

/// Send the browser here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConnectCancelled {
    pub location: String,
}

/// `POST /api/connect/exchange`: WordPress redeems the code, once, within 10 minutes.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExchangeRequest {
    pub code: String,
}
