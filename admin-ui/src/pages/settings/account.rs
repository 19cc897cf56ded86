//! Oneself: password, sessions, appearance.

use crate::api::{ask, send};
use crate::app::app;
use crate::pages::setup::differs;
use crate::shell::appearance;
use crate::text::t;
use crate::ui::{Submit, TextField, Tone, ago, card, flush_card, load, pill};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::account::{Me, PasswordChange, Role, Session, Sessions};
use hookcast_api::routes::Op;

pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => t().common.role_owner,
        Role::Viewer => t().common.role_viewer,
    }
}

pub fn tab() -> impl IntoView {
    let app = app();
    let s = &t().settings;
    view! {
        <div class="two">
            <div class="stack">
                {card(s.you, (), move || app.me().map(|me| view! {
                    <dl class="facts">
                        <dt>{s.email}</dt><dd class="strong">{me.user.email}</dd>
                        <dt>{s.role}</dt><dd>{pill(role_name(me.user.role), Tone::Accent)}</dd>
                    </dl>
                }))}
                {card(s.appearance, (), appearance())}
            </div>
            {password()}
        </div>
        {sessions()}
    }
}

fn password() -> impl IntoView {
    let app = app();
    let (s, g) = (&t().settings, &t().gate);
    let text = || RwSignal::new(String::new());
    let (current, new, again) = (text(), text(), text());
    let submit = Submit::new();
    let change = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if new.get_untracked() != again.get_untracked() {
            return submit.failure.set(Some(differs()));
        }
        let request = PasswordChange {
            current: current.get_untracked(),
            new: new.get_untracked(),
        };
        submit.run(send::<Me>(Op::ChangePassword, &[], &request), move |me| {
            app.renewed(me);
            for field in [current, new, again] {
                field.set(String::new());
            }
            app.toasts.ok(s.password_changed);
        });
    };
    card(
        s.password,
        (),
        view! {
            <form class="form" on:submit=change>
                <p class="muted small">{s.password_text}</p>
                {TextField::new(t().common.your_password, current).password("current-password").error(submit.error("current")).view()}
                {TextField::new(s.password_new, new).password("new-password").hint(g.password_new_hint).error(submit.error("new")).view()}
                {TextField::new(g.password_again, again).password("new-password").error(submit.error("again")).view()}
                {submit.note()}
                <div class="form-foot">{submit.button(s.password)}</div>
            </form>
        },
    )
}

fn sessions() -> impl IntoView {
    let app = app();
    let s = &t().settings;
    let sessions = load(move || {
        app.state.track();
        ask::<Sessions>(Op::Sessions, &[])
    });
    let submit = Submit::new();
    let end = move |id: String| {
        submit.run(ask::<Done>(Op::RevokeSession, &[&id]), move |_| {
            app.toasts.ok(s.session_ended);
            sessions.reload();
        });
    };
    let end_others = move |_| {
        submit.run(ask::<Done>(Op::RevokeOtherSessions, &[]), move |_| {
            app.toasts.ok(s.session_ended);
            sessions.reload();
        });
    };
    let row = move |session: Session| {
        let id = session.id.clone();
        view! {
            <tr>
                <td><span class="cell-main">{browser_name(&session.user_agent)}</span><span class="cell-sub anywhere mono">{session.address.clone()}</span></td>
                <td class="nowrap">{ago(session.last_seen_at)}</td>
                <td class="right">{match session.current {
                    true => pill(s.session_this, Tone::Ok),
                    false => view! { <button class="button small" type="button" on:click=move |_| end(id.clone())>{s.session_end}</button> }.into_any(),
                }}</td>
            </tr>
        }
    };
    flush_card(
        s.sessions,
        view! { <button class="button small" type="button" on:click=end_others>{s.session_end_others}</button> },
        sessions.view(move |all| view! {
            {submit.note()}
            <table class="table">
                <thead><tr><th scope="col">{s.session_browser}</th><th scope="col">{s.session_seen}</th><th scope="col"><span class="sr">{t().common.actions}</span></th></tr></thead>
                <tbody>{move || all.get().sessions.into_iter().map(row).collect_view()}</tbody>
            </table>
        }),
    )
}

/// The part of a user agent that people know.
fn browser_name(agent: &str) -> String {
    let known = ["Edg", "OPR", "Firefox", "Chrome", "Safari", "curl"];
    let name = known.into_iter().find(|name| agent.contains(&format!("{name}/")));
    let system = ["Windows", "Android", "iPhone", "iPad", "Mac OS X", "Linux"]
        .into_iter()
        .find(|system| agent.contains(system));
    match (name, system) {
        (Some(name), Some(system)) => format!(
            "{} · {system}",
            match name {
                "Edg" => "Edge",
                "OPR" => "Opera",
                name => name,
            }
        ),
        (Some(name), None) => name.to_owned(),
        _ => agent.chars().take(40).collect(),
    }
}
