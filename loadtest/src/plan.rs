//! What a run does: one or several parts at the same time, each a scenario with its own channels.

use serde::{Deserialize, Serialize};

/// One scenario. Every field has a neutral default, so that a TOML plan names only what it wants.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Part {
    pub name: String,
    /// Channels of this part; its subscribers are spread over them evenly.
    pub channels: usize,
    /// Sockets, over all channels.
    pub sockets: usize,
    /// Server-Sent Events streams, over all channels.
    pub streams: usize,
    pub publish: Publish,
    /// Messages a second of the whole part.
    pub rate: f64,
    /// Closed loop: messages under way at once (for each member, where members publish); `rate` is not used then.
    pub in_flight: usize,
    /// Bytes of each message's data.
    pub size: usize,
    /// Members send binary frames.
    pub binary: bool,
    /// Subscribers a second that leave and come back as new ones.
    pub churn: f64,
    /// Subscribers a second that lose their connection, and ask for what they missed.
    pub reconnect: f64,
    /// How long they are away.
    pub away_ms: u64,
    /// The share of subscribers that stop reading once they are subscribed.
    pub slow: f64,
    /// The connections are made while the run is measured, `rate` handshakes a second (0: `in_flight` at once).
    pub storm: bool,
    /// Close each connection as soon as it is open, and open the next: handshakes only.
    pub recycle: bool,
}

/// Who publishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Publish {
    #[default]
    Nobody,
    /// A server, by signed requests.
    Http,
    /// Each socket, over itself.
    Members,
}

impl Default for Part {
    fn default() -> Self {
        Self {
            name: String::from("part"),
            channels: 1,
            sockets: 0,
            streams: 0,
            publish: Publish::Nobody,
            rate: 0.0,
            in_flight: 0,
            size: 256,
            binary: false,
            churn: 0.0,
            reconnect: 0.0,
            away_ms: 500,
            slow: 0.0,
            storm: false,
            recycle: false,
        }
    }
}

impl Part {
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.sockets + self.streams
    }

    /// Each subscriber stays for the whole run, so every message must reach it.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.churn == 0.0 && !self.storm
    }

    fn check(&self) -> Result<(), String> {
        let fail = |what: &str| Err(format!("part \"{}\": {what}", self.name));
        if self.channels == 0 || self.channels > 0xff_ffff {
            return fail("channels must be between 1 and 16777215");
        }
        if self.subscribers() == 0 {
            return fail("it has neither sockets nor streams");
        }
        if self.size < MESSAGE_BYTES_MIN || self.size > MESSAGE_BYTES_MAX {
            return fail("size must be between 80 and 1000000 bytes");
        }
        if self.binary && (self.publish != Publish::Members || self.streams > 0) {
            return fail("binary frames are for sockets that publish over themselves");
        }
        if self.publish == Publish::Members && self.streams > 0 {
            return fail("streams cannot publish; put them in a part of their own");
        }
        if self.publish != Publish::Nobody && self.rate <= 0.0 && self.in_flight == 0 {
            return fail("publishing needs a rate, or in_flight for a closed loop");
        }
        if ![self.rate, self.churn, self.reconnect]
            .iter()
            .all(|rate| (0.0..=10_000_000.0).contains(rate))
        {
            return fail("a rate must be between 0 and 10000000 a second");
        }
        if !(0.0..1.0).contains(&self.slow) {
            return fail("slow is a share: 0 to below 1");
        }
        if self.in_flight > IN_FLIGHT_MAX {
            return fail("in_flight is at most 4096");
        }
        if self.slow > 0.0 && self.in_flight > 0 {
            return fail("slow readers would stop a closed loop; use a rate");
        }
        Ok(())
    }
}

/// A stamp and the quotes around it fit.
const MESSAGE_BYTES_MIN: usize = 80;
/// The relay takes 1 MiB by default.
const MESSAGE_BYTES_MAX: usize = 1_000_000;
const IN_FLIGHT_MAX: usize = 4096;

/// One process' place among those that share a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    pub index: usize,
    pub of: usize,
}

impl Share {
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// How many of `total` are this share's.
    #[must_use]
    pub fn count(&self, total: usize) -> usize {
        (total + self.of - 1 - self.index) / self.of
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        let numbers = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index @ 1.., of)) if index <= of && of <= SHARES_MAX => Ok(Self { index: index - 1, of }),
            _ => Err(format!("a share is written 1/4, 2/4 …, of at most {SHARES_MAX}")),
        }
    }
}

const SHARES_MAX: usize = 64;

/// The whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Seconds that count.
    pub duration: f64,
    /// Seconds of load before they begin.
    pub warmup: f64,
    /// Seconds to wait at the end for messages that are under way.
    pub drain: f64,
    /// New connections a second while the run is prepared.
    pub connect_rate: f64,
    /// Seconds that all connections may take to open.
    pub connect_timeout: f64,
    #[serde(rename = "part")]
    pub parts: Vec<Part>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            duration: 10.0,
            warmup: 1.0,
            drain: 5.0,
            connect_rate: 2000.0,
            connect_timeout: 60.0,
            parts: Vec::new(),
        }
    }
}

impl Plan {
    pub fn from_toml(text: &str) -> Result<Self, String> {
        let plan: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        plan.check()?;
        Ok(plan)
    }

    pub fn check(&self) -> Result<(), String> {
        if self.parts.is_empty() || self.parts.len() > PARTS_MAX {
            return Err(format!("a plan has 1 to {PARTS_MAX} parts ([[part]])"));
        }
        let spans = [self.duration, self.warmup, self.drain, self.connect_timeout];
        if !spans.iter().all(|span| (0.0..=SPAN_S_MAX).contains(span)) || self.duration <= 0.0 {
            return Err(format!(
                "duration, warmup, drain and connect_timeout are 0 to {SPAN_S_MAX} seconds"
            ));
        }
        if self.connect_rate.is_nan() || self.connect_rate <= 0.0 {
            return Err("connect_rate must be over 0".to_owned());
        }
        self.parts.iter().try_for_each(Part::check)
    }
}

const PARTS_MAX: usize = 32;
/// A token may live 24 hours; a run stays well below.
const SPAN_S_MAX: f64 = 12.0 * 3600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_everything_once() {
        for total in [0, 1, 7, 1000] {
            for of in 1..6 {
                let sum: usize = (0..of).map(|index| Share { index, of }.count(total)).sum();
                assert_eq!(sum, total);
            }
        }
        assert_eq!(Share::parse("2/3"), Ok(Share { index: 1, of: 3 }));
        assert!(
            ["0/3", "4/3", "x", "1/0"]
                .iter()
                .all(|text| Share::parse(text).is_err())
        );
    }

    #[test]
    fn a_plan_is_read_and_unknown_words_are_refused() {
        let plan = Plan::from_toml(
            "duration = 5\n[[part]]\nname = \"news\"\nsockets = 100\nstreams = 50\npublish = \"http\"\nrate = 10\n\
             [[part]]\nname = \"rooms\"\nchannels = 10\nsockets = 50\npublish = \"members\"\nrate = 100\nbinary = true\n",
        )
        .unwrap();
        assert_eq!(plan.parts.len(), 2);
        assert!(
            Plan::from_toml("[[part]]\nsocket = 1\n")
                .unwrap_err()
                .contains("socket")
        );
        assert!(
            Plan::from_toml("[[part]]\nsockets = 1\npublish = \"http\"\n")
                .unwrap_err()
                .contains("rate")
        );
    }
}
