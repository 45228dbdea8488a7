//! One text for one JSON value.
//!
//! **Invariant** equal values give equal text: keys sorted by their bytes, no spaces, no escape that JSON does not ask
//! for, numbers as `serde_json` writes them. A hash is taken over this text, so its form never changes.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The canonical text of a JSON value.
///
/// ```
/// use serde_json::json;
/// use tracehouse_eval::prompt::canonical_json;
///
/// assert_eq!(canonical_json(&json!({"b": [1, "é"], "a": null})), r#"{"a":null,"b":[1,"é"]}"#);
/// ```
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            // Sorted here: whether the map is sorted by itself depends on a feature that another crate may turn on.
            let mut entries: Vec<_> = entries.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_value(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// SHA-256 of a text, as 64 lower-case hex digits.
pub(crate) fn sha256_hex(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        // Writing to a `String` cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
