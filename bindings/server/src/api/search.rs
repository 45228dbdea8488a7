//! `search`: a page of traces by the filter language, or their number.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tracehouse::{Database, Search, Table, TraceBatches};

use super::answer::{self, Text};
use super::asked::Asked;
use super::batches::{self, Batches};
use super::input::Input;
use super::period::Period;
use super::{Answer, rows};
use crate::ask::ask;
use crate::error::{ApiError, quoted};
use crate::state::Shared;

/// Traces of a page unless told otherwise.
const LIMIT: usize = 20;

/// `GET` and `POST /api/v1/search`.
pub(super) async fn search(mut asked: Asked) -> Answer {
    let mut input = asked.input().await?;
    let mut search = search_of(&asked, &mut input)?;
    let (count, columns) = (input.flag("count")?, columns(&mut input)?);
    search.explain = input.flag("explain")?;
    input.end()?;
    if search.explain {
        // It counts rows of the whole database.
        asked.caller.check_all_experiments("explain")?;
    }
    if count {
        let count = ask(&asked.state, move |db| Ok(db.count_traces(&search)?)).await?;
        return answer::json(&asked.state, &serde_json::json!({ "count": count }));
    }
    if asked.wants_arrow() {
        return batches::answer(&asked.state, None, move |db| {
            let found = db.search_batches(&search)?;
            let schema = Table::Traces.public_schema();
            Ok(Batches {
                schema: columns.schema(&schema)?,
                next_page_token: found.next_page_token().map(str::to_string),
                batches: Box::new(found.map(move |batch| columns.of(batch?))),
            })
        })
        .await;
    }
    // A name that nothing has is told to those who see all that there is.
    let is_told = asked.caller.experiments().is_none();
    let text = Text::begin(&asked.state);
    let page = ask(&asked.state, move |db| {
        page(&db, &search, &columns, is_told, text)
    })
    .await?;
    Ok(page.into_response())
}

/// What is searched for: `filter`, `since`, `from`, `to`, `order_by`, `limit`, `offset`, `page_token`, `experiment`.
fn search_of(asked: &Asked, input: &mut Input) -> Result<Search, ApiError> {
    let filter = input.text("filter")?.unwrap_or_default();
    let mut search = Search::new(Period::of(input)?.within(filter)?)
        .order_by(input.texts("order_by")?)
        .limit(limit(&asked.state, input, LIMIT)?);
    search.offset = input.count("offset")?.unwrap_or_default();
    // Clients that go through pages begin with an empty token.
    search.page_token = input.text("page_token")?.filter(|token| !token.is_empty());
    search.experiments = asked.experiments(input.texts("experiment")?)?;
    Ok(search)
}

/// The parameter `limit`, within the server's.
///
/// # Errors
/// 400 for more rows than an answer may have.
pub(super) fn limit(state: &Shared, input: &mut Input, default: usize) -> Result<usize, ApiError> {
    let (limit, limit_max) = (input.count("limit")?, state.options.rows_max);
    match limit {
        Some(limit) if limit > limit_max => Err(ApiError::bad_request(format!(
            "limit is {limit}: at most {limit_max} expected"
        ))),
        limit => Ok(limit.unwrap_or(default.min(limit_max))),
    }
}

fn page(
    db: &Database,
    search: &Search,
    columns: &Columns,
    is_told: bool,
    mut out: Text,
) -> Result<Text, ApiError> {
    let mut found: TraceBatches = db.search_batches(search)?;
    let notices = match is_told && found.trace_ids().is_empty() {
        true => db.notices(search, false)?,
        false => Vec::new(),
    };
    out.push("{\"traces\":")?;
    rows::array(&mut out, found.by_ref().map(|batch| columns.of(batch?)))?;
    out.push(",\"next_page_token\":")?;
    out.push_json(&found.next_page_token())?;
    if let Some(explain) = found.explain() {
        out.push(",\"explain\":")?;
        out.push_json(explain)?;
    }
    if !notices.is_empty() {
        out.push(",\"notices\":")?;
        out.push_json(&notices)?;
    }
    out.push("}")?;
    Ok(out)
}

/// The columns of `traces` that are answered.
#[derive(Debug)]
struct Columns(Option<Vec<usize>>);

/// The parameter `columns`; all of them when it is left out.
fn columns(input: &mut Input) -> Result<Columns, ApiError> {
    let names = input.words("columns")?;
    if names.is_empty() {
        return Ok(Columns(None));
    }
    let schema = Table::Traces.public_schema();
    let mut places: Vec<usize> = Vec::with_capacity(names.len());
    for name in &names {
        let place = schema.index_of(name).map_err(|_| {
            let all = schema.fields().iter().map(|field| field.name().as_str());
            ApiError::bad_request(format!(
                "columns has {}: one of {} expected",
                quoted(name),
                all.collect::<Vec<_>>().join(", ")
            ))
        })?;
        if places.contains(&place) {
            return Err(ApiError::bad_request(format!("columns has {name} twice")));
        }
        places.push(place);
    }
    Ok(Columns(Some(places)))
}

impl Columns {
    fn schema(&self, schema: &SchemaRef) -> Result<SchemaRef, ApiError> {
        let Some(places) = &self.0 else {
            return Ok(Arc::clone(schema));
        };
        let chosen = schema.project(places);
        chosen.map(Arc::new).map_err(internal)
    }

    fn of(&self, batch: RecordBatch) -> Result<RecordBatch, ApiError> {
        match &self.0 {
            None => Ok(batch),
            Some(places) => batch.project(places).map_err(internal),
        }
    }
}

fn internal(error: arrow::error::ArrowError) -> ApiError {
    ApiError::internal(format!("the columns cannot be chosen: {error}"))
}
