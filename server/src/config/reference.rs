//! Printing settings: what each means, and what is in effect.

use std::fmt::Write;

use super::settings::{Reload, SECTIONS, SETTINGS, Sections, Setting};
use super::value::Raw;

/// How the reference is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// For a terminal.
    Text,
    /// For the documentation.
    Markdown,
    /// A configuration file with every setting commented out at its default.
    Toml,
}

pub fn reference(form: Form) -> String {
    let defaults = Sections::default();
    let mut out = String::new();
    match form {
        Form::Text => out.push_str("Settings: a TOML file < environment variables < flags (`--set KEY=VALUE`).\n"),
        Form::Markdown => out.push_str(
            "# Settings\n\nA TOML file (`--config FILE` or `HOOKCAST_CONFIG`), then environment variables, then flags; the later the \
             stronger. Any setting can be given as a flag: `--set limits.connections_per_site_max=500`. \
             Printed by `hookcast reference --form markdown`.\n",
        ),
        Form::Toml => out.push_str(
            "# hookcast: every setting at its default. Remove the `#` before one to change it.\n\
             # Check with: hookcast check-config --config THIS-FILE\n",
        ),
    }
    for (section, about) in SECTIONS {
        let about = prose(about);
        match form {
            Form::Text => {
                let _ = write!(out, "\n[{section}] {about}\n");
            }
            Form::Markdown => {
                let _ = write!(out, "\n## `[{section}]`\n\n{about}\n");
            }
            Form::Toml => {
                let _ = write!(out, "\n# {about}\n[{section}]\n");
            }
        }
        for setting in SETTINGS.iter().filter(|setting| setting.section == *section) {
            entry(&mut out, form, setting, &(setting.shown)(&defaults));
        }
    }
    out
}

fn entry(out: &mut String, form: Form, setting: &Setting, default: &Raw) {
    let doc = prose(setting.doc);
    let (key, env, kind) = (setting.key(), setting.env(), setting.kind);
    let default = default.to_toml();
    let reload = match setting.reload {
        Reload::Live => "taken up on reload (SIGHUP)",
        Reload::Restart => "needs a restart",
    };
    let _ = match form {
        Form::Text => write!(
            out,
            "\n  {key} = {default}\n      {doc}\n      {kind} · {env} · {reload}\n"
        ),
        Form::Markdown => write!(
            out,
            "\n### `{key}`\n\n{doc}\n\n- Type: {kind}\n- Default: `{default}`\n- Environment: `{env}`\n- A change {reload}.\n",
            reload = reload.replace("taken up", "is taken up")
        ),
        Form::Toml => write!(
            out,
            "\n# {doc}\n# ({kind}; {env}; {reload})\n#{} = {default}\n",
            setting.name
        ),
    };
}

/// Doc lines as one line of prose.
fn prose(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// What is in effect, as a configuration file that would give the same (but for masked secrets).
pub fn effective(sections: &Sections) -> String {
    let mut out = String::new();
    for (at, (section, _)) in SECTIONS.iter().enumerate() {
        let _ = writeln!(out, "{}[{section}]", if at == 0 { "" } else { "\n" });
        for setting in SETTINGS.iter().filter(|setting| setting.section == *section) {
            let _ = writeln!(out, "{} = {}", setting.name, (setting.shown)(sections).to_toml());
        }
    }
    out
}

pub fn effective_json(sections: &Sections) -> serde_json::Value {
    let mut out = serde_json::Map::new();
    for setting in SETTINGS {
        let value = json(&(setting.shown)(sections));
        let section = out
            .entry(setting.section)
            .or_insert_with(|| serde_json::json!({}));
        section[setting.name] = value;
    }
    serde_json::Value::Object(out)
}

fn json(raw: &Raw) -> serde_json::Value {
    match raw {
        Raw::Text(text) | Raw::String(text) => text.as_str().into(),
        Raw::Integer(text) => text
            .parse::<u64>()
            .map_or_else(|_| text.as_str().into(), Into::into),
        Raw::Boolean(value) => (*value).into(),
        Raw::List(items) => items.iter().map(json).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn load(toml: &str) -> Result<crate::config::Config, crate::config::ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.toml");
        std::fs::write(&file, toml).unwrap();
        Sources {
            file: Some(file),
            ..Sources::default()
        }
        .load()
    }

    #[test]
    fn the_printed_reference_file_gives_the_defaults_commented_or_not() {
        let printed = reference(Form::Toml);
        assert_eq!(load(&printed).unwrap().sections, Sections::default());
        let mut uncommented = 0;
        let without: Vec<String> = printed
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(setting) if !setting.starts_with(' ') => {
                    uncommented += 1;
                    setting.to_owned()
                }
                _ => line.to_owned(),
            })
            .collect();
        assert_eq!(uncommented, SETTINGS.len());
        assert_eq!(load(&without.join("\n")).unwrap().sections, Sections::default());
    }

    #[test]
    fn the_effective_settings_can_be_loaded_again() {
        let config = load("[limits]\npublishes_per_second = 7\n[server]\nbase_path = '/relay/'").unwrap();
        assert_eq!(load(&config.to_toml()).unwrap().sections, config.sections);
        assert_eq!(config.to_json()["limits"]["publishes_per_second"], 7);
        assert_eq!(config.to_json()["server"]["base_path"], "/relay");
    }

    #[test]
    fn every_setting_has_a_meaning_and_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for setting in SETTINGS {
            assert!(prose(setting.doc).ends_with('.'), "{}", setting.key());
            assert!(names.insert(setting.env()), "{}", setting.env());
        }
        for form in [Form::Text, Form::Markdown, Form::Toml] {
            let printed = reference(form);
            for setting in SETTINGS {
                assert!(printed.contains(&setting.env()), "{}", setting.key());
            }
        }
    }
}
