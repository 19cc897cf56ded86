//! The overview: numbers now, lines over the last minutes, what needs attention.

use crate::api::ask;
use crate::app::{App, app};
use crate::format;
use crate::pages::site::refusals::refusal_rows;
use crate::pages::sites::names;
use crate::route::{Route, SiteTab};
use crate::text::{fill, t};
use crate::ui::{
    Icon, Series, Tone, chart, clock, empty, flush_card, icon, link_button, load, page_head, pill,
    status_pill,
};
use crate::view::prelude::*;
use hookcast_api::insight::{Attention, HISTORY_SECONDS, Point, Severity, SiteTick};
use hookcast_api::routes::Op;
use hookcast_api::site::Sites;

/// Refusals and sites shown here; their own pages show the rest.
const SHOWN_MAX: usize = 6;

pub fn page() -> impl IntoView {
    let app = app();
    let sites = load(move || {
        app.live.sites.track();
        ask::<Sites>(Op::Sites, &[])
    });
    let no_sites = memo(move || sites.get().is_some_and(|sites| sites.sites.is_empty()));
    let names = Signal::derive(move || sites.map(names));
    view! {
        <div class="page">
            {page_head(t().common.overview, t().overview.lead, relay_line(app))}
            {move || no_sites.get().then(first)}
            {attention(app)}
            {tiles(app)}
            <div class="two">{busiest(app, names)}{shards(app)}</div>
            {refusals(app, names)}
        </div>
    }
}

fn first() -> impl IntoView {
    let o = &t().overview;
    view! {
        <section class="card">
            {empty(Icon::Sites, o.first_title, o.first_text, link_button(&Route::Guide { site: None }, "button primary", o.first_button))}
        </section>
    }
}

fn relay_line(app: App) -> impl IntoView {
    let o = &t().overview;
    let now = clock();
    move || {
        app.live.relay.get().map(|relay| {
            let tone = if relay.driver_reason.is_some() { Tone::Warn } else { Tone::Plain };
            view! {
                {pill(format!("hookcast {}", relay.version), Tone::Plain)}
                <span title=relay.driver_reason.clone()>{status_pill(relay.driver.clone(), tone)}</span>
                <span class="pill num">{o.uptime}" "{move || format::span(now.get().saturating_sub(relay.started_at))}</span>
            }
        })
    }
}

fn attention(app: App) -> impl IntoView {
    let o = &t().overview;
    let row = move |one: Attention| {
        let (tone, sign, word) = match one.severity {
            Severity::Info => ("note", Icon::Info, o.severity_info),
            Severity::Warning => ("note warn", Icon::Warning, o.severity_warning),
            Severity::Critical => ("note bad", Icon::Warning, o.severity_critical),
        };
        view! {
            <div class=tone>
                {icon(sign)}
                <div class="grow">
                    {o.about(&one.code).map(|about| view! { <p class="strong">{about}</p> })}
                    <div lang="en">
                        <p class="strong"><span class="sr">{word}": "</span>{one.message.clone()}</p>
                        <p class="small">{one.remedy.clone()}</p>
                    </div>
                </div>
                {one.site_key.clone().map(|key| link_button(&Route::Site { key, tab: SiteTab::Refusals }, "button small", o.see_site))}
            </div>
        }
    };
    view! {
        <section class="stack tight" aria-label=o.attention>
            {each(move || app.live.attention.get(), |one| (one.code.clone(), one.site_key.clone(), one.message.clone()), row)}
        </section>
    }
}

/// One line of the history.
fn series(app: App, name: &'static str, show: fn(f64) -> String, read: fn(&Point) -> Option<f64>) -> Series {
    let values = memo(move || {
        app.live
            .history
            .with(|history| history.iter().map(read).collect::<Vec<_>>())
    });
    Series {
        name,
        values: values.into(),
        show,
    }
}

fn tile(
    title: &'static str,
    value: impl IntoView + 'static,
    legend: impl IntoView + 'static,
    times: Signal<Vec<u64>>,
    lines: Vec<Series>,
) -> impl IntoView {
    view! {
        <section class="card tile">
            <h2 class="tile-label">{title}</h2>
            <div class="tile-value">{value}</div>
            <div class="tile-legend">{legend}</div>
            {chart(title, times, lines, HISTORY_SECONDS)}
        </section>
    }
}

