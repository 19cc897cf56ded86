//! `hookcast token …`

use clap::Subcommand;
use serde_json::json;

use super::common::{self, Missing};
use super::{CliError, Common, output};
use crate::clock::unix_ms;
use crate::site::{Claims, Site, SiteStatus, mint};

/// Make browser tokens, for trying things out
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Sign a token with a site's secret, as its WordPress would
    #[command(after_help = "Examples:\n  \
        hookcast token mint --site https://shop.example\n  \
        hookcast token mint --site 9f2c4a61 --user 7 --subscribe events --publish chat: --ttl 3600")]
    Mint {
        /// The site: its key, its address, or the beginning of its key
        #[arg(long)]
        site: String,
        /// The user's id; 0 is a visitor
        #[arg(long, default_value = "0")]
        user: String,
        /// Prefix of channels that may be subscribed to; may be repeated [default: all of the site]
        #[arg(long = "subscribe", value_name = "PREFIX")]
        subscribe: Vec<String>,
        /// Prefix of channels that may be published on; may be repeated [default: none]
        #[arg(long = "publish", value_name = "PREFIX")]
        publish: Vec<String>,
        /// Seconds until it expires
        #[arg(long, value_name = "SECONDS", default_value_t = 300)]
        ttl: u64,
        /// A version 1 token (plugins before 0.22): it publishes where it may subscribe
        #[arg(long, conflicts_with = "publish")]
        v1: bool,
        /// The token with its claims, as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let Command::Mint {
            site,
            user,
            subscribe,
            publish,
            ttl,
            v1,
            json,
        } = self.command;
        let (_, store) = common.store(Missing::Refuse)?;
        let site = common::site(&store, &site)?;
        if site.status != SiteStatus::Active {
            eprintln!(
                "hookcast: warning: {} is not active, the relay will refuse this token",
                site.url
            );
        }
        let claims = claims(&site, &user, subscribe, (!v1).then_some(publish), ttl);
        let token = mint(&claims, &site.jwt_secrets.current);
        if json {
            output::json(&json!({ "token": token, "claims": claims }))
        } else {
            output::line(token)
        }
    }
}

/// `subscribe` empty: the whole site. `publish` absent: a version 1 token.
pub fn claims(
    site: &Site,
    user: &str,
    subscribe: Vec<String>,
    publish: Option<Vec<String>>,
    ttl: u64,
) -> Claims {
    let iat = unix_ms() / 1000;
    let everything = || vec![format!("site:{}:", site.site_id)];
    Claims {
        v: publish.is_some().then_some(2),
        tenant_id: site.tenant_id.clone(),
        site_id: site.site_id.clone(),
        user_id: user.to_owned(),
        allowed_channel_prefixes: if subscribe.is_empty() {
            everything()
        } else {
            subscribe
        },
        allowed_publish_prefixes: publish,
        iat,
        exp: iat.saturating_add(ttl),
    }
}
