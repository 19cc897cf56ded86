//! What the documents show is true of this binary: its commands parse, its settings, codes and environment names exist.
//! (Where their links lead is checked by `cargo xtask docs`, their metrics by `monitoring`.)

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hookcast::config::{SECTIONS, SETTINGS};
use hookcast::site::REFUSAL_CODES;
use wire::close::CloseCode;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every document for people who run or build hookcast, with its name.
fn documents() -> Vec<(String, String)> {
    let root = root();
    let in_docs = std::fs::read_dir(root.join("docs")).expect("the documents");
    let mut paths: Vec<PathBuf> = in_docs
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    paths.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root.join(name)));
    let documents: Vec<_> = paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.file_name().unwrap().to_string_lossy().into_owned(), text)
        })
        .collect();
    assert!(
        documents.iter().any(|(name, _)| name == "install.md"),
        "no documents were found"
    );
    documents
}

/// The fenced blocks of a document with their language, and the text without them.
fn blocks(text: &str) -> (Vec<(&str, String)>, String) {
    let (mut blocks, mut prose) = (Vec::new(), String::new());
    let mut open: Option<(&str, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some((language.trim(), String::new())),
            (None, Some((_, block))) => *block += &format!("{line}\n"),
            (None, None) => prose += &format!("{line}\n"),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    (blocks, prose)
}

/// `code` in prose.
fn inline_code(prose: &str) -> impl Iterator<Item = &str> {
    prose.split('`').skip(1).step_by(2)
}

/// The words of one command as a shell would split them, up to where another command begins or output is redirected.
fn commands(line: &str) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    let (mut word, mut begun) = (String::new(), false);
    let (mut quote, mut depth, mut redirected) = (None, 0, false);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => word.push(c),
            (None, '\'' | '"') => (quote, begun) = (Some(c), true),
            (None, '(') => {
                depth += 1;
                word.push(c);
            }
            (None, ')') => {
                depth -= 1;
                word.push(c);
            }
            (None, ' ' | '|' | ';' | '&' | '>' | '#') if depth == 0 => {
                if (begun || !word.is_empty()) && !redirected {
                    all.last_mut().expect("one").push(std::mem::take(&mut word));
                }
                word.clear();
                begun = false;
                match c {
                    '#' => return all,
                    '>' => redirected = true,
                    '|' | ';' | '&' => {
                        all.push(Vec::new());
                        redirected = false;
                    }
                    _ => {}
                }
            }
            (None, _) => word.push(c),
        }
    }
    all
}

/// The words from `hookcast` on, where a command is one of ours.
fn ours(words: Vec<String>) -> Option<Vec<String>> {
    let before = |word: &String| {
        ["sudo", "-u", "hookcast", "docker", "compose", "exec"].contains(&word.as_str())
            || word.contains('=')
            || word == "$"
    };
    let at = words
        .iter()
        .position(|word| word == "hookcast" || word.ends_with("/hookcast"))?;
    // `sudo -u hookcast hookcast site list`: the last of those in a row.
    let at = at + usize::from(words.get(at + 1).is_some_and(|word| word == "hookcast"));
    let is_command = words[..at].iter().all(before) && words.len() > at + 1;
    is_command.then(|| words[at..].to_vec())
}

#[test]
fn every_command_shown_is_one_of_the_binary() {
    let mut seen = BTreeSet::new();
    for (name, text) in documents() {
        let (blocks, prose) = blocks(&text);
        let shown = blocks
            .iter()
            .filter(|(language, _)| ["sh", "console", "bash"].contains(language));
        let lines = shown
            .flat_map(|(_, block)| {
                block
                    .replace("\\\n", " ")
                    .lines()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .chain(inline_code(&prose).map(str::to_owned));
        for words in lines.flat_map(|line| commands(&line)).filter_map(ours) {
            // In prose a command may be named by its first words: `hookcast proxy-config`, `hookcast site`.
            if let Err(error) = hookcast::cli::parse(&words) {
                let named = error.kind() == clap::error::ErrorKind::DisplayHelp
                    || error.kind() == clap::error::ErrorKind::DisplayVersion
                    || (prose.contains(&format!("`{}`", words.join(" ")))
                        && hookcast::cli::parse(&[&words[..], &["--help".to_owned()]].concat())
                            .is_err_and(|e| e.kind() == clap::error::ErrorKind::DisplayHelp));
                assert!(named, "{name}: {}\n{error}", words.join(" "));
            }
            seen.insert(words[1].clone());
        }
    }
    for wanted in ["serve", "site", "publish", "listen", "backup", "proxy-config"] {
        assert!(seen.contains(wanted), "no document shows `hookcast {wanted}`");
    }
}

#[test]
fn every_setting_named_exists() {
    let keys: BTreeSet<String> = SETTINGS.iter().map(hookcast::config::Setting::key).collect();
    let environment: BTreeSet<String> = SETTINGS
        .iter()
        .map(hookcast::config::Setting::env)
        .chain(["HOOKCAST_CONFIG".to_owned()])
        .collect();
    // The connector's constants, which wp-config.php sets, are called alike.
    let connector = std::fs::read_to_string(root().join("wordpress/hookcast.php")).expect("the connector");
    let mut seen = 0;
    for (name, text) in documents() {
        let (blocks, prose) = blocks(&text);
        for code in inline_code(&prose) {
            let key = code.split([' ', '=']).next().unwrap_or_default();
            let Some((section, rest)) = key.split_once('.') else {
                continue;
            };
            let is_name = !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let is_file = ["rs", "md", "db", "toml", "service", "socket", "php", "js"].contains(&rest);
            if is_name && !is_file && SECTIONS.iter().any(|(known, _)| *known == section) {
                assert!(keys.contains(key), "{name}: there is no setting {key}");
                seen += 1;
            }
        }
        for (_, block) in blocks.iter().filter(|(language, _)| *language == "toml") {
            let table: toml::Table = block.parse().unwrap_or_else(|e| panic!("{name}: {e}\n{block}"));
            for (section, values) in &table {
                for key in values.as_table().into_iter().flat_map(toml::Table::keys) {
                    let key = format!("{section}.{key}");
                    assert!(keys.contains(&key), "{name}: there is no setting {key}");
                    seen += 1;
                }
            }
        }
        for at in text.match_indices("HOOKCAST_").map(|(at, _)| at) {
            let end = text[at..]
                .find(|c: char| !c.is_ascii_uppercase() && c != '_')
                .unwrap_or(text.len() - at);
            let variable = &text[at..at + end];
            // `HOOKCAST_*` names them all.
            assert!(
                variable == "HOOKCAST_"
                    || environment.contains(variable)
                    || connector.contains(&format!("'{variable}'")),
                "{name}: there is no variable {variable}"
            );
        }
    }
    assert!(
        seen > 20,
        "only {seen} settings are named: are they found at all?"
    );
}

#[test]
fn troubleshooting_explains_every_code() {
    let text = std::fs::read_to_string(root().join("docs/troubleshooting.md")).expect("the page");
    for code in CloseCode::ALL {
        let row = format!("| {} |", code.code());
        assert!(text.contains(&row), "close code {} is not explained", code.code());
    }
    for code in REFUSAL_CODES.iter().filter(|code| **code != "other") {
        assert!(text.contains(&format!("| `{code}` |")), "{code} is not explained");
    }
}
