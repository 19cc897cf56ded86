//! Latencies as they stand in a report: the usual quantiles, and the whole histogram, so that shares can be merged.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Latency {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
    /// Quantile and milliseconds, for a chart.
    pub curve: Vec<(f64, f64)>,
    /// HdrHistogram V2, deflated, in base64; in microseconds.
    pub histogram: String,
}

const CURVE: [f64; 14] = [
    0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0,
];

impl Latency {
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Self::default();
        }
        let ms = |us: u64| us as f64 / 1000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        let mut bytes = Vec::new();
        // Writing to a vector cannot fail.
        let _ = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
        Self {
            count: histogram.len(),
            mean_ms: histogram.mean() / 1000.0,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: ms(histogram.max()),
            curve: CURVE.iter().map(|quantile| (*quantile, at(*quantile))).collect(),
            histogram: STANDARD.encode(bytes),
        }
    }

    /// Of several shares together.
    pub fn merge<'a>(latencies: impl IntoIterator<Item = &'a Self>) -> Result<Self, String> {
        let mut sum: Option<Histogram<u64>> = None;
        for latency in latencies.into_iter().filter(|latency| latency.count > 0) {
            let bytes = STANDARD
                .decode(&latency.histogram)
                .map_err(|error| error.to_string())?;
            let histogram: Histogram<u64> = Deserializer::new()
                .deserialize(&mut bytes.as_slice())
                .map_err(|error| error.to_string())?;
            match &mut sum {
                Some(sum) => sum.add(&histogram).map_err(|error| error.to_string())?,
                None => sum = Some(histogram),
            }
        }
        Ok(sum.map(|sum| Self::of(&sum)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_latencies_are_those_of_all_together() {
        let mut parts = [Histogram::new(3).unwrap(), Histogram::new(3).unwrap()];
        let mut all = Histogram::new(3).unwrap();
        for value in 1..2000 {
            parts[value % 2].record(value as u64).unwrap();
            all.record(value as u64).unwrap();
        }
        let merged = Latency::merge(&parts.map(|part| Latency::of(&part))).unwrap();
        let all = Latency::of(&all);
        assert_eq!(
            (merged.count, merged.p99_ms, merged.max_ms),
            (all.count, all.p99_ms, all.max_ms)
        );
        assert_eq!(Latency::merge([]).unwrap().count, 0);
    }
}
