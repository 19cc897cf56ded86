//! What WordPress signs with: hidden until asked for with the password, renewed with an overlap, downloaded as a connector.

use super::dispatch;
use crate::api::{send, text};
use crate::app::app;
use crate::browser;
use crate::text::t;
use crate::ui::icon::small_icon;
use crate::ui::{
    Icon, Loaded, Submit, TextField, card, copy_button, modal, password_again, select, viewers_only_look,
};
use crate::view::prelude::*;
use hookcast_api::account::PasswordAgain as Again;
use hookcast_api::routes::Op;
use hookcast_api::site::{Credentials, RotateRequest, Site};

/// A value to copy, under its name.
pub fn secret_line(name: &'static str, value: String) -> AnyView {
    let copied = value.clone();
    view! {
        <div class="field">
            <span class="label">{name}</span>
            <div class="secret"><code>{value}</code>{copy_button(t().common.copy, move || copied.clone())}</div>
        </div>
    }
    .into_any()
}

fn hidden_line(name: &'static str) -> AnyView {
    view! { <div class="field"><span class="label">{name}</span><div class="secret"><code class="muted" aria-label=t().common.hide>"••••••••••••••••••••••••••••••••"</code></div></div> }.into_any()
}

pub fn tab(site: Loaded<Site>) -> impl IntoView {
    let app = app();
    let key = StoredValue::new(site.with_untracked(|site| site.site_key.clone()));
    move || match app.is_owner() {
        false => viewers_only_look(),
        true => view! {
            <div class="two">
                {secrets(key)}
                <div class="stack">{rotate_card(key)}{connector_card(key)}</div>
            </div>
            {dispatch::card_of(key)}
        }
        .into_any(),
    }
}

fn secrets(key: StoredValue<String>) -> impl IntoView {
    let s = &t().sites;
    let asking = RwSignal::new(false);
    let shown = RwSignal::new(None::<Credentials>);
    let submit = Submit::new();
    let reveal = Callback::new(move |password: String| {
        submit.run(
            send::<Credentials>(Op::SiteCredentials, &[&key.get_value()], &Again { password }),
            move |credentials| {
                shown.set(Some(credentials));
                asking.set(false);
            },
        );
    });
    let button = move || {
        match shown.with(Option::is_some) {
        true => view! { <button class="button" type="button" on:click=move |_| shown.set(None)>{s.hide_secrets}</button> }.into_any(),
        false => view! { <button class="button" type="button" on:click=move |_| { submit.clear(); asking.set(true); }>{small_icon(Icon::Eye)}{s.show_secrets}</button> }.into_any(),
    }
    };
    view! {
        {card(s.credentials, button, view! {
            <p class="muted">{s.credentials_text}</p>
            {secret_line(s.site_key, key.get_value())}
            {move || match shown.get() {
                Some(credentials) => view! {
                    {secret_line(s.publish_secret, credentials.publish_secret)}
                    {secret_line(s.jwt_secret, credentials.jwt_secret)}
                }.into_any(),
                None => view! { {hidden_line(s.publish_secret)}{hidden_line(s.jwt_secret)} }.into_any(),
            }}
        })}
        {password_again(asking, s.show_secrets, s.credentials_text, s.show_secrets, submit, reveal)}
    }
}

fn rotate_card(key: StoredValue<String>) -> impl IntoView {
    let s = &t().sites;
    let open = RwSignal::new(false);
    let made = RwSignal::new(None::<Credentials>);
    let submit = Submit::new();
    view! {
        {card(s.rotate, (), view! {
            <p class="muted">{s.rotate_text}</p>
            <div><button class="button" type="button" on:click=move |_| { submit.clear(); made.set(None); open.set(true); }>{small_icon(Icon::Rotate)}{s.rotate}</button></div>
        })}
        {modal(open, s.rotate, move || match made.get() {
                Some(credentials) => view! {
                    <p class="strong ok-text" role="status">{s.rotated}</p>
                    {secret_line(s.publish_secret, credentials.publish_secret)}
                    {secret_line(s.jwt_secret, credentials.jwt_secret)}
                    <div class="form-foot"><button class="button primary" type="button" on:click=move |_| open.set(false)>{t().common.close}</button></div>
                }.into_any(),
                None => rotate_form(key, submit, made).into_any(),
            })}
    }
}

fn rotate_form(
    key: StoredValue<String>,
    submit: Submit,
    made: RwSignal<Option<Credentials>>,
) -> impl IntoView {
    let s = &t().sites;
    let overlap = RwSignal::new("86400".to_owned());
    let password = RwSignal::new(String::new());
    let overlaps = [
        ("0", s.overlap_none),
        ("3600", s.overlap_hour),
        ("86400", s.overlap_day),
        ("604800", s.overlap_week),
    ];
    let rotate = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = RotateRequest {
            password: password.get_untracked(),
            overlap_seconds: overlap.with_untracked(|overlap| overlap.parse().unwrap_or(0)),
        };
        submit.run(
            send::<Credentials>(Op::RotateSite, &[&key.get_value()], &request),
            move |credentials| made.set(Some(credentials)),
        );
    };
    view! {
        <form class="form" on:submit=rotate>
            <p class="muted">{s.rotate_text}</p>
            {select(s.overlap, overlap, overlaps.map(|(value, name)| (value.to_owned(), name.to_owned())).into())}
            {TextField::new(t().common.your_password, password).password("current-password").error(submit.error("password")).focused().view()}
            {submit.note()}
            <div class="form-foot">{submit.button(s.rotate)}</div>
        </form>
    }
}

fn connector_card(key: StoredValue<String>) -> impl IntoView {
    let s = &t().sites;
    let asking = RwSignal::new(false);
    let submit = Submit::new();
    let download = Callback::new(move |password: String| {
        submit.run(
            text(Op::SiteConnector, &[&key.get_value()], &Again { password }),
            move |php| {
                browser::save_file("hookcast.php", "application/x-php", &php);
                asking.set(false);
            },
        );
    });
    view! {
        {card(s.connector, (), view! {
            <p class="muted">{s.connector_text}</p>
            <div><button class="button" type="button" on:click=move |_| { submit.clear(); asking.set(true); }>{small_icon(Icon::Download)}{s.connector_download}</button></div>
        })}
        {password_again(asking, s.connector_download, s.connector_text, s.connector_download, submit, download)}
    }
}
