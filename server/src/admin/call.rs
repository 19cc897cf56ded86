//! One call of a route: who calls, with what, and what handlers need for their work.

use std::sync::Arc;

use hookcast_api::account::{self, Role, Scope};
use hookcast_api::code;
use hookcast_api::routes::{Access, Route};

use super::exchange::{Ask, Failure};
use super::{Admin, Relay, guard};
use crate::site::Site;
use crate::store::accounts::{Account, AccountRole};
use crate::store::api_keys::{self, ApiKey};
use crate::store::audit::Note;
use crate::store::sessions::{self, LAST_SEEN_STEP_MS, Lifetimes, Session};
use crate::store::{self};

pub enum Caller {
    Nobody,
    Person {
        account: Account,
        session: Session,
        token: String,
    },
    Key(ApiKey),
}

pub struct Call<'a> {
    pub admin: &'a Admin,
    pub ask: &'a Ask,
    pub relay: &'a dyn Relay,
    pub caller: Caller,
    pub route: &'static Route,
    /// The values of the path's braces.
    pub args: Vec<&'a str>,
}

/// The cookie's name under plain http. Under https the prefix makes browsers refuse one that another host of the domain,
/// or a page without TLS, tries to plant.
pub fn cookie_name(secure: bool) -> &'static str {
    if secure {
        "__Secure-hookcast_session"
    } else {
        hookcast_api::SESSION_COOKIE
    }
}

pub fn lifetimes(ask: &Ask) -> Lifetimes {
    Lifetimes {
        idle_ms: ask.config.admin.session_idle_ms,
        life_ms: ask.config.admin.session_life_ms,
    }
}

/// Who the request comes from; nobody, if it names nobody. A wrong key is refused, a cookie that ran out is nobody.
pub async fn identify(admin: &Admin, ask: &Ask) -> Result<Caller, Failure> {
    let now_ms = ask.now_ms;
    if let Some(key) = ask.bearer() {
        let key = key.to_owned();
        let found = admin
            .store
            .write(move |tx| api_keys::identify(tx, &key, now_ms))
            .await?;
        return match found {
            Some(key) => Ok(Caller::Key(key)),
            None => Err(Failure::new(
                401,
                "invalid_api_key",
                "the API key is unknown, revoked or has expired",
            )),
        };
    }
    let Some(token) = ask.cookie(cookie_name(ask.secure)).map(str::to_owned) else {
        return Ok(Caller::Nobody);
    };
    let (lifetimes, sought) = (lifetimes(ask), token.clone());
    let found = admin
        .store
        .read(move |db| sessions::find(db, &sought, lifetimes, now_ms))
        .await?;
    let Some((account, session)) = found else {
        return Ok(Caller::Nobody);
    };
    if now_ms.saturating_sub(session.last_seen_ms) >= LAST_SEEN_STEP_MS {
        let id = session.id.clone();
        admin
            .store
            .write(move |tx| sessions::seen(tx, &id, now_ms))
            .await?;
    }
    Ok(Caller::Person {
        account,
        session,
        token,
    })
}

/// The caller may use the route; a cookie's state change carries its session's CSRF token.
pub fn authorize(caller: &Caller, ask: &Ask, route: &Route) -> Result<(), Failure> {
    match route.access {
        Access::Public | Access::OwnProof => return Ok(()),
        _ => {}
    }
    match caller {
        Caller::Nobody => Err(Failure::new(401, code::UNAUTHENTICATED, "sign in first")),
        Caller::Key(key) => match route.access {
            Access::Viewer(scope) | Access::Owner(scope) => match key.has_scope(scope.as_str()) {
                true => Ok(()),
                false => Err(Failure::forbidden(format!(
                    "the API key has no scope `{}`",
                    scope.as_str()
                ))),
            },
            _ => Err(Failure::forbidden("an API key cannot do this: sign in")),
        },
        Caller::Person { account, token, .. } => {
            if route.method.changes_state() {
                guard::csrf(ask, token)?;
            }
            match (route.access, account.role) {
                (Access::Oneself | Access::Viewer(_), _) | (_, AccountRole::Owner) => Ok(()),
                _ => Err(Failure::forbidden("only an owner may do this")),
            }
        }
    }
}

