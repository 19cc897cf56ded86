//! One run divided among several processes of this machine: each takes a share, their reports are merged.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::plan::Plan;
use crate::report::Report;
use crate::site::Credentials;

/// A client process needs about this long to start and to settle.
const START_S: f64 = 2.0;

/// Starts `workers` processes with this one's own arguments, and waits for their reports.
///
/// Credentials go through their environment, where only this user can read them.
pub fn run(
    workers: usize,
    plan: &Plan,
    run: u32,
    credentials: Option<&Credentials>,
) -> Result<Vec<Report>, String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    let connections: usize = plan
        .parts
        .iter()
        .filter(|part| !part.storm)
        .map(crate::plan::Part::subscribers)
        .sum();
    let start_at = now + START_S + 1.2 * connections as f64 / plan.connect_rate;
    let program = std::env::current_exe().map_err(|error| format!("cannot find my own program: {error}"))?;
    let arguments = own_arguments(std::env::args().skip(1));
    let children: Result<Vec<_>, String> = (1..=workers)
        .map(|worker| {
            let mut command = Command::new(&program);
            command
                .args(&arguments)
                .args(["--share", &format!("{worker}/{workers}")]);
            command.args([
                "--run",
                &run.to_string(),
                "--start-at",
                &start_at.to_string(),
                "--json",
                "-",
            ]);
            // One of them reads the server's clock and shows its progress for all.
            if worker > 1
                && !arguments
                    .iter()
                    .any(|argument| argument == "-q" || argument == "--quiet")
            {
                command.arg("--quiet");
            }
            if let Some(Credentials {
                site_key,
                publish_secret,
                jwt_secret,
            }) = credentials
            {
                command
                    .env("HOOKCAST_SITE_KEY", site_key)
                    .env("HOOKCAST_PUBLISH_SECRET", publish_secret);
                command
                    .env("HOOKCAST_JWT_SECRET", jwt_secret)
                    .env_remove("HOOKCAST_CREDENTIALS");
            }
            command.stdin(Stdio::null()).stdout(Stdio::piped());
            command
                .spawn()
                .map_err(|error| format!("cannot start a worker: {error}"))
        })
        .collect();
    children?
        .into_iter()
        .map(|child| {
            let output = child
                .wait_with_output()
                .map_err(|error| format!("a worker failed: {error}"))?;
            serde_json::from_slice(&output.stdout).map_err(|_| format!("a worker failed: {}", output.status))
        })
        .collect()
}

/// The arguments without those that belong to the whole run.
fn own_arguments(arguments: impl Iterator<Item = String>) -> Vec<String> {
    const WHOLE: [&str; 6] = [
        "--credentials",
        "--workers",
        "--json",
        "--html",
        "--run",
        "--start-at",
    ];
    let mut kept = Vec::new();
    let mut arguments = arguments.peekable();
    while let Some(argument) = arguments.next() {
        if WHOLE.contains(&argument.as_str()) {
            arguments.next();
        } else if !WHOLE
            .iter()
            .any(|whole| argument.starts_with(&format!("{whole}=")))
        {
            kept.push(argument);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_gets_all_but_what_belongs_to_the_whole_run() {
        let given = [
            "fan-out",
            "--workers",
            "4",
            "--rate",
            "5",
            "--json=x",
            "--html",
            "y",
            "--quiet",
        ];
        let kept = own_arguments(given.iter().map(ToString::to_string));
        assert_eq!(kept, ["fan-out", "--rate", "5", "--quiet"]);
    }
}
