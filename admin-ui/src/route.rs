//! Addresses of the app's pages, and moving between them without loading the page anew.

use crate::browser::{document, listen, window};
use crate::start;
use crate::view::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Overview,
    Setup {
        token: String,
    },
    Login,
    Guide {
        site: Option<String>,
    },
    Sites,
    Site {
        key: String,
        tab: SiteTab,
    },
    /// The triggers of a site, or of the one that is chosen there.
    Triggers {
        site: Option<String>,
    },
    Trigger {
        site: String,
        id: Option<String>,
    },
    Events {
        site: Option<String>,
    },
    Connections {
        site: Option<String>,
    },
    Tokens,
    Settings {
        tab: SettingsTab,
    },
    Connect,
    Unknown,
}

macro_rules! tabs {
    ($name:ident { $first:ident $(, $tab:ident = $word:literal)* }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $first, $($tab),* }
        impl $name {
            pub const ALL: &[$name] = &[$name::$first, $($name::$tab),*];
            fn word(self) -> &'static str {
                match self { $name::$first => "", $($name::$tab => $word),* }
            }
            fn read(word: &str) -> Option<$name> {
                Self::ALL.iter().copied().find(|tab| tab.word() == word)
            }
        }
    };
}

tabs!(SiteTab { Overview, Credentials = "credentials", Connections = "connections", Channels = "channels", Triggers = "triggers", Events = "events", Refusals = "refusals", Settings = "settings" });
tabs!(SettingsTab { Account, Users = "users", Keys = "keys", Config = "config", Doctor = "doctor", Audit = "audit" });

impl Route {
    /// Read an address below `/dashboard/`, with its query.
    fn read(path: &str, query: &web_sys::UrlSearchParams) -> Route {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let site = || query.get("site").filter(|site| !site.is_empty());
        match parts[..] {
            [] => Route::Overview,
            ["setup"] => Route::Setup {
                token: query.get("token").unwrap_or_default(),
            },
            ["login"] => Route::Login,
            ["guide"] => Route::Guide { site: site() },
            ["sites"] => Route::Sites,
            ["sites", key] => Route::Site {
                key: key.to_owned(),
                tab: SiteTab::Overview,
            },
            ["sites", key, tab] => match SiteTab::read(tab) {
                Some(tab) => Route::Site {
                    key: key.to_owned(),
                    tab,
                },
                None => Route::Unknown,
            },
            ["triggers"] => Route::Triggers { site: site() },
            ["triggers", site, "new"] => Route::Trigger {
                site: site.to_owned(),
                id: None,
            },
            ["triggers", site, id] => Route::Trigger {
                site: site.to_owned(),
                id: Some(id.to_owned()),
            },
            ["events"] => Route::Events { site: site() },
            ["connections"] => Route::Connections { site: site() },
            ["tokens"] => Route::Tokens,
            ["settings"] => Route::Settings {
                tab: SettingsTab::Account,
            },
            ["settings", tab] => SettingsTab::read(tab).map_or(Route::Unknown, |tab| Route::Settings { tab }),
            ["connect"] => Route::Connect,
            _ => Route::Unknown,
        }
    }

    /// The address, relative to the page's `<base>`.
    pub fn href(&self) -> String {
        let with_site = |path: &str, site: &Option<String>| match site {
            Some(site) => format!("{path}?site={site}"),
            None => path.to_owned(),
        };
        let with_tab = |path: String, word: &str| {
            if word.is_empty() {
                path
            } else {
                format!("{path}/{word}")
            }
        };
        match self {
            Route::Overview | Route::Unknown => "./".to_owned(),
            Route::Setup { .. } => "setup".to_owned(),
            Route::Login => "login".to_owned(),
            Route::Guide { site } => with_site("guide", site),
            Route::Sites => "sites".to_owned(),
            Route::Site { key, tab } => with_tab(format!("sites/{key}"), tab.word()),
            Route::Triggers { site } => with_site("triggers", site),
            Route::Trigger { site, id } => format!("triggers/{site}/{}", id.as_deref().unwrap_or("new")),
            Route::Events { site } => with_site("events", site),
            Route::Connections { site } => with_site("connections", site),
            Route::Tokens => "tokens".to_owned(),
            Route::Settings { tab } => with_tab("settings".to_owned(), tab.word()),
            Route::Connect => "connect".to_owned(),
        }
    }
}

