//! The command line: what an operator types, and how it is answered.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed, 2 wrongly called.

mod admin;
mod apikey;
mod client;
mod common;
mod doctor;
mod error;
mod listen;
mod manual;
mod output;
mod proxy_config;
mod publish;
mod safekeeping;
mod serve;
mod settings;
mod site;
mod token;
mod upgrade;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

pub use client::{Stream, Target};
pub use common::Common;
pub use error::CliError;

#[derive(Parser)]
#[command(
    name = "hookcast",
    version,
    about = "A realtime relay for WordPress: signed publishes in, WebSocket and server-sent events out",
    after_help = "First steps:\n  \
        hookcast serve                                     start the relay on 127.0.0.1:8080\n  \
        hookcast site add --url https://shop.example       register a site, print its credentials\n  \
        hookcast listen --site https://shop.example --channels events\n  \
        hookcast publish --site https://shop.example --channel events --event hello --data '{\"n\":1}'\n\n\
        Exit codes: 0 done, 1 failed, 2 wrongly called.",
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 110
)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Upgrade(upgrade::Args),
    Site(site::Args),
    Apikey(apikey::Args),
    Admin(admin::Args),
    Token(token::Args),
    Publish(publish::Args),
    Listen(listen::Args),
    Backup(safekeeping::BackupArgs),
    Restore(safekeeping::RestoreArgs),
    Export(safekeeping::ExportArgs),
    Import(safekeeping::ImportArgs),
    Doctor(doctor::Args),
    ProxyConfig(proxy_config::Args),
    CheckConfig(settings::CheckArgs),
    PrintConfig(settings::PrintArgs),
    Reference(settings::ReferenceArgs),
    #[command(hide = true)]
    Complete(manual::CompleteArgs),
    #[command(hide = true)]
    Man(manual::ManArgs),
}

/// The program: reads its arguments, does what they say.
pub fn run() -> ExitCode {
    // clap ends the process itself: 0 after --help and --version, 2 after a wrong call.
    let Cli { common, command } = Cli::parse();
    let done = match command {
        Command::Serve(args) => return args.run(&common),
        Command::Upgrade(args) => args.run(&common),
        Command::Site(args) => args.run(&common),
        Command::Apikey(args) => args.run(&common),
        Command::Admin(args) => args.run(&common),
        Command::Doctor(args) => args.run(&common),
        Command::Token(args) => args.run(&common),
        Command::Publish(args) => args.run(&common),
        Command::Listen(args) => args.run(&common),
        Command::Backup(args) => args.run(&common),
        Command::Restore(args) => args.run(&common),
        Command::Export(args) => args.run(&common),
        Command::Import(args) => args.run(&common),
        Command::ProxyConfig(args) => args.run(&common),
        Command::CheckConfig(args) => args.run(&common),
        Command::PrintConfig(args) => args.run(&common),
        Command::Reference(args) => args.run(),
        Command::Complete(args) => args.run(Cli::command()),
        Command::Man(args) => args.run(Cli::command()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => e.report(),
    }
}

/// Reads a command line without doing what it says: how documents are checked that show some.
pub fn parse(words: &[String]) -> Result<(), clap::Error> {
    Cli::try_parse_from(words).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_subcommand_says_what_it_is_for() {
        fn walk(command: &clap::Command) {
            for sub in command.get_subcommands() {
                assert!(sub.get_about().is_some(), "{}", sub.get_name());
                for arg in sub.get_arguments() {
                    assert!(arg.get_help().is_some(), "{} {}", sub.get_name(), arg.get_id());
                }
                walk(sub);
            }
        }
        walk(&Cli::command());
    }
}
