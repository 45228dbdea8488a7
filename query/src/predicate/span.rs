//! Evaluates a condition on one span over batches of `spans`.
//!
//! Conjunctions evaluate light columns first and look at the rest only for rows still wanted.

use std::collections::BTreeSet;

use arrow::array::BooleanArray;
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::Result;
use tracehouse_storage::schema::Table;

use super::SpanPredicate;
use super::column::row_numbers;
use super::eval::Wanted;

impl SpanPredicate {
    /// The columns the condition reads, sorted and distinct.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = BTreeSet::new();
        self.collect_columns(&mut columns);
        columns.into_iter().collect()
    }

    fn collect_columns<'c>(&'c self, columns: &mut BTreeSet<&'c str>) {
        match self {
            SpanPredicate::Const(_) => {}
            SpanPredicate::And(operands) | SpanPredicate::Or(operands) => {
                operands
                    .iter()
                    .for_each(|operand| operand.collect_columns(columns));
            }
            SpanPredicate::Not(operand) => operand.collect_columns(columns),
            SpanPredicate::Is(condition) => columns.extend(condition.columns()),
            SpanPredicate::Row(condition) => {
                columns.extend(condition.filter.columns.iter().map(String::as_str));
            }
            SpanPredicate::RowIn(_) => {
                columns.insert("_row");
            }
        }
    }

    /// Whether the condition reads a large column of spans.
    pub fn is_heavy(&self) -> bool {
        self.columns()
            .into_iter()
            .any(|column| Table::Spans.is_heavy(column))
    }

    /// One boolean per row of a batch of spans that has [`SpanPredicate::columns`].
    ///
    /// # Errors
    /// As [`super::Condition::evaluate`].
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        Ok(BooleanArray::new(self.rows(batch, None)?, None))
    }

    fn rows(&self, batch: &RecordBatch, wanted: Wanted<'_>) -> Result<BooleanBuffer> {
        let count = batch.num_rows();
        let all = || {
            wanted
                .cloned()
                .unwrap_or_else(|| BooleanBuffer::new_set(count))
        };
        match self {
            SpanPredicate::Const(true) => Ok(all()),
            SpanPredicate::Const(false) => Ok(BooleanBuffer::new_unset(count)),
            SpanPredicate::Is(condition) => condition.rows(batch, wanted),
            SpanPredicate::Row(condition) => Ok(&all() & &condition.rows(batch)?),
            SpanPredicate::RowIn(rows) => {
                let numbers = row_numbers(batch)?;
                let is_in = |row: usize| {
                    numbers
                        .get(row)
                        .is_some_and(|number| rows.contains(*number))
                };
                Ok(&all() & &BooleanBuffer::collect_bool(count, is_in))
            }
            SpanPredicate::Not(operand) => {
                let found = operand.rows(batch, wanted)?;
                Ok(&all() & &!&found)
            }
            SpanPredicate::And(operands) => {
                let mut left = all();
                for operand in light_first(operands) {
                    left = operand.rows(batch, Some(&left))?;
                }
                Ok(left)
            }
            SpanPredicate::Or(operands) => {
                let mut found = BooleanBuffer::new_unset(count);
                for operand in light_first(operands) {
                    let missing = &all() & &!&found;
                    found = &found | &operand.rows(batch, Some(&missing))?;
                }
                Ok(found)
            }
        }
    }
}

/// Operands that read light columns alone, then the others.
fn light_first(operands: &[SpanPredicate]) -> impl Iterator<Item = &SpanPredicate> {
    let light = operands.iter().filter(|operand| !operand.is_heavy());
    light.chain(operands.iter().filter(|operand| operand.is_heavy()))
}
