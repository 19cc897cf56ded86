//! Form fields: each with its label, its hint and its error tied to it for those who do not see them side by side.

use super::fresh_id;
use super::icon::{Icon, small_icon};
use crate::view::prelude::*;

pub struct TextField {
    label: String,
    value: RwSignal<String>,
    hint: Option<String>,
    error: Signal<Option<String>>,
    kind: &'static str,
    autocomplete: &'static str,
    placeholder: String,
    mono: bool,
    rows: Option<u32>,
    focused: bool,
    suggestions: Vec<String>,
}

impl TextField {
    pub fn new(label: impl Into<String>, value: RwSignal<String>) -> TextField {
        TextField {
            label: label.into(),
            value,
            hint: None,
            error: Signal::stored(None),
            kind: "text",
            autocomplete: "off",
            placeholder: String::new(),
            mono: false,
            rows: None,
            focused: false,
            suggestions: Vec::new(),
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn error(mut self, error: Signal<Option<String>>) -> Self {
        self.error = error;
        self
    }

    pub fn kind(mut self, kind: &'static str) -> Self {
        self.kind = kind;
        self
    }

    pub fn email(self) -> Self {
        self.kind("email").autocomplete("username")
    }

    pub fn password(self, autocomplete: &'static str) -> Self {
        self.kind("password").autocomplete(autocomplete)
    }

    pub fn autocomplete(mut self, autocomplete: &'static str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    pub fn placeholder(mut self, placeholder: impl Into<String>) -> Self {
        self.placeholder = placeholder.into();
        self
    }

    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    /// A text of several lines.
    pub fn rows(mut self, rows: u32) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Has the focus when it appears: for the first field of a dialog, where the reader has just asked for it.
    pub fn focused(mut self) -> Self {
        self.focused = true;
        self
    }

    pub fn focused_if(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// Offered while typing; anything else may be typed too.
    pub fn suggest(mut self, suggestions: Vec<String>) -> Self {
        self.suggestions = suggestions;
        self
    }

    pub fn view(self) -> AnyView {
        let TextField {
            label,
            value,
            hint,
            error,
            kind,
            autocomplete,
            placeholder,
            mono,
            rows,
            focused,
            suggestions,
        } = self;
        // What is wrong is said beside the field, in the reader's language, by the one who knows: the browser's own checks stay out of it.
        let (type_, mode) = match kind {
            "email" => ("text", Some("email")),
            "url" => ("text", Some("url")),
            "number" => ("text", Some("numeric")),
            kind => (kind, None),
        };
        let id = fresh_id("field");
        let hint_id = format!("{id}-hint");
        let error_id = format!("{id}-error");
        let list_id = format!("{id}-list");
        let described = {
            let hint_id = hint.is_some().then(|| hint_id.clone());
            let error_id = error_id.clone();
            move || {
                let ids: Vec<String> = hint_id
                    .iter()
                    .cloned()
                    .chain(error.with(Option::is_some).then(|| error_id.clone()))
                    .collect();
                (!ids.is_empty()).then(|| ids.join(" "))
            }
        };
        let invalid = move || error.with(Option::is_some).then_some("true");
        let class = |name: &str| {
            if mono {
                format!("{name} mono")
            } else {
                name.to_owned()
            }
        };
        let control = match rows {
            Some(rows) => {
                let node = NodeRef::<web_sys::HtmlTextAreaElement>::new();
                focus(focused, move || {
                    node.get().map(|area| {
                        let _gone = area.focus();
                    })
                });
                view! {
                    <textarea id=id.clone() node_ref=node class=class("textarea") rows=rows placeholder=placeholder spellcheck="false"
                        prop:value=move || value.get() on:input=move |event| value.set(event_target_value(&event))
                        aria-describedby=described aria-invalid=invalid></textarea>
                }
                .into_any()
            }
            None => {
                let node = NodeRef::<web_sys::HtmlInputElement>::new();
                focus(focused, move || {
                    node.get().map(|input| {
                        let _gone = input.focus();
                    })
                });
                let list = (!suggestions.is_empty()).then(|| list_id.clone());
                view! {
                    <input id=id.clone() node_ref=node class=class("input") type=type_ inputmode=mode autocomplete=autocomplete placeholder=placeholder list=list
                        prop:value=move || value.get() on:input=move |event| value.set(event_target_value(&event))
                        aria-describedby=described aria-invalid=invalid />
                }
                .into_any()
            }
        };
        view! {
            <div class="field">
                <label for=id.clone()>{label}</label>
                {control}
                {(!suggestions.is_empty()).then(|| view! {
                    <datalist id=list_id>
                        {suggestions.into_iter().map(|value| view! { <option value=value></option> }).collect_view()}
                    </datalist>
                })}
                {hint.map(|hint| view! { <span class="hint" id=hint_id>{hint}</span> })}
                {move || error.get().map(|error| view! {
                    <span class="field-error" id=error_id.clone()>{small_icon(Icon::Warning)}{error}</span>
                })}
            </div>
        }
        .into_any()
    }
}

fn focus(wanted: bool, focus: impl Fn() -> Option<()> + 'static) {
    if wanted {
        effect(move || {
            let _not_yet = focus();
        });
    }
}

/// A choice of a few.
pub fn select(label: impl Into<String>, value: RwSignal<String>, options: Vec<(String, String)>) -> AnyView {
    let id = fresh_id("select");
    view! {
        <div class="field">
            <label for=id.clone()>{label.into()}</label>
            <select id=id class="select" on:change=move |event| value.set(event_target_value(&event)) prop:value=move || value.get()>
                {options.into_iter().map(|(key, name)| {
                    let chosen = { let key = key.clone(); move || value.with(|value| *value == key) };
                    view! { <option value=key selected=chosen>{name}</option> }
                }).collect_view()}
            </select>
        </div>
    }
    .into_any()
}

pub fn check(label: impl Into<String>, hint: Option<String>, value: RwSignal<bool>) -> AnyView {
    view! {
        <label class="check">
            <input type="checkbox" prop:checked=move || value.get() on:change=move |event| value.set(event_target_checked(&event)) />
            <span><span>{label.into()}</span>{hint.map(|hint| view! { <span class="hint cell-sub">{hint}</span> })}</span>
        </label>
    }
    .into_any()
}

/// On or off, at once. `label` may be for screen readers only.
pub fn switch(
    label: impl Into<String>,
    hidden: bool,
    on: Signal<bool>,
    disabled: Signal<bool>,
    turn: Callback<bool>,
) -> AnyView {
    view! {
        <label class="switch">
            <input type="checkbox" role="switch" prop:checked=move || on.get() disabled=move || disabled.get()
                on:change=move |event| {
                    turn.run(event_target_checked(&event));
                    // It shows what is, and what is changes with the answer: a refused change never looks done.
                    event_target::<web_sys::HtmlInputElement>(&event).set_checked(on.get_untracked());
                } />
            <span class=if hidden { "sr" } else { "" }>{label.into()}</span>
        </label>
    }
    .into_any()
}
