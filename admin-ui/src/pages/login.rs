//! Signing in.

use super::gate::gate;
use crate::api::send;
use crate::app::app;
use crate::text::t;
use crate::ui::{Submit, TextField, code_block};
use hookcast_api::account::{LoginRequest, Me};
use hookcast_api::routes::Op;
use leptos::prelude::*;

pub fn page() -> impl IntoView {
    let app = app();
    let g = &t().gate;
    app.remember_address();
    let (email, password) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let submit = Submit::new();
    let sign_in = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let request = LoginRequest {
            email: email.get_untracked(),
            password: password.get_untracked(),
        };
        submit.run(
            async move { send::<_, Me>(Op::Login, &[], &request).await },
            move |me| app.signed_in(me, None),
        );
    };
    gate(
        g.login_title,
        "",
        false,
        view! {
            <section class="card"><div class="card-body">
                <form class="form" on:submit=sign_in>
                    {TextField::new(g.email, email).email().error(submit.error("email")).focused().view()}
                    {TextField::new(g.password, password).password("current-password").error(submit.error("password")).view()}
                    {submit.note()}
                    {submit.button_of_class(g.login_button, "button primary full")}
                </form>
                <details class="small muted">
                    <summary>{g.login_forgotten}</summary>
                    {code_block(g.setup_command, Signal::stored("hookcast admin password --email you@example.com --password-stdin".to_owned()))}
                </details>
            </div></section>
        },
    )
}
