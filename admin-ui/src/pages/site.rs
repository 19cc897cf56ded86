//! A site's own page: its head and its tabs.

mod channels;
pub mod credentials;
mod dispatch;
mod facts;
pub mod refusals;
mod settings;

use crate::api::ask;
use crate::app::app;
use crate::live::Want;
use crate::pages::sites::status;
use crate::pages::{connections, events, triggers};
use crate::route::{Route, SiteTab};
use crate::text::t;
use crate::ui::{Loaded, Loader, Tone, back_link, load, note};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::site::{Site, SiteStatus};

pub fn page(key: String, tab: SiteTab) -> impl IntoView {
    let app = app();
    let key = StoredValue::new(key);
    let want = Want {
        log: tab == SiteTab::Events,
        connections: tab == SiteTab::Connections,
        site: Some(key.get_value()),
    };
    app.live.want(want);
    on_cleanup(move || app.live.want(Want::default()));
    let site = load(move || {
        app.live.sites.track();
        ask::<Site>(Op::Site, &[&key.get_value()])
    });
    view! {
        <div class="page">
            {back_link(&Route::Sites, t().common.sites)}
            {site.view(move |now| view! {
                {head(now)}
                {tabs(key, tab)}
                {match tab {
                    SiteTab::Overview => facts::tab(now).into_any(),
                    SiteTab::Credentials => credentials::tab(now).into_any(),
                    SiteTab::Connections => connections::table(Some(key.get_value())).into_any(),
                    SiteTab::Channels => channels::tab(key).into_any(),
                    SiteTab::Triggers => triggers::list(key.get_value()).into_any(),
                    SiteTab::Events => events::log(Some(key.get_value())).into_any(),
                    SiteTab::Refusals => refusals::tab(key).into_any(),
                    SiteTab::Settings => settings::tab(site).into_any(),
                }}
            })}
        </div>
    }
}

fn head(site: Loaded<Site>) -> impl IntoView {
    let s = &t().sites;
    effect(move || site.with(|site| crate::browser::set_title(&site.name)));
    let state = memo(move || site.with(|site| (site.status, site.dispatch_open)));
    view! {
        <header class="page-head">
            <div class="grow">
                <h1 class="anywhere">{move || site.with(|site| site.name.clone())}</h1>
                <p><a class="inline-link anywhere" href=move || site.with(|site| site.url.clone()) target="_blank" rel="noopener">{move || site.with(|site| site.url.clone())}</a></p>
            </div>
            {move || status(state.get().0)}
        </header>
        {move || match state.get().0 {
            SiteStatus::Active => None,
            SiteStatus::Archived => Some(note(Tone::Warn, view! { <p>{s.archived_note}</p> })),
            SiteStatus::AccountDeactivated => Some(note(Tone::Warn, view! { <p>{s.deactivated_note}</p> })),
        }}
        {move || state.get().1.then(|| note(Tone::Bad, view! { <p class="strong">{s.open_warning}</p> }))}
    }
}

fn tabs(key: StoredValue<String>, here: SiteTab) -> impl IntoView {
    let s = &t().sites;
    let label = |tab: SiteTab| match tab {
        SiteTab::Overview => s.tab_overview,
        SiteTab::Credentials => s.tab_credentials,
        SiteTab::Connections => s.tab_connections,
        SiteTab::Channels => s.tab_channels,
        SiteTab::Triggers => s.tab_triggers,
        SiteTab::Events => s.tab_events,
        SiteTab::Refusals => s.tab_refusals,
        SiteTab::Settings => s.tab_settings,
    };
    view! {
        <nav class="tabs" aria-label=s.tabs>
            {SiteTab::ALL.iter().map(|tab| view! {
                <a href=Route::Site { key: key.get_value(), tab: *tab }.href() aria-current=(*tab == here).then_some("page")>{label(*tab)}</a>
            }).collect_view()}
        </nav>
    }
}

/// What the tabs that change a site share: the site as the answer says it is now, shown at once.
pub type SiteLoader = Loader<Site>;
