//! Where settings come from, and reading them in order of strength.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{SECTIONS, SETTINGS, Sections, Setting};
use super::value::Raw;
use super::{Config, ConfigError, check};

/// What `--config` can be said with in the environment.
const FILE_VARIABLE: &str = "HOOKCAST_CONFIG";

/// The places settings are read from; kept so that a reload reads the same ones again.
#[derive(Clone, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not begin with `HOOKCAST_` are passed over.
    pub env: BTreeMap<String, String>,
    /// Key and value, the later the stronger.
    pub flags: Vec<(String, String)>,
}

/// Names only: a value may be a secret.
impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("env", &self.env.keys())
            .field(
                "flags",
                &self.flags.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            )
            .finish()
    }
}

impl Sources {
    /// Of this process: its environment, and what the command line said.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Sources {
        let env: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("HOOKCAST_"))
            .collect();
        let file = file.or_else(|| {
            env.get(FILE_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        });
        Sources { file, env, flags }
    }

    /// Everything that is wrong is reported together, so that an operator mends a file in one go.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut sections = Sections::default();
        let mut problems = Vec::new();
        let mut warnings = Vec::new();
        if let Some(path) = &self.file {
            let text = std::fs::read_to_string(path).map_err(|e| {
                ConfigError::one(format!("cannot read the settings in {}: {e}", path.display()))
            })?;
            from_toml(&text, &path.display().to_string(), &mut sections, &mut problems);
        }
        from_env(&self.env, &mut sections, &mut problems, &mut warnings);
        for (key, value) in &self.flags {
            match SETTINGS.iter().find(|setting| setting.key() == *key) {
                Some(setting) => set(setting, &mut sections, &Raw::text(value), "flag", &mut problems),
                None => problems.push(format!("flag: {}", unknown(key))),
            }
        }
        if problems.is_empty() {
            problems = check::problems(&sections);
        }
        if !problems.is_empty() {
            return Err(ConfigError { problems });
        }
        warnings.extend(check::warnings(&sections));
        Ok(Config {
            sections,
            sources: self.clone(),
            warnings,
        })
    }
}

fn set(setting: &Setting, sections: &mut Sections, raw: &Raw, origin: &str, problems: &mut Vec<String>) {
    if let Err(wrong) = (setting.set)(sections, raw) {
        problems.push(format!("{origin}: `{}` {wrong}", setting.key()));
    }
}

fn from_env(
    env: &BTreeMap<String, String>,
    sections: &mut Sections,
    problems: &mut Vec<String>,
    warnings: &mut Vec<String>,
) {
    for (name, value) in env {
        let is_ours = name == FILE_VARIABLE || name == crate::upgrade::VARIABLE;
        if is_ours || !name.starts_with("HOOKCAST_") {
            continue;
        }
        match SETTINGS.iter().find(|setting| setting.env() == *name) {
            Some(setting) => set(setting, sections, &Raw::text(value), name, problems),
            // Not refused: Kubernetes puts `HOOKCAST_PORT` and the like there for a service of that name.
            None => warnings.push(format!(
                "the environment variable {name} is not a setting and is passed over"
            )),
        }
    }
}

fn from_toml(text: &str, file: &str, sections: &mut Sections, problems: &mut Vec<String>) {
    let line = |at: usize| {
        1 + text.as_bytes()[..at.min(text.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
    };
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(e) => {
            let at = e.span().map_or(0, |span| span.start);
            problems.push(format!("{file}:{}: {}", line(at), e.message()));
            return;
        }
    };
    let mut by_line: Vec<(usize, String)> = Vec::new();
    for (section, values) in &table {
        let section_line = line(section.span().start);
        let name = section.get_ref().as_ref();
        if !SECTIONS.iter().any(|(known, _)| *known == name) {
            by_line.push((section_line, unknown(name)));
            continue;
        }
        let DeValue::Table(values) = values.get_ref() else {
            by_line.push((
                section_line,
                format!("`{name}` is a section: write `[{name}]` and its settings below"),
            ));
            continue;
        };
        for (key, value) in values {
            let full = format!("{name}.{}", key.get_ref());
            let wrong = match SETTINGS.iter().find(|setting| setting.key() == full) {
                None => Some(unknown(&full)),
                Some(setting) => raw(value)
                    .and_then(|raw| (setting.set)(sections, &raw))
                    .err()
                    .map(|wrong| format!("`{full}` {wrong}")),
            };
            by_line.extend(wrong.map(|wrong| (line(key.span().start), wrong)));
        }
    }
    by_line.sort_by_key(|(line, _)| *line);
    problems.extend(
        by_line
            .into_iter()
            .map(|(line, wrong)| format!("{file}:{line}: {wrong}")),
    );
}

fn raw(value: &Spanned<DeValue<'_>>) -> Result<Raw, String> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Raw::String(text.to_string())),
        DeValue::Integer(number) => i64::from_str_radix(&number.as_str().replace('_', ""), number.radix())
            .map(|number| Raw::Integer(number.to_string()))
            .map_err(|_| "is too large a number".to_owned()),
        DeValue::Boolean(value) => Ok(Raw::Boolean(*value)),
        DeValue::Array(items) => items.iter().map(raw).collect::<Result<_, _>>().map(Raw::List),
        DeValue::Float(_) => Err("takes no fractions".to_owned()),
        DeValue::Datetime(_) => Err("takes no date".to_owned()),
        DeValue::Table(_) => Err("takes no table".to_owned()),
    }
}

