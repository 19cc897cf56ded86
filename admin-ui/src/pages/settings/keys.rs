//! API keys: made, listed, revoked. The key itself is seen once.

use crate::api::{ask, send};
use crate::app::app;
use crate::pages::site::credentials::secret_line;
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{
    Icon, Submit, TextField, Tone, ago_or, check, empty, flush_card, load, modal, moment, note, pill, select,
};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::account::{ApiKey, ApiKeys, CreatedApiKey, NewApiKey, Scope};
use hookcast_api::routes::Op;

pub fn tab() -> impl IntoView {
    let app = app();
    move || match app.is_owner() {
        true => list().into_any(),
        false => note(Tone::Accent, view! { <p>{t().settings.owners_only}</p> }),
    }
}

fn scope_words(scope: Scope) -> &'static str {
    let s = &t().settings;
    match scope {
        Scope::Read => s.scope_read,
        Scope::Register => s.scope_register,
        Scope::Sites => s.scope_sites,
        Scope::Secrets => s.scope_secrets,
        Scope::Triggers => s.scope_triggers,
        Scope::Publish => s.scope_publish,
        Scope::Operate => s.scope_operate,
    }
}

fn list() -> impl IntoView {
    let app = app();
    let s = &t().settings;
    let keys = load(move || {
        app.live.keys.track();
        ask::<ApiKeys>(Op::ApiKeys, &[])
    });
    let adding = RwSignal::new(false);
    let made = RwSignal::new(None::<CreatedApiKey>);
    let (revoking, revoke_open) = (RwSignal::new(None::<ApiKey>), RwSignal::new(false));
    let reload = Callback::new(move |()| keys.reload());
    let row = move |key: ApiKey| {
        let for_revoke = key.clone();
        view! {
            <tr>
                <td>
                    <span class="cell-main anywhere">{key.name.clone()}</span>
                    <span class="cell-sub"><span class="mono">{key.hint.clone()}"…"</span>" "{fill(s.key_made_by, &[("email", &key.created_by)])}</span>
                </td>
                <td class="wide"><span class="row wrap">{key.scopes.iter().map(|scope| view! { <span title=scope_words(*scope)>{pill(scope.as_str(), Tone::Plain)}</span> }).collect_view()}</span></td>
                <td class="wide nowrap">{ago_or(key.last_used_at, t().common.never)}</td>
                <td class="wide nowrap">{key.expires_at.map_or_else(|| t().common.never.into_any(), moment)}</td>
                <td class="right"><button class="button small" type="button" on:click=move |_| { revoking.set(Some(for_revoke.clone())); revoke_open.set(true); }>{s.revoke}</button></td>
            </tr>
        }
    };
    view! {
        <p class="muted">{s.keys_text}</p>
        {flush_card(
            s.keys,
            view! { <button class="button primary" type="button" on:click=move |_| { made.set(None); adding.set(true); }>{small_icon(Icon::Plus)}{s.add_key}</button> },
            keys.view(move |all| move || match all.with(|all| all.keys.is_empty()) {
                true => empty(Icon::Key, s.no_keys, s.no_keys_text, ()),
                false => view! {
                    <table class="table">
                        <thead><tr>
                            <th scope="col">{t().common.name}</th><th scope="col" class="wide">{s.key_scopes}</th><th scope="col" class="wide">{s.key_used}</th>
                            <th scope="col" class="wide">{s.key_expires}</th><th scope="col"><span class="sr">{t().common.actions}</span></th>
                        </tr></thead>
                        <tbody>{all.get().keys.into_iter().map(row).collect_view()}</tbody>
                    </table>
                }.into_any(),
            }),
        )}
        {modal(adding, s.add_key, move || match made.get() {
                None => add_form(made, reload).into_any(),
                Some(made) => view! {
                    {note(Tone::Warn, view! { <p>{s.key_made_text}</p> })}
                    {secret_line(s.key_made, made.secret)}
                    <div class="form-foot"><button class="button primary" type="button" on:click=move |_| adding.set(false)>{t().common.close}</button></div>
                }.into_any(),
            })}
        {modal(revoke_open, Signal::derive(move || fill(s.revoke_title, &[("name", &revoking.get().map(|key| key.name).unwrap_or_default())])), move || revoking.get().map(|key| revoke_form(key, revoke_open, reload)))}
    }
}

fn add_form(made: RwSignal<Option<CreatedApiKey>>, done: Callback<()>) -> impl IntoView {
    let s = &t().settings;
    let name = RwSignal::new(String::new());
    let expires = RwSignal::new("365".to_owned());
    let chosen = Scope::ALL.map(|scope| (scope, RwSignal::new(scope == Scope::Read)));
    let submit = Submit::new();
    let add = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let scopes = chosen
            .iter()
            .filter(|(_, on)| on.get_untracked())
            .map(|(scope, _)| *scope)
            .collect();
        let request = NewApiKey {
            name: name.get_untracked(),
            scopes,
            expires_in_days: expires.with_untracked(|days| days.parse().ok()),
        };
        submit.run(
            send::<CreatedApiKey>(Op::AddApiKey, &[], &request),
            move |answer| {
                made.set(Some(answer));
                done.run(());
            },
        );
    };
    let lifetimes = [
        ("30", s.key_30),
        ("90", s.key_90),
        ("365", s.key_365),
        ("", t().common.never),
    ];
    view! {
        <form class="form" on:submit=add>
            {TextField::new(t().common.name, name).hint(s.key_name_hint).error(submit.error("name")).focused().view()}
            <fieldset class="stack tight"><legend class="label">{s.key_scopes}</legend>
                {chosen.map(|(scope, on)| check(scope_words(scope), None, on)).collect_view()}
                {move || submit.error("scopes").get().map(|error| view! { <span class="field-error">{error}</span> })}
            </fieldset>
            {select(s.key_expires, expires, lifetimes.map(|(value, name)| (value.to_owned(), name.to_owned())).into())}
            {submit.note()}
            <div class="form-foot">{submit.button(s.add_key)}</div>
        </form>
    }
}

fn revoke_form(key: ApiKey, open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    let s = &t().settings;
    let submit = Submit::new();
    let id = key.id.to_string();
    let revoke = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let id = id.clone();
        submit.run(ask::<Done>(Op::RevokeApiKey, &[&id]), move |_| {
            app().toasts.ok(s.revoked);
            open.set(false);
            done.run(());
        });
    };
    view! {
        <form class="form" on:submit=revoke>
            <p>{s.revoke_text}</p>
            {submit.note()}
            <div class="form-foot">
                <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                {submit.button_of_class(s.revoke, "button danger")}
            </div>
        </form>
    }
}
