//! The cases, and the goals that hookcast is held to.

use hookcast_load::report::Report;

use crate::server::Kind::{self, Axum, Floor, Hookcast, HookcastEpoll, HookcastTwo, Mosquitto, Nchan, Uws};

pub struct Case {
    pub name: &'static str,
    pub title: &'static str,
    /// Of `hookcast-load`.
    pub arguments: &'static [&'static str],
    pub servers: &'static [Kind],
    /// Rounds of a case that takes long, or whose numbers hardly vary.
    pub rounds_max: usize,
    /// Seconds below which the case says nothing.
    pub seconds_min: f64,
    pub goals: &'static [Goal],
}

pub struct Goal {
    /// Which of hookcast's forms is held to it.
    pub of: Kind,
    pub metric: Metric,
    /// None: the number itself.
    pub against: Option<Kind>,
    pub bound: Bound,
}

#[derive(Clone, Copy, Debug)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    CpuPerDelivery,
    P50,
    P99,
    Deliveries,
    PublishP99,
    CpuPerHandshake,
    Handshakes,
    MemoryPerConnection,
    CpuPerIdleSecond,
    LoadCore,
}

impl Metric {
    pub const ALL: [Self; 10] = [
        Self::CpuPerDelivery,
        Self::P50,
        Self::P99,
        Self::Deliveries,
        Self::PublishP99,
        Self::CpuPerHandshake,
        Self::Handshakes,
        Self::MemoryPerConnection,
        Self::CpuPerIdleSecond,
        Self::LoadCore,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Self::CpuPerDelivery => "CPU us/delivery",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::Deliveries => "deliveries/s",
            Self::PublishP99 => "publish p99 ms",
            Self::CpuPerHandshake => "CPU us/handshake",
            Self::Handshakes => "handshakes/s",
            Self::MemoryPerConnection => "bytes/connection",
            Self::CpuPerIdleSecond => "idle CPU us/s",
            Self::LoadCore => "load's core %",
        }
    }

    /// From a report; None where the case has no such number.
    pub fn of(self, report: &Report) -> Option<f64> {
        let part = report.parts.first()?;
        let server = report.server.as_ref()?;
        let latency = if part.sockets.count > 0 {
            &part.sockets
        } else {
            &part.streams
        };
        let quantile = |value: f64| (latency.count > 0).then_some(value);
        let storm = report.plan.parts.first()?.storm;
        let idle = part.sent == 0 && !storm;
        match self {
            Self::CpuPerDelivery => server.cpu_us_per_delivery,
            Self::P50 => quantile(latency.p50_ms),
            Self::P99 => quantile(latency.p99_ms),
            Self::Deliveries => (part.deliveries > 0).then_some(part.deliveries_per_second),
            Self::PublishP99 => (part.answers.count > 0).then_some(part.answers.p99_ms),
            Self::CpuPerHandshake => server.cpu_us_per_handshake,
            Self::Handshakes => storm.then(|| part.handshakes.count as f64 / report.plan.duration),
            Self::MemoryPerConnection => idle.then_some(server.bytes_per_connection).flatten(),
            Self::CpuPerIdleSecond => {
                (idle && part.opened > 0).then(|| server.cores * 1e6 / part.opened as f64)
            }
            // In a closed loop a full core of the load's bounds what a server can be seen to do.
            Self::LoadCore => {
                let closed = report.plan.parts.first()?.in_flight > 0;
                closed.then_some(report.client.cores * 100.0)
            }
        }
    }
}

impl Case {
    pub fn seconds(&self, wanted: f64) -> f64 {
        wanted.max(self.seconds_min)
    }
}

const fn ratio(metric: Metric, against: Kind, bound: Bound) -> Goal {
    Goal {
        of: Hookcast,
        metric,
        against: Some(against),
        bound,
    }
}

/// Needs a core for each shard and one for the load.
const fn two_shards(metric: Metric, bound: Bound) -> Goal {
    Goal {
        of: HookcastTwo,
        metric,
        against: Some(Hookcast),
        bound,
    }
}

const fn number(metric: Metric, bound: Bound) -> Goal {
    Goal {
        of: Hookcast,
        metric,
        against: None,
        bound,
    }
}

use Bound::{AtLeast, AtMost};
use Metric::{
    CpuPerDelivery, CpuPerIdleSecond, Deliveries, Handshakes, MemoryPerConnection, P50, P99, PublishP99,
};

