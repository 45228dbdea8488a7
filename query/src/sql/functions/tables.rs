//! Table functions: `search_text('query', limit)`, `segments()`, `settings()`.

use std::fmt;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemTable, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use crate::error::QueryError;

/// Most hits that `search_text` can be asked for.
const SEARCH_HITS_MAX: usize = 10_000;
/// Hits that `search_text` gives when not told how many.
const SEARCH_HITS_DEFAULT: usize = 10;

/// Ranked text search: query and number of hits to a batch of [`hits_schema`](crate::text::hits_schema).
pub type TextSearcher = Arc<dyn Fn(&str, usize) -> crate::error::Result<RecordBatch> + Send + Sync>;

/// `search_text('query', limit)`. The search runs while the statement is planned.
pub(in crate::sql) struct SearchText {
    /// What runs the search.
    pub search: TextSearcher,
}

impl fmt::Debug for SearchText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("search_text")
    }
}

impl TableFunctionImpl for SearchText {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let (query, limit) = search_arguments(args.exprs())?;
        let batch = (self.search)(&query, limit)?;
        batch_table(&batch)
    }
}

fn search_arguments(exprs: &[Expr]) -> Result<(String, usize)> {
    let usage = || {
        QueryError::invalid_input("search_text() takes a text query in quotes and a number of hits")
    };
    let (query, limit) = match exprs {
        [Expr::Literal(query, _)] => (query, None),
        [Expr::Literal(query, _), Expr::Literal(limit, _)] => (query, Some(limit)),
        _ => return Err(usage().into()),
    };
    let Some(Some(query)) = query.try_as_str() else {
        return Err(usage().into());
    };
    let limit = match limit {
        None => SEARCH_HITS_DEFAULT,
        Some(ScalarValue::Int64(Some(limit))) => usize::try_from(*limit).map_err(|_| usage())?,
        Some(ScalarValue::UInt64(Some(limit))) => usize::try_from(*limit).map_err(|_| usage())?,
        Some(_) => return Err(usage().into()),
    };
    if limit > SEARCH_HITS_MAX {
        return Err(QueryError::invalid_input(format!(
            "search_text() gives at most {SEARCH_HITS_MAX} hits"
        ))
        .into());
    }
    Ok((query.to_string(), limit))
}

/// A table function without arguments over rows handed in, such as `settings()`.
#[derive(Debug)]
pub(in crate::sql) struct BatchFunction {
    /// Its name, for messages.
    pub name: &'static str,
    /// Its rows.
    pub batch: RecordBatch,
}

impl TableFunctionImpl for BatchFunction {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        if !args.exprs().is_empty() {
            return Err(
                QueryError::invalid_input(format!("{}() takes no arguments", self.name)).into(),
            );
        }
        batch_table(&self.batch)
    }
}

/// A table over one batch.
pub(in crate::sql) fn batch_table(batch: &RecordBatch) -> Result<Arc<dyn TableProvider>> {
    Ok(Arc::new(MemTable::try_new(
        batch.schema(),
        vec![vec![batch.clone()]],
    )?))
}

/// Most rows of `generate_series` and `range` as tables.
const SERIES_ROWS_MAX: u128 = 10_000_000;

/// `generate_series` or `range` as a table, of whole numbers and of bounded length.
#[derive(Debug)]
pub(super) struct Series {
    /// DataFusion's, which makes rows as they are read.
    pub inner: Arc<dyn TableFunctionImpl>,
}

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let numbers = args.exprs().iter().map(|argument| match argument {
            Expr::Literal(value, _) if value.is_null() => Ok(None),
            Expr::Literal(ScalarValue::Int64(Some(number)), _) => Ok(Some(i128::from(*number))),
            _ => Err(QueryError::invalid_input(
                "range() and generate_series() as tables take whole numbers, written as such",
            )),
        });
        let numbers = numbers.collect::<std::result::Result<Option<Vec<i128>>, _>>()?;
        let (start, stop, step) = match numbers.as_deref() {
            Some([stop]) => (0, *stop, 1),
            Some([start, stop]) => (*start, *stop, 1),
            Some([start, stop, step]) => (*start, *stop, *step),
            _ => (0, 0, 1),
        };
        let rows = (stop - start).unsigned_abs() / step.unsigned_abs().max(1);
        if rows > SERIES_ROWS_MAX {
            return Err(QueryError::resource_exhausted(format!(
                "range() and generate_series() make at most {SERIES_ROWS_MAX} rows"
            ))
            .into());
        }
        self.inner.call_with_args(args)
    }
}
