//! The package, tried: installed into a root of its own, started from there, upgraded, removed, purged.

use super::{Release, archive, fresh, make, sbom};
use crate::process;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

/// The binary is the tests' own: packaging does not depend on how it was optimised.
pub fn check(binary: PathBuf) -> Result<()> {
    let place = process::target().join("package-check");
    fresh(&place)?;
    let package = |version: &str| {
        let artifacts = place.join(version);
        let release = Release {
            version: version.to_owned(),
            binary: binary.clone(),
            time: 1_700_000_000,
            artifacts,
        };
        let made = make(&release)?;
        sbom::write(&release)?;
        anyhow::Ok(made)
    };
    let first = package("0.1.0")?;
    let second = package("0.1.1")?;
    debian(&place.join("root"), &first[0], &second[0])?;
    tarball(&place, &first[1])?;
    std::fs::remove_dir_all(&place)?;
    Ok(())
}

fn debian(root: &Path, first: &Path, second: &Path) -> Result<()> {
    fresh(&root.join("var/lib/dpkg/info"))?;
    for file in ["status", "available"] {
        std::fs::write(root.join("var/lib/dpkg").join(file), "")?;
    }
    dpkg(root, &["--install"], Some(first))?;
    let binary = root.join("usr/bin/hookcast");
    let config = root.join("etc/hookcast/hookcast.toml");
    ensure!(
        root.join("usr/share/man/man1/hookcast.1.gz").is_file(),
        "no manual page was installed"
    );

    // The operator's own line, which an upgrade has to keep.
    let mut text = std::fs::read_to_string(&config)?;
    text.push_str("\n# the operator's own\n");
    std::fs::write(&config, &text)?;
    let data = root.join("var/lib/hookcast");
    let site = with_relay(&binary, &config, &data, |relay| {
        relay.cli(&["site", "add", "--url", "https://one.example"])
    })?;
    dpkg(root, &["--force-confold", "--install"], Some(second))?;
    ensure!(
        std::fs::read_to_string(&config)? == text,
        "the upgrade changed the configuration"
    );
    with_relay(&binary, &config, &data, |relay| {
        let key = site["site_key"].as_str().context("a site key")?;
        relay.cli(&[
            "publish",
            "--site",
            key,
            "--channel",
            "events",
            "--event",
            "e",
            "--data",
            "1",
            "--url",
            &relay.url,
        ])
    })?;

    dpkg(root, &["--remove", "hookcast"], None)?;
    let left = own_files(root)?;
    ensure!(
        left.iter()
            .all(|file| file.starts_with("etc/hookcast") || file.starts_with("var/lib/hookcast")),
        "left behind after removing: {left:?}"
    );
    ensure!(!left.is_empty(), "removing took the data along");
    dpkg(root, &["--purge", "hookcast"], None)?;
    let left = own_files(root)?;
    ensure!(left.is_empty(), "left behind after purging: {left:?}");
    println!("  .deb: installed, started, upgraded, removed, purged");
    Ok(())
}

/// `dpkg` on another root; the maintainer scripts run outside it and are told where it is.
fn dpkg(root: &Path, arguments: &[&str], package: Option<&Path>) -> Result<()> {
    let mut command = process::command("dpkg");
    command.arg(format!("--root={}", root.display()));
    command.args([
        "--force-not-root",
        "--force-script-chrootless",
        "--force-depends",
        "--force-architecture",
        "--log=/dev/null",
    ]);
    command.args(arguments).args(package);
    process::output(command).map(drop)
}

/// The files of the root, without dpkg's own.
fn own_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = archive::files(root)?;
    files.retain(|file| !file.starts_with("var/lib/dpkg"));
    Ok(files)
}

fn tarball(place: &Path, tarball: &Path) -> Result<()> {
    let unpacked = place.join("unpacked");
    fresh(&unpacked)?;
    let mut tar = process::command("tar");
    tar.args(["--extract", "--strip-components=1", "--file"])
        .arg(tarball)
        .arg("--directory")
        .arg(&unpacked);
    process::output(tar)?;
    let root = place.join("tarball-root");
    let install = |arguments: &[&str]| {
        let mut command = process::command(unpacked.join("install.sh"));
        command.args(arguments).env("DESTDIR", &root);
        process::output(command)
    };
    install(&[])?;
    let again = install(&[])?;
    ensure!(
        again.contains("up to date"),
        "a second installation changed something: {again}"
    );
    let data = root.join("var/lib/hookcast");
    with_relay(
        &root.join("usr/bin/hookcast"),
        &root.join("etc/hookcast/hookcast.toml"),
        &data,
        |_| Ok(Value::Null),
    )?;
    install(&["--uninstall"])?;
    let left = archive::files(&root)?;
    ensure!(
        left.iter()
            .all(|file| file.starts_with("etc/hookcast") || file.starts_with("var/lib/hookcast")),
        "left behind after uninstalling: {left:?}"
    );
    install(&["--purge"])?;
    ensure!(
        archive::files(&root)?.is_empty(),
        "left behind after purging: {:?}",
        archive::files(&root)?
    );
    println!("  tarball: installed twice, started, uninstalled, purged");
    Ok(())
}

/// A relay that runs as its unit would start it, but for the confinement.
struct Running {
    child: Child,
    binary: PathBuf,
    data: PathBuf,
    url: String,
}

impl Running {
    fn cli(&self, arguments: &[&str]) -> Result<Value> {
        let mut command = Command::new(&self.binary);
        command
            .args(arguments)
            .arg("--json")
            .arg("--data-dir")
            .arg(&self.data);
        Ok(serde_json::from_str(&process::output(command)?)?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn with_relay(
    binary: &Path,
    config: &Path,
    data: &Path,
    act: impl FnOnce(&Running) -> Result<Value>,
) -> Result<Value> {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let child = Command::new(binary)
        .args([
            "serve",
            "--listen",
            &address.to_string(),
            "--workers",
            "1",
            "--config",
        ])
        .arg(config)
        .arg("--data-dir")
        .arg(data)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| binary.display().to_string())?;
    let mut running = Running {
        child,
        binary: binary.to_owned(),
        data: data.to_owned(),
        url: format!("http://{address}"),
    };
    let deadline = Instant::now() + LIMIT;
    while TcpStream::connect(address).is_err() {
        ensure!(
            running.child.try_wait()?.is_none(),
            "the installed relay ended at once"
        );
        ensure!(Instant::now() < deadline, "the installed relay does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    act(&running)
}
