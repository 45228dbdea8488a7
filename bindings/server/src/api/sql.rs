//! `sql`: one read-only statement, with values for its parameters.

use std::time::Duration;

use tracehouse::{Database, SqlQuery};

use super::answer::{Text, too_long};
use super::asked::Asked;
use super::batches::{self, Batches};
use super::pieces::schema_without_views;
use super::rows::Rows;
use super::{Answer, parameters};
use crate::ask::ask;
use crate::error::ApiError;
use crate::state::Shared;

/// What may be asked of one statement.
#[derive(Debug, Clone, Copy)]
struct Limits {
    timeout: Duration,
    /// Rows of the answer.
    rows_max: usize,
    /// Whether the client said how many.
    is_told: bool,
}

/// `GET` and `POST /api/v1/sql`.
pub(super) async fn query(mut asked: Asked) -> Answer {
    asked.caller.check_all_experiments("SQL")?;
    let mut input = asked.input().await?;
    let query = SqlQuery {
        statement: input.needed_text("sql")?,
        parameters: parameters::of(input.json("params")?.as_deref())?,
        tables: Vec::new(),
    };
    let (rows_max, timeout_ms) = (input.count("max_rows")?, input.count("timeout_ms")?);
    input.end()?;
    let limits = Limits::of(&asked.state, rows_max, timeout_ms)?;
    if asked.wants_arrow() {
        return batches::answer(&asked.state, Some(limits.timeout), move |db| {
            batches(&db, query, limits)
        })
        .await;
    }
    let text = Text::begin(&asked.state);
    let answer = ask(&asked.state, move |db| json(&db, query, limits, text)).await?;
    Ok(answer.into_response())
}

impl Limits {
    /// # Errors
    /// 400 for more than the server's own limits.
    fn of(
        state: &Shared,
        rows_max: Option<usize>,
        timeout_ms: Option<usize>,
    ) -> Result<Self, ApiError> {
        let at_most = |name: &str, given: Option<usize>, most: u128| match given {
            Some(given) if given as u128 > most => Err(ApiError::bad_request(format!(
                "{name} is {given}: at most {most} expected, the limit of this server"
            ))),
            given => Ok(given),
        };
        let options = &state.options;
        let rows = at_most("max_rows", rows_max, options.rows_max as u128)?;
        let timeout = at_most("timeout_ms", timeout_ms, options.query_timeout.as_millis())?;
        if timeout == Some(0) {
            return Err(ApiError::bad_request(
                "timeout_ms is 0: at least 1 expected",
            ));
        }
        Ok(Self {
            timeout: timeout.map_or(options.query_timeout, |ms| Duration::from_millis(ms as u64)),
            rows_max: rows.unwrap_or(options.rows_max),
            is_told: rows.is_some(),
        })
    }

    fn too_many_rows(self) -> ApiError {
        match self.is_told {
            true => ApiError {
                code: "REQUEST_LIMIT_EXCEEDED",
                ..ApiError::bad_request(format!(
                    "the answer has more than {} rows, the max_rows of the request",
                    self.rows_max
                ))
            },
            false => too_long(format_args!("{} rows", self.rows_max)),
        }
    }
}

/// `{"columns":[..],"types":[..],"rows":[[..],..]}`.
fn json(db: &Database, query: SqlQuery, limits: Limits, mut out: Text) -> Result<Text, ApiError> {
    let found = db.with_timeout(limits.timeout).sql_batches(query)?;
    let schema = schema_without_views(&found.schema());
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let types = schema
        .fields()
        .iter()
        .map(|field| field.data_type().to_string());
    out.push("{\"columns\":")?;
    out.push_json(&names)?;
    out.push(",\"types\":")?;
    out.push_json(&types.collect::<Vec<_>>())?;
    out.push(",\"rows\":[")?;
    let mut rows = Rows::arrays();
    for batch in found {
        rows.write(&mut out, &batch?)?;
        if rows.count > limits.rows_max {
            return Err(limits.too_many_rows());
        }
    }
    out.push("]}")?;
    Ok(out)
}

/// The rows as they come. The server's own limit of rows is one of JSON; the client's holds here, too.
fn batches(db: &Database, query: SqlQuery, limits: Limits) -> Result<Batches, ApiError> {
    let found = db.sql_batches(query)?;
    let mut count = 0_usize;
    Ok(Batches {
        schema: found.schema(),
        next_page_token: None,
        batches: Box::new(found.map(move |batch| {
            let batch = batch?;
            count = count.saturating_add(batch.num_rows());
            match limits.is_told && count > limits.rows_max {
                true => Err(limits.too_many_rows()),
                false => Ok(batch),
            }
        })),
    })
}
