//! From a method and a path to a handler, with every check on the way.

use hookcast_api::insight::Changed;
use hookcast_api::routes::{Match, Op, Route, find};
use hookcast_api::{Done, code};

use super::call::{Call, authorize, identify};
use super::exchange::{Answer, Ask, Failure};
use super::{
    Admin, Relay, accounts, connect, dispatch, guard, insight, keys, openapi, plugin, sessions, sites,
    tokens, tools, triggers, users, webhooks,
};

/// The largest body of a route whose size no setting bounds: a full trigger export fits.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

impl Admin {
    /// How much of a request's body to read before it is asked about.
    pub fn body_bytes_max(method: &str, path: &str, publish_body_bytes_max: usize) -> usize {
        match find(method, path) {
            Match::Route(route, _) => match route.op {
                Op::Webhook | Op::Dispatched | Op::Publish => publish_body_bytes_max,
                Op::ImportTriggers => BODY_BYTES_MAX,
                _ => 256 * 1024,
            },
            _ => 0,
        }
    }

    /// Answers a request. Refusals are answers too.
    pub async fn route(&self, relay: &dyn Relay, ask: &Ask) -> Answer {
        match self.answer(relay, ask).await {
            Ok(answer) => answer,
            Err(failure) => failure.answer(),
        }
    }

    async fn answer(&self, relay: &dyn Relay, ask: &Ask) -> Result<Answer, Failure> {
        let (route, args) = match find(ask.method.as_str(), &ask.path) {
            Match::Route(route, args) => (route, args),
            Match::Methods(methods) => {
                let allow = methods
                    .iter()
                    .map(|method| method.as_str())
                    .collect::<Vec<_>>()
                    .join(", ");
                let message = format!("this address takes {allow}");
                let failure = Failure::new(405, code::METHOD_NOT_ALLOWED, message);
                return Err(Failure {
                    allow: Some(allow),
                    ..failure
                });
            }
            Match::None => return Err(Failure::not_found("address")),
        };
        if matches!(route.op, Op::Dispatched) {
            return Ok(dispatch::dispatched(self, ask, relay).await);
        }
        let changes_state = route.method.changes_state();
        guard::check(ask, route.access, changes_state)?;
        let caller = match route.access {
            hookcast_api::routes::Access::OwnProof => super::call::Caller::Nobody,
            _ => identify(self, ask).await?,
        };
        authorize(&caller, ask, route)?;
        let call = Call {
            admin: self,
            ask,
            relay,
            caller,
            route,
            args,
        };
        let answer = handle(&call).await?;
        if let Some(what) = changed(route) {
            let site_key = route.path.contains("{site}").then(|| call.arg(0).to_owned());
            self.insight.changed(what, site_key);
        }
        Ok(answer)
    }
}

async fn handle(call: &Call<'_>) -> Result<Answer, Failure> {
    match call.route.op {
        Op::State => accounts::state(call).await,
        Op::OpenApi => Ok(openapi::answer()),
        Op::Setup => accounts::setup(call).await,
        Op::Login => accounts::login(call).await,
        Op::Logout => sessions::logout(call).await,
        Op::Me => accounts::me(call),
        Op::ChangePassword => accounts::change_password(call).await,
        Op::Sessions => sessions::list(call).await,
        Op::RevokeSession => sessions::revoke(call).await,
        Op::RevokeOtherSessions => sessions::revoke_others(call).await,

        Op::Users => users::list(call).await,
        Op::AddUser => users::add(call).await,
        Op::ChangeUser => users::change(call).await,
        Op::RemoveUser => users::remove(call).await,
        Op::ApiKeys => keys::list(call).await,
        Op::AddApiKey => keys::add(call).await,
        Op::RevokeApiKey => keys::revoke(call).await,

        Op::Sites => sites::list(call).await,
        Op::AddSite => sites::add(call).await,
        Op::Site => sites::one(call).await,
        Op::ChangeSite => sites::change(call).await,
        Op::SiteCredentials => sites::credentials(call).await,
        Op::RotateSite => sites::rotate(call).await,
        Op::ArchiveSite => sites::archive(call).await,
        Op::RestoreSite => sites::restore(call).await,
        Op::SiteUsage => sites::usage(call).await,
        Op::SiteWpConfig => sites::wp_config(call),
        Op::SiteConnector => sites::connector(call).await,
        Op::SiteDispatch => dispatch::settings(call),
        Op::ChangeDispatch => dispatch::change(call).await,
        Op::NewDispatchToken => dispatch::new_token(call).await,
        Op::Publish => tools::publish(call).await,

        Op::Triggers => triggers::list(call).await,
        Op::AddTrigger => triggers::add(call).await,
        Op::ChangeTrigger => triggers::change(call).await,
        Op::RemoveTrigger => triggers::remove(call).await,
        Op::TestTrigger => triggers::test(call).await,
        Op::WebhookSecret => triggers::webhook_secret(call).await,
        Op::OrderTriggers => triggers::order(call).await,
        Op::ExportTriggers => triggers::export(call).await,
        Op::ImportTriggers => triggers::import(call).await,

        Op::Insight => insight::routes::snapshot(call),
        Op::Stream => insight::routes::stream(call).await,
        Op::EventLog => insight::routes::events(call),
        Op::SiteRefusals => insight::routes::refusals(call),
        Op::SiteChannels => insight::routes::channels(call).await,
        Op::Connections => insight::routes::connections(call).await,
        Op::Disconnect => insight::routes::disconnect(call).await,
        Op::WatchPayloads => insight::routes::watch_payloads(call).await,

        Op::InspectToken => tokens::inspect(call),
        Op::MintToken => tokens::mint(call).await,
        Op::Audit => tools::audit(call).await,
        Op::Config => tools::config(call),
        Op::Doctor => tools::doctor(call).await,

        Op::DescribeConnect => connect::describe(call),
        Op::AuthorizeConnect => connect::authorize(call).await,
        Op::CancelConnect => connect::cancel(call).await,
        Op::ExchangeCode => connect::exchange(call).await,

        Op::RegisterSite => plugin::register(call).await,
        Op::UnregisterSite => plugin::unregister(call).await,
        Op::SiteTriggers => plugin::triggers(call).await,
        Op::Webhook => webhooks::receive(call).await,
        Op::Dispatched => Err(Failure::not_found("address")),
    }
}

/// What other open pages must read again.
fn changed(route: &Route) -> Option<Changed> {
    match route.op {
        Op::AddSite
        | Op::ChangeSite
        | Op::RotateSite
        | Op::ArchiveSite
        | Op::RestoreSite
        | Op::ChangeDispatch
        | Op::NewDispatchToken
        | Op::ExchangeCode
        | Op::RegisterSite
        | Op::UnregisterSite
        | Op::WatchPayloads => Some(Changed::Sites),
        Op::AddTrigger | Op::ChangeTrigger | Op::RemoveTrigger | Op::OrderTriggers | Op::ImportTriggers => {
            Some(Changed::Triggers)
        }
        Op::Setup | Op::AddUser | Op::ChangeUser | Op::RemoveUser => Some(Changed::Users),
        Op::AddApiKey | Op::RevokeApiKey => Some(Changed::Keys),
        _ => None,
    }
}

pub fn done() -> Answer {
    Answer::json(&Done::OK)
}
