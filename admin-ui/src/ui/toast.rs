//! Short messages in the corner: what was done, what went wrong elsewhere than in a form.

use super::icon::{Icon, icon, small_icon};
use crate::browser::after;
use crate::text::t;
use crate::view::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
struct Toast {
    id: u32,
    good: bool,
    text: String,
}

#[derive(Clone, Copy)]
pub struct Toasts {
    shown: RwSignal<Vec<Toast>>,
    last: RwSignal<u32>,
}

/// More at once would cover the page.
const SHOWN_MAX: usize = 4;

impl Toasts {
    pub fn new() -> Toasts {
        Toasts {
            shown: RwSignal::new(Vec::new()),
            last: RwSignal::new(0),
        }
    }

    pub fn ok(self, text: &str) {
        self.say(text, true);
    }

    pub fn bad(self, text: &str) {
        self.say(text, false);
    }

    fn say(self, text: &str, good: bool) {
        let id = self.last.get_untracked() + 1;
        self.last.set(id);
        self.shown.update(|shown| {
            shown.retain(|toast| toast.text != text);
            shown.push(Toast {
                id,
                good,
                text: text.to_owned(),
            });
            while shown.len() > SHOWN_MAX {
                shown.remove(0);
            }
        });
        after(Duration::from_secs(if good { 5 } else { 10 }), move || {
            self.dismiss(id)
        });
    }

    fn dismiss(self, id: u32) {
        self.shown.update(|shown| shown.retain(|toast| toast.id != id));
    }

    pub fn view(self) -> AnyView {
        view! {
            <div class="toasts" role="status" aria-live="polite">
                {each(move || self.shown.get(), |toast| toast.id, move |toast| view! {
                    <div class=if toast.good { "toast ok" } else { "toast bad" }>
                        {icon(if toast.good { Icon::Check } else { Icon::Warning })}
                        <span class="grow">{toast.text}</span>
                        <button class="button quiet icon small" type="button" aria-label=t().common.dismiss on:click=move |_| self.dismiss(toast.id)>
                            {small_icon(Icon::Cross)}
                        </button>
                    </div>
                })}
            </div>
        }
    }
}
