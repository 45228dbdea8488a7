//! The answer's number is the one expected, within a tolerance.
//!
//! **Which number**: JSON that is a number is that number. Of a text it is the **last** one, for answers say how they came
//! to it first. A number in a text is digits, with commas between groups of three, a point and decimals, an exponent,
//! and a sign right before it (or before its currency sign) that does not stand between words: `-1,234.5e3`, `.5`,
//! `-$20`, `5kg`, `50%` (which is 50). Digits that go on from a letter, a digit or `_` are part of a name: `v2`, `H2O`. A hyphen
//! after a letter or digit is no sign: `GPT-4` has 4, `2024-05-06` ends with 6. The decimal sign is the point: `3,14` has 3
//! and 14.
//!
//! The difference is within when it is at most `absolute`, or at most `relative` times what is expected.
//!
//! Invariant: an answer without a number does not pass; an expectation without one is an error.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::answer;
use super::super::error::SpecError;
use super::super::named::Check;
use super::{TEXTS, short};
use crate::{Item, Needs, Score, ScoreError, ScoreErrorKind};

/// Whether the answer's number is the one expected. Value: a boolean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numeric {
    /// The difference that passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absolute: Option<f64>,
    /// The difference that passes as a part of what is expected: 0.01 is one percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<f64>,
    /// Name of the expectation, or a JSON pointer into all of them.
    #[serde(default = "answer::expected_response")]
    pub expectation: String,
    /// A JSON pointer into the outputs, in the place of the answer's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Numeric {
    /// Tolerances against `expected_response`.
    pub fn new(absolute: Option<f64>, relative: Option<f64>) -> Self {
        Self {
            absolute,
            relative,
            expectation: answer::expected_response(),
            field: None,
        }
    }

    pub(in super::super) fn build(&self) -> Result<Box<dyn Check>, SpecError> {
        answer::check_field(self.field.as_deref())?;
        answer::check_expectation(&self.expectation)?;
        if self.absolute.is_none() && self.relative.is_none() {
            let message = "needs a tolerance, `absolute` or `relative`; `absolute = 0` for equal";
            return Err(SpecError::new(message));
        }
        for tolerance in self.absolute.iter().chain(&self.relative) {
            if !(tolerance.is_finite() && *tolerance >= 0.0) {
                let message = format!("tolerance {tolerance} is not 0 or more");
                return Err(SpecError::new(message));
            }
        }
        Ok(Box::new(self.clone()))
    }

    fn expected(&self, item: &Item) -> Result<f64, ScoreError> {
        let value = answer::expected(item, &self.expectation)?;
        number_of(value).ok_or_else(|| {
            let name = &self.expectation;
            let message = format!("expectation `{name}` has no number: {value}");
            ScoreError::new(ScoreErrorKind::Unreadable, message)
        })
    }

    fn within(&self, expected: f64, found: f64) -> bool {
        let difference = (found - expected).abs();
        let relative = self.relative.map(|part| part * expected.abs());
        let mut tolerances = self.absolute.iter().chain(&relative);
        tolerances.any(|tolerance| difference <= *tolerance)
    }
}

impl Check for Numeric {
    fn needs(&self) -> Needs {
        TEXTS
    }

    fn check(&self, item: &Item) -> Result<Score, ScoreError> {
        let expected = self.expected(item)?;
        let field = self.field.as_deref();
        let text = answer::text(item, field)?;
        let plain = match (field, &item.output_text) {
            (None, Some(_)) => None,
            _ => answer::value(item, field)?.as_f64(),
        };
        let Some(found) = plain.or_else(|| last_number(&text)) else {
            return Ok(Score::verdict(false, || {
                format!("expected {expected}, found no number in {}", short(&text))
            }));
        };
        Ok(Score::verdict(self.within(expected, found), || {
            let difference = (found - expected).abs();
            format!("expected {expected}, found {found}, a difference of {difference}")
        }))
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => last_number(text),
        _ => None,
    }
}

