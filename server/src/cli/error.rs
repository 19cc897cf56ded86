//! How a subcommand fails.

use std::fmt;
use std::process::ExitCode;

use crate::config::ConfigError;
use crate::store::StoreError;

#[derive(Debug)]
pub enum CliError {
    /// Called in a way that makes no sense: exit code 2.
    Usage(String),
    /// Everything else: exit code 1.
    Failed(String),
    /// Whoever read the output has gone (`| head`): no failure.
    OutputClosed,
}

impl CliError {
    pub fn failed(text: impl fmt::Display) -> CliError {
        CliError::Failed(text.to_string())
    }

    pub fn usage(text: impl fmt::Display) -> CliError {
        CliError::Usage(text.to_string())
    }

    /// Tells the operator, and gives the process' exit code.
    pub fn report(self) -> ExitCode {
        let (text, code) = match self {
            CliError::Usage(text) => (text, 2),
            CliError::Failed(text) => (text, 1),
            CliError::OutputClosed => return ExitCode::SUCCESS,
        };
        for line in text.lines() {
            eprintln!("hookcast: {line}");
        }
        ExitCode::from(code)
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Usage(text) | CliError::Failed(text) => f.write_str(text),
            CliError::OutputClosed => f.write_str("whoever read the output has gone"),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(e: StoreError) -> Self {
        CliError::failed(e)
    }
}

impl From<ConfigError> for CliError {
    fn from(e: ConfigError) -> Self {
        CliError::failed(e)
    }
}
