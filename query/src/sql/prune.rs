//! What a filter says about the rows it wants, read off simple comparisons with constants.
//!
//! The answer is a superset of the rows wanted (QU-2): conditions it does not understand say nothing,
//! and the filter itself is still evaluated on every row read.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use tracehouse_storage::scan::Zone;
use tracehouse_storage::schema::Table;

use super::source::Wanted;

/// Values of an IN list up to which it becomes a zone.
const ZONE_VALUES_MAX: usize = 256;

/// The zones of the conjuncts `filters` over columns that `table` stores. Those it puts together from
/// elsewhere, such as `inputs` of `traces`, have no statistics.
pub(super) fn zones(table: Table, filters: &[Expr]) -> Vec<Zone> {
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

/// What `zones` say about traces and time.
pub(super) fn wanted(zones: &[Zone], time_column: Option<&str>) -> Wanted {
    let mut wanted = Wanted::default();
    for zone in zones {
        match zone {
            Zone::Text { column, values } if column == "trace_id" => {
                // Several conditions: the shortest list decides, the filters check the rest.
                let shorter = wanted.trace_ids.as_ref().is_none_or(|ids| values.len() < ids.len());
                if shorter {
                    wanted.trace_ids = Some(values.clone());
                }
            }
            Zone::Int { column, min, max } if Some(column.as_str()) == time_column => {
                let (low, high) = wanted.time_range.unwrap_or((i64::MIN, i64::MAX));
                wanted.time_range = Some((low.max(*min), high.min(*max)));
            }
            _ => {}
        }
    }
    wanted
}

fn zone(expr: &Expr) -> Option<Zone> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => either(zone(left)?, zone(right)?),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) => compared(&column.name, *op, value),
            (Expr::Literal(value, _), Expr::Column(column)) => compared(&column.name, op.swap()?, value),
            _ => None,
        },
        Expr::Between(Between { expr, negated: false, low, high }) => {
            match (expr.as_ref(), low.as_ref(), high.as_ref()) {
                (Expr::Column(column), Expr::Literal(low, _), Expr::Literal(high, _)) => {
                    Some(Zone::Int { column: column.name.clone(), min: integer(low)?, max: integer(high)? })
                }
                _ => None,
            }
        }
        Expr::InList(list) if !list.negated && list.list.len() <= ZONE_VALUES_MAX => {
            let Expr::Column(column) = list.expr.as_ref() else { return None };
            one_of(&column.name, &list.list)
        }
        _ => None,
    }
}

fn compared(column: &str, op: Operator, value: &ScalarValue) -> Option<Zone> {
    if let (Operator::Eq, Some(Some(text))) = (op, value.try_as_str()) {
        return Some(Zone::Text { column: column.to_string(), values: vec![text.to_string()] });
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
    Some(Zone::Int { column: column.to_string(), min, max })
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
        (Zone::Text { column, mut values }, Zone::Text { column: other, values: more })
            if column == other =>
        {
            values.extend(more);
            (values.len() <= ZONE_VALUES_MAX).then_some(Zone::Text { column, values })
        }
        (Zone::Int { column, min, max }, Zone::Int { column: other, min: other_min, max: other_max })
            if column == other =>
        {
            Some(Zone::Int { column, min: min.min(other_min), max: max.max(other_max) })
        }
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
