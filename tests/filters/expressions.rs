//! Random boolean expressions of clauses, and their meaning twice: as SQL over one row per trace, and
//! by plain code.

use super::clauses::{self, Clause, On};
use super::world::{Trace, World};
use crate::order::Random;
use tracehouse::model::Span;

/// An expression.
#[derive(Clone)]
pub enum Expr {
    Clause(Clause),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Has(Box<Expr>),
}

impl Expr {
    pub fn random(random: &mut Random, world: &World, depth: usize) -> Self {
        if depth == 0 || random.below(3) == 0 {
            return Expr::Clause(match random.below(2) {
                0 => clauses::of_trace(random, world),
                _ => clauses::of_span(random),
            });
        }
        let operands = |random: &mut Random| {
            (0..2 + random.below(2))
                .map(|_| Self::random(random, world, depth - 1))
                .collect()
        };
        match random.below(8) {
            0..=2 => Expr::And(operands(random)),
            3 | 4 => Expr::Or(operands(random)),
            5 => Expr::Not(Box::new(Self::random(random, world, depth - 1))),
            _ => Expr::Has(Box::new(Self::of_one_span(random, depth - 1))),
        }
    }

    fn of_one_span(random: &mut Random, depth: usize) -> Self {
        if depth == 0 || random.below(3) == 0 {
            return Expr::Clause(clauses::of_span(random));
        }
        let operands = |random: &mut Random| {
            (0..2)
                .map(|_| Self::of_one_span(random, depth - 1))
                .collect()
        };
        match random.below(5) {
            0 | 1 => Expr::And(operands(random)),
            2 | 3 => Expr::Or(operands(random)),
            _ => Expr::Not(Box::new(Self::of_one_span(random, depth - 1))),
        }
    }

    /// As the filter language says it.
    pub fn filter(&self, random: &mut Random) -> String {
        let mut operand = |expr: &Expr| match expr {
            Expr::And(_) | Expr::Or(_) => format!("({})", expr.filter(random)),
            other => other.filter(random),
        };
        match self {
            Expr::Clause(clause) => clause.filter.clone(),
            Expr::And(operands) => {
                let texts: Vec<String> = operands.iter().map(&mut operand).collect();
                texts.join([" AND ", " and ", "\n AND "][random.below(3)])
            }
            Expr::Or(operands) => {
                let texts: Vec<String> = operands.iter().map(&mut operand).collect();
                texts.join([" OR ", " or "][random.below(2)])
            }
            Expr::Not(inner) => format!("NOT {}", operand(inner)),
            Expr::Has(inner) => format!("HAS({})", inner.filter(random)),
        }
    }

    /// Whether it is only about spans, so that it merges with its like under one AND.
    fn is_open(&self) -> bool {
        match self {
            Expr::Clause(clause) => matches!(clause.on, On::Span(_)),
            Expr::And(operands) | Expr::Or(operands) => operands.iter().all(Self::is_open),
            Expr::Not(_) | Expr::Has(_) => false,
        }
    }

    /// Whether a trace satisfies it.
    pub fn accepts(&self, world: &World, trace: &Trace) -> bool {
        let some_span = |exprs: &[&Expr]| {
            trace
                .spans
                .iter()
                .any(|span| exprs.iter().all(|expr| expr.accepts_span(span)))
        };
        match self {
            expr if expr.is_open() => some_span(&[expr]),
            Expr::Clause(Clause {
                on: On::Verdict(test, want),
                ..
            }) => world.any_verdict(trace, test.as_ref()) == *want,
            Expr::Clause(Clause {
                on: On::Trace(test),
                ..
            }) => test(trace),
            Expr::Clause(_) => unreachable!("span clauses are open"),
            Expr::And(operands) => {
                let (open, closed): (Vec<&Expr>, Vec<&Expr>) =
                    operands.iter().partition(|e| e.is_open());
                (open.is_empty() || some_span(&open))
                    && closed.iter().all(|e| e.accepts(world, trace))
            }
            Expr::Or(operands) => operands.iter().any(|operand| operand.accepts(world, trace)),
            Expr::Not(inner) => !inner.accepts(world, trace),
            Expr::Has(inner) => some_span(&[inner]),
        }
    }

    fn accepts_span(&self, span: &Span) -> bool {
        match self {
            Expr::Clause(Clause {
                on: On::Span(test), ..
            }) => test(span),
            Expr::Clause(_) => unreachable!("only clauses about spans stand in a span's scope"),
            Expr::And(operands) => operands.iter().all(|operand| operand.accepts_span(span)),
            Expr::Or(operands) => operands.iter().any(|operand| operand.accepts_span(span)),
            Expr::Not(inner) => !inner.accepts_span(span),
            Expr::Has(inner) => inner.accepts_span(span),
        }
    }
}

