//! `hookcast site …`

use std::time::Duration;

use clap::{ArgGroup, Subcommand};
use serde_json::{Value, json};

use super::common::{Missing, moment, note, settle};
use super::{CliError, Common, output};
use crate::clock::unix_ms;
use crate::config::Config;
use crate::site::{SiteLimits, site_id};
use crate::store::sites::{self, LimitOverrides, RegisteredBy, Registration, Rotation, SiteRow, Status};
use crate::store::{StoreError, StoreHandle, site_defaults, site_url};

/// Register, list and change sites; a running relay takes changes up within a second
#[derive(clap::Args)]
#[command(after_help = "A SITE is a site key, a site's address, or the first 8 or more characters of a key.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Add(AddArgs),
    List(ListArgs),
    Show(ShowArgs),
    Rotate(RotateArgs),
    /// Disconnect a site: its sockets are closed and its key stops working
    Archive(OneArgs),
    /// Bring an archived site back with the credentials it had
    Restore(OneArgs),
    Rename(RenameArgs),
    Limits(LimitsArgs),
    Origins(OriginsArgs),
}

/// Register a site and print its credentials
///
/// A site that is registered already keeps the credentials it has, and they are printed again; an archived one comes back
/// with new ones.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hookcast site add --url https://shop.example --name Shop --json")]
struct AddArgs {
    /// The address of its WordPress
    #[arg(long)]
    url: String,
    /// A name for people [default: the host of the address]
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// List sites
#[derive(clap::Args)]
struct ListArgs {
    /// Archived ones too
    #[arg(long)]
    all: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Show a site
#[derive(clap::Args)]
struct ShowArgs {
    /// The site
    site: String,
    /// With its credentials
    #[arg(long)]
    secrets: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Give a site new secrets
///
/// The ones before keep working for --overlap, so that nothing is lost until WordPress has the new ones.
#[derive(clap::Args)]
#[command(
    group = ArgGroup::new("which").multiple(true),
    after_help = "Examples:\n  \
        hookcast site rotate https://shop.example --overlap 1h\n  \
        hookcast site rotate 9f2c4a61 --publish --overlap 0s     the old publish secret stops working at once"
)]
struct RotateArgs {
    /// The site
    site: String,
    /// Only the publish secret
    #[arg(long, group = "which")]
    publish: bool,
    /// Only the secret of browser tokens
    #[arg(long, group = "which")]
    jwt: bool,
    /// How long the ones before still work
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    overlap: Duration,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct OneArgs {
    /// The site
    site: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Give a site another name
#[derive(clap::Args)]
struct RenameArgs {
    /// The site
    site: String,
    /// Its new name
    name: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Show or change a site's own limits; `default` follows the settings, 0 is no limit
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hookcast site limits shop.example --connections 500 --quota default")]
struct LimitsArgs {
    /// The site
    site: String,
    /// Most sockets and streams at once
    #[arg(long, value_name = "N", value_parser = limit::<u32>)]
    connections: Option<Limit<u32>>,
    /// Publishes per second
    #[arg(long, value_name = "N", value_parser = limit::<u32>)]
    rate: Option<Limit<u32>>,
    /// Publishes at once
    #[arg(long, value_name = "N", value_parser = limit::<u32>)]
    burst: Option<Limit<u32>>,
    /// Publishes in a month
    #[arg(long, value_name = "N", value_parser = limit::<u64>)]
    quota: Option<Limit<u64>>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Show or change the browser origins that may connect to a site
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hookcast site origins shop.example https://shop.example https://www.shop.example\n  \
    hookcast site origins shop.example --any")]
struct OriginsArgs {
    /// The site
    site: String,
    /// The origins; they replace those before
    origins: Vec<String>,
    /// Any origin may connect
    #[arg(long, conflicts_with = "origins")]
    any: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A limit as typed: a number of the site's own, or the settings'.
#[derive(Clone, Copy, Debug)]
enum Limit<T> {
    Own(T),
    Default,
}

impl<T> Limit<T> {
    fn own(self) -> Option<T> {
        match self {
            Limit::Own(value) => Some(value),
            Limit::Default => None,
        }
    }
}

fn limit<T: std::str::FromStr>(text: &str) -> Result<Limit<T>, String> {
    match text {
        "default" => Ok(Limit::Default),
        number => number
            .parse()
            .map(Limit::Own)
            .map_err(|_| "expects a number, or `default`".to_owned()),
    }
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let missing = if matches!(self.command, Command::Add(_)) {
            Missing::Create
        } else {
            Missing::Refuse
        };
        let (config, store) = common.store(missing)?;
        let on = On {
            config: &config,
            store: &store,
        };
        match self.command {
            Command::Add(args) => on.add(args),
            Command::List(args) => on.list(args),
            Command::Show(ShowArgs { site, secrets, json }) => {
                let site = on.find(site)?;
                if secrets {
                    on.print_credentials(&site, json)
                } else {
                    on.print(&site, json)
                }
            }
            Command::Rotate(args) => on.rotate(args),
            Command::Archive(OneArgs { site, json }) => {
                let told = "is archived: its sockets are closed and its key stops working";
                on.changed(site, json, ("site.archived", ""), told, sites::archive)
            }
            Command::Restore(OneArgs { site, json }) => {
                let told = "is restored with the credentials it had";
                on.changed(site, json, ("site.restored", ""), told, sites::restore)
            }
            Command::Rename(RenameArgs { site, name, json }) => on.changed(
                site,
                json,
                ("site.changed", "name"),
                "is renamed",
                move |tx, key, now| sites::rename(tx, key, &name, now),
            ),
            Command::Limits(args) => on.limits(args),
            Command::Origins(OriginsArgs {
                site,
                origins,
                any,
                json,
            }) => {
                if origins.is_empty() && !any {
                    return on.find(site).and_then(|site| on.print(&site, json));
                }
                on.changed(
                    site,
                    json,
                    ("site.changed", "origins"),
                    "is changed",
                    move |tx, key, now| sites::set_origins(tx, key, &origins, now),
                )
            }
        }
    }
}

/// What the subcommands work on.
struct On<'a> {
    config: &'a Config,
    store: &'a StoreHandle,
}

impl On<'_> {
    fn find(&self, which: String) -> Result<SiteRow, CliError> {
        Ok(self.store.read_blocking(move |db| sites::find(db, &which))?)
    }

    fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, CliError> {
        let value = self.store.write_blocking(f)?;
        settle(self.config)?;
        Ok(value)
    }

    fn changed(
        &self,
        which: String,
        json: bool,
        (action, details): (&'static str, &'static str),
        told: &str,
        change: impl FnOnce(&rusqlite::Transaction<'_>, &str, u64) -> Result<SiteRow, StoreError> + Send + 'static,
    ) -> Result<(), CliError> {
        let site = self.write(move |tx| {
            let site = sites::find(tx, &which)?;
            let site = change(tx, &site.site_key, unix_ms())?;
            note(tx, action, Some(&site.site_key), &site.name, details)?;
            Ok(site)
        })?;
        if json {
            self.print(&site, true)
        } else {
            output::line(format!("{} {told}", site.url))
        }
    }

    fn add(&self, args: AddArgs) -> Result<(), CliError> {
        let sites_max = self.config.limits.sites_max;
        let (site, known) = self.write(move |tx| {
            let active = |site: &SiteRow| site.status == Status::Active;
            if let Some(site) = sites::by_url(tx, &site_url::normalise(&args.url)?)?.filter(active) {
                return Ok((site, true));
            }
            let new = Registration {
                url: &args.url,
                name: &args.name,
                by: RegisteredBy::Cli,
                account_id: None,
                sites_max,
            };
            let site = sites::register(tx, &new, unix_ms())?;
            note(tx, "site.added", Some(&site.site_key), &site.name, "")?;
            Ok((site, false))
        })?;
        if known {
            eprintln!(
                "hookcast: {} is registered already; these are the credentials it has",
                site.url
            );
        }
        self.print_credentials(&site, args.json)
    }

    fn print_credentials(&self, site: &SiteRow, json: bool) -> Result<(), CliError> {
        let credentials = site.credentials();
        if json {
            return output::json(&json!({
                "site_key": credentials.site_key,
                "publish_secret": credentials.publish_secret,
                "jwt_secret": credentials.jwt_secret,
                "site_id": site.site_id(),
                "site_url": site.url,
                "site_name": site.name,
            }));
        }
        output::line(format!("{} ({})", site.url, site.name))?;
        output::fields(&[
            ("site_key", credentials.site_key),
            ("publish_secret", credentials.publish_secret),
            ("jwt_secret", credentials.jwt_secret),
            ("site_id", site.site_id()),
        ])?;
        if let Some(url) = &self.config.server.public_url {
            eprintln!(
                "\nIn its wp-config.php:\n  define( 'WPSignal\\BASE_URL', '{}' );",
                url.as_str()
            );
        }
        Ok(())
    }

    fn list(&self, args: ListArgs) -> Result<(), CliError> {
        let mut all = self.store.read_blocking(sites::all)?;
        let archived = all.iter().filter(|site| site.status == Status::Archived).count();
        all.retain(|site| args.all || site.status == Status::Active);
        if args.json {
            return output::json(&all.iter().map(|site| self.as_json(site)).collect::<Vec<_>>());
        }
        let rows: Vec<[String; 5]> = all
            .iter()
            .map(|site| {
                [
                    site.site_key.clone(),
                    status(site).to_owned(),
                    moment(Some(site.created_ms)),
                    site.name.clone(),
                    site.url.clone(),
                ]
            })
            .collect();
        output::table(["SITE KEY", "STATUS", "CREATED", "NAME", "URL"], &rows)?;
        if archived > 0 && !args.all {
            eprintln!("hookcast: {archived} archived; --all lists them too");
        }
        Ok(())
    }

    fn rotate(&self, args: RotateArgs) -> Result<(), CliError> {
        let which = match (args.publish, args.jwt) {
            (true, false) => Rotation::Publish,
            (false, true) => Rotation::Jwt,
            _ => Rotation::Both,
        };
        let overlap_ms = u64::try_from(args.overlap.as_millis()).unwrap_or(u64::MAX);
        let site = self.write(move |tx| {
            let site = sites::find(tx, &args.site)?;
            let details = format!("{which:?}, the ones before for {overlap_ms} ms");
            note(
                tx,
                "site.secrets_rotated",
                Some(&site.site_key),
                &site.name,
                &details,
            )?;
            sites::rotate(tx, &site.site_key, which, overlap_ms, unix_ms())
        })?;
        self.print_credentials(&site, args.json)?;
        if overlap_ms > 0 {
            eprintln!(
                "hookcast: the secrets before work for {} more",
                humantime::format_duration(args.overlap)
            );
        }
        Ok(())
    }

    fn limits(&self, args: LimitsArgs) -> Result<(), CliError> {
        if args.connections.is_none() && args.rate.is_none() && args.burst.is_none() && args.quota.is_none() {
            return self.find(args.site).and_then(|site| self.print(&site, args.json));
        }
        let json = args.json;
        let site = self.write(move |tx| {
            let site = sites::find(tx, &args.site)?;
            let limits = LimitOverrides {
                connections_max: args.connections.map_or(site.limits.connections_max, Limit::own),
                publish_rate: args.rate.map_or(site.limits.publish_rate, Limit::own),
                publish_burst: args.burst.map_or(site.limits.publish_burst, Limit::own),
                monthly_quota: args.quota.map_or(site.limits.monthly_quota, Limit::own),
            };
            note(tx, "site.changed", Some(&site.site_key), &site.name, "limits")?;
            sites::set_limits(tx, &site.site_key, limits, unix_ms())
        })?;
        self.print(&site, json)
    }

    fn print(&self, site: &SiteRow, json: bool) -> Result<(), CliError> {
        if json {
            return output::json(&self.as_json(site));
        }
        let limit = |own: Option<u64>, effective: u64| {
            let number = if effective == 0 {
                "no limit".to_owned()
            } else {
                effective.to_string()
            };
            if own.is_some() {
                number
            } else {
                format!("{number} (from the settings)")
            }
        };
        let (own, effective) = (site.limits, self.effective(site));
        output::line(format!("{} ({})", site.url, site.name))?;
        output::fields(&[
            ("site_key", site.site_key.clone()),
            ("site_id", site.site_id()),
            ("status", status(site).to_owned()),
            ("registered by", site.registered_by.as_str().to_owned()),
            ("created", moment(Some(site.created_ms))),
            (
                "connections",
                limit(
                    own.connections_max.map(u64::from),
                    effective.connections_max.into(),
                ),
            ),
            (
                "publishes per second",
                limit(own.publish_rate.map(u64::from), effective.publish_rate.into()),
            ),
            (
                "publishes at once",
                limit(own.publish_burst.map(u64::from), effective.publish_burst.into()),
            ),
            (
                "publishes per month",
                limit(own.monthly_quota, effective.monthly_quota),
            ),
            (
                "origins",
                if site.origins.is_empty() {
                    "any".to_owned()
                } else {
                    site.origins.join(" ")
                },
            ),
        ])
    }

    fn effective(&self, site: &SiteRow) -> SiteLimits {
        site.limits.over(site_defaults(self.config))
    }

    /// Without secrets.
    fn as_json(&self, site: &SiteRow) -> Value {
        let effective = self.effective(site);
        json!({
            "site_key": site.site_key,
            "site_id": site_id(&site.site_key),
            "site_url": site.url,
            "site_name": site.name,
            "status": status(site),
            "registered_by": site.registered_by.as_str(),
            "limits": site.limits,
            "effective_limits": {
                "connections_max": effective.connections_max,
                "publish_rate": effective.publish_rate,
                "publish_burst": effective.publish_burst,
                "monthly_quota": effective.monthly_quota,
            },
            "origins": site.origins,
            "created_ms": site.created_ms,
            "updated_ms": site.updated_ms,
            "archived_ms": site.archived_ms,
        })
    }
}

fn status(site: &SiteRow) -> &'static str {
    match site.status {
        Status::Active if !site.account_active || site.deactivated => "account_deactivated",
        status => status.as_str(),
    }
}
