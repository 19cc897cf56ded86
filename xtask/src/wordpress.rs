//! `cargo xtask wordpress`: a real WordPress on loopback, wired to a relay that runs beside it.
//!
//! WordPress comes from Debian's packages ([`packages`]), unpacked under `.lab/` and never installed; it runs on nginx, PHP-FPM
//! and MariaDB as processes of this command's own ([`lab`]). The same lab serves the end-to-end suite, which starts and
//! stops the relay by itself.

mod lab;
mod packages;

use crate::{needs, process};
use anyhow::{Context as _, Result, bail};
use lab::Lab;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub struct Args {
    /// The port that WordPress listens on, on loopback
    #[arg(long, default_value_t = 8089)]
    port: u16,
    /// The port that the relay listens on, on loopback
    #[arg(long, default_value_t = 8088)]
    relay_port: u16,
    /// Forget the site of earlier runs: a new WordPress, a new relay
    #[arg(long)]
    fresh: bool,
    /// Look for a newer WordPress instead of the one that is unpacked already
    #[arg(long)]
    update: bool,
}

const BUILD_LIMIT: Duration = Duration::from_secs(3600);

pub fn main(args: Args) -> Result<()> {
    let home = folder().join("site");
    if args.fresh && home.exists() {
        std::fs::remove_dir_all(&home).with_context(|| home.display().to_string())?;
    }
    needs::install(&[needs::WORDPRESS])?;
    // The tests' own profile: what they have built is not built a second time.
    process::run(process::cargo(&["build", "--package", "hookcast"]), BUILD_LIMIT)?;
    let binary = process::target().join("debug/hookcast");
    let www = packages::unpacked(&folder(), args.update)?;
    let lab = Lab::start(&home, &www, args.port, false)?;
    let relay_url = format!("http://127.0.0.1:{}", args.relay_port);
    let _relay = start_relay(&binary, &home.join("relay"), args.relay_port)?;
    wire(&binary, &home.join("relay"), &relay_url, &lab)?;

    println!();
    println!("WordPress  {}/", lab.url);
    println!(
        "log in     {}/wp-login.php as admin, password admin (or editor/editor, reader/reader)",
        lab.url
    );
    println!("connector  {}/wp-admin/tools.php?page=hookcast", lab.url);
    println!("relay      {relay_url}/dashboard");
    println!("site key   in {}", lab.constants.display());
    println!("log        {}", lab.log.display());
    println!();
    println!("Ctrl-C stops all of it; the site is kept for the next run (--fresh forgets it).");
    process::wait_for_interrupt();
    Ok(())
}

/// Run `suite` beside a WordPress of its own, with the environment that tells where it is.
pub fn with_lab<T>(suite: impl FnOnce(&[(&str, String)]) -> Result<T>) -> Result<T> {
    needs::install(&[needs::WORDPRESS])?;
    let www = packages::unpacked(&folder(), false)?;
    let home = folder().join(format!("test-{}", std::process::id()));
    let result = Lab::start(&home, &www, free_port()?, true).and_then(|lab| {
        let mut environment = lab.environment();
        environment.push(("LAB_BUILTIN_PORT", free_port()?.to_string()));
        suite(&environment)
    });
    // The lab is stopped by now: only its files are left.
    match &result {
        Ok(_) => std::fs::remove_dir_all(&home).with_context(|| home.display().to_string())?,
        Err(_) => eprintln!("  the site's files are kept in {}", home.display()),
    }
    result
}

fn folder() -> PathBuf {
    process::root().join(".lab/wordpress")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn start_relay(binary: &Path, data: &Path, port: u16) -> Result<process::Background> {
    std::fs::create_dir_all(data).with_context(|| data.display().to_string())?;
    let mut command = process::command(binary);
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
        .arg(data);
    let relay = process::start(command)?;
    wait_for("the relay", || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok(relay)
}

/// Give the site its credentials: once, because adding a site again would change its secrets.
fn wire(binary: &Path, data: &Path, relay_url: &str, lab: &Lab) -> Result<()> {
    if lab.is_wired() {
        return Ok(());
    }
    let mut command = process::command(binary);
    command
        .args([
            "site",
            "add",
            "--json",
            "--name",
            "hookcast lab",
            "--url",
            &lab.url,
        ])
        .arg("--data-dir")
        .arg(data);
    lab.wire(relay_url, &process::output(command)?)
}

/// Ask until `ready` says yes, for as long as a slow machine may take to start a server.
fn wait_for(what: &str, ready: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready() {
        if Instant::now() > deadline {
            bail!("{what} did not start within a minute");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
