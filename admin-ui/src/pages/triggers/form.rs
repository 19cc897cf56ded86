//! The builder's fields as signals, read from a trigger and written to one.

use super::catalogue;
use crate::text::t;
use crate::view::prelude::*;
use hookcast_api::trigger::{
    Comparison, Condition, Conditions, DataSpec, Field, FieldValue, Mode, Source, TriggerSpec, WebhookVerify,
};
use hookcast_json::{FromJson, ToJson, Value, Wrong};
use std::borrow::Cow;

/// One chosen field.
#[derive(Clone, Copy)]
pub struct FieldRow {
    pub id: u32,
    pub name: RwSignal<String>,
    /// `path` or `constant`.
    pub kind: RwSignal<String>,
    pub value: RwSignal<String>,
}

/// One condition.
#[derive(Clone, Copy)]
pub struct RuleRow {
    pub id: u32,
    pub path: RwSignal<String>,
    pub comparison: RwSignal<String>,
    pub value: RwSignal<String>,
}

#[derive(Clone, Copy)]
pub struct Form {
    pub name: RwSignal<String>,
    pub enabled: RwSignal<bool>,
    /// `action`, `post_type`, `option`, `webhook`, `dispatch`
    pub kind: RwSignal<String>,
    pub hook: RwSignal<String>,
    pub priority: RwSignal<String>,
    pub args: RwSignal<String>,
    pub post_type: RwSignal<String>,
    pub option: RwSignal<String>,
    pub verify: RwSignal<String>,
    pub dispatch_event: RwSignal<String>,
    pub channel: RwSignal<String>,
    pub event: RwSignal<String>,
    pub whole: RwSignal<bool>,
    pub whole_path: RwSignal<String>,
    pub fields: RwSignal<Vec<FieldRow>>,
    pub mode: RwSignal<String>,
    pub rules: RwSignal<Vec<RuleRow>>,
    rows: RwSignal<u32>,
}

/// As the JSON spells it: what a `<select>` holds.
pub fn word(value: impl ToJson) -> String {
    match value.to_json() {
        Value::String(word) => word,
        _ => String::new(),
    }
}

fn unword<T: FromJson>(word: &str) -> Option<T> {
    T::from_json(&Value::from(word), &mut Wrong::default())
}

/// A typed value: JSON where it reads as a number, a truth value or null, else a text.
fn typed(text: &str) -> Value {
    match hookcast_json::parse(text) {
        Ok(
            value @ (Value::Number(_) | Value::Bool(_) | Value::Null | Value::Object(_) | Value::Array(_)),
        ) => value,
        _ => Value::String(text.trim_matches('"').to_owned()),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_text(),
    }
}

impl Form {
    pub fn new() -> Form {
        let text = |value: &str| RwSignal::new(value.to_owned());
        Form {
            name: text(""),
            enabled: RwSignal::new(true),
            kind: text("action"),
            hook: text(""),
            priority: text("10"),
            args: text("1"),
            post_type: text("post"),
            option: text("blogname"),
            verify: text(&word(WebhookVerify::WooCommerce)),
            dispatch_event: text(""),
            channel: text("events"),
            event: text(""),
            whole: RwSignal::new(false),
            whole_path: text(""),
            fields: RwSignal::new(Vec::new()),
            mode: text("all"),
            rules: RwSignal::new(Vec::new()),
            rows: RwSignal::new(0),
        }
    }

    /// A new trigger begins as the commonest one: a form that is filled teaches more than an empty one.
    pub fn begun() -> Form {
        let form = Form::new();
        if let Some(hook) = catalogue::hooks().first() {
            form.begin_with(hook);
        }
        form
    }

    pub fn of(spec: &TriggerSpec) -> Form {
        let form = Form::new();
        form.name.set(spec.name.clone());
        form.enabled.set(spec.enabled);
        form.channel.set(spec.channel.clone());
        form.event.set(spec.event.clone());
        form.set_source(&spec.source);
        match &spec.data {
            DataSpec::Fields { fields } => {
                for Field { name, value } in fields {
                    match value {
                        FieldValue::Path { path } => form.add_field(name, "path", path),
                        FieldValue::Constant { value } => form.add_field(name, "constant", &shown(value)),
                    }
                }
            }
            DataSpec::Whole { path } => {
                form.whole.set(true);
                form.whole_path.set(path.clone());
            }
        }
        form.mode.set(word(spec.conditions.mode));
        for rule in &spec.conditions.rules {
            form.add_rule(&rule.path, rule.comparison, &shown(&rule.value));
        }
        form
    }

    fn set_source(self, source: &Source) {
        let kind = match source {
            Source::Action { hook, priority, args } => {
                self.hook.set(hook.clone());
                self.priority.set(priority.to_string());
                self.args.set(args.to_string());
                "action"
            }
            Source::PostType { post_type } => {
                self.post_type.set(post_type.clone());
                "post_type"
            }
            Source::Option { option } => {
                self.option.set(option.clone());
                "option"
            }
            Source::Webhook { verify } => {
                self.verify.set(word(*verify));
                "webhook"
            }
            Source::Dispatch { event } => {
                self.dispatch_event.set(event.clone().unwrap_or_default());
                "dispatch"
            }
        };
        self.kind.set(kind.to_owned());
    }

    fn next_row(self) -> u32 {
        self.rows.update(|rows| *rows += 1);
        self.rows.get_untracked()
    }