const ALL: &[Kind] = &[Hookcast, HookcastEpoll, Floor, Nchan, Axum, Uws];

pub const CASES: &[Case] = &[
    Case {
        name: "ws-1000-10",
        title: "1,000 WebSockets, 10 publishes/s",
        arguments: &["fan-out", "-n", "1000", "--rate", "10"],
        servers: ALL,
        rounds_max: usize::MAX,
        seconds_min: 2.0,
        goals: &[
            ratio(CpuPerDelivery, Nchan, AtMost(0.72)),
            ratio(CpuPerDelivery, Floor, AtMost(1.10)),
        ],
    },
    Case {
        name: "ws-1000-100",
        title: "1,000 WebSockets, 100 publishes/s",
        arguments: &["fan-out", "-n", "1000", "--rate", "100"],
        servers: ALL,
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[
            ratio(CpuPerDelivery, Nchan, AtMost(0.76)),
            ratio(CpuPerDelivery, Floor, AtMost(1.10)),
            ratio(P50, Nchan, AtMost(0.8)),
            ratio(P99, Nchan, AtMost(0.62)),
        ],
    },
    Case {
        name: "ws-5000-20",
        title: "5,000 WebSockets, 20 publishes/s",
        arguments: &["fan-out", "-n", "5000", "--rate", "20"],
        servers: ALL,
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[
            ratio(CpuPerDelivery, Nchan, AtMost(0.67)),
            ratio(CpuPerDelivery, Floor, AtMost(1.10)),
            number(PublishP99, AtMost(5.0)),
        ],
    },
    Case {
        name: "sse-1000-100",
        title: "1,000 SSE streams, 100 publishes/s",
        arguments: &["fan-out", "-n", "1000", "--via", "sse", "--rate", "100"],
        servers: &[Hookcast, HookcastEpoll, Floor, Nchan, Axum],
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[ratio(CpuPerDelivery, Floor, AtMost(1.10))],
    },
    Case {
        name: "saturate-8",
        title: "1,000 WebSockets, 8 publishes under way",
        arguments: &["saturate", "-n", "1000", "--in-flight", "8"],
        servers: &[Hookcast, HookcastTwo, Floor, Nchan, Uws],
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[two_shards(Deliveries, AtLeast(1.8))],
    },
    Case {
        name: "saturate-32",
        title: "1,000 WebSockets, 32 publishes under way",
        arguments: &["saturate", "-n", "1000", "--in-flight", "32"],
        servers: ALL,
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[ratio(Deliveries, Nchan, AtLeast(20.0))],
    },
    Case {
        name: "rooms-2000",
        title: "200 rooms of 5, 2,000 messages/s over the sockets",
        arguments: &["rooms", "--rate", "2000"],
        servers: &[Hookcast, HookcastEpoll, Floor, Nchan, Mosquitto, Axum, Uws],
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[
            ratio(CpuPerDelivery, Nchan, AtMost(0.65)),
            ratio(P50, Nchan, AtMost(0.93)),
        ],
    },
    Case {
        name: "rooms-closed",
        title: "200 rooms of 5, each member with a message under way",
        arguments: &["rooms", "--in-flight", "1"],
        servers: &[Hookcast, HookcastEpoll, Floor, Nchan, Mosquitto, Axum, Uws],
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[
            ratio(Deliveries, Mosquitto, AtLeast(4.0)),
            ratio(Deliveries, Nchan, AtLeast(8.0)),
        ],
    },
    Case {
        name: "handshakes",
        title: "handshakes, 64 under way",
        arguments: &["handshakes", "--in-flight", "64"],
        servers: &[Hookcast, HookcastEpoll, Nchan, Axum, Uws],
        rounds_max: usize::MAX,
        seconds_min: 1.0,
        goals: &[ratio(Handshakes, Nchan, AtLeast(1.0))],
    },
    Case {
        name: "idle-9000",
        title: "9,000 idle WebSockets",
        arguments: &["idle", "--connections", "9000"],
        servers: &[Hookcast, Nchan, Uws],
        rounds_max: 1,
        // Every connection is pinged once.
        seconds_min: 20.0,
        goals: &[
            number(MemoryPerConnection, AtMost(1024.0)),
            number(CpuPerIdleSecond, AtMost(1.0)),
        ],
    },
];
