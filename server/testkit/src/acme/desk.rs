//! Requests, and what becomes of them: accounts, orders, looks, certificates.

use super::jws::{self, Signed};
use super::{Asked, Shared, Ways, look};
use crate::WAIT;
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    BadNonce,
    RateLimited(u64),
    Disbelieve,
    Down,
    Slow,
}

pub struct Desk {
    pub ways: Ways,
    pub life: (Duration, Duration),
    pub fault: Option<Fault>,
    pub asked: Asked,
    pub contacts: Vec<String>,
    /// Certificates are to be renewed now (RFC 9773).
    pub wants_renewal: bool,
    /// Public keys.
    pub accounts: Vec<Value>,
    nonces: HashSet<String>,
    orders: Vec<Order>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            ways: Ways::default(),
            life: (Duration::from_secs(60), 90 * DAY),
            fault: None,
            asked: Asked::default(),
            contacts: Vec::new(),
            wants_renewal: false,
            accounts: Vec::new(),
            nonces: HashSet::new(),
            orders: Vec::new(),
        }
    }
}

struct Order {
    account: usize,
    names: Vec<Name>,
    chain: Option<String>,
}

struct Name {
    name: String,
    token: String,
    /// What came of the look; `None` before it.
    seen: Option<Result<(), look::Doubt>>,
}

impl Order {
    fn status(&self) -> &'static str {
        match &self.chain {
            Some(_) => "valid",
            None if self.names.iter().any(|name| matches!(name.seen, Some(Err(_)))) => "invalid",
            None if self.names.iter().all(|name| matches!(name.seen, Some(Ok(())))) => "ready",
            None => "pending",
        }
    }
}

/// An answer: status, body, and the headers that matter.
struct Reply {
    status: u16,
    kind: &'static str,
    body: String,
    headers: Vec<(&'static str, String)>,
}

impl Reply {
    fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            kind: "application/json",
            body: body.to_string(),
            headers: Vec::new(),
        }
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

fn problem(status: u16, kind: &str, detail: &str) -> Reply {
    Reply {
        kind: "application/problem+json",
        ..Reply::json(
            status,
            json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status}),
        )
    }
}

pub fn serve(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.closed.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        std::thread::spawn(move || {
            // A client that leaves early has its reasons.
            let _ended = one(&shared, stream);
        });
    }
}

