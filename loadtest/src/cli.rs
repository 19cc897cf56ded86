//! The command line: common options, and one subcommand a scenario.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::plan::{Part, Plan, Publish, Share};

/// Load test for hookcast relays: says what a relay delivers, how fast, and at what cost.
///
/// The ledger decides: PASS (exit code 0) when every message reached every subscriber once and in order, FAIL (1) otherwise;
/// 2 when the run could not be made. Register a site of its own for it (`hookcast site add --json --url https://load.example`):
/// the load test signs its publishes and mints its browsers' tokens with that site's secrets.
#[derive(Debug, Parser)]
#[command(name = "hookcast-load", version)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub scenario: Scenario,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct Common {
    /// The relay, with its path prefix if it has one
    #[arg(
        long,
        global = true,
        env = "HOOKCAST_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub url: String,
    /// A file with the site's credentials as JSON (`-`: standard input)
    #[arg(long, global = true, env = "HOOKCAST_CREDENTIALS")]
    pub credentials: Option<PathBuf>,
    /// In place of the file; the two secrets are better given in the environment than on the command line
    #[arg(long, global = true, env = "HOOKCAST_SITE_KEY")]
    pub site_key: Option<String>,
    #[arg(long, global = true, env = "HOOKCAST_PUBLISH_SECRET", hide_env_values = true)]
    pub publish_secret: Option<String>,
    #[arg(long, global = true, env = "HOOKCAST_JWT_SECRET", hide_env_values = true)]
    pub jwt_secret: Option<String>,
    /// What the server speaks; anything but `hookcast` is for comparisons
    #[arg(long, global = true, value_enum, default_value = "hookcast")]
    pub dialect: DialectName,
    /// Seconds that count
    #[arg(long, global = true)]
    pub duration: Option<f64>,
    /// Seconds of load before they begin
    #[arg(long, global = true)]
    pub warmup: Option<f64>,
    /// New connections a second while the run is prepared
    #[arg(long, global = true)]
    pub connect_rate: Option<f64>,
    /// Processes of the relay, when it runs on this machine: adds its CPU time and memory to the report
    #[arg(long, global = true, value_delimiter = ',')]
    pub pid: Vec<u32>,
    /// Write the report as JSON (`-`: to standard output, instead of the table)
    #[arg(long, global = true)]
    pub json: Option<PathBuf>,
    /// Write the report as a page with charts
    #[arg(long, global = true)]
    pub html: Option<PathBuf>,
    /// No live progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Divide the run among this many processes of this machine
    #[arg(long, global = true, default_value_t = 1)]
    pub workers: usize,
    /// This process does only a share, as in 2/3; give all of them the same --run and --start-at, then `merge` the reports
    #[arg(long, global = true, value_parser = Share::parse, conflicts_with = "workers")]
    pub share: Option<Share>,
    /// A number that all shares of a run have in common
    #[arg(long, global = true)]
    pub run: Option<u32>,
    /// Unix time (seconds) at which load begins
    #[arg(long, global = true)]
    pub start_at: Option<f64>,
    /// Local addresses to connect from: each gives some 28,000 connections to one relay
    #[arg(long, global = true, value_delimiter = ',')]
    pub source: Vec<IpAddr>,
    /// Keep this process on one core
    #[arg(long, global = true)]
    pub core: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    Hookcast,
    /// The relay's messages without tokens and signatures
    Open,
    Nchan,
    Mqtt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Via {
    Ws,
    Sse,
    /// Half of the subscribers each
    Both,
}

impl Via {
    fn divide(self, subscribers: usize) -> (usize, usize) {
        match self {
            Self::Ws => (subscribers, 0),
            Self::Sse => (0, subscribers),
            Self::Both => (subscribers - subscribers / 2, subscribers / 2),
        }
    }
}

