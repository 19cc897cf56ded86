//! The way around: at the side on wide windows, at the top and bottom on a phone.

use crate::api::ask;
use crate::app::App;
use crate::browser::{Theme, set_theme, theme};
use crate::format;
use crate::live::Link;
use crate::route::{Route, SettingsTab};
use crate::text::{lang, speak, t};
use crate::ui::icon::small_icon;
use crate::ui::{Icon, icon, modal};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::account::Role;
use hookcast_api::routes::Op;
use hookcast_strings::Lang;
use leptos::task::spawn_local;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Area {
    Overview,
    Sites,
    Triggers,
    Events,
    Connections,
    Tokens,
    Settings,
}

impl Area {
    const ALL: [Area; 7] = [
        Area::Overview,
        Area::Sites,
        Area::Triggers,
        Area::Events,
        Area::Connections,
        Area::Tokens,
        Area::Settings,
    ];
    /// The first four have a place on a phone; the others are behind "more".
    const PHONE: usize = 4;
    const ON_PHONE: [Area; 7] = [
        Area::Overview,
        Area::Sites,
        Area::Events,
        Area::Connections,
        Area::Triggers,
        Area::Tokens,
        Area::Settings,
    ];

    fn of(route: &Route) -> Option<Area> {
        Some(match route {
            Route::Overview | Route::Guide { .. } => Area::Overview,
            Route::Sites | Route::Site { .. } => Area::Sites,
            Route::Triggers { .. } | Route::Trigger { .. } => Area::Triggers,
            Route::Events { .. } => Area::Events,
            Route::Connections { .. } => Area::Connections,
            Route::Tokens => Area::Tokens,
            Route::Settings { .. } => Area::Settings,
            _ => return None,
        })
    }

    fn route(self) -> Route {
        match self {
            Area::Overview => Route::Overview,
            Area::Sites => Route::Sites,
            Area::Triggers => Route::Triggers { site: None },
            Area::Events => Route::Events { site: None },
            Area::Connections => Route::Connections { site: None },
            Area::Tokens => Route::Tokens,
            Area::Settings => Route::Settings {
                tab: SettingsTab::Account,
            },
        }
    }

    fn label(self) -> &'static str {
        let c = &t().common;
        match self {
            Area::Overview => c.overview,
            Area::Sites => c.sites,
            Area::Triggers => c.triggers,
            Area::Events => c.events,
            Area::Connections => c.connections,
            Area::Tokens => c.tokens,
            Area::Settings => c.settings,
        }
    }

    fn icon(self) -> Icon {
        match self {
            Area::Overview => Icon::Overview,
            Area::Sites => Icon::Sites,
            Area::Triggers => Icon::Triggers,
            Area::Events => Icon::Events,
            Area::Connections => Icon::Connections,
            Area::Tokens => Icon::Token,
            Area::Settings => Icon::Settings,
        }
    }
}

fn here(app: App, area: Area) -> impl Fn() -> Option<&'static str> {
    move || {
        app.route
            .with(|route| Area::of(route) == Some(area))
            .then_some("page")
    }
}

fn brand() -> AnyView {
    view! { <a class="brand" href="./"><span class="brand-mark">{icon(Icon::Hook)}</span>"hookcast"</a> }
        .into_any()
}

pub fn side(app: App) -> impl IntoView {
    let connected = move || {
        app.live
            .tick
            .with(|tick| tick.totals.sockets + tick.totals.streams)
    };
    let link = move |area: Area| {
        view! {
            <a href=area.route().href() aria-current=here(app, area)>
                {icon(area.icon())}<span>{area.label()}</span>
                {(area == Area::Connections).then(|| view! {
                    <span class="nav-count">{move || Some(connected()).filter(|connected| *connected > 0).map(format::count)}</span>
                })}
            </a>
        }
    };
    view! {
        <div class="side">
            {brand()}
            <nav class="nav" aria-label=t().common.navigation>{Area::ALL.map(link).collect_view()}</nav>
            <div class="side-foot">
                {live(app)}
                {appearance()}
                {who(app)}
            </div>
        </div>
    }
}

pub fn top(app: App) -> impl IntoView {
    view! { <div class="topbar">{brand()}{live(app)}</div> }
}

