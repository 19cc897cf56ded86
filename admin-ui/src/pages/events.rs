//! Events: the live log, and publishing by hand.

mod publish;
pub use publish::read_json;
mod rows;

use crate::api::{ask, send};
use crate::app::app;
use crate::format;
use crate::live::{Want, with_log};
use crate::pages::sites::names;
use crate::route::{self, Route};
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{Icon, Tone, empty, fresh_id, load, page_head, pill, search, switch, wide_modal};
use crate::view::prelude::*;
use hookcast_api::insight::{PayloadWatch, PayloadWatchState};
use hookcast_api::routes::Op;
use hookcast_api::site::{SiteStatus, Sites};
use leptos::task::spawn_local;

pub fn page(site: Option<String>) -> impl IntoView {
    let app = app();
    app.live.want(Want {
        log: true,
        connections: false,
        site: site.clone(),
    });
    on_cleanup(move || app.live.want(Want::default()));
    view! {
        <div class="page">
            {page_head(t().common.events, t().events.lead, site_choice(site.clone(), |site| Route::Events { site }))}
            {log(site)}
        </div>
    }
}

/// Which site a page shows: all of them, or one.
pub fn site_choice(chosen: Option<String>, to: fn(Option<String>) -> Route) -> impl IntoView {
    let app = app();
    let id = fresh_id("site");
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    let choose = move |event| {
        let key = event_target_value(&event);
        route::go(&to(Some(key).filter(|key| !key.is_empty())));
    };
    view! {
        <label class="sr" for=id.clone()>{t().common.site}</label>
        <select class="select" id=id on:change=choose>
            <option value="">{t().common.all_sites}</option>
            {move || sites.map(|sites| sites.sites.iter().filter(|site| site.status != SiteStatus::Archived || Some(&site.site_key) == chosen.as_ref()).map(|site| view! {
                <option value=site.site_key.clone() selected=Some(&site.site_key) == chosen.as_ref()>{site.name.clone()}</option>
            }.into_any()).collect::<Vec<_>>())}
        </select>
    }
}

/// The log with its tools, for a page that asked the stream for it.
pub fn log(site: Option<String>) -> impl IntoView {
    let app = app();
    let e = &t().events;
    let filter = RwSignal::new(String::new());
    let held = RwSignal::new(false);
    let publishing = RwSignal::new(false);
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    let names = Signal::derive(move || sites.map(names));
    let rows = rows::Rows::new(filter, held);
    let site = StoredValue::new(site);
    view! {
        <section class="card">
            <div class="card-head">
                {search(e.filter, filter)}
                <button class="button" type="button" aria-pressed=move || held.get().to_string() on:click=move |_| held.update(|held| *held = !*held)>
                    {move || if held.get() { view! { {small_icon(Icon::Play)}{e.resume} } } else { view! { {small_icon(Icon::Pause)}{e.pause} } }}
                </button>
                <button class="button" type="button" on:click=move |_| app.live.clear_log()>{e.clear}</button>
                {move || app.is_owner().then(|| view! {
                    <button class="button primary" type="button" on:click=move |_| publishing.set(true)>{small_icon(Icon::Send)}{e.publish}</button>
                })}
            </div>
            <div class="log-line">
                <span class="small muted num">{move || {
                    let (shown, all) = rows.counts();
                    fill(e.shown, &[("shown", &format::count(shown)), ("all", &format::count(all))])
                }}</span>
                {site.get_value().map(payload_switch)}
            </div>
            <div class="card-body flush">
                {rows.view(names, site.with_value(Option::is_none))}
                {move || {
                    let (shown, all) = rows.counts();
                    match (shown, all) {
                        (0, 0) => Some(empty(Icon::Events, e.waiting, e.waiting_text, ())),
                        (0, all) => Some(empty(Icon::Search, e.none_match, fill(e.none_match_text, &[("n", &format::count(all))]), ())),
                        _ => None,
                    }
                }}
                {move || {
                    app.live.log_version.track();
                    let missed = with_log(|log| log.missed);
                    (missed > 0).then(|| view! { <p class="card-foot">{fill(e.missed, &[("n", &format::count(missed))])}</p> })
                }}
            </div>
            {wide_modal(publishing, e.publish_title, move || publish::form(site.get_value(), sites, publishing))}
        </section>
    }
}

/// Lets the payloads of the next minutes into the log.
fn payload_switch(key: String) -> impl IntoView {
    let app = app();
    let e = &t().events;
    let key = StoredValue::new(key);
    let until = RwSignal::new(None::<u64>);
    let busy = RwSignal::new(false);
    let known = load(move || {
        app.live.sites.track();
        ask::<hookcast_api::site::Site>(Op::Site, &[&key.get_value()])
    });
    effect(move || until.set(known.get().and_then(|site| site.payloads_until)));
    let now = crate::ui::clock();
    let on = Signal::derive(move || until.get().is_some_and(|until| until > now.get()));
    let turn = Callback::new(move |on: bool| {
        busy.set(true);
        spawn_local(async move {
            let answer =
                send::<PayloadWatchState>(Op::WatchPayloads, &[&key.get_value()], &PayloadWatch { on }).await;
            let _gone = busy.try_set(false);
            match answer {
                Ok(state) => {
                    let _gone = until.try_set(state.until);
                }
                Err(failure) => app.toasts.bad(&failure.message),
            }
        });
    });
    move || {
        app.is_owner().then(|| view! {
            <div class="row">
                {move || on.get().then(|| until.get()).flatten().map(|until| pill(fill(e.payloads_until, &[("time", &format::clock_short(until))]), Tone::Warn))}
                {switch(e.show_payloads, false, on, busy.into(), turn)}
            </div>
        })
    }
}
