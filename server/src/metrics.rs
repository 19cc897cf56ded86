//! `/metrics`: what the shards count, as Prometheus text.

use http::{HeaderValue, Method, header};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

use crate::connection::http::{Request, Response, full, refuse};
use crate::router::{self, Routed};
use crate::shard::counters::{LATENCY_BUCKETS, ShardCounters};
use crate::shard::run::Driver;
use crate::shard::{Context, Shards};
use crate::site::Refusal;
use crate::tls;

/// `/metrics` on the relay's own listener: behind `metrics.token`, and not there where none is set.
pub fn guarded(ctx: &Context, request: &Request) -> Response {
    let config = ctx.config();
    let Some(token) = &config.metrics.token else {
        return router::not_found();
    };
    let given = request
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or("");
    if !bool::from(given.as_bytes().ct_eq(token.expose().as_bytes())) {
        let message = "send the token of the setting metrics.token as Authorization: Bearer";
        return refuse(&Refusal::new(401, "unauthorized", message));
    }
    open(ctx)
}

/// `/metrics` for anyone who can reach the listener that asks.
pub fn open(ctx: &Context) -> Response {
    let mut response = Response::new(full(render(&ctx.shards, &ctx.driver, ctx.tls.as_ref())));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Answers on the listener of `metrics.listen`: these numbers and nothing else.
pub fn alone(ctx: &Context, request: &Request) -> Routed {
    if request.path() != "/metrics" {
        let message = "this listener serves /metrics and nothing else";
        return refuse(&Refusal::new(404, "not_found", message)).into();
    }
    router::only(request, &[Method::GET]).unwrap_or_else(|| open(ctx).into())
}

pub fn render(shards: &Shards, driver: &Driver, tls: Option<&Arc<tls::State>>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Relay {
        shards: shards.clone(),
        driver: driver.clone(),
        tls: tls.cloned(),
    }));
    let mut text = String::new();
    // With the end mark of OpenMetrics: without it Prometheus takes nothing.
    encode(&mut text, &registry).expect("a string takes all text");
    text
}

struct Relay {
    shards: Shards,
    driver: Driver,
    tls: Option<Arc<tls::State>>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

type Read = fn(&ShardCounters) -> u64;

/// Counters by shard: name, help, value.
const COUNTERS: &[(&str, &str, Read)] = &[
    ("hookcast_accepted", "Connections accepted", |c| c.accepted.read()),
    ("hookcast_handshakes", "WebSocket and stream handshakes", |c| {
        c.handshakes.read()
    }),
    ("hookcast_tls_handshakes", "TLS handshakes", |c| {
        c.tls_handshakes.read()
    }),
    (
        "hookcast_tls_handshake_failures",
        "TLS handshakes that failed, plain requests on a TLS port among them",
        |c| c.tls_failures.read(),
    ),
    ("hookcast_http_requests", "HTTP requests", |c| c.requests.read()),
    ("hookcast_publishes", "Messages accepted by their home", |c| {
        c.publishes.read()
    }),
    (
        "hookcast_duplicate_publishes",
        "Publishes answered as duplicates",
        |c| c.duplicates.read(),
    ),
    (
        "hookcast_client_messages",
        "Messages published by browsers",
        |c| c.client_messages.read(),
    ),
    ("hookcast_deliveries", "Frames queued for subscribers", |c| {
        c.deliveries.read()
    }),
    (
        "hookcast_dropped_frames",
        "Frames that a closing connection left unsent",
        |c| c.dropped.read(),
    ),
    ("hookcast_received_bytes", "Bytes read from sockets", |c| {
        c.bytes_in.read()
    }),
    ("hookcast_sent_bytes", "Bytes written to subscribers", |c| {
        c.bytes_out.read()
    }),
    ("hookcast_writes", "System calls that wrote to subscribers", |c| {
        c.writes.read()
    }),
    (
        "hookcast_blocked_writes",
        "Times that a socket took no more",
        |c| c.blocked.read(),
    ),
    (
        "hookcast_accept_pauses",
        "Times that accepting rested for want of room",
        |c| c.accept_pauses.read(),
    ),
];

const GAUGES: &[(&str, &str, Read)] = &[
    (
        "hookcast_http_connections",
        "Connections in the HTTP phase",
        |c| c.http_connections.read(),
    ),
    (
        "hookcast_write_queue",
        "Connections that wait to be written to",
        |c| c.dirty.read(),
    ),
    (
        "hookcast_mesh_queue",
        "Messages that wait for other shards",
        |c| c.mesh_depth.read(),
    ),
];

impl Collector for Relay {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, read) in COUNTERS {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for shard in self.shards.ids() {
                let value = read(self.shards.counters(shard));
                family
                    .encode_family(&[("shard", shard.0.to_string())])?
                    .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
            }
        }
        for (name, help, read) in GAUGES {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for shard in self.shards.ids() {
                let value = read(self.shards.counters(shard)) as i64;
                family
                    .encode_family(&[("shard", shard.0.to_string())])?
                    .encode_gauge(&value)?;
            }
        }
        self.encode_connections(&mut encoder)?;
        self.encode_labelled(
            &mut encoder,
            "hookcast_closed",
            "Closed connections",
            "reason",
            |c| c.closes.read(),
        )?;
        self.encode_labelled(&mut encoder, "hookcast_refusals", "Refusals", "code", |c| {
            c.refusals.read()
        })?;
        self.encode_latency(&mut encoder)?;
        self.encode_certificate(&mut encoder)?;
        let mut info = encoder.encode_descriptor("hookcast_build", "The relay", None, MetricType::Info)?;
        info.encode_info(&[
            ("version", env!("CARGO_PKG_VERSION")),
            ("driver", self.driver.name()),
        ])
    }
}