fn base() -> String {
    let base = document().base_uri().ok().flatten().unwrap_or_default();
    web_sys::Url::new(&base)
        .map(|url| url.pathname())
        .unwrap_or_else(|_| "/".to_owned())
}

/// The route of the address bar.
pub fn current() -> Route {
    let location = window().location();
    let path = location.pathname().unwrap_or_default();
    let base = base();
    // `/dashboard` itself is served without its slash too.
    let below = path
        .strip_prefix(&base)
        .or_else(|| (format!("{path}/") == base).then_some(""))
        .unwrap_or_default();
    let query = web_sys::UrlSearchParams::new_with_str(&location.search().unwrap_or_default())
        .or_else(|_| web_sys::UrlSearchParams::new())
        .expect("an empty query can be read");
    Route::read(below, &query)
}

/// The query of the address bar, as pairs.
pub fn query() -> Vec<(String, String)> {
    let search = window().location().search().unwrap_or_default();
    let Ok(query) = web_sys::UrlSearchParams::new_with_str(&search) else {
        return Vec::new();
    };
    js_sys::Array::from(&JsValue::from(query.entries()))
        .iter()
        .filter_map(|pair| {
            let pair = js_sys::Array::from(&pair);
            Some((pair.get(0).as_string()?, pair.get(1).as_string()?))
        })
        .collect()
}

fn absolute(href: &str) -> String {
    format!("{}{}", base(), href.trim_start_matches("./"))
}

/// Follow the address bar: back, forward, and clicks on links of the app itself.
pub fn follow(route: RwSignal<Route>) {
    let back = listen(
        window().into(),
        "popstate",
        Box::new(move |_| route.set(current())),
    );
    std::mem::forget(back);
    let follow = move |event: web_sys::Event| {
        let event: web_sys::MouseEvent = event.unchecked_into();
        if event.default_prevented()
            || event.button() != 0
            || event.meta_key()
            || event.ctrl_key()
            || event.shift_key()
            || event.alt_key()
        {
            return;
        }
        let Some(target) = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok())
        else {
            return;
        };
        let Ok(Some(link)) = target.closest("a[href]") else {
            return;
        };
        let link: web_sys::HtmlAnchorElement = link.unchecked_into();
        let own = link.origin() == window().location().origin().unwrap_or_default()
            && link.pathname().starts_with(&base());
        if !own
            || link.has_attribute("download")
            || link.has_attribute("target")
            || link.pathname().contains("/assets/")
        {
            return;
        }
        event.prevent_default();
        push(&format!("{}{}", link.pathname(), link.search()), false);
        arrive(route);
    };
    std::mem::forget(listen(window().into(), "click", Box::new(follow)));
}

fn push(address: &str, replace: bool) {
    let Ok(history) = window().history() else { return };
    let _refused = match replace {
        true => history.replace_state_with_url(&JsValue::NULL, "", Some(address)),
        false => history.push_state_with_url(&JsValue::NULL, "", Some(address)),
    };
}

fn arrive(route: RwSignal<Route>) {
    let next = current();
    if route.with_untracked(|now| *now != next) {
        start::over();
        route.set(next);
        window().scroll_to_with_x_and_y(0.0, 0.0);
    }
}

/// Go to a page.
pub fn go(to: &Route) {
    push(&absolute(&to.href()), false);
    arrive(crate::app::app().route);
}

/// Go to a page in place of this one, so that *back* does not return here.
pub fn replace(to: &Route) {
    push(&absolute(&to.href()), true);
    arrive(crate::app::app().route);
}
