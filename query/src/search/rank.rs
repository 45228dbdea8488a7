//! The order of a search's results, and the best rows so far.
//!
//! Every order ends `request_time DESC, trace_id ASC`, so that it is total; absent values are last
//! in both directions. A row that is kept is its time and where its id is; only those of the page become
//! places with a text of their own.

use std::cmp::Ordering;

use arrow::array::{Array, Float64Array, StringViewArray};
use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};
use tracehouse_storage::{Error, Result, RowRef};

use crate::filter::OrderKey;
use crate::predicate::Field;
use crate::predicate::column::{Ints, Map, floats, ints, map, text};
use crate::predicate::eval::{end_time_ms, execution_time_ms};

/// A value a row is ordered by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum SortValue {
    /// Absent.
    Null,
    /// An integer or a time.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text, in binary order.
    Text(String),
}

/// The place of a row in the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// One per order key.
    pub values: Vec<SortValue>,
    /// Unix nanoseconds.
    pub request_time_ns: i64,
    /// Last tie-breaker.
    pub trace_id: String,
}

/// A row and its place.
#[derive(Debug, Clone)]
pub(crate) struct Ranked {
    /// Its place in the order.
    pub position: Position,
    /// Where it is.
    pub row: RowRef,
}

/// A row that is kept.
#[derive(Debug)]
struct Entry {
    request_time_ns: i64,
    row: RowRef,
    /// Its id: of which of the kept columns, and where in it.
    ids: usize,
    at: usize,
    /// One for each key of [`TopRows::keys`].
    values: Box<[SortValue]>,
}

/// What places are compared by: values, time and trace id.
type Parts<'a, V> = (V, i64, &'a str);

/// A value as it stands in a batch.
#[derive(Debug, Clone, Copy)]
enum ValueRef<'a> {
    Null,
    Int(i64),
    Float(f64),
    Text(&'a str),
}

impl SortValue {
    fn as_ref(&self) -> ValueRef<'_> {
        match self {
            SortValue::Null => ValueRef::Null,
            SortValue::Int(value) => ValueRef::Int(*value),
            SortValue::Float(value) => ValueRef::Float(*value),
            SortValue::Text(text) => ValueRef::Text(text),
        }
    }
}

impl ValueRef<'_> {
    fn owned(self) -> SortValue {
        match self {
            ValueRef::Null => SortValue::Null,
            ValueRef::Int(value) => SortValue::Int(value),
            ValueRef::Float(value) => SortValue::Float(value),
            ValueRef::Text(text) => SortValue::Text(text.to_string()),
        }
    }

    fn compare(self, other: Self, descending: bool) -> Ordering {
        let ascending = match (self, other) {
            (ValueRef::Null, ValueRef::Null) => return Ordering::Equal,
            (ValueRef::Null, _) => return Ordering::Greater,
            (_, ValueRef::Null) => return Ordering::Less,
            (ValueRef::Int(a), ValueRef::Int(b)) => a.cmp(&b),
            (ValueRef::Float(a), ValueRef::Float(b)) => a.total_cmp(&b),
            (ValueRef::Text(a), ValueRef::Text(b)) => a.cmp(b),
            // One key has one type; a token made otherwise compares equal here.
            _ => Ordering::Equal,
        };
        if descending {
            ascending.reverse()
        } else {
            ascending
        }
    }
}

/// The columns an order reads besides `trace_id` and `request_time`.
pub(crate) fn order_columns(order: &[OrderKey]) -> Vec<&'static str> {
    let mut columns = Vec::new();
    for key in order {
        match &key.field {
            Field::EndTimeMs | Field::ExecutionTimeMs => {
                columns.extend(["request_time", "duration_ns"])
            }
            Field::TraceId => columns.push("trace_id"),
            Field::Text(column)
            | Field::Int(column)
            | Field::Float(column)
            | Field::Map { column, .. } => {
                columns.push(column);
            }
            _ => {}
        }
    }
    columns
}

/// Whether the order is by falling `request_time` before anything else.
pub(crate) fn is_newest_first(order: &[OrderKey]) -> bool {
    match order.first() {
        None => true,
        Some(key) => key.field == Field::Int("request_time") && key.descending,
    }
}