#[derive(Clone, Debug, Args)]
pub struct Audience {
    /// Subscribers of the channel
    #[arg(long, short = 'n', default_value_t = 1000)]
    pub subscribers: usize,
    /// How they are connected
    #[arg(long, value_enum, default_value = "ws")]
    pub via: Via,
    /// Bytes of each message's data
    #[arg(long, default_value_t = 256)]
    pub size: usize,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Scenario {
    /// One channel, many subscribers, a steady rate of publishes
    FanOut {
        #[command(flatten)]
        audience: Audience,
        /// Publishes a second
        #[arg(long, default_value_t = 10.0)]
        rate: f64,
    },
    /// The same in a closed loop: as fast as the relay delivers
    Saturate {
        #[command(flatten)]
        audience: Audience,
        /// Publishes under way; each is over when it is answered and everybody has it
        #[arg(long, default_value_t = 8)]
        in_flight: usize,
    },
    /// Many handshakes a second, then idle connections
    ConnectStorm {
        #[arg(long, default_value_t = 5000)]
        connections: usize,
        /// Handshakes a second
        #[arg(long, default_value_t = 1000.0)]
        rate: f64,
        /// Seconds to stay connected afterwards
        #[arg(long, default_value_t = 5.0)]
        idle: f64,
    },
    /// Open and close sockets in a closed loop: handshakes per second
    Handshakes {
        /// Handshakes under way
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
    },
    /// Connections that only stay
    Idle {
        #[arg(long, default_value_t = 5000)]
        connections: usize,
        #[arg(long, value_enum, default_value = "ws")]
        via: Via,
    },
    /// Rooms whose members publish to one another over their sockets
    Rooms {
        #[arg(long, default_value_t = 200)]
        rooms: usize,
        /// Members of each room
        #[arg(long, default_value_t = 5)]
        members: usize,
        /// Messages a second of all members together
        #[arg(long, default_value_t = 2000.0)]
        rate: f64,
        /// A closed loop: messages that each member has under way
        #[arg(long, default_value_t = 0)]
        in_flight: usize,
        #[arg(long)]
        binary: bool,
        #[arg(long, default_value_t = 256)]
        size: usize,
    },
    /// Subscribers that come and go while messages flow
    Churn {
        #[command(flatten)]
        audience: Audience,
        #[arg(long, default_value_t = 20.0)]
        rate: f64,
        /// Subscribers replaced a second
        #[arg(long, default_value_t = 100.0)]
        replaced: f64,
    },
    /// Some subscribers stop reading; the others must not notice
    SlowReaders {
        #[command(flatten)]
        audience: Audience,
        #[arg(long, default_value_t = 50.0)]
        rate: f64,
        /// The share that stops reading
        #[arg(long, default_value_t = 0.1)]
        slow: f64,
    },
    /// Subscribers lose their connection and ask for what they missed
    Reconnect {
        #[command(flatten)]
        audience: Audience,
        #[arg(long, default_value_t = 20.0)]
        rate: f64,
        /// Connections cut a second
        #[arg(long, default_value_t = 50.0)]
        cuts: f64,
        /// How long each is away
        #[arg(long, default_value_t = 500)]
        away_ms: u64,
    },
    /// Several of these at once, as a TOML file says
    Mixed { plan: PathBuf },
    /// Put the reports of a run's shares together
    Merge {
        #[arg(required = true)]
        reports: Vec<PathBuf>,
    },
}

impl Scenario {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FanOut { .. } => "fan-out",
            Self::Saturate { .. } => "saturate",
            Self::ConnectStorm { .. } => "connect-storm",
            Self::Handshakes { .. } => "handshakes",
            Self::Idle { .. } => "idle",
            Self::Rooms { .. } => "rooms",
            Self::Churn { .. } => "churn",
            Self::SlowReaders { .. } => "slow-readers",
            Self::Reconnect { .. } => "reconnect",
            Self::Mixed { .. } => "mixed",
            Self::Merge { .. } => "merge",
        }
    }

    /// The plan of a scenario; None for `mixed` and `merge`, which read files.
    #[must_use]
    pub fn plan(&self) -> Option<Plan> {
        let part = |audience: &Audience| {
            let (sockets, streams) = audience.via.divide(audience.subscribers);
            let size = audience.size;
            Part {
                name: self.name().into(),
                sockets,
                streams,
                size,
                publish: Publish::Http,
                ..Part::default()
            }
        };
        let named = Part {
            name: self.name().into(),
            ..Part::default()
        };
        let mut plan = Plan::default();
        plan.parts.push(match self {
            Self::FanOut { audience, rate } => Part {
                rate: *rate,
                ..part(audience)
            },
            Self::Saturate { audience, in_flight } => Part {
                in_flight: *in_flight,
                ..part(audience)
            },
            Self::ConnectStorm {
                connections,
                rate,
                idle,
            } => {
                (plan.warmup, plan.duration) = (0.0, *connections as f64 / rate.max(1e-9) + idle);
                Part {
                    sockets: *connections,
                    rate: *rate,
                    storm: true,
                    ..named
                }
            }
            Self::Handshakes { in_flight } => Part {
                sockets: *in_flight,
                in_flight: *in_flight,
                storm: true,
                recycle: true,
                ..named
            },
            Self::Idle { connections, via } => {
                let (sockets, streams) = via.divide(*connections);
                (plan.warmup, plan.duration) = (0.0, 20.0);
                Part {
                    sockets,
                    streams,
                    ..named
                }
            }
            Self::Rooms {
                rooms,
                members,
                rate,
                in_flight,
                binary,
                size,
            } => Part {
                channels: *rooms,
                sockets: rooms.saturating_mul(*members),
                publish: Publish::Members,
                rate: *rate,
                in_flight: *in_flight,
                binary: *binary,
                size: *size,
                ..named
            },
            Self::Churn {
                audience,
                rate,
                replaced,
            } => Part {
                rate: *rate,
                churn: *replaced,
                ..part(audience)
            },
            Self::SlowReaders { audience, rate, slow } => Part {
                rate: *rate,
                slow: *slow,
                ..part(audience)
            },
            Self::Reconnect {
                audience,
                rate,
                cuts,
                away_ms,
            } => Part {
                rate: *rate,
                reconnect: *cuts,
                away_ms: *away_ms,
                ..part(audience)
            },
            Self::Mixed { .. } | Self::Merge { .. } => return None,
        });
        Some(plan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_makes_a_plan_that_holds() {
        for name in [
            "fan-out",
            "saturate",
            "connect-storm",
            "handshakes",
            "idle",
            "rooms",
            "churn",
            "slow-readers",
            "reconnect",
        ] {
            let cli = Cli::try_parse_from(["hookcast-load", name]).unwrap();
            assert_eq!(cli.scenario.name(), name);
            cli.scenario.plan().unwrap().check().unwrap();
        }
    }
}
