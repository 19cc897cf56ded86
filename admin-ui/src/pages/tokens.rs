//! The token inspector: decode and verify, mint, connect.

mod mint;
mod report;
mod socket;

use crate::api::{ask, send};
use crate::app::app;
use crate::text::t;
use crate::ui::{Icon, Submit, TextField, card, empty, load, page_head};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::site::Sites;
use hookcast_api::tools::{InspectRequest, TokenReport};

/// What stands between commas or line ends.
fn listed(text: &str) -> Vec<String> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect()
}

pub fn page() -> impl IntoView {
    let app = app();
    let k = &t().tokens;
    let token = RwSignal::new(String::new());
    let report = RwSignal::new(None::<TokenReport>);
    let submit = Submit::new();
    let channels = RwSignal::new(String::new());
    let inspect = Callback::new(move |()| {
        let request = InspectRequest {
            token: token.with_untracked(|token| token.trim().to_owned()),
            channels: channels.with_untracked(|text| listed(text)),
        };
        submit.run(
            send::<TokenReport>(Op::InspectToken, &[], &request),
            move |answer| report.set(Some(answer)),
        );
    });
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    view! {
        <div class="page">
            {page_head(t().common.tokens, k.lead, ())}
            <div class="two">
                <div class="stack">
                    {card(k.inspect, (), view! {
                        <form class="form" on:submit=move |event| { event.prevent_default(); inspect.run(()); }>
                            {TextField::new(k.token, token).rows(5).mono().placeholder("eyJhbGciOiJIUzI1NiIs…").hint(k.token_hint).error(submit.error("token")).view()}
                            {TextField::new(k.channels, channels).mono().hint(k.channels_hint).error(submit.error("channels")).view()}
                            {submit.note()}
                            <div class="form-foot">{submit.button(k.inspect_button)}</div>
                        </form>
                    })}
                    {move || app.is_owner().then(|| card(k.mint, (), sites.view(move |sites| mint::form(sites, token, inspect))))}
                </div>
                <div class="stack">
                    <div role="status">
                        {move || match report.get() {
                            Some(report) => report::card_of(report).into_any(),
                            None => view! { <section class="card">{empty(Icon::Token, k.nothing_yet, k.nothing_yet_text, ())}</section> }.into_any(),
                        }}
                    </div>
                    {socket::card_of(token)}
                </div>
            </div>
        </div>
    }
}
