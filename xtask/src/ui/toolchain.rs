//! Finding, or installing, a compiler that knows WebAssembly: the one in use, rustup's target, Debian's `rustc-web`.

use crate::process;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub const TARGET: &str = "wasm32-unknown-unknown";
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);
const DEBIAN_LIMIT: Duration = Duration::from_secs(600);

/// What compiles the app.
pub enum Compiler {
    /// The toolchain in use has the target.
    Own { version: String },
    /// Debian's, which builds the standard library along.
    Debian { version: String, linker: PathBuf },
}

impl Compiler {
    pub fn version(&self) -> &str {
        match self {
            Compiler::Own { version } | Compiler::Debian { version, .. } => version,
        }
    }

    /// A cargo that compiles for the target once its arguments are added.
    pub fn cargo(&self) -> Command {
        match self {
            Compiler::Own { .. } => {
                let mut cargo = process::cargo(&[]);
                cargo.env("CARGO_TARGET_DIR", self.results());
                cargo
            }
            Compiler::Debian { linker, .. } => {
                let mut cargo = process::command("/usr/bin/cargo");
                cargo
                    .args(["-Z", "build-std=std,panic_abort"])
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .env("CARGO_TARGET_DIR", self.results())
                    .env_remove("RUSTUP_TOOLCHAIN");
                cargo
            }
        }
    }

    /// A directory per compiler: neither throws away what the other built.
    pub fn results(&self) -> PathBuf {
        process::root().join("admin-ui/target").join(match self {
            Compiler::Own { .. } => "own",
            Compiler::Debian { .. } => "debian",
        })
    }
}

/// The compiler to use. What is missing is installed, where that is possible.
pub fn find() -> Result<Compiler> {
    if present(Path::new("rustc")) {
        return own();
    }
    let refused = match add_with_rustup() {
        Ok(()) if present(Path::new("rustc")) => return own(),
        Ok(()) => "rustup added it, but this compiler is not rustup's".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    println!("  no {TARGET} from rustup ({refused}); trying Debian's compiler");
    debian().with_context(|| {
        format!(
            "the web app needs the Rust target {TARGET}. With rustup: `rustup target add {TARGET}`. On Debian: `apt-get install rustc-web \
             cargo-web rust-web-src lld`. To do without the web app, build the server alone: `cargo build --release`"
        )
    })
}

fn own() -> Result<Compiler> {
    Ok(Compiler::Own {
        version: version(Path::new("rustc"))?,
    })
}

fn version(rustc: &Path) -> Result<String> {
    let mut command = process::command(rustc);
    command.arg("-Vv");
    process::output(command)
}

/// rustc prints the directory whether or not the target is installed: what counts is the core library in it.
fn present(rustc: &Path) -> bool {
    let mut command = process::command(rustc);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(directory) = process::output(command) else {
        return false;
    };
    fs::read_dir(directory.trim()).is_ok_and(|files| {
        files
            .flatten()
            .any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
    })
}

fn add_with_rustup() -> Result<()> {
    if process::find("rustup").is_none() {
        bail!("rustup is not installed");
    }
    let mut rustup = process::command("rustup");
    rustup.args(["target", "add", TARGET]);
    process::run(rustup, RUSTUP_LIMIT)
}

fn debian() -> Result<Compiler> {
    let source = Path::new("/usr/share/doc/rust-web-src");
    if !source.exists() || linker().is_none() {
        install()?;
    }
    let linker = linker().context("Debian's lld is not installed")?;
    Ok(Compiler::Debian {
        version: version(Path::new("/usr/bin/rustc"))?,
        linker,
    })
}

/// The newest `wasm-ld-N` that is installed.
fn linker() -> Option<PathBuf> {
    fs::read_dir("/usr/bin")
        .ok()?
        .flatten()
        .filter_map(|file| {
            Some((
                file.file_name()
                    .to_str()?
                    .strip_prefix("wasm-ld-")?
                    .parse::<u32>()
                    .ok()?,
                file.path(),
            ))
        })
        .max()
        .map(|(_, path)| path)
}

fn install() -> Result<()> {
    if !rustix::process::geteuid().is_root() || process::find("apt-get").is_none() {
        bail!("installing Debian's compiler needs root and apt-get");
    }
    let apt = |arguments: &[&str]| {
        let mut command = process::command("apt-get");
        command
            .args(["-o", "DPkg::Lock::Timeout=300"])
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    process::run(apt(&["update", "--quiet=2"]), DEBIAN_LIMIT)?;
    let packages = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
    let mut arguments = vec!["install", "--yes", "--quiet=2", "--no-install-recommends"];
    arguments.extend(packages);
    process::run(apt(&arguments), DEBIAN_LIMIT)
}
