//! Dialogs: the browser's own `<dialog>`, which traps the focus, closes with Escape and gives the focus back.

use super::icon::{Icon, icon};
use super::submit::Submit;
use super::{TextField, fresh_id};
use crate::text::t;
use crate::view::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast as _;

/// A dialog that is there while `open`. Its content is made anew each time.
pub fn modal<V: IntoView>(
    open: RwSignal<bool>,
    title: impl Into<Signal<String>>,
    mut content: impl FnMut() -> V + 'static,
) -> AnyView {
    dialog(open, title.into(), "", Box::new(move || content().into_view()))
}

/// The same with room for code or a table.
pub fn wide_modal<V: IntoView>(
    open: RwSignal<bool>,
    title: impl Into<Signal<String>>,
    mut content: impl FnMut() -> V + 'static,
) -> AnyView {
    dialog(
        open,
        title.into(),
        "large",
        Box::new(move || content().into_view()),
    )
}

fn dialog(
    open: RwSignal<bool>,
    title: Signal<String>,
    class: &'static str,
    content: Box<dyn FnMut() -> AnyView>,
) -> AnyView {
    let mounted = RwSignal::new(false);
    let node = NodeRef::<web_sys::HtmlDialogElement>::new();
    effect(move || {
        if open.get() {
            mounted.set(true);
        } else if mounted.get_untracked()
            && let Some(dialog) = node.get_untracked()
        {
            dialog.close();
        }
    });
    effect(move || {
        if let Some(dialog) = node.get()
            && !dialog.open()
        {
            let _refused = dialog.show_modal();
        }
    });
    let closed = move |_| {
        mounted.set(false);
        open.set(false);
    };
    let on_backdrop = move |event: web_sys::MouseEvent| {
        let outside = event
            .target()
            .is_some_and(|target| target.dyn_ref::<web_sys::HtmlDialogElement>().is_some());
        if outside {
            open.set(false);
        }
    };
    let there = memo(move || mounted.get());
    let content = Rc::new(RefCell::new(content));
    (move || {
        there.get().then(|| {
            let title_id = fresh_id("dialog");
            let content = Rc::clone(&content);
            view! {
                <dialog node_ref=node class=class aria-labelledby=title_id.clone() on:close=closed on:mousedown=on_backdrop>
                    <div class="dialog-head">
                        <h2 id=title_id>{title}</h2>
                        <button class="button quiet icon small" type="button" aria-label=t().common.close on:click=move |_| open.set(false)>
                            {icon(Icon::Cross)}
                        </button>
                    </div>
                    <div class="dialog-body">{move || (content.borrow_mut())()}</div>
                </dialog>
            }
        })
    })
    .into_any()
}

/// Asks for the password again before something secret is shown or replaced. `act` gets the password and starts the request.
pub fn password_again(
    open: RwSignal<bool>,
    title: &'static str,
    explain: &'static str,
    button: &'static str,
    submit: Submit,
    act: Callback<String>,
) -> AnyView {
    modal(open, title, move || {
        let password = RwSignal::new(String::new());
        view! {
            <form class="form" on:submit=move |event| { event.prevent_default(); act.run(password.get_untracked()); }>
                <p class="muted">{explain}</p>
                {TextField::new(t().common.your_password, password).password("current-password").error(submit.error("password")).focused().view()}
                {submit.note()}
                <div class="form-foot">
                    <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                    {submit.button(button)}
                </div>
            </form>
        }
    })
}
