//! The operator's side without a socket: requests in, answers out, the relay a stand-in that notes what it is asked.

mod access;
mod accounts;
mod connect;
mod hooks;
mod insight;
mod sites;
mod triggers;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_executor::block_on;
use futures_util::future::LocalBoxFuture;
use hookcast_api::account::Me;
use hookcast_api::insight::{Channels, Connections, Relay as RelayFacts};
use hookcast_api::{ApiError, CSRF_HEADER};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::insight::{Insight, ShardReport, Source};
use super::passwords::Cost;
use super::relay::ConnectionQuery;
use super::{Admin, AnswerBody, Ask, Failure, Outgoing, Relay};
use crate::config::Config;
use crate::ids::{ConnId, SiteId};
use crate::insight::Surface;
use crate::site::{Refusal, Site};
use crate::store::{Role, StoreHandle, site_defaults};

pub const EMAIL: &str = "owner@relay.example";
pub const PASSWORD: &str = "a few words here";
pub const START_MS: u64 = 1_800_000_000_000;

/// What the admin side asked of the relay.
#[derive(Default)]
pub struct StandIn {
    pub published: RefCell<Vec<(String, Outgoing)>>,
    pub raw: RefCell<Vec<Bytes>>,
    pub refused: RefCell<Vec<(&'static str, Surface)>>,
    pub known: Cell<Option<ConnId>>,
}

impl Relay for StandIn {
    fn publish<'a>(
        &'a self,
        site: &'a Arc<Site>,
        message: Outgoing,
    ) -> LocalBoxFuture<'a, Result<(), Refusal>> {
        self.published.borrow_mut().push((site.key.clone(), message));
        Box::pin(async { Ok(()) })
    }

    fn disconnect(&self, id: ConnId) -> LocalBoxFuture<'_, Result<bool, Failure>> {
        Box::pin(async move { Ok(self.known.get() == Some(id)) })
    }

    fn connections(&self, _: ConnectionQuery) -> LocalBoxFuture<'_, Result<Connections, Failure>> {
        Box::pin(async {
            Ok(Connections {
                connections: Vec::new(),
                total: 0,
            })
        })
    }

    fn channels(&self, _: SiteId) -> LocalBoxFuture<'_, Result<Channels, Failure>> {
        Box::pin(async {
            Ok(Channels {
                channels: Vec::new(),
                truncated: false,
            })
        })
    }

    fn dispatch_raw(&self, _: SiteId, body: Bytes) {
        self.raw.borrow_mut().push(body);
    }

    fn refused(&self, refusal: &Refusal, surface: Surface, _: Option<&Arc<Site>>, _: IpAddr) {
        self.refused.borrow_mut().push((refusal.code, surface));
    }
}

/// Shards that are never asked; notes what payloads they were told to show.
#[derive(Default)]
pub struct NoShards {
    pub watched: Mutex<Vec<(SiteId, u64)>>,
}

impl Source for NoShards {
    fn reports(&self) -> Option<Vec<ShardReport>> {
        None
    }

    fn connections(&self, _: &ConnectionQuery) -> Option<Connections> {
        None
    }

    fn watch(&self, watched: Vec<(SiteId, u64)>) {
        *self.watched.lock().unwrap() = watched;
    }
}

/// One relay's operator side, and a browser in front of it.
pub struct Desk {
    pub admin: Admin,
    pub store: StoreHandle,
    pub relay: StandIn,
    pub shards: Arc<NoShards>,
    pub config: Arc<Config>,
    pub now_ms: u64,
    _dir: tempfile::TempDir,
}

/// Who sends a request.
#[derive(Clone, Debug, Default)]
pub struct As {
    pub cookie: Option<String>,
    pub csrf: Option<String>,
    pub key: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{e}: {} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    /// The status and the code of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.json::<ApiError>().error)
    }

    pub fn ok<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()
    }
}

impl Desk {
    pub fn new() -> Desk {
        Desk::with(Config::default())
    }

