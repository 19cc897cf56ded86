//! What every page shares: who is signed in, where we are, what is live, what is being said. One of it, for as long as the page lives.

use crate::api::{Failure, ask};
use crate::live::Live;
use crate::route::{self, Route};
use crate::text::t;
use crate::ui::toast::Toasts;
use crate::view::prelude::*;
use hookcast_api::account::{Me, Role, State};
use hookcast_api::check_version;
use hookcast_api::routes::Op;
use leptos::task::spawn_local;
use std::cell::OnceCell;

#[derive(Clone, Copy)]
pub struct App {
    pub route: RwSignal<Route>,
    /// What `/api/state` last said, once it has.
    pub state: RwSignal<Option<Result<State, Failure>>>,
    /// The relay speaks another version of the API than this page.
    pub outdated: RwSignal<bool>,
    pub live: Live,
    pub toasts: Toasts,
    /// Apart from `state`, so that a form is not made anew when the same user is confirmed.
    owner: Memo<bool>,
    /// Where to go after the log-in: the page that asked for it.
    after_login: RwSignal<Option<String>>,
}

thread_local! {
    static APP: OnceCell<App> = const { OnceCell::new() };
}

/// The app. Made by [`App::start`], before the first view.
pub fn app() -> App {
    APP.with(|app| *app.get().expect("started before the first view"))
}

impl App {
    pub fn start() -> App {
        let state = RwSignal::new(None);
        let owner = memo(move || {
            state.with(
                |state| matches!(state, Some(Ok(State { me: Some(me), .. })) if me.user.role == Role::Owner),
            )
        });
        let app = App {
            route: RwSignal::new(route::current()),
            state,
            owner,
            outdated: RwSignal::new(false),
            live: Live::new(),
            toasts: Toasts::new(),
            after_login: RwSignal::new(None),
        };
        APP.with(|cell| assert!(cell.set(app).is_ok(), "there is one app"));
        route::follow(app.route);
        app.look();
        app
    }

    /// Ask who is signed in.
    pub fn look(self) {
        spawn_local(async move {
            let answer = ask::<State>(Op::State, &[]).await;
            if let Ok(state) = &answer
                && check_version(state.api_version).is_err()
            {
                self.outdated.set(true);
            }
            self.state.set(Some(answer));
        });
    }

    pub fn me(self) -> Option<Me> {
        self.state.with(|state| state.as_ref()?.as_ref().ok()?.me.clone())
    }

    /// May change things.
    pub fn is_owner(self) -> bool {
        self.owner.get()
    }

    pub fn csrf(self) -> String {
        let csrf = self
            .state
            .with_untracked(|state| Some(state.as_ref()?.as_ref().ok()?.me.as_ref()?.csrf.clone()));
        // Before there is a session, the header's presence is what counts.
        csrf.unwrap_or_else(|| "none".to_owned())
    }

    /// Where the relay is reached, as snippets spell it.
    pub fn public_url(self) -> String {
        self.state.with(|state| match state {
            Some(Ok(state)) => state.public_url.clone(),
            _ => String::new(),
        })
    }

    /// Signed in, by whatever way: remember who, and go where that was asked for.
    pub fn signed_in(self, me: Me, to: Option<Route>) {
        self.state.update(|state| {
            if let Some(Ok(state)) = state {
                state.me = Some(me);
                state.needs_setup = false;
            }
        });
        match (to, self.after_login.get_untracked()) {
            (Some(route), _) => route::replace(&route),
            (None, Some(address)) => {
                self.after_login.set(None);
                if let Ok(history) = crate::browser::window().history() {
                    let _refused =
                        history.replace_state_with_url(&wasm_bindgen::JsValue::NULL, "", Some(&address));
                }
                self.route.set(route::current());
            }
            (None, None)
                if self
                    .route
                    .with_untracked(|route| matches!(route, Route::Login | Route::Setup { .. })) =>
            {
                route::replace(&Route::Overview);
            }
            (None, None) => {}
        }
    }

    /// The log-in page stands in for the page that was asked for, and gives way to it.
    pub fn remember_address(self) {
        if self
            .route
            .with_untracked(|route| !matches!(route, Route::Login | Route::Setup { .. }))
        {
            let location = crate::browser::window().location();
            let address = format!(
                "{}{}",
                location.pathname().unwrap_or_default(),
                location.search().unwrap_or_default()
            );
            self.after_login.set(Some(address));
        }
    }

    /// A new CSRF token came with a new session of the same user.
    pub fn renewed(self, me: Me) {
        self.state.update(|state| {
            if let Some(Ok(state)) = state {
                state.me = Some(me);
            }
        });
    }

    /// The server no longer knows the session.
    pub fn session_ended(self) {
        if self
            .state
            .with_untracked(|state| matches!(state, Some(Ok(State { me: Some(_), .. }))))
        {
            self.signed_out();
            self.toasts.bad(t().common.unauthenticated);
        }
    }

    pub fn signed_out(self) {
        self.live.close();
        self.state.update(|state| {
            if let Some(Ok(state)) = state {
                state.me = None;
            }
        });
    }

    pub fn version_differs(self) {
        self.outdated.set(true);
    }
}
