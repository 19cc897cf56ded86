//! Live insight: what the relay does now, pushed over one stream, and the event log.

#[cfg(feature = "web")]
use hookcast_json::Json;
#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::{Millis, Value};

/// Everything the overview shows: the answer of `GET /api/insight` and the first thing on a stream.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// The relay's clock, for the times in this answer.
    pub now: Millis,
    pub relay: Relay,
    pub tick: Tick,
    /// One point a second, oldest first, up to [`HISTORY_SECONDS`]: what the charts start with.
    pub history: Vec<Point>,
    pub attention: Vec<Attention>,
    /// Newest first, bounded.
    pub refusals: Vec<RefusalEntry>,
}

/// How far back [`Snapshot::history`] goes.
pub const HISTORY_SECONDS: usize = 300;

/// What does not change while the relay runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Relay {
    pub version: String,
    pub started_at: Millis,
    pub shards: u16,
    /// `io_uring` or `epoll`.
    pub driver: String,
    /// Why not io_uring, where it is epoll.
    pub driver_reason: Option<String>,
}

/// Sampled at most four times a second, and only while somebody watches.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tick {
    pub at: Millis,
    pub totals: Totals,
    pub rates: Rates,
    pub shards: Vec<ShardTick>,
    /// Only sites with a connection or traffic in this run.
    pub sites: Vec<SiteTick>,
}

/// Since the relay started, but for `sockets` and `streams`, which are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    pub sockets: u64,
    pub streams: u64,
    /// Messages accepted from WordPress, browsers, triggers and dispatch.
    pub publishes: u64,
    /// Copies queued to connections.
    pub deliveries: u64,
    /// Copies not delivered because a connection's outbox was full.
    pub drops: u64,
    pub refusals: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// Per second, over the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rates {
    pub publishes: f64,
    pub deliveries: f64,
    pub drops: f64,
    pub refusals: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    /// From publish to the last write, microseconds, over the last second; `None` without a delivery.
    pub latency_p50_us: Option<u64>,
    pub latency_p99_us: Option<u64>,
}

/// One second of history.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    pub at: Millis,
    pub sockets: u64,
    pub streams: u64,
    pub rates: Rates,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShardTick {
    pub shard: u16,
    pub totals: Totals,
    pub rates: Rates,
    pub channels: u64,
    /// Bytes waiting in this shard's outboxes.
    pub queued_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteTick {
    pub site_key: String,
    pub sockets: u64,
    pub streams: u64,
    pub publishes: u64,
    pub deliveries: u64,
    pub drops: u64,
    pub refusals: u64,
    pub publishes_per_second: f64,
    pub deliveries_per_second: f64,
}

/// Something the operator should look at, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attention {
    /// Stable, such as `driver_fell_back`, `fd_limit_near`, `site_refuses_browsers`, `dispatch_open`.
    pub code: String,
    pub severity: Severity,
    pub message: String,
    pub remedy: String,
    pub site_key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// One refused publish, socket or stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusalEntry {
    /// Grows by one with each refusal of this run.
    pub seq: u64,
    pub at: Millis,
    /// `None` where the request named no site of ours.
    pub site_key: Option<String>,
    /// What was refused: `publish`, `socket`, `stream`, `subscribe`, `message`, `webhook`, `dispatch`, …
    pub surface: String,
    pub code: String,
    pub message: String,
    pub address: Option<String>,
}

/// `GET /api/sites/{site}/refusals`
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusals {
    /// Newest first.
    pub refusals: Vec<RefusalEntry>,
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A signed `POST /publish`.
    #[serde(rename = "wordpress")]
    WordPress,
    Browser,
    Trigger,
    Dispatch,
    /// The publish form or an API key.
    Operator,
}

