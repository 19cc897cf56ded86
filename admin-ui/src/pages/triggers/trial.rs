//! Trying a saved trigger on an input of one's own.

use crate::api::send;
use crate::text::{fill, t};
use crate::ui::{Submit, Tone, card, check, json_block, note};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::trigger::{TriggerTest, TriggerTestResult};
use hookcast_json::Value;

pub fn card_of(key: StoredValue<String>, id: String, input: Memo<Result<Value, String>>) -> impl IntoView {
    let g = &t().triggers;
    let publish = RwSignal::new(false);
    let result = RwSignal::new(None::<TriggerTestResult>);
    let submit = Submit::new();
    let run = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let Ok(input) = input.get_untracked() else { return };
        let id = id.clone();
        let request = TriggerTest {
            input,
            publish: publish.get_untracked(),
        };
        submit.run(
            send::<TriggerTestResult>(Op::TestTrigger, &[&key.get_value(), &id], &request),
            move |answer| result.set(Some(answer)),
        );
    };
    let shown = move |result: TriggerTestResult| {
        let (tone, text) = match (result.matched, result.published) {
            (false, _) => (Tone::Warn, g.test_not_matched.to_owned()),
            (true, false) => (Tone::Ok, g.test_matched.to_owned()),
            (true, true) => (Tone::Ok, fill(g.test_published, &[("channel", &result.channel)])),
        };
        view! {
            {note(tone, view! { <p>{text}</p> })}
            {json_block(g.test, Signal::stored(result.data))}
            {(!result.missing.is_empty()).then(|| note(Tone::Warn, view! { <p class="small">{fill(g.preview_missing, &[("paths", &result.missing.join(", "))])}</p> }))}
        }
    };
    card(
        g.test,
        (),
        view! {
            <form class="form" on:submit=run>
                <p class="muted small">{g.test_saved_only}</p>
                {check(g.test_publish, None, publish)}
                {submit.note()}
                <div>{submit.button_of_class(g.test_run, "button")}</div>
            </form>
            <div class="stack" role="status">{move || result.get().map(shown)}</div>
        },
    )
}
