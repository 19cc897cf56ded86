//! `hookcast check-config`, `print-config` and `reference`

use super::{CliError, Common, output};
use crate::config::{Config, Form};

/// Check the settings without starting anything
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hookcast check-config --config /etc/hookcast/hookcast.toml")]
pub struct CheckArgs {
    /// Print nothing when all is well
    #[arg(long, short)]
    quiet: bool,
}

impl CheckArgs {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let config = common.config()?;
        if self.quiet {
            return Ok(());
        }
        match config.file() {
            Some(file) => output::line(format!("{}: the settings are good", file.display())),
            None => output::line("the settings are good (no file: defaults, environment and flags)"),
        }
    }
}

/// Print the effective settings, secrets masked
#[derive(clap::Args)]
pub struct PrintArgs {
    /// As JSON instead of TOML
    #[arg(long)]
    json: bool,
}

impl PrintArgs {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let config = common.config()?;
        if self.json {
            output::json(&config.to_json())
        } else {
            output::line(config.to_toml().trim_end())
        }
    }
}

/// Print every setting with its default and meaning
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hookcast reference --form toml > hookcast.toml")]
pub struct ReferenceArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Form::Text)]
    form: Form,
}

impl ReferenceArgs {
    pub fn run(self) -> Result<(), CliError> {
        output::line(Config::reference(self.form).trim_end())
    }
}
