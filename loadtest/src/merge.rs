//! The shares of one run put together: what was lost shows only here, since each share knows only its own sends.

use crate::latency::Latency;
use crate::plan::Share;
use crate::report::{PartReport, Report, Second};

pub fn merge(mut reports: Vec<Report>) -> Result<Report, String> {
    reports.sort_by_key(|report| report.share.index);
    let first = reports.first().ok_or("there is no report to merge")?;
    let shares: Vec<usize> = reports.iter().map(|report| report.share.index).collect();
    let wanted: Vec<usize> = (0..first.share.of).collect();
    if shares != wanted || reports.iter().any(|report| report.run != first.run) {
        return Err(format!(
            "these are not the {} shares of one run (--run and --share of each must fit together)",
            first.share.of
        ));
    }
    let parts: Result<Vec<PartReport>, String> = (0..first.parts.len())
        .map(|part| merge_part(&reports, part))
        .collect();
    let mut merged = Report {
        share: Share::WHOLE,
        parts: parts?,
        ..first.clone()
    };
    for report in &reports[1..] {
        report
            .closes
            .iter()
            .for_each(|(code, count)| *merged.closes.entry(*code).or_default() += count);
        for (text, count) in &report.failures {
            *merged.failures.entry(text.clone()).or_default() += count;
        }
        let client = &report.client;
        merged.client.cores = merged.client.cores.max(client.cores);
        merged.client.lag_p99_ms = merged.client.lag_p99_ms.max(client.lag_p99_ms);
        merged.client.bottleneck = merged.client.bottleneck.or_else(|| client.bottleneck.clone());
        merged.client.negative += client.negative;
        merged.server = merged.server.or_else(|| report.server.clone());
        merged.seconds = merged
            .seconds
            .iter()
            .zip(&report.seconds)
            .map(|(a, b)| together(a, b))
            .collect();
    }
    if let Some(server) = &mut merged.server {
        let deliveries: u64 = merged.parts.iter().map(|part| part.deliveries).sum();
        let connections: u64 = merged.parts.iter().map(|part| part.opened).sum();
        server.cpu_us_per_delivery = (deliveries > 0).then(|| server.cpu_seconds * 1e6 / deliveries as f64);
        let grown = server
            .memory_with_connections
            .saturating_sub(server.memory_before);
        server.bytes_per_connection = (connections > 0).then(|| grown as f64 / connections as f64);
    }
    merged.judge();
    Ok(merged)
}

fn merge_part(reports: &[Report], index: usize) -> Result<PartReport, String> {
    let parts: Option<Vec<&PartReport>> = reports.iter().map(|report| report.parts.get(index)).collect();
    let parts = parts.ok_or("the reports are of different plans")?;
    let mut merged = parts[0].clone();
    for part in &parts[1..] {
        if part.channels.len() != merged.channels.len() {
            return Err("the reports are of different plans".to_owned());
        }
        for (sum, channel) in merged.channels.iter_mut().zip(&part.channels) {
            sum.sent += channel.sent;
            sum.subscribers += channel.subscribers;
        }
        for (sum, count) in [
            (&mut merged.subscribers, part.subscribers),
            (&mut merged.opened, part.opened),
            (&mut merged.replaced, part.replaced),
            (&mut merged.reconnected, part.reconnected),
            (&mut merged.sent, part.sent),
            (&mut merged.refused, part.refused),
            (&mut merged.unanswered, part.unanswered),
            (&mut merged.skipped, part.skipped),
            (&mut merged.deliveries, part.deliveries),
            (&mut merged.gaps_told, part.gaps_told),
            (&mut merged.slow_closed, part.slow_closed),
            (&mut merged.ledger.received, part.ledger.received),
            (&mut merged.ledger.duplicates, part.ledger.duplicates),
            (&mut merged.ledger.reordered, part.ledger.reordered),
            (&mut merged.ledger.gaps, part.ledger.gaps),
            (&mut merged.ledger.leaked, part.ledger.leaked),
        ] {
            *sum += count;
        }
        merged.deliveries_per_second += part.deliveries_per_second;
    }
    merged.expected = merged.expected.map(|_| {
        merged
            .channels
            .iter()
            .map(|channel| channel.sent * channel.subscribers)
            .sum()
    });
    merged.sockets = Latency::merge(parts.iter().map(|part| &part.sockets))?;
    merged.streams = Latency::merge(parts.iter().map(|part| &part.streams))?;
    merged.answers = Latency::merge(parts.iter().map(|part| &part.answers))?;
    merged.handshakes = Latency::merge(parts.iter().map(|part| &part.handshakes))?;
    Ok(merged)
}

/// Of quantiles only the worse is known to hold for both.
fn together(a: &Second, b: &Second) -> Second {
    Second {
        at: a.at,
        counting: a.counting && b.counting,
        open: a.open + b.open,
        sent: a.sent + b.sent,
        delivered: a.delivered + b.delivered,
        p50_ms: a.p50_ms.max(b.p50_ms),
        p99_ms: a.p99_ms.max(b.p99_ms),
        server_cpu: a.server_cpu.max(b.server_cpu),
        own_cpu: a.own_cpu.max(b.own_cpu),
    }
}
