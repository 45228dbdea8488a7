//! Evaluates a condition on one assessment over batches of `assessments`.

use arrow::array::{Array, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::record_batch::RecordBatch;
use tracehouse_storage::Result;
use tracehouse_storage::model::AssessmentKind;
use tracehouse_storage::scan::Zone;

use super::column::{bools, text};
use super::{AssessmentPredicate, AssessmentTest, RowCondition, TextTest};

impl AssessmentPredicate {
    /// Conditions of another language on an assessment of the trace itself.
    pub(crate) fn rows(conditions: Vec<RowCondition>) -> Self {
        Self {
            kinds: Vec::new(),
            names: TextTest::any(),
            valid_only: false,
            test: AssessmentTest::Rows(conditions),
        }
    }

    /// Whether an assessment may count for all traces of a session.
    pub fn is_session_wide(&self) -> bool {
        !matches!(self.test, AssessmentTest::Rows(_))
            && !self.kinds.contains(&AssessmentKind::Issue)
    }

    /// Zones that every assessment lies in that satisfies it.
    pub(crate) fn zones(&self) -> Vec<Zone> {
        if let AssessmentTest::Rows(conditions) = &self.test {
            let zones = conditions.iter().flat_map(|condition| &condition.zones);
            return zones.cloned().collect();
        }
        let names = self.names.equalities().map(|names| Zone::Text {
            column: "name".into(),
            values: names.to_vec(),
        });
        names.into_iter().collect()
    }

    /// The columns the condition reads.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns = vec!["name", "type", "valid"];
        match &self.test {
            AssessmentTest::Present => {}
            AssessmentTest::Rows(conditions) => {
                let own = conditions
                    .iter()
                    .flat_map(|condition| &condition.filter.columns);
                columns = own.map(String::as_str).collect();
                columns.sort_unstable();
                columns.dedup();
            }
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
        if let AssessmentTest::Rows(conditions) = &self.test {
            let mut found = BooleanBuffer::new_set(batch.num_rows());
            for condition in conditions {
                found = &found & &condition.rows(batch)?;
            }
            return Ok(BooleanArray::new(found, None));
        }
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
            AssessmentTest::Present | AssessmentTest::Rows(_) => named,
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
