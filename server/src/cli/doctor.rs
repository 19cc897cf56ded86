//! `hookcast doctor`

use hookcast_api::tools::{Check, CheckStatus};

use super::common::Missing;
use super::{CliError, Common, Target, common, output};
use crate::clock::unix_ms;
use crate::doctor::{Inside, Outside, Trial, examine};
use crate::site::SiteStatus;

/// Look at the relay from inside and through its public URL, and say what to do
///
/// Fails when a check failed; warnings are none.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hookcast doctor\n  \
    hookcast doctor --url https://relay.example\n  \
    hookcast doctor --url https://example.com/relay --site https://shop.example --idle")]
pub struct Args {
    /// The address that WordPress and browsers use [default: server.public_url]
    #[arg(long)]
    url: Option<String>,
    /// The site to try a publish with: its key or address [default: the first active one]
    #[arg(long)]
    site: Option<String>,
    /// Also hold a socket open for more than a minute
    #[arg(long)]
    idle: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let config = common.config()?;
        let now_ms = unix_ms();
        let store = common.store(Missing::Refuse).map(|(_, store)| store);
        let trial = match (&store, &self.site) {
            (Err(_), None) => None,
            (Ok(store), None) => {
                let sites = store.sites();
                let active = sites.iter().find(|site| site.status == SiteStatus::Active);
                active.map(|site| Trial::of(site, now_ms))
            }
            (Ok(store), Some(which)) => Some(Trial::of(&*common::site(store, which)?, now_ms)),
            (Err(_), Some(_)) => {
                return Err(CliError::usage(
                    "--site needs the relay's store: pass its --data-dir",
                ));
            }
        };
        let url = self.url.or_else(|| {
            config
                .server
                .public_url
                .as_ref()
                .map(|url| url.as_str().to_owned())
        });
        let target = url.as_deref().map(Target::parse).transpose()?;
        let idle = self.idle;
        let outside = url.zip(target).map(|(url, target)| Outside {
            url,
            target,
            trial,
            idle,
        });
        let report = examine(
            &Inside {
                config: &config,
                driver: None,
                certificate_problem: None,
                now_ms,
            },
            outside.as_ref(),
            now_ms,
        );
        if self.json {
            output::json(&report)?;
        } else {
            for check in &report.checks {
                print(check)?;
            }
        }
        match report
            .checks
            .iter()
            .filter(|check| check.status == CheckStatus::Failed)
            .count()
        {
            0 => Ok(()),
            1 => Err(CliError::failed("one check failed")),
            more => Err(CliError::failed(format!("{more} checks failed"))),
        }
    }
}

fn print(check: &Check) -> Result<(), CliError> {
    let status = match check.status {
        CheckStatus::Ok => "ok",
        CheckStatus::Warning => "warning",
        CheckStatus::Failed => "failed",
        CheckStatus::Skipped => "skipped",
    };
    output::line(format!("{status:<8} {:<18} {}", check.id, check.finding))?;
    match &check.remedy {
        Some(remedy) => output::line(format!("{:<8} {:<18} → {remedy}", "", "")),
        None => Ok(()),
    }
}
