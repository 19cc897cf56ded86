//! Who is connected: a table that follows the stream, sortable, searchable, a row opens.

use crate::api::ask;
use crate::app::app;
use crate::format;
use crate::live::Want;
use crate::pages::sites::names;
use crate::route::Route;
use crate::text::{fill, t};
use crate::ui::{
    Icon, Sorting, Submit, Tone, empty, load, modal, moment, page_head, pill, search, sort_head,
};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::insight::{Connection, Transport};
use hookcast_api::routes::Op;
use hookcast_api::site::Sites;
use std::cmp::Ordering;
use std::collections::HashMap;

pub fn page(site: Option<String>) -> impl IntoView {
    let app = app();
    app.live.want(Want {
        log: false,
        connections: true,
        site: site.clone(),
    });
    on_cleanup(move || app.live.want(Want::default()));
    view! {
        <div class="page">
            {page_head(t().common.connections, t().sites.connections_lead, super::events::site_choice(site.clone(), |site| Route::Connections { site }))}
            {table(site)}
        </div>
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    User,
    Opened,
    Bytes,
    Lag,
    Channels,
}

fn compare(column: Column, a: &Connection, b: &Connection) -> Ordering {
    match column {
        Column::User => b.user.cmp(&a.user),
        // The youngest connection is the smallest age.
        Column::Opened => b.opened_at.cmp(&a.opened_at),
        Column::Bytes => (a.bytes_out).cmp(&b.bytes_out),
        Column::Lag => (a.lag_ms, a.queued_bytes).cmp(&(b.lag_ms, b.queued_bytes)),
        Column::Channels => a.channels.len().cmp(&b.channels.len()),
    }
}

/// The table, for a page that asked the stream for connections.
pub fn table(site: Option<String>) -> impl IntoView {
    let app = app();
    let s = &t().sites;
    let wanted = RwSignal::new(String::new());
    let sorting = RwSignal::new(Sorting {
        column: Column::Opened,
        falling: false,
    });
    let (open, chosen) = (RwSignal::new(false), RwSignal::new(None::<Connection>));
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    let names = Signal::derive(move || sites.map(names));
    let with_site = site.is_none();
    let shown = memo(move || {
        let search = wanted.get().to_lowercase();
        let Sorting { column, falling } = sorting.get();
        app.live.connections.with(|all| {
            let fits = |one: &&Connection| {
                search.is_empty()
                    || one.user.to_lowercase().contains(&search)
                    || one.address.contains(&search)
                    || one.id.contains(&search)
                    || one
                        .channels
                        .iter()
                        .any(|channel| channel.to_lowercase().contains(&search))
            };
            let mut shown: Vec<Connection> = all
                .iter()
                .flat_map(|all| &all.connections)
                .filter(fits)
                .cloned()
                .collect();
            shown.sort_by(|a, b| {
                let order = compare(column, a, b).then_with(|| a.id.cmp(&b.id));
                if falling { order.reverse() } else { order }
            });
            shown
        })
    });
    let total = memo(move || app.live.connections.with(|all| all.as_ref().map(|all| all.total)));
    // An open row goes on living with the stream.
    let latest = memo(move || {
        let id = chosen.with(|chosen| chosen.as_ref().map(|one| one.id.clone()))?;
        app.live
            .connections
            .with(|all| all.as_ref()?.connections.iter().find(|one| one.id == id).cloned())
    });
    let choose = Callback::new(move |one: Connection| {
        chosen.set(Some(one));
        open.set(true);
    });
    let body = move || {
        match total.get() {
        None => view! { <div class="card-body"><div class="skeleton block" role="status" aria-label=t().common.loading></div></div> }.into_any(),
        Some(0) => empty(Icon::Connections, s.no_connections, s.no_connections_text, ()),
        Some(_) => view! {
            <table class="table">
                <thead><tr>
                    {sort_head(s.user, Column::User, "", sorting)}
                    <th scope="col" class="wide">{s.transport}</th>
                    <th scope="col" class="wide">{s.address}</th>
                    {sort_head(s.channels, Column::Channels, "right wide", sorting)}
                    {sort_head(s.age, Column::Opened, "right", sorting)}
                    {sort_head(s.bytes, Column::Bytes, "right wide", sorting)}
                    {sort_head(s.lag, Column::Lag, "right", sorting)}
                </tr></thead>
                <tbody>{each(move || shown.get(), |one| one.clone().id, move |one| row(one.id, shown, names, with_site, choose))}</tbody>
            </table>
            {move || shown.with(Vec::is_empty).then(|| empty(Icon::Search, s.no_match, "", ()))}
        }
        .into_any(),
    }
    };
    view! {
        <section class="card">
            <div class="card-head">
                {search(s.connections_search, wanted)}
                <span class="small muted num" role="status">{move || total.get().map(|total| fill(s.connections_shown, &[("shown", &format::count(shown.with(|shown| shown.len() as u64))), ("total", &format::count(total))]))}</span>
            </div>
            <div class="card-body flush">{body}</div>
        </section>
        {modal(open, s.connection, move || chosen.get().map(|one| details(one, latest, open)))}
    }
}

fn user(one: &Connection) -> String {
    let s = &t().sites;
    match one.user.as_str() {
        "" | "0" => s.visitor.to_owned(),
        id => fill(s.user_n, &[("id", id)]),
    }
}

fn transport(one: &Connection) -> AnyView {
    let o = &t().overview;
    match one.transport {
        Transport::WebSocket => pill(o.websocket, Tone::Accent),
        Transport::Sse => pill(o.streams, Tone::Ok),
        Transport::Raw => pill(t().sites.transport_raw, Tone::Warn),
    }
}

fn lag(one: &Connection) -> String {
    let s = &t().sites;
    match (one.lag_ms, one.queued_bytes) {
        (0, 0) => s.no_lag.to_owned(),
        (ms, bytes) => fill(
            s.lag_value,
            &[("ms", &format::count(ms)), ("bytes", &format::bytes(bytes))],
        ),
    }
}

/// The row stays while its connection does; only the cells that move are written again.
fn row(
    id: String,
    shown: Memo<Vec<Connection>>,
    names: Signal<HashMap<String, String>>,
    with_site: bool,
    choose: Callback<Connection>,
) -> impl IntoView {
    let id = StoredValue::new(id);
    let find = move |all: &Vec<Connection>| id.with_value(|id| all.iter().find(|one| one.id == *id).cloned());
    let first = shown.with_untracked(find).expect("a row is made from the list");
    let cell = move |read: fn(&Connection) -> String| {
        memo(move || {
            shown.with(|all| {
                id.with_value(|id| all.iter().find(|one| one.id == *id).map(read))
                    .unwrap_or_default()
            })
        })
    };
    let (channels, bytes, lag) = (
        cell(|one| format::count(one.channels.len() as u64)),
        cell(|one| format::bytes(one.bytes_out)),
        cell(lag),
    );
    let age = cell(|one| format::span(format::now().saturating_sub(one.opened_at)));
    let key = first.site_key.clone();
    let name = move || names.with(|names| names.get(&key).cloned()).unwrap_or_default();
    view! {
        <tr class="opens" on:click=move |_| if let Some(one) = shown.with_untracked(find) { choose.run(one) }>
            <td>
                <button class="plain-button cell-main" type="button" aria-haspopup="dialog">{user(&first)}</button>
                {with_site.then(|| view! { <span class="cell-sub">{name}</span> })}
            </td>
            <td class="wide fit">{transport(&first)}</td>
            <td class="wide mono anywhere">{first.address.clone()}</td>
            <td class="right num wide">{channels}</td>
            <td class="right num nowrap">{age}</td>
            <td class="right num wide nowrap">{bytes}</td>
            <td class="right num">{lag}</td>
        </tr>
    }
}

fn details(chosen: Connection, latest: Memo<Option<Connection>>, open: RwSignal<bool>) -> impl IntoView {
    let app = app();
    let s = &t().sites;
    let now = move || latest.get().unwrap_or_else(|| chosen.clone());
    let submit = Submit::new();
    let now = StoredValue::new(now);
    let current = move || now.with_value(|now| now());
    let disconnect = move |_| {
        let id = current().id;
        submit.run(ask::<Done>(Op::Disconnect, &[&id]), move |_| {
            open.set(false);
            app.toasts.ok(s.disconnected);
        });
    };
    let chips = |names: Vec<String>| view! { <div class="row wrap">{names.into_iter().map(|name| view! { <span class="chip">{name}</span> }).collect_view()}</div> };
    view! {
        {move || latest.with(Option::is_none).then(|| view! { <p class="warn-text" role="status">{s.connection_gone}</p> })}
        <dl class="facts">
            <dt>{s.user}</dt><dd>{move || user(&current())}</dd>
            <dt>{s.transport}</dt><dd>{move || transport(&current())}</dd>
            <dt>{s.address}</dt><dd class="mono">{move || current().address}</dd>
            <dt>{s.connection_id}</dt><dd class="mono">{move || current().id}</dd>
            <dt>{s.shard}</dt><dd class="num">{move || current().shard.to_string()}</dd>
            <dt>{s.age}</dt><dd>{move || moment(current().opened_at)}</dd>
            <dt>{s.token_expires}</dt><dd>{move || current().token_expires_at.map_or_else(|| t().common.never.into_any(), moment)}</dd>
            <dt>{s.channels}</dt><dd>{move || chips(current().channels)}</dd>
            <dt>{s.present_in}</dt><dd>{move || match current().present_in { none if none.is_empty() => t().common.none.into_any(), names => chips(names).into_any() }}</dd>
            <dt>{s.bytes_out}</dt><dd class="num">{move || format::bytes(current().bytes_out)}</dd>
            <dt>{s.bytes_in}</dt><dd class="num">{move || format::bytes(current().bytes_in)}</dd>
            <dt>{s.lag}</dt><dd class="num">{move || lag(&current())}</dd>
            <dt>{s.dropped}</dt><dd class="num">{move || format::count(current().dropped)}</dd>
        </dl>
        {submit.note()}
        {move || app.is_owner().then(|| view! {
            <div class="form-foot">
                <button class="button danger" type="button" disabled=move || submit.busy.get() || latest.with(Option::is_none) on:click=disconnect>{s.disconnect}</button>
            </div>
        })}
    }
}
