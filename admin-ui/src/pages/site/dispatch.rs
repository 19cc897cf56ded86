//! Dispatch: on or off, open or not, its token.

use super::credentials::secret_line;
use crate::api::{ask, send};
use crate::text::t;
use crate::ui::{Modal, Submit, Tone, card, code_block, copy_button, load, note, switch};
use hookcast_api::routes::Op;
use hookcast_api::site::{Dispatch, DispatchChange, DispatchToken};
use leptos::prelude::*;

pub fn card_of(key: StoredValue<String>) -> impl IntoView {
    let s = &t().sites;
    let dispatch = load(move || async move { ask::<Dispatch>(Op::SiteDispatch, &[&key.get_value()]).await });
    let submit = Submit::new();
    let change = move |change: DispatchChange| {
        submit.run(
            async move { send::<_, Dispatch>(Op::ChangeDispatch, &[&key.get_value()], &change).await },
            move |now| dispatch.put(now),
        );
    };
    let token = RwSignal::new(None::<DispatchToken>);
    let token_open = RwSignal::new(false);
    let renew = Submit::new();
    let make = move |_| {
        renew.run(
            async move { ask::<DispatchToken>(Op::NewDispatchToken, &[&key.get_value()]).await },
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
        <Modal open=token_open title=s.dispatch_token_made wide=true>
            {move || token.get().map(|token| view! {
                <p class="muted">{s.dispatch_token_text}</p>
                {secret_line(s.dispatch_token, token.token)}
                <h3>{s.dispatch_php}</h3>
                {code_block(s.dispatch_php, Signal::stored(token.php))}
            })}
        </Modal>
    }
}
