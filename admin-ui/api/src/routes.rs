//! The table of routes: what the server serves, what the OpenAPI document and `docs/api.md` list, and what the tests
//! walk through. A route that is not here does not exist.

use crate::account::Scope;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    pub fn changes_state(self) -> bool {
        self != Method::Get
    }
}

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anyone; a state change still needs the CSRF header and an own origin, because it sets a cookie.
    Public,
    /// Not the operator's browser: the request proves itself by a signature, a code, or a key of its own kind.
    OwnProof,
    /// Anyone signed in, about themselves: no API key.
    Oneself,
    /// Anyone signed in; an API key with the scope.
    Viewer(Scope),
    /// An owner; an API key with the scope.
    Owner(Scope),
    /// An owner in person: no API key.
    OwnerOnly,
}

/// The body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Body {
    /// JSON of the type with this name.
    Json(&'static str),
    /// Server-Sent Events, each the JSON of the type with this name.
    Events(&'static str),
    /// A file or document of this media type.
    Media(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub op: Op,
    pub method: Method,
    /// Below the relay's base path; `{site}` is a site key, other names in braces are ids.
    pub path: &'static str,
    pub access: Access,
    /// The name of the request's type.
    pub request: Option<&'static str>,
    pub response: Body,
    pub summary: &'static str,
}

impl Route {
    /// The route's path with its braces filled, in order.
    pub fn path_with(&self, values: &[&str]) -> String {
        path_with(self.path, values)
    }

    /// The values of the path's braces, where `path` is this route's.
    pub fn matches<'p>(&self, path: &'p str) -> Option<Vec<&'p str>> {
        let mut values = Vec::new();
        let mut theirs = path.split('/');
        for part in self.path.split('/') {
            let value = theirs.next()?;
            if part.starts_with('{') {
                if value.is_empty() {
                    return None;
                }
                values.push(value);
            } else if part != value {
                return None;
            }
        }
        theirs.next().is_none().then_some(values)
    }
}

/// A route's path with its braces filled, in order.
pub fn path_with(path: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let parts = path.split('/').map(|part| match part.starts_with('{') {
        true => values.next().copied().unwrap_or_default(),
        false => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// What matches a method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match<'p> {
    Route(&'static Route, Vec<&'p str>),
    /// The path exists with these methods.
    Methods(Vec<Method>),
    None,
}

/// Fixed paths come before those with braces, so `/api/sites/register` is never the site `register`.
pub fn find<'p>(method: &str, path: &'p str) -> Match<'p> {
    let mut fitting = ROUTES
        .iter()
        .filter_map(|route| Some((route, route.matches(path)?)))
        .collect::<Vec<_>>();
    fitting.sort_by_key(|(_, values)| values.len());
    let Some(fewest) = fitting.first().map(|(_, values)| values.len()) else {
        return Match::None;
    };
    fitting.retain(|(_, values)| values.len() == fewest);
    let methods = fitting.iter().map(|(route, _)| route.method).collect();
    match fitting
        .into_iter()
        .find(|(route, _)| route.method.as_str() == method)
    {
        Some((route, values)) => Match::Route(route, values),
        None => Match::Methods(methods),
    }
}

/// The route of an operation.
pub fn route(op: Op) -> &'static Route {
    ROUTES
        .iter()
        .find(|route| route.op == op)
        .expect("every operation has a route: asserted by a test")
}

macro_rules! routes {
    ($($op:ident $method:ident $path:literal $access:expr, $request:expr => $response:expr; $summary:literal)*) => {
        /// One operation of the API. The server matches it exhaustively, so a route without a handler does not compile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Op { $($op),* }

        impl Op {
            /// The operation's name in the OpenAPI document.
            pub fn name(self) -> &'static str {
                match self { $(Op::$op => stringify!($op)),* }
            }

            /// What a client needs of the route: without the table, which the web app would carry along with every summary.
            pub fn method(self) -> Method {
                match self { $(Op::$op => Method::$method),* }
            }

            pub fn path(self) -> &'static str {
                match self { $(Op::$op => $path),* }
            }
        }

        pub const ROUTES: &[Route] = &[$(Route {
            op: Op::$op,
            method: Method::$method,
            path: $path,
            access: $access,
            request: $request,
            response: $response,
            summary: $summary,
        }),*];
    };
}

