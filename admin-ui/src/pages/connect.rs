//! One-click connect: which site asks, who answers, and the way back to WordPress. A request that must not be followed leads nowhere.

use super::gate::gate;
use crate::api::{ask, send};
use crate::app::app;
use crate::browser::{complain, document, said, window};
use crate::route::{self, Route};
use crate::text::{fill, t};
use crate::ui::{Icon, Loaded, Submit, Tone, empty, icon, link_button, load_then, note};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::connect::{ConnectAuthorized, ConnectCancelled, ConnectDescription, ConnectQuery};
use hookcast_api::routes::Op;
use leptos::task::spawn_local;
use wasm_bindgen::JsCast as _;

pub fn page() -> impl IntoView {
    let g = &t().gate;
    gate(
        g.connect_title,
        "",
        true,
        view! { <section class="card">{body()}</section> },
    )
}

/// As WordPress built it. What is missing is empty: the server says what is wrong with it.
fn query() -> ConnectQuery {
    let pairs = route::query();
    let value = |name: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    ConnectQuery {
        state: value("state"),
        callback_url: value("callback_url"),
        site_url: value("site_url"),
        site_name: value("site_name"),
    }
}

fn body() -> impl IntoView {
    let g = &t().gate;
    let asked = StoredValue::new(query());
    let refusal = RwSignal::new(None);
    let described = load_then(
        move || send::<ConnectDescription>(Op::DescribeConnect, &[], &asked.get_value()),
        move |failure| {
            if failure.status != 0 {
                let _gone = refusal.try_set(Some(failure.message.clone()));
            }
        },
    );
    move || {
        match refusal.get() {
        Some(message) => view! {
            <div role="alert">
                {empty(Icon::Warning, g.connect_refused, message, view! {
                    <p class="small">{g.connect_refused_hint}</p>
                    {link_button(&Route::Overview, "button", t().common.to_overview)}
                })}
            </div>
        }
        .into_any(),
        None => view! { <div class="card-body">{described.view(move |description| decision(asked, description))}</div> }.into_any(),
    }
    }
}

fn decision(asked: StoredValue<ConnectQuery>, description: Loaded<ConnectDescription>) -> impl IntoView {
    let app = app();
    let g = &t().gate;
    let description = description.get_untracked();
    let submit = Submit::new();
    let returning = RwSignal::new(false);
    let authorize = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        submit.run(
            send::<ConnectAuthorized>(Op::AuthorizeConnect, &[], &asked.get_value()),
            move |answer| {
                returning.set(true);
                post_form(&answer);
            },
        );
    };
    let cancel = move |_| {
        submit.run(
            send::<ConnectCancelled>(Op::CancelConnect, &[], &asked.get_value()),
            move |answer| {
                returning.set(true);
                let _refused = window().location().set_href(&answer.location);
            },
        );
    };
    let other = move |_| {
        spawn_local(async move {
            let _ended = ask::<Done>(Op::Logout, &[]).await;
            app.signed_out();
        });
    };
    let email = app.me().map(|me| me.user.email).unwrap_or_default();
    let name = if description.site_name.is_empty() {
        description.site_url.clone()
    } else {
        description.site_name.clone()
    };
    view! {
        <form class="form" on:submit=authorize>
            <div class="row top">
                <span class="avatar" aria-hidden="true">{icon(Icon::Globe)}</span>
                <p class="grow"><strong class="anywhere">{name}</strong>" "{g.connect_asks}<br /><span class="muted anywhere">{description.site_url.clone()}</span></p>
            </div>
            <p>{g.connect_grants}</p>
            <dl class="facts"><dt>{g.connect_returns}</dt><dd class="mono">{description.callback_host.clone()}</dd></dl>
            {description.registered.then(|| note(Tone::Warn, view! { <p>{g.connect_registered}</p> }))}
            {description.insecure.then(|| note(Tone::Warn, view! { <p>{g.connect_insecure}</p> }))}
            {(!description.may_authorize).then(|| note(Tone::Bad, view! { <p>{g.connect_viewer}</p> }))}
            {submit.note()}
            <div role="status">{move || returning.get().then_some(g.connect_returning)}</div>
            <div class="row between wrap">
                <span class="small muted">{fill(g.connect_signed_in, &[("email", &email)])}" "<button class="link" type="button" on:click=other>{g.connect_other}</button></span>
                <div class="row">
                    <button class="button" type="button" disabled=move || submit.busy.get() || returning.get() on:click=cancel>{t().common.cancel}</button>
                    {description.may_authorize.then(|| submit.button(g.connect_authorize))}
                </div>
            </div>
        </form>
    }
}

/// The code goes back as a form's field, never in an address.
fn post_form(answer: &ConnectAuthorized) {
    let send = || -> Result<(), wasm_bindgen::JsValue> {
        let document = document();
        let form: web_sys::HtmlFormElement = document.create_element("form")?.unchecked_into();
        form.set_method("post");
        form.set_action(&answer.action);
        for (name, value) in [("wps_state", &answer.wps_state), ("wps_code", &answer.wps_code)] {
            let field: web_sys::HtmlInputElement = document.create_element("input")?.unchecked_into();
            field.set_type("hidden");
            field.set_name(name);
            field.set_value(value);
            form.append_child(&field)?;
        }
        document.body().expect("a page has a body").append_child(&form)?;
        form.submit()
    };
    if let Err(error) = send() {
        complain(&format!("returning to WordPress: {}", said(&error)));
    }
}
