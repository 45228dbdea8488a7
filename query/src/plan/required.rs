//! What every row of a table has that satisfies a condition: plain data, read off the condition.
//!
//! Here the filter language's conditions are read; SQL's are in `sql::required`. A requirement may be weaker than its
//! condition, never stronger (QU-2).

use tracehouse_storage::scan::Zone;

use crate::predicate::{Condition, Equality, Field, Predicate, SpanPredicate, Test};
use crate::text_need::TextNeed;

/// What every row has that satisfies a condition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Required {
    /// Keys that have an index, each with the values of which it is one.
    pub equalities: Vec<Equality>,
    /// Inclusive bounds of the table's time, in Unix nanoseconds.
    pub time: (Option<i64>, Option<i64>),
    /// Bounds of columns.
    pub zones: Vec<Zone>,
    /// What a span's text has.
    pub text: Option<TextNeed>,
}

impl Required {
    /// The requirements of a predicate on its row of `traces`.
    pub fn of(predicate: &Predicate) -> Self {
        let mut zones = Vec::new();
        predicate.for_each_required(&mut |condition| zones.extend(zone(condition)));
        let (equalities, time) = (predicate.required_equalities(), predicate.time_bounds());
        Self {
            equalities,
            time,
            zones,
            text: None,
        }
    }
}

/// The zone that a condition confines its rows to.
fn zone(condition: &Condition) -> Option<Zone> {
    match (&condition.field, &condition.test) {
        (Field::Int(column), Test::Int(test)) => {
            let (min, max) = test.hull()?;
            (min <= max).then(|| Zone::Int {
                column: (*column).to_string(),
                min,
                max,
            })
        }
        (Field::Text(column), Test::Text(test)) => {
            let values = test.equalities()?.to_vec();
            Some(Zone::Text {
                column: (*column).to_string(),
                values,
            })
        }
        _ => None,
    }
}

/// Zones of `spans` that every row satisfying the condition lies in.
pub(crate) fn span_zones(condition: &SpanPredicate) -> Vec<Zone> {
    match condition {
        SpanPredicate::And(operands) => operands.iter().flat_map(span_zones).collect(),
        SpanPredicate::Is(condition) => zone(condition).into_iter().collect(),
        SpanPredicate::Row(condition) => condition.zones.clone(),
        _ => Vec::new(),
    }
}