/// Names the nearest key, since most unknown ones are misspelt.
fn unknown(key: &str) -> String {
    let keys = SETTINGS
        .iter()
        .map(Setting::key)
        .chain(SECTIONS.iter().map(|(name, _)| (*name).to_owned()));
    let nearest = keys
        .map(|known| (strsim::jaro_winkler(&known, key), known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, known)) => format!("unknown key `{key}`; did you mean `{known}`?"),
        None => format!("unknown key `{key}`; `hookcast reference` lists all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(toml: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("t.toml");
        std::fs::write(&file, toml).unwrap();
        let owned = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect::<Vec<_>>()
        };
        Sources {
            file: Some(file),
            env: owned(env).into_iter().collect(),
            flags: owned(flags),
        }
        .load()
        .map_err(|e| e.to_string())
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let toml = "[server]\nworkers = 1\nring_entries = 0x40\n[http]\nheaders_max = 11";
        let config = sources(
            toml,
            &[
                ("HOOKCAST_WORKERS", "2"),
                ("HOOKCAST_HTTP_HEADERS_MAX", "12"),
                ("HOOKCAST_CONFIG", "x"),
            ],
            &[("server.workers", "3")],
        )
        .unwrap();
        assert_eq!(
            (
                config.server.workers,
                config.http.headers_max,
                config.server.ring_entries
            ),
            (3, 12, 64)
        );
        assert!(config.warnings().is_empty());
    }

    #[test]
    fn all_that_is_wrong_is_reported_with_its_line() {
        let toml = "[server]\nlisten = '127.0.0.1:1'\n\nworkers = 'two'\n[limits]\nmessages_bytes_max = 1\n[servers]\n";
        let refused = sources(toml, &[("HOOKCAST_DRIVER", "kqueue")], &[("log.format", "xml")]).unwrap_err();
        for part in [
            "t.toml:2: `server.listen` must be a list of addresses, not a string",
            "t.toml:4: `server.workers` must be of type integer, not a string",
            "t.toml:6: unknown key `limits.messages_bytes_max`; did you mean `limits.message_bytes_max`?",
            "t.toml:7: unknown key `servers`; did you mean `server`?",
            "HOOKCAST_DRIVER: `server.driver` expects one of `auto` `io_uring` `epoll`, not `kqueue`",
            "flag: `log.format` expects one of `text` `json`, not `xml`",
        ] {
            assert!(refused.contains(part), "{part}\n---\n{refused}");
        }
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let refused = sources("[server]\nworkers = = 3\n", &[], &[]).unwrap_err();
        assert!(refused.contains("t.toml:2: "), "{refused}");
    }

    #[test]
    fn lists_come_as_arrays_or_with_commas() {
        let config = sources(
            "[server]\nlisten = ['127.0.0.1:1', '[::1]:2']",
            &[("HOOKCAST_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")],
            &[],
        )
        .unwrap();
        assert_eq!(config.server.listen.len(), 2);
        assert_eq!(config.server.trusted_proxies[1].to_string(), "192.0.2.1/32");
    }

    #[test]
    fn a_foreign_variable_is_a_warning() {
        let config = sources(
            "",
            &[("HOOKCAST_PORT", "tcp://10.0.0.1:80"), ("PATH", "/bin")],
            &[],
        )
        .unwrap();
        assert_eq!(config.warnings().len(), 1);
        assert!(config.warnings()[0].contains("HOOKCAST_PORT"));
    }
}
