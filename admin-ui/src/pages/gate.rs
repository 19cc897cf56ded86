//! The frame of the pages outside: the mark, a card, the choice of theme and language below.

use crate::shell::appearance;
use crate::ui::{Icon, icon};
use crate::view::prelude::*;

pub fn gate(
    title: impl Into<String>,
    lead: impl Into<String>,
    wide: bool,
    body: impl IntoView + 'static,
) -> impl IntoView {
    let title = title.into();
    let lead = lead.into();
    crate::browser::set_title(&title);
    view! {
        <div class="gate">
            <main class=if wide { "gate-main wide-gate" } else { "gate-main" }>
                <header class="gate-head">
                    <span class="brand-mark">{icon(Icon::Hook)}</span>
                    <div><h1>{title}</h1>{(!lead.is_empty()).then(|| view! { <p class="muted">{lead}</p> })}</div>
                </header>
                {body}
            </main>
            <footer class="gate-foot">{appearance()}</footer>
        </div>
    }
}
