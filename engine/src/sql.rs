//! SQL over a database: one read-only statement over one snapshot.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use tracehouse_query::search;
use tracehouse_query::sql::{SessionViews, SqlContext, SqlQuery, SqlTables, run_sql};
use tracehouse_query::text::{self, TextSearch};

use crate::database::Database;
use crate::error::Result;
use crate::sql_tables::{catalogue, segments_batch, settings_batch};

impl Database {
    /// Runs one read-only SQL statement.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong or refused statement, `Timeout`, `Cancelled` or `ResourceExhausted` at a limit.
    pub fn sql(&self, statement: &str) -> Result<Vec<RecordBatch>> {
        Ok(self.query(statement.into(), None)?.1)
    }

    /// Runs a statement with parameters and a time limit; gives the schema even of an empty result.
    ///
    /// # Errors
    /// As [`Database::sql`].
    pub fn query(
        &self,
        query: SqlQuery,
        timeout: Option<Duration>,
    ) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let mut context = self.sql_context(&query.statement)?;
        context.timeout = timeout;
        Ok(run_sql(&context, query)?)
    }

    /// A handle on the same database with temporary views: `CREATE VIEW v AS SELECT ..` and `DROP VIEW v` work on it
    /// and its clones, and `CREATE TEMP TABLE t AS SELECT ..` keeps rows in the memory of queries until `DROP TABLE t`.
    /// Nothing of them is written, and other handles do not see them.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// let db = db.with_views();
    /// db.sql("CREATE VIEW failed AS SELECT * FROM traces WHERE state = 'ERROR'")?;
    /// db.sql("SELECT count(*) FROM failed")?;
    /// db.sql("CREATE TEMP TABLE as_of_now AS SELECT * FROM failed")?;
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    #[must_use]
    pub fn with_views(&self) -> Self {
        let mut handle = self.clone();
        handle.limits_mut().views = Some(SessionViews::default());
        handle
    }

    /// What a person should hear about a statement over traces and spans: keys of tags, metadata, attributes and resource
    /// that no row has, and values that `state`, `status` and `kind` never have. It reads up to every row.
    ///
    /// # Errors
    /// Whatever reading gives; a statement that is refused has no notices.
    pub fn sql_notices(&self, statement: &str) -> Result<Vec<String>> {
        let runtime = self.runtime()?;
        Ok(search::sql_notices(&self.reading()?, &runtime, statement)?)
    }

    pub(crate) fn sql_context(&self, statement: &str) -> Result<SqlContext> {
        let snapshot = self.reading()?;
        let mut context = SqlContext::new(self.runtime()?, snapshot.clone());
        context.views.clone_from(&self.limits().views);
        // Tables are read for the names in the text, which may be those of views.
        let written_out = context
            .views
            .as_ref()
            .map_or(statement.into(), |views| views.written_out(statement));
        let statement = &written_out.to_ascii_lowercase();
        context.tables = SqlTables {
            segments: Some(segments_batch(&snapshot, statement)?),
            settings: Some(settings_batch(
                self.settings(),
                &self.redaction(),
                statement,
            )?),
            catalogue: catalogue(self, &snapshot, statement)?,
        };
        context.text_search = Some(Arc::new(move |query: &str, limit: usize| {
            let search = TextSearch {
                query: query.to_string(),
                limit,
                ..TextSearch::default()
            };
            Ok(text::hits_batch(&text::search_text(&snapshot, &search)?)?)
        }));
        Ok(context)
    }
}
