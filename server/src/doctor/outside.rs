//! What WordPress and browsers see: everything through the public URL, proxies included.

use std::io::{BufRead, BufReader};
use std::net::ToSocketAddrs;
use std::time::{Duration, Instant};

use hookcast_api::tools::Check;
use serde_json::Value;
use tungstenite::Message;

use super::inside::text;
use super::{failed, ok, skipped, warning};
use crate::cli::{Stream, Target};
use crate::clock;
use crate::site::{Claims, Site, mint, signature_hex};
use crate::tls;

const TIMEOUT: Duration = Duration::from_secs(10);
/// A proxy that holds a stream back does so for its buffer's worth, which is never in this time.
const FIRST_BYTE: Duration = Duration::from_secs(3);
/// Beyond the 60 s after which most proxies give up on a silent connection.
const IDLE: Duration = Duration::from_secs(65);
const SKEW_WARNED_S: u64 = 10;
const SKEW_MAX_S: u64 = 60;
const CHANNEL: &str = "hookcast-doctor";

/// A site to try things with.
#[derive(Clone)]
pub struct Trial {
    pub site_key: String,
    pub publish_secret: String,
    /// A token that may subscribe to the doctor's channel.
    pub token: String,
}

impl Trial {
    /// With a token for as long as the doctor takes.
    pub fn of(site: &Site, now_ms: u64) -> Trial {
        let iat = now_ms / 1000;
        let claims = Claims {
            v: Some(2),
            tenant_id: site.tenant_id.clone(),
            site_id: site.site_id.clone(),
            user_id: "0".to_owned(),
            allowed_channel_prefixes: vec![format!("site:{}:{CHANNEL}", site.site_id)],
            allowed_publish_prefixes: Some(Vec::new()),
            iat,
            exp: iat + 300,
        };
        Trial {
            site_key: site.key.clone(),
            publish_secret: site.publish_secrets.current.clone(),
            token: mint(&claims, &site.jwt_secrets.current),
        }
    }
}

pub struct Outside {
    pub url: String,
    pub target: Target,
    pub trial: Option<Trial>,
    /// Hold a socket open for longer than a minute, too.
    pub idle: bool,
}

impl Outside {
    pub fn checks(&self) -> Vec<Check> {
        let mut checks = vec![self.name()];
        if checks[0].status == hookcast_api::tools::CheckStatus::Failed {
            return checks;
        }
        match self.health() {
            Err(check) => checks.push(check),
            Ok(found) => {
                checks.extend(found);
                checks.extend([
                    self.forwarded(),
                    self.publish(),
                    self.web_socket(),
                    self.events(),
                    self.idle_survival(),
                ]);
            }
        }
        checks
    }

    fn name(&self) -> Check {
        let (host, port) = self.target.host_and_port();
        match (host, port).to_socket_addrs() {
            Ok(addresses) => {
                let mut all = addresses
                    .map(|address| address.ip().to_string())
                    .collect::<Vec<_>>();
                all.dedup();
                ok("dns", format!("{host} is {}", all.join(", ")))
            }
            Err(error) => failed(
                "dns",
                format!("{host}: {error}"),
                "Point the name to this machine in your DNS.",
            ),
        }
    }

