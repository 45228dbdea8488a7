//! What the conditions of a statement need of the text of a span, read off `matches()`, patterns and
//! equalities on `inputs`, `outputs` and attributes.
//!
//! **Invariant** QU-2: the conditions are evaluated on every row read; what is not understood here
//! only reads more.

use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use tracehouse_storage::text::{AttributeValue, Literal, TextPattern};

use super::functions::matches::text_query;
use super::functions::patterns::{constant_pattern, constant_regex};
use crate::predicate::need::{equal, like_literals, regex_need};
use crate::text_need::TextNeed;

/// The function behind `->>`.
const AS_TEXT: &str = "json_as_text";

/// A text of a span that an index knows: `inputs` or `outputs`, or an attribute.
enum Subject {
    String,
    Attribute(String),
}

/// What a row of `spans` needs for `filter` to hold; `None` when an index cannot tell.
pub(super) fn text_need(filter: &Expr) -> Option<TextNeed> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            let needs: Vec<TextNeed> = [left, right].into_iter().filter_map(|expr| text_need(expr)).collect();
            (!needs.is_empty()).then_some(TextNeed::All(needs))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            Some(TextNeed::Any(vec![text_need(left)?, text_need(right)?]))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (subject, value) = match literal(right) {
                Some(value) => (subject(left)?, value),
                None => (subject(right)?, literal(left)?),
            };
            Some(subject.equals(&value))
        }
        Expr::InList(InList { expr, list, negated: false }) => {
            let subject = subject(expr)?;
            let values = list.iter().map(literal).collect::<Option<Vec<String>>>()?;
            Some(TextNeed::Any(values.iter().map(|value| subject.equals(value)).collect()))
        }
        _ => {
            if let Some((text, items)) = constant_pattern(filter) {
                return Some(TextNeed::Pattern(subject(text)?.holds(like_literals(&items))));
            }
            if let Some((text, regex)) = constant_regex(filter) {
                let subject = subject(text)?;
                return regex_need(&regex, &|literals| subject.holds(literals));
            }
            text_query(filter).map(TextNeed::Words)
        }
    }
}

impl Subject {
    fn holds(&self, literals: Vec<Literal>) -> TextPattern {
        match self {
            Subject::String => TextPattern::on_strings(literals),
            Subject::Attribute(key) => TextPattern::on_attribute(key, literals),
        }
    }

    fn equals(&self, value: &str) -> TextNeed {
        match self {
            Subject::String => equal(value),
            Subject::Attribute(key) => {
                TextNeed::Value { key: key.clone(), value: AttributeValue::Text(value.to_string()) }
            }
        }
    }
}

/// `inputs`, `outputs` or `attributes->>'key'`.
fn subject(expr: &Expr) -> Option<Subject> {
    let column = |expr: &Expr, names: &[&str]| match expr {
        Expr::Column(column) => names.contains(&column.name.as_str()),
        _ => false,
    };
    match expr {
        Expr::Cast(cast) => subject(&cast.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == AS_TEXT => {
            let [object, key] = args.as_slice() else { return None };
            column(object, &["attributes"]).then(|| literal(key)).flatten().map(Subject::Attribute)
        }
        _ => column(expr, &["inputs", "outputs"]).then_some(Subject::String),
    }
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_string),
        _ => None,
    }
}
