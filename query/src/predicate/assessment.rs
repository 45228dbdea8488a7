//! Evaluates a condition on one assessment over batches of `assessments`.

use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::Result;
use tracehouse_storage::model::AssessmentKind;

use super::column::{bools, text};
use super::{AssessmentPredicate, AssessmentTest};

impl AssessmentPredicate {
    /// Whether an assessment may count for all traces of a session.
    pub fn is_session_wide(&self) -> bool {
        !self.kinds.contains(&AssessmentKind::Issue)
    }

    /// The columns the condition reads.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns = vec!["name", "type", "valid"];
        match self.test {
            AssessmentTest::Present => {}
            AssessmentTest::Value(_) => columns.push("value"),
            AssessmentTest::Source(_) => columns.extend(["source_type", "source_id"]),
        }
        columns
    }

    /// One boolean per row of a batch of assessments that has [`AssessmentPredicate::columns`].
    ///
    /// # Errors
    /// `Internal` when the batch lacks a column.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<BooleanArray> {
        let (names, types, valid) = (
            text(batch, "name")?,
            text(batch, "type")?,
            bools(batch, "valid")?,
        );
        let named = BooleanBuffer::collect_bool(batch.num_rows(), |row| {
            (valid.value(row) || !self.valid_only)
                && self.names.accepts(names.value(row))
                && self
                    .kinds
                    .iter()
                    .any(|kind| kind.as_str() == types.value(row))
        });
        let found = match &self.test {
            AssessmentTest::Present => named,
            AssessmentTest::Value(test) => {
                let values = text(batch, "value")?;
                let accepts =
                    |row: usize| named.value(row) && test.accepts_assessment(values.value(row));
                BooleanBuffer::collect_bool(batch.num_rows(), accepts)
            }
            AssessmentTest::Source(test) => {
                let (types, ids) = (text(batch, "source_type")?, text(batch, "source_id")?);
                BooleanBuffer::collect_bool(batch.num_rows(), |row| {
                    let id = ids.is_valid(row).then(|| ids.value(row));
                    let found = test.op.accepts(types.value(row))
                        || id.is_some_and(|id| test.op.accepts(id));
                    named.value(row) && found != test.negated
                })
            }
        };
        Ok(BooleanArray::new(found, None))
    }
}
