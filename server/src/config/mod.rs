//! The relay's settings: as typed → resolved.
//!
//! A TOML file, then `HOOKCAST_*` environment variables, then flags, each stronger than the one before. What is wrong
//! is refused with where it stands; a `Config` that exists is whole, typed and checked.

mod check;
mod reference;
mod settings;
mod sources;
mod value;

use std::fmt;
use std::ops::Deref;

pub use reference::Form;
pub use settings::{
    Admin, Http, Limits, Log, Metrics, Recovery, Reload, SECTIONS, SETTINGS, Sections, Server, Session,
    Setting, Tls,
};
pub use sources::Sources;
pub use value::{AcmeChallenge, AcmeDirectory, BasePath, DomainName, Driver, LogFormat, PublicUrl, Secret};

/// The effective settings; reads like its sections: `config.limits.message_bytes_max`.
#[derive(Clone, Debug, Default)]
pub struct Config {
    sections: Sections,
    sources: Sources,
    warnings: Vec<String>,
}

impl Deref for Config {
    type Target = Sections;

    fn deref(&self) -> &Sections {
        &self.sections
    }
}

/// What a reload came to: the settings that changed, by when they take effect.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    pub live: Vec<String>,
    pub after_restart: Vec<String>,
}

impl Config {
    /// What deserves a line in the log although it is not wrong enough to refuse.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The file that settings were read from, if there was one.
    pub fn file(&self) -> Option<&std::path::Path> {
        self.sources.file.as_deref()
    }

    /// Reads the same sources again. The result holds what can change while running, and everything else as it is.
    pub fn reload(&self) -> Result<(Config, Changes), ConfigError> {
        let mut next = self.sources.load()?;
        let mut changes = Changes::default();
        for setting in SETTINGS {
            let now = (setting.exposed)(&self.sections);
            if now == (setting.exposed)(&next.sections) {
                continue;
            }
            match setting.reload {
                Reload::Live => changes.live.push(setting.key()),
                Reload::Restart => {
                    (setting.set)(&mut next.sections, &now).expect("a value in use is a valid one");
                    changes.after_restart.push(setting.key());
                }
            }
        }
        let problems = check::problems(&next.sections);
        if problems.is_empty() {
            Ok((next, changes))
        } else {
            Err(ConfigError { problems })
        }
    }

    /// The effective settings as TOML, secrets masked.
    pub fn to_toml(&self) -> String {
        reference::effective(&self.sections)
    }

    /// The effective settings as JSON, secrets masked.
    pub fn to_json(&self) -> serde_json::Value {
        reference::effective_json(&self.sections)
    }

    /// Every setting with its default and meaning.
    pub fn reference(form: Form) -> String {
        reference::reference(form)
    }
}

