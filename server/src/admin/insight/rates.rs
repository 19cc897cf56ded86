//! From two readings of counters to rates.

use hookcast_api::insight::{Rates, Totals};

use crate::insight::Latency;

/// Per second, between two readings that lie `elapsed_ms` apart.
pub fn rates(before: &Totals, now: &Totals, elapsed_ms: u64) -> Rates {
    let per_second =
        |before: u64, now: u64| now.saturating_sub(before) as f64 * 1000.0 / elapsed_ms.max(1) as f64;
    Rates {
        publishes: per_second(before.publishes, now.publishes),
        deliveries: per_second(before.deliveries, now.deliveries),
        drops: per_second(before.drops, now.drops),
        refusals: per_second(before.refusals, now.refusals),
        bytes_in: per_second(before.bytes_in, now.bytes_in),
        bytes_out: per_second(before.bytes_out, now.bytes_out),
        latency_p50_us: None,
        latency_p99_us: None,
    }
}

pub fn with_latency(rates: Rates, latency: &Latency) -> Rates {
    Rates {
        latency_p50_us: latency.quantile(0.5),
        latency_p99_us: latency.quantile(0.99),
        ..rates
    }
}

pub fn sum<'a>(all: impl Iterator<Item = &'a Totals>) -> Totals {
    all.fold(Totals::default(), |sum, one| Totals {
        sockets: sum.sockets + one.sockets,
        streams: sum.streams + one.streams,
        publishes: sum.publishes + one.publishes,
        deliveries: sum.deliveries + one.deliveries,
        drops: sum.drops + one.drops,
        refusals: sum.refusals + one.refusals,
        bytes_in: sum.bytes_in + one.bytes_in,
        bytes_out: sum.bytes_out + one.bytes_out,
    })
}
