//! What a trigger must be before it is stored. Every fault is named with its field, so that a form shows all at once.

use std::collections::HashSet;

use hookcast_api::FieldError;
use hookcast_api::trigger::{Comparison, DataSpec, FieldValue, Source, TriggerSpec};
use serde_json::Value;
use wire::channel;

use super::path;

pub const TRIGGERS_PER_SITE_MAX: usize = 200;

const NAME_CHARS_MAX: usize = 100;
const FIELDS_MAX: usize = 64;
const RULES_MAX: usize = 32;
const FIELD_NAME_BYTES_MAX: usize = 64;
const VALUE_BYTES_MAX: usize = 4096;
const HOOK_BYTES_MAX: usize = 200;
/// WordPress passes no hook more arguments than this.
const ARGS_MAX: u8 = 16;
/// WordPress' own bounds of a post type's and an option's name.
const POST_TYPE_BYTES_MAX: usize = 20;
const OPTION_BYTES_MAX: usize = 191;

/// How long names may be, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct NameLimits {
    pub channel: usize,
    pub event: usize,
}

/// The faults, none if the trigger can be stored. `site_id` is the site whose trigger it is.
pub fn validate(spec: &TriggerSpec, site_id: &str, limits: NameLimits) -> Vec<FieldError> {
    let mut faults = Faults(Vec::new());
    let name = spec.name.trim();
    faults.check(
        "name",
        !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX && is_plain(name),
        || format!("give the trigger a name of 1 to {NAME_CHARS_MAX} characters"),
    );
    faults.source(&spec.source, limits);
    match channel::bare(&spec.channel, site_id, limits.channel) {
        Err(why) => faults.add("channel", why.to_string()),
        Ok(bare) => faults.check("channel", !channel::is_reserved(bare), || {
            format!(
                "channels that begin with {} belong to the relay",
                channel::RESERVED_CHANNELS
            )
        }),
    }
    if let Err(why) = channel::check_event(&spec.event, limits.event) {
        faults.add("event", why.to_string());
    }
    faults.data(&spec.data);
    faults.check(
        "conditions.rules",
        spec.conditions.rules.len() <= RULES_MAX,
        || format!("a trigger has at most {RULES_MAX} conditions"),
    );
    for (place, rule) in spec.conditions.rules.iter().enumerate() {
        faults.path(&format!("conditions.rules.{place}.path"), &rule.path);
        let field = format!("conditions.rules.{place}.value");
        match rule.comparison {
            Comparison::Exists | Comparison::Missing => {}
            Comparison::GreaterThan | Comparison::AtLeast | Comparison::LessThan | Comparison::AtMost => {
                faults.check(&field, rule.value.is_number() || rule.value.is_string(), || {
                    "compare with a number or a text".to_owned()
                });
            }
            Comparison::StartsWith | Comparison::EndsWith => {
                let filled =
                    rule.value.is_number() || rule.value.as_str().is_some_and(|text| !text.is_empty());
                faults.check(&field, filled, || "compare with a text".to_owned());
            }
            _ => faults.check(&field, !rule.value.is_object() && !rule.value.is_array(), || {
                "compare with a text, a number, true, false or null".to_owned()
            }),
        }
        faults.value(&field, &rule.value);
    }
    faults.0
}

struct Faults(Vec<FieldError>);

impl Faults {
    fn add(&mut self, field: &str, message: String) {
        self.0.push(FieldError {
            field: field.to_owned(),
            message,
        });
    }

    fn check(&mut self, field: &str, good: bool, message: impl FnOnce() -> String) {
        if !good {
            self.add(field, message());
        }
    }

    fn path(&mut self, field: &str, path: &str) {
        if let Err(why) = path::check(path) {
            self.add(field, why);
        }
    }

    fn value(&mut self, field: &str, value: &Value) {
        self.check(field, value.to_string().len() <= VALUE_BYTES_MAX, || {
            format!("a value has at most {VALUE_BYTES_MAX} bytes of JSON")
        });
    }

    fn source(&mut self, source: &Source, limits: NameLimits) {
        match source {
            Source::Action { hook, args, .. } => {
                let plain = is_plain(hook) && !hook.contains(char::is_whitespace);
                self.check(
                    "source.hook",
                    !hook.is_empty() && hook.len() <= HOOK_BYTES_MAX && plain,
                    || "name a WordPress action hook, such as save_post".to_owned(),
                );
                self.check("source.args", *args <= ARGS_MAX, || {
                    format!("a hook passes at most {ARGS_MAX} arguments")
                });
            }
            Source::PostType { post_type } => {
                let known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
                let named = !post_type.is_empty()
                    && post_type.len() <= POST_TYPE_BYTES_MAX
                    && post_type.bytes().all(known);
                self.check("source.post_type", named, || {
                    "name a post type, such as post or product".to_owned()
                });
            }
            Source::Option { option } => {
                let named = !option.trim().is_empty() && option.len() <= OPTION_BYTES_MAX && is_plain(option);
                self.check("source.option", named, || {
                    "name an option, such as blogname".to_owned()
                });
            }
            Source::Webhook { .. } => {}
            Source::Dispatch { event } => {
                let named = event
                    .as_ref()
                    .is_none_or(|event| !event.is_empty() && event.len() <= limits.event && is_plain(event));
                self.check("source.event", named, || {
                    "name the dispatched event, or leave it away for all".to_owned()
                });
            }
        }
    }