/// The last number of a text, as the head of this file says.
///
/// ```
/// use tracehouse_eval::scorer::rules::last_number;
///
/// assert_eq!(last_number("3 boxes of 12 make -$1,036.50."), Some(-1036.5));
/// assert_eq!(last_number("GPT is a model"), None);
/// ```
pub fn last_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let mut last = None;
    let mut at = 0;
    while let Some(skipped) = starts(bytes.get(at..)?).next() {
        at += skipped;
        let length = number_length(bytes.get(at..)?);
        let before = text.get(..at)?;
        let in_name = before.chars().next_back();
        if !in_name.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            let digits = text.get(at..at + length)?.replace(',', "");
            let number: Option<f64> = digits.parse().ok();
            let sign = if is_negative(before) { -1.0 } else { 1.0 };
            last = number.map(|number| sign * number).or(last);
        }
        at += length;
    }
    last
}

/// Where numbers may start: a digit, or a point before one.
fn starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.iter().enumerate().filter_map(|(index, byte)| {
        let next = || bytes.get(index + 1).is_some_and(u8::is_ascii_digit);
        (byte.is_ascii_digit() || (*byte == b'.' && next())).then_some(index)
    })
}

fn digits(bytes: &[u8]) -> usize {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    digits.count()
}

/// The length of the number that starts here, at least 1.
fn number_length(bytes: &[u8]) -> usize {
    let after = |at: usize| bytes.get(at..).unwrap_or_default();
    let mut length = digits(bytes);
    let groups = (1..=3).contains(&length);
    while groups && after(length).starts_with(b",") && digits(after(length + 1)) == 3 {
        length += 4;
    }
    if after(length).starts_with(b".") {
        let decimals = digits(after(length + 1));
        length += if decimals > 0 { 1 + decimals } else { 0 };
    }
    if let [b'e' | b'E', rest @ ..] = after(length) {
        let signed = usize::from(matches!(rest, [b'+' | b'-', ..]));
        let exponent = digits(after(length + 1 + signed));
        length += if exponent > 0 {
            1 + signed + exponent
        } else {
            0
        };
    }
    length.max(1)
}

/// Whether a sign stands right before a number, and not between words.
fn is_negative(before: &str) -> bool {
    let before = before.strip_suffix(['$', '€', '£', '¥']).unwrap_or(before);
    match before.strip_suffix(['-', '\u{2212}']) {
        Some(rest) => !rest.chars().next_back().is_some_and(char::is_alphanumeric),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_texts() {
        for (text, number) in [
            ("", None),
            ("none", None),
            ("42", Some(42.0)),
            ("The answer is 42.", Some(42.0)),
            ("first 1, then 2", Some(2.0)),
            ("1,234,567.25 in all", Some(1_234_567.25)),
            ("1,2345", Some(2345.0)),
            ("1234,567", Some(567.0)),
            ("3,14", Some(14.0)),
            ("-5", Some(-5.0)),
            ("(-.5)", Some(-0.5)),
            ("7 - 5", Some(5.0)),
            ("7-5", Some(5.0)),
            ("x = -5", Some(-5.0)),
            ("\u{2212}5 °C", Some(-5.0)),
            ("-$1,000", Some(-1000.0)),
            ("$-7", Some(-7.0)),
            ("GPT-4", Some(4.0)),
            ("50%", Some(50.0)),
            ("5kg", Some(5.0)),
            ("1.5e3", Some(1500.0)),
            ("2E-2", Some(0.02)),
            ("2e", Some(2.0)),
            ("12 of H2O and v2_3", Some(12.0)),
            ("é9 8é", Some(8.0)),
            ("1.2.3", Some(1.2)),
            ("6...", Some(6.0)),
            ("2024-05-06", Some(6.0)),
        ] {
            assert_eq!(last_number(text), number, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_number_is_found_again(number in -1e12f64..1e12, text in "[a-z .,!é]{0,20}") {
            proptest::prop_assert_eq!(last_number(&format!("{text} {number} {text}")), Some(number));
            proptest::prop_assert_eq!(last_number(&format!("{text}: {number:e}")), Some(number));
        }
    }
}
