//! Values for the parameters of a SQL statement: an array for `$1`, `$2`, an object for `$name`. A time is
//! `{"$time_ns": N}`.

use serde_json::value::RawValue;
use tracehouse::SqlValue;

use super::input::Members;
use crate::error::{ApiError, quoted};

/// The values with their names.
///
/// # Errors
/// 400 naming the value that a parameter cannot have.
pub(super) fn of(params: Option<&RawValue>) -> Result<Vec<(String, SqlValue)>, ApiError> {
    let Some(params) = params else {
        return Ok(Vec::new());
    };
    if let Ok(list) = serde_json::from_str::<Vec<Box<RawValue>>>(params.get()) {
        let places = list.iter().enumerate();
        return places
            .map(|(at, value)| named((at + 1).to_string(), value))
            .collect();
    }
    let Ok(Members(members)) = serde_json::from_str::<Members>(params.get()) else {
        return Err(ApiError::bad_request(format!(
            "params is {}: an array or an object expected",
            quoted(params.get())
        )));
    };
    members
        .into_iter()
        .map(|(name, value)| named(name, &value))
        .collect()
}

fn named(name: String, value: &RawValue) -> Result<(String, SqlValue), ApiError> {
    let text = value.get();
    let wrong = |expected: &str| {
        ApiError::bad_request(format!("parameter ${name} is {}: {expected}", quoted(text)))
    };
    let value = match text.as_bytes().first() {
        Some(b'n') => SqlValue::Null,
        Some(b't') => SqlValue::Boolean(true),
        Some(b'f') => SqlValue::Boolean(false),
        Some(b'"') => SqlValue::Text(
            serde_json::from_str(text).map_err(|_| wrong("a text of whole characters expected"))?,
        ),
        Some(b'{') => SqlValue::Time(
            time(text).ok_or_else(|| wrong("{\"$time_ns\": Unix nanoseconds} expected"))?,
        ),
        Some(b'[') => {
            return Err(wrong(
                "null, true, false, a number, a text or {\"$time_ns\": ..} expected",
            ));
        }
        _ if text.contains(['.', 'e', 'E']) => SqlValue::Float(
            serde_json::from_str(text).map_err(|_| wrong("a number of 64 bits expected"))?,
        ),
        _ => SqlValue::Int(
            text.parse()
                .map_err(|_| wrong("whole numbers have 64 bits, with a sign"))?,
        ),
    };
    Ok((name, value))
}

/// The time of `{"$time_ns": N}`: JSON has none of its own.
fn time(text: &str) -> Option<i64> {
    let Members(members) = serde_json::from_str(text).ok()?;
    match members.as_slice() {
        [(name, value)] if name == "$time_ns" => value.get().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<(String, SqlValue)>, ApiError> {
        of(Some(&RawValue::from_string(text.into()).unwrap()))
    }

    #[test]
    fn a_value_has_the_type_that_json_gives_it() {
        let all =
            values(r#"[null, true, false, 5, -9223372036854775808, 1.0, 1e3, "5\n"]"#).unwrap();
        let expected = [
            SqlValue::Null,
            SqlValue::Boolean(true),
            SqlValue::Boolean(false),
            SqlValue::Int(5),
            SqlValue::Int(i64::MIN),
            SqlValue::Float(1.0),
            SqlValue::Float(1000.0),
            SqlValue::Text("5\n".into()),
        ];
        assert_eq!(
            all.iter().map(|(_, value)| value).collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
        assert_eq!(all[7].0, "8");
        assert_eq!(
            values(r#"{"m": 1}"#).unwrap(),
            [("m".to_string(), SqlValue::Int(1))]
        );
        assert_eq!(
            values(r#"[{"$time_ns": -5}]"#).unwrap()[0].1,
            SqlValue::Time(-5)
        );
        for wrong in [
            "5",
            "[[]]",
            r#"{"a":{}}"#,
            r#"[{"$time_ns": "5"}]"#,
            r#"[{"$time_ns": 5, "$time_ns": 6}]"#,
            "[9223372036854775808]",
            "[1e999]",
            r#"["\ud800"]"#,
        ] {
            assert_eq!(values(wrong).unwrap_err().status.as_u16(), 400, "{wrong}");
        }
    }
}
