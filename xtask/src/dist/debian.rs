//! The `.deb`: put together with dpkg's own tool, so that nothing but Debian is needed to make it.

use super::{Release, archive, stage};
use crate::process;
use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CONFIGURATION: &str = "etc/hookcast/hookcast.toml";

pub fn write(release: &Release, root: &Path) -> Result<PathBuf> {
    stage::binary(release, &root.join("usr/bin/hookcast"))?;
    stage::copy(
        "systemd/hookcast.service",
        &root.join("usr/lib/systemd/system/hookcast.service"),
        0o644,
    )?;
    stage::copy(
        "systemd/hookcast.socket",
        &root.join("usr/lib/systemd/system/hookcast.socket"),
        0o644,
    )?;
    stage::copy(
        "systemd/hookcast.sysusers",
        &root.join("usr/lib/sysusers.d/hookcast.conf"),
        0o644,
    )?;
    stage::copy(
        "systemd/hand-over",
        &root.join("usr/lib/hookcast/hand-over"),
        0o755,
    )?;
    stage::copy("systemd/hookcast.toml", &root.join(CONFIGURATION), 0o644)?;
    stage::manual(release, &root.join("usr/share/man/man1"))?;
    stage::completions(release, &root.join("usr/share"))?;
    let documents = root.join("usr/share/doc/hookcast");
    stage::documents(&documents)?;
    let licences =
        ["LICENSE-MIT", "LICENSE-APACHE"].map(|name| std::fs::read_to_string(process::root().join(name)));
    let [mit, apache] = licences;
    std::fs::write(
        documents.join("copyright"),
        format!(
            "hookcast is licensed under either of these, as you like.\n\n{}\n\n{}",
            mit?, apache?
        ),
    )?;

    let control = root.join("DEBIAN");
    std::fs::create_dir_all(&control)?;
    for script in ["postinst", "prerm", "postrm"] {
        stage::copy(
            Path::new("packaging/deb").join(script),
            &control.join(script),
            0o755,
        )?;
    }
    std::fs::write(control.join("conffiles"), format!("/{CONFIGURATION}\n"))?;
    std::fs::write(control.join("md5sums"), md5sums(root)?)?;
    std::fs::write(control.join("control"), control_file(release, root)?)?;
    archive::touch_all(root, release.time)?;

    let package = release
        .artifacts
        .join(format!("hookcast_{}_{}.deb", release.version, architecture()));
    let mut build = process::command("dpkg-deb");
    build
        .args(["--root-owner-group", "-Zxz", "--build"])
        .arg(root)
        .arg(&package);
    build.env("SOURCE_DATE_EPOCH", release.time.to_string());
    process::output(build)?;
    Ok(package)
}

/// Debian's name for the machine's architecture.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn control_file(release: &Release, root: &Path) -> Result<String> {
    let kilobytes: u64 = archive::files(root)?
        .iter()
        .map(|file| {
            std::fs::metadata(root.join(file))
                .map_or(0, |metadata| metadata.len())
                .div_ceil(1024)
        })
        .sum();
    Ok(format!(
        "Package: hookcast\nVersion: {}\nArchitecture: {}\nMaintainer: The hookcast authors <hookcast@localhost>\n\
         Installed-Size: {kilobytes}\nDepends: libc6 (>= {}), libgcc-s1, ca-certificates\nRecommends: systemd\n\
         Section: net\nPriority: optional\nDescription: self-hosted realtime relay for WordPress\n \
         WordPress posts signed events to it, browsers hold WebSocket or Server-Sent Events\n \
         connections to it. One binary with its own web app; payloads stay in memory only and\n \
         may be encrypted end to end.\n",
        release.version,
        architecture(),
        libc(&release.binary)?,
    ))
}

/// The newest version of the C library whose symbols the binary asks for.
fn libc(binary: &Path) -> Result<String> {
    let mut command = process::command("objdump");
    command.arg("-T").arg(binary);
    let symbols = process::output(command)?;
    let newest = symbols
        .split("GLIBC_")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ', '\n']).next())
        .filter_map(|version| {
            let (major, minor) = version.split_once('.')?;
            let minor = minor.split('.').next()?;
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        })
        .max()
        .context("the binary asks for no symbol of the C library")?;
    Ok(format!("{}.{}", newest.0, newest.1))
}

fn md5sums(root: &Path) -> Result<String> {
    let files = archive::files(root)?;
    let mut command = process::command("md5sum");
    command
        .args(files.iter().filter(|file| !file.starts_with("DEBIAN")))
        .current_dir(root);
    let mut text = String::new();
    for line in process::output(command)?.lines() {
        // A configuration file may change, so it has no sum.
        if !line.ends_with(CONFIGURATION) {
            writeln!(text, "{line}").expect("writing to a string");
        }
    }
    Ok(text)
}
