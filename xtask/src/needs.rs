//! What the checks need beyond Rust, named here and nowhere else, and installed when missing.

use crate::process;
use anyhow::{Context as _, Result, bail};
use std::path::Path;
use std::time::Duration;

const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// One Debian package and the file that tells that it is there.
pub struct Package {
    pub name: &'static str,
    pub file: &'static str,
}

pub const fn package(name: &'static str, file: &'static str) -> Package {
    Package { name, file }
}

/// A browser for `EventSource` and for the pages.
pub const BROWSER: &[Package] = &[package("chromium", "/usr/bin/chromium")];
/// Node runs the clients that are not ours.
pub const NODE: &[Package] = &[package("nodejs", "/usr/bin/node"), package("npm", "/usr/bin/npm")];
/// WordPress and its database.
pub const WORDPRESS: &[Package] = &[
    package("php8.2-cli", "/usr/bin/php8.2"),
    package("php8.2-fpm", "/usr/sbin/php-fpm8.2"),
    package("nginx-light", "/usr/sbin/nginx"),
    package("php8.2-mysql", "/usr/lib/php/20220829/mysqli.so"),
    package("php8.2-curl", "/usr/lib/php/20220829/curl.so"),
    package("php8.2-gd", "/usr/lib/php/20220829/gd.so"),
    package("php8.2-mbstring", "/usr/lib/php/20220829/mbstring.so"),
    package("php8.2-xml", "/usr/lib/php/20220829/dom.so"),
    package("mariadb-server", "/usr/sbin/mariadbd"),
];
/// The reverse proxies whose printed configurations are tried.
pub const PROXIES: &[Package] = &[
    package("nginx-light", "/usr/sbin/nginx"),
    package("apache2", "/usr/sbin/apache2"),
    package("caddy", "/usr/bin/caddy"),
];

/// Install the packages of which the file is missing: one `apt-get update`, one `apt-get install`. Without root the
/// missing ones are named, as the command to type.
pub fn install(packages: &[&[Package]]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .flat_map(|group| group.iter())
        .filter(|package| !Path::new(package.file).exists())
        .map(|package| package.name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() || process::find("apt-get").is_none() {
        bail!(
            "these are missing: `apt-get install --no-install-recommends {}`",
            missing.join(" ")
        );
    }
    process::run(apt(&["update", "--quiet=2"]), INSTALL_LIMIT)?;
    let mut arguments = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
    arguments.extend(&missing);
    process::run(apt(&arguments), INSTALL_LIMIT)
}

fn apt(arguments: &[&str]) -> std::process::Command {
    let mut command = process::command("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // A freshly installed server must not start by itself: the tests start their own.
    command.env("RUNLEVEL", "1");
    command
}

/// `npm ci` in `directory`, once for each state of its lock file.
pub fn npm(directory: &str) -> Result<()> {
    install(&[NODE])?;
    let directory = process::root().join(directory);
    let wanted = std::fs::read(directory.join("package-lock.json"))
        .with_context(|| format!("{} has no lock file", directory.display()))?;
    let mark = directory.join("node_modules/.installed-lock.json");
    if std::fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut command = process::command("npm");
    command
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&directory);
    process::run(command, INSTALL_LIMIT)?;
    std::fs::write(&mark, wanted).with_context(|| mark.display().to_string())
}
