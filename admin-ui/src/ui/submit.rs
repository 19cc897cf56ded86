//! Sending a form: busy while it lasts, what was typed stays when it fails, and the failure stands where it belongs.

use super::icon::{Icon, icon};
use crate::api::{self, Call, Failure, Outcome, Request};
use crate::view::prelude::*;
use leptos::task::spawn_local;

#[derive(Clone, Copy)]
pub struct Submit {
    pub busy: RwSignal<bool>,
    pub failure: RwSignal<Option<Failure>>,
}

impl Submit {
    pub fn new() -> Submit {
        Submit {
            busy: RwSignal::new(false),
            failure: RwSignal::new(None),
        }
    }

    /// Once at a time. The page may be gone when the answer comes; then nobody needs it.
    pub fn run<T: 'static>(self, request: Request<T>, then: impl FnOnce(T) + 'static) {
        let read = request.read;
        self.start(
            request.call,
            Box::new(move |(status, text)| read(status, text).map(then)),
        );
    }

    fn start(self, call: Call, then: Box<dyn FnOnce((u16, String)) -> Outcome<()>>) {
        if self.busy.try_get_untracked() != Some(false) {
            return;
        }
        self.busy.set(true);
        self.failure.set(None);
        spawn_local(async move {
            let answer = api::answer(call).await;
            if self.busy.try_set(false).is_some() {
                return;
            }
            if let Err(failure) = answer.and_then(then) {
                let _gone = self.failure.try_set(Some(failure));
            }
        });
    }

    pub fn clear(self) {
        self.failure.set(None);
    }

    /// What is wrong with one field.
    pub fn error(self, field: &'static str) -> Signal<Option<String>> {
        self.error_at(field.to_owned())
    }

    /// The same for a field of a list, such as `data.fields.2.name`.
    pub fn error_at(self, field: String) -> Signal<Option<String>> {
        Signal::derive(move || self.failure.with(|failure| failure.as_ref()?.of_field(&field)))
    }

    /// What is wrong with the whole. Announced as soon as it appears.
    pub fn note(self) -> AnyView {
        view! {
            <div role="alert">
                {move || self.failure.get().map(|failure| view! {
                    <div class="note bad">{icon(Icon::Warning)}<div>{failure.message}</div></div>
                })}
            </div>
        }
    }

    pub fn button(self, label: &'static str) -> AnyView {
        self.button_of_class(label, "button primary")
    }

    pub fn button_of_class(self, label: &'static str, class: &'static str) -> AnyView {
        view! {
            <button class=class type="submit" disabled=move || self.busy.get()>
                {move || self.busy.get().then(|| view! { <span class="spin" aria-hidden="true"></span> })}
                {label}
            </button>
        }
    }
}
