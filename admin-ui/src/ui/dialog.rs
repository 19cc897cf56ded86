//! Dialogs: the browser's own `<dialog>`, which traps the focus, closes with Escape and gives the focus back.

use super::icon::{Icon, icon};
use super::submit::Submit;
use super::{TextField, fresh_id};
use crate::text::t;
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

/// A dialog that is there while `open`. Its content is made anew each time.
#[component]
pub fn Modal(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    #[prop(optional)] wide: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let mounted = RwSignal::new(false);
    let node = NodeRef::<html::Dialog>::new();
    let title_id = fresh_id("dialog");
    Effect::new(move |_| {
        if open.get() {
            mounted.set(true);
        } else if let Some(dialog) = node.get_untracked() {
            dialog.close();
        }
    });
    Effect::new(move |_| {
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
    let on_backdrop = move |event: leptos::ev::MouseEvent| {
        let outside = event
            .target()
            .is_some_and(|target| target.dyn_ref::<web_sys::HtmlDialogElement>().is_some());
        if outside {
            open.set(false);
        }
    };
    view! {
        <Show when=move || mounted.get()>
            <dialog node_ref=node class=if wide { "large" } else { "" } aria-labelledby=title_id.clone() on:close=closed on:mousedown=on_backdrop>
                <div class="dialog-head">
                    <h2 id=title_id.clone()>{move || title.get()}</h2>
                    <button class="button quiet icon small" type="button" aria-label=t().common.close on:click=move |_| open.set(false)>
                        {icon(Icon::Cross)}
                    </button>
                </div>
                <div class="dialog-body">{children()}</div>
            </dialog>
        </Show>
    }
}

/// Asks for the password again before something secret is shown or replaced. `act` gets the password and starts the request.
#[component]
pub fn PasswordAgain(
    open: RwSignal<bool>,
    #[prop(into)] title: Signal<String>,
    #[prop(into)] explain: Signal<String>,
    #[prop(into)] button: String,
    submit: Submit,
    act: Callback<String>,
) -> impl IntoView {
    let button = StoredValue::new(button);
    view! {
        <Modal open title>
            {move || {
                let password = RwSignal::new(String::new());
                view! {
                    <form class="form" on:submit=move |event| { event.prevent_default(); act.run(password.get_untracked()); }>
                        <p class="muted">{move || explain.get()}</p>
                        {TextField::new(t().common.your_password, password).password("current-password").error(submit.error("password")).focused().view()}
                        {submit.note()}
                        <div class="form-foot">
                            <button class="button" type="button" on:click=move |_| open.set(false)>{t().common.cancel}</button>
                            {submit.button(button.get_value())}
                        </div>
                    </form>
                }
            }}
        </Modal>
    }
}
