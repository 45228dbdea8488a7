//! `functions()` and `SHOW FUNCTIONS`: everything that a statement can call, whichever way it comes about.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::Documentation;

use super::tables::batch_table;
use crate::error::QueryError;
use crate::sql::REWRITTEN;

/// Name, kind, usage and description.
type Row = (String, &'static str, Option<String>, Option<String>);

/// `functions()`: a row for each name, in the order of the names.
#[derive(Debug)]
pub(super) struct Listed;

impl TableFunctionImpl for Listed {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        if !args.exprs().is_empty() {
            return Err(QueryError::invalid_input("functions() takes no arguments").into());
        }
        let rows = rows(args.session());
        let text = |cell: fn(&Row) -> Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(cell).collect::<StringArray>())
        };
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("function_name", text(|row| Some(&row.0)), false),
            ("function_type", text(|row| Some(row.1)), false),
            ("syntax_example", text(|row| row.2.as_deref()), true),
            ("description", text(|row| row.3.as_deref()), true),
        ])?;
        batch_table(&batch)
    }
}

fn rows(session: &dyn Session) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    let mut add = |name: &str, kind, told: Option<&Documentation>| {
        let told = told.map(|told| (one_line(&told.syntax_example), one_line(&told.description)));
        let (usage, description) = told.unzip();
        rows.insert((name.to_string(), kind, usage, description));
    };
    for (name, function) in session.scalar_functions() {
        add(name, "SCALAR", function.documentation());
    }
    for (name, function) in session.aggregate_functions() {
        add(name, "AGGREGATE", function.documentation());
    }
    for (name, function) in session.window_functions() {
        add(name, "WINDOW", function.documentation());
    }
    if let Some(state) = session.as_any().downcast_ref::<SessionState>() {
        state
            .table_functions()
            .keys()
            .for_each(|name| add(name, "TABLE", None));
    }
    for (name, usage) in REWRITTEN {
        let kind = if name.starts_with("count") {
            "AGGREGATE"
        } else {
            "SCALAR"
        };
        rows.insert(((*name).to_string(), kind, Some((*usage).to_string()), None));
    }
    rows
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
