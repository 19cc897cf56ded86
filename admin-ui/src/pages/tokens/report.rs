//! What a token says, and what the relay makes of it.

use crate::format;
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{Icon, Tone, card, clock, json_block, moment, note};
use crate::view::prelude::*;
use hookcast_api::tools::{SignatureCheck, TokenReport};

pub fn card_of(report: TokenReport) -> impl IntoView {
    let k = &t().tokens;
    let verdict = match (&report.refusal, report.accepted) {
        (None, true) => note(Tone::Ok, view! { <p class="strong">{k.accepted}</p> }),
        (refusal, _) => {
            let refusal = refusal.clone();
            note(
                Tone::Bad,
                view! {
                    <p class="strong">{k.refused}</p>
                    {refusal.map(|refusal| view! {
                        <p lang="en">{refusal.message}</p>
                        <p class="small"><code>{refusal.code}</code>" "{fill(k.close_code, &[("code", &refusal.close_code.to_string())])}</p>
                    })}
                },
            )
        }
    };
    let signature = match report.signature {
        SignatureCheck::Current => view! { <span class="ok-text">{k.signature_current}</span> }.into_any(),
        SignatureCheck::Previous => {
            view! { <span class="warn-text">{k.signature_previous}</span> }.into_any()
        }
        SignatureCheck::Wrong => view! { <span class="bad-text">{k.signature_wrong}</span> }.into_any(),
        SignatureCheck::Unchecked => view! { <span class="muted">{k.signature_unchecked}</span> }.into_any(),
    };
    let skew = report.issued_ahead_seconds.unwrap_or_default();
    card(
        t().common.details,
        (),
        view! {
            {verdict}
            <dl class="facts">
                <dt>{k.signature}</dt><dd>{signature}</dd>
                {report.site_name.clone().map(|name| view! { <dt>{t().common.site}</dt><dd class="strong">{name}</dd> })}
                {report.user.clone().map(|user| view! { <dt>{k.user}</dt><dd>{user}</dd> })}
                {report.version.map(|version| view! { <dt>{k.version}</dt><dd class="num">{version.to_string()}</dd> })}
                {report.issued_at.map(|at| view! { <dt>{k.issued}</dt><dd>{moment(at)}</dd> })}
                {report.expires_at.map(|at| view! { <dt>{k.expires}</dt><dd>{moment(at)}" "{countdown(at, report.now)}</dd> })}
                <dt>{k.may_subscribe}</dt><dd>{prefixes(&report.may_subscribe)}</dd>
                <dt>{k.may_publish}</dt><dd>{prefixes(&report.may_publish)}</dd>
            </dl>
            {(skew > 0).then(|| note(Tone::Warn, view! { <p>{fill(k.skew, &[("n", &skew.to_string())])}</p> }))}
            {(!report.channels.is_empty()).then(|| view! {
                <table class="table">
                    <thead><tr><th scope="col">{t().sites.channel}</th><th scope="col">{k.may_subscribe}</th><th scope="col">{k.may_publish}</th></tr></thead>
                    <tbody>{report.channels.clone().into_iter().map(|one| view! {
                        <tr><td><span class="chip">{one.channel}</span></td><td>{yes_no(one.subscribe)}</td><td>{yes_no(one.publish)}</td></tr>
                    }).collect_view()}</tbody>
                </table>
            })}
            {report.header.clone().map(|header| view! { <h3>{k.header}</h3>{json_block(k.header, Signal::stored(header))} })}
            {report.claims.clone().map(|claims| view! { <h3>{k.claims}</h3>{json_block(k.claims, Signal::stored(claims))} })}
        },
    )
}

/// Counts by the relay's clock, not by this machine's.
fn countdown(expires: u64, relay_now: u64) -> impl IntoView {
    let k = &t().tokens;
    let ticking = clock();
    let read_at = format::now();
    move || {
        let now = relay_now + ticking.get().saturating_sub(read_at);
        match expires.checked_sub(now) {
            Some(left) if left > 0 => view! { <span class="pill ok num">{fill(k.expires_in, &[("span", &format::span(left))])}</span> }.into_any(),
            _ => view! { <span class="pill bad num">{fill(k.expired, &[("span", &format::span(now.saturating_sub(expires)))])}</span> }.into_any(),
        }
    }
}

fn prefixes(prefixes: &[String]) -> AnyView {
    let k = &t().tokens;
    if prefixes.is_empty() {
        return view! { <span class="muted">{k.nothing}</span> }.into_any();
    }
    let chip = |prefix: &String| match prefix.as_str() {
        "" => view! { <span>{k.every_channel}</span> }.into_any(),
        prefix => view! { <span class="chip">{fill(k.prefix, &[("prefix", prefix)])}</span> }.into_any(),
    };
    view! { <span class="row wrap">{prefixes.iter().map(chip).collect_view()}</span> }.into_any()
}

fn yes_no(yes: bool) -> AnyView {
    let k = &t().tokens;
    match yes {
        true => view! { <span class="row ok-text">{small_icon(Icon::Check)}{k.allowed}</span> }.into_any(),
        false => view! { <span class="row bad-text">{small_icon(Icon::Cross)}{k.denied}</span> }.into_any(),
    }
}
