//! The one-time link's page: the first owner.

use super::gate::gate;
use crate::api::{Failure, send};
use crate::app::app;
use crate::route::Route;
use crate::text::t;
use crate::ui::{Icon, Submit, TextField, Tone, code_block, empty, link_button, note};
use crate::view::prelude::*;
use hookcast_api::account::{Me, SetupRequest};
use hookcast_api::routes::Op;
use hookcast_api::{FieldError, code};

pub fn page() -> impl IntoView {
    let app = app();
    let g = &t().gate;
    let token = app.route.with_untracked(|route| match route {
        Route::Setup { token } => Some(token.clone()),
        _ => None,
    });
    let needs_setup = app
        .state
        .with_untracked(|state| matches!(state, Some(Ok(state)) if state.needs_setup));
    match token {
        _ if !needs_setup => gate(g.setup_done, "", false, already_done()).into_any(),
        Some(token) if !token.is_empty() => gate(g.setup_title, g.setup_lead, false, form(token)).into_any(),
        Some(_) => gate(g.setup_no_token, "", false, explain(g.setup_no_token_text)).into_any(),
        None => gate(g.setup_needed, "", false, explain(g.setup_needed_text)).into_any(),
    }
}

fn form(token: String) -> impl IntoView {
    let app = app();
    let g = &t().gate;
    let (email, password, again) = (
        RwSignal::new(String::new()),
        RwSignal::new(String::new()),
        RwSignal::new(String::new()),
    );
    let submit = Submit::new();
    let create = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if password.get_untracked() != again.get_untracked() {
            return submit.failure.set(Some(differs()));
        }
        let request = SetupRequest {
            token: token.clone(),
            email: email.get_untracked(),
            password: password.get_untracked(),
        };
        submit.run(send::<Me>(Op::Setup, &[], &request), move |me| {
            app.signed_in(me, Some(Route::Guide { site: None }))
        });
    };
    let closed = move || {
        submit.failure.with(|failure| {
            failure
                .as_ref()
                .is_some_and(|failure| failure.code == code::SETUP_CLOSED)
        })
    };
    view! {
        <section class="card"><div class="card-body">
            <form class="form" on:submit=create>
                {TextField::new(g.email, email).email().error(submit.error("email")).focused().view()}
                {TextField::new(g.password, password).password("new-password").hint(g.password_new_hint).error(submit.error("password")).view()}
                {TextField::new(g.password_again, again).password("new-password").error(submit.error("again")).view()}
                {submit.note()}
                {submit.button_of_class(g.setup_button, "button primary full")}
                {move || closed().then(|| link_button(&Route::Login, "button full", g.to_login))}
            </form>
        </div></section>
    }
}

/// Found here, before anything is sent.
pub fn differs() -> Failure {
    let message = t().gate.password_differs.to_owned();
    Failure {
        status: 0,
        code: code::INVALID_REQUEST.to_owned(),
        message: message.clone(),
        fields: vec![FieldError {
            field: "again".to_owned(),
            message,
        }],
    }
}

fn already_done() -> impl IntoView {
    let g = &t().gate;
    view! { <section class="card">{empty(Icon::Check, g.setup_done, g.setup_done_text, link_button(&Route::Login, "button primary", g.to_login))}</section> }
}

fn explain(text: &'static str) -> impl IntoView {
    view! {
        <section class="card"><div class="card-body">
            {note(Tone::Accent, view! { <p>{text}</p> })}
            {code_block(t().gate.setup_command, Signal::stored(COMMAND.to_owned()))}
        </div></section>
    }
}

pub const COMMAND: &str = "hookcast admin create --email you@example.com --password-stdin";
