//! The effective configuration: what is set, and where it comes from.

use crate::api::ask;
use crate::text::t;
use crate::ui::{Tone, check, load, pill, search};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::tools::{EffectiveConfig, Setting};

pub fn tab() -> impl IntoView {
    let s = &t().settings;
    let config = load(|| ask::<EffectiveConfig>(Op::Config, &[]));
    let wanted = RwSignal::new(String::new());
    let only_set = RwSignal::new(false);
    let row = |setting: Setting| {
        let tone = if setting.source == "default" {
            Tone::Plain
        } else {
            Tone::Accent
        };
        view! {
            <tr>
                <td><span class="mono strong anywhere">{setting.name}</span><span class="cell-sub" lang="en">{setting.help}</span><span class="narrow">{pill(setting.source.clone(), tone)}</span></td>
                <td class="mono anywhere">{if setting.value.is_empty() { s.config_empty.to_owned() } else { setting.value }}</td>
                <td class="fit wide">{pill(setting.source, tone)}</td>
            </tr>
        }
    };
    view! {
        <p class="muted">{s.config_text}</p>
        <section class="card">
            <div class="card-head">{search(s.config_search, wanted)}{check(s.config_changed_only, None, only_set)}</div>
            <div class="card-body flush">
                {config.view(move |config| {
                    let shown = move || {
                        let search = wanted.get().to_lowercase();
                        config.with(|config| {
                            let fits = |one: &&Setting| {
                                (!only_set.get() || one.source != "default") && (one.name.to_lowercase().contains(&search) || one.help.to_lowercase().contains(&search))
                            };
                            config.settings.iter().filter(fits).cloned().collect::<Vec<_>>()
                        })
                    };
                    view! {
                        <table class="table">
                            <thead><tr><th scope="col">{s.config_setting}</th><th scope="col">{s.config_value}</th><th scope="col" class="wide">{s.config_source}</th></tr></thead>
                            <tbody>{move || shown().into_iter().map(row).collect_view()}</tbody>
                        </table>
                    }
                })}
            </div>
        </section>
    }
}
