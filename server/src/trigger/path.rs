//! Paths into a JSON value: keys and indexes joined by dots; the empty path is the whole value.

use serde_json::Value;

pub const BYTES_MAX: usize = 256;
pub const PARTS_MAX: usize = 8;

/// What the path names, if it is there.
pub fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() {
        return Some(value);
    }
    path.split('.').try_fold(value, |value, part| match value {
        Value::Object(members) => members.get(part),
        Value::Array(items) => items.get(index(part)?),
        _ => None,
    })
}

/// `01` and `+1` are keys that no array has, as in PHP.
fn index(part: &str) -> Option<usize> {
    let plain = part.bytes().all(|digit| digit.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
    part.parse().ok().filter(|_| plain)
}

/// Why a path can't be one.
pub fn check(path: &str) -> Result<(), String> {
    if path.len() > BYTES_MAX {
        return Err(format!("a path has at most {BYTES_MAX} bytes"));
    }
    if path.chars().any(char::is_control) {
        return Err("a path has no control characters".to_owned());
    }
    if !path.is_empty() && path.split('.').any(str::is_empty) {
        return Err("a path is keys joined by single dots, such as 1.post_title".to_owned());
    }
    if path.split('.').count() > PARTS_MAX {
        return Err(format!("a path goes at most {PARTS_MAX} steps deep"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_walks_objects_and_arrays() {
        let value = json!([7, {"post_title": "Hi", "items": [{"sku": "a"}, {"sku": "b"}], "0": "zero"}]);
        let at = |path| find(&value, path).cloned();
        assert_eq!(at(""), Some(value.clone()));
        assert_eq!(at("0"), Some(json!(7)));
        assert_eq!(at("1.post_title"), Some(json!("Hi")));
        assert_eq!(at("1.items.1.sku"), Some(json!("b")));
        assert_eq!(at("1.0"), Some(json!("zero")));
        for missing in ["2", "01", "+1", "-1", "0.a", "1.nothing", "1.items.2", "1..0"] {
            assert_eq!(at(missing), None, "{missing}");
        }
    }

    #[test]
    fn a_path_is_bounded() {
        check("a.b.0").unwrap();
        check("").unwrap();
        for bad in [".a", "a.", "a..b", "a\n", "1.2.3.4.5.6.7.8.9"] {
            check(bad).unwrap_err();
        }
        check(&"a".repeat(BYTES_MAX + 1)).unwrap_err();
    }
}