fn tiles(app: App) -> impl IntoView {
    let o = &t().overview;
    let tick = app.live.tick;
    let times = Signal::from(memo(move || {
        app.live
            .history
            .with(|history| history.iter().map(|point| point.at).collect::<Vec<_>>())
    }));
    let whole = |value: f64| format::count(value as u64);
    let per_second = |value: f64| format!("{}/s", format::rate(value));
    let bytes_per_second = |value: f64| format!("{}/s", format::bytes(value as u64));
    let micros = |value: f64| format::micros(value as u64);

    let latency = move |read: fn(&hookcast_api::insight::Rates) -> Option<u64>| {
        tick.with(|tick| read(&tick.rates))
            .map(format::micros_parts)
            .map_or_else(
                || view! { <span class="muted">"–"</span> }.into_any(),
                |(amount, unit)| view! { {amount}<span class="unit">{unit}</span> }.into_any(),
            )
    };
    view! {
        <div class="tiles six">
            {tile(
                o.connections,
                move || tick.with(|tick| format::count(tick.totals.sockets + tick.totals.streams)),
                view! {
                    <span class="key">{o.websocket}" "{move || tick.with(|tick| format::count(tick.totals.sockets))}</span>
                    <span class="key s2">{o.streams}" "{move || tick.with(|tick| format::count(tick.totals.streams))}</span>
                },
                times,
                vec![
                    series(app, o.websocket, whole, |point| Some(point.sockets as f64)),
                    series(app, o.streams, whole, |point| Some(point.streams as f64)),
                ],
            )}
            {tile(
                o.messages_in,
                view! { {move || tick.with(|tick| format::rate(tick.rates.publishes))}<span class="unit">{o.per_second}</span> },
                view! { <span>{move || fill(o.total, &[("n", &tick.with(|tick| format::count(tick.totals.publishes)))])}</span> },
                times,
                vec![series(app, o.messages_in, per_second, |point| Some(point.rates.publishes))],
            )}
            {tile(
                o.deliveries_out,
                view! { {move || tick.with(|tick| format::rate(tick.rates.deliveries))}<span class="unit">{o.per_second}</span> },
                view! { <span>{move || fill(o.total, &[("n", &tick.with(|tick| format::count(tick.totals.deliveries)))])}</span> },
                times,
                vec![series(app, o.deliveries_out, per_second, |point| Some(point.rates.deliveries))],
            )}
            {tile(
                o.latency,
                move || latency(|rates| rates.latency_p50_us),
                view! {
                    <span class="key">{o.p50}</span>
                    <span class="key s2">{o.p99}" "{move || tick.with(|tick| tick.rates.latency_p99_us).map_or_else(|| "–".to_owned(), format::micros)}</span>
                },
                times,
                vec![
                    series(app, o.p50, micros, |point| point.rates.latency_p50_us.map(|us| us as f64)),
                    series(app, o.p99, micros, |point| point.rates.latency_p99_us.map(|us| us as f64)),
                ],
            )}
            {tile(
                o.problems,
                view! { {move || tick.with(|tick| format::rate(tick.rates.drops + tick.rates.refusals))}<span class="unit">{o.per_second}</span> },
                view! {
                    <span class="key s3">{move || tick.with(|tick| format::count(tick.totals.drops))}" "{o.drops}</span>
                    <span class="key s4">{move || tick.with(|tick| format::count(tick.totals.refusals))}" "{o.refusals}</span>
                },
                times,
                vec![
                    Series { name: "", values: Signal::stored(Vec::new()), show: per_second },
                    Series { name: "", values: Signal::stored(Vec::new()), show: per_second },
                    series(app, o.drops, per_second, |point| Some(point.rates.drops)),
                    series(app, o.refusals, per_second, |point| Some(point.rates.refusals)),
                ],
            )}
            {tile(
                o.traffic,
                view! { {move || tick.with(|tick| format::bytes(tick.rates.bytes_out as u64))}<span class="unit">{o.per_second}</span> },
                view! {
                    <span class="key">{o.bytes_out}" "{move || tick.with(|tick| format::bytes(tick.totals.bytes_out))}</span>
                    <span class="key s2">{o.bytes_in}" "{move || tick.with(|tick| format::bytes(tick.totals.bytes_in))}</span>
                },
                times,
                vec![
                    series(app, o.bytes_out, bytes_per_second, |point| Some(point.rates.bytes_out)),
                    series(app, o.bytes_in, bytes_per_second, |point| Some(point.rates.bytes_in)),
                ],
            )}
        </div>
    }
}

