//! The files for Docker, as far as they can be checked without an engine.

use std::path::{Path, PathBuf};

use hookcast::config::{SETTINGS, Setting};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../packaging/docker")
        .join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// What the profile does with a system call, and whether it looks at the arguments first.
fn admitted(profile: &Value, call: &str) -> Option<(String, bool)> {
    let rules = profile["syscalls"].as_array().expect("rules");
    let names = |rule: &Value| {
        rule["names"]
            .as_array()
            .expect("names")
            .iter()
            .any(|name| name == call)
    };
    let rule = rules.iter().find(|rule| names(rule))?;
    Some((rule["action"].as_str()?.to_owned(), rule["args"].is_array()))
}

#[test]
fn the_seccomp_profile_admits_io_uring_and_no_new_namespaces() {
    let profile: Value = serde_json::from_str(&read("seccomp.json")).expect("JSON");
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let allowed = Some(("SCMP_ACT_ALLOW".to_owned(), false));
    for call in [
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "execve",
        "recvfrom",
    ] {
        assert_eq!(admitted(&profile, call), allowed, "{call}");
    }
    for call in [
        "unshare",
        "setns",
        "mount",
        "ptrace",
        "bpf",
        "keyctl",
        "reboot",
        "init_module",
    ] {
        assert_eq!(admitted(&profile, call), None, "{call}");
    }
    assert_eq!(
        admitted(&profile, "clone"),
        Some(("SCMP_ACT_ALLOW".to_owned(), true))
    );
}

#[test]
fn the_compose_file_names_files_and_settings_that_exist() {
    let compose = YamlLoader::load_from_str(&read("compose.yaml")).expect("YAML");
    let service = &compose[0]["services"]["hookcast"];
    let context = file(service["build"]["context"].as_str().expect("a context"));
    let dockerfile = service["build"]["dockerfile"].as_str().expect("a Dockerfile");
    assert!(context.join("Cargo.toml").is_file() && context.join(dockerfile).is_file());
    let options = service["security_opt"].as_vec().expect("security options");
    let profile = options
        .iter()
        .filter_map(Yaml::as_str)
        .find_map(|option| option.strip_prefix("seccomp="));
    assert!(file(profile.expect("a profile")).is_file());
    let known: Vec<String> = SETTINGS.iter().map(Setting::env).collect();
    for (name, _) in service["environment"].as_hash().expect("an environment") {
        let name = name.as_str().expect("a name");
        assert!(known.iter().any(|known| known == name), "there is no {name}");
    }
    let image = read("Dockerfile");
    let set = image
        .split_whitespace()
        .filter(|word| word.starts_with("HOOKCAST_") && word.contains('='));
    for variable in set {
        let name = variable.split('=').next().expect("a name");
        assert!(known.iter().any(|known| known == name), "there is no {name}");
    }
}

#[test]
fn the_image_does_not_run_as_root() {
    let image = read("Dockerfile");
    let user = image
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("USER "))
        .expect("a user");
    assert!(!user.starts_with('0') && !user.starts_with("root"), "{user}");
}
