//! The builder's three cards: when, send, only if.

use super::catalogue;
use super::form::{FieldRow, Form, RuleRow, comparison_label, takes_value, word};
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{Icon, Submit, TextField, card, fresh_id, select};
use crate::view::prelude::*;
use hookcast_api::trigger::{Comparison, WebhookVerify};
use hookcast_json::Value;

type Input = Memo<Result<Value, String>>;

/// Small choices of which one holds.
fn segments(
    label: &'static str,
    value: RwSignal<String>,
    choices: Vec<(&'static str, &'static str)>,
    chosen: Callback<()>,
) -> impl IntoView {
    view! {
        <div class="segments wrap" role="group" aria-label=label>
            {choices.into_iter().map(|(key, name)| view! {
                <button type="button" aria-pressed=move || value.with(|value| value == key).to_string()
                    on:click=move |_| { value.set(key.to_owned()); chosen.run(()); }>{name}</button>
            }).collect_view()}
        </div>
    }
}

pub fn when(form: Form, submit: Submit) -> impl IntoView {
    let g = &t().triggers;
    let kinds = vec![
        ("action", g.kind_action),
        ("post_type", g.kind_post_type),
        ("option", g.kind_option),
        ("webhook", g.kind_webhook),
        ("dispatch", g.kind_dispatch),
    ];
    // Another source passes other things: the fields chosen for the last one would all be missing.
    let changed =
        Callback::new(move |()| untrack(|| form.begin_fields(catalogue::first_fields(&form.source()))));
    let body = move || match form.kind.get().as_str() {
        "post_type" => TextField::new(g.post_type, form.post_type)
            .mono()
            .hint(g.post_type_hint)
            .error(submit.error("source.post_type"))
            .suggest(
                ["post", "page", "product", "attachment"]
                    .map(str::to_owned)
                    .into(),
            )
            .view(),
        "option" => TextField::new(g.option, form.option)
            .mono()
            .hint(g.option_hint)
            .error(submit.error("source.option"))
            .suggest(
                [
                    "blogname",
                    "blogdescription",
                    "siteurl",
                    "timezone_string",
                    "woocommerce_currency",
                ]
                .map(str::to_owned)
                .into(),
            )
            .view(),
        "webhook" => view! {
            {select(g.verify, form.verify, vec![
                (word(WebhookVerify::WooCommerce), g.verify_woo.to_owned()),
                (word(WebhookVerify::GitHub), g.verify_github.to_owned()),
                (word(WebhookVerify::Bearer), g.verify_bearer.to_owned()),
            ])}
            <p class="hint">{g.webhook_later}</p>
        }
        .into_any(),
        "dispatch" => TextField::new(g.dispatch_event, form.dispatch_event)
            .mono()
            .hint(g.dispatch_event_hint)
            .error(submit.error("source.event"))
            .view(),
        _ => action(form, submit).into_any(),
    };
    card(
        g.when,
        (),
        view! { <p class="muted small">{g.when_hint}</p> {segments(g.when, form.kind, kinds, changed)} {body} },
    )
}

fn action(form: Form, submit: Submit) -> impl IntoView {
    let g = &t().triggers;
    let id = fresh_id("hook");
    let pick = move |event| {
        let name = event_target_value(&event);
        if let Some(hook) = catalogue::hooks().iter().find(|hook| hook.hook == name) {
            form.begin_with(hook);
        }
    };
    let mut groups: Vec<(&str, Vec<catalogue::Hook>)> = Vec::new();
    for hook in catalogue::hooks() {
        match groups.last_mut() {
            Some((group, hooks)) if *group == hook.group => hooks.push(hook),
            _ => groups.push((hook.group, vec![hook])),
        }
    }
    let names = catalogue::hooks()
        .into_iter()
        .map(|hook| hook.hook.to_owned())
        .collect();
    view! {
        <div class="field">
            <label for=id.clone()>{g.common_hooks}</label>
            <select class="select" id=id on:change=pick prop:value=move || form.hook.get()>
                <option value="">{g.pick_hook}</option>
                {groups.into_iter().map(|(group, hooks)| view! {
                    <optgroup label=group>
                        {hooks.into_iter().map(|hook| {
                            let name = hook.hook;
                            view! { <option value=name selected=move || form.hook.with(|chosen| chosen == name)>{hook.label}</option> }
                        }).collect_view()}
                    </optgroup>
                }).collect_view()}
            </select>
        </div>
        {TextField::new(g.hook, form.hook).mono().hint(g.hook_hint).error(submit.error("source.hook")).suggest(names).view()}
        <div class="form-grid">
            {TextField::new(g.args, form.args).kind("number").error(submit.error("source.args")).view()}
            {TextField::new(g.priority, form.priority).kind("number").error(submit.error("source.priority")).view()}
        </div>
    }
}

