//! The rows of a statement as values of a program's own types.

use std::marker::PhantomData;

use arrow::record_batch::RecordBatch;
use serde::de::DeserializeOwned;
use tracehouse_query::sql::SqlQuery;

use crate::database::Database;
use crate::error::Result;
use crate::rows::row;
use crate::sql_stream::SqlBatches;

/// The rows of a statement as values of a type; see [`Database::sql_rows`]. After an error there are no more.
#[derive(Debug)]
pub struct SqlRows<T> {
    batches: Option<SqlBatches>,
    batch: RecordBatch,
    row: usize,
    type_: PhantomData<fn() -> T>,
}

impl Database {
    /// Runs a statement and gives its rows as values of a type that serde can read, as they come. A struct has a field
    /// for each column that it wants; a tuple takes the columns in their order; a single value one column.
    ///
    /// | SQL | Rust |
    /// |---|---|
    /// | NULL | `None` |
    /// | `BIGINT`, `DOUBLE`, `BOOLEAN` | numbers that they fit into, `bool` |
    /// | text, ids, JSON | `String`, or an enum with that name |
    /// | times | `i64` as Unix nanoseconds, or `String` as RFC 3339 |
    /// | dates, durations, decimals | `String`; decimals also `f64` |
    /// | lists, maps, structs | `Vec`, maps (`BTreeMap`), structs |
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// #[derive(serde::Deserialize, PartialEq, Debug)]
    /// struct ModelUse {
    ///     model: Option<String>,
    ///     spans: u64,
    /// }
    /// let uses = "SELECT model, count(*) AS spans FROM spans GROUP BY model";
    /// for row in db.sql_rows::<ModelUse>(uses)? {
    ///     let ModelUse { model, spans } = row?;
    ///     println!("{model:?}: {spans}");
    /// }
    /// let pairs: Vec<(String, i64)> = db.sql_rows("SELECT 'a', 1")?.collect::<tracehouse::Result<_>>()?;
    /// assert_eq!(pairs, [("a".to_string(), 1)]);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Database::sql_batches`]; `InvalidInput` in place of a row that does not fit the type, naming the column.
    pub fn sql_rows<T: DeserializeOwned>(&self, query: impl Into<SqlQuery>) -> Result<SqlRows<T>> {
        let batches = self.sql_batches(query)?;
        let batch = RecordBatch::new_empty(batches.schema());
        Ok(SqlRows {
            batches: Some(batches),
            batch,
            row: 0,
            type_: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Iterator for SqlRows<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.row >= self.batch.num_rows() {
            match self.batches.as_mut()?.next()? {
                Ok(batch) => (self.batch, self.row) = (batch, 0),
                Err(error) => return Some(Err(error)),
            }
        }
        let row = row(&self.batch, self.row);
        self.row += 1;
        if row.is_err() {
            (self.batches, self.row) = (None, self.batch.num_rows());
        }
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::{ErrorKind, TraceStart, batch_rows};

    #[derive(Debug, PartialEq, Deserialize)]
    struct TraceOf {
        trace_id: String,
        request_time: String,
        #[serde(rename = "start")]
        start_ns: i64,
        session_id: Option<String>,
        tags: BTreeMap<String, String>,
        models: Vec<String>,
        state: State,
        cost: Dollars,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    enum State {
        InProgress,
        Ok,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Dollars(f64);

    fn all<T: DeserializeOwned>(db: &Database, statement: &str) -> Result<Vec<T>> {
        db.sql_rows(statement)?.collect()
    }

    #[test]
    fn rows_are_values_of_a_type() {
        let db = Database::in_memory().unwrap();
        db.start_trace(&TraceStart::new("t", 1_500_000_000).state("OK"))
            .unwrap();
        db.set_tag("t", "env", "prod").unwrap();
        let statement = "SELECT trace_id, request_time, request_time AS start, session_id, tags, models, state, \
                         0.30000000000000004 AS cost, span_count FROM traces";
        let expected = TraceOf {
            trace_id: "t".into(),
            request_time: "1970-01-01T00:00:01.500Z".into(),
            start_ns: 1_500_000_000,
            session_id: None,
            tags: BTreeMap::from([("env".to_string(), "prod".to_string())]),
            models: Vec::new(),
            state: State::Ok,
            cost: Dollars(0.1 + 0.2),
        };
        assert_eq!(all::<TraceOf>(&db, statement).unwrap(), [expected]);
    }

    #[test]
    fn every_type_of_sql_has_a_value() {
        let db = Database::in_memory().unwrap();
        let statement = "SELECT 1 AS whole, CAST(2 AS INT) AS small, 1.5 AS part, true AS truth, NULL AS absent, \
                         DATE '2024-02-29' AS day, CAST(1.25 AS DECIMAL(10, 2)) AS exact, [1, NULL] AS list, \
                         named_struct('a', 1, 'b', [named_struct('c', 'x')]) AS struct, \
                         arrow_cast('word', 'Dictionary(Int32, Utf8)') AS dictionary, \
                         map(['k'], [2]) AS map, arrow_cast('ab', 'Binary') AS bytes";
        let row = all::<BTreeMap<String, Value>>(&db, statement);
        let row = row.map(|rows| serde_json::to_value(rows).unwrap()).unwrap();
        let expected = json!([{
            "whole": 1, "small": 2, "part": 1.5, "truth": true, "absent": null, "day": "2024-02-29", "exact": "1.25",
            "list": [1, null], "struct": {"a": 1, "b": [{"c": "x"}]}, "dictionary": "word", "map": {"k": 2},
            "bytes": [97, 98]
        }]);
        assert_eq!(row, expected);
        let number = |statement| all::<f64>(&db, statement).unwrap();
        assert_eq!(number("SELECT CAST(1.25 AS DECIMAL(10, 2))"), [1.25]);
        assert!(number("SELECT CAST('NaN' AS DOUBLE)")[0].is_nan());
        assert_eq!(
            all::<i64>(&db, "SELECT to_timestamp_seconds(7)").unwrap(),
            [7_000_000_000]
        );
        assert_eq!(all::<Option<i64>>(&db, "SELECT NULL").unwrap(), [None]);
        assert_eq!(all::<u64>(&db, "SELECT count(*) FROM spans").unwrap(), [0]);
        let pairs = all::<(String, Option<i32>)>(
            &db,
            "SELECT 'a', 1 UNION ALL SELECT 'b', NULL ORDER BY 1",
        );
        assert_eq!(
            pairs.unwrap(),
            [("a".to_string(), Some(1)), ("b".to_string(), None)]
        );
        let batches = db.sql("SELECT 'a' AS x").unwrap();
        assert_eq!(
            batch_rows::<(String,)>(&batches[0]).unwrap(),
            [("a".to_string(),)]
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let db = Database::in_memory().unwrap();
        for (error, words) in [
            (
                all::<(i64, i64)>(&db, "SELECT 1 AS a, 'x' AS b").unwrap_err(),
                "column b: invalid type: string",
            ),
            (
                all::<(i64, i64)>(&db, "SELECT 1").unwrap_err(),
                "1 columns is no tuple of 2",
            ),
            (
                all::<i64>(&db, "SELECT 1, 2").unwrap_err(),
                "2 columns is no single value",
            ),
            (all::<i8>(&db, "SELECT 1000").unwrap_err(), "1000"),
            (
                all::<i64>(&db, "SELECT NULL AS a").unwrap_err(),
                "column a is NULL",
            ),
            (
                all::<TraceOf>(&db, "SELECT 'x' AS trace_id").unwrap_err(),
                "missing field `request_time`",
            ),
            (
                all::<State>(&db, "SELECT 'GONE'").unwrap_err(),
                "unknown variant `GONE`",
            ),
            (
                all::<i64>(&db, "SELECT nothing FROM spans").unwrap_err(),
                "nothing",
            ),
        ] {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(words), "{error}");
        }
        let mut rows = db
            .sql_rows::<i64>("SELECT * FROM (VALUES (1), (NULL), (3)) AS t(a)")
            .unwrap();
        assert_eq!(rows.next().unwrap().unwrap(), 1);
        assert!(rows.next().unwrap().is_err());
        assert!(rows.next().is_none());
    }
}
