//! The result of `EXPLAIN`: a row for each line of the plan, of which the indentation is the tree.
//!
//! DataFusion gives all lines of a plan as one text with line ends in it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_err};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;

/// Key in the metadata of the schema of such a result.
pub const EXPLAINED: &str = "tracehouse.explain";

/// `rows` itself, or in lines when they are those of an EXPLAIN.
pub(super) fn in_lines(
    plan: &LogicalPlan,
    rows: SendableRecordBatchStream,
) -> SendableRecordBatchStream {
    if !matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
        return rows;
    }
    let schema = schema();
    let lines = rows.map(|batch| lines(&batch?));
    Box::pin(RecordBatchStreamAdapter::new(schema, lines))
}

fn schema() -> SchemaRef {
    let fields = ["plan_type", "plan"].map(|name| Field::new(name, DataType::Utf8, false));
    let metadata = HashMap::from([(EXPLAINED.to_string(), String::new())]);
    Arc::new(Schema::new_with_metadata(fields.to_vec(), metadata))
}

fn lines(batch: &RecordBatch) -> Result<RecordBatch> {
    let [kinds, plans] = batch.columns() else {
        return internal_err!("a plan has two columns");
    };
    let (kinds, plans) = (cast(kinds, &DataType::Utf8)?, cast(plans, &DataType::Utf8)?);
    let (mut kind_lines, mut plan_lines) = (StringBuilder::new(), StringBuilder::new());
    for (kind, plan) in kinds
        .as_string::<i32>()
        .iter()
        .zip(plans.as_string::<i32>())
    {
        for line in plan
            .unwrap_or_default()
            .lines()
            .filter(|line| !line.trim().is_empty())
        {
            kind_lines.append_value(kind.unwrap_or_default());
            plan_lines.append_value(line.trim_end());
        }
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(kind_lines.finish()), Arc::new(plan_lines.finish())];
    Ok(RecordBatch::try_new(schema(), columns)?)
}
