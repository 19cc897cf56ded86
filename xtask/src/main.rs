//! The project's own commands: `cargo xtask --help` lists them. One module a subcommand.

mod bench;
mod dist;
mod docs;
mod needs;
mod process;
mod run;
mod test;
mod ui;
mod wordpress;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, run, test and package hookcast")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build what is missing and start a relay with a data directory under the project
    Run(run::Args),
    /// Build the web app that the server carries
    Ui(ui::Args),
    /// Run every check of the project, or some of them
    Test(test::Args),
    /// Measure
    Bench(bench::Args),
    /// Start a real WordPress beside a relay
    Wordpress(wordpress::Args),
    /// Make the packages that are released
    Dist(dist::Args),
    /// Write the files that the binary prints: the settings' reference and the packaged configuration
    Docs(docs::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::main(args),
        Command::Ui(args) => ui::main(args),
        Command::Test(args) => test::main(args),
        Command::Bench(args) => bench::main(args),
        Command::Wordpress(args) => wordpress::main(args),
        Command::Dist(args) => dist::main(args),
        Command::Docs(args) => docs::main(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
