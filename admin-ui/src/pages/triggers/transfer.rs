//! Triggers as a file: out and in.

use crate::api::{ask, send};
use crate::app::app;
use crate::browser;
use crate::text::{fill, t};
use crate::ui::{Loader, Submit, TextField, check, fresh_id};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::trigger::{TriggerDocument, TriggerImport, Triggers};
use hookcast_json::ToJson as _;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

pub fn export(key: StoredValue<String>) {
    spawn_local(async move {
        match ask::<TriggerDocument>(Op::ExportTriggers, &[&key.get_value()]).await {
            Ok(document) => {
                let text = document.to_json().to_pretty();
                browser::save_file("hookcast-triggers.json", "application/json", &text);
            }
            Err(failure) => app().toasts.bad(&failure.message),
        }
    });
}

pub fn import(key: StoredValue<String>, triggers: Loader<Triggers>, open: RwSignal<bool>) -> impl IntoView {
    let g = &t().triggers;
    let text = RwSignal::new(String::new());
    let replace = RwSignal::new(false);
    let unreadable = RwSignal::new(None::<String>);
    let submit = Submit::new();
    let file_id = fresh_id("file");
    let choose = move |event: web_sys::Event| {
        let input: web_sys::HtmlInputElement = event_target(&event);
        let Some(file) = input.files().and_then(|files| files.get(0)) else {
            return;
        };
        spawn_local(async move {
            if let Ok(content) = JsFuture::from(file.text()).await {
                let _gone = text.try_set(String::from(js_sys::JsString::from(content)));
            }
        });
    };
    let run = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let document = match text.with_untracked(|text| hookcast_json::read::<TriggerDocument>(text)) {
            Ok(document) => document,
            Err(error) => {
                return unreadable.set(Some(fill(g.import_unreadable, &[("why", &error)])));
            }
        };
        unreadable.set(None);
        let request = TriggerImport {
            replace: replace.get_untracked(),
            document,
        };
        submit.run(
            send::<Triggers>(Op::ImportTriggers, &[&key.get_value()], &request),
            move |now| {
                app()
                    .toasts
                    .ok(&fill(g.imported, &[("n", &now.triggers.len().to_string())]));
                triggers.put(now);
                open.set(false);
            },
        );
    };
    view! {
        <form class="form" on:submit=run>
            <div class="field">
                <label for=file_id.clone()>{g.import_file}</label>
                <input class="input" id=file_id type="file" accept="application/json,.json" on:change=choose />
            </div>
            {TextField::new(g.import_text, text).rows(10).mono().error(unreadable.into()).view()}
            {check(g.import_replace, Some(g.import_replace_hint.to_owned()), replace)}
            {submit.note()}
            <div class="form-foot">
                <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                {submit.button(g.import)}
            </div>
        </form>
    }
}