fn one(shared: &Arc<Shared>, tcp: TcpStream) -> io::Result<()> {
    tcp.set_read_timeout(Some(WAIT))?;
    let session = ServerConnection::new(Arc::clone(&shared.authority.server)).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, tcp);
    let mut reader = BufReader::new(&mut stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let reply = answer(shared, &method, &path, &body);
    let nonce = {
        let mut desk = shared.desk();
        let nonce = format!("nonce-{}", desk.asked.requests);
        desk.nonces.insert(nonce.clone());
        nonce
    };
    let mut head = format!(
        "HTTP/1.1 {} -\r\nReplay-Nonce: {nonce}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n",
        reply.status,
        reply.kind,
        reply.body.len()
    );
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = if method == "HEAD" { "" } else { &reply.body };
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn answer(shared: &Arc<Shared>, method: &str, path: &str, body: &[u8]) -> Reply {
    let base = format!("https://{}", shared.address);
    let mut desk = shared.desk();
    desk.asked.requests += 1;
    if desk.fault == Some(Fault::Down) {
        return Reply {
            status: 502,
            kind: "text/html",
            body: "<h1>Bad Gateway</h1>".to_owned(),
            headers: Vec::new(),
        };
    }
    match (method, path) {
        ("GET", "/directory") => {
            return Reply::json(
                200,
                json!({
                    "newNonce": format!("{base}/nonce"), "newAccount": format!("{base}/account"),
                    "newOrder": format!("{base}/order"), "revokeCert": format!("{base}/revoke"),
                    "keyChange": format!("{base}/key"), "renewalInfo": format!("{base}/renewal"), "meta": {"termsOfService": format!("{base}/terms")},
                }),
            );
        }
        ("HEAD", "/nonce") => return Reply::json(200, Value::Null),
        ("GET", path) if path.starts_with("/renewal/") => {
            let year = if desk.wants_renewal { 2020 } else { 2999 };
            let window =
                json!({"start": format!("{year}-01-01T00:00:00Z"), "end": format!("{year}-01-02T00:00:00Z")});
            return Reply::json(200, json!({"suggestedWindow": window}))
                .with("Retry-After", "21600".to_owned());
        }
        ("POST", _) => {}
        _ => return problem(404, "malformed", "there is nothing here"),
    }
    let Some(signed) = Signed::parse(body) else {
        return problem(400, "malformed", "not a JWS");
    };
    if desk.fault == Some(Fault::BadNonce) {
        desk.fault = None;
        return problem(400, "badNonce", "not a nonce of mine");
    }
    if !desk
        .nonces
        .remove(signed.header["nonce"].as_str().unwrap_or_default())
    {
        return problem(400, "badNonce", "not a nonce of mine");
    }
    if signed.header["url"] != format!("{base}{path}") {
        return problem(403, "unauthorized", "signed for another address");
    }
    if path == "/account" {
        return desk.account(&base, &signed);
    }
    let account = signed.header["kid"].as_str().and_then(|id| {
        id.strip_prefix(&format!("{base}/account/"))?
            .parse::<usize>()
            .ok()
    });
    let Some((account, key)) = account.and_then(|id| Some((id, desk.accounts.get(id)?.clone()))) else {
        return problem(400, "accountDoesNotExist", "I don't know this account");
    };
    if !signed.is_by(&key) {
        return problem(403, "unauthorized", "signed by another key");
    }
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let number = |at: usize| parts.get(at).and_then(|part| part.parse::<usize>().ok());
    if path == "/order" {
        return desk.order(&base, account, &signed.payload);
    }
    let Some(of) = number(1).filter(|&of| desk.orders.get(of).is_some_and(|order| order.account == account))
    else {
        return problem(404, "malformed", "no order of this account's");
    };
    match parts.as_slice() {
        ["order", _] => desk.show(&base, of),
        ["order", _, "finalize"] => desk.finalize(shared, &base, of, &signed.payload),
        ["authz", ..] => desk.authorization(&base, of, number(2).unwrap_or(usize::MAX)),
        ["challenge", _, _, kind] => {
            let (at, kind) = (number(2).unwrap_or(usize::MAX), (*kind).to_owned());
            let expected = match desk.orders[of].names.get(at) {
                Some(name) => format!("{}.{}", name.token, jws::thumbprint(&key)),
                None => return problem(404, "malformed", "no such name"),
            };
            let shared = Arc::clone(shared);
            let reply = desk.challenge(&base, of, at, &kind);
            std::thread::spawn(move || look(&shared, of, at, &kind, &expected));
            reply
        }
        ["certificate", _] => match &desk.orders[of].chain {
            Some(chain) => Reply {
                status: 200,
                kind: "application/pem-certificate-chain",
                body: chain.clone(),
                headers: Vec::new(),
            },
            None => problem(404, "malformed", "not issued"),
        },
        _ => problem(404, "malformed", "there is nothing here"),
    }
}

impl Desk {
    fn account(&mut self, base: &str, signed: &Signed) -> Reply {
        let key = signed.header["jwk"].clone();
        if !signed.is_by(&key) {
            return problem(403, "unauthorized", "signed by another key");
        }
        if signed.payload["termsOfServiceAgreed"] != true {
            return problem(403, "userActionRequired", "agree to the terms of service");
        }
        let contacts = signed.payload["contact"].as_array().cloned().unwrap_or_default();
        self.contacts = contacts
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect();
        self.accounts.push(key);
        self.asked.accounts += 1;
        let id = format!("{base}/account/{}", self.accounts.len() - 1);
        Reply::json(201, json!({"status": "valid"})).with("Location", id)
    }

    fn order(&mut self, base: &str, account: usize, payload: &Value) -> Reply {
        self.asked.orders += 1;
        if let Some(Fault::RateLimited(after)) = self.fault {
            return problem(429, "rateLimited", "too many certificates for this name")
                .with("Retry-After", after.to_string());
        }
        let names = payload["identifiers"].as_array().cloned().unwrap_or_default();
        let names: Vec<String> = names
            .iter()
            .filter_map(|name| name["value"].as_str().map(str::to_owned))
            .collect();
        if names.iter().any(|name| name.ends_with(".invalid")) {
            return problem(400, "rejectedIdentifier", "names under .invalid are nobody's");
        }
        let of = self.orders.len();
        let named = |(at, name): (usize, String)| Name {
            token: format!("token-{of}-{at}"),
            name,
            seen: None,
        };
        self.orders.push(Order {
            account,
            names: names.into_iter().enumerate().map(named).collect(),
            chain: None,
        });
        let mut reply = self.show(base, of).with("Location", format!("{base}/order/{of}"));
        reply.status = 201;
        reply
    }

    fn show(&self, base: &str, of: usize) -> Reply {
        let order = &self.orders[of];
        let identifiers: Vec<Value> = order
            .names
            .iter()
            .map(|name| json!({"type": "dns", "value": name.name}))
            .collect();
        let authorizations: Vec<String> = (0..order.names.len())
            .map(|at| format!("{base}/authz/{of}/{at}"))
            .collect();
        let mut shown = json!({
            "status": order.status(), "identifiers": identifiers, "authorizations": authorizations,
            "finalize": format!("{base}/order/{of}/finalize"),
        });
        if order.chain.is_some() {
            shown["certificate"] = json!(format!("{base}/certificate/{of}"));
        }
        Reply::json(200, shown)
    }

    fn shown_challenge(&self, base: &str, of: usize, at: usize, kind: &str) -> Value {
        let name = &self.orders[of].names[at];
        let mut shown = json!({
            "type": kind, "url": format!("{base}/challenge/{of}/{at}/{kind}"), "token": name.token,
            "status": match &name.seen { None => "pending", Some(Ok(())) => "valid", Some(Err(_)) => "invalid" },
        });
        if let Some(Err((word, detail))) = &name.seen {
            shown["error"] = json!({"type": format!("urn:ietf:params:acme:error:{word}"), "detail": detail});
        }
        shown
    }

    fn authorization(&self, base: &str, of: usize, at: usize) -> Reply {
        let Some(name) = self.orders[of].names.get(at) else {
            return problem(404, "malformed", "no such name");
        };
        let challenges =
            ["http-01", "dns-01", "tls-alpn-01"].map(|kind| self.shown_challenge(base, of, at, kind));
        Reply::json(
            200,
            json!({
                "status": match &name.seen { None => "pending", Some(Ok(())) => "valid", Some(Err(_)) => "invalid" },
                "identifier": {"type": "dns", "value": name.name}, "challenges": challenges,
            }),
        )
    }

    fn challenge(&self, base: &str, of: usize, at: usize, kind: &str) -> Reply {
        let mut shown = self.shown_challenge(base, of, at, kind);
        shown["status"] = json!("processing");
        Reply::json(200, shown)
    }

    fn finalize(&mut self, shared: &Shared, base: &str, of: usize, payload: &Value) -> Reply {
        let order = &self.orders[of];
        if order.status() != "ready" {
            return problem(403, "orderNotReady", "not every name was looked at");
        }
        let request = payload["csr"].as_str().and_then(jws::decode).unwrap_or_default();
        let ordered: HashSet<&str> = order.names.iter().map(|name| name.name.as_str()).collect();
        let asked = shared.authority.names(&request).unwrap_or_default();
        if asked.iter().map(String::as_str).collect::<HashSet<_>>() != ordered {
            return problem(400, "badCSR", "other names than the order's");
        }
        let chain = shared.authority.issue(&request, self.life);
        self.orders[of].chain = Some(chain);
        self.asked.certificates += 1;
        self.show(base, of)
    }
}

/// Looks at a name as the challenge asks, and notes what came of it.
fn look(shared: &Arc<Shared>, of: usize, at: usize, kind: &str, expected: &str) {
    let (name, token) = {
        let mut desk = shared.desk();
        desk.asked.looks += 1;
        let name = &desk.orders[of].names[at];
        (name.name.clone(), name.token.clone())
    };
    let deadline = Instant::now() + WAIT;
    let is_slow = || shared.desk().fault == Some(Fault::Slow);
    while is_slow() && !shared.closed.load(Ordering::Acquire) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let (ways, fault) = {
        let desk = shared.desk();
        (desk.ways, desk.fault)
    };
    let expected = match fault {
        Some(Fault::Disbelieve) => format!("{expected}-of-another"),
        _ => expected.to_owned(),
    };
    let nowhere = || Err(("dns", format!("no address for {name}")));
    let seen = match kind {
        "http-01" => ways
            .http
            .map_or_else(nowhere, |to| look::by_http(to, &name, &token, &expected)),
        "tls-alpn-01" => ways
            .tls
            .map_or_else(nowhere, |to| look::by_tls(to, &name, &expected)),
        _ => Err(("unsupportedIdentifier", format!("no {kind} here"))),
    };
    shared.desk().orders[of].names[at].seen = Some(seen);
}
