//! `hookcast publish`

use std::io::Read;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;

use super::client::Target;
use super::common::{self, Missing};
use super::{CliError, Common, output};
use crate::clock::unix_ms;
use crate::site::signature_hex;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Publish a message, signed as the site's WordPress would
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    hookcast publish --site https://shop.example --channel events --event post.updated --data '{\"post_id\":42}'\n  \
    echo '{\"n\":1}' | hookcast publish --site 9f2c4a61 --channel events --event hello --data -")]
pub struct Args {
    /// The site: its key, its address, or the beginning of its key
    #[arg(long)]
    site: String,
    /// The channel
    #[arg(long)]
    channel: String,
    /// The event's name
    #[arg(long)]
    event: String,
    /// The data, as JSON; `-` reads it from standard input
    #[arg(long, value_name = "JSON", default_value = "null")]
    data: String,
    /// The relay [default: the one that the settings describe]
    #[arg(long)]
    url: Option<String>,
    /// The answer with its status, as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        let data = match self.data.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|e| CliError::failed(format!("cannot read the data: {e}")))?;
                text
            }
            text => text.to_owned(),
        };
        // Only looked at: it goes out as it was typed.
        serde_json::from_str::<&RawValue>(data.trim()).map_err(|e| {
            CliError::usage(format!(
                "--data is not JSON: {e} (a text needs quotes: '\"text\"')"
            ))
        })?;
        let (config, store) = common.store(Missing::Refuse)?;
        let site = common::site(&store, &self.site)?;
        let target = self
            .url
            .as_deref()
            .map_or_else(|| Ok(Target::local(&config)), Target::parse)?;
        let body = format!(
            r#"{{"channel":{},"event":{},"data":{}}}"#,
            serde_json::Value::from(self.channel),
            serde_json::Value::from(self.event),
            data.trim()
        );
        let now_ms = unix_ms();
        let headers = [
            ("Content-Type", "application/json"),
            ("X-WP-Signal-Key", site.key.as_str()),
            ("X-WP-Signal-Ts", &now_ms.to_string()),
            (
                "X-WP-Signal-Sign",
                &signature_hex(&site.publish_secrets.current, body.as_bytes(), now_ms),
            ),
        ];
        let mut answer = target.request("POST", "/publish", &headers, body.as_bytes(), ANSWER_TIMEOUT)?;
        let status = answer.status;
        let text = answer
            .text()
            .map_err(|e| CliError::failed(format!("the answer broke off: {e}")))?;
        if self.json {
            let body: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|_| text.clone().into());
            output::json(&json!({ "status": status, "body": body }))?;
        } else {
            output::line(format!("{status} {}", text.trim()))?;
        }
        match status {
            200..=299 => Ok(()),
            _ => Err(CliError::failed(format!(
                "the relay refused the publish with status {status}"
            ))),
        }
    }
}
