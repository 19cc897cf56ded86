//! Who may sign in.

use super::account::role_name;
use crate::api::{ask, send};
use crate::app::app;
use crate::text::{fill, t};
use crate::ui::icon::small_icon;
use crate::ui::{Icon, Submit, TextField, Tone, ago_or, flush_card, load, modal, note, pill, select};
use crate::view::prelude::*;
use hookcast_api::Done;
use hookcast_api::account::{NewUser, Role, User, UserChange, Users};
use hookcast_api::routes::Op;

pub fn tab() -> impl IntoView {
    let app = app();
    move || match app.is_owner() {
        true => list().into_any(),
        false => note(Tone::Accent, view! { <p>{t().settings.owners_only}</p> }),
    }
}

fn list() -> impl IntoView {
    let app = app();
    let s = &t().settings;
    let users = load(move || {
        app.live.users.track();
        ask::<Users>(Op::Users, &[])
    });
    let adding = RwSignal::new(false);
    let (changing, change_open) = (RwSignal::new(None::<User>), RwSignal::new(false));
    let (removing, remove_open) = (RwSignal::new(None::<User>), RwSignal::new(false));
    let row = move |user: User| {
        let (for_change, for_removal) = (user.clone(), user.clone());
        view! {
            <tr>
                <td><span class="cell-main anywhere">{user.email.clone()}</span></td>
                <td class="fit">{pill(role_name(user.role), if user.role == Role::Owner { Tone::Accent } else { Tone::Plain })}</td>
                <td class="wide nowrap">{ago_or(user.last_login_at, t().common.never)}</td>
                <td class="right nowrap">
                    <button class="button quiet icon small" type="button" title=t().common.edit aria-label=fill(s.change_user, &[("email", &user.email)])
                        on:click=move |_| { changing.set(Some(for_change.clone())); change_open.set(true); }>{small_icon(Icon::Edit)}</button>
                    <button class="button quiet icon small" type="button" title=t().common.remove aria-label=fill(s.remove_user, &[("email", &user.email)])
                        on:click=move |_| { removing.set(Some(for_removal.clone())); remove_open.set(true); }>{small_icon(Icon::Trash)}</button>
                </td>
            </tr>
        }
    };
    let reload = Callback::new(move |()| users.reload());
    view! {
        <p class="muted">{s.users_text}</p>
        {flush_card(
            s.users,
            view! { <button class="button primary" type="button" on:click=move |_| adding.set(true)>{small_icon(Icon::Plus)}{s.add_user}</button> },
            users.view(move |all| view! {
                <table class="table">
                    <thead><tr>
                        <th scope="col">{s.email}</th><th scope="col">{s.role}</th><th scope="col" class="wide">{s.last_login}</th>
                        <th scope="col"><span class="sr">{t().common.actions}</span></th>
                    </tr></thead>
                    <tbody>{move || all.get().users.into_iter().map(row).collect_view()}</tbody>
                </table>
            }),
        )}
        {modal(adding, s.add_user, move || add_form(adding, reload))}
        {modal(change_open, Signal::derive(move || fill(s.change_user, &[("email", &changing.get().map(|user| user.email).unwrap_or_default())])), move || changing.get().map(|user| change_form(user, change_open, reload)))}
        {modal(remove_open, Signal::derive(move || fill(s.remove_user, &[("email", &removing.get().map(|user| user.email).unwrap_or_default())])), move || removing.get().map(|user| remove_form(user, remove_open, reload)))}
    }
}

fn roles() -> Vec<(String, String)> {
    vec![
        ("viewer".to_owned(), t().common.role_viewer.to_owned()),
        ("owner".to_owned(), t().common.role_owner.to_owned()),
    ]
}

fn role_of(word: &str) -> Role {
    if word == "owner" {
        Role::Owner
    } else {
        Role::Viewer
    }
}

fn add_form(open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    let (s, g) = (&t().settings, &t().gate);
    let (email, password, role) = (
        RwSignal::new(String::new()),
        RwSignal::new(String::new()),
        RwSignal::new("viewer".to_owned()),
    );
    let submit = Submit::new();
    let add = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let request = NewUser {
            email: email.get_untracked(),
            password: password.get_untracked(),
            role: role.with_untracked(|role| role_of(role)),
        };
        submit.run(send::<User>(Op::AddUser, &[], &request), move |user| {
            app().toasts.ok(&fill(s.user_added, &[("email", &user.email)]));
            open.set(false);
            done.run(());
        });
    };
    view! {
        <form class="form" on:submit=add>
            {TextField::new(s.email, email).kind("email").error(submit.error("email")).focused().view()}
            {TextField::new(g.password, password).password("new-password").hint(g.password_new_hint).error(submit.error("password")).view()}
            {select(s.role, role, roles())}
            <p class="hint">{s.users_text}</p>
            {submit.note()}
            <div class="form-foot">{submit.button(s.add_user)}</div>
        </form>
    }
}

fn change_form(user: User, open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    let s = &t().settings;
    let before = user.role;
    let role = RwSignal::new(
        if user.role == Role::Owner {
            "owner"
        } else {
            "viewer"
        }
        .to_owned(),
    );
    let password = RwSignal::new(String::new());
    let submit = Submit::new();
    let id = user.id.to_string();
    let change = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let id = id.clone();
        let wanted = role.with_untracked(|role| role_of(role));
        let request = UserChange {
            role: (wanted != before).then_some(wanted),
            password: Some(password.get_untracked()).filter(|password| !password.is_empty()),
        };
        submit.run(send::<User>(Op::ChangeUser, &[&id], &request), move |_| {
            app().toasts.ok(t().common.saved);
            open.set(false);
            done.run(());
        });
    };
    view! {
        <form class="form" on:submit=change>
            {select(s.role, role, roles())}
            {TextField::new(s.new_password_optional, password).password("new-password").error(submit.error("password")).view()}
            {submit.note()}
            <div class="form-foot">{submit.button(t().common.save)}</div>
        </form>
    }
}

fn remove_form(user: User, open: RwSignal<bool>, done: Callback<()>) -> impl IntoView {
    let s = &t().settings;
    let submit = Submit::new();
    let id = user.id.to_string();
    let remove = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let id = id.clone();
        submit.run(ask::<Done>(Op::RemoveUser, &[&id]), move |_| {
            app().toasts.ok(s.user_removed);
            open.set(false);
            done.run(());
        });
    };
    view! {
        <form class="form" on:submit=remove>
            <p>{s.remove_user_text}</p>
            {submit.note()}
            <div class="form-foot">
                <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                {submit.button_of_class(t().common.remove, "button danger")}
            </div>
        </form>
    }
}
