//! What was refused, and why. The table is the overview's as well.

use crate::api::ask;
use crate::app::app;
use crate::route::{Route, SiteTab};
use crate::text::t;
use crate::ui::{Icon, Tone, ago, empty, load, pill};
use crate::view::prelude::*;
use hookcast_api::insight::{RefusalEntry, Refusals};
use hookcast_api::routes::Op;
use std::collections::HashMap;

pub fn tab(key: StoredValue<String>) -> impl IntoView {
    let app = app();
    let s = &t().sites;
    // The list is longer than what the stream carries; what the stream adds makes it read again.
    let newest = memo(move || {
        app.live
            .refusals
            .with(|refusals| refusals.first().map(|refusal| refusal.seq))
    });
    let refusals = load(move || {
        newest.track();
        ask::<Refusals>(Op::SiteRefusals, &[&key.get_value()])
    });
    view! {
        <p class="muted">{s.refusals_lead}</p>
        <section class="card"><div class="card-body flush">
            {refusals.view(move |refusals| {
                let none = memo(move || refusals.with(|refusals| refusals.refusals.is_empty()));
                move || match none.get() {
                    true => empty(Icon::Check, s.no_refusals, s.no_refusals_text, ()),
                    false => refusal_rows(Signal::derive(move || refusals.with(|refusals| refusals.refusals.clone())), None).into_any(),
                }
            })}
        </div></section>
    }
}

/// The table of refusals; with names, each says its site.
pub fn refusal_rows(
    refusals: Signal<Vec<RefusalEntry>>,
    names: Option<Signal<HashMap<String, String>>>,
) -> impl IntoView {
    let o = &t().overview;
    let site = move |key: Option<String>| {
        names.map(|names| match key {
            Some(key) => {
                let name = names.with(|names| names.get(&key).cloned()).unwrap_or_else(|| key.chars().take(8).collect());
                view! { <a class="cell-sub anywhere" href=Route::Site { key, tab: SiteTab::Refusals }.href()>{name}</a> }.into_any()
            }
            None => view! { <span class="cell-sub">{o.unknown_site}</span> }.into_any(),
        })
    };
    let row = move |one: RefusalEntry| {
        view! {
            <tr>
                <td class="nowrap">{ago(one.at)}</td>
                <td class="fit">{pill(one.surface, Tone::Plain)}</td>
                <td><span class="mono strong anywhere">{one.code}</span>{site(one.site_key)}<span class="cell-sub anywhere" lang="en">{one.message}</span></td>
                <td class="wide mono anywhere">{one.address}</td>
            </tr>
        }
    };
    view! {
        <table class="table">
            <thead><tr>
                <th scope="col">{t().common.time}</th><th scope="col">{o.refusal_surface}</th>
                <th scope="col">{o.refusal_why}</th><th scope="col" class="wide">{o.refusal_from}</th>
            </tr></thead>
            <tbody>{each(move || refusals.get(), |one| (one.seq, one.at), row)}</tbody>
        </table>
    }
}
