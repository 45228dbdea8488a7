//! What a field is compared with: typed, compiled, in the units of the stored column.

use std::ops::{Bound, RangeBounds};

use super::Pattern;
use super::number::Number;

/// Lists beyond this length are searched by halves.
const LINEAR_SEARCH_MAX: usize = 8;

/// A comparison of one value. Absent values satisfy none but [`Test::IsNull`].
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// Absent.
    IsNull,
    /// Present.
    IsNotNull,
    /// Text.
    Text(TextTest),
    /// Integers and times.
    Int(IntTest),
    /// Floating-point numbers.
    Float(FloatTest),
    /// JSON values.
    Json(JsonTest),
    /// A text query (words, phrases, prefixes), kept as written.
    Matches(String),
}

/// A comparison of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct TextTest {
    /// What is wanted.
    pub op: TextOp,
    /// Whether present texts that do *not* satisfy `op` are wanted.
    pub negated: bool,
}

/// What a text is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum TextOp {
    /// One of these, sorted and distinct.
    In(Vec<String>),
    /// A pattern.
    Pattern(Pattern),
}

/// An integer in one of these inclusive ranges, or in none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntTest {
    /// Inclusive ranges; none = nothing matches.
    pub ranges: Vec<(i64, i64)>,
    /// Whether present values outside all ranges are wanted.
    pub negated: bool,
}

/// A number in one of these ranges, or in none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatTest {
    /// Ranges; none = nothing matches.
    pub ranges: Vec<(Bound<f64>, Bound<f64>)>,
    /// Whether present values outside all ranges are wanted.
    pub negated: bool,
}

/// A comparison of a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonTest {
    /// What is wanted.
    pub op: JsonOp,
    /// Whether present values that do *not* satisfy `op` are wanted.
    pub negated: bool,
}

/// What a JSON value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonOp {
    /// Equal to one of these.
    In(Vec<Scalar>),
    /// A number in a range; other types never are.
    Range(Bound<f64>, Bound<f64>),
    /// A pattern on the value's text.
    Pattern(Pattern),
}

/// A typed literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Equal to a string, and to the JSON text of any value.
    Text(String),
    /// Equal to numbers alone.
    Number(Number),
    /// Equal to booleans alone.
    Bool(bool),
}

impl TextTest {
    /// Equal to one of `values`, or to none of them when `negated`.
    pub fn one_of(mut values: Vec<String>, negated: bool) -> Self {
        values.sort_unstable();
        values.dedup();
        Self {
            op: TextOp::In(values),
            negated,
        }
    }

    /// Any text.
    pub fn any() -> Self {
        Self::one_of(Vec::new(), true)
    }

    /// The values of an equality or `IN`.
    pub fn equalities(&self) -> Option<&[String]> {
        match (&self.op, self.negated) {
            (TextOp::In(values), false) => Some(values),
            _ => None,
        }
    }

    /// Whether a present text satisfies the test.
    pub fn accepts(&self, text: &str) -> bool {
        self.op.accepts(text) != self.negated
    }
}

impl TextOp {
    /// Whether the text is wanted, apart from negation.
    pub fn accepts(&self, text: &str) -> bool {
        match self {
            TextOp::In(values) if values.len() <= LINEAR_SEARCH_MAX => {
                values.iter().any(|value| value == text)
            }
            TextOp::In(values) => values
                .binary_search_by(|value| value.as_str().cmp(text))
                .is_ok(),
            TextOp::Pattern(pattern) => pattern.is_match(text),
        }
    }
}

impl IntTest {
    /// Whether a present value satisfies the test.
    pub fn accepts(&self, value: i64) -> bool {
        self.ranges
            .iter()
            .any(|(min, max)| (*min..=*max).contains(&value))
            != self.negated
    }

    /// The smallest range that holds every wanted value; `None` when there is no bound.
    pub fn hull(&self) -> Option<(i64, i64)> {
        if self.negated {
            return None;
        }
        let min = self.ranges.iter().map(|range| range.0).min();
        let max = self.ranges.iter().map(|range| range.1).max();
        // An empty test wants nothing: an empty range.
        Some((min.unwrap_or(i64::MAX), max.unwrap_or(i64::MIN)))
    }
}

impl FloatTest {
    /// Whether a present value satisfies the test.
    pub fn accepts(&self, value: f64) -> bool {
        self.ranges.iter().any(|range| range.contains(&value)) != self.negated
    }
}
