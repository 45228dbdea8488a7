//! The one condition type of the filter language and SQL: what a trace must satisfy.
//!
//! A [`Predicate`] is a boolean tree over traces. Its leaves are typed conditions on one row of
//! `traces`, on *some* span of the trace, or on *some* assessment of it.
//!
//! **Invariants**
//! 1. Logic is two-valued: a condition on something absent is false, also a negated one
//!    (`!=`, `NOT IN`, `NOT LIKE`); [`Predicate::Not`] is the complement of the set.
//! 2. All of one [`SpanPredicate`] holds on one and the same span; inside it, `Not` is about that
//!    row.
//! 3. Values are converted when a condition is built: an evaluator compares columns as stored
//!    (nanoseconds, not milliseconds), so that it is exact.

mod assessment;
mod attributes;
mod bounds;
pub(crate) mod column;
mod content;
mod dataset;
mod display;
pub(crate) mod eval;
mod json;
pub(crate) mod like;
pub(crate) mod need;
mod number;
mod pattern;
pub(crate) mod regexes;
mod row;
mod span;
mod test;
mod value;

pub(crate) use attributes::Undecided;
pub use bounds::{Equality, EqualityKey};
pub use dataset::DatasetTraces;
pub use number::{Number, Scaled};
pub use pattern::{Pattern, PatternKind};
pub(crate) use row::MemberTest;
pub use row::RowCondition;
pub use test::{FloatTest, IntTest, JsonOp, JsonTest, Scalar, Test, TextOp, TextTest};

use std::sync::Arc;

use roaring::RoaringBitmap;
use tracehouse_storage::model::AssessmentKind;

/// A condition on traces.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// Every trace, or none.
    Const(bool),
    /// All hold.
    And(Vec<Predicate>),
    /// At least one holds.
    Or(Vec<Predicate>),
    /// The complement.
    Not(Box<Predicate>),
    /// A condition on the trace's row of `traces`.
    Trace(Condition),
    /// Some span of the trace satisfies all of it.
    Span(SpanPredicate),
    /// Some assessment of the trace satisfies it.
    Assessment(AssessmentPredicate),
    /// The trace is the source of a record of a dataset whose name satisfies it.
    Dataset(TextTest),
}

/// A condition on one row of `spans`.
#[derive(Debug, Clone, PartialEq)]
pub enum SpanPredicate {
    /// Every span, or none.
    Const(bool),
    /// All hold on the row.
    And(Vec<SpanPredicate>),
    /// At least one holds on the row.
    Or(Vec<SpanPredicate>),
    /// It does not hold on the row.
    Not(Box<SpanPredicate>),
    /// A comparison.
    Is(Condition),
    /// A condition of another language.
    Row(RowCondition),
    /// The physical row of the source is one of these: a text query that an index has answered.
    RowIn(Arc<RoaringBitmap>),
}

/// A condition on one row of `assessments`. Unless it is about issues, an assessment whose metadata
/// has the key `mlflow.trace.session` counts for every trace of the session that its trace is in.
#[derive(Debug, Clone, PartialEq)]
pub struct AssessmentPredicate {
    /// The kinds looked at.
    pub kinds: Vec<AssessmentKind>,
    /// What its name must satisfy.
    pub names: TextTest,
    /// Whether overridden assessments are invisible.
    pub valid_only: bool,
    /// What the row must satisfy.
    pub test: AssessmentTest,
}

/// What an assessment must satisfy.
#[derive(Debug, Clone, PartialEq)]
pub enum AssessmentTest {
    /// It exists.
    Present,
    /// Its value.
    Value(JsonTest),
    /// Its source: the type (`HUMAN`, ...) or the id satisfies the test.
    Source(TextTest),
    /// Conditions of another language, all of which hold on the row; kinds, names and sessions do not matter to them.
    Rows(Vec<RowCondition>),
}

/// A comparison of one field of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What is compared.
    pub field: Field,
    /// With what.
    pub test: Test,
}

/// Something comparable in a row of `traces` or `spans`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field {
    /// A text column.
    Text(&'static str),
    /// An integer column, or a timestamp column as Unix nanoseconds.
    Int(&'static str),
    /// A `Float64` column.
    Float(&'static str),
    /// `trace_id`; a pattern sees a 32-hex id also with MLflow's prefix `tr-`.
    TraceId,
    /// MLflow's `execution_time`: from `request_time` to the end, both cut to whole milliseconds before
    /// one is taken from the other; in milliseconds.
    ExecutionTimeMs,
    /// MLflow's `end_time`: the end (`request_time` when the duration is unknown), cut to whole
    /// milliseconds.
    EndTimeMs,
    /// Any of the models used.
    Models,
    /// The value of a key of a map column (`tags`, `metadata`).
    Map {
        /// Column name.
        column: &'static str,
        /// Key, exact.
        key: String,
    },
    /// MLflow's metadata `mlflow.trace.tokenUsage`: as set, else the canonical JSON text of the
    /// token columns.
    TokenUsage,
    /// MLflow's metadata `mlflow.trace.cost`: as set, else the canonical JSON text of the total that
    /// spans add up to.
    CostUsage,
    /// Metadata `mlflow.sourceRun`; `=` and `IN` see runs the trace was linked to as well.
    RunId,
    /// Prompt versions (`name/version`) the trace was linked to.
    Prompt,
    /// The value of a key of a JSON object column (`attributes`, `resource`): the top-level key,
    /// else a dotted path into nested objects, else what MLflow would have translated into it.
    Json {
        /// Column name.
        column: &'static str,
        /// Key or dotted path.
        key: String,
    },
    /// Everything a span says: a pattern is matched against each of its strings, as the producer sent
    /// them, and against its type and the names of its attributes.
    Content,
}

#[cfg(test)]
mod tests;
