//! The command line as a person or a script uses it, on a data directory without a relay.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

struct Cli {
    dir: tempfile::TempDir,
}

impl Cli {
    fn new() -> Cli {
        Cli {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hookcast"));
        command
            .current_dir(self.path())
            .args(args)
            .args(["--data-dir", "data"])
            .env_clear();
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).stdin(Stdio::null()).output().unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(args);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{args:?}: {e}\n{text}"))
    }

    /// The exit code and standard error of what must fail, with nothing on standard output.
    fn fails(&self, args: &[&str]) -> (i32, String) {
        let output = self.run(args);
        assert!(
            output.stdout.is_empty(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

#[test]
fn a_site_is_added_once_and_keeps_its_credentials() {
    let cli = Cli::new();
    let site = cli.json(&[
        "site",
        "add",
        "--url",
        "https://Shop.example/",
        "--name",
        "Shop",
        "--json",
    ]);
    for (name, length) in [
        ("site_key", 32),
        ("publish_secret", 64),
        ("jwt_secret", 64),
        ("site_id", 64),
    ] {
        let text = site[name].as_str().unwrap();
        assert_eq!(text.len(), length, "{name}");
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)),
            "{name}"
        );
    }
    assert_eq!(
        (site["site_url"].as_str(), site["site_name"].as_str()),
        (Some("https://shop.example"), Some("Shop"))
    );
    assert_eq!(
        cli.json(&["site", "add", "--url", "HTTPS://shop.example", "--json"]),
        site
    );
    assert_eq!(
        cli.json(&["site", "show", "https://shop.example", "--secrets", "--json"]),
        site
    );
    let listed = cli.json(&["site", "list", "--json"]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["registered_by"], "cli");
    assert!(
        !listed
            .to_string()
            .contains(site["publish_secret"].as_str().unwrap())
    );
    let mode = |path: &str| {
        std::fs::metadata(cli.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("data"), mode("data/hookcast.db")), (0o700, 0o600));
}

#[test]
fn a_site_is_archived_restored_and_registered_again() {
    let cli = Cli::new();
    let site = cli.json(&["site", "add", "--url", "https://shop.example", "--json"]);
    let key = site["site_key"].as_str().unwrap();
    assert_eq!(
        cli.json(&["site", "archive", &key[..10], "--json"])["status"],
        "archived"
    );
    assert_eq!(cli.json(&["site", "list", "--json"]), Value::Array(Vec::new()));
    assert_eq!(
        cli.json(&["site", "list", "--all", "--json"])[0]["status"],
        "archived"
    );
    cli.ok(&["site", "restore", "https://shop.example"]);
    assert_eq!(cli.json(&["site", "show", key, "--secrets", "--json"]), site);
    cli.ok(&["site", "archive", key]);
    let again = cli.json(&["site", "add", "--url", "https://shop.example", "--json"]);
    assert_eq!(again["site_key"], site["site_key"]);
    assert_ne!(again["publish_secret"], site["publish_secret"]);
}

#[test]
fn secrets_are_rotated_apart_or_together() {
    let cli = Cli::new();
    let site = cli.json(&["site", "add", "--url", "https://shop.example", "--json"]);
    let publish = cli.json(&["site", "rotate", "https://shop.example", "--publish", "--json"]);
    assert_ne!(publish["publish_secret"], site["publish_secret"]);
    assert_eq!(publish["jwt_secret"], site["jwt_secret"]);
    let both = cli.json(&[
        "site",
        "rotate",
        "https://shop.example",
        "--overlap",
        "0s",
        "--json",
    ]);
    assert_ne!(both["publish_secret"], publish["publish_secret"]);
    assert_ne!(both["jwt_secret"], publish["jwt_secret"]);
}

#[test]
fn limits_names_and_origins_are_changed_one_by_one() {
    let cli = Cli::new();
    cli.ok(&["site", "add", "--url", "https://shop.example"]);
    let site = "https://shop.example";
    let set = "limits.publishes_per_second=9";
    let limits = cli.json(&[
        "site",
        "limits",
        site,
        "--connections",
        "5",
        "--quota",
        "0",
        "--json",
        "--set",
        set,
    ]);
    assert_eq!(limits["limits"]["connections_max"], 5);
    assert_eq!(limits["limits"]["publish_rate"], Value::Null);
    assert_eq!(limits["effective_limits"]["publish_rate"], 9);
    let limits = cli.json(&["site", "limits", site, "--connections", "default", "--json"]);
    assert_eq!(limits["limits"]["connections_max"], Value::Null);
    assert_eq!(limits["limits"]["monthly_quota"], 0);
    assert_eq!(
        cli.json(&["site", "rename", site, "Laden", "--json"])["site_name"],
        "Laden"
    );
    let origins = cli.json(&["site", "origins", site, "https://Shop.example/", "--json"]);
    assert_eq!(origins["origins"][0], "https://shop.example");
    let (code, why) = cli.fails(&["site", "origins", site, "https://shop.example/page"]);
    assert_eq!(code, 1);
    assert!(why.contains("is no origin"), "{why}");
    assert_eq!(
        cli.json(&["site", "origins", site, "--any", "--json"])["origins"],
        Value::Array(Vec::new())
    );
}

#[test]
fn an_api_key_is_shown_once_and_revoked() {
    let cli = Cli::new();
    let made = cli.json(&["apikey", "create", "--name", "shop", "--json"]);
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(key.len(), 64);
    assert_eq!(cli.ok(&["apikey", "create", "--name", "plain"]).trim().len(), 64);
    let listed = cli.ok(&["apikey", "list", "--json"]);
    assert!(!listed.contains(key));
    let revoked = cli.json(&["apikey", "revoke", "shop", "--json"]);
    assert!(revoked["revoked_ms"].is_u64());
    assert_eq!(cli.fails(&["apikey", "revoke", "shop"]).0, 1);
    let (code, why) = cli.fails(&["apikey", "create", "--scope", "everything"]);
    assert_eq!(code, 2);
    assert!(why.contains("register"), "{why}");
    let made = cli.json(&[
        "apikey",
        "create",
        "--scope",
        "read",
        "--scope",
        "sites",
        "--expires",
        "90d",
        "--json",
    ]);
    assert_eq!(made["scopes"], serde_json::json!(["read", "sites"]));
    let life = made["expires_ms"].as_u64().unwrap() - made["created_ms"].as_u64().unwrap();
    assert_eq!(life / 86_400_000, 90);
    assert!(cli.ok(&["apikey", "list"]).contains("EXPIRES"));
}

#[test]
fn a_token_has_the_claims_that_the_protocol_names() {
    let cli = Cli::new();
    let site = cli.json(&["site", "add", "--url", "https://shop.example", "--json"]);
    let key = site["site_key"].as_str().unwrap();
    let args = [
        "token",
        "mint",
        "--site",
        key,
        "--user",
        "7",
        "--subscribe",
        "events",
        "--publish",
        "chat:",
    ];
    let minted = cli.json(&[&args[..], &["--ttl", "60", "--json"]].concat());
    let claims = &minted["claims"];
    assert_eq!(claims["v"], 2);
    assert_eq!(claims["site_id"], site["site_id"]);
    assert_eq!(claims["user_id"], "7");
    assert_eq!(claims["allowed_channel_prefixes"][0], "events");
    assert_eq!(claims["allowed_publish_prefixes"][0], "chat:");
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        60
    );
    let token = minted["token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| -> Value {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(part)
            .unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    assert_eq!(decode(parts[0])["alg"], "HS256");
    assert_eq!(&decode(parts[1]), claims);
    let old = cli.json(&["token", "mint", "--site", key, "--v1", "--json"])["claims"].clone();
    assert_eq!((old.get("v"), old.get("allowed_publish_prefixes")), (None, None));
    assert_eq!(
        cli.ok(&["token", "mint", "--site", key])
            .trim()
            .split('.')
            .count(),
        3
    );
}

#[test]
fn exit_codes_tell_a_wrong_call_from_a_failure() {
    let cli = Cli::new();
    for args in [
        &["nonsense"][..],
        &["site", "add"],
        &["site", "add", "--url"],
        &["site", "rotate", "x", "--overlap", "soon"],
        &["print-config", "--set", "no-equals-sign"],
        &[
            "publish",
            "--site",
            "x",
            "--channel",
            "c",
            "--event",
            "e",
            "--data",
            "{bad",
        ],
    ] {
        let (code, why) = cli.fails(args);
        assert_eq!(code, 2, "{args:?}: {why}");
        assert!(!why.is_empty());
    }
    let (code, why) = cli.fails(&["site", "list"]);
    assert_eq!(code, 1);
    assert!(why.contains("--data-dir"), "{why}");
    assert!(!cli.path().join("data").exists(), "a question made a store");
    cli.ok(&["site", "add", "--url", "https://shop.example"]);
    for args in [
        &["site", "show", "https://other.example"][..],
        &["site", "add", "--url", "shop.example"],
    ] {
        let (code, why) = cli.fails(args);
        assert_eq!(code, 1, "{args:?}");
        assert!(why.starts_with("hookcast: "), "{why}");
    }
}

#[test]
fn settings_are_checked_and_printed() {
    let cli = Cli::new();
    std::fs::write(
        cli.path().join("good.toml"),
        "[limits]\npresence_members_max = 7\n[metrics]\ntoken = 'sesame'\n",
    )
    .unwrap();
    std::fs::write(
        cli.path().join("bad.toml"),
        "\n[limits]\npresense_members_max = 7\n",
    )
    .unwrap();
    let (code, why) = cli.fails(&["check-config", "--config", "bad.toml"]);
    assert_eq!(code, 1);
    assert!(
        why.contains("bad.toml:3: unknown key") && why.contains("presence_members_max"),
        "{why}"
    );
    cli.ok(&["check-config", "--config", "good.toml"]);
    let printed = cli.ok(&["print-config", "--config", "good.toml"]);
    assert!(
        printed.contains("presence_members_max = 7") && !printed.contains("sesame"),
        "{printed}"
    );
    let json = cli.json(&[
        "print-config",
        "--json",
        "--config",
        "good.toml",
        "--set",
        "server.workers=3",
    ]);
    assert_eq!(
        (
            &json["limits"]["presence_members_max"],
            &json["server"]["workers"]
        ),
        (&7.into(), &3.into())
    );
    let output = cli
        .command(&["print-config", "--json"])
        .env("HOOKCAST_WORKERS", "5")
        .output()
        .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["server"]["workers"],
        5
    );
    std::fs::write(
        cli.path().join("printed.toml"),
        cli.ok(&["reference", "--form", "toml"]),
    )
    .unwrap();
    cli.ok(&["check-config", "--config", "printed.toml"]);
    assert!(
        cli.ok(&["reference"])
            .contains("HOOKCAST_SESSION_PING_INTERVAL_MS")
    );
}