/// One statement that answers many filters: a row per trace, a column per filter.
#[derive(Default)]
pub struct Statement {
    filters: Vec<String>,
    spans: Vec<String>,
    verdicts: Vec<String>,
}

impl Statement {
    /// Adds a filter as the next column.
    pub fn add(&mut self, expr: &Expr) {
        let sql = self.condition(expr);
        self.filters.push(sql);
    }

    fn condition(&mut self, expr: &Expr) -> String {
        match expr {
            expr if expr.is_open() => self.some_span(&[expr]),
            Expr::Clause(Clause {
                on: On::Verdict(_, want),
                sql,
                ..
            }) => {
                self.verdicts.push(sql.clone());
                let at = self.verdicts.len() - 1;
                format!("((coalesce(a.c{at}, false) OR coalesce(w.c{at}, false)) = {want})")
            }
            Expr::Clause(clause) => format!("coalesce({}, false)", clause.sql),
            Expr::And(operands) => {
                let (open, closed): (Vec<&Expr>, Vec<&Expr>) =
                    operands.iter().partition(|e| e.is_open());
                let mut all: Vec<String> = closed
                    .iter()
                    .map(|operand| self.condition(operand))
                    .collect();
                if !open.is_empty() {
                    all.push(self.some_span(&open));
                }
                format!("({})", all.join(" AND "))
            }
            Expr::Or(operands) => {
                let any: Vec<String> = operands
                    .iter()
                    .map(|operand| self.condition(operand))
                    .collect();
                format!("({})", any.join(" OR "))
            }
            Expr::Not(inner) => format!("(NOT {})", self.condition(inner)),
            Expr::Has(inner) => self.some_span(&[inner]),
        }
    }

    fn some_span(&mut self, exprs: &[&Expr]) -> String {
        let all: Vec<String> = exprs.iter().map(|expr| of_span(expr)).collect();
        self.spans.push(all.join(" AND "));
        format!("coalesce(s.c{}, false)", self.spans.len() - 1)
    }

    /// All filters of all traces.
    pub fn sql(&self) -> String {
        let columns: String = self
            .filters
            .iter()
            .enumerate()
            .map(|(at, sql)| format!(", {sql} AS f{at}"))
            .collect();
        format!(
            "SELECT t.trace_id{columns} FROM {} ORDER BY t.trace_id",
            self.tables()
        )
    }

    /// A page of the traces that all filters find: its order, as SQL with directions, and its place.
    pub fn page(&self, order: &[String], limit: usize, offset: usize) -> String {
        let keys: String = order
            .iter()
            .map(|key| format!("{key} NULLS LAST, "))
            .collect();
        format!(
            "SELECT t.trace_id FROM {} WHERE {} ORDER BY {keys}t.request_time DESC, t.trace_id ASC \
             LIMIT {limit} OFFSET {offset}",
            self.tables(),
            self.filters.join(" AND ")
        )
    }

    fn tables(&self) -> String {
        let any = |conditions: &[String]| -> String {
            conditions
                .iter()
                .enumerate()
                .map(|(at, sql)| format!(", bool_or({sql}) AS c{at}"))
                .collect()
        };
        let (spans, verdicts) = (any(&self.spans), any(&self.verdicts));
        format!(
            "(SELECT *, tags['env'] AS tag, tags['missing'] AS missing, metadata['team'] AS team, \
               metadata['mlflow.sourceRun'] AS run FROM traces) t \
             LEFT JOIN (SELECT trace_id{spans} FROM spans GROUP BY trace_id) s ON s.trace_id = t.trace_id \
             LEFT JOIN (SELECT trace_id{verdicts} FROM assessments GROUP BY trace_id) a \
               ON a.trace_id = t.trace_id \
             LEFT JOIN (SELECT session_id{verdicts} \
               FROM (SELECT v.*, o.session_id FROM assessments v JOIN traces o ON o.trace_id = v.trace_id \
                     WHERE v.metadata['mlflow.trace.session'] IS NOT NULL) \
               GROUP BY session_id) w ON w.session_id = t.session_id \
             LEFT JOIN (SELECT DISTINCT source_trace_id AS trace_id FROM dataset_records) d ON d.trace_id = t.trace_id"
        )
    }
}

fn of_span(expr: &Expr) -> String {
    let joined = |operands: &[Expr], word: &str| {
        let all: Vec<String> = operands.iter().map(of_span).collect();
        format!("({})", all.join(word))
    };
    match expr {
        Expr::Clause(clause) => format!("coalesce({}, false)", clause.sql),
        Expr::And(operands) => joined(operands, " AND "),
        Expr::Or(operands) => joined(operands, " OR "),
        Expr::Not(inner) => format!("(NOT {})", of_span(inner)),
        Expr::Has(inner) => of_span(inner),
    }
}
