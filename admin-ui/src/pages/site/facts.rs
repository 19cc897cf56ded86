//! The first tab: usage against limits, the last month, what the site is.

use crate::api::{ask, ask_with};
use crate::app::app;
use crate::format;
use crate::text::{fill, t};
use crate::ui::{Loaded, Tone, ago_or, card, code_block, copy_button, load, moment, note};
use crate::view::prelude::*;
use hookcast_api::insight::SiteTick;
use hookcast_api::routes::Op;
use hookcast_api::site::{Site, Usage, UsageDay, WpConfig};

pub fn tab(site: Loaded<Site>) -> impl IntoView {
    let s = &t().sites;
    let key = StoredValue::new(site.with_untracked(|site| site.site_key.clone()));
    let usage = load(move || ask_with::<Usage>(Op::SiteUsage, &[&key.get_value()], "?days=30"));
    let config = load(move || ask::<WpConfig>(Op::SiteWpConfig, &[&key.get_value()]));
    view! {
        {tiles(key, site)}
        {card(s.usage, (), view! { <p class="small muted">{s.usage_days}</p> {usage.view(days)} })}
        <div class="two">
            {card(s.facts, (), facts(site))}
            {card(s.wp_config, (), view! {
                <p class="muted">{s.wp_config_text}</p>
                {config.view(move |config| code_block(t().gate.wp_config_label, Signal::derive(move || config.with(|config| config.lines.clone()))))}
            })}
        </div>
    }
}

fn tiles(key: StoredValue<String>, site: Loaded<Site>) -> impl IntoView {
    let app = app();
    let (s, o) = (&t().sites, &t().overview);
    let now = move |read: fn(&SiteTick) -> f64| {
        app.live.tick.with(|tick| {
            tick.sites
                .iter()
                .find(|one| key.with_value(|key| one.site_key == *key))
                .map(read)
        })
    };
    let connections = memo(move || {
        now(|tick| (tick.sockets + tick.streams) as f64)
            .map_or_else(|| site.with(|site| site.connections), |now| now as u64)
    });
    let tile = |title: &'static str, value: AnyView, below: AnyView| {
        view! {
            <section class="card tile"><h2 class="tile-label">{title}</h2><div class="tile-value">{value}</div><div class="tile-legend">{below}</div></section>
        }
    };
    view! {
        <div class="tiles">
            {tile(
                s.connections_now,
                (move || format::count(connections.get())).into_any(),
                (move || limit(connections.get(), site.with(|site| site.limits.connections.map(u64::from)))).into_any(),
            )}
            {tile(
                s.rate,
                (move || format::rate(now(|tick| tick.publishes_per_second).unwrap_or(0.0))).into_any(),
                (move || view! { <span class="key s2">{format::rate(now(|tick| tick.deliveries_per_second).unwrap_or(0.0))}" "{o.deliveries_out}{o.per_second}</span> }).into_any(),
            )}
            {tile(
                s.month,
                (move || format::count(site.with(|site| site.published_this_month))).into_any(),
                (move || site.with(|site| limit(site.published_this_month, site.limits.messages_per_month))).into_any(),
            )}
            {tile(
                o.problems,
                (move || format::count(now(|tick| (tick.drops + tick.refusals) as f64).unwrap_or(0.0) as u64)).into_any(),
                (move || view! {
                    <span class="key s3">{format::count(now(|tick| tick.drops as f64).unwrap_or(0.0) as u64)}" "{o.drops}</span>
                    <span class="key s4">{format::count(now(|tick| tick.refusals as f64).unwrap_or(0.0) as u64)}" "{o.refusals}</span>
                }).into_any(),
            )}
        </div>
    }
}

fn limit(now: u64, limit: Option<u64>) -> AnyView {
    let s = &t().sites;
    match limit {
        Some(limit) if limit > 0 => {
            let share = (now as f64 / limit as f64).min(1.0) * 100.0;
            let class = match share {
                s if s >= 95.0 => "meter bad grow",
                s if s >= 80.0 => "meter warn grow",
                _ => "meter grow",
            };
            view! {
                <span class=class aria-hidden="true"><span style:width=format!("{}%", format::tenths(share))></span></span>
                <span>{fill(s.of_limit, &[("limit", &format::count(limit))])}</span>
            }
            .into_any()
        }
        Some(_) => s.unlimited.into_any(),
        None => s.limit_default.into_any(),
    }
}

fn days(usage: Loaded<Usage>) -> impl IntoView {
    let s = &t().sites;
    let highest = move || usage.with(|usage| usage.days.iter().map(|day| day.publishes).max().unwrap_or(0));
    let bar = |day: UsageDay, highest: u64| {
        let text = fill(
            s.usage_day,
            &[
                ("day", &format::day(&day.day)),
                ("n", &format::count(day.publishes)),
                ("deliveries", &format::count(day.deliveries)),
                ("peak", &format::count(day.connections_peak)),
            ],
        );
        let said = text.clone();
        let height = day.publishes as f64 * 100.0 / highest.max(1) as f64;
        view! { <li class="bar" title=text style:height=format!("{}%", format::tenths(height))><span class="sr">{said}</span></li> }
    };
    move || {
        match highest() {
        0 => view! { <p class="muted">{s.usage_none}</p> }.into_any(),
        highest => view! {
            <ol class="bars plain">{usage.get().days.into_iter().map(|day| bar(day, highest)).collect_view()}</ol>
            <div class="row between tiny muted" aria-hidden="true">
                <span>{usage.with(|usage| usage.days.first().map(|day| format::day(&day.day)))}</span>
                <span>{usage.with(|usage| usage.days.last().map(|day| format::day(&day.day)))}</span>
            </div>
        }
        .into_any(),
    }
    }
}

fn facts(site: Loaded<Site>) -> impl IntoView {
    let s = &t().sites;
    view! {
        <dl class="facts">
            <dt>{s.site_key}</dt>
            <dd class="row"><code>{move || site.with(|site| site.site_key.clone())}</code>{copy_button(t().common.copy, move || site.with_untracked(|site| site.site_key.clone()))}</dd>
            <dt>{s.site_id}</dt>
            <dd class="row"><code>{move || site.with(|site| site.site_id.clone())}</code>{copy_button(t().common.copy, move || site.with_untracked(|site| site.site_id.clone()))}</dd>
            <dt>{s.created}</dt><dd>{move || moment(site.with(|site| site.created_at))}</dd>
            <dt>{s.last_publish}</dt><dd>{move || ago_or(site.with(|site| site.last_publish_at), s.not_yet)}</dd>
            <dt>{s.last_browser}</dt><dd>{move || ago_or(site.with(|site| site.last_connection_at), s.not_yet)}</dd>
        </dl>
        {move || site.with(|site| site.previous_secrets_until).map(|until| note(Tone::Warn, view! { <p>{s.secrets_overlap}" "{moment(until)}</p> }))}
    }
}