#[test]
fn a_store_is_backed_up_restored_exported_and_imported() {
    let cli = Cli::new();
    let site = cli.json(&["site", "add", "--url", "https://one.example", "--json"]);
    cli.ok(&["backup", "copy.db"]);
    assert_eq!(cli.fails(&["backup", "copy.db"]).0, 1);
    cli.ok(&["backup", "copy.db", "--force"]);
    cli.ok(&["export", "sites.json"]);
    let mode = |path: &str| {
        std::fs::metadata(cli.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("copy.db"), mode("sites.json")), (0o600, 0o600));
    assert_eq!(cli.fails(&["export", "sites.json"]).0, 1);
    cli.ok(&["site", "add", "--url", "https://two.example"]);
    cli.ok(&["restore", "copy.db"]);
    assert_eq!(cli.json(&["site", "list", "--json"]).as_array().unwrap().len(), 1);

    let other = Cli::new();
    std::fs::copy(cli.path().join("sites.json"), other.path().join("sites.json")).unwrap();
    assert_eq!(
        other.json(&["import", "sites.json", "--json"])["added"][0],
        "https://one.example"
    );
    assert_eq!(
        other.json(&["site", "show", "https://one.example", "--secrets", "--json"]),
        site
    );
    let mut child = other
        .command(&["import", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(cli.ok(&["export"]).as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["skipped"][0], "https://one.example");
    std::fs::write(
        other.path().join("bad.json"),
        r#"{"hookcast_export":1,"sites":[{"surprise":1}]}"#,
    )
    .unwrap();
    assert_eq!(other.fails(&["import", "bad.json"]).0, 1);
}

#[test]
fn every_change_is_in_the_audit_log_without_its_secrets() {
    let cli = Cli::new();
    let site = cli.json(&["site", "add", "--url", "https://shop.example", "--json"]);
    let key = cli.json(&["apikey", "create", "--name", "wp", "--json"]);
    cli.ok(&["site", "rotate", "shop.example"]);
    cli.ok(&["site", "rename", "shop.example", "Laden"]);
    cli.ok(&["site", "limits", "shop.example", "--rate", "5"]);
    cli.ok(&["site", "origins", "shop.example", "--any"]);
    cli.ok(&["site", "archive", "shop.example"]);
    cli.ok(&["site", "restore", "shop.example"]);
    cli.ok(&["apikey", "revoke", "wp"]);
    // Neither a question nor a failure changes anything.
    cli.ok(&["site", "show", "shop.example", "--secrets"]);
    cli.ok(&["site", "add", "--url", "https://shop.example"]);
    cli.fails(&["site", "archive", "other.example"]);
    let db = rusqlite::Connection::open(cli.path().join("data/hookcast.db")).unwrap();
    let mut query = db
        .prepare("SELECT action, actor, subject || details FROM audit ORDER BY id")
        .unwrap();
    let rows: Vec<(String, String, String)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let actions: Vec<&str> = rows.iter().map(|(action, ..)| action.as_str()).collect();
    let expected = [
        "site.added",
        "key.added",
        "site.secrets_rotated",
        "site.changed",
        "site.changed",
        "site.changed",
        "site.archived",
        "site.restored",
        "key.revoked",
    ];
    assert_eq!(actions, expected);
    for (_, actor, text) in &rows {
        assert!(actor.starts_with("command line (uid "), "{actor}");
        for secret in [&site["publish_secret"], &site["jwt_secret"], &key["api_key"]] {
            assert!(!text.contains(secret.as_str().unwrap()));
        }
    }
}

#[test]
fn nobody_reading_is_no_failure() {
    let cli = Cli::new();
    cli.ok(&["site", "add", "--url", "https://one.example"]);
    let mut child = cli
        .command(&["reference"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn completions_and_man_pages_are_complete() {
    let cli = Cli::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(cli.ok(&["complete", shell]).contains("proxy-config"), "{shell}");
    }
    cli.ok(&["man", "pages"]);
    let page = std::fs::read_to_string(cli.path().join("pages/hookcast-site-add.1")).unwrap();
    assert!(page.contains("wp") || page.contains("WordPress"), "{page}");
    let root = std::fs::read_to_string(cli.path().join("pages/hookcast.1")).unwrap();
    assert!(root.contains(".TH hookcast"), "{root}");
    assert!(!cli.path().join("pages/hookcast-man.1").exists());
}
