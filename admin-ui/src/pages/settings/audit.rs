//! The audit log, a page at a time.

use crate::api::ask_with;
use crate::text::t;
use crate::ui::{Icon, Submit, empty, flush_card, load, moment};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::tools::{AuditEntry, AuditLog};

const PAGE: usize = 50;

pub fn tab() -> impl IntoView {
    let s = &t().settings;
    let log = load(|| ask_with::<AuditLog>(Op::Audit, &[], &format!("?limit={PAGE}")));
    let submit = Submit::new();
    let more = move |_| {
        let Some(before) = log.get_untracked().and_then(|log| log.next_before) else {
            return;
        };
        submit.run(
            ask_with::<AuditLog>(Op::Audit, &[], &format!("?limit={PAGE}&before={before}")),
            move |older| {
                log.update(|log| {
                    log.entries.extend(older.entries);
                    log.next_before = older.next_before;
                })
            },
        );
    };
    let row = |entry: AuditEntry| {
        view! {
            <tr>
                <td class="nowrap">{moment(entry.at)}</td>
                <td><span class="anywhere">{entry.actor}</span><span class="cell-sub mono anywhere">{entry.address}</span></td>
                <td><span class="mono strong">{entry.action}</span><span class="cell-sub anywhere">{entry.subject}</span><span class="small anywhere" lang="en">{entry.details}</span></td>
            </tr>
        }
    };
    view! {
        <p class="muted">{s.audit_text}</p>
        {flush_card(s.audit, (), log.view(move |log| move || match log.with(|log| log.entries.is_empty()) {
            true => empty(Icon::Edit, s.audit_empty, s.audit_empty_text, ()),
            false => view! {
                <table class="table">
                    <thead><tr><th scope="col">{t().common.time}</th><th scope="col">{s.audit_who}</th><th scope="col">{s.audit_what}</th></tr></thead>
                    <tbody>{each(move || log.get().entries, |entry| entry.id, row)}</tbody>
                </table>
                {submit.note()}
                {move || log.with(|log| log.next_before).map(|_| view! {
                    <div class="card-foot"><button class="button" type="button" disabled=move || submit.busy.get() on:click=more>{s.audit_more}</button></div>
                })}
            }.into_any(),
        }))}
    }
}
