//! Autobahn's fuzzing client against an echo on the relay's own session code: 301 cases, compared to what is committed.

use super::Outcome;
use crate::process;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The sections that are about the protocol itself; 12 and 13 are about compression, which the relay does not offer.
const CASES: [&str; 9] = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"];
const EXPECTED: &str = "e2e/autobahn/expected.txt";
const REQUIREMENTS: &str = "e2e/autobahn/requirements.txt";
const LIMIT: Duration = Duration::from_secs(600);

pub fn run() -> Result<Outcome> {
    let Some(python2) = python2() else {
        return Ok(Outcome::Skipped(
            "Python 2.7, which Autobahn's suite needs, is not here; `unit` checks the same rules in Rust"
                .into(),
        ));
    };
    let directory = process::target().join("autobahn");
    let wstest = install(&python2, &directory)?;
    let build = [
        "build",
        "--workspace",
        "--features",
        "hookcast/echo",
        "--example",
        "autobahn_echo",
    ];
    process::run(process::cargo(&build), LIMIT)?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let echo = Echo::start(address, &directory)?;
    let reports = directory.join("reports");
    if reports.exists() {
        std::fs::remove_dir_all(&reports)?;
    }
    let specification = directory.join("fuzzingclient.json");
    let server = json!({"agent": "hookcast", "url": format!("ws://{address}/ws?token={}", echo.token)});
    let text = json!({
        "outdir": reports, "servers": [server], "cases": CASES, "exclude-cases": [], "exclude-agent-cases": {},
    });
    std::fs::write(&specification, text.to_string())?;
    let mut client = process::command(wstest);
    client
        .args(["-m", "fuzzingclient", "-s"])
        .arg(&specification)
        .current_dir(&directory);
    client.stdout(Stdio::null());
    process::run(client, LIMIT)?;
    drop(echo);
    compare(&reports.join("index.json"))
}

/// Debian no longer has Python 2.7; pyenv often does.
fn python2() -> Option<PathBuf> {
    let versions = Path::new(&std::env::var_os("HOME")?).join(".pyenv/versions");
    let installed = std::fs::read_dir(versions)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let file = entry.ok()?.path().join("bin/python2.7");
            file.is_file().then_some(file)
        });
    process::find("python2.7")
        .into_iter()
        .chain(installed)
        .find(|file| {
            // A shim that stands for no version is no Python.
            process::command(file)
                .arg("--version")
                .output()
                .is_ok_and(|output| output.status.success())
        })
}

/// An environment with the suite, made once for each state of its requirements.
fn install(python2: &Path, directory: &Path) -> Result<PathBuf> {
    let wstest = directory.join("suite/bin/wstest");
    let wanted = std::fs::read(process::root().join(REQUIREMENTS))?;
    let mark = directory.join("installed.txt");
    if wstest.is_file() && std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(wstest);
    }
    // The last virtualenv that makes environments of Python 2.7; it runs under Python 3 itself.
    let tools = directory.join("tools");
    step("python3", &["-m", "venv"], &[&tools])?;
    step(
        tools.join("bin/pip"),
        &["install", "--quiet", "virtualenv==20.15.1"],
        &[],
    )?;
    step(
        tools.join("bin/virtualenv"),
        &["--quiet", "--python"],
        &[python2, &directory.join("suite")],
    )?;
    let requirements = process::root().join(REQUIREMENTS);
    step(
        directory.join("suite/bin/pip"),
        &["install", "--quiet", "--requirement"],
        &[&requirements],
    )?;
    std::fs::write(mark, wanted)?;
    Ok(wstest)
}

fn step(program: impl AsRef<OsStr>, words: &[&str], paths: &[&Path]) -> Result<()> {
    let mut command = process::command(program);
    command.args(words).args(paths);
    process::run(command, LIMIT)
}

/// Cases of section 9 send 16 MiB at once; sessions must neither end nor say anything by themselves.
const CONFIGURATION: &str = "\
server.workers = 1
limits.message_bytes_max = 33554432
limits.outbox_bytes_max = 134217728
limits.outbox_frames_max = 1000000
limits.client_messages_per_second = 0
session.ping_interval_ms = 600000
session.client_silence_ms = 3600000
";

/// The echo, ended with this value.
struct Echo {
    child: Child,
    token: String,
}

impl Echo {
    fn start(address: SocketAddr, directory: &Path) -> Result<Self> {
        let binary = process::target().join("debug/examples/autobahn_echo");
        let config = directory.join("echo.toml");
        std::fs::write(&config, CONFIGURATION)?;
        let data = directory.join("data");
        let common = |arguments: &[&str]| {
            let mut command = process::command(&binary);
            command
                .args(arguments)
                .arg("--config")
                .arg(&config)
                .arg("--data-dir")
                .arg(&data);
            command
        };
        let site = process::output(common(&["site", "add", "--url", "https://one.example", "--json"]))?;
        let site: Value = serde_json::from_str(&site)?;
        let key = site["site_key"].as_str().context("a site key")?;
        let token = process::output(common(&[
            "token", "mint", "--site", key, "--ttl", "86400", "--json",
        ]))?;
        let token: Value = serde_json::from_str(&token)?;
        let token = token["token"].as_str().context("a token")?.to_owned();
        let mut serve = common(&["serve", "--listen", &address.to_string()]);
        let mut echo = Self {
            child: serve.stdin(Stdio::null()).stderr(Stdio::null()).spawn()?,
            token,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            ensure!(echo.child.try_wait()?.is_none(), "the echo ended at once");
            ensure!(Instant::now() < deadline, "the echo does not listen on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(echo)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Each case's behaviour and close behaviour must be what is committed, no case more and none less.
fn compare(index: &Path) -> Result<Outcome> {
    let index: Value = serde_json::from_slice(&std::fs::read(index).context("the suite wrote no report")?)?;
    let cases = index["hookcast"]
        .as_object()
        .context("the report is not about hookcast")?;
    let got: BTreeMap<String, String> = cases
        .iter()
        .map(|(case, result)| {
            let word = |name: &str| result[name].as_str().unwrap_or("missing").to_owned();
            (
                case.clone(),
                format!("{} {}", word("behavior"), word("behaviorClose")),
            )
        })
        .collect();
    let file = process::root().join(EXPECTED);
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let expected: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(case, result)| (case.to_owned(), result.to_owned()))
        .collect();
    let mut differences = Vec::new();
    for case in got
        .keys()
        .chain(expected.keys().filter(|case| !got.contains_key(*case)))
    {
        let of = |results: &BTreeMap<String, String>| {
            results.get(case).cloned().unwrap_or_else(|| "not there".into())
        };
        let (was, is) = (of(&expected), of(&got));
        if was != is {
            differences.push(format!("{case}: expected {was}, got {is}"));
        }
    }
    println!(
        "  {} cases, {} as expected",
        got.len(),
        got.len() - differences.len().min(got.len())
    );
    if !differences.is_empty() {
        bail!(
            "{} cases differ from {EXPECTED}:\n  {}",
            differences.len(),
            differences.join("\n  ")
        );
    }
    Ok(Outcome::Passed)
}
