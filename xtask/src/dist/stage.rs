//! Which file goes where, once for both packages.

use super::Release;
use crate::process;
use anyhow::{Context as _, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Copies a file of the project, creating directories on the way.
pub fn copy(from: impl AsRef<Path>, to: &Path, mode: u32) -> Result<()> {
    let from = process::root().join(from);
    let text = || format!("{} to {}", from.display(), to.display());
    std::fs::create_dir_all(to.parent().expect("a file")).with_context(text)?;
    std::fs::copy(&from, to).with_context(text)?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode)).with_context(text)
}

/// The binary without its line tables.
pub fn binary(release: &Release, to: &Path) -> Result<()> {
    copy(&release.binary, to, 0o755)?;
    let mut strip = process::command("strip");
    strip.arg(to);
    process::output(strip).map(drop)
}

/// The manual pages that the binary itself writes, compressed as Debian has them.
pub fn manual(release: &Release, directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut man = process::command(&release.binary);
    man.arg("man").arg(directory);
    process::output(man)?;
    for page in std::fs::read_dir(directory)? {
        let mut gzip = process::command("gzip");
        gzip.args(["-9", "--no-name"]).arg(page?.path());
        process::output(gzip)?;
    }
    Ok(())
}

/// What each shell completes from: (shell, its file below `/usr/share`).
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/hookcast"),
    ("zsh", "zsh/vendor-completions/_hookcast"),
    ("fish", "fish/vendor_completions.d/hookcast.fish"),
];

pub fn completions(release: &Release, share: &Path) -> Result<()> {
    for (shell, file) in COMPLETIONS {
        let mut complete = process::command(&release.binary);
        complete.args(["complete", shell]);
        let to = share.join(file);
        std::fs::create_dir_all(to.parent().expect("a file"))?;
        std::fs::write(to, process::output(complete)?)?;
    }
    Ok(())
}

/// The guides for operators.
pub fn documents(directory: &Path) -> Result<()> {
    copy("README.md", &directory.join("README.md"), 0o644)?;
    for document in std::fs::read_dir(process::root().join("docs"))? {
        let path = document?.path();
        if path.is_file() {
            copy(
                &path,
                &directory.join("docs").join(path.file_name().expect("a file")),
                0o644,
            )?;
        }
    }
    Ok(())
}