enum SortColumn<'a> {
    Text(&'a StringViewArray),
    Int(Ints),
    Float(&'a Float64Array),
    Map(Map<'a>, &'a str),
    EndTime(Ints, Ints),
    ExecutionTime(Ints, Ints),
}

impl<'a> SortColumn<'a> {
    fn of(key: &'a OrderKey, batch: &'a RecordBatch) -> Result<Self> {
        Ok(match &key.field {
            Field::Text(column) => SortColumn::Text(text(batch, column)?),
            Field::TraceId => SortColumn::Text(text(batch, "trace_id")?),
            Field::Int(column) => SortColumn::Int(ints(batch, column)?),
            Field::Float(column) => SortColumn::Float(floats(batch, column)?),
            Field::Map { column, key } => SortColumn::Map(map(batch, column)?, key),
            Field::ExecutionTimeMs => {
                SortColumn::ExecutionTime(ints(batch, "request_time")?, ints(batch, "duration_ns")?)
            }
            Field::EndTimeMs => {
                SortColumn::EndTime(ints(batch, "request_time")?, ints(batch, "duration_ns")?)
            }
            other => return Err(Error::internal(format!("no order by {other}"))),
        })
    }

    fn get(&self, row: usize) -> ValueRef<'_> {
        match self {
            SortColumn::Text(array) if array.is_null(row) => ValueRef::Null,
            SortColumn::Text(array) => ValueRef::Text(array.value(row)),
            SortColumn::Int(column) => column.get(row).map_or(ValueRef::Null, ValueRef::Int),
            SortColumn::Float(array) if array.is_null(row) => ValueRef::Null,
            SortColumn::Float(array) => ValueRef::Float(array.value(row)),
            SortColumn::Map(map, key) => map.get(row, key).map_or(ValueRef::Null, ValueRef::Text),
            SortColumn::EndTime(start, duration) => {
                start.get(row).map_or(ValueRef::Null, |start| {
                    ValueRef::Int(end_time_ms(start, duration.get(row)))
                })
            }
            SortColumn::ExecutionTime(start, duration) => {
                match start.get(row).zip(duration.get(row)) {
                    Some((start, duration)) => ValueRef::Int(execution_time_ms(start, duration)),
                    None => ValueRef::Null,
                }
            }
        }
    }
}

/// The best rows of a search so far.
pub(crate) struct TopRows<'o> {
    order: &'o [OrderKey],
    /// The keys besides a leading `request_time DESC`, which is compared as the time itself.
    keys: &'o [OrderKey],
    keep: usize,
    /// Only rows after this place count.
    after: Option<Position>,
    rows: Vec<Entry>,
    /// The columns that hold the ids of the rows kept; empty ones hold none.
    ids: Vec<StringViewArray>,
    /// The worst place kept, once `keep` rows were seen.
    worst: Option<Position>,
}

impl<'o> TopRows<'o> {
    /// Keeps the first `keep` rows after `after`.
    pub fn new(order: &'o [OrderKey], keep: usize, after: Option<Position>) -> Self {
        let keys = order.get(leading(order)..).unwrap_or_default();
        Self {
            order,
            keys,
            keep,
            after,
            rows: Vec::new(),
            ids: Vec::new(),
            worst: None,
        }
    }

    /// Offers all rows of a batch with `trace_id`, `request_time`, the order's columns; `rows` are
    /// their physical rows in `source`.
    pub fn offer(&mut self, batch: &RecordBatch, source: usize, rows: &[u32]) -> Result<()> {
        let (ids, times) = (text(batch, "trace_id")?, ints(batch, "request_time")?);
        let columns = self
            .keys
            .iter()
            .map(|key| SortColumn::of(key, batch))
            .collect::<Result<Vec<_>>>()?;
        self.ids.push(ids.clone());
        let mut is_kept = false;
        // Rows of a segment are sorted by time: the newest are the last.
        for (at, row) in rows.iter().enumerate().rev() {
            let (time, id) = (times.get(at).unwrap_or(i64::MIN), ids.value(at));
            let values = || columns.iter().map(|column| column.get(at));
            let is_after = |place: &Position| {
                self.compare_to((values(), time, id), place) == Ordering::Greater
            };
            if self.worst.as_ref().is_some_and(is_after)
                || !self.after.as_ref().is_none_or(is_after)
            {
                continue;
            }
            is_kept = true;
            self.rows.push(Entry {
                request_time_ns: time,
                row: RowRef { source, row: *row },
                ids: self.ids.len() - 1,
                at,
                values: values().map(ValueRef::owned).collect(),
            });
            if self.rows.len() >= self.keep.saturating_mul(2).max(64) {
                self.shrink();
            }
        }
        if !is_kept {
            self.ids.pop();
        }
        Ok(())
    }

    fn compare<'a, 'b>(
        &self,
        (values, time, id): Parts<'_, impl Iterator<Item = ValueRef<'a>>>,
        (other_values, other_time, other_id): Parts<'_, impl Iterator<Item = ValueRef<'b>>>,
    ) -> Ordering {
        let by_time = other_time.cmp(&time);
        if self.keys.len() < self.order.len() && by_time != Ordering::Equal {
            return by_time;
        }
        for ((key, value), other) in self.keys.iter().zip(values).zip(other_values) {
            match value.compare(other, key.descending) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        by_time.then_with(|| id.cmp(other_id))
    }

    fn compare_to<'a>(
        &self,
        parts: Parts<'_, impl Iterator<Item = ValueRef<'a>>>,
        place: &Position,
    ) -> Ordering {
        let values = place
            .values
            .iter()
            .skip(leading(self.order))
            .map(SortValue::as_ref);
        self.compare(parts, (values, place.request_time_ns, &place.trace_id))
    }

