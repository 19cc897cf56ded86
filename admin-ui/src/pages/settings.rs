//! Settings: one tab a subject.

mod account;
mod audit;
mod config;
mod doctor;
mod keys;
mod users;

use crate::route::{Route, SettingsTab};
use crate::text::t;
use crate::ui::page_head;
use crate::view::prelude::*;

pub fn page(tab: SettingsTab) -> impl IntoView {
    let s = &t().settings;
    let label = |tab: SettingsTab| match tab {
        SettingsTab::Account => s.account,
        SettingsTab::Users => s.users,
        SettingsTab::Keys => s.keys,
        SettingsTab::Config => s.config,
        SettingsTab::Doctor => s.doctor,
        SettingsTab::Audit => s.audit,
    };
    view! {
        <div class="page">
            {page_head(t().common.settings, s.lead, ())}
            <nav class="tabs" aria-label=s.tabs>
                {SettingsTab::ALL.iter().map(|one| view! {
                    <a href=Route::Settings { tab: *one }.href() aria-current=(*one == tab).then_some("page")>{label(*one)}</a>
                }).collect_view()}
            </nav>
            {match tab {
                SettingsTab::Account => account::tab().into_any(),
                SettingsTab::Users => users::tab().into_any(),
                SettingsTab::Keys => keys::tab().into_any(),
                SettingsTab::Config => config::tab().into_any(),
                SettingsTab::Doctor => doctor::tab().into_any(),
                SettingsTab::Audit => audit::tab().into_any(),
            }}
        </div>
    }
}
