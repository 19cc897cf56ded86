//! Triggers: the list of a site's, in their order.

pub mod builder;
mod catalogue;
mod form;
mod parts;
mod transfer;
mod trial;
mod webhook;

use crate::api::{Request, ask, send};
use crate::app::app;
use crate::format;
use crate::pages::events::site_choice;
use crate::route::{self, Route};
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{
    Icon, Loaded, Loader, Submit, ago_or, empty, link_button, load, modal, page_head, switch, wide_modal,
};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::routes::Op;
use hookcast_api::site::{SiteStatus, Sites};
use hookcast_api::trigger::{
    SavedTrigger, Source, Trigger, TriggerChange, TriggerOrder, TriggerSpec, Triggers,
};
use leptos::task::spawn_local;

/// The page: of the site in the address, else of the first one.
pub fn page(site: Option<String>) -> impl IntoView {
    let app = app();
    let g = &t().triggers;
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    let chosen = StoredValue::new(site);
    let key = memo(move || {
        chosen.get_value().or_else(|| {
            sites.map(|sites| {
                sites
                    .sites
                    .iter()
                    .find(|site| site.status == SiteStatus::Active)
                    .map(|site| site.site_key.clone())
            })
        })
    });
    view! {
        <div class="page">
            {move || page_head(t().common.triggers, g.lead, site_choice(key.get(), |site| Route::Triggers { site }))}
            {sites.view(move |_| move || match key.get() {
                Some(key) => list(key).into_any(),
                None => view! {
                    <section class="card">{empty(Icon::Triggers, g.needs_site, g.needs_site_text, link_button(&Route::Guide { site: None }, "button primary", t().gate.guide_open))}</section>
                }.into_any(),
            })}
        </div>
    }
}

#[derive(Clone, Copy)]
struct List {
    key: StoredValue<String>,
    triggers: Loader<Triggers>,
    submit: Submit,
}

impl List {
    fn act<T: 'static>(self, work: Request<T>, then: impl FnOnce(T) + 'static) {
        let app = app();
        spawn_local(async move {
            match work.await {
                Ok(value) => then(value),
                Err(failure) => app.toasts.bad(&failure.message),
            }
            self.triggers.reload();
        });
    }

    fn enable(self, trigger: Trigger, enabled: bool) {
        let change = TriggerChange {
            version: trigger.version,
            spec: TriggerSpec {
                enabled,
                ..trigger.spec
            },
        };
        let key = self.key.get_value();
        self.act(
            send::<SavedTrigger>(Op::ChangeTrigger, &[&key, &trigger.id], &change),
            |_| {},
        );
    }

    /// Move one place up or down.
    fn shift(self, id: String, down: bool) {
        let mut ids: Vec<String> = self
            .triggers
            .map(|all| all.triggers.iter().map(|trigger| trigger.id.clone()).collect());
        let Some(at) = ids.iter().position(|one| *one == id) else {
            return;
        };
        let to = if down { at + 1 } else { at.wrapping_sub(1) };
        if to >= ids.len() {
            return;
        }
        ids.swap(at, to);
        let key = self.key.get_value();
        let order = TriggerOrder { ids };
        let triggers = self.triggers;
        self.act(send::<Triggers>(Op::OrderTriggers, &[&key], &order), move |now| {
            triggers.put(now)
        });
    }

    fn duplicate(self, trigger: Trigger) {
        let name = fill(t().triggers.copy_of, &[("name", &trigger.spec.name)]);
        let spec = TriggerSpec {
            name,
            enabled: false,
            ..trigger.spec
        };
        let key = self.key.get_value();
        self.act(send::<SavedTrigger>(Op::AddTrigger, &[&key], &spec), |_| {});
    }
}

/// A site's triggers with what can be done to them.
pub fn list(key: String) -> impl IntoView {
    let app = app();
    let g = &t().triggers;
    let key = StoredValue::new(key);
    let triggers = load(move || {
        app.live.triggers.track();
        ask::<Triggers>(Op::Triggers, &[&key.get_value()])
    });
    let list = List {
        key,
        triggers,
        submit: Submit::new(),
    };
    let removing = RwSignal::new(None::<Trigger>);
    let importing = RwSignal::new(false);
    view! {
        <section class="card">
            <div class="card-head">
                <span class="muted small num">{move || triggers.map(|all| all.triggers.len().to_string())}</span>
                <div class="row wrap">
                    <button class="button" type="button" on:click=move |_| transfer::export(key)>{small_icon(Icon::Download)}{g.export}</button>
                    {move || app.is_owner().then(|| view! {
                        <button class="button" type="button" on:click=move |_| importing.set(true)>{small_icon(Icon::Upload)}{g.import}</button>
                        {link_button(&Route::Trigger { site: key.get_value(), id: None }, "button primary", view! { {small_icon(Icon::Plus)}{g.add} })}
                    })}
                </div>
            </div>
            <div class="card-body flush">
                {triggers.view(move |all| {
                    let none = memo(move || all.with(|all| all.triggers.is_empty()));
                    move || match none.get() {
                        true => empty(Icon::Triggers, g.empty, g.empty_text, ()),
                        false => table(list, all, removing).into_any(),
                    }
                })}
            </div>
            {wide_modal(importing, g.import_title, move || transfer::import(key, triggers, importing))}
            {remove_dialog(list, removing)}
        </section>
    }
}