    fn compare_entries(&self, a: &Entry, b: &Entry) -> Ordering {
        self.compare(
            (
                a.values.iter().map(SortValue::as_ref),
                a.request_time_ns,
                self.id(a),
            ),
            (
                b.values.iter().map(SortValue::as_ref),
                b.request_time_ns,
                self.id(b),
            ),
        )
    }

    fn id(&self, entry: &Entry) -> &str {
        self.ids
            .get(entry.ids)
            .filter(|ids| entry.at < ids.len())
            .map_or("", |ids| ids.value(entry.at))
    }

    fn position(&self, entry: &Entry) -> Position {
        let time = SortValue::Int(entry.request_time_ns);
        let values =
            std::iter::repeat_n(time, leading(self.order)).chain(entry.values.iter().cloned());
        let trace_id = self.id(entry).to_string();
        Position {
            values: values.collect(),
            request_time_ns: entry.request_time_ns,
            trace_id,
        }
    }

    /// Rows kept so far, and how many are wanted.
    pub fn progress(&self) -> (usize, usize) {
        (self.rows.len(), self.keep)
    }

    /// Drops what is beyond `keep`.
    fn shrink(&mut self) {
        if self.rows.len() < self.keep || self.keep == 0 {
            return;
        }
        let mut rows = std::mem::take(&mut self.rows);
        let last = self.keep - 1;
        if rows.len() > self.keep || self.worst.is_none() {
            let (_, worst, _) =
                rows.select_nth_unstable_by(last, |a, b| self.compare_entries(a, b));
            self.worst = Some(self.position(worst));
        }
        rows.truncate(self.keep);
        let mut used = vec![false; self.ids.len()];
        // More rows of the batch that is being offered may follow.
        if let Some(used) = used.last_mut() {
            *used = true;
        }
        for entry in &rows {
            if let Some(used) = used.get_mut(entry.ids) {
                *used = true;
            }
        }
        for (ids, _) in self.ids.iter_mut().zip(used).filter(|(_, used)| !used) {
            *ids = StringViewArray::new_null(0);
        }
        self.rows = rows;
    }

    /// The `request_time` below which no row can be among the best any more, when the order is newest
    /// first and enough rows were seen.
    pub fn oldest_wanted_ns(&mut self) -> Option<i64> {
        if !is_newest_first(self.order) {
            return None;
        }
        self.shrink();
        self.worst.as_ref().map(|worst| worst.request_time_ns)
    }

    /// The best rows after the first `offset`, at most `limit` of them, and whether there are more.
    pub fn finish(mut self, offset: usize, limit: usize) -> (Vec<Ranked>, bool) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|a, b| self.compare_entries(a, b));
        rows.truncate(self.keep);
        let page = rows.iter().skip(offset).take(limit);
        let page = page.map(|entry| Ranked {
            position: self.position(entry),
            row: entry.row,
        });
        (page.collect(), rows.len().saturating_sub(offset) > limit)
    }
}

/// How many keys a leading `request_time DESC` is.
fn leading(order: &[OrderKey]) -> usize {
    usize::from(!order.is_empty() && is_newest_first(order))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, TimestampNanosecondArray};

    use super::*;
    use crate::filter::parse_order_by;

    /// Traces of these names, each started at one of these times.
    fn batch(rows: &[(&str, i64)]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(StringViewArray::from_iter_values(
            rows.iter().map(|(id, _)| id),
        ));
        let times = TimestampNanosecondArray::from_iter_values(rows.iter().map(|(_, time)| *time));
        let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
        RecordBatch::try_from_iter([("trace_id", ids), ("request_time", times)]).unwrap()
    }

    #[test]
    fn rows_of_a_batch_none_of_whose_first_was_good_keep_their_ids() {
        let order = parse_order_by(&["timestamp ASC".to_string()]).unwrap();
        let mut top = TopRows::new(&order, 1, None);
        top.offer(&batch(&[("good", 5)]), 0, &[0]).unwrap();
        let rows: Vec<_> = [("best", 1)].into_iter().chain([("bad", 9); 100]).collect();
        let numbers: Vec<u32> = (0..rows.len() as u32).collect();
        top.offer(&batch(&rows), 1, &numbers).unwrap();
        let (ranked, more) = top.finish(0, 1);
        assert_eq!(ranked[0].position.trace_id, "best");
        assert!(!more);
    }
}
