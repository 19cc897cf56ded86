//! What was compiled into the binary, as CycloneDX: each crate with its version, licence and checksum.

use super::Release;
use crate::process;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

pub fn write(release: &Release) -> Result<PathBuf> {
    let mut components = BTreeMap::new();
    // The web app is compiled into the binary too, from its own lock file.
    for (directory, package) in [(".", "hookcast"), ("admin-ui", "hookcast-admin-ui")] {
        collect(directory, package, &mut components)?;
    }
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

/// The crates that `package` is compiled with: its dependencies and theirs, without those of tests and build scripts.
fn collect(directory: &str, package: &str, components: &mut BTreeMap<String, Value>) -> Result<()> {
    let manifest = process::root().join(directory).join("Cargo.toml");
    let mut command = process::cargo(&["metadata", "--format-version=1", "--locked", "--manifest-path"]);
    command.arg(&manifest);
    let metadata: Value = serde_json::from_str(&process::output(command)?)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> = list(&metadata["packages"])
        .into_iter()
        .filter_map(|package| Some((package["id"].as_str()?.to_owned(), package)))
        .collect();
    let nodes: BTreeMap<String, Value> = list(&metadata["resolve"]["nodes"])
        .into_iter()
        .filter_map(|node| Some((node["id"].as_str()?.to_owned(), node)))
        .collect();
    let root = packages
        .iter()
        .find(|(_, value)| value["name"] == package)
        .map(|(id, _)| id.clone());
    let checksums = checksums(directory)?;
    let mut seen = BTreeSet::new();
    let mut waiting = vec![root.with_context(|| format!("{} has no package {package}", manifest.display()))?];
    while let Some(id) = waiting.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        for dependency in list(&nodes[&id]["deps"]) {
            let compiled_in = list(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"].is_null());
            if compiled_in && let Some(id) = dependency["pkg"].as_str() {
                waiting.push(id.to_owned());
            }
        }
        let package = &packages[&id];
        // Without a source it is one of the project's own crates.
        if package["source"].is_null() {
            continue;
        }
        let text = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
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
