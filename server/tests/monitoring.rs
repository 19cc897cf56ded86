//! The dashboard, the alert rules and the page about metrics speak of metrics that the relay has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use testkit::{Options, Relay};
use yaml_rust2::{Yaml, YamlLoader};

/// Metrics of a relay that has a certificate of its own, which the one of these tests has not.
const WITH_TLS: [&str; 3] = [
    "hookcast_certificate_expires_seconds",
    "hookcast_certificate_replacements_total",
    "hookcast_certificate_failures_total",
];

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn scrape() -> String {
    let relay: Relay = Options::new(env!("CARGO_BIN_EXE_hookcast"))
        .config("server.drain_ms = 0\nmetrics.token = \"of this test\"")
        .start();
    let answer = relay.request(
        "GET",
        "/metrics",
        &[("Authorization", "Bearer of this test")],
        b"",
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.text()
}

/// The names of all samples.
fn names(metrics: &str) -> BTreeSet<&str> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples
        .filter_map(|line| line.split(['{', ' ']).next())
        .filter(|name| !name.is_empty())
        .collect()
}

/// The words of a text that begin like a metric's name.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("hookcast_")).collect()
}

/// Every metric of an expression exists, and so does every value that it asks a label for.
fn check(expression: &str, metrics: &str) {
    let names = names(metrics);
    let used = named(expression);
    assert!(!used.is_empty(), "no metric in {expression}");
    for name in used {
        let is_there = names.contains(name) || WITH_TLS.contains(&name);
        assert!(is_there, "there is no {name}: {expression}");
    }
    for label in ["reason", "code", "transport", "driver"] {
        for rest in expression.split(&format!("{label}=")).skip(1) {
            let values = rest
                .trim_start_matches('~')
                .trim_start_matches('"')
                .split('"')
                .next()
                .unwrap_or_default();
            for value in values.split('|') {
                let is_there = metrics.contains(&format!("{label}=\"{value}\""));
                // A driver is only ever the one in use.
                assert!(
                    is_there || (label == "driver" && value == "epoll"),
                    "no {label} is {value}: {expression}"
                );
            }
        }
    }
}

fn expressions<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

#[test]
fn a_scrape_is_whole_open_metrics() {
    let metrics = scrape();
    assert!(
        metrics.ends_with("# EOF\n"),
        "Prometheus refuses text without its end mark"
    );
    // Without it Prometheus answers every quantile with NaN.
    assert!(
        metrics.contains("hookcast_delivery_seconds_bucket{le=\"+Inf\""),
        "no last bucket"
    );
}

#[test]
fn the_dashboard_shows_metrics_that_exist() {
    let metrics = scrape();
    let dashboard: Value = serde_json::from_str(&read("monitoring/grafana-dashboard.json")).expect("JSON");
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 10, "only {} expressions were found", found.len());
    for expression in found {
        check(expression, &metrics);
    }
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels share an id");
    for panel in panels {
        assert!(
            panel["title"].is_string() && panel["description"].is_string(),
            "{panel}"
        );
    }
}

#[test]
fn the_alerts_watch_metrics_that_exist() {
    let metrics = scrape();
    let rules = YamlLoader::load_from_str(&read("monitoring/alerts.yml")).expect("YAML");
    let groups = rules[0]["groups"].as_vec().expect("groups");
    let all: Vec<&Yaml> = groups
        .iter()
        .flat_map(|group| group["rules"].as_vec().expect("rules"))
        .collect();
    assert!(all.len() > 5, "only {} rules", all.len());
    for rule in all {
        let expression = rule["expr"].as_str().expect("an expression");
        // `up` and the processes' own metrics are Prometheus'.
        if !expression.contains("up{job=") {
            check(expression, &metrics);
        }
        for field in ["summary", "description"] {
            assert!(rule["annotations"][field].as_str().is_some(), "{field}: {rule:?}");
        }
    }
    // Prometheus' own judgement, where it is installed.
    if let Ok(output) = Command::new("promtool")
        .args(["check", "rules"])
        .arg(file("monitoring/alerts.yml"))
        .output()
    {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool: {said}");
    }
}

#[test]
fn the_page_explains_every_metric_and_no_other() {
    let metrics = scrape();
    let names = names(&metrics);
    let page = read("docs/monitoring.md");
    let explained = named(&page);
    for line in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        let name = match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        };
        assert!(explained.contains(name.as_str()), "{name} is not explained");
    }
    for name in explained {
        let is_there = names.contains(name)
            || names.contains(format!("{name}_bucket").as_str())
            || WITH_TLS.contains(&name);
        assert!(is_there, "there is no {name}");
    }
}
