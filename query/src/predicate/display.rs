//! Predicates as text, for `explain` and tests: fully parenthesised, scopes visible.

use std::fmt;
use std::ops::Bound;

use super::pattern::PatternKind;
use super::{
    AssessmentPredicate, AssessmentTest, Condition, Field, FloatTest, IntTest, JsonOp, JsonTest,
    Pattern, Predicate, Scalar, SpanPredicate, Test, TextOp, TextTest,
};

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Predicate::Const(value) => write!(f, "{value}"),
            Predicate::And(operands) => joined(f, operands, " and "),
            Predicate::Or(operands) => joined(f, operands, " or "),
            Predicate::Not(operand) => write!(f, "not {operand}"),
            Predicate::Trace(condition) => write!(f, "{condition}"),
            Predicate::Span(condition) => write!(f, "span[{condition}]"),
            Predicate::Assessment(condition) => write!(f, "{condition}"),
            Predicate::Dataset(names) => write!(f, "dataset {names}"),
        }
    }
}

impl fmt::Display for SpanPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpanPredicate::Const(value) => write!(f, "{value}"),
            SpanPredicate::And(operands) => joined(f, operands, " and "),
            SpanPredicate::Or(operands) => joined(f, operands, " or "),
            SpanPredicate::Not(operand) => write!(f, "not {operand}"),
            SpanPredicate::Is(condition) => write!(f, "{condition}"),
            SpanPredicate::Row(condition) => write!(f, "{condition}"),
            SpanPredicate::RowIn(rows) => write!(f, "one of {} rows", rows.len()),
        }
    }
}

impl fmt::Display for AssessmentPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let AssessmentTest::Rows(conditions) = &self.test {
            f.write_str("assessment[")?;
            joined(f, conditions, " and ")?;
            return f.write_str("]");
        }
        let kinds: Vec<&str> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        let all = if self.valid_only { "" } else { "any " };
        write!(f, "{all}{}[", kinds.join("|"))?;
        match self.names.equalities() {
            Some(names) => f.write_str(&names.join("|"))?,
            None => write!(f, "{}", self.names)?,
        }
        match &self.test {
            AssessmentTest::Present | AssessmentTest::Rows(_) => write!(f, "]"),
            AssessmentTest::Value(test) => write!(f, " {test}]"),
            AssessmentTest::Source(test) => write!(f, ".source {test}]"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.test)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Text(column) | Field::Int(column) | Field::Float(column) => f.write_str(column),
            Field::TraceId => f.write_str("trace_id"),
            Field::EndTimeMs => f.write_str("end_time_ms"),
            Field::ExecutionTimeMs => f.write_str("execution_time_ms"),
            Field::Models => f.write_str("models"),
            Field::Map { column, key } | Field::Json { column, key } => write!(f, "{column}.{key}"),
            Field::TokenUsage => f.write_str("token_usage"),
            Field::CostUsage => f.write_str("cost_usage"),
            Field::RunId => f.write_str("run_id"),
            Field::Prompt => f.write_str("prompt"),
            Field::Content => f.write_str("content"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Test::IsNull => f.write_str("is null"),
            Test::IsNotNull => f.write_str("is not null"),
            Test::Text(test) => write!(f, "{test}"),
            Test::Int(test) => write!(f, "{test}"),
            Test::Float(test) => write!(f, "{test}"),
            Test::Json(test) => write!(f, "{test}"),
            Test::Matches(query) => write!(f, "matches {query:?}"),
        }
    }
}

impl fmt::Display for TextTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.op, self.negated) {
            (TextOp::In(values), false) if values.len() == 1 => {
                write!(f, "= {:?}", values.concat())
            }
            (TextOp::In(values), true) if values.len() == 1 => {
                write!(f, "!= {:?}", values.concat())
            }
            (TextOp::In(values), negated) => write!(f, "{}in {values:?}", not(negated)),
            (TextOp::Pattern(pattern), negated) => write!(f, "{}{pattern}", not(negated)),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind() {
            PatternKind::Like => "like",
            PatternKind::ILike => "ilike",
            PatternKind::RLike => "rlike",
        };
        write!(f, "{word} {:?}", self.text())
    }
}

impl fmt::Display for IntTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}in", not(self.negated))?;
        for (min, max) in &self.ranges {
            match (*min, *max) {
                (min, max) if min == max => write!(f, " {min}")?,
                (i64::MIN, max) => write!(f, " ..{max}")?,
                (min, i64::MAX) => write!(f, " {min}..")?,
                (min, max) => write!(f, " {min}..{max}")?,
            }
        }
        if self.ranges.is_empty() {
            write!(f, " nothing")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for FloatTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}in", not(self.negated))?;
        for (min, max) in &self.ranges {
            write!(f, " ")?;
            write_range(f, min, max)?;
        }
        if self.ranges.is_empty() {
            write!(f, " nothing")
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for JsonTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(not(self.negated))?;
        match &self.op {
            JsonOp::Pattern(pattern) => write!(f, "{pattern}"),
            JsonOp::Range(min, max) => {
                f.write_str("in ")?;
                write_range(f, min, max)
            }
            JsonOp::In(values) => {
                f.write_str("in")?;
                values.iter().try_for_each(|value| match value {
                    Scalar::Text(text) => write!(f, " {text:?}"),
                    Scalar::Number(number) => write!(f, " {}", number.text()),
                    Scalar::Bool(value) => write!(f, " {value}"),
                })
            }
        }
    }
}

fn write_range(f: &mut fmt::Formatter<'_>, min: &Bound<f64>, max: &Bound<f64>) -> fmt::Result {
    match min {
        Bound::Included(min) => write!(f, "[{min}")?,
        Bound::Excluded(min) => write!(f, "({min}")?,
        Bound::Unbounded => write!(f, "(")?,
    }
    match max {
        Bound::Included(max) => write!(f, "..{max}]"),
        Bound::Excluded(max) => write!(f, "..{max})"),
        Bound::Unbounded => write!(f, "..)"),
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "not " } else { "" }
}

fn joined<T: fmt::Display>(f: &mut fmt::Formatter<'_>, operands: &[T], word: &str) -> fmt::Result {
    f.write_str("(")?;
    for (i, operand) in operands.iter().enumerate() {
        if i > 0 {
            f.write_str(word)?;
        }
        write!(f, "{operand}")?;
    }
    f.write_str(")")
}
