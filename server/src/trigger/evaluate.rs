//! From an input to what is published.

use hookcast_api::trigger::{DataSpec, FieldValue, TriggerSpec};
use serde_json::{Map, Value};

use super::{conditions, path};

#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Whether the conditions hold; the data is worked out in either case, for people who test a trigger.
    pub matched: bool,
    pub data: Value,
    /// Paths that the input does not have, each once.
    pub missing: Vec<String>,
}

pub fn evaluate(spec: &TriggerSpec, input: &Value) -> Outcome {
    let mut missing = Vec::new();
    let mut find = |path: &str| {
        let found = path::find(input, path);
        if found.is_none() && !missing.iter().any(|known| known == path) {
            missing.push(path.to_owned());
        }
        found.cloned()
    };
    let data = match &spec.data {
        DataSpec::Whole { path } => find(path).unwrap_or(Value::Null),
        DataSpec::Fields { fields } => {
            let mut object = Map::new();
            for field in fields {
                let value = match &field.value {
                    FieldValue::Path { path } => find(path),
                    FieldValue::Constant { value } => Some(value.clone()),
                };
                if let Some(value) = value {
                    object.insert(field.name.clone(), value);
                }
            }
            Value::Object(object)
        }
    };
    Outcome {
        matched: conditions::hold(&spec.conditions, input),
        data,
        missing,
    }
}

#[cfg(test)]
mod tests {
    use hookcast_api::trigger::{Conditions, Field, Source};
    use serde_json::json;

    use super::*;

    fn spec(data: DataSpec) -> TriggerSpec {
        TriggerSpec {
            name: "t".to_owned(),
            enabled: true,
            source: Source::Dispatch { event: None },
            channel: "events".to_owned(),
            event: "e".to_owned(),
            data,
            conditions: Conditions::default(),
        }
    }

    #[test]
    fn a_path_that_is_not_there_leaves_its_field_out() {
        let field = |name: &str, value| Field {
            name: name.to_owned(),
            value,
        };
        let path = |path: &str| FieldValue::Path {
            path: path.to_owned(),
        };
        let spec = spec(DataSpec::Fields {
            fields: vec![
                field("id", path("0")),
                field("title", path("1.post_title")),
                field("gone", path("1.nothing")),
                field("gone too", path("1.nothing")),
                field("kind", FieldValue::Constant { value: json!("post") }),
            ],
        });
        let outcome = evaluate(&spec, &json!([42, {"post_title": "Hi"}]));
        assert_eq!(outcome.data, json!({"id": 42, "title": "Hi", "kind": "post"}));
        assert_eq!(outcome.missing, ["1.nothing"]);
        assert!(outcome.matched);
    }

    #[test]
    fn the_whole_of_a_path_is_passed_as_it_is() {
        let whole = |path: &str| {
            spec(DataSpec::Whole {
                path: path.to_owned(),
            })
        };
        let input = json!({"a": [1, {"b": null}]});
        assert_eq!(evaluate(&whole("a.1"), &input).data, json!({"b": null}));
        assert_eq!(evaluate(&whole(""), &input).data, input);
        let absent = evaluate(&whole("x"), &input);
        assert_eq!((absent.data, absent.missing), (Value::Null, vec!["x".to_owned()]));
    }
}
