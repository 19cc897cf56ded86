//! A webhook's address and secret: what its sender needs.

use crate::api::send;
use crate::pages::site::credentials::secret_line;
use crate::text::t;
use crate::ui::{Submit, card, copy_button, password_again};
use crate::view::prelude::*;
use hookcast_api::routes::Op;
use hookcast_api::trigger::{Trigger, WebhookSecret, WebhookSecretRequest};

pub fn card_of(
    key: StoredValue<String>,
    trigger: Trigger,
    secret: RwSignal<Option<String>>,
) -> impl IntoView {
    let g = &t().triggers;
    let url = StoredValue::new(trigger.webhook_url.unwrap_or_default());
    let id = StoredValue::new(trigger.id);
    let asking = RwSignal::new(false);
    let renew = RwSignal::new(false);
    let submit = Submit::new();
    let act = Callback::new(move |password: String| {
        let request = WebhookSecretRequest {
            password,
            renew: renew.get_untracked(),
        };
        submit.run(
            send::<WebhookSecret>(Op::WebhookSecret, &[&key.get_value(), &id.get_value()], &request),
            move |answer| {
                secret.set(Some(answer.secret));
                asking.set(false);
            },
        );
    });
    let ask = move |new: bool| {
        submit.clear();
        renew.set(new);
        asking.set(true);
    };
    view! {
        {card(g.kind_webhook, (), view! {
            <div class="field"><span class="label">{g.webhook_url}</span><div class="secret"><code>{url.get_value()}</code>{copy_button(t().common.copy, move || url.get_value())}</div></div>
            <p class="muted small">{g.webhook_secret_text}</p>
            {move || match secret.get() {
                Some(secret) => secret_line(g.webhook_secret, secret),
                None => view! {
                    <div class="row wrap">
                        <button class="button small" type="button" on:click=move |_| ask(false)>{g.show_secret}</button>
                        <button class="button small" type="button" on:click=move |_| ask(true)>{g.renew_secret}</button>
                    </div>
                }.into_any(),
            }}
        })}
        {password_again(asking, g.webhook_secret, g.webhook_secret_text, g.show_secret, submit, act)}
    }
}
