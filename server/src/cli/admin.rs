//! `hookcast admin …`

use std::io::Read;

use clap::Subcommand;
use serde_json::json;

use super::common::{Missing, note};
use super::{CliError, Common, output};
use crate::admin::{check_email, passwords};
use crate::clock::unix_ms;
use crate::store::accounts::{self, AccountRole};
use crate::store::sessions;

/// More than any password, so that a whole file piped in by mistake is noticed.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// Make users of the web app, and give them new passwords
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a user; the first one need not use the set-up link then
    #[command(after_help = "Example:\n  \
        hookcast admin create --email you@example.com --password-stdin < password-file")]
    Create {
        /// What they sign in with
        #[arg(long)]
        email: String,
        /// Read the password from standard input: an argument could be read by others on this machine
        #[arg(long, required = true)]
        password_stdin: bool,
        /// May look at everything, and change nothing
        #[arg(long)]
        viewer: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a user a new password and end their sessions, for one who has forgotten it
    Password {
        /// Whose
        #[arg(long)]
        email: String,
        /// Read the password from standard input
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// List the users
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

impl Args {
    pub fn run(self, common: &Common) -> Result<(), CliError> {
        match self.command {
            Command::Create {
                email, viewer, json, ..
            } => create(common, &email, viewer, json),
            Command::Password { email, .. } => password(common, &email),
            Command::List { json } => list(common, json),
        }
    }
}

fn create(common: &Common, email: &str, viewer: bool, json: bool) -> Result<(), CliError> {
    let email = check_email(email).map_err(CliError::usage)?;
    let hash = passwords::hash_once(&from_stdin()?);
    let role = if viewer {
        AccountRole::Viewer
    } else {
        AccountRole::Owner
    };
    let (_, store) = common.store(Missing::Create)?;
    let now_ms = unix_ms();
    let account = store.write_blocking(move |tx| {
        let account = accounts::create(tx, &email, &hash, role, now_ms)?;
        note(tx, "user.added", None, &account.email, role.as_str())?;
        Ok(account)
    })?;
    match json {
        true => output::json(&json!({"id": account.id, "email": account.email, "role": role.as_str()})),
        false => output::line(format!("{} can sign in as {} now", account.email, role.as_str())),
    }
}

fn password(common: &Common, email: &str) -> Result<(), CliError> {
    let hash = passwords::hash_once(&from_stdin()?);
    let (_, store) = common.store(Missing::Refuse)?;
    let email = email.trim().to_owned();
    let email = store.write_blocking(move |tx| {
        let (account, _) = accounts::by_email(tx, &email)?.ok_or_else(|| {
            crate::store::StoreError::NotFound(format!(
                "there is no user {email}; `hookcast admin list` shows all"
            ))
        })?;
        accounts::set_password(tx, account.id, &hash)?;
        sessions::end_all(tx, account.id, None)?;
        note(
            tx,
            "password.changed",
            None,
            &account.email,
            "every session ended",
        )?;
        Ok(account.email)
    })?;
    output::line(format!("{email} has a new password, and has to sign in again"))
}

fn list(common: &Common, json: bool) -> Result<(), CliError> {
    let (_, store) = common.store(Missing::Refuse)?;
    let all = store.read_blocking(accounts::list)?;
    if json {
        let all = all.iter().map(|account| {
            json!({
                "id": account.id, "email": account.email, "role": account.role.as_str(), "active": account.active,
                "created_ms": account.created_ms, "last_login_ms": account.last_login_ms,
            })
        });
        return output::json(&all.collect::<Vec<_>>());
    }
    let rows = all.into_iter().map(|account| {
        let last = super::common::moment(account.last_login_ms);
        [account.email, account.role.as_str().to_owned(), last]
    });
    output::table(["EMAIL", "ROLE", "LAST SIGNED IN"], &rows.collect::<Vec<_>>())
}

/// The first line of standard input, without its end.
fn from_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin()
        .take(INPUT_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| CliError::failed(format!("cannot read the password: {error}")))?;
    let password = text.lines().next().unwrap_or_default();
    passwords::check(password).map_err(|why| CliError::failed(format!("the password: {why}")))?;
    Ok(password.to_owned())
}
