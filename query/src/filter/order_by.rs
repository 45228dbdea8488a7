//! `order_by` clauses: `key [ASC | DESC]` over the scalar keys of a trace, tags and metadata.

use super::error::FilterError;
use super::keys::{Target, resolve};
use super::lexer::Token;
use super::parser::{keyword, parse_key_and_rest};
use crate::predicate::Field;

/// Most keys of one order.
const ORDER_KEYS_MAX: usize = 32;

/// One key of an order. Absent values are last in both directions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderKey {
    /// What is ordered by.
    pub field: Field,
    /// Largest first.
    pub descending: bool,
}

/// Parses the clauses of an order. The search ends every order with `request_time DESC,
/// trace_id ASC`.
///
/// # Errors
/// A [`FilterError`] whose position counts within the clause at fault.
pub fn parse_order_by<S: AsRef<str>>(clauses: &[S]) -> Result<Vec<OrderKey>, FilterError> {
    let mut keys: Vec<OrderKey> = Vec::new();
    for clause in clauses {
        let clause = clause.as_ref();
        let key = order_key(clause)?;
        if keys.iter().any(|other| other.field == key.field) {
            return Err(refused(clause, 0, "order_by contains this key twice"));
        }
        if keys.len() >= ORDER_KEYS_MAX {
            return Err(refused(clause, 0, "order_by has more than 32 keys"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn refused(clause: &str, offset: usize, why: &str) -> FilterError {
    FilterError::at(clause, offset, |at| {
        let shown: String = clause.chars().take(80).collect();
        format!("Invalid order_by clause '{shown}' at position {at}: {why}")
    })
}

fn order_key(clause: &str) -> Result<OrderKey, FilterError> {
    let (key, rest) = parse_key_and_rest(clause)?;
    let descending = direction(clause, &rest)?;
    let field = match resolve(clause, &key)? {
        Target::Trace(Field::TokenUsage, _) => {
            return Err(refused(
                clause,
                key.at.start,
                "order by total_tokens instead",
            ));
        }
        Target::Trace(Field::CostUsage, _) => {
            return Err(refused(clause, key.at.start, "order by cost instead"));
        }
        // A trace has one run of its own, whatever it was linked to since.
        Target::Trace(Field::RunId, _) => Field::Map {
            column: "metadata",
            key: "mlflow.sourceRun".to_string(),
        },
        Target::Trace(Field::Models, _) => {
            return Err(refused(
                clause,
                key.at.start,
                "a trace may have several models",
            ));
        }
        Target::Trace(field, _) => field,
        _ => {
            return Err(refused(
                clause,
                key.at.start,
                "only keys of a trace, tags and metadata can be ordered by",
            ));
        }
    };
    Ok(OrderKey { field, descending })
}

fn direction(clause: &str, rest: &[Token]) -> Result<bool, FilterError> {
    const EXPECTED: &str = "Could not be parsed: expected one key and ASC or DESC";
    let [token] = rest else {
        return match rest.get(1) {
            None => Ok(false),
            Some(extra) => Err(refused(clause, extra.at.start, EXPECTED)),
        };
    };
    match keyword(token).as_deref() {
        Some("ASC") => Ok(false),
        Some("DESC") => Ok(true),
        _ => Err(refused(clause, token.at.start, EXPECTED)),
    }
}