    fn data(&mut self, data: &DataSpec) {
        let fields = match data {
            DataSpec::Whole { path } => return self.path("data.path", path),
            DataSpec::Fields { fields } => fields,
        };
        self.check("data.fields", fields.len() <= FIELDS_MAX, || {
            format!("a trigger has at most {FIELDS_MAX} fields")
        });
        let mut names = HashSet::new();
        for (place, field) in fields.iter().enumerate() {
            let name = &field.name;
            let at = format!("data.fields.{place}.name");
            self.check(
                &at,
                !name.is_empty() && name.len() <= FIELD_NAME_BYTES_MAX && is_plain(name),
                || format!("a field's name has 1 to {FIELD_NAME_BYTES_MAX} bytes and no control characters"),
            );
            self.check(&at, names.insert(name), || {
                "there is another field of this name".to_owned()
            });
            match &field.value {
                FieldValue::Path { path } => self.path(&format!("data.fields.{place}.value.path"), path),
                FieldValue::Constant { value } => {
                    self.value(&format!("data.fields.{place}.value.value"), value);
                }
            }
        }
    }
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SITE_ID: &str = "ab";

    fn good() -> Value {
        json!({
            "name": "New post", "enabled": true, "channel": "events", "event": "post.published",
            "source": {"kind": "action", "hook": "transition_post_status", "priority": 10, "args": 3},
            "data": {"kind": "fields", "fields": [
                {"name": "id", "value": {"kind": "path", "path": "2.ID"}},
                {"name": "kind", "value": {"kind": "constant", "value": "post"}}]},
            "conditions": {"mode": "all", "rules": [{"path": "0", "comparison": "equals", "value": "publish"}]},
        })
    }

    fn faults(spec: Value) -> Vec<String> {
        let spec = serde_json::from_value(spec).expect("the shape is right");
        validate(
            &spec,
            SITE_ID,
            NameLimits {
                channel: 256,
                event: 128,
            },
        )
        .into_iter()
        .map(|fault| fault.field)
        .collect()
    }

    #[test]
    fn a_good_trigger_has_no_fault() {
        assert_eq!(faults(good()), Vec::<String>::new());
    }

    #[test]
    fn each_rule_names_the_field_that_breaks_it() {
        let broken: &[(&str, Value, &str)] = &[
            ("/name", json!("  "), "name"),
            ("/name", json!("x".repeat(101)), "name"),
            ("/channel", json!(""), "channel"),
            ("/channel", json!("wps:connections"), "channel"),
            ("/channel", json!("site:cd:events"), "channel"),
            ("/event", json!(""), "event"),
            ("/event", json!("wps.presence"), "event"),
            ("/event", json!("a\nb"), "event"),
            ("/source", json!({"kind": "action", "hook": ""}), "source.hook"),
            ("/source", json!({"kind": "action", "hook": "a b"}), "source.hook"),
            (
                "/source",
                json!({"kind": "action", "hook": "h", "args": 17}),
                "source.args",
            ),
            (
                "/source",
                json!({"kind": "post_type", "post_type": "Post Type"}),
                "source.post_type",
            ),
            (
                "/source",
                json!({"kind": "option", "option": " "}),
                "source.option",
            ),
            (
                "/source",
                json!({"kind": "dispatch", "event": ""}),
                "source.event",
            ),
            ("/data", json!({"kind": "whole", "path": "a..b"}), "data.path"),
            ("/data/fields/1/name", json!("id"), "data.fields.1.name"),
            ("/data/fields/0/name", json!(""), "data.fields.0.name"),
            (
                "/data/fields/0/value/path",
                json!(".x"),
                "data.fields.0.value.path",
            ),
            (
                "/data/fields/1/value/value",
                json!("x".repeat(5000)),
                "data.fields.1.value.value",
            ),
            ("/conditions/rules/0/path", json!("a."), "conditions.rules.0.path"),
            ("/conditions/rules/0/value", json!({}), "conditions.rules.0.value"),
            (
                "/conditions/rules/0",
                json!({"path": "0", "comparison": "at_least", "value": true}),
                "conditions.rules.0.value",
            ),
            (
                "/conditions/rules/0",
                json!({"path": "0", "comparison": "starts_with", "value": ""}),
                "conditions.rules.0.value",
            ),
        ];
        for (pointer, value, field) in broken {
            let mut spec = good();
            *spec.pointer_mut(pointer).expect("the pointer is right") = value.clone();
            assert_eq!(faults(spec), [*field], "{pointer} = {value}");
        }
    }

    #[test]
    fn every_kind_of_source_can_be_good() {
        for source in [
            json!({"kind": "action", "hook": "woocommerce_order_status_changed"}),
            json!({"kind": "post_type", "post_type": "product"}),
            json!({"kind": "option", "option": "blogname"}),
            json!({"kind": "webhook", "verify": "woocommerce"}),
            json!({"kind": "webhook", "verify": "github"}),
            json!({"kind": "webhook", "verify": "bearer"}),
            json!({"kind": "dispatch"}),
            json!({"kind": "dispatch", "event": "order"}),
        ] {
            let mut spec = good();
            spec["source"] = source;
            assert_eq!(faults(spec), Vec::<String>::new());
        }
    }
}
