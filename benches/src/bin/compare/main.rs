//! The comparison: hookcast, the floor and other servers under the same load, in turn, on one machine.
//!
//! The server sits on one core and the load on another. All servers of a case run in turn, round after round, and what is
//! compared is the median of the ratios within each round: a neighbour that takes time from the machine takes it from all of
//! them. The first number to look at is the CPU time of the server for each delivery, which hardly depends on what else runs;
//! latencies do, so a machine without other work is the place to read them.

mod case;
mod chart;
mod outcome;
mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use hookcast_benches::cpu;
use hookcast_load::report::Report;

use case::{CASES, Case};
use outcome::{Outcome, Round};
use server::{Kind, Server};

/// Compare hookcast with other servers.
#[derive(Parser)]
struct Args {
    /// Fewer and shorter rounds: within ten minutes
    #[arg(long)]
    quick: bool,
    /// Rounds of each case
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of each measurement
    #[arg(long)]
    seconds: Option<f64>,
    /// Only cases whose name contains this
    #[arg(long)]
    case: Vec<String>,
    /// Only these servers
    #[arg(long, value_enum, value_delimiter = ',')]
    server: Vec<Kind>,
    /// Where hookcast, hookcast-load and the peers are
    #[arg(long)]
    programs: PathBuf,
    /// Where comparison.txt, .json and .svg go
    #[arg(long)]
    out: PathBuf,
    /// The server's core
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The load's core
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 7 });
    let seconds = args.seconds.unwrap_or(if args.quick { 1.25 } else { 4.0 });
    let wanted =
        |case: &&Case| args.case.is_empty() || args.case.iter().any(|part| case.name.contains(part.as_str()));
    let mut outcome = Outcome::new(rounds, seconds);
    for case in CASES.iter().filter(wanted) {
        let kinds: Vec<Kind> = case
            .servers
            .iter()
            .copied()
            .filter(|kind| args.server.is_empty() || args.server.contains(kind))
            .collect();
        for round in 0..rounds.min(case.rounds_max) {
            eprintln!("{} round {}", case.name, round + 1);
            let mut measured = Round::new();
            for turn in 0..kinds.len() {
                // Each round begins with another server, so that none always follows the same one.
                let kind = kinds[(turn + round) % kinds.len()];
                match measure(args, case, kind, seconds) {
                    Ok(report) => drop(measured.insert(kind, report)),
                    Err(error) => {
                        eprintln!("  {kind:?}: {error}");
                        outcome.not_measured(kind, error);
                    }
                }
            }
            outcome.add(case, measured);
        }
        println!("{}", outcome.table_of(case));
    }
    write(&args.out, &outcome)
}

/// One server under one case, from its start to its end.
fn measure(args: &Args, case: &Case, kind: Kind, seconds: f64) -> Result<Report, String> {
    cpu::pin(args.server_core).map_err(|error| format!("core {}: {error}", args.server_core))?;
    let server = Server::start(kind, &args.programs)?;
    let mut command = Command::new(args.programs.join("hookcast-load"));
    command
        .args(case.arguments)
        .args(["--url", &server.url(), "--dialect", server.dialect()]);
    command.args([
        "--core",
        &args.load_core.to_string(),
        "--pid",
        &server.id().to_string(),
    ]);
    command.args([
        "--json",
        "-",
        "--quiet",
        "--warmup",
        "0.5",
        "--connect-rate",
        "10000",
    ]);
    command.args(["--duration", &case.seconds(seconds).to_string()]);
    for (name, value) in server.credentials() {
        command.env(name, value);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("hookcast-load: {error}"))?;
    let report: Report = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("hookcast-load ended with {} and no report", output.status))?;
    for reason in &report.verdict.reasons {
        eprintln!("  {kind:?}: {reason}");
    }
    Ok(report)
}

fn write(directory: &Path, outcome: &Outcome) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let files: BTreeMap<&str, String> = [
        ("comparison.txt", outcome.text()),
        ("comparison.json", outcome.json()),
        ("comparison.svg", chart::draw(outcome)),
    ]
    .into();
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    println!("{}", outcome.goals());
    println!("written to {}", directory.display());
    Ok(())
}
