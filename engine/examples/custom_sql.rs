//! Questions of one's own in SQL: rows as a type of the program, parameters, tables of the program, and results of any
//! size in batches.

use std::error::Error;
use std::sync::Arc;

use serde::Deserialize;
use tracehouse::arrow::array::{ArrayRef, RecordBatch, StringArray};
use tracehouse::{Database, SpanBuilder, SqlQuery, SqlTable, SqlValue};

#[derive(Debug, Deserialize)]
struct ModelUse {
    model: String,
    team: Option<String>,
    calls: u64,
    tokens: i64,
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let db = Database::in_memory()?;
    for number in 1..=6 {
        let span = SpanBuilder::new(format!("{number:032x}"), format!("{number:016x}"), "chat")
            .attribute(
                "gen_ai.request.model",
                if number % 3 == 0 { "large" } else { "small" },
            )
            .attribute("gen_ai.usage.input_tokens", number)
            .attribute("gen_ai.usage.output_tokens", 1)
            .build()?;
        db.append(&[span])?;
    }

    let mut query = SqlQuery::from(
        "SELECT s.model, t.team, count(*) AS calls, sum(s.total_tokens) AS tokens
         FROM spans s LEFT JOIN teams t ON t.model = s.model
         WHERE s.input_tokens > $least GROUP BY s.model, t.team ORDER BY tokens DESC",
    );
    query
        .parameters
        .push(("least".to_string(), SqlValue::Int(1)));
    query.tables.push(("teams".to_string(), teams()?));
    for row in db.sql_rows::<ModelUse>(query)? {
        let ModelUse {
            model,
            team,
            calls,
            tokens,
        } = row?;
        println!(
            "{model} of {}: {calls} calls, {tokens} tokens",
            team.as_deref().unwrap_or("nobody")
        );
    }

    let total: u64 = db
        .sql_rows("SELECT count(*) FROM spans")?
        .next()
        .transpose()?
        .unwrap_or_default();
    let mut rows = 0;
    for batch in
        db.sql_batches("SELECT trace_id, attributes ->> 'gen_ai.request.model' FROM spans")?
    {
        rows += batch?.num_rows() as u64; // Arrow: goes on into Parquet, polars, DataFusion
    }
    assert_eq!((rows, total), (6, 6));
    Ok(())
}

/// Which team uses which model: something that the database does not know.
fn teams() -> tracehouse::Result<SqlTable> {
    let column = |texts: &[&str]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("model", column(&["large", "tiny"])),
        ("team", column(&["search", "ops"])),
    ])?;
    Ok(SqlTable {
        schema: batch.schema(),
        batches: vec![batch],
    })
}
