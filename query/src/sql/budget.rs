//! Batches cut to the memory that statements have.
//!
//! An operator that spills when memory is short still needs a few batches in memory at one time: a sort holds
//! one and its copy, a merge one of each run. Batches of a number of rows can be of any size, so that rows per
//! batch follow from the columns read, and a scan cuts what is larger all the same.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringViewArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::config::ConfigNonZeroUsize;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::datasource::source_as_provider;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use tracehouse_storage::scan::BATCH_ROWS;
use tracehouse_storage::schema::Table;

use super::provider::SnapshotTable;
use crate::runtime::SqlSettings;

/// Batches that the operators of one partition may hold together, as a guess: two sorts that merge.
const BATCHES_PER_PARTITION: usize = 48;
/// Least and largest batch, bytes.
const BATCH_BYTES_MIN: usize = 64 << 10;
const BATCH_BYTES_MAX: usize = 8 << 20;
/// Fewest rows of a batch, unless they are larger than it may be.
const BATCH_ROWS_MIN: usize = 16;
/// Bytes of a value of the columns that hold messages, of other large columns, and of the rest, as a guess.
const MESSAGE_BYTES: usize = 8 << 10;
const HEAVY_BYTES: usize = 1 << 10;
const LIGHT_BYTES: usize = 48;

/// Largest batch of a scan, bytes.
pub(super) fn batch_bytes(settings: &SqlSettings) -> usize {
    let partitions = settings.target_partitions.max(1);
    (settings.memory_bytes_max / (partitions * BATCHES_PER_PARTITION))
        .clamp(BATCH_BYTES_MIN, BATCH_BYTES_MAX)
}

/// Sets rows per batch, and what sorts put by to merge with, for a statement.
pub(super) fn fit(
    state: &mut SessionState,
    plan: &LogicalPlan,
    settings: &SqlSettings,
) -> Result<()> {
    let batch_bytes = batch_bytes(settings);
    let mut row_bytes = LIGHT_BYTES;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = source_as_provider(&scan.source)?.downcast_ref::<SnapshotTable>()
        {
            row_bytes = row_bytes.max(row_bytes_of(
                table.table(),
                scan.projected_schema.as_arrow(),
            ));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let options = &mut state.config_mut().options_mut().execution;
    let batch_rows = (batch_bytes / row_bytes).clamp(BATCH_ROWS_MIN, BATCH_ROWS);
    options.batch_size = ConfigNonZeroUsize::try_new(batch_rows)?;
    let put_by = options.sort_spill_reservation_bytes;
    options.sort_spill_reservation_bytes = put_by.min(2 * batch_bytes);
    Ok(())
}

fn row_bytes_of(table: Table, columns: &Schema) -> usize {
    let bytes_of = |name: &str| match name {
        "inputs" | "outputs" | "attributes" => MESSAGE_BYTES,
        _ if table.is_heavy(name) => HEAVY_BYTES,
        _ => LIGHT_BYTES,
    };
    columns
        .fields()
        .iter()
        .map(|field| bytes_of(field.name()))
        .sum()
}

/// `batch` in pieces of at most `bytes_max`, or of one row, in its order.
pub(super) fn cut(batch: RecordBatch, bytes_max: usize) -> Result<Vec<RecordBatch>> {
    let mut pieces = Vec::new();
    let mut rest = vec![batch];
    while let Some(mut batch) = rest.pop() {
        let rows = batch.num_rows();
        if rows > 1 && get_record_batch_memory_size(&batch) > bytes_max {
            batch = copy_of(&batch)?;
        }
        let parts = get_record_batch_memory_size(&batch)
            .div_ceil(bytes_max.max(1))
            .min(rows);
        if parts <= 1 {
            pieces.push(batch);
            continue;
        }
        let part_rows = rows.div_ceil(parts);
        let starts: Vec<usize> = (0..rows).step_by(part_rows).collect();
        // The first comes off the end first.
        for start in starts.into_iter().rev() {
            rest.push(batch.slice(start, part_rows.min(rows - start)));
        }
    }
    Ok(pieces)
}

/// A copy that holds nothing but its own rows: memory is counted by buffers, which slices share.
fn copy_of(slice: &RecordBatch) -> Result<RecordBatch> {
    let rows = u32::try_from(slice.num_rows()).unwrap_or(u32::MAX);
    let all = UInt32Array::from_iter_values(0..rows);
    let copy = |column: &ArrayRef| -> Result<ArrayRef> {
        Ok(match column.data_type() {
            DataType::Utf8View => own_texts(column.as_string_view()),
            _ => take(column, &all, None)?,
        })
    };
    let columns = slice
        .columns()
        .iter()
        .map(copy)
        .collect::<Result<Vec<ArrayRef>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(slice.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        slice.schema(),
        columns,
        &options,
    )?)
}

/// Texts without those of other rows, unless many rows share one: copies of it would be larger.
fn own_texts(texts: &StringViewArray) -> ArrayRef {
    let held: usize = texts
        .data_buffers()
        .iter()
        .map(|buffer| buffer.capacity())
        .sum();
    let own: usize = texts.lengths().map(|length| length as usize).sum();
    if held > own {
        Arc::new(texts.gc())
    } else {
        Arc::new(texts.clone())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;
    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn pieces_are_small_and_hold_all_rows_in_order() {
        let texts: Vec<String> = (0..100)
            .map(|row| "x".repeat(if row == 50 { 90_000 } else { 900 }))
            .collect();
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("t", DataType::Utf8View, false),
        ]));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
        let batch = RecordBatch::try_new(schema.clone(), vec![numbers, texts]).unwrap();
        let pieces = cut(batch.clone(), 20_000).unwrap();
        assert!(pieces.len() > 5, "{}", pieces.len());
        for piece in &pieces {
            assert!(piece.num_rows() == 1 || get_record_batch_memory_size(piece) <= 20_000);
        }
        assert_eq!(
            arrow::compute::concat_batches(&schema, &pieces).unwrap(),
            batch
        );
        assert_eq!(cut(batch.clone(), 1 << 20).unwrap(), [batch]);
    }
}
