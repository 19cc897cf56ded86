//! `cargo xtask test`: every check of the project, step by step.
//!
//! A step that fails does not keep the others from running; the last line counts them.

mod autobahn;
mod steps;

use crate::process;
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Args {
    /// Run only this step (may be given several times)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Leave this step out (may be given several times)
    #[arg(long, value_name = "STEP")]
    skip: Vec<String>,
    /// Take the full numbers (1,000 sockets for a minute) where a step has smaller ones by default
    #[arg(long)]
    full: bool,
    /// Name the steps
    #[arg(long)]
    list: bool,
}

/// One check: its name for `--only`, what it shows, and how it is run.
pub struct Step {
    pub name: &'static str,
    pub about: &'static str,
    pub run: fn() -> Result<Outcome>,
}

/// A step that ran to its end. A step that finds its means missing says which, and is counted apart.
pub enum Outcome {
    Passed,
    /// Passed only when it was run again; what went wrong before.
    SecondTry(String),
    Skipped(String),
}

pub fn main(args: Args) -> Result<()> {
    for name in args.only.iter().chain(&args.skip) {
        if !steps::ALL.iter().any(|step| step.name == name) {
            bail!("no step `{name}`: `cargo xtask test --list` names them");
        }
    }
    if args.list {
        for step in steps::ALL {
            println!("{:<12} {}", step.name, step.about);
        }
        return Ok(());
    }
    if args.full {
        // Read by the suites themselves, which other programs run.
        process::set_for_children("RELAY_TEST_FULL", "1");
    }
    let chosen = steps::ALL.iter().filter(|step| {
        (args.only.is_empty() || args.only.iter().any(|name| name == step.name))
            && !args.skip.iter().any(|name| name == step.name)
    });
    let results: Vec<_> = chosen.map(perform).collect();
    summarize(&results)
}

struct Performed {
    name: &'static str,
    took: Duration,
    result: Result<Outcome>,
}

fn perform(step: &Step) -> Performed {
    println!("\n== {}: {}", step.name, step.about);
    let begun = Instant::now();
    let result = (step.run)();
    let took = begun.elapsed();
    match &result {
        Ok(Outcome::Passed) => println!("== {}: passed in {:.1} s", step.name, took.as_secs_f64()),
        Ok(Outcome::SecondTry(first)) => println!(
            "== {}: passed at the second try in {:.1} s; the first: {first}",
            step.name,
            took.as_secs_f64()
        ),
        Ok(Outcome::Skipped(why)) => println!("== {}: skipped: {why}", step.name),
        Err(error) => println!(
            "== {}: FAILED after {:.1} s: {error:#}",
            step.name,
            took.as_secs_f64()
        ),
    }
    Performed {
        name: step.name,
        took,
        result,
    }
}

fn summarize(results: &[Performed]) -> Result<()> {
    println!();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for step in results {
        let word = match &step.result {
            Ok(Outcome::Passed) => {
                passed += 1;
                "passed".to_owned()
            }
            Ok(Outcome::SecondTry(_)) => {
                passed += 1;
                "passed at the second try: what failed first is above, and wants looking into".to_owned()
            }
            Ok(Outcome::Skipped(why)) => {
                skipped += 1;
                format!("skipped: {why}")
            }
            Err(error) => {
                failed += 1;
                format!("FAILED: {error:#}")
            }
        };
        println!("{:<12} {:>7.1} s  {word}", step.name, step.took.as_secs_f64());
    }
    println!();
    match skipped {
        0 => println!("{passed} passed, {failed} failed"),
        _ => println!("{passed} passed, {failed} failed, {skipped} skipped"),
    }
    if failed > 0 {
        bail!("{failed} of the steps failed");
    }
    if passed == 0 {
        bail!("no step ran");
    }
    Ok(())
}
