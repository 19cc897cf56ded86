//! `cargo xtask run`: from a fresh clone to a relay that answers.

use crate::{process, ui};
use anyhow::{Context as _, Result};
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// The address to listen on
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The data directory
    #[arg(long, default_value = "hookcast-data")]
    data_dir: String,
    /// Build as it is released (slower to build, faster to run)
    #[arg(long)]
    release: bool,
    /// Further arguments of `hookcast serve`
    #[arg(last = true)]
    serve: Vec<String>,
}

pub fn main(args: Args) -> Result<()> {
    ui::build_if_missing()?;
    let profile = if args.release { "release" } else { "fast" };
    process::run(
        process::cargo(&["build", "--package", "hookcast", "--profile", profile]),
        Duration::from_secs(3600),
    )?;
    let binary = process::target().join(profile).join("hookcast");
    println!();
    println!("The relay's data is in {}/. Ctrl-C stops it.", args.data_dir);
    println!("Add a site from another terminal:");
    println!(
        "  {} site add --data-dir {} --url https://example.com",
        binary.strip_prefix(process::root()).unwrap_or(&binary).display(),
        args.data_dir
    );
    println!(
        "Open http://{}/dashboard; the first time, the link that is printed here:",
        args.listen
    );
    println!();
    // The relay takes this process' place, so that Ctrl-C and its exit code are its own.
    let error = process::command(&binary)
        .args(["serve", "--listen", &args.listen, "--data-dir", &args.data_dir])
        .args(&args.serve)
        .exec();
    Err(error).with_context(|| binary.display().to_string())
}