    /// The certificate, the path prefix and the clock, all from one answer.
    fn health(&self) -> Result<Vec<Check>, Check> {
        let connected = self.target.connect(TIMEOUT);
        if let Err(error) = &connected {
            let error = text(error);
            let about_tls =
                self.target.is_secure() && !error.contains("refused") && !error.contains("timed out");
            return Err(match about_tls {
                true => failed(
                    "certificate",
                    error,
                    "Renew the certificate, and have the proxy send the whole chain.",
                ),
                false => failed(
                    "connect",
                    error,
                    "Start the proxy, and open its port in the firewall.",
                ),
            });
        }
        let mut checks = vec![match self.target.is_secure() {
            true => held(connected.ok().and_then(|stream| stream.certificate())),
            false => warning(
                "certificate",
                "plain http: tokens and messages can be read on their way",
                "Serve the relay by https.",
            ),
        }];
        let mut answer = self
            .target
            .request("GET", "/healthz", &[], b"", TIMEOUT)
            .map_err(|error| {
                failed(
                    "path_prefix",
                    text(&error),
                    "The proxy took the connection and gave no answer: look at its log.",
                )
            })?;
        let date = answer.header("date").map(str::to_owned);
        let body = answer.text().unwrap_or_default();
        let ours = serde_json::from_str::<Value>(&body).is_ok_and(|body| body["status"] == "ok");
        if answer.status != 200 || !ours {
            return Err(failed(
                "path_prefix",
                format!(
                    "{}/healthz answers with status {}, and not as the relay does",
                    self.url, answer.status
                ),
                "The proxy sends this path elsewhere: print a working configuration with `hookcast proxy-config`, and set server.base_path to the prefix.",
            ));
        }
        checks.push(ok("path_prefix", format!("{}/healthz is the relay", self.url)));
        checks.extend(date.as_deref().and_then(skew));
        Ok(checks)
    }

    fn forwarded(&self) -> Check {
        let seen = self.target.request("GET", "/api/state", &[], b"", TIMEOUT).ok();
        let state = seen.and_then(|mut answer| serde_json::from_str::<Value>(&answer.text().ok()?).ok());
        match state.as_ref().and_then(|state| state["secure"].as_bool()) {
            Some(secure) if secure == self.target.is_secure() => {
                ok("forwarded_headers", "the relay sees the scheme that browsers use")
            }
            Some(_) => warning(
                "forwarded_headers",
                "the relay takes https requests for plain http",
                "Have the proxy set X-Forwarded-Proto and X-Forwarded-For, and name its address in server.trusted_proxies.",
            ),
            None => warning(
                "forwarded_headers",
                "the operator API does not answer under this name",
                "Add the name to admin.hosts, or set server.public_url to it.",
            ),
        }
    }

    fn publish(&self) -> Check {
        let Some(trial) = &self.trial else {
            return no_site("publish");
        };
        let begun = Instant::now();
        match self.publish_once(trial) {
            Ok((200, _)) => ok(
                "publish",
                format!("accepted in {} ms", begun.elapsed().as_millis()),
            ),
            Ok((status, body)) if body.contains("stale_timestamp") => failed(
                "publish",
                format!("status {status}: the clocks differ"),
                "Set both clocks (timedatectl set-ntp true).",
            ),
            Ok((status, body)) => failed(
                "publish",
                format!("status {status}: {}", body.chars().take(200).collect::<String>()),
                "A proxy or firewall may change the request: it must pass bodies and X-WP-Signal headers as they are.",
            ),
            Err(error) => failed(
                "publish",
                error,
                "WordPress cannot publish either: look at the proxy's log.",
            ),
        }
    }

    fn publish_once(&self, trial: &Trial) -> Result<(u16, String), String> {
        let body = format!(
            r#"{{"channel":"{CHANNEL}","event":"doctor","data":{}}}"#,
            clock::unix_ms()
        );
        let now_ms = clock::unix_ms();
        let stamp = now_ms.to_string();
        let signature = signature_hex(&trial.publish_secret, body.as_bytes(), now_ms);
        let headers = [
            ("Content-Type", "application/json"),
            ("X-WP-Signal-Key", trial.site_key.as_str()),
            ("X-WP-Signal-Ts", stamp.as_str()),
            ("X-WP-Signal-Sign", signature.as_str()),
        ];
        let mut answer = self
            .target
            .request("POST", "/publish", &headers, body.as_bytes(), TIMEOUT)
            .map_err(|error| text(&error))?;
        Ok((answer.status, answer.text().unwrap_or_default()))
    }

