//! Values of parameters, put into a statement in the place of `$name` and `$1`, before anything else looks at it.
//!
//! A value is then what a literal is: it has a type, an id loses its prefix, a text query is checked, a JSON path is read.
//! A value is one literal of the tree and never text of the statement, whatever is in it. What no literal says (times,
//! numbers that are not finite) is bound when the statement is planned.
//!
//! **Invariant**: every parameter of the statement has a value, and every value a parameter.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Statement, Value, VisitMut, VisitorMut};

use super::session::SqlValue;
use crate::error::{ECHO_CHARS_MAX, QueryError, Result, shorten};

/// Puts values in place; gives back those that are bound later.
///
/// # Errors
/// `InvalidInput`, naming a parameter without a value or a value without a parameter.
pub(super) fn put(
    statement: &mut Statement,
    values: Vec<(String, SqlValue)>,
) -> Result<Vec<(String, SqlValue)>> {
    let mut known = HashMap::with_capacity(values.len());
    for (name, value) in &values {
        if known.insert(name.as_str(), value).is_some() {
            return Err(QueryError::invalid_input(format!(
                "parameter ${} has two values",
                echo(name)
            )));
        }
    }
    let mut put = Put {
        known,
        used: BTreeSet::new(),
        missing: BTreeSet::new(),
    };
    let _: ControlFlow<()> = VisitMut::visit(statement, &mut put);
    let Put { used, missing, .. } = put;
    let all = |names: &mut dyn Iterator<Item = &str>| {
        names
            .map(|name| format!("${}", echo(name)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !missing.is_empty() {
        return Err(QueryError::invalid_input(format!(
            "no value for parameter {}",
            all(&mut missing.iter().map(String::as_str))
        )));
    }
    let unused: BTreeSet<&str> = values
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !used.contains(*name))
        .collect();
    if !unused.is_empty() {
        return Err(QueryError::invalid_input(format!(
            "the statement has no parameter {}",
            all(&mut unused.into_iter())
        )));
    }
    Ok(values
        .into_iter()
        .filter(|(_, value)| literal(value).is_none())
        .collect())
}

fn echo(name: &str) -> String {
    shorten(name, ECHO_CHARS_MAX / 4)
}

struct Put<'a> {
    known: HashMap<&'a str, &'a SqlValue>,
    used: BTreeSet<String>,
    missing: BTreeSet<String>,
}

impl VisitorMut for Put<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Value(value) = expr else {
            return ControlFlow::Continue(());
        };
        let Value::Placeholder(written) = &value.value else {
            return ControlFlow::Continue(());
        };
        let name = written.trim_start_matches('$').to_string();
        match self.known.get(name.as_str()) {
            None => drop(self.missing.insert(name)),
            Some(given) => {
                if let Some(literal) = literal(given) {
                    value.value = literal;
                }
                self.used.insert(name);
            }
        }
        ControlFlow::Continue(())
    }
}

/// A value as a literal, if there is one of its type.
fn literal(value: &SqlValue) -> Option<Value> {
    Some(match value {
        SqlValue::Null => Value::Null,
        SqlValue::Boolean(value) => Value::Boolean(*value),
        SqlValue::Int(value) => Value::Number(value.to_string(), false),
        SqlValue::Float(value) if value.is_finite() => Value::Number(format!("{value:?}"), false),
        SqlValue::Text(text) => Value::SingleQuotedString(text.clone()),
        SqlValue::Float(_) | SqlValue::Time(_) => return None,
    })
}
