//! The comparison as one chart: CPU time for each delivery, by case and server.

use std::fmt::Write;

use crate::case::{CASES, Metric};
use crate::outcome::Outcome;
use crate::server::Kind;

const SERVERS: [(Kind, &str); 6] = [
    (Kind::Floor, "#9aa7b4"),
    (Kind::Hookcast, "#2266cc"),
    (Kind::Nchan, "#cc5522"),
    (Kind::Mosquitto, "#b08a1e"),
    (Kind::Axum, "#7a4fb5"),
    (Kind::Uws, "#2f8f5b"),
];
const WIDTH: f64 = 860.0;
const LEFT: f64 = 300.0;
const BAR: f64 = 15.0;

pub fn draw(outcome: &Outcome) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, outcome);
    out
}

fn write(out: &mut String, outcome: &Outcome) -> std::fmt::Result {
    type Bar = (Kind, &'static str, f64);
    let groups: Vec<(&str, Vec<Bar>)> = CASES
        .iter()
        .map(|case| {
            let bars = SERVERS.iter().filter_map(|(kind, color)| {
                Some((
                    *kind,
                    *color,
                    outcome.median(case.name, *kind, Metric::CpuPerDelivery)?,
                ))
            });
            (case.title, bars.collect::<Vec<_>>())
        })
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    let most = groups
        .iter()
        .flat_map(|(_, bars)| bars)
        .map(|bar| bar.2)
        .fold(f64::MIN_POSITIVE, f64::max);
    let rows: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    let height = 60.0 + rows as f64 * (BAR + 3.0) + groups.len() as f64 * 16.0;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"system-ui,sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\
         <text x=\"12\" y=\"24\" font-size=\"15\" fill=\"#1d2733\">Server CPU time for each delivery (microseconds, less is better)</text>"
    )?;
    let mut y = 44.0;
    for (title, bars) in &groups {
        writeln!(
            out,
            "<text x=\"12\" y=\"{:.0}\" fill=\"#1d2733\">{title}</text>",
            y + 12.0
        )?;
        for (kind, color, value) in bars {
            let length = value / most * (WIDTH - LEFT - 170.0);
            let (middle, end) = (y + 12.0, LEFT + length + 6.0);
            writeln!(
                out,
                "<rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{color}\"/>\
                 <text x=\"{end:.1}\" y=\"{middle:.0}\" fill=\"#5d6b7a\">{value:.2}  {}</text>",
                kind.name()
            )?;
            y += BAR + 3.0;
        }
        y += 16.0;
    }
    writeln!(out, "</svg>")
}