use Access::{Oneself, OwnProof, Owner, OwnerOnly, Public, Viewer};
use Body::{Events, Json, Media};

routes! {
    // Getting in
    State Get "/api/state" Public, None => Json("State");
        "What a page needs before it knows who is looking: versions, set-up, who is signed in"
    OpenApi Get "/api/openapi.json" Public, None => Media("application/json");
        "This API as an OpenAPI 3.1 document"
    Setup Post "/api/setup" Public, Some("SetupRequest") => Json("Me");
        "Create the first owner with the one-time token printed at the start, and sign in"
    Login Post "/api/login" Public, Some("LoginRequest") => Json("Me");
        "Sign in; sets the session cookie"
    Logout Post "/api/logout" Oneself, None => Json("Done");
        "End this session"
    Me Get "/api/me" Oneself, None => Json("Me");
        "Who is signed in, and the CSRF token of the session"
    ChangePassword Post "/api/me/password" Oneself, Some("PasswordChange") => Json("Me");
        "Change one's own password; ends every other session"
    Sessions Get "/api/me/sessions" Oneself, None => Json("Sessions");
        "One's own sessions"
    RevokeSession Delete "/api/me/sessions/{session}" Oneself, None => Json("Done");
        "End one of one's own sessions"
    RevokeOtherSessions Post "/api/me/sessions/revoke-others" Oneself, None => Json("Done");
        "End every session but this one"

    // Users and keys
    Users Get "/api/users" OwnerOnly, None => Json("Users");
        "Who may sign in"
    AddUser Post "/api/users" OwnerOnly, Some("NewUser") => Json("User");
        "Add a user"
    ChangeUser Patch "/api/users/{user}" OwnerOnly, Some("UserChange") => Json("User");
        "Change a user's role or password; ends the user's sessions"
    RemoveUser Delete "/api/users/{user}" OwnerOnly, None => Json("Done");
        "Remove a user; the last owner stays"
    ApiKeys Get "/api/keys" OwnerOnly, None => Json("ApiKeys");
        "API keys, without the keys themselves"
    AddApiKey Post "/api/keys" OwnerOnly, Some("NewApiKey") => Json("CreatedApiKey");
        "Make an API key; the answer is the only one that shows it"
    RevokeApiKey Delete "/api/keys/{key}" OwnerOnly, None => Json("Done");
        "Revoke an API key"

    // Sites
    Sites Get "/api/sites" Viewer(Scope::Read), None => Json("Sites");
        "All sites, archived ones included"
    AddSite Post "/api/sites" Owner(Scope::Sites), Some("NewSite") => Json("AddedSite");
        "Add a site; the answer shows its credentials"
    Site Get "/api/sites/{site}" Viewer(Scope::Read), None => Json("Site");
        "One site"
    ChangeSite Patch "/api/sites/{site}" Owner(Scope::Sites), Some("SiteChange") => Json("Site");
        "Rename, move, limit, restrict to origins, or switch off a site"
    SiteCredentials Post "/api/sites/{site}/credentials" Owner(Scope::Secrets), Some("PasswordAgain") => Json("Credentials");
        "Show a site's credentials, after the password"
    RotateSite Post "/api/sites/{site}/rotate" Owner(Scope::Secrets), Some("RotateRequest") => Json("Credentials");
        "Give a site new secrets; the old ones work on for the overlap"
    ArchiveSite Post "/api/sites/{site}/archive" Owner(Scope::Sites), Some("ArchiveRequest") => Json("Site");
        "Archive a site: its sockets are closed with 4003 and its key stops working"
    RestoreSite Post "/api/sites/{site}/restore" Owner(Scope::Sites), None => Json("Site");
        "Bring an archived site back, with the secrets it had"
    SiteUsage Get "/api/sites/{site}/usage" Viewer(Scope::Read), None => Json("Usage");
        "Usage by day; `?days=` 1 to 366, 30 unless told"
    SiteWpConfig Get "/api/sites/{site}/wp-config" Viewer(Scope::Read), None => Json("WpConfig");
        "The lines for wp-config.php"
    SiteConnector Post "/api/sites/{site}/connector" Owner(Scope::Secrets), Some("PasswordAgain") => Media("application/x-php");
        "The WordPress connector with this site's values filled in, after the password"
    SiteDispatch Get "/api/sites/{site}/dispatch" Viewer(Scope::Read), None => Json("Dispatch");
        "Whether scripts may dispatch to this site"
    ChangeDispatch Patch "/api/sites/{site}/dispatch" Owner(Scope::Sites), Some("DispatchChange") => Json("Dispatch");
        "Switch dispatch on or off, or open it to loopback without a token"
    NewDispatchToken Post "/api/sites/{site}/dispatch/token" Owner(Scope::Secrets), None => Json("DispatchToken");
        "Make a new dispatch token; the one before it stops working"
    Publish Post "/api/sites/{site}/publish" Owner(Scope::Publish), Some("PublishRequest") => Json("Done");
        "Publish a message to a site's channel"

    // Triggers
    Triggers Get "/api/sites/{site}/triggers" Viewer(Scope::Read), None => Json("Triggers");
        "A site's triggers in their order"
    AddTrigger Post "/api/sites/{site}/triggers" Owner(Scope::Triggers), Some("TriggerSpec") => Json("SavedTrigger");
        "Add a trigger; the answer shows a webhook's secret"
    ChangeTrigger Put "/api/sites/{site}/triggers/{trigger}" Owner(Scope::Triggers), Some("TriggerChange") => Json("SavedTrigger");
        "Replace a trigger; refused with `conflict` when its version has moved on"
    RemoveTrigger Delete "/api/sites/{site}/triggers/{trigger}" Owner(Scope::Triggers), None => Json("Done");
        "Remove a trigger"
    TestTrigger Post "/api/sites/{site}/triggers/{trigger}/test" Owner(Scope::Publish), Some("TriggerTest") => Json("TriggerTestResult");
        "Run a trigger on an input of one's own, and publish the outcome if asked to"
    WebhookSecret Post "/api/sites/{site}/triggers/{trigger}/secret" Owner(Scope::Secrets), Some("WebhookSecretRequest") => Json("WebhookSecret");
        "Show or renew a webhook's secret, after the password"
    OrderTriggers Post "/api/sites/{site}/triggers/order" Owner(Scope::Triggers), Some("TriggerOrder") => Json("Triggers");
        "Put a site's triggers in another order"
    ExportTriggers Get "/api/sites/{site}/triggers/export" Viewer(Scope::Read), None => Json("TriggerDocument");
        "A site's triggers as a file without ids or secrets"
    ImportTriggers Post "/api/sites/{site}/triggers/import" Owner(Scope::Triggers), Some("TriggerImport") => Json("Triggers");
        "Add, or replace by, the triggers of a file: all of them or, if one is invalid, none"

    // Live insight
    Insight Get "/api/insight" Viewer(Scope::Read), None => Json("Snapshot");
        "Totals, rates, shards, sites, the last minutes, what needs attention, recent refusals"
    Stream Get "/api/stream" Viewer(Scope::Read), None => Events("StreamEvent");
        "The same live; `?log=1` adds the event log, `?connections=1` the connection table, `?site=` narrows both"
    EventLog Get "/api/events" Viewer(Scope::Read), None => Json("EventLog");
        "The event log; `?site=`, `?after=` a sequence number, `?limit=` up to 1,000"
    SiteRefusals Get "/api/sites/{site}/refusals" Viewer(Scope::Read), None => Json("Refusals");
        "A site's recent refusals"
    SiteChannels Get "/api/sites/{site}/channels" Viewer(Scope::Read), None => Json("Channels");
        "A site's channels with subscriber counts and presence members"
    Connections Get "/api/connections" Viewer(Scope::Read), None => Json("Connections");
        "Open connections; `?site=`, `?search=` in user, address and channels, `?limit=` up to 1,000"
    Disconnect Delete "/api/connections/{connection}" Owner(Scope::Operate), None => Json("Done");
        "Close a connection"
    WatchPayloads Put "/api/sites/{site}/payloads" Owner(Scope::Operate), Some("PayloadWatch") => Json("PayloadWatchState");
        "Let a site's payloads into the event log for ten minutes, or stop"

    // Tools
    InspectToken Post "/api/tokens/inspect" Viewer(Scope::Read), Some("InspectRequest") => Json("TokenReport");
        "Decode and verify a browser token; changes nothing"
    MintToken Post "/api/sites/{site}/tokens" Owner(Scope::Secrets), Some("MintRequest") => Json("MintedToken");
        "Make a test token"
    Audit Get "/api/audit" Viewer(Scope::Read), None => Json("AuditLog");
        "The audit log, newest first; `?before=`, `?limit=` up to 500, `?site=`"
    Config Get "/api/config" Viewer(Scope::Read), None => Json("EffectiveConfig");
        "The effective configuration, secrets masked"
    Doctor Post "/api/doctor" Owner(Scope::Operate), Some("DoctorRequest") => Json("DoctorReport");
        "Check the relay from inside and through its public URL"

    // One-click connect
    DescribeConnect Post "/api/connect/describe" Viewer(Scope::Read), Some("ConnectQuery") => Json("ConnectDescription");
        "Who asks to be connected, and whether it may; changes nothing"
    AuthorizeConnect Post "/api/connect/authorize" OwnerOnly, Some("ConnectQuery") => Json("ConnectAuthorized");
        "Register the site and make its one-time code"
    CancelConnect Post "/api/connect/cancel" Oneself, Some("ConnectQuery") => Json("ConnectCancelled");
        "Where to send the browser when the operator declines"
    ExchangeCode Post "/api/connect/exchange" OwnProof, Some("ExchangeRequest") => Json("Credentials");
        "WordPress redeems the one-time code"

    // What WordPress and other senders call
    RegisterSite Post "/api/sites/register" OwnProof, Some("RegisterRequest") => Json("Credentials");
        "WordPress registers itself with an API key of the scope `register`"
    UnregisterSite Post "/api/sites/unregister" OwnProof, Some("UnregisterRequest") => Json("Done");
        "WordPress unregisters itself"
    SiteTriggers Get "/site/triggers" OwnProof, None => Json("SiteTriggers");
        "The triggers that WordPress evaluates, signed like `/site/stats`, with an ETag"
    Webhook Post "/hooks/{trigger}" OwnProof, None => Json("Done");
        "A webhook trigger's address"
    Dispatched Post "/dispatch" OwnProof, None => Media("application/json");
        "Publish by a dispatch token: `{\"event\",\"data\",\"timestamp\"}`"
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_routes_share_a_method_and_a_path() {
        let mut seen = HashSet::new();
        for route in ROUTES {
            assert!(
                seen.insert((route.method, route.path)),
                "{} {}",
                route.method.as_str(),
                route.path
            );
        }
        assert!(ROUTES.len() > 50);
    }

    #[test]
    fn every_route_is_found_by_its_own_path() {
        for expected in ROUTES {
            let path = path_with(expected.op.path(), &["ab12", "cd34"]);
            match find(expected.method.as_str(), &path) {
                Match::Route(found, _) => assert_eq!(found.op, expected.op, "{path}"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_fixed_path_wins_over_one_with_braces() {
        let Match::Route(found, values) = find("POST", "/api/sites/k1/triggers/order") else {
            panic!()
        };
        assert_eq!((found.op, values), (Op::OrderTriggers, vec!["k1"]));
        let Match::Route(found, _) = find("POST", "/api/sites/register") else {
            panic!()
        };
        assert_eq!(found.op, Op::RegisterSite);
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        assert_eq!(
            find("DELETE", "/api/sites"),
            Match::Methods(vec![Method::Get, Method::Post])
        );
        assert_eq!(find("GET", "/api/nothing"), Match::None);
        assert_eq!(find("GET", "/api/sites/"), Match::None);
    }
}