/// One message in the event log, which lives in memory only and is bounded.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogEntry {
    /// Grows by one with each entry of this run.
    pub seq: u64,
    pub at: Millis,
    pub site_key: String,
    pub channel: String,
    /// The event's name; `encrypted` where the relay cannot know it; empty for a binary frame.
    pub event: String,
    pub binary: bool,
    /// Of the data.
    pub bytes: u64,
    pub recipients: u32,
    /// From publish to the last write, microseconds; `None` while it is on its way, or with nobody to write to.
    pub last_write_us: Option<u64>,
    pub origin: Origin,
    /// Only while an operator has "show payloads" on for the site; cut at [`PAYLOAD_SHOWN_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
}

/// The event log keeps this many bytes of a payload.
pub const PAYLOAD_SHOWN_MAX: usize = 4096;

/// `GET /api/events?site=&after=&limit=`
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventLog {
    /// Oldest first.
    pub entries: Vec<LogEntry>,
    /// Entries between `after` and the first one here that memory no longer holds.
    pub missed: u64,
}

/// `GET /api/sites/{site}/channels`
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Channels {
    pub channels: Vec<Channel>,
    /// The site has more channels than the list shows.
    pub truncated: bool,
}

#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Channel {
    /// The bare name.
    pub name: String,
    pub subscribers: u32,
    /// Messages that a returning subscriber could still get.
    pub remembered: u32,
    pub members: Vec<Member>,
    pub members_truncated: bool,
}

/// A presence member. Its state is shown because the site's own browsers see it too.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Member {
    pub id: String,
    pub state: Value,
}

/// `GET /api/connections?site=&search=&limit=`
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connections {
    pub connections: Vec<Connection>,
    /// How many there are; the list holds the first of them.
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    #[serde(rename = "websocket")]
    WebSocket,
    Sse,
    /// A plain socket on `/` that receives an open site's dispatches.
    Raw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Connection {
    /// As presence names it.
    pub id: String,
    pub site_key: String,
    pub transport: Transport,
    /// From the token; `0` for visitors.
    pub user: String,
    pub address: String,
    pub shard: u16,
    pub opened_at: Millis,
    pub token_expires_at: Option<Millis>,
    pub channels: Vec<String>,
    /// Channels that it is a presence member of.
    pub present_in: Vec<String>,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Bytes in its outbox now.
    pub queued_bytes: u64,
    /// How long its oldest queued frame has waited, milliseconds.
    pub lag_ms: u64,
    pub dropped: u64,
}

/// Payloads enter the event log for this long at most, unless asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PayloadWatch {
    pub on: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PayloadWatchState {
    /// `None`: off.
    pub until: Option<Millis>,
}

/// What `GET /api/stream` sends, each as one unnamed Server-Sent Event. `?site={site_key}` narrows the log, the
/// refusals and the connections to a site; `?log=1` asks for the log, `?connections=1` for the connection table.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamEvent {
    /// First on every stream: replaces everything known before.
    Snapshot {
        api_version: u32,
        snapshot: Box<Snapshot>,
    },
    Tick {
        tick: Tick,
    },
    Attention {
        attention: Vec<Attention>,
    },
    /// New entries, oldest first. `missed` of them did not fit: a busy relay's log is sampled, its counts are not.
    Log {
        entries: Vec<LogEntry>,
        missed: u64,
    },
    /// Entries sent before, now with their recipients and `last_write_us`.
    LogWritten {
        entries: Vec<LogWritten>,
    },
    Refusals {
        entries: Vec<RefusalEntry>,
        missed: u64,
    },
    Connections {
        connections: Connections,
    },
    /// Something stored changed (by this or another operator, the plugin, the command line): read it again.
    Changed {
        what: Changed,
        site_key: Option<String>,
    },
    /// This stream fell behind and ends; open it again.
    TooSlow,
    /// The session ended or the relay stops.
    Closing {
        reason: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogWritten {
    pub seq: u64,
    pub recipients: u32,
    pub last_write_us: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "web", derive(Json))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    Sites,
    Triggers,
    Users,
    Keys,
}
