//! The builder: when, what is sent, only if, and beside it what a browser would receive.

use super::form::{Form, outcome};
use super::{catalogue, parts, trial, webhook};
use crate::api::{ask, send};
use crate::app::app;
use crate::pages::events::read_json;
use crate::route::Route;
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{
    Icon, Submit, TextField, Tone, back_link, card, empty, json_block, load, modal, note, page_head, switch,
    viewers_only_look,
};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::trigger::{SavedTrigger, Trigger, TriggerChange, Triggers};
use hookcast_json::object;

pub fn page(site: String, id: Option<String>) -> impl IntoView {
    let g = &t().triggers;
    let key = StoredValue::new(site);
    let to_list = Route::Triggers {
        site: Some(key.get_value()),
    };
    let body = match id {
        None => view! {
            {page_head(g.new_title, "", ())}
            {editor(key, None)}
        }
        .into_any(),
        Some(id) => {
            let id = StoredValue::new(id);
            // Read once: what someone else changes meanwhile must not overwrite what is being typed here.
            let triggers = load(move || ask::<Triggers>(Op::Triggers, &[&key.get_value()]));
            triggers.view(move |all| {
                let found = all.with_untracked(|all| {
                    all.triggers
                        .iter()
                        .find(|one| id.with_value(|id| one.id == *id))
                        .cloned()
                });
                match found {
                    Some(trigger) => view! {
                        {page_head(g.edit_title, "", ())}
                        {editor(key, Some(trigger))}
                    }
                    .into_any(),
                    None => empty(
                        Icon::Triggers,
                        t().common.not_found,
                        t().common.not_found_text,
                        (),
                    )
                    .into_any(),
                }
            })
        }
    };
    view! { <div class="page">{back_link(&to_list, t().common.triggers)}{body}</div> }
}

fn editor(key: StoredValue<String>, trigger: Option<Trigger>) -> impl IntoView {
    let app = app();
    let g = &t().triggers;
    let form = trigger
        .as_ref()
        .map_or_else(Form::begun, |trigger| Form::of(&trigger.spec));
    let submit = Submit::new();
    // A saved trigger, with the version that the next change names.
    let saved = RwSignal::new(trigger);
    let secret = RwSignal::new(None::<String>);
    let removing = RwSignal::new(false);
    let save = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let spec = untrack(|| form.spec());
        let key = key.get_value();
        let before = saved.get_untracked();
        let is_new = before.is_none();
        let work = match before {
            None => send::<SavedTrigger>(Op::AddTrigger, &[&key], &spec),
            Some(before) => {
                let change = TriggerChange {
                    version: before.version,
                    spec,
                };
                send(Op::ChangeTrigger, &[&key, &before.id], &change)
            }
        };
        submit.run(work, move |answer| {
            app.toasts.ok(if is_new { g.created } else { t().common.saved });
            secret.set(answer.webhook_secret);
            saved.set(Some(answer.trigger));
        });
    };
    let example = RwSignal::new(String::new());
    let input = memo(move || example.with(|example| read_json(example)));
    // The example follows the source until the reader changes it.
    let suggested = memo(move || catalogue::example(&form.source()).to_pretty());
    effect(move || example.set(suggested.get()));
    let removed = Callback::new(move |()| super::to_list(&key.get_value()));

    view! {
        {move || (!app.is_owner()).then(viewers_only_look)}
        <div class="builder">
            <form class="stack" on:submit=save>
                <section class="card"><div class="card-body">
                    {TextField::new(t().common.name, form.name).hint(g.name_hint).error(submit.error("name")).view()}
                    {switch(g.enabled, false, form.enabled.into(), Signal::stored(false), Callback::new(move |on| form.enabled.set(on)))}
                </div></section>
                {parts::when(form, submit)}
                {move || saved.get().filter(|trigger| trigger.webhook_url.is_some()).map(|trigger| webhook::card_of(key, trigger, secret))}
                {parts::send(form, submit, input)}
                {parts::only_if(form, submit)}
                {submit.note()}
                <div class="form-foot">
                    {move || saved.get().is_some().then(|| view! {
                        <button class="button danger" type="button" on:click=move |_| removing.set(true)>{small_icon(Icon::Trash)}{g.delete}</button>
                    })}
                    {move || submit.button(if saved.with(Option::is_some) { t().common.save } else { g.save_new })}
                </div>
            </form>
            <div class="stack builder-side">
                {preview(form, example, input)}
                {move || saved.get().map(|trigger| trial::card_of(key, trigger.id, input))}
            </div>
        </div>
        {modal(removing, g.delete_title, move || saved.get().map(|trigger| super::remove_form(key, trigger, Submit::new(), removing, removed)))}
    }
}

fn preview(
    form: Form,
    example: RwSignal<String>,
    input: Memo<Result<hookcast_json::Value, String>>,
) -> impl IntoView {
    let g = &t().triggers;
    let spec = memo(move || form.spec());
    let result = memo(move || {
        input
            .get()
            .ok()
            .map(|input| spec.with(|spec| outcome(spec, &input)))
    });
    let shown = Signal::derive(move || {
        let (channel, event) = spec.with(|spec| (spec.channel.clone(), spec.event.clone()));
        object! { "channel": channel, "event": event, "data": result.get().map(|(data, _)| data).unwrap_or_default() }
    });
    let missing = move || {
        result
            .get()
            .map(|(_, missing)| missing)
            .filter(|missing| !missing.is_empty())
    };
    card(
        g.preview,
        (),
        view! {
            <p class="muted small">{g.preview_text}</p>
            {json_block(g.preview, shown)}
            {move || missing().map(|paths| note(Tone::Warn, view! { <p class="small">{fill(g.preview_missing, &[("paths", &paths.join(", "))])}</p> }))}
            {TextField::new(g.example, example).rows(10).mono().hint(g.example_hint).error(Signal::derive(move || input.get().err())).view()}
        },
    )
}