impl Relay {
    fn encode_connections(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(
            "hookcast_connections",
            "Open connections",
            None,
            MetricType::Gauge,
        )?;
        let transports: [(&str, Read); 2] =
            [("websocket", |c| c.sockets.read()), ("sse", |c| c.streams.read())];
        for shard in self.shards.ids() {
            for (transport, read) in transports {
                let labels = [
                    ("shard", shard.0.to_string()),
                    ("transport", transport.to_owned()),
                ];
                family
                    .encode_family(&labels)?
                    .encode_gauge(&(read(self.shards.counters(shard)) as i64))?;
            }
        }
        Ok(())
    }

    fn encode_labelled(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        label: &'static str,
        read: fn(&ShardCounters) -> Vec<(&'static str, u64)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for shard in self.shards.ids() {
            for (value, count) in read(self.shards.counters(shard)) {
                let labels = [("shard", shard.0.to_string()), (label, value.to_owned())];
                family
                    .encode_family(&labels)?
                    .encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        Ok(())
    }

    fn encode_certificate(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Some(tls) = &self.tls else { return Ok(()) };
        let health = &tls.health;
        let name = "hookcast_certificate_expires_seconds";
        let help =
            "When the TLS certificate in use ends, in seconds of the Unix clock; 0 while there is none";
        let expires_s = health.validity().map_or(0, |validity| validity.expires_s);
        encoder
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&(expires_s as i64))?;
        let counters = [
            (
                "hookcast_certificate_replacements",
                "TLS certificates taken into use",
                health.replaced(),
            ),
            (
                "hookcast_certificate_failures",
                "New TLS certificates that could not be had or used",
                health.failures(),
            ),
        ];
        for (name, help, value) in counters {
            encoder
                .encode_descriptor(name, help, None, MetricType::Counter)?
                .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
        }
        Ok(())
    }

    fn encode_latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "From a publish to its last write on a shard";
        let mut family =
            encoder.encode_descriptor("hookcast_delivery_seconds", help, None, MetricType::Histogram)?;
        for shard in self.shards.ids() {
            let latency = &self.shards.counters(shard).latency;
            let counts = latency.buckets();
            let buckets: Vec<(f64, u64)> = counts
                .iter()
                .enumerate()
                .map(|(n, count)| (bound(n), *count))
                .collect();
            let labels = [("shard", shard.0.to_string())];
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(
                latency.sum_us() as f64 / 1e6,
                counts.iter().sum(),
                &buckets,
                None,
            )?;
        }
        Ok(())
    }
}

/// The upper end of a bucket in seconds; the last one has none, which quantiles need to be told as `+Inf`.
fn bound(bucket: usize) -> f64 {
    if bucket + 1 == LATENCY_BUCKETS {
        f64::INFINITY
    } else {
        (1_u64 << bucket) as f64 / 1e6
    }
}
