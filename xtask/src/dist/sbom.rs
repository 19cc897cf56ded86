//! What was compiled into the binary, as CycloneDX: each crate with its version, licence and checksum.

use super::Release;
use crate::process;
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub fn write(release: &Release) -> Result<PathBuf> {
    let mut components = BTreeMap::new();
    // The web app is compiled into the binary too, from its own lock file.
    collect(".", "hookcast", None, &mut components)?;
    collect(
        "admin-ui",
        "hookcast-ui",
        Some("wasm32-unknown-unknown"),
        &mut components,
    )?;
    let bom = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "name": "hookcast", "version": release.version,
                "bom-ref": format!("pkg:cargo/hookcast@{}", release.version),
                "licenses": [{"expression": "MIT OR Apache-2.0"}],
            },
        },
        "components": components.into_values().collect::<Vec<_>>(),
    });
    let file = release.artifacts.join(format!("{}.cdx.json", release.name()));
    std::fs::write(&file, serde_json::to_vec_pretty(&bom)?)?;
    Ok(file)
}

/// The crates that `package` is compiled with: its dependencies and theirs, without those of tests and build scripts, and
/// without those that the lock file knows for features that are off.
fn collect(
    directory: &str,
    package: &str,
    target: Option<&str>,
    components: &mut BTreeMap<String, Value>,
) -> Result<()> {
    let manifest = process::root().join(directory).join("Cargo.toml");
    let mut command = process::cargo(&["metadata", "--format-version=1", "--locked", "--manifest-path"]);
    command.arg(&manifest);
    let metadata: Value = serde_json::from_str(&process::output(command)?)?;
    let compiled_in = compiled_in(&manifest, package, target)?;
    let checksums = checksums(directory)?;
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        // Without a source it is one of the project's own crates.
        if package["source"].is_null() || !compiled_in.contains(&(name.clone(), version.clone())) {
            continue;
        }
        let purl = format!("pkg:cargo/{name}@{version}");
        let mut component = json!({
            "type": "library", "bom-ref": purl, "purl": purl, "name": name, "version": version,
            "licenses": [{"expression": text("license").replace('/', " OR ")}],
        });
        if let Some(sum) = checksums.get(&(name, version)) {
            component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
        }
        components.insert(purl, component);
    }
    Ok(())
}

/// Names and versions, as cargo resolves features.
fn compiled_in(manifest: &Path, package: &str, target: Option<&str>) -> Result<BTreeSet<(String, String)>> {
    let mut command = process::cargo(&[
        "tree",
        "--locked",
        "--edges=normal",
        "--prefix=none",
        "--format={p}",
    ]);
    command
        .arg("--manifest-path")
        .arg(manifest)
        .args(["--package", package]);
    command.args(target.into_iter().flat_map(|target| ["--target", target]));
    let tree = process::output(command)?;
    // `name v1.2.3`, and where it comes from.
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((
            words.next()?.to_owned(),
            words.next()?.strip_prefix('v')?.to_owned(),
        ))
    });
    let found: BTreeSet<_> = named.collect();
    ensure!(
        found.len() > 10,
        "cargo names only {} crates of {package}",
        found.len()
    );
    Ok(found)
}

/// The checksums of the lock file, by name and version.
fn checksums(directory: &str) -> Result<BTreeMap<(String, String), String>> {
    let text = std::fs::read_to_string(process::root().join(directory).join("Cargo.lock"))?;
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([' ', '=']).trim_matches('"').to_owned())
    };
    Ok(text
        .split("[[package]]")
        .filter_map(|block| {
            Some((
                (field(block, "name")?, field(block, "version")?),
                field(block, "checksum")?,
            ))
        })
        .collect())
}
