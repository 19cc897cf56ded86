//! WordPress from Debian's packages, unpacked into a folder instead of installed.
//!
//! apt itself fetches them, with lists and a cache of its own under the folder: its signature and checksum rules hold, the
//! mirror is the one that the machine already uses, and nothing of the machine's own state is touched. The newest WordPress
//! is in the development suites, as packages for every architecture; the machine's own suite is the fallback.

use crate::process;
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

const SUITES: &[&str] = &["sid", "forky"];

/// WordPress, what its symbolic links point into, and the themes of which one suite has one and another the other.
const PACKAGES: &[&str] = &[
    "wordpress",
    "wordpress-theme-twentytwentyfive",
    "wordpress-theme-twentytwentythree",
    "libphp-phpmailer",
    "php-getid3",
    "libjs-jquery-ui",
    "libjs-jquery",
    "libjs-underscore",
    "libjs-lodash",
    "libjs-cropper",
    "libjs-prototype",
    "libjs-scriptaculous",
];

/// The folder with WordPress in it, fetched and unpacked if it is not there yet or `update` asks for it.
pub fn unpacked(folder: &Path, update: bool) -> Result<PathBuf> {
    let www = folder.join("www");
    let mark = folder.join("www.packages");
    if mark.exists() && !update {
        return Ok(www);
    }
    let debs = folder.join("debs");
    std::fs::create_dir_all(&debs).with_context(|| debs.display().to_string())?;
    let names = fetch(folder, &debs)?;
    let root = folder.join("root");
    for gone in [&root, &www] {
        if gone.exists() {
            std::fs::remove_dir_all(gone).with_context(|| gone.display().to_string())?;
        }
    }
    for name in &names {
        let mut command = process::command("dpkg");
        command.arg("-x").arg(debs.join(name)).arg(&root);
        process::output(command)?;
    }
    copy_resolved(&root, &root.join("usr/share/wordpress"), &www)?;
    std::fs::remove_dir_all(&root).with_context(|| root.display().to_string())?;
    std::fs::write(&mark, names.join("\n") + "\n").with_context(|| mark.display().to_string())?;
    println!(
        "  unpacked {}",
        names
            .iter()
            .find(|name| name.starts_with("wordpress_"))
            .map_or("", |n| n)
    );
    Ok(www)
}

/// Download the packages into `debs` and return their file names.
fn fetch(folder: &Path, debs: &Path) -> Result<Vec<String>> {
    for suite in SUITES {
        match private_apt(folder, suite).and_then(|apt| download(&apt, debs)) {
            Ok(names) => return Ok(names),
            Err(error) => eprintln!("  warning: no WordPress from Debian's {suite}: {error:#}"),
        }
    }
    eprintln!("  warning: taking the WordPress of this machine's own suite, which is older");
    download(&Apt { options: Vec::new() }, debs)
}

/// How to call apt: with the machine's own state, or with a private one.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn command(&self, program: &str) -> Command {
        let mut command = process::command(program);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }
}

fn private_apt(folder: &Path, suite: &str) -> Result<Apt> {
    let home = folder.join("apt").join(suite);
    for part in ["state/lists/partial", "cache/archives/partial"] {
        std::fs::create_dir_all(home.join(part))?;
    }
    let sources = home.join("sources.list");
    std::fs::write(&sources, format!("deb {} {suite} main\n", mirror()?))?;
    let apt = Apt {
        options: vec![
            format!("Dir::State={}", home.join("state").display()),
            "Dir::State::status=/dev/null".into(),
            format!("Dir::Cache={}", home.join("cache").display()),
            format!("Dir::Etc::sourcelist={}", sources.display()),
            "Dir::Etc::sourceparts=/dev/null".into(),
            "Acquire::Languages=none".into(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".into(),
            "Acquire::Retries=2".into(),
            "APT::Update::Error-Mode=any".into(),
            // Its sandbox user could not write into the project's folder.
            "APT::Sandbox::User=root".into(),
        ],
    };
    let mut update = apt.command("apt-get");
    update.args(["update", "--quiet=2"]);
    process::output(update)?;
    Ok(apt)
}

/// The address and options of Debian's main archive, as this machine's apt has them.
fn mirror() -> Result<String> {
    let mut command = process::command("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)",
        "Created-By: Packages",
    ]);
    let targets = process::output(command)?;
    let Some(uri) = targets
        .lines()
        .find_map(|line| line.strip_suffix("|Debian|Debian|main"))
    else {
        bail!("apt has no Debian archive configured (run `apt-get update`, then try again)");
    };
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    Ok(match Path::new(keyring).exists() {
        true => format!("[signed-by={keyring}] {uri}"),
        false => uri.to_owned(),
    })
}

fn download(apt: &Apt, debs: &Path) -> Result<Vec<String>> {
    let known: Vec<&str> = PACKAGES
        .iter()
        .copied()
        .filter(|name| {
            let mut show = apt.command("apt-cache");
            show.args(["show", "--no-all-versions", name]);
            process::output(show).is_ok_and(|text| !text.trim().is_empty())
        })
        .collect();
    if !known.contains(&"wordpress") {
        bail!("the suite has no package `wordpress`");
    }
    // `apt-get download` writes where it stands, and keeps a file that is there and whole.
    let mut command = apt.command("apt-get");
    command
        .args(["download", "--quiet=2"])
        .args(&known)
        .current_dir(debs);
    process::output(command)?;
    let mut uris = apt.command("apt-get");
    uris.args(["download", "--print-uris", "--quiet=2"])
        .args(&known)
        // It is silent about what lies where it stands.
        .current_dir("/");
    // 'address' file size checksum
    let names = process::output(uris)?
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .map(|name| match debs.join(name).exists() {
            true => Ok(name.to_owned()),
            false => bail!("{name} was not downloaded"),
        })
        .collect::<Result<Vec<_>>>()?;
    ensure!(names.len() == known.len(), "apt named {names:?} for {known:?}");
    Ok(names)
}

/// Copy `from` to `to` with every symbolic link replaced by what it names inside `root`, or on the machine where the
/// packages point to the machine's own files (the certificates). A link to nothing is left out.
fn copy_resolved(root: &Path, from: &Path, to: &Path) -> Result<()> {
    let Some(source) = resolve(root, from) else {
        return Ok(());
    };
    if !source.is_dir() {
        std::fs::copy(&source, to).with_context(|| source.display().to_string())?;
        return Ok(());
    }
    std::fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in std::fs::read_dir(&source).with_context(|| source.display().to_string())? {
        let name = entry?.file_name();
        copy_resolved(root, &source.join(&name), &to.join(&name))?;
    }
    Ok(())
}

fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    // Deeper chains than the kernel's own limit do not occur; a loop ends here.
    for _ in 0..40 {
        let Ok(target) = path.read_link() else {
            return path.exists().then_some(path);
        };
        path = match target.strip_prefix("/") {
            Ok(inside) if root.join(inside).symlink_metadata().is_ok() => root.join(inside),
            Ok(_) => target,
            Err(_) => path.parent()?.join(target),
        };
    }
    None
}