pub fn bottom(app: App) -> impl IntoView {
    let more = RwSignal::new(false);
    let link = move |area: Area| view! { <a href=area.route().href() aria-current=here(app, area)>{icon(area.icon())}<span>{area.label()}</span></a> };
    let behind = move || {
        app.route
            .with(|route| Area::of(route).is_some_and(|area| Area::ON_PHONE[Area::PHONE..].contains(&area)))
            .then_some("page")
    };
    // Going somewhere closes the sheet.
    effect(move || {
        app.route.track();
        more.set(false);
    });
    view! {
        <nav class="tabs-bottom" aria-label=t().common.navigation>
            {Area::ON_PHONE[..Area::PHONE].iter().map(|area| link(*area)).collect_view()}
            <button type="button" aria-haspopup="dialog" aria-current=behind on:click=move |_| more.set(true)>
                {icon(Icon::More)}<span>{t().common.more}</span>
            </button>
        </nav>
        {modal(more, t().common.more, move || view! {
            <div class="nav">{Area::ON_PHONE[Area::PHONE..].iter().map(|area| link(*area)).collect_view()}</div>
            {appearance()}
            {who(app)}
        })}
    }
}

/// Whether what is shown is what is.
fn live(app: App) -> AnyView {
    let class = move || match app.live.link.get() {
        Link::On => "live on",
        Link::Lost => "live lost",
        Link::Off | Link::Opening | Link::Resting => "live",
    };
    let text = move || match app.live.link.get() {
        Link::On => t().common.live_on,
        Link::Lost => t().common.live_lost,
        Link::Off | Link::Opening | Link::Resting => t().common.live_opening,
    };
    view! { <div class=class><span class="live-dot"></span><span>{text}</span></div> }.into_any()
}

/// Theme and language.
pub fn appearance() -> AnyView {
    let chosen = RwSignal::new(theme());
    let choices = [
        (Theme::System, Icon::Half, t().common.theme_system),
        (Theme::Light, Icon::Sun, t().common.theme_light),
        (Theme::Dark, Icon::Moon, t().common.theme_dark),
    ];
    view! {
        <div class="row between appearance">
            <div class="segments" role="group" aria-label=t().common.theme>
                {choices.map(|(theme, sign, label)| view! {
                    <button type="button" title=label aria-label=label aria-pressed=move || (chosen.get() == theme).to_string()
                        on:click=move |_| { set_theme(theme); chosen.set(theme); }>{small_icon(sign)}</button>
                }).collect_view()}
            </div>
            {languages()}
        </div>
    }
    .into_any()
}

pub fn languages() -> AnyView {
    view! {
        <div class="segments" role="group" aria-label=t().common.language>
            {Lang::ALL.map(|one| view! {
                <button type="button" lang=one.code() title=one.name() aria-label=format!("{}: {}", one.code().to_ascii_uppercase(), one.name()) aria-pressed=(one == lang()).to_string()
                    on:click=move |_| speak(one)>{one.code().to_ascii_uppercase()}</button>
            }).collect_view()}
        </div>
    }
    .into_any()
}

fn who(app: App) -> AnyView {
    let sign_out = move |_| {
        spawn_local(async move {
            if let Err(failure) = ask::<Done>(Op::Logout, &[]).await
                && failure.status != 401
            {
                return app.toasts.bad(&failure.message);
            }
            app.signed_out();
            crate::route::replace(&Route::Login);
        });
    };
    (move || {
        app.me().map(|me| {
            let role = match me.user.role {
                Role::Owner => t().common.role_owner,
                Role::Viewer => t().common.role_viewer,
            };
            view! {
                <div class="who">
                    <span class="avatar" aria-hidden="true">{me.user.email.chars().take(1).collect::<String>()}</span>
                    <span class="grow clip"><span class="clip small cell-main" title=me.user.email.clone()>{me.user.email.clone()}</span><span class="cell-sub">{role}</span></span>
                    <button class="button quiet icon small" type="button" title=t().common.sign_out aria-label=t().common.sign_out on:click=sign_out>
                        {icon(Icon::SignOut)}
                    </button>
                </div>
            }
        })
    })
    .into_any()
}