/// Everything that is wrong with the settings, one line each.
#[derive(Debug)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    fn one(problem: String) -> ConfigError {
        ConfigError {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hookcast.toml");
        std::fs::write(&file, toml).unwrap();
        Sources {
            file: Some(file),
            ..Sources::default()
        }
        .load()
    }

    #[test]
    fn reload_takes_live_settings_and_names_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hookcast.toml");
        std::fs::write(
            &file,
            "[limits]\noutbox_frames_max = 10\n[metrics]\ntoken = 'one'",
        )
        .unwrap();
        let config = Sources {
            file: Some(file.clone()),
            ..Sources::default()
        }
        .load()
        .unwrap();
        std::fs::write(
            &file,
            "[limits]\noutbox_frames_max = 20\n[server]\nworkers = 3\n[metrics]\ntoken = 'two'",
        )
        .unwrap();
        let (next, changes) = config.reload().unwrap();
        assert_eq!(next.limits.outbox_frames_max, 20);
        assert_eq!(next.metrics.token.as_ref().unwrap().expose(), "two");
        assert_eq!(next.server.workers, 0);
        assert_eq!(changes.live, ["limits.outbox_frames_max", "metrics.token"]);
        assert_eq!(changes.after_restart, ["server.workers"]);
    }

    #[test]
    fn a_broken_file_is_refused_on_reload_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("hookcast.toml");
        std::fs::write(&file, "").unwrap();
        let config = Sources {
            file: Some(file.clone()),
            ..Sources::default()
        }
        .load()
        .unwrap();
        std::fs::write(&file, "[limits]\nnope = 1").unwrap();
        assert!(
            config
                .reload()
                .unwrap_err()
                .to_string()
                .contains(":2: unknown key `limits.nope`")
        );
    }

    #[test]
    fn secrets_are_in_no_printed_form() {
        let config = config("[metrics]\ntoken = 'sesame-open'").unwrap();
        assert_eq!(config.metrics.token.as_ref().unwrap().expose(), "sesame-open");
        for printed in [
            config.to_toml(),
            config.to_json().to_string(),
            format!("{config:?}"),
        ] {
            assert!(!printed.contains("sesame"), "{printed}");
        }
    }

    #[test]
    fn a_certificate_is_ordered_for_names_and_with_the_terms_agreed_to() {
        let tls = |lines: &str| config(&format!("[tls]\nlisten = ['0.0.0.0:443']\n{lines}"));
        let good =
            tls("acme_domains = ['Relay.Example', 'bücher.example']\nacme_terms_agreed = true").unwrap();
        assert!(good.warnings().is_empty(), "{:?}", good.warnings());
        let names: Vec<_> = good.tls.acme_domains.iter().map(DomainName::as_str).collect();
        assert_eq!(names, ["relay.example", "xn--bcher-kva.example"]);
        for (lines, why) in [
            ("acme_domains = ['relay.example']", "tls.acme_terms_agreed"),
            (
                "acme_domains = ['192.0.2.1']\nacme_terms_agreed = true",
                "not an address",
            ),
            (
                "acme_domains = ['*.relay.example']\nacme_terms_agreed = true",
                "`*`",
            ),
            (
                "acme_domains = ['https://relay.example']\nacme_terms_agreed = true",
                "name",
            ),
            ("acme_domains = ['relay']\nacme_terms_agreed = true", "`relay`"),
            (
                "acme_domains = ['r.example', 'R.example']\nacme_terms_agreed = true",
                "twice",
            ),
            (
                "acme_domains = ['r.example']\nacme_terms_agreed = true\nacme_email = 'me'",
                "tls.acme_email",
            ),
            (
                "acme_domains = ['r.example']\nacme_terms_agreed = true\ncertificate = 'c'\nkey = 'k'",
                "either",
            ),
            ("acme_directory = 'http://ca.example/dir'", "https"),
            ("acme_directory = 'prod'", "`staging`"),
        ] {
            let refused = tls(lines).unwrap_err().to_string();
            assert!(refused.contains(why), "{why}: {refused}");
        }
        let refused = config("[tls]\nacme_domains = ['r.example']\nacme_terms_agreed = true").unwrap_err();
        assert!(refused.to_string().contains("`tls.listen` is empty"), "{refused}");
    }

    #[test]
    fn ports_that_an_authority_cannot_ask_on_are_warned_about() {
        let warnings = |lines: &str| {
            let acme = "acme_domains = ['relay.example']\nacme_terms_agreed = true";
            let config = config(&format!("{lines}\n{acme}")).unwrap();
            config.warnings().join("\n")
        };
        let other_port = warnings("[tls]\nlisten = ['0.0.0.0:8443']");
        assert!(other_port.contains("port 443"), "{other_port}");
        let loopback = warnings("[tls]\nlisten = ['127.0.0.1:443']");
        assert!(loopback.contains("loopback"), "{loopback}");
        let no_plain = warnings("[tls]\nlisten = ['0.0.0.0:443']\nacme_challenge = 'http-01'");
        assert!(no_plain.contains("port 80"), "{no_plain}");
        let redirect =
            "[tls]\nlisten = ['0.0.0.0:443']\nredirect_listen = ['0.0.0.0:80']\nacme_challenge = 'http-01'";
        assert_eq!(warnings(redirect), "");
        let plain =
            "[server]\nlisten = ['0.0.0.0:80']\n[tls]\nlisten = ['0.0.0.0:443']\nacme_challenge = 'http-01'";
        assert_eq!(warnings(plain), "");
        let staging = warnings("[tls]\nlisten = ['0.0.0.0:443']\nacme_directory = 'staging'");
        assert!(staging.contains("don't trust"), "{staging}");
    }

    #[test]
    fn what_contradicts_itself_is_refused_and_what_is_odd_is_a_warning() {
        let refused = config("[admin]\nsession_idle_ms = 9000\nsession_life_ms = 8000")
            .unwrap_err()
            .to_string();
        assert!(refused.contains("admin.session_life_ms"), "{refused}");
        let refused = config("[limits]\npublishes_burst = 0").unwrap_err().to_string();
        assert!(refused.contains("limits.publishes_burst"), "{refused}");
        let refused = config("[log]\nlevel = 'a=b=c'").unwrap_err().to_string();
        assert!(refused.contains("log.level"), "{refused}");
        let odd = config(
            "[session]\nping_interval_ms = 200\nclient_silence_ms = 100\n[limits]\noutbox_bytes_max = 5000",
        );
        assert_eq!(odd.unwrap().warnings().len(), 2);
        assert!(config("").unwrap().warnings().is_empty());
    }
}
