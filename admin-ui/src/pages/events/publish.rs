//! Publishing by hand: a channel, an event, JSON that says where it is wrong.

use crate::api::send;
use crate::app::app;
use crate::text::{fill, t};
use crate::ui::{Loader, Submit, TextField, Tone, note, select};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::routes::Op;
use hookcast_api::site::{PublishRequest, SiteStatus, Sites};
use hookcast_json::Value;

/// JSON as typed: the value, or where it is wrong.
pub fn read_json(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    hookcast_json::parse(text).map_err(|wrong| {
        fill(
            t().events.json_wrong,
            &[
                ("line", &wrong.line.to_string()),
                ("column", &wrong.column.to_string()),
                ("why", wrong.why),
            ],
        )
    })
}

pub fn form(site: Option<String>, sites: Loader<Sites>, open: RwSignal<bool>) -> impl IntoView {
    let e = &t().events;
    let choices: Vec<(String, String)> = sites.map(|sites| {
        sites
            .sites
            .iter()
            .filter(|site| site.status == SiteStatus::Active)
            .map(|site| (site.site_key.clone(), site.name.clone()))
            .collect()
    });
    let Some(first) = choices.first().map(|(key, _)| key.clone()) else {
        return note(Tone::Accent, view! { <p>{e.publish_needs_site}</p> });
    };
    let key = RwSignal::new(site.unwrap_or(first));
    let channel = RwSignal::new("events".to_owned());
    let event = RwSignal::new(String::new());
    let data = RwSignal::new("{\n  \"message\": \"hello\"\n}".to_owned());
    let submit = Submit::new();
    let wrong = memo(move || data.with(|data| read_json(data).err()));
    let data_error = Signal::derive(move || wrong.get().or_else(|| submit.error("data").get()));
    let publish = move |submitted: web_sys::SubmitEvent| {
        submitted.prevent_default();
        let Ok(value) = data.with_untracked(|data| read_json(data)) else {
            return;
        };
        let request = PublishRequest {
            channel: channel.get_untracked(),
            event: event.get_untracked(),
            data: value,
        };
        let said = fill(e.published, &[("channel", &request.channel)]);
        submit.run(
            send::<Done>(Op::Publish, &[&key.get_untracked()], &request),
            move |_| {
                app().toasts.ok(&said);
                open.set(false);
            },
        );
    };
    view! {
        <form class="form" on:submit=publish>
            {(choices.len() > 1).then(|| select(t().common.site, key, choices))}
            <div class="form-grid">
                {TextField::new(e.channel, channel).mono().hint(e.publish_channel_hint).error(submit.error("channel")).view()}
                {TextField::new(e.event, event).mono().placeholder("post.updated").error(submit.error("event")).focused().view()}
            </div>
            {TextField::new(e.publish_data, data).rows(8).mono().hint(e.publish_data_hint).error(data_error).view()}
            {submit.note()}
            <div class="form-foot">
                <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                {submit.button(e.publish)}
            </div>
        </form>
    }
    .into_any()
}
