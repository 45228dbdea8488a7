//! What the conditions of a statement require of the rows of a table, read off comparisons with constants, `matches()`
//! and patterns: the other reader of requirements beside `plan::required`.
//!
//! **Invariant** QU-2: the conditions are evaluated on every row read; what is not understood here only reads more.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use tracehouse_storage::scan::Zone;
use tracehouse_storage::schema::Table;
use tracehouse_storage::text::{Literal, TextPattern};

use super::functions::matches::text_query;
use super::functions::patterns::{constant_pattern, constant_regex};
use crate::plan::Required;
use crate::plan::cost::ZONE_VALUES_MAX;
use crate::predicate::need::{equal, like_literals, regex_need};
use crate::predicate::{Equality, EqualityKey};
use crate::text_need::TextNeed;

/// The function behind `map['key']`.
const ENTRY: &str = "get_field";

/// What every row has that satisfies all of these conditions.
pub(super) fn required(table: Table, filters: &[Expr]) -> Required {
    let zones = zones(table, filters);
    let mut equalities: Vec<Equality> = zones
        .iter()
        .filter_map(|zone| equality(table, zone))
        .collect();
    if table == Table::Traces {
        equalities.extend(filters.iter().filter_map(tag));
    }
    let needs: Vec<TextNeed> = filters.iter().filter_map(text_need).collect();
    let text = (!needs.is_empty() && table == Table::Spans).then_some(TextNeed::All(needs));
    Required {
        equalities,
        time: times(table, &zones),
        zones,
        text,
    }
}

/// The column that a source's time range bounds, if there is one.
fn time_column(table: Table) -> Option<&'static str> {
    match table {
        Table::Spans => Some("start_time"),
        Table::Traces => Some("request_time"),
        Table::Assessments => None,
    }
}

fn times(table: Table, zones: &[Zone]) -> (Option<i64>, Option<i64>) {
    let mut times: (Option<i64>, Option<i64>) = (None, None);
    for zone in zones {
        match zone {
            Zone::Int { column, min, max } if Some(column.as_str()) == time_column(table) => {
                times.0 = times.0.max(Some(*min));
                times.1 = Some(times.1.map_or(*max, |known| known.min(*max)));
            }
            _ => {}
        }
    }
    times
}

/// The equality with an indexed key that a zone of texts is.
fn equality(table: Table, zone: &Zone) -> Option<Equality> {
    let Zone::Text { column, values } = zone else {
        return None;
    };
    let key = match (table, column.as_str()) {
        (_, "trace_id") => EqualityKey::TraceId,
        (Table::Traces, "session_id") => EqualityKey::Session,
        (Table::Traces, "user_id") => EqualityKey::User,
        (Table::Traces, "state") => EqualityKey::State,
        (Table::Traces, "service_name") => EqualityKey::Service,
        _ => return None,
    };
    Some(Equality {
        key,
        values: values.clone(),
    })
}

/// `tags['key'] = 'value'`, also one of several values.
fn tag(filter: &Expr) -> Option<Equality> {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let (entry, value) = with_text(left, right)?;
            Some(Equality {
                key: EqualityKey::Tag(tag_key(entry)?),
                values: vec![value],
            })
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let (mut one, other) = (tag(left)?, tag(right)?);
            one.values.extend(other.values);
            (one.key == other.key && one.values.len() <= ZONE_VALUES_MAX).then_some(one)
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) if list.len() <= ZONE_VALUES_MAX => {
            let values = list.iter().map(literal).collect::<Option<Vec<String>>>()?;
            Some(Equality {
                key: EqualityKey::Tag(tag_key(expr)?),
                values,
            })
        }
        _ => None,
    }
}

/// The key of `tags['key']`.
fn tag_key(expr: &Expr) -> Option<String> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == ENTRY => {
            let [Expr::Column(column), key] = args.as_slice() else {
                return None;
            };
            (column.name == "tags").then(|| literal(key)).flatten()
        }
        _ => None,
    }
}

/// The zones of the conjuncts `filters` over columns that `table` stores. Those it puts together from
/// elsewhere, such as `inputs` of `traces`, have no statistics.
fn zones(table: Table, filters: &[Expr]) -> Vec<Zone> {
    let schema = table.schema();
    let is_stored = |zone: &Zone| schema.fields().find(column_of(zone)).is_some();
    filters.iter().filter_map(zone).filter(is_stored).collect()
}

/// The column that a zone bounds.
pub(super) fn column_of(zone: &Zone) -> &str {
    match zone {
        Zone::Int { column, .. } | Zone::Text { column, .. } => column,
    }
}

fn zone(expr: &Expr) -> Option<Zone> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => either(zone(left)?, zone(right)?),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) => compared(&column.name, *op, value),
            (Expr::Literal(value, _), Expr::Column(column)) => {
                compared(&column.name, op.swap()?, value)
            }
            _ => None,
        },
        Expr::Between(Between {
            expr,
            negated: false,
            low,
            high,
        }) => match (expr.as_ref(), low.as_ref(), high.as_ref()) {
            (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) => {
                Some(Zone::Int {
                    column: column.name.clone(),
                    min: integer(low)?,
                    max: integer(high)?,
                })
            }
            _ => None,
        },
        Expr::InList(list) if !list.negated && list.list.len() <= ZONE_VALUES_MAX => {
            let Expr::Column(column) = list.expr.as_ref() else {
                return None;
            };
            one_of(&column.name, &list.list)
        }
        _ => None,
    }
}

