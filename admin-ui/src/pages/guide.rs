//! From nothing to the first event: three steps that turn green as they happen.

use crate::api::{ask, send};
use crate::app::app;
use crate::pages::sites::add_site;
use crate::route::{self, Route};
use crate::text::{fill, t};
use crate::ui::{Icon, Submit, Tone, code_block, icon, link_button, load, note, page_head};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::insight::Tick;
use hookcast_api::routes::Op;
use hookcast_api::site::{AddedSite, PublishRequest, Site, SiteStatus, Sites, WpConfig};
use hookcast_json::object;

pub fn page(site: Option<String>) -> impl IntoView {
    let app = app();
    let g = &t().gate;
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    // The site of the address, else the first active one: a reader who returns goes on where they were.
    let chosen = memo(move || {
        sites.map(|sites| {
            let named = sites
                .sites
                .iter()
                .find(|one| Some(&one.site_key) == site.as_ref());
            named
                .or_else(|| sites.sites.iter().find(|one| one.status == SiteStatus::Active))
                .cloned()
        })
    });
    view! {
        <div class="page">
            {page_head(g.guide_title, g.guide_lead, link_button(&Route::Overview, "button quiet", g.guide_later))}
            {sites.view(move |_| {
                let has_site = memo(move || chosen.with(|site| site.as_ref().map(|site| site.site_key.clone())));
                move || match has_site.get() {
                    None => view! { <div class="steps">{first_step_open()}</div> }.into_any(),
                    Some(key) => view! { <div class="steps">{steps(key, chosen)}</div> }.into_any(),
                }
            })}
        </div>
    }
}

fn step(number: u8, done: Signal<bool>, title: &'static str, body: impl IntoView + 'static) -> impl IntoView {
    let g = &t().gate;
    view! {
        <section class="card step" class:done=move || done.get()>
            <span class="step-mark" aria-hidden="true">{move || if done.get() { icon(Icon::Check) } else { number.to_string().into_any() }}</span>
            <div class="stack grow">
                <h2>{title}<span class="sr">{move || format!(" – {}", if done.get() { g.step_done } else { g.step_open })}</span></h2>
                {body}
            </div>
        </section>
    }
}

fn first_step_open() -> impl IntoView {
    let g = &t().gate;
    let added = Callback::new(|added: AddedSite| {
        route::replace(&Route::Guide {
            site: Some(added.site.site_key),
        })
    });
    let never = Signal::stored(false);
    view! {
        {step(1, never, g.guide_site, view! { <p class="muted">{g.guide_site_text}</p>{add_site(added)} })}
        {step(2, never, g.guide_paste, ())}
        {step(3, never, g.guide_browser, ())}
    }
}

fn steps(key: String, site: Memo<Option<Site>>) -> impl IntoView {
    let app = app();
    let g = &t().gate;
    let key = StoredValue::new(key);
    let config = load(move || ask::<WpConfig>(Op::SiteWpConfig, &[&key.get_value()]));

    // The stream says it first; what was before this page opened stands in the site itself.
    let of_tick = move |read: fn(&hookcast_api::insight::SiteTick) -> bool| {
        app.live.tick.with(|tick: &Tick| {
            tick.sites
                .iter()
                .any(|one| key.with_value(|key| one.site_key == *key) && read(one))
        })
    };
    let published = Memo::new(move |before: Option<&bool>| {
        before == Some(&true)
            || of_tick(|tick| tick.publishes > 0)
            || site.with(|site| {
                site.as_ref()
                    .is_some_and(|site| site.last_publish_at.is_some() || site.published_this_month > 0)
            })
    });
    let connected = Memo::new(move |before: Option<&bool>| {
        before == Some(&true)
            || of_tick(|tick| tick.sockets + tick.streams > 0)
            || site.with(|site| {
                site.as_ref()
                    .is_some_and(|site| site.last_connection_at.is_some() || site.connections > 0)
            })
    });
    let name = move || site.with(|site| site.as_ref().map(|site| site.name.clone()).unwrap_or_default());
    let waiting = |done: Memo<bool>, wait: &'static str, is: &'static str| {
        view! {
            <p class="row" role="status">
                {move || if done.get() {
                    view! { <span class="ok-text strong">{is}</span> }.into_any()
                } else {
                    view! { <span class="live"><span class="live-dot waits"></span>{wait}</span> }.into_any()
                }}
            </p>
        }
    };
    view! {
        {step(1, Signal::stored(true), g.guide_site, view! { <p class="muted">{move || fill(g.guide_site_done, &[("name", &name())])}</p> })}
        {step(2, published.into(), g.guide_paste, view! {
            <p class="muted">{g.guide_paste_text}</p>
            {config.view(move |config| code_block(g.wp_config_label, Signal::derive(move || config.with(|config| config.lines.clone()))))}
            {waiting(published, g.guide_wait_publish, g.guide_publish_done)}
        })}
        {step(3, connected.into(), g.guide_browser, view! {
            <p class="muted">{g.guide_browser_text}</p>
            {waiting(connected, g.guide_wait_browser, g.guide_browser_done)}
        })}
        {move || (published.get() && connected.get()).then(|| note(Tone::Ok, view! {
            <p class="strong">{g.guide_all_done}</p>
            <p>{link_button(&Route::Events { site: Some(key.get_value()) }, "inline-link", g.guide_to_events)}</p>
        }))}
        {try_it(key)}
    }
}

/// The whole path without WordPress: for who only wants to see it work.
fn try_it(key: StoredValue<String>) -> impl IntoView {
    let app = app();
    let g = &t().gate;
    let submit = Submit::new();
    let send_one = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = PublishRequest {
            channel: "events".to_owned(),
            event: "hookcast.test".to_owned(),
            data: object! { "message": "It works", "from": "the guide" },
        };
        submit.run(
            send::<Done>(Op::Publish, &[&key.get_value()], &request),
            move |_| app.toasts.ok(g.guide_try_sent),
        );
    };
    view! {
        <form class="row wrap between muted" on:submit=send_one>
            <p class="grow">{g.guide_try}</p>
            {link_button(&Route::Events { site: Some(key.get_value()) }, "button", g.guide_to_events)}
            {submit.button_of_class(g.guide_try_button, "button")}
        </form>
        {submit.note()}
    }
}
