//! `hookcast-load`: options in, report out; the exit code is the verdict.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use hookcast_load::cli::{Cli, Common, DialectName, Scenario};
use hookcast_load::dialect::Dialect;
use hookcast_load::engine::{Engine, Settings};
use hookcast_load::merge::merge;
use hookcast_load::plan::{Plan, Share};
use hookcast_load::process::Processes;
use hookcast_load::report::Report;
use hookcast_load::site::{Credentials, Site};
use hookcast_load::target::Target;
use hookcast_load::{page, table, workers};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = run(&cli).and_then(|report| write(&cli.common, &report).map(|()| report.verdict.pass));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> Result<Report, String> {
    let common = &cli.common;
    let mut plan = match &cli.scenario {
        Scenario::Merge { reports } => return read_reports(reports),
        Scenario::Mixed { plan } => Plan::from_toml(&read(plan)?)?,
        scenario => scenario.plan().ok_or("this scenario has no plan")?,
    };
    plan.duration = common.duration.unwrap_or(plan.duration);
    plan.warmup = common.warmup.unwrap_or(plan.warmup);
    plan.connect_rate = common.connect_rate.unwrap_or(plan.connect_rate);
    plan.check()?;
    if let Some(core) = common.core {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        rustix::thread::sched_setaffinity(None, &set).map_err(|error| format!("--core {core}: {error}"))?;
    }
    let run = common.run.unwrap_or_else(|| {
        let time = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        time.subsec_nanos() ^ std::process::id().rotate_left(16)
    });
    let credentials = match common.dialect {
        DialectName::Hookcast => Some(credentials(common)?),
        _ => None,
    };
    let mut report = if common.workers > 1 {
        merge(workers::run(common.workers, &plan, run, credentials.as_ref())?)?
    } else {
        Engine::new(settings(common, plan, run, credentials.as_ref())?)
            .and_then(Engine::run)
            .map_err(|error| format!("the load test itself failed: {error}"))?
    };
    cli.scenario.name().clone_into(&mut report.scenario);
    Ok(report)
}

fn settings(
    common: &Common,
    plan: Plan,
    run: u32,
    credentials: Option<&Credentials>,
) -> Result<Settings, String> {
    let dialect = match (common.dialect, credentials) {
        (DialectName::Hookcast, Some(credentials)) => Dialect::Hookcast(Box::new(Site::new(credentials))),
        (DialectName::Hookcast, None) => return Err("no credentials".to_owned()),
        (DialectName::Open, _) => Dialect::Open,
        (DialectName::Nchan, _) => Dialect::Nchan,
        (DialectName::Mqtt, _) => Dialect::Mqtt,
    };
    raise_file_limit();
    let progress: Option<hookcast_load::engine::Progress> = match common.quiet {
        true => None,
        false => Some(Box::new(|line| eprintln!("{line}"))),
    };
    Ok(Settings {
        target: Target::parse(&common.url)?,
        dialect,
        plan,
        share: common.share.unwrap_or(Share::WHOLE),
        run,
        start_at: common.start_at.map(|at| (at * 1e9) as u64),
        sources: common.source.clone(),
        server: Processes::new(&common.pid)?,
        progress,
    })
}

/// Every connection is a file; the hard limit is the operator's to raise.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it fails, the connections that do not fit are reported as failures of the run.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

fn credentials(common: &Common) -> Result<Credentials, String> {
    if let Some(path) = &common.credentials {
        let text = read(path)?;
        return serde_json::from_str(&text).map_err(|error| {
            format!(
                "{} does not hold a site's credentials ({error}); `hookcast site add --json` prints them",
                path.display()
            )
        });
    }
    match (&common.site_key, &common.publish_secret, &common.jwt_secret) {
        (Some(site_key), Some(publish_secret), Some(jwt_secret)) => Ok(Credentials {
            site_key: site_key.clone(),
            publish_secret: publish_secret.clone(),
            jwt_secret: jwt_secret.clone(),
        }),
        _ => Err(
            "whose site? Give --credentials FILE with the output of `hookcast site add --json --url URL`, or \
                  HOOKCAST_SITE_KEY, HOOKCAST_PUBLISH_SECRET and HOOKCAST_JWT_SECRET"
                .to_owned(),
        ),
    }
}

fn read(path: &Path) -> Result<String, String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("standard input: {error}"))?;
        return Ok(text);
    }
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_reports(paths: &[std::path::PathBuf]) -> Result<Report, String> {
    let reports: Result<Vec<Report>, String> = paths
        .iter()
        .map(|path| {
            serde_json::from_str(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
        })
        .collect();
    merge(reports?)
}

fn write(common: &Common, report: &Report) -> Result<(), String> {
    if let Some(path) = &common.html {
        fs::write(path, page::render(report)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let json = || serde_json::to_string_pretty(report).map_err(|error| error.to_string());
    match &common.json {
        Some(path) if path == Path::new("-") => println!("{}", json()?),
        Some(path) => {
            fs::write(path, json()?).map_err(|error| format!("{}: {error}", path.display()))?;
            print!("{}", table::render(report));
        }
        None => print!("{}", table::render(report)),
    }
    Ok(())
}
