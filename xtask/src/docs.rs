//! `cargo xtask docs`: the files that the binary prints, and whether all documents hold together.

use crate::process;
use anyhow::{Context as _, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {}

/// Write the printed files.
pub fn main(_args: Args) -> Result<()> {
    for (path, text) in printed()? {
        std::fs::write(process::root().join(path), text).with_context(|| path.to_owned())?;
        println!("wrote {path}");
    }
    Ok(())
}

/// Each file that is printed by the binary and committed, with the text it has to have.
fn printed() -> Result<Vec<(&'static str, String)>> {
    process::run(
        process::cargo(&["build", "--workspace", "--bins"]),
        Duration::from_secs(1800),
    )?;
    let reference = |form: &str| {
        let mut command = process::command(process::target().join("debug/hookcast"));
        command.args(["reference", "--form", form]);
        process::output(command)
    };
    let toml = reference("toml")?;
    // What the packages install keeps its data where the unit lets it.
    let installed = toml.replace(
        "#data_dir = \"./hookcast-data\"",
        "data_dir = \"/var/lib/hookcast\"",
    );
    ensure!(
        toml != installed,
        "the printed reference has no data_dir in the form that is expected here"
    );
    Ok(vec![
        ("docs/settings.md", reference("markdown")?),
        ("systemd/hookcast.toml", installed),
    ])
}

/// The printed files are current, links lead somewhere, and the unit is as confined as it claims.
pub fn check() -> Result<()> {
    for (path, text) in printed()? {
        let committed = std::fs::read_to_string(process::root().join(path)).unwrap_or_default();
        ensure!(
            committed == text,
            "{path} is not what the binary prints: run `cargo xtask docs`"
        );
    }
    let mut command = process::command(process::target().join("debug/hookcast"));
    command.args(["check-config", "--config", "systemd/hookcast.toml"]);
    process::output(command)?;
    links()?;
    unit()
}

fn links() -> Result<()> {
    let root = process::root();
    let mut documents: Vec<PathBuf> = std::fs::read_dir(root.join("docs"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    let others = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "server/ARCHITECTURE.md",
    ];
    documents.extend(others.map(|name| root.join(name)));
    let mut dead = Vec::new();
    for document in &documents {
        let text = std::fs::read_to_string(document).with_context(|| document.display().to_string())?;
        dead.extend(local_links(&text).into_iter().filter_map(|link| {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().expect("a file").join(path),
            };
            let leads = target.exists() && (anchor.is_empty() || has_heading(&target, anchor));
            (!leads).then(|| {
                format!(
                    "{}: {link}",
                    document.strip_prefix(&root).unwrap_or(document).display()
                )
            })
        }));
    }
    if !dead.is_empty() {
        bail!("links that lead nowhere:\n  {}", dead.join("\n  "));
    }
    println!("  {} documents, every link leads somewhere", documents.len());
    Ok(())
}

/// The targets of `[…](…)` that lie in the repository.
fn local_links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// Whether a heading of the document has this anchor, as GitHub makes them.
fn has_heading(document: &Path, anchor: &str) -> bool {
    let text = std::fs::read_to_string(document).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let made: String = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        made == anchor
    })
}

fn unit() -> Result<()> {
    if process::find("systemd-analyze").is_none() {
        println!("  systemd-analyze is not here: the unit's confinement was not rated");
        return Ok(());
    }
    let mut command = process::command("systemd-analyze");
    command
        .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
        .arg("systemd/hookcast.service");
    // Prints one line a protection; only the verdict counts, which is the exit code.
    process::output(command).map(|_| println!("  systemd rates the unit 2.0 or better"))
}
