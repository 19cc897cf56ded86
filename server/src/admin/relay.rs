//! What the operator's side asks of the running relay.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use hookcast_api::insight::{Channels, Connections};

use super::exchange::Failure;
use crate::ids::{ConnId, SiteId};
use crate::insight::{LogOrigin, Surface};
use crate::site::{Refusal, Site};

/// A message to publish, not yet checked against the site's names and limits.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub channel: String,
    pub event: String,
    /// JSON.
    pub data: Bytes,
    pub origin: LogOrigin,
}

/// Which connections to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionQuery {
    pub site: Option<SiteId>,
    /// In user, address and channels.
    pub search: String,
    pub limit: usize,
}

/// Implemented over a shard; by a stand-in in the tests.
pub trait Relay {
    /// Checks names, rate and quota as for any publish, and queues the message.
    fn publish<'a>(
        &'a self,
        site: &'a Arc<Site>,
        message: Outgoing,
    ) -> LocalBoxFuture<'a, Result<(), Refusal>>;
    /// Whether there was such a connection.
    fn disconnect(&self, id: ConnId) -> LocalBoxFuture<'_, Result<bool, Failure>>;
    fn connections(&self, query: ConnectionQuery) -> LocalBoxFuture<'_, Result<Connections, Failure>>;
    fn channels(&self, site: SiteId) -> LocalBoxFuture<'_, Result<Channels, Failure>>;
    /// Raw sockets of an open site get what was dispatched to it, as it came.
    fn dispatch_raw(&self, site: SiteId, body: Bytes);
    /// Counts and lists a refusal.
    fn refused(
        &self,
        refusal: &Refusal,
        surface: Surface,
        site: Option<&Arc<Site>>,
        address: std::net::IpAddr,
    );
}