fn compared(column: &str, op: Operator, value: &ScalarValue) -> Option<Zone> {
    if let (Operator::Eq, Some(Some(text))) = (op, value.try_as_str()) {
        return Some(Zone::Text {
            column: column.to_string(),
            values: vec![text.to_string()],
        });
    }
    let value = integer(value)?;
    let (min, max) = match op {
        Operator::Eq => (value, value),
        Operator::Lt => (i64::MIN, value.saturating_sub(1)),
        Operator::LtEq => (i64::MIN, value),
        Operator::Gt => (value.saturating_add(1), i64::MAX),
        Operator::GtEq => (value, i64::MAX),
        _ => return None,
    };
    Some(Zone::Int {
        column: column.to_string(),
        min,
        max,
    })
}

fn one_of(column: &str, values: &[Expr]) -> Option<Zone> {
    let mut zones = values.iter().map(|value| match value {
        Expr::Literal(value, _) => compared(column, Operator::Eq, value),
        _ => None,
    });
    let mut all = zones.next()??;
    for zone in zones {
        all = either(all, zone?)?;
    }
    Some(all)
}

/// A zone that holds for rows of either, when they bound the same column the same way.
fn either(left: Zone, right: Zone) -> Option<Zone> {
    match (left, right) {
        (
            Zone::Text { column, mut values },
            Zone::Text {
                column: other,
                values: more,
            },
        ) if column == other => {
            values.extend(more);
            (values.len() <= ZONE_VALUES_MAX).then_some(Zone::Text { column, values })
        }
        (
            Zone::Int { column, min, max },
            Zone::Int {
                column: other,
                min: other_min,
                max: other_max,
            },
        ) if column == other => Some(Zone::Int {
            column,
            min: min.min(other_min),
            max: max.max(other_max),
        }),
        _ => None,
    }
}

/// An Int64 or a timestamp in nanoseconds; other types are compared by the filter alone.
fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int64(value) | ScalarValue::TimestampNanosecond(value, _) => *value,
        _ => None,
    }
}

/// The function behind `->>`.
const AS_TEXT: &str = "json_as_text";

/// The attribute that `attributes->>'key'` reads.
pub(super) fn attribute(expr: &Expr) -> Option<String> {
    match subject(expr)? {
        Subject::Attribute(key) if matches!(expr, Expr::ScalarFunction(_)) => Some(key),
        _ => None,
    }
}

/// A text of a span that an index knows: `inputs` or `outputs`, or an attribute.
enum Subject {
    String,
    Attribute(String),
}

/// What a row of `spans` needs for `filter` to hold; `None` when an index cannot tell.
pub(super) fn text_need(filter: &Expr) -> Option<TextNeed> {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::And,
            right,
        }) => match (text_need(left), text_need(right)) {
            (Some(left), Some(right)) => Some(TextNeed::All(vec![left, right])),
            (Some(one), None) | (None, Some(one)) => Some(TextNeed::AtLeast(Box::new(one))),
            (None, None) => None,
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => Some(TextNeed::Any(vec![text_need(left)?, text_need(right)?])),
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let (compared, value) = with_text(left, right)?;
            Some(subject(compared)?.equals(&value))
        }
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => {
            let subject = subject(expr)?;
            let values = list.iter().map(literal).collect::<Option<Vec<String>>>()?;
            Some(TextNeed::Any(
                values.iter().map(|value| subject.equals(value)).collect(),
            ))
        }
        _ => {
            if let Some((text, items)) = constant_pattern(filter) {
                return Some(TextNeed::Pattern(
                    subject(text)?.holds(like_literals(&items)),
                ));
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
            Subject::Attribute(key) => TextNeed::Member {
                key: key.clone(),
                value: value.to_string(),
            },
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
        Expr::Cast(cast) if cast.field.data_type().is_string() => subject(&cast.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == AS_TEXT => {
            let [object, key] = args.as_slice() else {
                return None;
            };
            column(object, &["attributes"])
                .then(|| literal(key))
                .flatten()
                .map(Subject::Attribute)
        }
        _ => column(expr, &["inputs", "outputs"]).then_some(Subject::String),
    }
}

/// What is compared with a text, and the text, whichever stands first.
fn with_text<'e>(left: &'e Expr, right: &'e Expr) -> Option<(&'e Expr, String)> {
    literal(right)
        .map(|text| (left, text))
        .or_else(|| Some((right, literal(left)?)))
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_string),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn equalities_with_constants_are_those_of_indexed_keys() {
        let filters = [
            lit("s").eq(col("session_id")),
            col("user_id").in_list(vec![lit("a"), lit("b")], false),
            col("state").not_eq(lit("OK")),
            col("name").eq(lit("n")),
        ];
        let keys = |table| -> Vec<(EqualityKey, usize)> {
            let required = required(table, &filters);
            required
                .equalities
                .into_iter()
                .map(|equality| (equality.key, equality.values.len()))
                .collect()
        };
        assert_eq!(
            keys(Table::Traces),
            [(EqualityKey::Session, 1), (EqualityKey::User, 2)]
        );
        // Spans have no such index.
        assert_eq!(keys(Table::Spans), []);
    }

    #[test]
    fn several_bounds_of_time_are_the_narrowest() {
        let at = |ns| {
            lit(ScalarValue::TimestampNanosecond(
                Some(ns),
                Some("UTC".into()),
            ))
        };
        let filters = [
            col("request_time").gt(at(10)),
            col("request_time").lt_eq(at(90)),
            col("request_time").between(at(5), at(50)),
        ];
        assert_eq!(required(Table::Traces, &filters).time, (Some(11), Some(50)));
        assert_eq!(
            required(Table::Traces, &filters[..1]).time,
            (Some(11), Some(i64::MAX))
        );
        assert_eq!(required(Table::Spans, &filters).time, (None, None));
    }
}