impl Call<'_> {
    pub fn arg(&self, place: usize) -> &str {
        self.args.get(place).copied().unwrap_or_default()
    }

    pub fn now_ms(&self) -> u64 {
        self.ask.now_ms
    }

    /// As the audit log names them.
    pub fn actor(&self) -> String {
        match &self.caller {
            Caller::Nobody => "nobody".to_owned(),
            Caller::Person { account, .. } => account.email.clone(),
            Caller::Key(key) => format!("key: {}", key.name),
        }
    }

    pub fn note(
        &self,
        action: &'static str,
        site: Option<&str>,
        subject: &str,
        details: impl Into<String>,
    ) -> Note {
        Note {
            actor: self.actor(),
            address: Some(self.ask.ip.to_string()),
            action,
            site_key: site.map(str::to_owned),
            subject: subject.to_owned(),
            details: details.into(),
        }
    }

    /// The signed-in person; routes for a person only are never reached by a key.
    pub fn person(&self) -> Result<(&Account, &Session, &str), Failure> {
        match &self.caller {
            Caller::Person {
                account,
                session,
                token,
            } => Ok((account, session, token)),
            _ => Err(Failure::new(401, code::UNAUTHENTICATED, "sign in first")),
        }
    }

    pub fn account_id(&self) -> Option<i64> {
        match &self.caller {
            Caller::Person { account, .. } => Some(account.id),
            Caller::Key(key) => key.account_id,
            Caller::Nobody => None,
        }
    }

    /// A person proves that they are still there before a secret is shown. A key's scope is its proof.
    pub async fn password_again(&self, password: &str) -> Result<(), Failure> {
        let Caller::Person { account, .. } = &self.caller else {
            return Ok(());
        };
        self.admin.throttled(self.ask, &account.email)?;
        let id = account.id;
        let kept = self
            .admin
            .store
            .read(move |db| store::accounts::password_hash(db, id))
            .await?;
        if !self.admin.passwords.verify(password, Some(&kept)).await? {
            let mut failure = Failure::field("password", "this is not your password");
            (failure.status, failure.error.error) = (403, code::WRONG_PASSWORD.to_owned());
            return Err(failure);
        }
        self.admin.throttle.succeeded(self.ask.ip, &account.email);
        Ok(())
    }

    /// The site that the path names first, whatever its status.
    pub fn site(&self) -> Result<Arc<Site>, Failure> {
        let sites = self.admin.store.sites();
        sites
            .by_key(self.arg(0))
            .cloned()
            .ok_or_else(|| Failure::not_found("site"))
    }
}

impl Admin {
    /// Counts a try at a password, or refuses it.
    pub(super) fn throttled(&self, ask: &Ask, email: &str) -> Result<(), Failure> {
        self.throttle
            .attempt(ask.ip, email, ask.now_ms)
            .map_err(|wait_ms| {
                let seconds = u32::try_from(wait_ms.div_ceil(1000)).unwrap_or(u32::MAX);
                Failure::new(
                    429,
                    code::RATE_LIMITED,
                    format!("too many tries: wait {seconds} s"),
                )
                .retry_after(seconds)
            })
    }
}

pub fn role(role: AccountRole) -> Role {
    match role {
        AccountRole::Owner => Role::Owner,
        AccountRole::Viewer => Role::Viewer,
    }
}

pub fn stored_role(role: Role) -> AccountRole {
    match role {
        Role::Owner => AccountRole::Owner,
        Role::Viewer => AccountRole::Viewer,
    }
}

pub fn user(account: &Account) -> account::User {
    account::User {
        id: u32::try_from(account.id).unwrap_or(u32::MAX),
        email: account.email.clone(),
        role: role(account.role),
        created_at: account.created_ms,
        last_login_at: account.last_login_ms,
    }
}

pub fn scope(text: &str) -> Option<Scope> {
    Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
}