pub fn send(form: Form, submit: Submit, input: Input) -> impl IntoView {
    let g = &t().triggers;
    let data = RwSignal::new(
        if form.whole.get_untracked() {
            "whole"
        } else {
            "fields"
        }
        .to_owned(),
    );
    effect(move || form.whole.set(data.with(|data| data == "whole")));
    let body = move || match form.whole.get() {
        true => TextField::new(g.whole_path, form.whole_path)
            .mono()
            .hint(g.whole_hint)
            .error(submit.error("data.path"))
            .view(),
        false => fields(form, submit, input).into_any(),
    };
    card(
        g.send,
        (),
        view! {
            <p class="muted small">{g.send_hint}</p>
            <div class="form-grid">
                {TextField::new(t().events.channel, form.channel).mono().hint(t().events.publish_channel_hint).error(submit.error("channel")).view()}
                {TextField::new(t().events.event, form.event).mono().placeholder("post.updated").error(submit.error("event")).view()}
            </div>
            {segments(g.send, data, vec![("fields", g.data_fields), ("whole", g.data_whole)], Callback::new(|()| {}))}
            {body}
        },
    )
}

fn fields(form: Form, submit: Submit, input: Input) -> impl IntoView {
    let g = &t().triggers;
    let place = move |id: u32| {
        form.fields
            .with(|fields| fields.iter().position(|row| row.id == id).unwrap_or(0))
    };
    let row = move |row: FieldRow| {
        let at = move |part: &str| format!("data.fields.{}.{part}", place(row.id));
        let error = Signal::derive(move || {
            submit
                .error_at(at("name"))
                .get()
                .or_else(|| submit.error_at(at("value")).get())
        });
        view! {
            <div class="field-row">
                {TextField::new(g.field_name, row.name).mono().error(error).view()}
                {select(g.field_from, row.kind, vec![("path".to_owned(), g.field_path.to_owned()), ("constant".to_owned(), g.field_constant.to_owned())])}
                {TextField::new(g.field_value, row.value).mono().view()}
                <button class="button quiet icon" type="button" aria-label=move || fill(g.remove_field, &[("name", &row.name.get())])
                    on:click=move |_| form.fields.update(|fields| fields.retain(|one| one.id != row.id))>{small_icon(Icon::Cross)}</button>
            </div>
        }
    };
    // What the source passes and no field takes yet.
    let available = move || {
        let paths = input
            .get()
            .map(|input| catalogue::paths(&input))
            .unwrap_or_default();
        let taken: Vec<String> = form
            .fields
            .with(|fields| fields.iter().map(|row| row.value.get()).collect());
        paths
            .into_iter()
            .filter(|path| !path.is_empty() && !taken.contains(path))
            .collect::<Vec<_>>()
    };
    let offer = move |path: String| {
        let name = path
            .rsplit('.')
            .find(|key| key.parse::<usize>().is_err())
            .unwrap_or("value")
            .to_lowercase();
        let shown = path.clone();
        view! { <button class="chip chip-button" type="button" on:click=move |_| form.add_field(&name, "path", &path)>{shown}</button> }
    };
    view! {
        <div class="stack tight">{each(move || form.fields.get(), |row| row.id, row)}</div>
        <div><button class="button small" type="button" on:click=move |_| form.add_field("", "path", "")>{small_icon(Icon::Plus)}{g.add_field}</button></div>
        {move || Some(available()).filter(|paths| !paths.is_empty()).map(|paths| view! {
            <div class="stack tight"><span class="hint">{g.available}</span><div class="row wrap">{paths.into_iter().map(offer).collect_view()}</div></div>
        })}
    }
}

pub fn only_if(form: Form, submit: Submit) -> impl IntoView {
    let g = &t().triggers;
    let place = move |id: u32| {
        form.rules
            .with(|rules| rules.iter().position(|row| row.id == id).unwrap_or(0))
    };
    let comparisons = || {
        Comparison::ALL
            .iter()
            .map(|one| (word(*one), comparison_label(*one).to_owned()))
            .collect::<Vec<_>>()
    };
    let row = move |row: RuleRow| {
        let at = move |part: &str| format!("conditions.rules.{}.{part}", place(row.id));
        let error = Signal::derive(move || {
            submit
                .error_at(at("path"))
                .get()
                .or_else(|| submit.error_at(at("value")).get())
        });
        let without = move || {
            row.comparison.with(|now| {
                Comparison::ALL
                    .iter()
                    .any(|one| word(*one) == *now && !takes_value(*one))
            })
        };
        view! {
            <div class="field-row">
                {TextField::new(g.field_path, row.path).mono().error(error).view()}
                {select(g.comparison, row.comparison, comparisons())}
                <div hidden=without>{TextField::new(g.field_value, row.value).mono().view()}</div>
                <button class="button quiet icon" type="button" aria-label=move || fill(g.remove_condition, &[("n", &(place(row.id) + 1).to_string())])
                    on:click=move |_| form.rules.update(|rules| rules.retain(|one| one.id != row.id))>{small_icon(Icon::Cross)}</button>
            </div>
        }
    };
    card(
        g.only_if,
        (),
        view! {
            <p class="muted small">{g.only_if_hint}</p>
            {move || (form.rules.with(Vec::len) > 1).then(|| segments(g.mode, form.mode, vec![("all", g.mode_all), ("any", g.mode_any)], Callback::new(|()| {})))}
            <div class="stack tight">{each(move || form.rules.get(), |row| row.id, row)}</div>
            <div><button class="button small" type="button" on:click=move |_| form.add_rule("", Comparison::Equals, "")>{small_icon(Icon::Plus)}{g.add_condition}</button></div>
        },
    )
}
