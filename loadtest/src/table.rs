//! The report as a table for a terminal.

use std::fmt::Write;

use crate::latency::Latency;
use crate::report::{PartReport, Report};

#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(
        out,
        "\n{} against {}, {:.0} s counted",
        report.scenario, report.target, report.plan.duration
    )?;
    for part in &report.parts {
        part_rows(out, part)?;
    }
    if let Some(server) = &report.server {
        writeln!(out, "\nserver")?;
        row(
            out,
            "CPU",
            &format!(
                "{:.2} s, {:.0}% of a core",
                server.cpu_seconds,
                server.cores * 100.0
            ),
        )?;
        if let Some(cost) = server.cpu_us_per_delivery {
            row(out, "CPU per delivery", &format!("{cost:.3} us"))?;
        }
        if let Some(cost) = server.cpu_us_per_handshake {
            row(out, "CPU per handshake", &format!("{cost:.1} us"))?;
        }
        if let Some(bytes) = server.bytes_per_connection {
            row(out, "memory per connection", &format!("{bytes:.0} bytes"))?;
        }
    }
    writeln!(out, "\nload test")?;
    row(
        out,
        "CPU",
        &format!("{:.0}% of a core", report.client.cores * 100.0),
    )?;
    row(
        out,
        "own sends late, p99",
        &format!("{:.2} ms", report.client.lag_p99_ms),
    )?;
    writeln!(out)?;
    for note in &report.verdict.notes {
        writeln!(out, "note: {note}")?;
    }
    for reason in &report.verdict.reasons {
        writeln!(out, "fault: {reason}")?;
    }
    writeln!(out, "{}", if report.verdict.pass { "PASS" } else { "FAIL" })
}

fn part_rows(out: &mut String, part: &PartReport) -> std::fmt::Result {
    writeln!(out, "\n{}", part.name)?;
    row(
        out,
        "subscribers",
        &format!("{} of {} open", part.opened, part.subscribers),
    )?;
    if part.replaced > 0 {
        row(out, "replaced", &part.replaced.to_string())?;
    }
    if part.reconnected > 0 {
        row(out, "reconnected", &part.reconnected.to_string())?;
    }
    if part.slow_closed > 0 {
        row(out, "slow readers closed", &part.slow_closed.to_string())?;
    }
    if part.sent > 0 {
        row(out, "messages sent", &part.sent.to_string())?;
        let rate = part.deliveries_per_second;
        row(
            out,
            "deliveries",
            &format!("{} ({rate:.0} a second)", part.deliveries),
        )?;
        let expected = part
            .expected
            .map_or_else(String::new, |expected| format!(" of {expected}"));
        let counts = &part.ledger;
        let ledger = format!(
            "{}{expected} received, {} duplicates, {} out of order, {} gaps, {} leaked",
            counts.received, counts.duplicates, counts.reordered, counts.gaps, counts.leaked
        );
        row(out, "ledger", &ledger)?;
    }
    for (name, latency) in latencies(part) {
        row(out, name, &quantiles(latency))?;
    }
    Ok(())
}

/// The latencies that a part has, with their names.
pub fn latencies(part: &PartReport) -> impl Iterator<Item = (&'static str, &Latency)> {
    let all = [
        ("delivery, WebSocket", &part.sockets),
        ("delivery, SSE", &part.streams),
        ("publish answered", &part.answers),
        ("handshake", &part.handshakes),
    ];
    all.into_iter().filter(|(_, latency)| latency.count > 0)
}

fn quantiles(latency: &Latency) -> String {
    let Latency {
        p50_ms,
        p90_ms,
        p99_ms,
        p999_ms,
        max_ms,
        ..
    } = latency;
    format!("p50 {p50_ms:.2}  p90 {p90_ms:.2}  p99 {p99_ms:.2}  p99.9 {p999_ms:.2}  max {max_ms:.2} ms")
}

fn row(out: &mut String, name: &str, value: &str) -> std::fmt::Result {
    writeln!(out, "  {name:<22} {value}")
}
