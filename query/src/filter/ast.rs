//! The parsed filter, before names and types are known.
//!
//! Flat chains of AND and OR are flat vectors; the tree is never deeper than
//! [`FILTER_DEPTH_MAX`](super::FILTER_DEPTH_MAX).

use crate::predicate::{Number, PatternKind};

/// Byte range of a token in the filter text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextSpan {
    pub start: usize,
    pub end: usize,
}

/// A boolean expression of clauses.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// Operands of one AND chain; a parenthesised group stays an operand of its own.
    And(Vec<Expr>),
    /// Operands of one OR chain.
    Or(Vec<Expr>),
    /// Complement.
    Not(Box<Expr>),
    /// `HAS( ... )`: a scope of its own for one span.
    Has(Box<Expr>),
    /// One comparison.
    Clause(Clause),
}

/// One comparison of a key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    pub key: Key,
    pub operator: Operator,
    pub operator_at: TextSpan,
}

/// A dotted key as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub segments: Vec<Segment>,
    pub at: TextSpan,
}

/// One part of a dotted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub text: String,
    /// Whether it stood in backticks or quotes.
    pub quoted: bool,
}

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operator {
    Compare(Comparison, Value),
    Pattern {
        kind: PatternKind,
        negated: bool,
        value: Value,
    },
    In {
        negated: bool,
        values: Vec<Value>,
    },
    Between {
        negated: bool,
        low: Value,
        high: Value,
    },
    Null {
        negated: bool,
    },
    Matches(Value),
}

/// `=` and its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// A literal and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    pub literal: Literal,
    pub at: TextSpan,
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Number(Number),
    Bool(bool),
    /// Nanoseconds, written with a unit.
    Duration(i64),
    /// Unix nanoseconds, written as `now()`.
    Time(i64),
}

impl Key {
    /// The key as one text, without quotes.
    pub fn text(&self) -> String {
        join(&self.segments)
    }
}

/// Segments joined by dots.
pub(super) fn join(segments: &[Segment]) -> String {
    let texts: Vec<&str> = segments
        .iter()
        .map(|segment| segment.text.as_str())
        .collect();
    texts.join(".")
}

impl Operator {
    /// As the user writes it.
    pub fn word(&self) -> &'static str {
        match self {
            Operator::Compare(comparison, _) => comparison.word(),
            Operator::Pattern {
                kind: PatternKind::Like,
                negated: false,
                ..
            } => "LIKE",
            Operator::Pattern {
                kind: PatternKind::Like,
                negated: true,
                ..
            } => "NOT LIKE",
            Operator::Pattern {
                kind: PatternKind::ILike,
                negated: false,
                ..
            } => "ILIKE",
            Operator::Pattern {
                kind: PatternKind::ILike,
                negated: true,
                ..
            } => "NOT ILIKE",
            Operator::Pattern {
                kind: PatternKind::RLike,
                negated: false,
                ..
            } => "RLIKE",
            Operator::Pattern {
                kind: PatternKind::RLike,
                negated: true,
                ..
            } => "NOT RLIKE",
            Operator::In { negated: false, .. } => "IN",
            Operator::In { negated: true, .. } => "NOT IN",
            Operator::Between { negated: false, .. } => "BETWEEN",
            Operator::Between { negated: true, .. } => "NOT BETWEEN",
            Operator::Null { negated: false } => "IS NULL",
            Operator::Null { negated: true } => "IS NOT NULL",
            Operator::Matches(_) => "MATCHES",
        }
    }
}

impl Comparison {
    /// As the user writes it.
    pub fn word(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
        }
    }
}
