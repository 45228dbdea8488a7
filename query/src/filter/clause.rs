//! Checks one clause: operator and literals against the key's kind, converted to the units of the
//! stored column.

use std::ops::Bound;

use tracehouse_storage::model::{AssessmentKind, normalize_trace_id};

use super::FILTER_PATTERN_BYTES_MAX;
use super::ast::{Clause, Comparison, Literal, Operator, TextSpan, Value};
use super::error::FilterError;
use super::keys::Kind;
use super::time::{UNIT_NAMES, as_ms, duration_ns, time_ns};
use crate::predicate::{
    AssessmentPredicate, AssessmentTest, Condition, Field, FloatTest, IntTest, JsonOp, JsonTest,
    Number, Pattern, PatternKind, Predicate, Scalar, Scaled, Test, TextOp, TextTest,
};

const TIME_EXPECTED: &str =
    "a time: Unix milliseconds, '2026-01-31', '2026-01-31T12:00:00Z', or now() - 7d as an example";
/// Nanoseconds of a millisecond.
const MS_NS: i64 = 1_000_000;

/// The check of one clause.
pub(super) struct ClauseCheck<'a> {
    /// The filter text.
    pub source: &'a str,
    /// One clause of it.
    pub clause: &'a Clause,
}

impl ClauseCheck<'_> {
    fn key(&self) -> String {
        self.clause.key.text()
    }

    /// An error about the operator.
    fn operator_error(&self, valid: &str) -> FilterError {
        FilterError::at(self.source, self.clause.operator_at.start, |at| {
            let word = self.clause.operator.word();
            format!(
                "Invalid comparator '{word}' at position {at} for '{}', not one of {valid}",
                self.key()
            )
        })
    }

    /// An error about a value.
    fn value_error(&self, at: TextSpan, expected: &str) -> FilterError {
        FilterError::at(self.source, at.start, |position| {
            let value = self.source.get(at.start..at.end).unwrap_or("");
            let value: String = value.chars().take(60).collect();
            format!(
                "Expected {expected} for '{}'. Got value {value} at position {position}",
                self.key()
            )
        })
    }

    pub fn test(&self, field: &Field, kind: Kind) -> Result<Test, FilterError> {
        if let Operator::Null { negated } = self.clause.operator
            && kind != Kind::Content
        {
            return Ok(if negated {
                Test::IsNotNull
            } else {
                Test::IsNull
            });
        }
        match kind {
            Kind::Text | Kind::SearchableText | Kind::TraceId | Kind::Content => {
                self.text_like(field, kind)
            }
            Kind::TimeNs | Kind::TimeMs | Kind::PlainMs | Kind::ExactMs | Kind::Count => {
                self.int(kind)
            }
            Kind::Float => Ok(Test::Float(self.float()?)),
            Kind::Tag => self.tag(),
            Kind::Json => Ok(Test::Json(self.json()?)),
        }
    }

    fn text_like(&self, field: &Field, kind: Kind) -> Result<Test, FilterError> {
        let test = match &self.clause.operator {
            Operator::Matches(value) if matches!(kind, Kind::SearchableText | Kind::Content) => {
                return self.text_query(field, value);
            }
            Operator::Pattern { .. } => self.text_test()?,
            _ if kind == Kind::Content => {
                return Err(self.operator_error("LIKE, ILIKE, RLIKE, MATCHES"));
            }
            _ => match self.listed()? {
                Some((values, negated)) if kind == Kind::TraceId => {
                    let ids = self.texts(values)?;
                    TextTest::one_of(
                        ids.iter().map(|id| normalize_trace_id(id)).collect(),
                        negated,
                    )
                }
                None if kind == Kind::SearchableText => {
                    return Err(self.operator_error(
                        "=, !=, IN, NOT IN, LIKE, ILIKE, RLIKE, IS NULL, MATCHES",
                    ));
                }
                _ => self.text_test()?,
            },
        };
        Ok(Test::Text(test))
    }

    /// A comparison of a tag: with texts as a text, with numbers as a number where it is one.
    fn tag(&self) -> Result<Test, FilterError> {
        let is_number = |value: &Value| matches!(value.literal, Literal::Number(_));
        let compares_numbers = match &self.clause.operator {
            Operator::Compare(Comparison::Equal | Comparison::NotEqual, value) => is_number(value),
            Operator::In { values, .. } => values.iter().any(is_number),
            Operator::Compare(..) | Operator::Between { .. } => true,
            _ => false,
        };
        if !compares_numbers {
            return Ok(Test::Text(self.text_test()?));
        }
        if let Operator::In { values, .. } = &self.clause.operator
            && let Some(value) = values
                .iter()
                .find(|value| matches!(value.literal, Literal::Bool(_)))
        {
            return Err(self.value_error(value.at, "a quoted text or a number"));
        }
        Ok(Test::Json(self.json()?))
    }

    /// A comparison of a text: equality, list or pattern.
    fn text_test(&self) -> Result<TextTest, FilterError> {
        if let Operator::Pattern {
            kind,
            negated,
            value,
        } = &self.clause.operator
        {
            return Ok(TextTest {
                op: TextOp::Pattern(self.pattern(*kind, value)?),
                negated: *negated,
            });
        }
        match self.listed()? {
            Some((values, negated)) => Ok(TextTest::one_of(self.texts(values)?, negated)),
            None => Err(self.operator_error("=, !=, IN, NOT IN, LIKE, ILIKE, RLIKE, IS NULL")),
        }
    }

    fn text_query(&self, field: &Field, value: &Value) -> Result<Test, FilterError> {
        let condition = Condition {
            field: field.clone(),
            test: Test::Matches(self.text(value)?),
        };
        match condition.text_query() {
            Ok(_) => Ok(condition.test),
            Err(error) => Err(FilterError::at(self.source, value.at.start, |at| {
                format!(
                    "Invalid text query for '{}' at position {at}: {error}",
                    self.key()
                )
            })),
        }
    }

    /// The values of `=`, `!=`, `IN` and `NOT IN`; `None` for other operators.
    fn listed(&self) -> Result<Option<(&[Value], bool)>, FilterError> {
        match &self.clause.operator {
            Operator::Compare(Comparison::Equal, value) => {
                Ok(Some((std::slice::from_ref(value), false)))
            }
            Operator::Compare(Comparison::NotEqual, value) => {
                Ok(Some((std::slice::from_ref(value), true)))
            }
            Operator::In { negated, values } => Ok(Some((values, *negated))),
            _ => Ok(None),
        }
    }

    fn text(&self, value: &Value) -> Result<String, FilterError> {
        match &value.literal {
            Literal::Text(text) => Ok(text.clone()),
            _ => Err(self.value_error(value.at, "a quoted string value (e.g. 'my-value')")),
        }
    }

    fn texts(&self, values: &[Value]) -> Result<Vec<String>, FilterError> {
        values.iter().map(|value| self.text(value)).collect()
    }

    fn pattern(&self, kind: PatternKind, value: &Value) -> Result<Pattern, FilterError> {
        let text = self.text(value)?;
        let compiled = if text.len() > FILTER_PATTERN_BYTES_MAX {
            Err(format!(
                "the pattern has {} bytes, more than {FILTER_PATTERN_BYTES_MAX}",
                text.len()
            ))
        } else {
            Pattern::new(kind, &text)
        };
        compiled.map_err(|why| {
            FilterError::at(self.source, value.at.start, |at| {
                format!(
                    "Invalid pattern for '{}' at position {at}: {why}",
                    self.key()
                )
            })
        })
    }

    fn int(&self, kind: Kind) -> Result<Test, FilterError> {
        let number = |value: &Value| self.int_literal(kind, value);
        let (ranges, negated) = match &self.clause.operator {
            Operator::Compare(comparison, value) => {
                let range = int_range(*comparison, &number(value)?, kind);
                (
                    range.into_iter().collect(),
                    *comparison == Comparison::NotEqual,
                )
            }
            Operator::In { negated, values } => {
                let mut ranges = Vec::new();
                for value in values {
                    ranges.extend(int_range(Comparison::Equal, &number(value)?, kind));
                }
                (ranges, *negated)
            }
            Operator::Between { negated, low, high } => {
                let min = int_range(Comparison::GreaterOrEqual, &number(low)?, kind);
                let max = int_range(Comparison::LessOrEqual, &number(high)?, kind);
                let range = min.zip(max).map(|(min, max)| (min.0, max.1));
                (
                    range.into_iter().filter(|(min, max)| min <= max).collect(),
                    *negated,
                )
            }
            _ => {
                return Err(
                    self.operator_error("=, !=, >, >=, <, <=, IN, NOT IN, BETWEEN, IS NULL")
                );
            }
        };
        Ok(Test::Int(IntTest { ranges, negated }))
    }

    /// A number, quoted or not, in the key's unit: of times and durations also what people write for them.
    fn int_literal(&self, kind: Kind, value: &Value) -> Result<Number, FilterError> {
        let is_time = matches!(kind, Kind::TimeNs | Kind::TimeMs);
        let is_duration = matches!(kind, Kind::PlainMs | Kind::ExactMs);
        let human = match &value.literal {
            Literal::Text(text) if is_time => time_ns(text.trim()),
            Literal::Time(ns) if is_time => Some(*ns),
            Literal::Text(text) if is_duration => duration_ns(text),
            Literal::Duration(ns) if is_duration => Some(*ns),
            _ => None,
        };
        match (human.and_then(as_ms), self.number(value)) {
            (Some(ms), _) => Ok(ms),
            (None, Err(_)) if is_time => Err(self.value_error(value.at, TIME_EXPECTED)),
            (None, Err(_)) if is_duration => Err(self.value_error(value.at, &duration_expected())),
            (None, number) => number,
        }
    }

    fn number(&self, value: &Value) -> Result<Number, FilterError> {
        let number = match &value.literal {
            Literal::Number(number) => Some(number.clone()),
            Literal::Text(text) => Number::parse(text.trim()),
            Literal::Bool(_) | Literal::Duration(_) | Literal::Time(_) => None,
        };
        number.ok_or_else(|| self.value_error(value.at, "a numeric value"))
    }

    fn float(&self) -> Result<FloatTest, FilterError> {
        let equal = |value: &Value| {
            self.number(value).map(|number| {
                (
                    Bound::Included(number.value()),
                    Bound::Included(number.value()),
                )
            })
        };
        let (ranges, negated) = match &self.clause.operator {
            Operator::Compare(comparison, value) => {
                let number = self.number(value)?.value();
                (
                    vec![float_range(*comparison, number)],
                    *comparison == Comparison::NotEqual,
                )
            }
            Operator::In { negated, values } => (
                values.iter().map(equal).collect::<Result<_, _>>()?,
                *negated,
            ),
            Operator::Between { negated, low, high } => {
                let (low, high) = (self.number(low)?.value(), self.number(high)?.value());
                (
                    vec![(Bound::Included(low), Bound::Included(high))],
                    *negated,
                )
            }
            _ => {
                return Err(
                    self.operator_error("=, !=, >, >=, <, <=, IN, NOT IN, BETWEEN, IS NULL")
                );
            }
        };
        Ok(FloatTest { ranges, negated })
    }

    /// A typed comparison of a JSON value: strings, numbers and booleans are each their own.
    fn json(&self) -> Result<JsonTest, FilterError> {
        let (op, negated) = match &self.clause.operator {
            Operator::Compare(comparison @ (Comparison::Equal | Comparison::NotEqual), value) => (
                JsonOp::In(vec![self.scalar(value)?]),
                *comparison == Comparison::NotEqual,
            ),
            Operator::In { negated, values } => {
                let values = values.iter().map(|value| self.scalar(value));
                (JsonOp::In(values.collect::<Result<_, _>>()?), *negated)
            }
            Operator::Compare(comparison, value) => {
                let (min, max) =
                    float_range(*comparison, self.unquoted_number(*comparison, value)?);
                (JsonOp::Range(min, max), false)
            }
            Operator::Between { negated, low, high } => {
                let low = self.unquoted_number(Comparison::GreaterOrEqual, low)?;
                let high = self.unquoted_number(Comparison::LessOrEqual, high)?;
                (
                    JsonOp::Range(Bound::Included(low), Bound::Included(high)),
                    *negated,
                )
            }
            Operator::Pattern {
                kind,
                negated,
                value,
            } => (JsonOp::Pattern(self.pattern(*kind, value)?), *negated),
            Operator::Null { .. } | Operator::Matches(_) => {
                return Err(self.operator_error(
                    "=, !=, >, >=, <, <=, LIKE, ILIKE, RLIKE, IN, BETWEEN, IS NULL",
                ));
            }
        };
        Ok(JsonTest { op, negated })
    }

    fn scalar(&self, value: &Value) -> Result<Scalar, FilterError> {
        match &value.literal {
            Literal::Text(text) => Ok(Scalar::Text(text.clone())),
            Literal::Number(number) => Ok(Scalar::Number(number.clone())),
            Literal::Bool(value) => Ok(Scalar::Bool(*value)),
            Literal::Duration(_) | Literal::Time(_) => {
                Err(self.value_error(value.at, "a quoted text, a number, true or false"))
            }
        }
    }

    fn unquoted_number(&self, comparison: Comparison, value: &Value) -> Result<f64, FilterError> {
        match &value.literal {
            Literal::Number(number) => Ok(number.value()),
            _ => {
                let expected = format!(
                    "a numeric value, without quotes, with comparator '{}'",
                    comparison.word()
                );
                Err(self.value_error(value.at, &expected))
            }
        }
    }

    pub fn assessment(
        &self,
        kinds: Vec<AssessmentKind>,
        name: String,
    ) -> Result<Predicate, FilterError> {
        let exists = |test| {
            let names = TextTest::one_of(vec![name], false);
            Predicate::Assessment(AssessmentPredicate {
                kinds,
                names,
                valid_only: true,
                test,
            })
        };
        match &self.clause.operator {
            Operator::Null { negated: true } => Ok(exists(AssessmentTest::Present)),
            Operator::Null { negated: false } => {
                Ok(Predicate::Not(Box::new(exists(AssessmentTest::Present))))
            }
            _ => Ok(exists(AssessmentTest::Value(self.json()?))),
        }
    }

    pub fn assessment_source(
        &self,
        kinds: Vec<AssessmentKind>,
        name: String,
    ) -> Result<Predicate, FilterError> {
        if let Operator::Null { .. } = self.clause.operator {
            return Err(self.operator_error("=, !=, IN, NOT IN, LIKE, ILIKE, RLIKE"));
        }
        Ok(Predicate::Assessment(AssessmentPredicate {
            kinds,
            names: TextTest::one_of(vec![name], false),
            valid_only: true,
            test: AssessmentTest::Source(self.text_test()?),
        }))
    }

    pub fn issue(&self) -> Result<Predicate, FilterError> {
        self.named(|names| {
            Predicate::Assessment(AssessmentPredicate {
                kinds: vec![AssessmentKind::Issue],
                names,
                valid_only: false,
                test: AssessmentTest::Present,
            })
        })
    }

    pub fn dataset(&self) -> Result<Predicate, FilterError> {
        self.named(Predicate::Dataset)
    }

    /// A clause on the names of things that a trace has any number of: one of them satisfies it.
    fn named(&self, exists: impl Fn(TextTest) -> Predicate) -> Result<Predicate, FilterError> {
        match &self.clause.operator {
            Operator::Null { negated: true } => Ok(exists(TextTest::any())),
            Operator::Null { negated: false } => {
                Ok(Predicate::Not(Box::new(exists(TextTest::any()))))
            }
            _ => Ok(exists(self.text_test()?)),
        }
    }

    pub fn prompt(&self) -> Result<Predicate, FilterError> {
        if let Some((values, _)) = self.listed()? {
            for value in values {
                let text = self.text(value)?;
                let parts = text.split('/').filter(|part| !part.is_empty()).count();
                if parts != 2 || text.matches('/').count() != 1 {
                    return Err(self
                        .value_error(value.at, "a prompt version in the format \"name/version\""));
                }
            }
        }
        let test = self.test(&Field::Prompt, Kind::Text)?;
        Ok(Predicate::Trace(Condition {
            field: Field::Prompt,
            test,
        }))
    }
}