fn table(list: List, all: Loaded<Triggers>, removing: RwSignal<Option<Trigger>>) -> impl IntoView {
    let g = &t().triggers;
    view! {
        <table class="table">
            <thead><tr>
                <th scope="col"><span class="sr">{g.enabled}</span></th><th scope="col">{t().common.name}</th>
                <th scope="col" class="wide">{g.sends}</th><th scope="col" class="wide">{g.last_fired}</th>
                <th scope="col" class="wide"><span class="sr">{t().common.actions}</span></th>
            </tr></thead>
            <tbody>{each(move || all.get().triggers, |trigger| (trigger.id.clone(), trigger.version, trigger.fired, trigger.last_problem.clone()), move |trigger| row(list, trigger, removing))}</tbody>
        </table>
    }
}

/// What sets a trigger off, in a few words.
fn source_words(source: &Source) -> AnyView {
    let g = &t().triggers;
    let (kind, what) = match source {
        Source::Action { hook, .. } => (g.kind_action, hook.clone()),
        Source::PostType { post_type } => (g.kind_post_type, post_type.clone()),
        Source::Option { option } => (g.kind_option, option.clone()),
        Source::Webhook { .. } => (g.kind_webhook, String::new()),
        Source::Dispatch { event } => (g.kind_dispatch, event.clone().unwrap_or_default()),
    };
    view! { <span class="cell-sub">{kind}" "<span class="mono anywhere">{what}</span></span> }.into_any()
}

fn row(list: List, trigger: Trigger, removing: RwSignal<Option<Trigger>>) -> impl IntoView {
    let app = app();
    let g = &t().triggers;
    let edit = Route::Trigger {
        site: list.key.get_value(),
        id: Some(trigger.id.clone()),
    };
    let name = trigger.spec.name.clone();
    let on = Signal::stored(trigger.spec.enabled);
    let kept = StoredValue::new(trigger.clone());
    let button = move |label: String, sign: Icon, act: Callback<Trigger>| {
        view! {
            <button class="button quiet icon small" type="button" title=label.clone() aria-label=label on:click=move |_| act.run(kept.get_value())>{small_icon(sign)}</button>
        }
    };
    let named = |text: &str| fill(text, &[("name", &name)]);
    let (up, down, copy, away) = (
        named(g.move_up),
        named(g.move_down),
        format!("{}: {name}", g.duplicate),
        format!("{}: {name}", g.delete),
    );
    view! {
        <tr>
            <td class="fit">{switch(named(g.enable_n), true, on, Signal::derive(move || !app.is_owner()), Callback::new(move |on| list.enable(kept.get_value(), on)))}</td>
            <td>
                <a class="cell-main anywhere" href=edit.href()>{trigger.spec.name.clone()}</a>{source_words(&trigger.spec.source)}
                {trigger.last_problem.clone().map(|why| view! { <span class="cell-sub warn-text">{fill(g.problem, &[("why", &why)])}</span> })}
            </td>
            <td class="wide"><span class="chip">{trigger.spec.channel.clone()}</span>" "<span class="mono anywhere">{trigger.spec.event.clone()}</span></td>
            <td class="wide nowrap">{ago_or(trigger.last_fired_at, t().common.never)}<span class="cell-sub num">{fill(g.fired_n, &[("n", &format::count(trigger.fired))])}</span></td>
            <td class="wide fit">
                {move || app.is_owner().then(|| view! {
                    {button(up.clone(), Icon::Up, Callback::new(move |trigger: Trigger| list.shift(trigger.id, false)))}
                    {button(down.clone(), Icon::Down, Callback::new(move |trigger: Trigger| list.shift(trigger.id, true)))}
                    {button(copy.clone(), Icon::Copy, Callback::new(move |trigger| list.duplicate(trigger)))}
                    {button(away.clone(), Icon::Trash, Callback::new(move |trigger| removing.set(Some(trigger))))}
                })}
            </td>
        </tr>
    }
}

fn remove_dialog(list: List, removing: RwSignal<Option<Trigger>>) -> impl IntoView {
    let open = RwSignal::new(false);
    effect(move || open.set(removing.with(Option::is_some)));
    effect(move || {
        // Only once: setting it again would wake the effect above, and that one this.
        if !open.get() && removing.with_untracked(Option::is_some) {
            removing.set(None);
        }
    });
    view! {
        {modal(open, t().triggers.delete_title, move || removing.get().map(|trigger| remove_form(list.key, trigger, list.submit, open, Callback::new(move |()| list.triggers.reload()))))}
    }
}

/// Asks once more before a trigger is gone.
fn remove_form(
    key: StoredValue<String>,
    trigger: Trigger,
    submit: Submit,
    open: RwSignal<bool>,
    then: Callback<()>,
) -> impl IntoView {
    let g = &t().triggers;
    let id = trigger.id.clone();
    let remove = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let id = id.clone();
        submit.run(
            ask::<Done>(Op::RemoveTrigger, &[&key.get_value(), &id]),
            move |_| {
                app().toasts.ok(g.deleted);
                open.set(false);
                then.run(());
            },
        );
    };
    view! {
        <form class="form" on:submit=remove>
            <p>{fill(g.delete_text, &[("name", &trigger.spec.name)])}</p>
            {submit.note()}
            <div class="form-foot">
                <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                {submit.button_of_class(g.delete, "button danger")}
            </div>
        </form>
    }
}

fn to_list(key: &str) {
    route::go(&Route::Triggers {
        site: Some(key.to_owned()),
    });
}