    fn web_socket(&self) -> Check {
        let remedy = "The proxy must pass Upgrade and Connection on, and speak HTTP/1.1 to the relay: see `hookcast proxy-config`.";
        let begun = Instant::now();
        let mut socket = match self.open_socket() {
            Ok(socket) => socket,
            Err(error) => return failed("websocket", error, remedy),
        };
        let opened = begun.elapsed();
        let Some(trial) = &self.trial else {
            return ok(
                "websocket",
                format!("the upgrade passes, in {} ms", opened.as_millis()),
            );
        };
        let subscribe = format!(r#"{{"type":"subscribe","channels":["{CHANNEL}"]}}"#);
        if let Err(error) = socket.send(Message::text(subscribe)) {
            return failed("websocket", format!("nothing can be sent: {error}"), remedy);
        }
        if let Err(why) = wait_for(&mut socket, "\"subscribed\"") {
            return failed("websocket", why, remedy);
        }
        let sent = Instant::now();
        if !matches!(self.publish_once(trial), Ok((200, _))) {
            return warning(
                "websocket",
                "the upgrade passes; the message to send through it was refused",
                "See publish, above.",
            );
        }
        match wait_for(&mut socket, "\"doctor\"") {
            Ok(()) => ok(
                "websocket",
                format!("a message published arrived in {} ms", sent.elapsed().as_millis()),
            ),
            Err(why) => failed(
                "websocket",
                format!("a message published did not arrive: {why}"),
                remedy,
            ),
        }
    }

    fn open_socket(&self) -> Result<tungstenite::WebSocket<Stream>, String> {
        let token = self.trial.as_ref().map_or("doctor", |trial| trial.token.as_str());
        let stream = self.target.connect(TIMEOUT).map_err(|error| text(&error))?;
        let url = self.target.web_socket_url(&format!("/ws?token={token}"));
        match tungstenite::client(url, stream) {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(format!(
                "the upgrade is answered with status {}",
                answer.status().as_u16()
            )),
            Err(error) => Err(format!("the upgrade fails: {error}")),
        }
    }

    /// The comment that opens a stream, and a message behind it, must come at once and not when a buffer is full.
    fn events(&self) -> Check {
        let Some(trial) = &self.trial else {
            return no_site("sse");
        };
        let remedy = "The proxy holds the stream back: switch buffering and compression of text/event-stream off (see `hookcast proxy-config`).";
        let path = format!("/sse?token={}&channels={CHANNEL}", trial.token);
        let begun = Instant::now();
        let answer =
            match self
                .target
                .request("GET", &path, &[("Accept", "text/event-stream")], b"", FIRST_BYTE)
            {
                Ok(answer) if answer.status == 200 => answer,
                Ok(answer) => {
                    return failed(
                        "sse",
                        format!("the stream is answered with status {}", answer.status),
                        remedy,
                    );
                }
                Err(_) => {
                    return failed(
                        "sse",
                        format!("no first byte within {} s", FIRST_BYTE.as_secs()),
                        remedy,
                    );
                }
            };
        let mut lines = BufReader::new(answer.body);
        let mut line = String::new();
        if !matches!(lines.read_line(&mut line), Ok(1..)) {
            return failed(
                "sse",
                format!("no first byte within {} s", FIRST_BYTE.as_secs()),
                remedy,
            );
        }
        let first = begun.elapsed();
        if !matches!(self.publish_once(trial), Ok((200, _))) {
            return warning(
                "sse",
                "the stream opens; the message to send through it was refused",
                "See publish, above.",
            );
        }
        // A stream's lines are short; what never ends is cut by the time-out of each read and by this count.
        for _ in 0..200 {
            line.clear();
            match lines.read_line(&mut line) {
                Ok(1..) if line.contains("doctor") => {
                    return ok(
                        "sse",
                        format!(
                            "first byte after {} ms, and nothing is held back",
                            first.as_millis()
                        ),
                    );
                }
                Ok(1..) => {}
                _ => break,
            }
        }
        failed(
            "sse",
            "the stream opens, and then a message does not come through",
            remedy,
        )
    }

    fn idle_survival(&self) -> Check {
        if !self.idle {
            return skipped(
                "idle",
                "not asked for, it takes a minute",
                "Add --idle to hold a socket open for 65 s.",
            );
        }
        if self.trial.is_none() {
            return no_site("idle");
        }
        let remedy = "Raise the proxy's time-outs for /ws above 60 s (see `hookcast proxy-config`).";
        let mut socket = match self.open_socket() {
            Ok(socket) => socket,
            Err(error) => return failed("idle", error, remedy),
        };
        let begun = Instant::now();
        while begun.elapsed() < IDLE {
            match socket.read() {
                Ok(Message::Text(text)) if text.contains("\"ping\"") => {
                    if let Err(error) = socket.send(Message::text(r#"{"type":"pong"}"#)) {
                        return failed(
                            "idle",
                            format!("lost after {} s: {error}", begun.elapsed().as_secs()),
                            remedy,
                        );
                    }
                }
                Ok(Message::Close(_)) => {
                    return failed(
                        "idle",
                        format!("closed after {} s", begun.elapsed().as_secs()),
                        remedy,
                    );
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if would_block(&error) => {}
                Err(error) => {
                    return failed(
                        "idle",
                        format!("lost after {} s: {error}", begun.elapsed().as_secs()),
                        remedy,
                    );
                }
            }
        }
        ok(
            "idle",
            format!("a socket without messages stayed open for {} s", IDLE.as_secs()),
        )
    }
}

fn wait_for(socket: &mut tungstenite::WebSocket<Stream>, wanted: &str) -> Result<(), String> {
    let begun = Instant::now();
    while begun.elapsed() < TIMEOUT {
        match socket.read() {
            Ok(Message::Text(text)) if text.contains(wanted) => return Ok(()),
            Ok(Message::Close(Some(frame))) => {
                return Err(format!("closed with {}: {}", u16::from(frame.code), frame.reason));
            }
            Ok(_) => {}
            Err(error) => return Err(format!("nothing comes through: {error}")),
        }
    }
    Err(format!("no answer within {} s", TIMEOUT.as_secs()))
}

fn would_block(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    )
}

/// A certificate that was trusted, by how long it is so.
fn held(der: Option<Vec<u8>>) -> Check {
    let now_s = clock::unix_ms() / 1000;
    let validity = der
        .and_then(|der| tls::read(&der).ok())
        .map(|(validity, _)| validity);
    let Some(validity) = validity else {
        return ok("certificate", "valid for this name, and trusted");
    };
    let left = tls::span(validity.expires_s.saturating_sub(now_s));
    match validity.stage(now_s) {
        tls::Stage::EndsSoon | tls::Stage::EndsAtOnce => warning(
            "certificate",
            format!("valid for this name, and trusted, for {left} only"),
            "Renew it: whatever does so by itself should have done it by now.",
        ),
        _ => ok(
            "certificate",
            format!("valid for this name, and trusted, for {left}"),
        ),
    }
}

fn no_site(id: &str) -> Check {
    skipped(
        id,
        "there is no active site to try it with",
        "Add a site, and run the doctor again.",
    )
}

/// From the `Date` of an answer, to the second. `None` where it cannot be read.
fn skew(date: &str) -> Option<Check> {
    let there_s = http_date(date)?;
    let off_s = (clock::unix_ms() / 1000).abs_diff(there_s);
    let remedy = "Set both clocks (timedatectl set-ntp true): signatures allow 60 s, tokens 10 s.";
    Some(match off_s {
        off_s if off_s <= SKEW_WARNED_S => ok(
            "clock_skew",
            format!("{off_s} s between this machine and the public URL's"),
        ),
        off_s if off_s <= SKEW_MAX_S => warning(
            "clock_skew",
            format!("{off_s} s between this machine and the public URL's"),
            remedy,
        ),
        _ => failed(
            "clock_skew",
            format!("{off_s} s between this machine and the public URL's"),
            remedy,
        ),
    })
}

/// RFC 9110, IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`, as Unix seconds.
fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let mut parts = text.split_once(", ")?.1.split(' ');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let mut time = parts.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let (day, year) = (day.parse::<u64>().ok()?, year.parse::<u64>().ok()?);
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    if !(1970..3000).contains(&year) {
        return None;
    }
    // Days in eras of 400 years that begin in March, so that the leap day is a year's last.
    let (year, month) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let day_of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + (153 * month + 2) / 5 + day - 1;
    let days = (year / 400 * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_header_is_read() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        for bad in [
            "",
            "yesterday",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 0000 08:49:37 GMT",
        ] {
            assert_eq!(http_date(bad), None, "{bad}");
        }
    }
}
