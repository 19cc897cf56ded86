//! The list of sites, and adding one.

use crate::api::{ask, send};
use crate::app::app;
use crate::format;
use crate::pages::site::credentials::secret_line;
use crate::route::{self, Route, SiteTab};
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{
    Icon, Loaded, Submit, TextField, Tone, ago_or, check, code_block, empty, link_button, load, modal, note,
    page_head, search, status_pill, wide_modal,
};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::site::{AddedSite, NewSite, Site, SiteStatus, Sites, WpConfig};
use hookcast_json::ToJson as _;
use std::collections::HashMap;

/// Names by site key, for tables that show many sites.
pub fn names(sites: &Sites) -> HashMap<String, String> {
    sites
        .sites
        .iter()
        .map(|site| (site.site_key.clone(), site.name.clone()))
        .collect()
}

pub fn status(status: SiteStatus) -> AnyView {
    let s = &t().sites;
    match status {
        SiteStatus::Active => status_pill(s.active, Tone::Ok),
        SiteStatus::Archived => status_pill(s.archived, Tone::Plain),
        SiteStatus::AccountDeactivated => status_pill(s.deactivated, Tone::Warn),
    }
}

pub fn page() -> impl IntoView {
    let app = app();
    let s = &t().sites;
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    let adding = RwSignal::new(false);
    let added = RwSignal::new(None::<AddedSite>);
    let add = move || {
        app.is_owner().then(|| view! {
        <button class="button primary" type="button" on:click=move |_| adding.set(true)>{small_icon(Icon::Plus)}{s.add}</button>
    })
    };
    view! {
        <div class="page">
            {page_head(t().common.sites, s.lead, add)}
            {sites.view(move |sites| list(sites, adding))}
            {modal(adding, s.add, move || view! {
                {add_site(Callback::new(move |answer| { adding.set(false); added.set(Some(answer)); sites.reload(); }))}
            })}
            {added_dialog(added)}
        </div>
    }
}

fn list(sites: Loaded<Sites>, adding: RwSignal<bool>) -> impl IntoView {
    let s = &t().sites;
    let wanted = RwSignal::new(String::new());
    let archived = RwSignal::new(false);
    let archived_count = memo(move || {
        sites.with(|sites| {
            sites
                .sites
                .iter()
                .filter(|site| site.status == SiteStatus::Archived)
                .count()
        })
    });
    let shown = memo(move || {
        let search = wanted.get().to_lowercase();
        sites.with(|sites| {
            let fits = |site: &&Site| {
                (archived.get() || site.status != SiteStatus::Archived)
                    && (site.name.to_lowercase().contains(&search)
                        || site.url.to_lowercase().contains(&search))
            };
            sites.sites.iter().filter(fits).cloned().collect::<Vec<_>>()
        })
    });
    let none_at_all = memo(move || sites.with(|sites| sites.sites.is_empty()));
    move || {
        match none_at_all.get() {
        true => view! {
            <section class="card">
                {empty(Icon::Sites, s.empty, s.empty_text, move || app().is_owner().then(|| view! {
                    <button class="button primary" type="button" on:click=move |_| adding.set(true)>{s.add}</button>
                    {link_button(&Route::Guide { site: None }, "inline-link", t().gate.guide_open)}
                }))}
            </section>
        }
        .into_any(),
        false => view! {
            <section class="card">
                <div class="card-head">
                    {search(s.search, wanted)}
                    {move || (archived_count.get() > 0).then(|| check(fill(s.show_archived, &[("n", &archived_count.get().to_string())]), None, archived))}
                </div>
                <div class="card-body flush">
                    <table class="table">
                        <thead><tr>
                            <th scope="col">{t().common.site}</th><th scope="col">{t().common.status}</th>
                            <th scope="col" class="right">{s.connections_now}</th><th scope="col" class="right wide">{s.rate}</th>
                            <th scope="col" class="right wide">{s.month}</th><th scope="col" class="wide">{s.last_publish}</th>
                        </tr></thead>
                        <tbody>{each(move || shown.get(), |site| site.to_json().to_text(), row)}</tbody>
                    </table>
                    {move || shown.with(Vec::is_empty).then(|| empty(Icon::Search, s.none_found, fill(s.none_found_text, &[("search", &wanted.get())]), ()))}
                </div>
            </section>
        }
        .into_any(),
    }
    }
}