type Names = Signal<std::collections::HashMap<String, String>>;

fn busiest(app: App, names: Names) -> impl IntoView {
    let (o, s) = (&t().overview, &t().sites);
    let rows = memo(move || {
        let mut sites = app.live.tick.with(|tick| tick.sites.clone());
        sites.sort_by(|a, b| {
            b.publishes_per_second
                .total_cmp(&a.publishes_per_second)
                .then((b.sockets + b.streams).cmp(&(a.sockets + a.streams)))
                .then(b.publishes.cmp(&a.publishes))
        });
        sites.truncate(SHOWN_MAX);
        sites
    });
    let row = move |one: SiteTick| {
        let name = names
            .with(|names| names.get(&one.site_key).cloned())
            .unwrap_or_else(|| one.site_key.chars().take(8).collect());
        view! {
            <tr>
                <td><a href=Route::Site { key: one.site_key.clone(), tab: SiteTab::Overview }.href() class="cell-main anywhere">{name}</a></td>
                <td class="right num">{format::count(one.sockets + one.streams)}</td>
                <td class="right num">{format::rate(one.publishes_per_second)}</td>
                <td class="right num wide">{format::rate(one.deliveries_per_second)}</td>
            </tr>
        }
    };
    let body = move || {
        match rows.with(Vec::is_empty) {
        true => view! { <div class="empty"><p>{o.no_traffic}</p></div> }.into_any(),
        false => view! {
            <table class="table">
                <thead><tr>
                    <th scope="col">{t().common.site}</th><th scope="col" class="right">{s.connections_now}</th>
                    <th scope="col" class="right">{s.rate}</th><th scope="col" class="right wide">{o.deliveries_out}</th>
                </tr></thead>
                <tbody>{rows.get().into_iter().map(row).collect_view()}</tbody>
            </table>
        }
        .into_any(),
    }
    };
    flush_card(o.busiest, (), body)
}

fn shards(app: App) -> impl IntoView {
    let (o, s) = (&t().overview, &t().sites);
    let count = memo(move || app.live.tick.with(|tick| tick.shards.len()));
    let row = move |index: usize| {
        let cell = move |read: fn(&hookcast_api::insight::ShardTick) -> String| {
            move || app.live.tick.with(|tick| tick.shards.get(index).map(read))
        };
        view! {
            <tr>
                <td class="num strong">{cell(|shard| shard.shard.to_string())}</td>
                <td class="right num">{cell(|shard| format::count(shard.totals.sockets + shard.totals.streams))}</td>
                <td class="right num">{cell(|shard| format::rate(shard.rates.publishes))}</td>
                <td class="right num">{cell(|shard| format::rate(shard.rates.deliveries))}</td>
                <td class="right num wide">{cell(|shard| format::count(shard.channels))}</td>
                <td class="right num wide">{cell(|shard| format::bytes(shard.queued_bytes))}</td>
            </tr>
        }
    };
    flush_card(
        o.shards,
        (),
        view! {
            <table class="table">
                <thead><tr>
                    <th scope="col">{o.shard}</th><th scope="col" class="right">{s.connections_now}</th>
                    <th scope="col" class="right">{o.bytes_in}{o.per_second}</th><th scope="col" class="right">{o.bytes_out}{o.per_second}</th>
                    <th scope="col" class="right wide">{o.channels}</th><th scope="col" class="right wide">{o.queued}</th>
                </tr></thead>
                <tbody>{move || (0..count.get()).map(row).collect_view()}</tbody>
            </table>
            <p class="card-foot">{o.shards_hint}</p>
        },
    )
}

fn refusals(app: App, names: Names) -> impl IntoView {
    let o = &t().overview;
    let shown = Signal::derive(move || {
        app.live
            .refusals
            .with(|refusals| refusals.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>())
    });
    let body = move || match shown.with(Vec::is_empty) {
        true => view! { <div class="empty"><p>{o.no_refusals}</p></div> }.into_any(),
        false => refusal_rows(shown, Some(names)).into_any(),
    };
    flush_card(o.recent_refusals, (), body)
}
