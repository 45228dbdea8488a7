//! Halves of surrogate pairs in JSON texts (`"\ud83d"` alone, as texts that were cut have them) for the JSON functions.
//!
//! JSON allows them and no text can hold them. The reader behind the functions takes one for the end of what can be
//! read: what stands behind it, and the text that it is in, were NULL. The functions are given the replacement
//! character in its place, as `messages` shows it. Unneeded once `half_of_a_surrogate_pair_costs_only_itself` among the
//! tests passes without it.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use memchr::memmem;

use crate::messages::escaped_unit;

/// Bytes of an escape: `\u` and four hex digits.
const UNIT_BYTES: usize = 6;

/// A JSON argument without such halves; one of another type is as it was.
pub(super) fn replaced(json: ColumnarValue) -> Result<ColumnarValue> {
    match json {
        ColumnarValue::Array(array) => Ok(ColumnarValue::Array(replaced_in_array(array)?)),
        ColumnarValue::Scalar(scalar) => match scalar.try_as_str().flatten().map(whole) {
            Some(Cow::Owned(text)) => {
                let text = ScalarValue::Utf8(Some(text)).cast_to(&scalar.data_type())?;
                Ok(ColumnarValue::Scalar(text))
            }
            _ => Ok(ColumnarValue::Scalar(scalar)),
        },
    }
}

fn replaced_in_array(array: ArrayRef) -> Result<ArrayRef> {
    let made: ArrayRef = match array.data_type() {
        DataType::Utf8View if array.as_string_view().iter().flatten().any(may_hold) => {
            let texts = array.as_string_view().iter();
            Arc::new(
                texts
                    .map(|text| text.map(whole))
                    .collect::<StringViewArray>(),
            )
        }
        DataType::Utf8 if array.as_string::<i32>().iter().flatten().any(may_hold) => Arc::new(
            array
                .as_string::<i32>()
                .iter()
                .map(|text| text.map(whole))
                .collect::<StringArray>(),
        ),
        DataType::LargeUtf8 | DataType::Dictionary(..) => {
            let Ok(texts) = cast(&array, &DataType::Utf8View) else {
                return Ok(array);
            };
            if !texts.as_string_view().iter().flatten().any(may_hold) {
                return Ok(array);
            }
            cast(&replaced_in_array(texts)?, array.data_type())?
        }
        _ => return Ok(array),
    };
    Ok(made)
}

/// Whether a text may have a surrogate, half or whole.
fn may_hold(text: &str) -> bool {
    let holds = |escape: &[u8]| memmem::find(text.as_bytes(), escape).is_some();
    holds(br"\ud") || holds(br"\uD")
}

/// The text with the replacement character in the place of each half of a pair.
fn whole(text: &str) -> Cow<'_, str> {
    if !may_hold(text) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    let mut has_half = false;
    while let Some((plain, escape)) = rest.find('\\').and_then(|at| rest.split_at_checked(at)) {
        out.push_str(plain);
        let bytes = match escaped_unit(escape) {
            Some(0xD800..0xDC00) if is_low(escape.get(UNIT_BYTES..)) => 2 * UNIT_BYTES,
            Some(0xD800..0xE000) => {
                has_half = true;
                out.push_str(r"\ufffd");
                rest = escape.get(UNIT_BYTES..).unwrap_or_default();
                continue;
            }
            // The backslash and what it escapes go through together.
            _ => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (sent, after) = escape.split_at_checked(bytes).unwrap_or((escape, ""));
        out.push_str(sent);
        rest = after;
    }
    out.push_str(rest);
    if has_half {
        Cow::Owned(out)
    } else {
        Cow::Borrowed(text)
    }
}

fn is_low(escape: Option<&str>) -> bool {
    matches!(escape.and_then(escaped_unit), Some(0xDC00..0xE000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_halves_are_replaced() {
        for (text, wanted) in [
            (r#"{"a":"\ud83d","b":1}"#, r#"{"a":"\ufffd","b":1}"#),
            (
                r#"["\uDE00\ud83d\ude00x\ud83d\u0041\uD83D"]"#,
                r#"["\ufffd\ud83d\ude00x\ufffd\u0041\ufffd"]"#,
            ),
            (
                r#"["\\ud83d", "\ud83d\ude00"]"#,
                r#"["\\ud83d", "\ud83d\ude00"]"#,
            ),
            (r#"["\ud83"#, r#"["\ud83"#),
            (r"\", r"\"),
        ] {
            assert_eq!(whole(text), wanted);
        }
    }
}