fn row(site: Site) -> impl IntoView {
    let app = app();
    let to = Route::Site {
        key: site.site_key.clone(),
        tab: SiteTab::Overview,
    };
    let href = to.href();
    let key = StoredValue::new(site.site_key.clone());
    // The list is read now and then; the stream knows better what is now.
    let now = move |read: fn(&hookcast_api::insight::SiteTick) -> f64| {
        app.live.tick.with(|tick| {
            tick.sites
                .iter()
                .find(|one| key.with_value(|key| one.site_key == *key))
                .map(read)
        })
    };
    let connections = site.connections;
    view! {
        <tr class="opens" on:click=move |event| if !event.default_prevented() { route::go(&to) }>
            <td><a class="cell-main anywhere" href=href>{site.name.clone()}</a><span class="cell-sub anywhere">{site.url.clone()}</span></td>
            <td class="fit">{status(site.status)}{site.dispatch_open.then(|| status_pill(t().sites.dispatch, Tone::Bad))}</td>
            <td class="right num">{move || format::count(now(|tick| (tick.sockets + tick.streams) as f64).map_or(connections, |now| now as u64))}</td>
            <td class="right num wide">{move || format::rate(now(|tick| tick.publishes_per_second).unwrap_or(0.0))}</td>
            <td class="right num wide">{format::count(site.published_this_month)}</td>
            <td class="wide nowrap">{ago_or(site.last_publish_at, t().sites.not_yet)}</td>
        </tr>
    }
}

/// The form that adds a site.
pub fn add_site(added: Callback<AddedSite>) -> AnyView {
    let s = &t().sites;
    let (url, name) = (RwSignal::new("https://".to_owned()), RwSignal::new(String::new()));
    let submit = Submit::new();
    let add = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = NewSite {
            url: url.get_untracked().trim().to_owned(),
            name: name.get_untracked().trim().to_owned(),
        };
        submit.run(send::<AddedSite>(Op::AddSite, &[], &request), move |answer| {
            added.run(answer)
        });
    };
    view! {
        <form class="form" on:submit=add>
            {TextField::new(s.url, url).kind("url").hint(s.url_hint).error(submit.error("url")).focused().view()}
            {TextField::new(s.name, name).hint(s.name_hint).error(submit.error("name")).view()}
            {submit.note()}
            <div class="form-foot">{submit.button(s.add)}</div>
        </form>
    }
}

fn added_dialog(added: RwSignal<Option<AddedSite>>) -> impl IntoView {
    let s = &t().sites;
    let open = RwSignal::new(false);
    effect(move || open.set(added.with(Option::is_some)));
    view! {
        {wide_modal(open, s.added_title, move || added.get().map(|AddedSite { site, credentials }| {
                let key = StoredValue::new(site.site_key.clone());
                let config = load(move || ask::<WpConfig>(Op::SiteWpConfig, &[&key.get_value()]));
                view! {
                    {note(Tone::Accent, view! { <p>{s.added_text}</p> })}
                    <h3>{s.wp_config}</h3>
                    {config.view(move |config| code_block(t().gate.wp_config_label, Signal::derive(move || config.with(|config| config.lines.clone()))))}
                    <h3>{s.credentials}</h3>
                    {secret_line(s.site_key, credentials.site_key)}
                    {secret_line(s.publish_secret, credentials.publish_secret)}
                    {secret_line(s.jwt_secret, credentials.jwt_secret)}
                    <div class="form-foot">
                        {link_button(&Route::Guide { site: Some(site.site_key.clone()) }, "button", t().gate.guide_open)}
                        {link_button(&Route::Site { key: site.site_key, tab: SiteTab::Overview }, "button primary", s.open_site)}
                    </div>
                }
            }))}
    }
}
