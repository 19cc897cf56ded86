//! Whether a trigger's conditions hold, by the rules that `hookcast_api::trigger::Comparison` states.

use std::cmp::Ordering;

use hookcast_api::trigger::{Comparison, Condition, Conditions, Mode};
use serde_json::Value;

use super::path;

pub fn hold(conditions: &Conditions, input: &Value) -> bool {
    let mut rules = conditions
        .rules
        .iter()
        .map(|rule| holds(rule, path::find(input, &rule.path)));
    match conditions.mode {
        Mode::All => rules.all(|holds| holds),
        Mode::Any => conditions.rules.is_empty() || rules.any(|holds| holds),
    }
}

fn holds(rule: &Condition, found: Option<&Value>) -> bool {
    let wanted = &rule.value;
    let is = |test: fn(&Value, &Value) -> bool| found.is_some_and(|value| test(value, wanted));
    let ordered = |accepted: &[Ordering]| {
        found
            .and_then(|value| order(value, wanted))
            .is_some_and(|order| accepted.contains(&order))
    };
    match rule.comparison {
        Comparison::Exists => found.is_some(),
        Comparison::Missing => found.is_none(),
        Comparison::Equals => is(same),
        Comparison::NotEquals => !is(same),
        Comparison::Contains => is(contains),
        Comparison::NotContains => !is(contains),
        Comparison::StartsWith => {
            is(|value, wanted| affix(value, wanted, |text, part| text.starts_with(part)))
        }
        Comparison::EndsWith => is(|value, wanted| affix(value, wanted, |text, part| text.ends_with(part))),
        Comparison::GreaterThan => ordered(&[Ordering::Greater]),
        Comparison::AtLeast => ordered(&[Ordering::Greater, Ordering::Equal]),
        Comparison::LessThan => ordered(&[Ordering::Less]),
        Comparison::AtMost => ordered(&[Ordering::Less, Ordering::Equal]),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match numbers(left, right) {
        Some((left, right)) => left == right,
        None => left == right,
    }
}

fn contains(value: &Value, wanted: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| same(item, wanted)),
        _ => affix(value, wanted, |text, part| text.contains(part)),
    }
}

/// An empty wanted text is a condition that was never filled in: it holds for nothing, rather than for everything.
fn affix(value: &Value, wanted: &Value, test: fn(&str, &str) -> bool) -> bool {
    match (text(value), text(wanted)) {
        (Some(value), Some(wanted)) => !wanted.is_empty() && test(&value, &wanted),
        _ => false,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    if let Some((left, right)) = numbers(left, right) {
        return left.partial_cmp(&right);
    }
    Some(left.as_str()?.cmp(right.as_str()?))
}

/// Both as numbers, where at least one is a number and the other one is or spells one.
fn numbers(left: &Value, right: &Value) -> Option<(f64, f64)> {
    if !left.is_number() && !right.is_number() {
        return None;
    }
    Some((number(left)?, number(right)?))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        // Rust also reads "inf" and "nan", which are no numbers to WordPress.
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: Option<Value>, comparison: Comparison, wanted: Value) -> bool {
        let rule = Condition {
            path: "a".to_owned(),
            comparison,
            value: wanted,
        };
        holds(&rule, value.as_ref())
    }

    #[test]
    fn each_comparison_has_a_case_that_holds_and_one_that_does_not() {
        use Comparison::*;
        let cases = [
            (Equals, json!("publish"), json!("publish"), json!("draft")),
            (Equals, json!("5"), json!(5), json!(6)),
            (Equals, json!(true), json!(true), json!(1)),
            (NotEquals, json!("a"), json!("b"), json!("a")),
            (Contains, json!("hello world"), json!("lo w"), json!("moon")),
            (Contains, json!(["x", 3]), json!("3"), json!("y")),
            (NotContains, json!(["x"]), json!("y"), json!("x")),
            (StartsWith, json!("post.updated"), json!("post."), json!("page.")),
            (EndsWith, json!("photo.jpg"), json!(".jpg"), json!(".png")),
            (GreaterThan, json!("10"), json!(9), json!(10)),
            (AtLeast, json!(10), json!(10), json!(10.5)),
            (LessThan, json!("a"), json!("b"), json!("a")),
            (AtMost, json!(-1), json!("-1"), json!("-2")),
        ];
        for (comparison, value, holds, fails) in cases {
            assert!(
                check(Some(value.clone()), comparison, holds.clone()),
                "{value} {comparison:?} {holds}"
            );
            assert!(
                !check(Some(value.clone()), comparison, fails.clone()),
                "{value} {comparison:?} {fails}"
            );
        }
        assert!(check(Some(Value::Null), Exists, Value::Null) && !check(None, Exists, Value::Null));
        assert!(check(None, Missing, Value::Null) && !check(Some(Value::Null), Missing, Value::Null));
    }

    #[test]
    fn a_missing_path_satisfies_only_missing_and_the_negations() {
        for comparison in Comparison::ALL {
            let expected = matches!(
                comparison,
                Comparison::Missing | Comparison::NotEquals | Comparison::NotContains
            );
            assert_eq!(check(None, comparison, json!("x")), expected, "{comparison:?}");
        }
    }

    #[test]
    fn values_without_an_order_are_in_none() {
        for value in [
            json!(null),
            json!(true),
            json!({}),
            json!([1]),
            json!("nan"),
            json!("inf"),
        ] {
            for comparison in [
                Comparison::GreaterThan,
                Comparison::AtLeast,
                Comparison::LessThan,
                Comparison::AtMost,
            ] {
                assert!(
                    !check(Some(value.clone()), comparison, json!(1)),
                    "{value} {comparison:?}"
                );
            }
        }
        assert!(!check(Some(json!("anything")), Comparison::Contains, json!("")));
    }

    #[test]
    fn all_needs_each_rule_and_any_needs_one() {
        let rule = |path: &str| Condition {
            path: path.to_owned(),
            comparison: Comparison::Exists,
            value: Value::Null,
        };
        let input = json!({"a": 1, "b": 2});
        let with = |mode, paths: &[&str]| Conditions {
            mode,
            rules: paths.iter().map(|p| rule(p)).collect(),
        };
        assert!(hold(&with(Mode::All, &["a", "b"]), &input));
        assert!(!hold(&with(Mode::All, &["a", "c"]), &input));
        assert!(hold(&with(Mode::Any, &["c", "b"]), &input));
        assert!(!hold(&with(Mode::Any, &["c", "d"]), &input));
        assert!(hold(&with(Mode::All, &[]), &input) && hold(&with(Mode::Any, &[]), &input));
    }
}
