//! `hookcast apikey …`

use std::time::Duration;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::json;

use super::common::{Missing, moment, note};
use super::{CliError, Common, output};
use crate::clock::unix_ms;
use crate::store::api_keys::{self, ApiKey};

/// Make and revoke API keys, with which WordPress registers itself
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key; it is shown this once
    #[command(after_help = "Example:\n  hookcast apikey create --name shop")]
    Create {
        /// A name to know it by
        #[arg(long, default_value = "WordPress")]
        name: String,
        /// What it may do; may be repeated
        #[arg(long = "scope", value_name = "SCOPE", default_value = api_keys::SCOPE_REGISTER,
              value_parser = PossibleValuesParser::new(api_keys::SCOPES))]
        scopes: Vec<String>,
        /// When it stops working, from now (such as 90d) [default: never]
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires: Option<Duration>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List the keys, without themselves
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a key useless, at once
    Revoke {
        /// Its id, name or first 8 characters
        key: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        match self.command {
            Command::Create {
                name,
                scopes,
                expires,
                json,
            } => {
                let (_, store) = common.store(Missing::Create)?;
                let (key, kept) = store.write_blocking(move |tx| {
                    let (key, kept) = api_keys::create(tx, &name, &scopes, None, unix_ms())?;
                    let kept = match expires {
                        Some(time) => {
                            let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                            // Within what the store can hold.
                            let at_ms = unix_ms().saturating_add(time_ms).min(i64::MAX as u64);
                            api_keys::set_expiry(tx, kept.id, at_ms)?
                        }
                        None => kept,
                    };
                    note(tx, "key.added", None, &kept.name, &kept.scopes.join(" "))?;
                    Ok((key, kept))
                })?;
                if json {
                    let mut value = as_json(&kept);
                    value["api_key"] = key.into();
                    return output::json(&value);
                }
                output::line(&key)?;
                eprintln!(
                    "hookcast: this is API key {} ({}); it is not shown again",
                    kept.id, kept.name
                );
                Ok(())
            }
            Command::List { json } => {
                let (_, store) = common.store(Missing::Refuse)?;
                let keys = store.read_blocking(api_keys::list)?;
                if json {
                    return output::json(&keys.iter().map(as_json).collect::<Vec<_>>());
                }
                let rows: Vec<[String; 8]> = keys
                    .iter()
                    .map(|key| {
                        [
                            key.id.to_string(),
                            format!("{}…", key.prefix),
                            key.name.clone(),
                            key.scopes.join(","),
                            moment(Some(key.created_ms)),
                            moment(key.last_used_ms),
                            moment(key.expires_ms),
                            moment(key.revoked_ms),
                        ]
                    })
                    .collect();
                output::table(
                    [
                        "ID",
                        "KEY",
                        "NAME",
                        "SCOPES",
                        "CREATED",
                        "LAST USED",
                        "EXPIRES",
                        "REVOKED",
                    ],
                    &rows,
                )
            }
            Command::Revoke { key, json } => {
                let (_, store) = common.store(Missing::Refuse)?;
                let revoked = store.write_blocking(move |tx| {
                    let revoked = api_keys::revoke(tx, &key, unix_ms())?;
                    note(tx, "key.revoked", None, &revoked.name, "")?;
                    Ok(revoked)
                })?;
                if json {
                    return output::json(&as_json(&revoked));
                }
                output::line(format!("API key {} ({}) is revoked", revoked.id, revoked.name))
            }
        }
    }
}

fn as_json(key: &ApiKey) -> serde_json::Value {
    json!({
        "id": key.id,
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "created_ms": key.created_ms,
        "last_used_ms": key.last_used_ms,
        "expires_ms": key.expires_ms,
        "revoked_ms": key.revoked_ms,
    })
}