    pub fn add_field(self, name: &str, kind: &str, value: &str) {
        let text = |value: &str| RwSignal::new(value.to_owned());
        let row = FieldRow {
            id: self.next_row(),
            name: text(name),
            kind: text(kind),
            value: text(value),
        };
        self.fields.update(|fields| fields.push(row));
    }

    pub fn add_rule(self, path: &str, comparison: Comparison, value: &str) {
        let text = |value: &str| RwSignal::new(value.to_owned());
        let row = RuleRow {
            id: self.next_row(),
            path: text(path),
            comparison: text(&word(comparison)),
            value: text(value),
        };
        self.rules.update(|rules| rules.push(row));
    }

    /// Begin with what a hook of the catalogue suggests. What the reader has named already stays.
    pub fn begin_with(self, hook: &catalogue::Hook) {
        self.hook.set(hook.hook.to_owned());
        self.args.set(hook.args.to_string());
        self.event.set(hook.event.to_owned());
        self.channel.set(hook.channel.to_owned());
        if self
            .name
            .with_untracked(|name| name.is_empty() || catalogue::hooks().iter().any(|one| one.label == name))
        {
            self.name.set(hook.label.to_owned());
        }
        self.begin_fields(hook.fields);
    }

    pub fn begin_fields(self, fields: &[(&str, &str)]) {
        self.fields.set(Vec::new());
        for (name, path) in fields {
            self.add_field(name, "path", path);
        }
    }

    /// The source as it stands now; follows the signals that it reads.
    pub fn source(self) -> Source {
        match self.kind.get().as_str() {
            "post_type" => Source::PostType {
                post_type: self.post_type.get(),
            },
            "option" => Source::Option {
                option: self.option.get(),
            },
            "webhook" => Source::Webhook {
                verify: unword(&self.verify.get()).unwrap_or(WebhookVerify::Bearer),
            },
            "dispatch" => Source::Dispatch {
                event: Some(self.dispatch_event.get()).filter(|event| !event.is_empty()),
            },
            _ => Source::Action {
                hook: self.hook.get().trim().to_owned(),
                priority: self.priority.get().trim().parse().unwrap_or(10),
                args: self.args.get().trim().parse().unwrap_or(1),
            },
        }
    }

    pub fn spec(self) -> TriggerSpec {
        let data = match self.whole.get() {
            true => DataSpec::Whole {
                path: self.whole_path.get(),
            },
            false => DataSpec::Fields {
                fields: self
                    .fields
                    .get()
                    .into_iter()
                    .map(|row| Field {
                        name: row.name.get(),
                        value: match row.kind.get().as_str() {
                            "constant" => FieldValue::Constant {
                                value: typed(&row.value.get()),
                            },
                            _ => FieldValue::Path {
                                path: row.value.get().trim().to_owned(),
                            },
                        },
                    })
                    .collect(),
            },
        };
        let rules = self.rules.get().into_iter().map(|row| {
            let comparison = unword(&row.comparison.get()).unwrap_or(Comparison::Equals);
            let value = if takes_value(comparison) {
                typed(&row.value.get())
            } else {
                Value::Null
            };
            Condition {
                path: row.path.get().trim().to_owned(),
                comparison,
                value,
            }
        });
        TriggerSpec {
            name: self.name.get().trim().to_owned(),
            enabled: self.enabled.get(),
            source: self.source(),
            channel: self.channel.get().trim().to_owned(),
            event: self.event.get().trim().to_owned(),
            data,
            conditions: Conditions {
                mode: unword(&self.mode.get()).unwrap_or(Mode::All),
                rules: rules.collect(),
            },
        }
    }
}

pub fn takes_value(comparison: Comparison) -> bool {
    !matches!(comparison, Comparison::Exists | Comparison::Missing)
}

pub fn comparison_label(comparison: Comparison) -> &'static str {
    let t = &t().triggers;
    match comparison {
        Comparison::Equals => t.equals,
        Comparison::NotEquals => t.not_equals,
        Comparison::Contains => t.contains,
        Comparison::NotContains => t.not_contains,
        Comparison::StartsWith => t.starts_with,
        Comparison::EndsWith => t.ends_with,
        Comparison::GreaterThan => t.greater_than,
        Comparison::AtLeast => t.at_least,
        Comparison::LessThan => t.less_than,
        Comparison::AtMost => t.at_most,
        Comparison::Exists => t.exists,
        Comparison::Missing => t.missing,
    }
}

/// What would be sent for an input, and which paths it does not have.
pub fn outcome(spec: &TriggerSpec, input: &Value) -> (Value, Vec<String>) {
    let mut missing = Vec::new();
    let data = match &spec.data {
        DataSpec::Whole { path } => catalogue::find(input, path).cloned().unwrap_or_else(|| {
            missing.push(path.clone());
            Value::Null
        }),
        DataSpec::Fields { fields } => {
            let mut data = Vec::new();
            for Field { name, value } in fields {
                match value {
                    FieldValue::Constant { value } => {
                        data.push((Cow::Owned(name.clone()), value.clone()));
                    }
                    FieldValue::Path { path } => match catalogue::find(input, path) {
                        Some(value) => {
                            data.push((Cow::Owned(name.clone()), value.clone()));
                        }
                        None => missing.push(path.clone()),
                    },
                }
            }
            Value::Object(data)
        }
    };
    (data, missing)
}
