//! The report as one page that needs nothing from elsewhere: a table, and charts as inline SVG.

mod chart;

use std::fmt::Write;

use crate::report::Report;
use crate::table;
use chart::{Chart, Line};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2733;--soft:#5d6b7a;--paper:#fff;--rule:#d9e0e7;--a:#2266cc;--b:#cc5522;--c:#228855}\
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9aa7b4;--paper:#12171d;--rule:#2c3640;--a:#6aa5ff;--b:#ff9966;--c:#5fcf95}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}.soft{color:var(--soft)}\
.verdict{display:inline-block;padding:.2rem .8rem;border-radius:.3rem;color:#fff;font-weight:600}\
.pass{background:#1d7a46}.fail{background:#b3261e}\
table{border-collapse:collapse;width:100%}td,th{text-align:right;padding:.25rem .5rem;border-bottom:1px solid var(--rule);font-variant-numeric:tabular-nums}\
td:first-child,th:first-child{text-align:left}\
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--soft)}\
.grid{stroke:var(--rule)}.a{stroke:var(--a)}.b{stroke:var(--b)}.c{stroke:var(--c)}path{fill:none;stroke-width:1.8}\
.key .a{fill:var(--a)}.key .b{fill:var(--b)}.key .c{fill:var(--c)}.key rect{stroke:none}";

#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    let (word, class) = if report.verdict.pass {
        ("PASS", "pass")
    } else {
        ("FAIL", "fail")
    };
    let (scenario, target) = (escape(&report.scenario), escape(&report.target));
    write!(
        out,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>{scenario}: {word}</title><style>{STYLE}</style>\
         <h1>{scenario} <span class=\"verdict {class}\">{word}</span></h1>\
         <p class=soft>{target}, {:.0} s counted, run {:08x}, hookcast-load {}</p>",
        report.plan.duration, report.run, report.version
    )?;
    for (title, lines) in [
        ("Faults", &report.verdict.reasons),
        ("Notes", &report.verdict.notes),
    ] {
        if !lines.is_empty() {
            write!(out, "<h2>{title}</h2><ul>")?;
            lines
                .iter()
                .try_for_each(|line| write!(out, "<li>{}</li>", escape(line)))?;
            write!(out, "</ul>")?;
        }
    }
    numbers(out, report)?;
    charts(out, report)?;
    write!(
        out,
        "<h2>Everything</h2><pre>{}</pre></html>",
        escape(&table::render(report))
    )
}

fn numbers(out: &mut String, report: &Report) -> std::fmt::Result {
    write!(
        out,
        "<h2>Latency (ms)</h2><table><tr><th>part<th>what<th>count<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>"
    )?;
    for part in &report.parts {
        for (name, latency) in table::latencies(part) {
            write!(
                out,
                "<tr><td>{}<td>{name}<td>{}<td>{:.2}<td>{:.2}<td>{:.2}<td>{:.2}<td>{:.2}</tr>",
                escape(&part.name),
                latency.count,
                latency.p50_ms,
                latency.p90_ms,
                latency.p99_ms,
                latency.p999_ms,
                latency.max_ms
            )?;
        }
    }
    write!(out, "</table>")
}

fn charts(out: &mut String, report: &Report) -> std::fmt::Result {
    let over_time = |value: fn(&crate::report::Second) -> f64| -> Vec<(f64, f64)> {
        report
            .seconds
            .iter()
            .map(|second| (second.at, value(second)))
            .collect()
    };
    let line = |name: &str, points| Line {
        name: name.to_owned(),
        points,
    };
    let mut all = vec![
        Chart::over_time(
            "Deliveries a second",
            vec![line("delivered", over_time(|s| s.delivered))],
        ),
        Chart::over_time(
            "Latency in each second (ms)",
            vec![
                line("p50", over_time(|s| s.p50_ms)),
                line("p99", over_time(|s| s.p99_ms)),
            ],
        ),
        Chart::over_time(
            "CPU (% of a core)",
            vec![
                line("server", over_time(|s| s.server_cpu * 100.0)),
                line("load test", over_time(|s| s.own_cpu * 100.0)),
            ],
        ),
        Chart::over_time(
            "Open connections",
            vec![line("open", over_time(|s| s.open as f64))],
        ),
    ];
    for part in &report.parts {
        let lines: Vec<Line> = table::latencies(part)
            .map(|(name, latency)| {
                // Each step to the right is ten times rarer: 90%, 99%, 99.9%.
                let nines = |quantile: f64| -(1.0 - quantile.min(0.9999)).log10();
                line(
                    name,
                    latency.curve.iter().map(|(q, ms)| (nines(*q), *ms)).collect(),
                )
            })
            .collect();
        if !lines.is_empty() {
            let title = format!("{}: latency by quantile (ms)", part.name);
            all.push(Chart::by_quantile(&title, lines));
        }
    }
    all.iter().try_for_each(|chart| chart.draw(out))
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
