//! `cargo xtask ui`: the web app, compiled to WebAssembly and compressed for the server to carry.
//!
//! cargo compiles `admin-ui`, wasm-bindgen (as a library, of the version pinned there) writes the glue, and `assets` gives each file its
//! hashed name and its compressed forms in `admin-ui/dist`. Nothing is done when the inputs are those of the last build.

mod assets;
mod toolchain;

use crate::process;
use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use wasm_bindgen_cli_support::Bindgen;

const BUILD_LIMIT: Duration = Duration::from_secs(1800);

#[derive(clap::Args)]
pub struct Args {
    /// Compile for speed of compilation: a large app, for working on it
    #[arg(long)]
    quick: bool,
    /// Build even if nothing changed
    #[arg(long)]
    force: bool,
}

pub fn main(args: Args) -> Result<()> {
    let profile = if args.quick {
        Profile::Quick
    } else {
        Profile::Release
    };
    if args.force {
        forget()?;
    }
    build_profile(profile)
}

/// Build the web app as it is released, unless that has been done.
pub fn build() -> Result<()> {
    build_profile(Profile::Release)
}

/// Build the web app unless one, however old, is in `admin-ui/dist`.
pub fn build_if_missing() -> Result<()> {
    if dist().join(assets::PAGE).exists() {
        Ok(())
    } else {
        build()
    }
}

/// Format check, clippy and the tests of the crates that need no browser.
pub fn lint() -> Result<()> {
    let compiler = toolchain::find()?;
    process::run(plain(process::cargo(&["fmt", "--all", "--check"])), BUILD_LIMIT)?;
    let mut clippy = compiler.cargo();
    clippy.args([
        "clippy",
        "--profile",
        "quick",
        "--target",
        toolchain::TARGET,
        "--",
        "-D",
        "warnings",
    ]);
    process::run(plain(clippy), BUILD_LIMIT)?;
    process::run(
        plain(process::cargo(&[
            "test",
            "--quiet",
            "-p",
            "hookcast-api",
            "-p",
            "hookcast-json",
            "-p",
            "hookcast-strings",
            "--features",
            "hookcast-api/web",
        ])),
        BUILD_LIMIT,
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Profile {
    Release,
    Quick,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Release => "release",
            Profile::Quick => "quick",
        }
    }
}

fn build_profile(profile: Profile) -> Result<()> {
    let compiler = toolchain::find()?;
    let inputs = fingerprint(profile, &compiler)?;
    if dist().join(assets::PAGE).exists() && fs::read_to_string(stamp()).is_ok_and(|last| last == inputs) {
        println!("the web app is up to date");
        return Ok(());
    }
    forget()?;

    let mut cargo = compiler.cargo();
    cargo.args([
        "build",
        "--locked",
        "--profile",
        profile.name(),
        "--target",
        toolchain::TARGET,
    ]);
    process::run(plain(cargo), BUILD_LIMIT)?;

    let wasm = compiler
        .results()
        .join(toolchain::TARGET)
        .join(profile.name())
        .join("hookcast-ui.wasm");
    let mut bound = Bindgen::new()
        .input_path(&wasm)
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(profile == Profile::Release)
        .remove_producers_section(true)
        .generate_output()
        .with_context(|| format!("wasm-bindgen cannot read {}", wasm.display()))?;
    if let Some(module) = bound.local_modules().keys().next() {
        bail!("{module}: a dependency brings a JavaScript file of its own, which the page would not load");
    }
    if let Some((owner, code)) = bound.snippets().iter().find(|(_, code)| !code.is_empty()) {
        bail!(
            "{owner}: a dependency brings JavaScript of its own, which the page would not load: {}",
            code.join("\n")
        );
    }
    let wasm = bound.wasm_mut().emit_wasm();
    assets::write(&source(), &dist(), bound.js(), &wasm, profile == Profile::Release)?;
    fs::create_dir_all(process::target())?;
    fs::write(stamp(), inputs)?;
    Ok(())
}

fn source() -> PathBuf {
    process::root().join("admin-ui")
}

fn dist() -> PathBuf {
    source().join("dist")
}

fn stamp() -> PathBuf {
    process::target().join("ui.stamp")
}

fn forget() -> Result<()> {
    match fs::remove_file(stamp()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("the stamp of the last build")
        }
        _ => Ok(()),
    }
}

/// Everything that the result depends on, as one hash.
fn fingerprint(profile: Profile, compiler: &toolchain::Compiler) -> Result<String> {
    let mut files = Vec::new();
    list(&source(), &mut files)?;
    list(&process::root().join("xtask/src/ui"), &mut files)?;
    files.push(process::root().join("xtask/src/ui.rs"));
    files.sort();
    let mut hash = Sha256::new();
    hash.update(profile.name());
    hash.update(compiler.version());
    for file in files {
        let content = fs::read(&file).with_context(|| file.display().to_string())?;
        hash.update(file.to_string_lossy().as_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(&content);
    }
    Ok(hex::encode(hash.finalize()))
}

fn list(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let built = entry.file_name() == "target" || entry.file_name() == "dist";
        match entry.file_type()? {
            kind if kind.is_dir() && !built => list(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// The app's cargo, started from this one, must not inherit what this one was told: flags and directories meant for the server, library
/// paths. `RUSTUP_TOOLCHAIN` stays: without it rustup would obey the toolchain files that lie in dependencies.
fn plain(mut command: Command) -> Command {
    command.current_dir(source());
    let chosen: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let meant_for_us = (text.starts_with("CARGO")
            && !matches!(&*text, "CARGO_HOME" | "CARGO_BUILD_JOBS"))
            || matches!(
                &*text,
                "RUSTFLAGS" | "RUSTC" | "RUSTC_WRAPPER" | "LD_LIBRARY_PATH"
            );
        let network = text.starts_with("CARGO_NET_")
            || text.starts_with("CARGO_HTTP_")
            || text.starts_with("CARGO_REGISTR")
            || text.starts_with("CARGO_SOURCE_");
        if meant_for_us && !network && !chosen.contains(&name) {
            command.env_remove(&name);
        }
    }
    command
}
