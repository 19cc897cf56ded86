//! What was measured, as tables and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write;

use hookcast_load::report::Report;
use serde::Serialize;

use crate::case::{Bound, CASES, Case, Goal, Metric};
use crate::server::Kind;

/// The servers of one round.
pub type Round = BTreeMap<Kind, Report>;

/// What each server came to in one round.
type Numbers = BTreeMap<Kind, BTreeMap<Metric, f64>>;

#[derive(Serialize)]
pub struct Outcome {
    machine: String,
    rounds: usize,
    seconds: f64,
    cores: usize,
    cases: BTreeMap<&'static str, Vec<Numbers>>,
    /// Servers that could not be measured, and why.
    missing: BTreeMap<Kind, String>,
}

/// Two shards and the load.
const CORES_FOR_TWO_SHARDS: usize = 3;

impl Outcome {
    pub fn new(rounds: usize, seconds: f64) -> Self {
        Self {
            machine: machine(),
            rounds,
            seconds,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cases: BTreeMap::new(),
            missing: BTreeMap::new(),
        }
    }

    pub fn add(&mut self, case: &Case, round: Round) {
        let numbers = round
            .into_iter()
            .map(|(kind, report)| {
                let numbers = Metric::ALL
                    .into_iter()
                    .filter_map(|metric| Some((metric, metric.of(&report)?)));
                (kind, numbers.collect())
            })
            .collect();
        self.cases.entry(case.name).or_default().push(numbers);
    }

    /// Notes why a server is not in the tables: the first reason stands.
    pub fn not_measured(&mut self, kind: Kind, why: String) {
        self.missing.entry(kind).or_insert(why);
    }

    /// The median over all rounds.
    pub fn median(&self, case: &str, kind: Kind, metric: Metric) -> Option<f64> {
        median(
            self.cases
                .get(case)?
                .iter()
                .filter_map(|round| round.get(&kind)?.get(&metric).copied())
                .collect(),
        )
    }

    /// The median of the ratios within each round.
    fn ratio(&self, case: &str, kind: Kind, metric: Metric, against: Kind) -> Option<f64> {
        let ratios = self.cases.get(case)?.iter().filter_map(|round| {
            let of = |kind: Kind| round.get(&kind)?.get(&metric).copied();
            Some(of(kind)? / of(against)?)
        });
        median(ratios.collect())
    }

    pub fn table_of(&self, case: &Case) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_table(&mut out, case);
        out
    }

    fn write_table(&self, out: &mut String, case: &Case) -> std::fmt::Result {
        let metrics: Vec<Metric> = Metric::ALL
            .into_iter()
            .filter(|metric| {
                case.servers
                    .iter()
                    .any(|kind| self.median(case.name, *kind, *metric).is_some())
            })
            .collect();
        writeln!(out, "\n{} ({})", case.title, case.name)?;
        write!(out, "{:<22}", "")?;
        metrics
            .iter()
            .try_for_each(|metric| write!(out, "{:>17}", metric.title()))?;
        // The cost against the two that stand for "the best there is" and "the least there can be".
        let cost = if metrics.contains(&Metric::CpuPerHandshake) {
            Metric::CpuPerHandshake
        } else {
            Metric::CpuPerDelivery
        };
        writeln!(out, "{:>12}{:>12}", "CPU/nchan", "CPU/floor")?;
        for kind in case.servers {
            write!(out, "{:<22}", kind.name())?;
            for metric in &metrics {
                match self.median(case.name, *kind, *metric) {
                    Some(value) => write!(out, "{:>17}", plain(value))?,
                    None => write!(out, "{:>17}", "-")?,
                }
            }
            for against in [Kind::Nchan, Kind::Floor] {
                match self.ratio(case.name, *kind, cost, against) {
                    Some(ratio) => write!(out, "{ratio:>12.2}")?,
                    None => write!(out, "{:>12}", "-")?,
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }

    /// Each goal with what was reached.
    pub fn goals(&self) -> String {
        let mut out = String::from("\ngoals\n");
        for case in CASES {
            for goal in case.goals {
                if goal.of == Kind::HookcastTwo && self.cores < CORES_FOR_TWO_SHARDS {
                    let _ = writeln!(
                        out,
                        "open   {:<14} two shards against one: the load needs a core of its own, and there are {}",
                        case.name, self.cores
                    );
                } else if let Some(reached) = self.reached(case, goal) {
                    let _ = writeln!(out, "{}", describe(case, goal, reached));
                }
            }
        }
        out += &self.streams_against_sockets().unwrap_or_default();
        for (kind, why) in &self.missing {
            let _ = writeln!(out, "not measured: {}: {why}", kind.name());
        }
        out
    }

    /// The one goal across two cases. Their rounds are minutes apart, so the ratio of the two floors stands beside it: far
    /// from 1 it says that the machine was not the same.
    fn streams_against_sockets(&self) -> Option<String> {
        let ratio = |kind| {
            let of = |case| self.median(case, kind, Metric::CpuPerDelivery);
            Some(of("sse-1000-100")? / of("ws-1000-100")?)
        };
        let reached = ratio(Kind::Hookcast)?;
        let mark = if reached <= 1.05 { "met   " } else { "MISSED" };
        let floors =
            ratio(Kind::Floor).map_or_else(String::new, |floors| format!("; of the floors: {floors:.2}"));
        Some(format!(
            "{mark} {:<14} {:<17} {reached:>9.3} x our own WebSocket (goal: at most 1.05{floors})\n",
            "sse-1000-100",
            Metric::CpuPerDelivery.title()
        ))
    }

    fn reached(&self, case: &Case, goal: &Goal) -> Option<f64> {
        match goal.against {
            Some(against) => self.ratio(case.name, goal.of, goal.metric, against),
            None => self.median(case.name, goal.of, goal.metric),
        }
    }

    pub fn text(&self) -> String {
        let mut out = format!("{}; {} rounds of {} s\n", self.machine, self.rounds, self.seconds);
        for case in CASES.iter().filter(|case| self.cases.contains_key(case.name)) {
            out += &self.table_of(case);
        }
        out + &self.goals()
    }

    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn describe(case: &Case, goal: &Goal, reached: f64) -> String {
    let (word, bound, met) = match goal.bound {
        Bound::AtMost(bound) => ("at most", bound, reached <= bound),
        Bound::AtLeast(bound) => ("at least", bound, reached >= bound),
    };
    let against = goal
        .against
        .map_or_else(String::new, |kind| format!(" x {}", kind.name()));
    let mark = if met { "met   " } else { "MISSED" };
    format!(
        "{mark} {:<14} {:<17} {:>9}{against} (goal: {word} {bound})",
        case.name,
        goal.metric.title(),
        plain(reached)
    )
}

fn plain(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn machine() -> String {
    let first = |path: &str, line: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let found = text
            .lines()
            .find(|found| found.starts_with(line))
            .map(str::to_owned);
        found
            .and_then(|found| found.split_once(':').map(|(_, value)| value.trim().to_owned()))
            .unwrap_or_default()
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{}, {cores} cores, Linux {}",
        first("/proc/cpuinfo", "model name"),
        kernel.trim()
    )
}
