//! The tarball, checksums, and what makes archives reproducible.

use super::{Release, stage};
use crate::process;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Everything that `install.sh` needs, in one folder.
pub fn tarball(release: &Release, scratch: &Path) -> Result<PathBuf> {
    let root = scratch.join(release.name());
    stage::binary(release, &root.join("hookcast"))?;
    for file in [
        "hookcast.service",
        "hookcast.socket",
        "hookcast.sysusers",
        "hookcast.toml",
    ] {
        stage::copy(Path::new("systemd").join(file), &root.join(file), 0o644)?;
    }
    stage::copy("systemd/hand-over", &root.join("hand-over"), 0o755)?;
    stage::copy("systemd/install.sh", &root.join("install.sh"), 0o755)?;
    stage::copy("LICENSE-MIT", &root.join("LICENSE-MIT"), 0o644)?;
    stage::copy("LICENSE-APACHE", &root.join("LICENSE-APACHE"), 0o644)?;
    stage::manual(release, &root.join("man"))?;
    stage::completions(release, &root.join("completions"))?;
    stage::documents(&root)?;
    let tarball = release.artifacts.join(format!("{}.tar.gz", release.name()));
    let mut tar = process::command("tar");
    tar.args([
        "--create",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    tar.arg(format!("--mtime=@{}", release.time))
        .args(["--use-compress-program", "gzip -9n", "--file"]);
    tar.arg(&tarball)
        .arg("--directory")
        .arg(scratch)
        .arg(release.name());
    process::output(tar)?;
    Ok(tarball)
}

pub fn checksums(release: &Release, files: &[PathBuf]) -> Result<PathBuf> {
    let mut command = process::command("sha256sum");
    command
        .current_dir(&release.artifacts)
        .args(files.iter().filter_map(|file| file.file_name()));
    let sums = release.artifacts.join("SHA256SUMS");
    std::fs::write(&sums, process::output(command)?)?;
    Ok(sums)
}

/// All files below `root`, as paths relative to it, sorted.
pub fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                found.push(path.strip_prefix(root)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Give every file the commit's time.
pub fn touch_all(root: &Path, time: u64) -> Result<()> {
    let time = UNIX_EPOCH + Duration::from_secs(time);
    for file in files(root)? {
        std::fs::File::open(root.join(file))?.set_modified(time)?;
    }
    Ok(())
}
