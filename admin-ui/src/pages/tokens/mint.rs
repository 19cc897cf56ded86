//! A test token: chosen user, prefixes and lifetime.

use super::listed;
use crate::api::send;
use crate::text::t;
use crate::ui::{Loaded, Submit, TextField, Tone, copy_button, note, select};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::site::{SiteStatus, Sites};
use hookcast_api::tools::{MintRequest, MintedToken};

/// `*` is every channel: what the API spells as an empty prefix.
fn prefixes(text: &str) -> Vec<String> {
    listed(text)
        .into_iter()
        .map(|prefix| if prefix == "*" { String::new() } else { prefix })
        .collect()
}

pub fn form(sites: Loaded<Sites>, token: RwSignal<String>, inspect: Callback<()>) -> AnyView {
    let k = &t().tokens;
    let choices: Vec<(String, String)> = sites.with_untracked(|sites| {
        sites
            .sites
            .iter()
            .filter(|site| site.status == SiteStatus::Active)
            .map(|site| (site.site_key.clone(), site.name.clone()))
            .collect()
    });
    let Some(first) = choices.first().map(|(key, _)| key.clone()) else {
        return note(Tone::Accent, view! { <p>{k.no_site}</p> });
    };
    let key = RwSignal::new(first);
    let user = RwSignal::new("0".to_owned());
    let (subscribe, publish) = (RwSignal::new("*".to_owned()), RwSignal::new(String::new()));
    let lifetime = RwSignal::new("300".to_owned());
    let minted = RwSignal::new(None::<MintedToken>);
    let submit = Submit::new();
    let mint = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = MintRequest {
            user: user.get_untracked(),
            subscribe: subscribe.with_untracked(|text| prefixes(text)),
            publish: publish.with_untracked(|text| prefixes(text)),
            lifetime_seconds: lifetime.with_untracked(|text| text.parse().unwrap_or(300)),
        };
        submit.run(
            send::<MintedToken>(Op::MintToken, &[&key.get_untracked()], &request),
            move |answer| {
                token.set(answer.token.clone());
                minted.set(Some(answer));
                inspect.run(());
            },
        );
    };
    let lifetimes = [
        ("300", k.lifetime_5m),
        ("3600", k.lifetime_1h),
        ("86400", k.lifetime_24h),
    ];
    view! {
        <form class="form" on:submit=mint>
            <p class="muted small">{k.mint_text}</p>
            <div class="form-grid">
                {select(t().common.site, key, choices)}
                {TextField::new(k.user, user).hint(k.mint_user_hint).error(submit.error("user")).view()}
            </div>
            {TextField::new(k.mint_subscribe, subscribe).mono().hint(k.prefixes_hint).error(submit.error("subscribe")).view()}
            {TextField::new(k.mint_publish, publish).mono().hint(k.prefixes_hint).error(submit.error("publish")).view()}
            {select(k.lifetime, lifetime, lifetimes.map(|(value, name)| (value.to_owned(), name.to_owned())).into())}
            {submit.note()}
            <div class="form-foot">{submit.button(k.mint_button)}</div>
            {move || minted.get().map(|minted| {
                let (whole, address) = (minted.token.clone(), minted.ws_url.clone());
                view! {
                    <div class="field"><span class="label">{k.minted}</span><div class="secret"><code class="clip">{minted.token}</code>{copy_button(t().common.copy, move || whole.clone())}</div></div>
                    <div class="field"><span class="label">{k.ws_url}</span><div class="secret"><code>{minted.ws_url}</code>{copy_button(t().common.copy, move || address.clone())}</div></div>
                }
            })}
        </form>
    }
    .into_any()
}