fn duration_expected() -> String {
    format!("a numeric value or a duration such as 5s or '1h 30m' ({UNIT_NAMES})")
}

/// The inclusive range of stored integers that satisfy a comparison; `!=` gives the range of `=`.
fn int_range(comparison: Comparison, number: &Number, kind: Kind) -> Option<(i64, i64)> {
    let scale = if kind == Kind::ExactMs { MS_NS } else { 1 };
    let Scaled { floor, exact } = number.scaled(scale);
    let (min, max) = match comparison {
        Comparison::Equal | Comparison::NotEqual => exact.then_some((floor, floor))?,
        Comparison::Greater => (floor.checked_add(1)?, i64::MAX),
        Comparison::GreaterOrEqual if exact => (floor, i64::MAX),
        Comparison::GreaterOrEqual => (floor.checked_add(1)?, i64::MAX),
        Comparison::Less if exact => (i64::MIN, floor.checked_sub(1)?),
        Comparison::Less | Comparison::LessOrEqual => (i64::MIN, floor),
    };
    if kind != Kind::TimeNs {
        return Some((min, max));
    }
    // All nanoseconds of the milliseconds from `min` to `max`.
    let first = if min < 0 {
        min.saturating_mul(MS_NS)
    } else {
        min.checked_mul(MS_NS)?
    };
    Some((first, max.saturating_mul(MS_NS).saturating_add(MS_NS - 1)))
}

fn float_range(comparison: Comparison, number: f64) -> (Bound<f64>, Bound<f64>) {
    match comparison {
        Comparison::Equal | Comparison::NotEqual => {
            (Bound::Included(number), Bound::Included(number))
        }
        Comparison::Greater => (Bound::Excluded(number), Bound::Unbounded),
        Comparison::GreaterOrEqual => (Bound::Included(number), Bound::Unbounded),
        Comparison::Less => (Bound::Unbounded, Bound::Excluded(number)),
        Comparison::LessOrEqual => (Bound::Unbounded, Bound::Included(number)),
    }
}
