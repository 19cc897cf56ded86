//! `cargo xtask bench`: the ladder of micro-benchmarks, and the comparison with other servers.

mod uws;

use crate::{needs, process};
use anyhow::{Result, bail};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// Fewer and shorter rounds: the comparison within ten minutes
    #[arg(long)]
    quick: bool,
    /// Only the ladder: codec, signatures, hub, outbox, connection
    #[arg(long, conflicts_with = "comparison")]
    ladder: bool,
    /// Only the comparison
    #[arg(long)]
    comparison: bool,
    /// Options of the comparison itself, after `--` (see `-- --help`)
    #[arg(last = true)]
    options: Vec<String>,
}

/// nchan and Mosquitto, nginx to carry nchan, and what builds the peer on uWebSockets.
const PEERS: &[needs::Package] = &[
    needs::package("nginx-light", "/usr/sbin/nginx"),
    needs::package("libnginx-mod-nchan", "/usr/lib/nginx/modules/ngx_nchan_module.so"),
    needs::package("mosquitto", "/usr/sbin/mosquitto"),
    needs::package("g++", "/usr/bin/c++"),
];
/// What the comparison runs: each is linked with optimisation across all crates, which takes its time.
const PROGRAMS: &[&str] = &[
    "hookcast",
    "hookcast-load",
    "hookcast-compare",
    "peer-floor",
    "peer-axum",
];
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
const RUN_LIMIT: Duration = Duration::from_secs(2 * 3600);

pub fn main(args: Args) -> Result<()> {
    if std::thread::available_parallelism()?.get() < 2 {
        bail!("this machine has one core: the server and the load need one each");
    }
    if !args.ladder {
        comparison(&args)?;
    }
    if !args.comparison {
        ladder(args.quick)?;
    }
    Ok(())
}

fn comparison(args: &Args) -> Result<()> {
    if let Err(error) = needs::install(&[PEERS]) {
        // The comparison names whom it goes without.
        eprintln!("some peers cannot be had: {error:#}");
    }
    let mut build = vec!["build", "--release"];
    for package in ["hookcast", "hookcast-load", "hookcast-benches"] {
        build.extend(["-p", package]);
    }
    for program in PROGRAMS {
        build.extend(["--bin", program]);
    }
    process::run(process::cargo(&build), BUILD_LIMIT)?;
    let programs = process::target().join("release");
    if let Err(error) = uws::build(&programs) {
        eprintln!("the peer on uWebSockets cannot be had: {error:#}");
    }
    let mut command = process::command(programs.join("hookcast-compare"));
    command.arg("--programs").arg(&programs);
    command.arg("--out").arg(process::root().join("artifacts/bench"));
    if args.quick {
        command.arg("--quick");
    }
    command.args(&args.options);
    process::run(command, RUN_LIMIT)
}

fn ladder(quick: bool) -> Result<()> {
    let mut bench = vec!["bench", "-p", "hookcast-benches", "--bench", "ladder", "--"];
    if quick {
        bench.extend([
            "--warm-up-time",
            "0.3",
            "--measurement-time",
            "1",
            "--sample-size",
            "20",
        ]);
    }
    process::run(process::cargo(&bench), RUN_LIMIT)
}