    pub fn with(config: Config) -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let store = StoreHandle::open(dir.path(), Role::Server, site_defaults(&config)).unwrap();
        let facts = RelayFacts {
            version: "0".to_owned(),
            started_at: START_MS,
            shards: 1,
            driver: "epoll".to_owned(),
            driver_reason: None,
        };
        let shards = Arc::<NoShards>::default();
        let insight = Insight::new(facts, None, shards.clone());
        let cheap = Cost {
            memory_kib: 8,
            passes: 1,
        };
        Desk {
            admin: Admin::with_cost(store.clone(), insight, cheap).unwrap(),
            store,
            relay: StandIn::default(),
            shards,
            config: Arc::new(config),
            now_ms: START_MS,
            _dir: dir,
        }
    }

    /// Set up, and signed in as the first owner.
    pub fn owned() -> (Desk, As) {
        let desk = Desk::new();
        let owner = desk.set_up();
        (desk, owner)
    }

    pub fn set_up(&self) -> As {
        let token = self.admin.setup_token().unwrap().expect("not set up yet");
        let nobody = As {
            csrf: Some("x".to_owned()),
            ..As::default()
        };
        let body = serde_json::json!({"token": token, "email": EMAIL, "password": PASSWORD});
        let reply = self.send(&nobody, "POST", "/api/setup", &body);
        signed_in(&reply)
    }

    pub fn log_in(&self, email: &str, password: &str) -> Reply {
        let nobody = As {
            csrf: Some("x".to_owned()),
            ..As::default()
        };
        self.send(
            &nobody,
            "POST",
            "/api/login",
            &serde_json::json!({"email": email, "password": password}),
        )
    }

    /// A signed-in viewer.
    pub fn viewer(&self, owner: &As) -> As {
        let body = serde_json::json!({"email": "viewer@x.example", "password": PASSWORD, "role": "viewer"});
        self.send(owner, "POST", "/api/users", &body).ok::<Value>();
        signed_in(&self.log_in("viewer@x.example", PASSWORD))
    }

    pub fn key(&self, owner: &As, scopes: &[&str]) -> As {
        let body = serde_json::json!({"name": "script", "scopes": scopes});
        let created: Value = self.send(owner, "POST", "/api/keys", &body).ok();
        As {
            key: Some(created["secret"].as_str().unwrap().to_owned()),
            ..As::default()
        }
    }

    /// A new site's key.
    pub fn site(&self, owner: &As, url: &str) -> hookcast_api::site::Credentials {
        let body = serde_json::json!({"url": url});
        self.send(owner, "POST", "/api/sites", &body)
            .ok::<hookcast_api::site::AddedSite>()
            .credentials
    }

    pub fn get(&self, who: &As, path: &str) -> Reply {
        self.ask(self.request(who, "GET", path, Bytes::new()))
    }

    pub fn send(&self, who: &As, method: &str, path: &str, body: &impl Serialize) -> Reply {
        let mut ask = self.request(who, method, path, serde_json::to_vec(body).unwrap().into());
        ask.headers
            .insert("content-type", HeaderValue::from_static("application/json"));
        self.ask(ask)
    }

    pub fn request(&self, who: &As, method: &str, path: &str, body: Bytes) -> Ask {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, value: String| {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_str(&value).unwrap(),
            );
        };
        put("host", "localhost:8080".to_owned());
        if let Some(cookie) = &who.cookie {
            put("cookie", format!("other=1; {cookie}"));
        }
        if let Some(csrf) = &who.csrf {
            put(CSRF_HEADER, csrf.clone());
        }
        if let Some(key) = &who.key {
            put("authorization", format!("Bearer {key}"));
        }
        Ask {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body,
            ip: IpAddr::from([192, 0, 2, 1]),
            direct: IpAddr::from([127, 0, 0, 1]),
            secure: false,
            config: self.config.clone(),
            now_ms: self.now_ms,
        }
    }

    pub fn ask(&self, ask: Ask) -> Reply {
        let answer = block_on(self.admin.route(&self.relay, &ask));
        let body = match answer.body {
            AnswerBody::Whole(bytes) => bytes.to_vec(),
            AnswerBody::Events(mut events) => std::iter::from_fn(|| events.try_recv().ok())
                .flat_map(|bytes| bytes.to_vec())
                .collect(),
        };
        Reply {
            status: answer.status.as_u16(),
            headers: answer.headers.into_iter().collect(),
            body,
        }
    }

    pub fn audit(&self, who: &As) -> Vec<(String, String)> {
        let log: hookcast_api::tools::AuditLog = self.get(who, "/api/audit").ok();
        log.entries
            .into_iter()
            .map(|entry| (entry.action, entry.actor))
            .collect()
    }
}

/// The session that a log-in gave.
pub fn signed_in(reply: &Reply) -> As {
    let me: Me = reply.ok();
    let cookie = reply.headers["set-cookie"].to_str().unwrap();
    As {
        cookie: cookie.split(';').next().map(str::to_owned),
        csrf: Some(me.csrf),
        key: None,
    }
}
