//! Signing in.

use super::gate::gate;
use crate::api::send;
use crate::app::app;
use crate::start;
use crate::text::t;
use crate::ui::{Submit, TextField, code_block};
use crate::view::prelude::*;
use hookcast_api::account::{LoginRequest, Me};
use hookcast_api::routes::Op;

pub fn page() -> impl IntoView {
    let app = app();
    let g = &t().gate;
    app.remember_address();
    // What was typed while the app was on its way.
    let (typed_email, typed_password) = (start::typed("start-email"), start::typed("start-password"));
    let at_password = start::has_focus("start-password");
    let (email, password) = (RwSignal::new(typed_email), RwSignal::new(typed_password));
    let submit = Submit::new();
    let sign_in = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = LoginRequest {
            email: email.get_untracked(),
            password: password.get_untracked(),
        };
        submit.run(send::<Me>(Op::Login, &[], &request), move |me| {
            app.signed_in(me, None)
        });
    };
    gate(
        g.login_title,
        "",
        false,
        view! {
            <section class="card"><div class="card-body">
                <form class="form" on:submit=sign_in>
                    {TextField::new(g.email, email).email().error(submit.error("email")).focused_if(!at_password).view()}
                    {TextField::new(g.password, password).password("current-password").error(submit.error("password")).focused_if(at_password).view()}
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
