//! `cargo xtask dist`: the packages that are released, in `artifacts/`.
//!
//! A `.deb`, a tarball with the same files, their checksums, and a list of all that was compiled in. The same commit gives the
//! same archives: files are sorted, belong to root and carry the commit's time.

mod archive;
mod check;
mod debian;
mod sbom;
mod stage;

use crate::{process, ui};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use check::check;

/// Fat LTO on two cores takes its time.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

#[derive(clap::Args)]
pub struct Args {
    /// The cargo profile of the binary; `release` is what is released
    #[arg(long, default_value = "release")]
    profile: String,
}

/// What is packaged.
pub struct Release {
    pub version: String,
    pub binary: PathBuf,
    /// Unix time that every packaged file carries.
    pub time: u64,
    /// Where the packages go.
    pub artifacts: PathBuf,
}

impl Release {
    /// `hookcast-0.1.0-x86_64-linux`
    fn name(&self) -> String {
        format!("hookcast-{}-{}-linux", self.version, std::env::consts::ARCH)
    }
}

pub fn main(args: Args) -> Result<()> {
    ui::build_if_missing()?;
    process::run(
        process::cargo(&[
            "build",
            "--package",
            "hookcast",
            "--locked",
            "--profile",
            &args.profile,
        ]),
        BUILD_LIMIT,
    )?;
    let release = Release {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        binary: process::target().join(&args.profile).join("hookcast"),
        time: commit_time()?,
        artifacts: process::root().join("artifacts"),
    };
    let mut made = make(&release)?;
    made.push(sbom::write(&release)?);
    made.push(archive::checksums(&release, &made)?);
    println!();
    for file in made {
        println!(
            "{}",
            file.strip_prefix(process::root()).unwrap_or(&file).display()
        );
    }
    Ok(())
}

/// The two packages.
fn make(release: &Release) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(&release.artifacts)?;
    let scratch = release.artifacts.join("stage");
    fresh(&scratch)?;
    let deb = debian::write(release, &scratch.join("deb"))?;
    let tarball = archive::tarball(release, &scratch.join("tar"))?;
    std::fs::remove_dir_all(&scratch)?;
    Ok(vec![deb, tarball])
}

fn fresh(directory: &Path) -> Result<()> {
    if directory.exists() {
        std::fs::remove_dir_all(directory).with_context(|| directory.display().to_string())?;
    }
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())
}

fn commit_time() -> Result<u64> {
    let mut command = process::command("git");
    command.args(["log", "-1", "--format=%ct"]);
    Ok(process::output(command)?.trim().parse()?)
}
