//! All texts of the rows of a trace, visible or not: for an erase, which looks for them elsewhere.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use roaring::RoaringBitmap;

use super::Store;
use crate::columns::map_at;
use crate::error::Result;
use crate::model::{TraceKey, normalize_trace_id};
use crate::schema::Table;
use crate::snapshot::{Rows, Source};

/// A text of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowText<'a> {
    /// The column.
    pub column: &'a str,
    /// The key, where the column holds pairs.
    pub key: Option<&'a str>,
    /// The text.
    pub text: &'a str,
}

impl Store {
    /// Gives every text of every row of these traces to `visit`, those of deleted and replaced rows included as
    /// long as they are in a segment or in memory.
    ///
    /// # Errors
    /// `Corrupt` or `Io` from the segments.
    pub fn visit_texts(
        &self,
        trace_ids: &[String],
        visit: &mut dyn FnMut(RowText<'_>),
    ) -> Result<()> {
        let snapshot = self.snapshot()?;
        for id in trace_ids {
            let key = TraceKey::of(&normalize_trace_id(id));
            for source in snapshot.sources() {
                for table in Table::ALL {
                    let rows = all_rows(source, table, key)?;
                    if !rows.is_empty() {
                        visit_batch(&source.read_sorted(table, &rows, &table.columns())?, visit)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The rows of a trace, masked or not.
fn all_rows(source: &Source, table: Table, key: TraceKey) -> Result<RoaringBitmap> {
    match source.segment() {
        Some(segment) => {
            Source::new(Rows::Segment(segment.clone()), [None, None, None]).rows_of(table, key)
        }
        None => Ok(source.all_rows_in_memory(table, key)),
    }
}

fn visit_batch(batch: &RecordBatch, visit: &mut dyn FnMut(RowText<'_>)) -> Result<()> {
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        let column = field.name().as_str();
        if !matches!(field.data_type(), DataType::Map(..)) {
            visit_array(column, array.as_ref(), visit);
            continue;
        }
        for row in 0..batch.num_rows() {
            for (key, text) in map_at(batch, column, row)? {
                visit(RowText {
                    column,
                    key: Some(&key),
                    text: &text,
                });
            }
        }
    }
    Ok(())
}

fn visit_array(column: &str, array: &dyn Array, visit: &mut dyn FnMut(RowText<'_>)) {
    let mut each = |text: Option<&str>| {
        if let Some(text) = text {
            visit(RowText {
                column,
                key: None,
                text,
            });
        }
    };
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().iter().for_each(each),
        DataType::Utf8 => array.as_string::<i32>().iter().for_each(&mut each),
        DataType::List(_) => visit_array(column, array.as_list::<i32>().values().as_ref(), visit),
        DataType::Struct(_) => {
            for part in array.as_struct().columns() {
                visit_array(column, part.as_ref(), visit);
            }
        }
        _ => {}
    }
}
