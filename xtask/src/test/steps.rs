//! The steps, in the order that finds the cheap mistakes first and compiles each thing once.
//!
//! All Rust is built by the one `dev` profile and always for the whole workspace: another profile, or one package
//! alone (which unifies features differently), would compile every dependency a second time.

use super::{Outcome, Step, autobahn};
use crate::{dist, docs, needs, process, ui};
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::time::Duration;

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

pub const ALL: &[Step] = &[
    step("format", "rustfmt leaves every file as it is", format),
    step("ui", "the web app builds", build_ui),
    step("lint", "clippy has nothing to say about the workspace", lint),
    step(
        "lint-ui",
        "rustfmt and clippy have nothing to say about the web app",
        lint_ui,
    ),
    step("unit", "unit and property tests of every crate", unit),
    step(
        "outside",
        "the real binary, by clients that share no code with it",
        outside,
    ),
    step("epoll", "the same, where io_uring is refused", outside_epoll),
    step(
        "clients",
        "the real binary, by Node's ws, EventSource and Chromium",
        clients,
    ),
    step(
        "pages",
        "the web app in Chromium: each page's main path and main failure, axe on every page, both themes, two widths",
        pages,
    ),
    step(
        "proxies",
        "the printed configurations in nginx, Apache and Caddy, and a quiet minute behind each",
        proxies,
    ),
    step(
        "autobahn",
        "the 301 cases of Autobahn's fuzzing client",
        autobahn::run,
    ),
    step(
        "yjs",
        "Yjs documents edited at once converge through the relay",
        yjs,
    ),
    step(
        "wordpress",
        "a real WordPress, from a saved post to another browser's page",
        wordpress,
    ),
    step(
        "docs",
        "printed files are current, links lead somewhere, the unit is confined",
        check_docs,
    ),
    step(
        "package",
        "the packages install, start, upgrade and go without a trace",
        package,
    ),
];

const fn step(name: &'static str, about: &'static str, run: fn() -> Result<Outcome>) -> Step {
    Step { name, about, run }
}

fn format() -> Result<Outcome> {
    process::run(process::cargo(&["fmt", "--all", "--check"]), minutes(2))?;
    Ok(Outcome::Passed)
}

fn build_ui() -> Result<Outcome> {
    ui::build()?;
    Ok(Outcome::Passed)
}

fn lint() -> Result<Outcome> {
    process::run(
        process::cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        minutes(15),
    )?;
    Ok(Outcome::Passed)
}

fn lint_ui() -> Result<Outcome> {
    ui::lint()?;
    Ok(Outcome::Passed)
}

fn unit() -> Result<Outcome> {
    process::run(
        process::cargo(&["test", "--workspace", "--lib", "--bins"]),
        minutes(20),
    )?;
    process::run(process::cargo(&["test", "--workspace", "--doc"]), minutes(5))?;
    Ok(Outcome::Passed)
}

/// These tests wait more than they compute: for time-outs, for relays that start and stop.
const TESTS_AT_ONCE: &str = "8";

fn outside() -> Result<Outcome> {
    let mut command = process::cargo(&["test", "--workspace", "--test", "*"]);
    command.env("RUST_TEST_THREADS", TESTS_AT_ONCE);
    process::run(command, minutes(20))?;
    Ok(Outcome::Passed)
}

fn outside_epoll() -> Result<Outcome> {
    let mut command = process::cargo(&["test", "--workspace", "--test", "outside"]);
    command.env("RUST_TEST_THREADS", TESTS_AT_ONCE);
    command.env("RELAY_TEST_DRIVER", "epoll");
    process::run(command, minutes(20))?;
    Ok(Outcome::Passed)
}

fn clients() -> Result<Outcome> {
    needs::install(&[needs::NODE, needs::BROWSER])?;
    needs::npm("e2e")?;
    node_tests("e2e/relay", &[])
}

fn pages() -> Result<Outcome> {
    needs::install(&[needs::NODE, needs::BROWSER])?;
    needs::npm("e2e")?;
    // The relay under test carries the app as it is released.
    ui::build()?;
    node_tests("e2e/pages", &[])
}

fn yjs() -> Result<Outcome> {
    needs::install(&[needs::NODE])?;
    needs::npm("e2e")?;
    node_tests("e2e/yjs", &[])
}

fn wordpress() -> Result<Outcome> {
    needs::install(&[needs::NODE, needs::BROWSER])?;
    needs::npm("e2e")?;
    crate::wordpress::with_lab(|environment| node_tests("e2e/wordpress", environment))
}

fn proxies() -> Result<Outcome> {
    needs::install(&[needs::PROXIES])?;
    let mut command = process::cargo(&[
        "test",
        "--workspace",
        "--test",
        "proxies",
        "--",
        "--include-ignored",
    ]);
    command.env("RELAY_TEST_PROXIES", "required");
    process::run(command, minutes(10))?;
    Ok(Outcome::Passed)
}

fn check_docs() -> Result<Outcome> {
    docs::check()?;
    Ok(Outcome::Passed)
}

fn package() -> Result<Outcome> {
    dist::check(binary()?)?;
    Ok(Outcome::Passed)
}

/// The binary that the other steps have built, and that programs which are not Rust start.
fn binary() -> Result<PathBuf> {
    process::run(process::cargo(&["build", "--workspace", "--bins"]), minutes(15))?;
    Ok(process::target().join("debug/hookcast"))
}

/// Run the `*.test.mjs` of a directory, one file after the other: each starts relays of its own.
///
/// A browser is a large program with failures of its own. On a machine that nobody watches (`CI` is set) a suite that fails
/// is run once more, and the summary says so; a developer sees the first failure.
fn node_tests(directory: &str, environment: &[(&str, String)]) -> Result<Outcome> {
    let Err(first) = node_tests_once(directory, environment) else {
        return Ok(Outcome::Passed);
    };
    if std::env::var_os("CI").is_none() {
        return Err(first);
    }
    println!("  {directory} failed, and is run once more: {first:#}");
    node_tests_once(directory, environment)?;
    Ok(Outcome::SecondTry(format!("{first:#}")))
}

fn node_tests_once(directory: &str, environment: &[(&str, String)]) -> Result<()> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(process::root().join(directory))
        .with_context(|| directory.to_owned())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "{directory} has no test");
    let mut command = process::command("node");
    command.args([
        "--test",
        "--test-concurrency=1",
        "--test-force-exit",
        "--test-reporter=spec",
    ]);
    command.args(files).env("RELAY_TEST_BINARY", binary()?);
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    process::run(command, minutes(10))
}
