//! `hookcast serve`

use std::process::ExitCode;

use super::{CliError, Common};
use crate::config::Config;
use crate::store::{Role, StoreHandle, site_defaults};
use crate::upgrade::Inheritance;

/// Start the relay
///
/// Runs until it gets SIGTERM or SIGINT, then closes sockets spread over `server.drain_ms`. SIGHUP reloads the settings,
/// SIGUSR2 (or `hookcast upgrade`) hands over to a new process of the same binary.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hookcast serve\n  \
    hookcast serve --listen 127.0.0.1:8080 --base-path /relay --public-url https://example.com/relay\n  \
    hookcast serve --config /etc/hookcast/hookcast.toml --set limits.connections_per_site_max=500")]
pub struct Args {
    /// Address to listen on; may be repeated [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Cores to use [default: all]
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Path that everything is served under, such as /relay
    #[arg(long, value_name = "PATH")]
    base_path: Option<String>,
    /// Address by which browsers and WordPress reach the relay
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// `auto`, `io_uring` or `epoll` [default: auto]
    #[arg(long, value_name = "DRIVER")]
    driver: Option<String>,
    /// `error`, `warn`, `info`, `debug`, `trace`, or by module [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// `text` or `json` [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Args {
    pub fn run(self, common: &Common) -> ExitCode {
        match Inheritance::from_environment() {
            Ok(None) => {}
            Ok(Some(inheritance)) => return self.succeed(common, inheritance),
            Err(e) => return CliError::failed(e).report(),
        }
        match self.open(common, Role::Server) {
            Ok((config, store)) => crate::boot::serve(config, store, None),
            Err(e) => e.report(),
        }
    }

    /// In the place of the process that started this one.
    fn succeed(self, common: &Common, mut inheritance: Inheritance) -> ExitCode {
        match self.open(common, Role::Successor) {
            Ok((config, store)) => crate::boot::serve(config, store, Some(inheritance)),
            Err(e) => {
                inheritance.refuse(&e.to_string());
                e.report()
            }
        }
    }

    fn open(self, common: &Common, role: Role) -> Result<(Config, StoreHandle), CliError> {
        let mut flags = Vec::new();
        let mut flag = |key: &str, value: Option<String>| {
            flags.extend(value.map(|value| (key.to_owned(), value)));
        };
        flag(
            "server.listen",
            (!self.listen.is_empty()).then(|| self.listen.join(",")),
        );
        flag("server.workers", self.workers);
        flag("server.base_path", self.base_path);
        flag("server.public_url", self.public_url);
        flag("server.driver", self.driver);
        flag("log.level", self.log_level);
        flag("log.format", self.log_format);
        let config = common.config_with(flags)?;
        let store = StoreHandle::open(&config.server.data_dir, role, site_defaults(&config))?;
        Ok((config, store))
    }
}
