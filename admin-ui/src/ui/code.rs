//! Text to take along: code blocks, copy buttons, JSON in colour.

use super::icon::{Icon, small_icon};
use crate::app::app;
use crate::browser::{self, after};
use crate::text::t;
use crate::view::prelude::*;
use hookcast_json::Value;
use leptos::task::spawn_local;
use std::time::Duration;

/// Copies what `text` returns at that moment. The button says that it has.
pub fn copy_button(label: &'static str, text: impl Fn() -> String + 'static) -> AnyView {
    copy_button_of(label, Box::new(text))
}

fn copy_button_of(label: &'static str, text: Box<dyn Fn() -> String>) -> AnyView {
    let done = RwSignal::new(false);
    let copy = move |_| {
        let text = text();
        spawn_local(async move {
            if !browser::copy(&text).await {
                return app().toasts.bad(t().common.copy_failed);
            }
            let _gone = done.try_set(true);
            after(Duration::from_millis(1600), move || {
                let _gone = done.try_set(false);
            });
        });
    };
    view! {
        <button class="button icon small copy" type="button" title=label aria-label=move || if done.get() { t().common.copied } else { label } on:click=copy>
            {move || small_icon(if done.get() { Icon::Check } else { Icon::Copy })}
        </button>
    }
    .into_any()
}

/// A block of code that can be copied. Wide ones scroll by themselves, with the keyboard too.
pub fn code_block(label: &'static str, text: Signal<String>) -> AnyView {
    view! {
        <div class="code with-copy">
            <pre tabindex="0" role="region" aria-label=label><code>{move || text.get()}</code></pre>
            {copy_button(t().common.copy, move || text.get_untracked())}
        </div>
    }
    .into_any()
}

/// JSON, indented and coloured.
pub fn json_block(label: &'static str, value: Signal<Value>) -> AnyView {
    let text = move || value.with(Value::to_pretty);
    view! {
        <div class="code with-copy">
            <pre class="fold" tabindex="0" role="region" aria-label=label><code>{move || coloured(&text())}</code></pre>
            {copy_button(t().common.copy, text)}
        </div>
    }
    .into_any()
}

/// Indented JSON, a line at a time: keys, texts and other values told apart.
fn coloured(json: &str) -> Vec<AnyView> {
    json.lines()
        .map(|line| {
            let indent = &line[..line.len() - line.trim_start().len()];
            let rest = line.trim_start();
            let (key, value) = match rest.strip_prefix('"').and_then(|_| rest.split_once("\": ")) {
                Some((key, value)) => (Some(format!("{key}\"")), value),
                None => (None, rest),
            };
            let (value, comma) = match value.strip_suffix(',') {
                Some(value) => (value, ","),
                None => (value, ""),
            };
            let class = match value.as_bytes().first() {
                Some(b'"') => "json-text",
                Some(b'{' | b'}' | b'[' | b']') | None => "",
                Some(_) => "json-other",
            };
            view! {
                {indent.to_owned()}
                {key.map(|key| view! { <span class="json-key">{key}</span> ": " })}
                <span class=class>{value.to_owned()}</span>{comma}"\n"
            }
            .into_any()
        })
        .collect()
}
