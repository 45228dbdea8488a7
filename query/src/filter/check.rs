//! Checks names and types and builds the predicate.
//!
//! **Scopes.** A clause about spans stays *open* while it is joined with its like: operands of one
//! AND that are open merge into one span condition, so that one and the same span satisfies them;
//! an OR of open operands is open too. NOT, HAS and any company of trace clauses close it: "some
//! span is so". Inside `HAS( ... )` everything, NOT as well, is about one span.

use super::ast::{Clause, Comparison, Expr, Operator};
use super::clause::ClauseCheck;
use super::error::FilterError;
use super::keys::{Target, resolve};
use super::parser::parse_expr;
use crate::predicate::{Condition, Field, Predicate, SpanPredicate};

/// Parses a filter. The empty filter matches every trace.
///
/// # Errors
/// A [`FilterError`] that names the offending token, its position and what would be right.
pub fn parse(source: &str) -> Result<Predicate, FilterError> {
    let checker = Checker { source };
    match parse_expr(source)? {
        None => Ok(Predicate::Const(true)),
        Some(expr) => Ok(checker.expr(&expr)?.closed()),
    }
}

/// A checked expression: still open to merge with its neighbours, or about whole traces.
pub(super) enum Checked {
    Span(SpanPredicate),
    Trace(Predicate),
}

impl Checked {
    fn closed(self) -> Predicate {
        match self {
            Checked::Span(condition) => Predicate::Span(condition),
            Checked::Trace(predicate) => predicate,
        }
    }
}

pub(super) struct Checker<'a> {
    pub(super) source: &'a str,
}

impl Checker<'_> {
    pub(super) fn expr(&self, expr: &Expr) -> Result<Checked, FilterError> {
        match expr {
            Expr::Clause(clause) => self.clause(clause),
            Expr::Not(operand) => Ok(Checked::Trace(Predicate::Not(Box::new(
                self.expr(operand)?.closed(),
            )))),
            Expr::Has(operand) => Ok(Checked::Trace(Predicate::Span(self.one_span(operand)?))),
            Expr::And(operands) => {
                let (mut spans, traces) = self.operands(operands)?;
                let span = if spans.len() > 1 {
                    Some(SpanPredicate::And(spans))
                } else {
                    spans.pop()
                };
                Ok(joined(span, traces, Predicate::And))
            }
            Expr::Or(operands) => {
                let (mut spans, traces) = self.operands(operands)?;
                let span = if spans.len() > 1 {
                    Some(SpanPredicate::Or(spans))
                } else {
                    spans.pop()
                };
                Ok(joined(span, traces, Predicate::Or))
            }
        }
    }

    fn operands(
        &self,
        operands: &[Expr],
    ) -> Result<(Vec<SpanPredicate>, Vec<Predicate>), FilterError> {
        let (mut spans, mut traces) = (Vec::new(), Vec::new());
        for operand in operands {
            match self.expr(operand)? {
                Checked::Span(condition) => spans.push(condition),
                Checked::Trace(predicate) => traces.push(predicate),
            }
        }
        Ok((spans, traces))
    }

    /// The inside of `HAS( ... )`.
    fn one_span(&self, expr: &Expr) -> Result<SpanPredicate, FilterError> {
        let all = |operands: &[Expr]| {
            operands
                .iter()
                .map(|operand| self.one_span(operand))
                .collect::<Result<_, _>>()
        };
        match expr {
            Expr::And(operands) => Ok(SpanPredicate::And(all(operands)?)),
            Expr::Or(operands) => Ok(SpanPredicate::Or(all(operands)?)),
            Expr::Not(operand) => Ok(SpanPredicate::Not(Box::new(self.one_span(operand)?))),
            // One span satisfies what is in the inner parentheses: the same one.
            Expr::Has(operand) => self.one_span(operand),
            Expr::Clause(clause) => match self.clause(clause)? {
                Checked::Span(condition) => Ok(condition),
                Checked::Trace(_) => Err(FilterError::at(self.source, clause.key.at.start, |at| {
                    format!(
                        "'{}' at position {at} is not about a span: HAS( ) takes span., resource. and text clauses",
                        clause.key.text()
                    )
                })),
            },
        }
    }

    fn clause(&self, clause: &Clause) -> Result<Checked, FilterError> {
        let check = ClauseCheck {
            source: self.source,
            clause,
        };
        match resolve(self.source, &clause.key)? {
            Target::Trace(field, kind) => {
                // MLflow knows the linked prompts by this tag as well.
                if let Field::Map {
                    column: "tags",
                    key,
                } = &field
                    && key == "mlflow.linkedPrompts"
                    && matches!(clause.operator, Operator::Compare(Comparison::Equal, _))
                {
                    return check.prompt().map(Checked::Trace);
                }
                let test = check.test(&field, kind)?;
                Ok(Checked::Trace(Predicate::Trace(Condition { field, test })))
            }
            Target::Span(field, kind) => {
                let test = check.test(&field, kind)?;
                Ok(Checked::Span(SpanPredicate::Is(Condition { field, test })))
            }
            Target::Assessment { kinds, name } => check.assessment(kinds, name).map(Checked::Trace),
            Target::AssessmentSource { kinds, name } => {
                check.assessment_source(kinds, name).map(Checked::Trace)
            }
            Target::Issue => check.issue().map(Checked::Trace),
            Target::Prompt => check.prompt().map(Checked::Trace),
            Target::Dataset => check.dataset().map(Checked::Trace),
        }
    }
}

fn joined(
    span: Option<SpanPredicate>,
    mut traces: Vec<Predicate>,
    join: impl FnOnce(Vec<Predicate>) -> Predicate,
) -> Checked {
    match span {
        Some(span) if traces.is_empty() => Checked::Span(span),
        Some(span) => {
            traces.push(Predicate::Span(span));
            Checked::Trace(join(traces))
        }
        None => Checked::Trace(join(traces)),
    }
}
