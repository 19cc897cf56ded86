//! Small things that many pages use: page heads, empty states, notes, pills, times, tables' heads.

use super::icon::{Icon, icon, large_icon, small_icon};
use crate::browser::every;
use crate::format;
use crate::route::Route;
use crate::text::t;
use crate::view::prelude::*;
use std::time::Duration;

/// The title of a page, for the tab as well, with what can be done there.
pub fn page_head(
    title: impl Into<String>,
    lead: impl Into<String>,
    actions: impl IntoView + 'static,
) -> AnyView {
    let title = title.into();
    let lead = lead.into();
    crate::browser::set_title(&title);
    view! {
        <header class="page-head">
            <div class="grow"><h1>{title}</h1>{(!lead.is_empty()).then(|| view! { <p>{lead}</p> })}</div>
            <div class="row wrap">{actions}</div>
        </header>
    }
    .into_any()
}

pub fn card(
    title: impl Into<String>,
    actions: impl IntoView + 'static,
    body: impl IntoView + 'static,
) -> AnyView {
    card_with(title.into(), actions.into_any(), "card-body", body.into_any())
}

/// A card whose body is a table or list that reaches its edges.
pub fn flush_card(
    title: impl Into<String>,
    actions: impl IntoView + 'static,
    body: impl IntoView + 'static,
) -> AnyView {
    card_with(
        title.into(),
        actions.into_any(),
        "card-body flush",
        body.into_any(),
    )
}

fn card_with(title: String, actions: AnyView, body_class: &'static str, body: AnyView) -> AnyView {
    view! {
        <section class="card">
            <div class="card-head"><h2>{title}</h2><div class="row wrap">{actions}</div></div>
            <div class=body_class>{body}</div>
        </section>
    }
    .into_any()
}

/// Nothing here yet, and what to do about it.
pub fn empty(
    of: Icon,
    title: impl Into<String>,
    text: impl Into<String>,
    next: impl IntoView + 'static,
) -> AnyView {
    view! {
        <div class="empty">{large_icon(of)}<h3>{title.into()}</h3><p>{text.into()}</p>{next}</div>
    }
    .into_any()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Accent,
    Ok,
    Warn,
    Bad,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Accent => "accent",
            Tone::Ok => "ok",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
        }
    }
}

pub fn pill(text: impl Into<String>, tone: Tone) -> AnyView {
    view! { <span class=format!("pill {}", tone.class())>{text.into()}</span> }.into_any()
}

pub fn status_pill(text: impl Into<String>, tone: Tone) -> AnyView {
    view! { <span class=format!("pill dot {}", tone.class())>{text.into()}</span> }.into_any()
}

pub fn note(tone: Tone, body: impl IntoView + 'static) -> AnyView {
    let sign = match tone {
        Tone::Ok => Icon::Check,
        Tone::Warn | Tone::Bad => Icon::Warning,
        Tone::Plain | Tone::Accent => Icon::Info,
    };
    view! { <div class=format!("note {}", tone.class())>{icon(sign)}<div class="grow">{body}</div></div> }
        .into_any()
}

/// A link that looks like a button.
pub fn link_button(to: &Route, class: &'static str, body: impl IntoView + 'static) -> AnyView {
    view! { <a class=class href=to.href()>{body}</a> }.into_any()
}

pub fn back_link(to: &Route, text: impl Into<String>) -> AnyView {
    view! { <a class="crumb" href=to.href()>{small_icon(Icon::Back)}{text.into()}</a> }.into_any()
}

/// The browser's clock, each second: for ages and countdowns.
pub fn clock() -> ReadSignal<u64> {
    let (now, set_now) = signal(format::now());
    keep_with_owner(every(Duration::from_secs(1), move || set_now.set(format::now())));
    now
}

/// How long ago, with the exact time for who asks.
pub fn ago(at: u64) -> AnyView {
    let now = format::now();
    view! { <time datetime=iso(at) title=format::exact(at)>{format::since(at, now)}</time> }.into_any()
}

pub fn ago_or(at: Option<u64>, never: &'static str) -> AnyView {
    match at {
        Some(at) => ago(at),
        None => view! { <span class="muted">{never}</span> }.into_any(),
    }
}

pub fn moment(at: u64) -> AnyView {
    view! { <time datetime=iso(at) title=format::exact(at)>{format::moment(at)}</time> }.into_any()
}

fn iso(at: u64) -> String {
    js_sys::Date::new(&(at as f64).into()).to_iso_string().into()
}

/// A search box.
pub fn search(label: &'static str, value: RwSignal<String>) -> AnyView {
    view! {
        <div class="search grow">
            {small_icon(Icon::Search)}
            <input class="input" type="search" placeholder=label aria-label=label autocomplete="off"
                prop:value=move || value.get() on:input=move |event| value.set(event_target_value(&event)) />
        </div>
    }
    .into_any()
}

/// A yes-or-no question as a few words that lead on; used where an owner's rights are needed and the reader is a viewer.
pub fn viewers_only_look() -> AnyView {
    note(Tone::Accent, view! { <p>{t().common.viewer_note}</p> })
}

/// Which way a table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorting<C> {
    pub column: C,
    pub falling: bool,
}

/// The head of a sortable column.
pub fn sort_head<C: Copy + PartialEq + Send + Sync + 'static>(
    label: &'static str,
    column: C,
    class: &'static str,
    sorting: RwSignal<Sorting<C>>,
) -> AnyView {
    let direction = move || {
        sorting.with(|now| match (now.column == column, now.falling) {
            (false, _) => "none",
            (true, true) => "descending",
            (true, false) => "ascending",
        })
    };
    let turn = move |_| {
        sorting.update(|now| {
            *now = Sorting {
                column,
                falling: if now.column == column { !now.falling } else { true },
            };
        });
    };
    view! {
        <th scope="col" class=class aria-sort=direction>
            <button class="sort" type="button" on:click=turn>{label}{small_icon(Icon::Down)}</button>
        </th>
    }
    .into_any()
}
