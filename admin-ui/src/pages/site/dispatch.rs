//! Dispatch: on or off, open or not, its token.

use super::credentials::secret_line;
use crate::api::{ask, send};
use crate::text::t;
use crate::ui::{Submit, Tone, card, code_block, copy_button, load, note, switch, wide_modal};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::site::{Dispatch, DispatchChange, DispatchToken};

pub fn card_of(key: StoredValue<String>) -> impl IntoView {
    let s = &t().sites;
    let dispatch = load(move || ask::<Dispatch>(Op::SiteDispatch, &[&key.get_value()]));
    let submit = Submit::new();
    let change = move |change: DispatchChange| {
        submit.run(
            send::<Dispatch>(Op::ChangeDispatch, &[&key.get_value()], &change),
            move |now| dispatch.put(now),
        );
    };
    let token = RwSignal::new(None::<DispatchToken>);
    let token_open = RwSignal::new(false);
    let renew = Submit::new();
    let make = move |_| {
        renew.run(
            ask::<DispatchToken>(Op::NewDispatchToken, &[&key.get_value()]),
            move |made| {
                token.set(Some(made));
                token_open.set(true);
                dispatch.reload();
            },
        );
    };
    view! {
        {card(s.dispatch, (), view! {
            <p class="muted">{s.dispatch_text}</p>
            {dispatch.view(move |now| view! {
                {switch(s.dispatch_enabled, false, Signal::derive(move || now.with(|now| now.enabled)), submit.busy.into(),
                    Callback::new(move |on| change(DispatchChange { enabled: Some(on), open: None })))}
                <div>
                    {switch(s.dispatch_open, false, Signal::derive(move || now.with(|now| now.open)), submit.busy.into(),
                        Callback::new(move |on| change(DispatchChange { enabled: None, open: Some(on) })))}
                    <p class="hint">{s.dispatch_open_hint}</p>
                </div>
                {move || now.with(|now| now.open).then(|| note(Tone::Bad, view! { <p class="strong">{s.open_warning}</p> }))}
                <dl class="facts">
                    <dt>{s.dispatch_url}</dt>
                    <dd class="row"><code>{move || now.with(|now| now.url.clone())}</code>{copy_button(t().common.copy, move || now.with_untracked(|now| now.url.clone()))}</dd>
                    <dt>{s.dispatch_token}</dt>
                    <dd class="row wrap">
                        {move || now.with(|now| now.token_hint.clone()).map_or_else(|| view! { <span class="muted">{s.dispatch_no_token}</span> }.into_any(), |hint| view! { <code>{hint}"…"</code> }.into_any())}
                        <button class="button small" type="button" disabled=move || renew.busy.get() on:click=make>{s.dispatch_new_token}</button>
                    </dd>
                </dl>
            })}
            {submit.note()}
            {renew.note()}
        })}
        {wide_modal(token_open, s.dispatch_token_made, move || token.get().map(|token| view! {
                <p class="muted">{s.dispatch_token_text}</p>
                {secret_line(s.dispatch_token, token.token)}
                <h3>{s.dispatch_php}</h3>
                {code_block(s.dispatch_php, Signal::stored(token.php))}
            }))}
    }
}
