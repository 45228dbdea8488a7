//! A filter asked of single spans instead of traces.
//!
//! It is read as if a span were the only one of its trace: clauses about spans, also under NOT, are about that span.
//! What is about the trace (its own keys, assessments, datasets, `HAS( ... )`) is asked of the trace as ever.

use super::ast::Expr;
use super::check::{Checked, Checker};
use super::error::FilterError;
use super::parser::parse_expr;
use crate::predicate::{DatasetTraces, Predicate, SpanPredicate};

/// What a span must satisfy, with its trace.
#[derive(Debug, Clone, PartialEq)]
pub enum SpanFilter {
    /// The span alone.
    Span(SpanPredicate),
    /// Its trace.
    Trace(Predicate),
    /// All hold.
    And(Vec<SpanFilter>),
    /// At least one holds.
    Or(Vec<SpanFilter>),
    /// It does not hold.
    Not(Box<SpanFilter>),
}

impl SpanFilter {
    /// Parses a filter. The empty filter matches every span.
    ///
    /// # Errors
    /// As [`super::parse`].
    pub fn parse(source: &str) -> Result<Self, FilterError> {
        match parse_expr(source)? {
            None => Ok(SpanFilter::Span(SpanPredicate::Const(true))),
            Some(expr) => of_expr(&Checker { source }, &expr),
        }
    }

    /// Puts trace ids in the place of datasets.
    pub fn with_datasets(self, traces: &DatasetTraces) -> Self {
        let all = |operands: Vec<Self>| {
            operands
                .into_iter()
                .map(|one| one.with_datasets(traces))
                .collect()
        };
        match self {
            SpanFilter::Span(condition) => SpanFilter::Span(condition),
            SpanFilter::Trace(predicate) => SpanFilter::Trace(predicate.with_datasets(traces)),
            SpanFilter::And(operands) => SpanFilter::And(all(operands)),
            SpanFilter::Or(operands) => SpanFilter::Or(all(operands)),
            SpanFilter::Not(operand) => SpanFilter::Not(Box::new(operand.with_datasets(traces))),
        }
    }
}

fn of_expr(checker: &Checker<'_>, expr: &Expr) -> Result<SpanFilter, FilterError> {
    let all = |operands: &[Expr]| {
        operands
            .iter()
            .map(|operand| of_expr(checker, operand))
            .collect::<Result<_, _>>()
    };
    Ok(match expr {
        Expr::And(operands) => SpanFilter::And(all(operands)?),
        Expr::Or(operands) => SpanFilter::Or(all(operands)?),
        Expr::Not(operand) => SpanFilter::Not(Box::new(of_expr(checker, operand)?)),
        Expr::Clause(_) | Expr::Has(_) => match checker.expr(expr)? {
            Checked::Span(condition) => SpanFilter::Span(condition),
            Checked::Trace(predicate) => SpanFilter::Trace(predicate),
        },
    })
}
