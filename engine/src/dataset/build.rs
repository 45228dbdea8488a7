//! From traces to records: inputs and outputs of the root span, expectations by name, provenance.
//!
//! Payloads are read for many traces at a time, expectations by one scan of each source. Of traces
//! with equal inputs the first in the search's order makes the record, so that its outputs and its
//! source belong together; the others only add expectations that it lacks. A trace without inputs
//! asks nothing: it makes no record and is counted.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use serde::Serialize;
use tracehouse_query::search::{self, Search};
use tracehouse_storage::columns::{map_at, text, text_at, times};
use tracehouse_storage::scan::{RowFilter, ScanRequest};
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use super::json::{json_or_string, object, quoted, updated};
use super::record::Candidate;
use super::sample::{Sample, choose};
use super::source::Source;
use crate::error::{Error, Result};

/// Traces whose payloads are read together.
const TRACES_A_READ: usize = 1_024;

/// The keys of a trace that a sample can be stratified by, besides `tags.K` and `metadata.K`.
const STRATA: [&str; 7] =
    ["state", "service_name", "name", "session_id", "user_id", "experiment_id", "client_request_id"];

/// What chose the traces of a version, for `DatasetInfo::query`.
#[derive(Serialize)]
struct Query<'a> {
    filter: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    order_by: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    experiments: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<&'a Sample>,
}

/// The search and sample as JSON object text.
pub(crate) fn query_text(search: &Search, sample: Option<&Sample>) -> Result<String> {
    let query = Query {
        filter: &search.filter,
        order_by: &search.order_by,
        limit: search.limit,
        experiments: search.experiments.as_deref(),
        sample,
    };
    serde_json::to_string(&query).map_err(|e| Error::internal(format!("query of a dataset version: {e}")))
}

/// Records made from traces.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// In the search's order, with different inputs.
    pub records: Vec<Candidate>,
    /// Traces with the inputs of an earlier one.
    pub repeated: u64,
    /// Traces without inputs.
    pub skipped: u64,
    by_hash: HashMap<u128, usize>,
}

impl Built {
    fn add(&mut self, candidate: Candidate) {
        let known = self.by_hash.get(&candidate.hash).and_then(|at| self.records.get_mut(*at));
        let Some(first) = known else {
            self.by_hash.insert(candidate.hash, self.records.len());
            self.records.push(candidate);
            return;
        };
        self.repeated += 1;
        if let Some(more) = candidate.expectations {
            first.expectations = Some(updated(&more, first.expectations.as_deref().unwrap_or("{}")));
        }
    }
}

/// The records of the traces that a search finds, or of a sample of them.
pub(crate) fn records_of_traces(
    snapshot: &Snapshot,
    search: &Search,
    sample: Option<&Sample>,
) -> Result<Built> {
    let page = search::search(snapshot, search)?;
    let (mut rows, mut ids) = (page.rows, page.trace_ids);
    if let Some(sample) = sample {
        let strata = match &sample.stratify {
            Some(key) => strata(snapshot, &rows, key)?,
            None => Vec::new(),
        };
        let chosen: HashSet<usize> = choose(&ids, &strata, sample).into_iter().collect();
        let pick = |at: usize| chosen.contains(&at);
        rows = rows.into_iter().enumerate().filter(|(at, _)| pick(*at)).map(|(_, row)| row).collect();
        ids = ids.into_iter().enumerate().filter(|(at, _)| pick(*at)).map(|(_, id)| id).collect();
    }
    let expectations = expectations_of(snapshot, &ids)?;
    let mut built = Built::default();
    for (rows, ids) in rows.chunks(TRACES_A_READ).zip(ids.chunks(TRACES_A_READ)) {
        read_records(snapshot, rows, ids, &expectations, &mut built)?;
    }
    Ok(built)
}

/// The stratum of each trace; a trace without the key is in the stratum of those.
fn strata(snapshot: &Snapshot, rows: &[RowRef], key: &str) -> Result<Vec<Option<String>>> {
    let member = |prefix: &str| key.strip_prefix(prefix).map(|key| key.trim_matches('`').to_string());
    for (column, key) in [("tags", member("tags.")), ("metadata", member("metadata."))] {
        if let Some(key) = key {
            let batch = snapshot.read_rows(Table::Traces, rows, &[column])?;
            let rows = (0..batch.num_rows()).map(|row| Ok(map_at(&batch, column, row)?.remove(&key)));
            return rows.collect();
        }
    }
    let column = match key {
        "session" => "session_id",
        "user" => "user_id",
        key => key,
    };
    if !STRATA.contains(&column) {
        return Err(Error::invalid_input(format!(
            "stratify by {key:?}: one of {}, tags.K or metadata.K expected",
            STRATA.join(", ")
        )));
    }
    let batch = snapshot.read_rows(Table::Traces, rows, &[column])?;
    Ok(text(&batch, column)?.iter().map(|value| value.map(str::to_string)).collect())
}

fn read_records(
    snapshot: &Snapshot,
    rows: &[RowRef],
    ids: &[String],
    expectations: &HashMap<String, BTreeMap<String, String>>,
    built: &mut Built,
) -> Result<()> {
    let light = snapshot.read_rows(Table::Traces, rows, &["_root_span_id", "session_id"])?;
    let heavy = snapshot.read_rows(Table::Traces, rows, &["inputs", "outputs"])?;
    let (roots, sessions) = (text(&light, "_root_span_id")?, text(&light, "session_id")?);
    let (inputs, outputs) = (text(&heavy, "inputs")?, text(&heavy, "outputs")?);
    for (row, id) in ids.iter().enumerate() {
        // A payload that is the word null says as little as none.
        let Some(inputs) = text_at(inputs, row).map(json_or_string).filter(|inputs| inputs != "null") else {
            built.skipped += 1;
            continue;
        };
        let outputs = text_at(outputs, row).map_or_else(|| "null".to_string(), json_or_string);
        let expected = expectations
            .get(id)
            .map(|by_name| object(by_name.iter().map(|(name, value)| (name, value.as_str()))));
        let mut record = Candidate::from_compact(inputs, Some(outputs), expected.as_deref(), None)?;
        record.source = Some(source(id, text_at(roots, row), text_at(sessions, row)));
        built.add(record);
    }
    Ok(())
}

fn source(trace_id: &str, span_id: Option<&str>, session_id: Option<&str>) -> Source {
    let mut data = format!(r#"{{"trace_id":{}"#, quoted(trace_id));
    for (key, value) in [("span_id", span_id), ("session_id", session_id)] {
        if let Some(value) = value {
            data.push_str(&format!(r#","{key}":{}"#, quoted(value)));
        }
    }
    data.push('}');
    Source {
        kind: Some("TRACE".into()),
        trace_id: Some(trace_id.to_string()),
        span_id: span_id.map(str::to_string),
        data: Some(data),
    }
}

/// The valid expectations of these traces by name, the newest of a name.
fn expectations_of(
    snapshot: &Snapshot,
    trace_ids: &[String],
) -> Result<HashMap<String, BTreeMap<String, String>>> {
    let mut newest: HashMap<String, BTreeMap<String, (i64, String, String)>> = HashMap::new();
    if trace_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let wanted: Arc<HashSet<String>> = Arc::new(trace_ids.iter().cloned().collect());
    for source in 0..snapshot.source_count() {
        let mut request = ScanRequest::columns(["trace_id", "name", "value", "created_at", "assessment_id"]);
        request.filters = vec![valid_expectations(), of_traces(wanted.clone())];
        for batch in snapshot.scan(source, Table::Assessments, &request)? {
            let batch = batch?;
            let (ids, names) = (text(&batch, "trace_id")?, text(&batch, "name")?);
            let (values, keys) = (text(&batch, "value")?, text(&batch, "assessment_id")?);
            let created = times(&batch, "created_at")?;
            for row in 0..batch.num_rows() {
                let entry = (created.value(row), keys.value(row).to_string(), values.value(row).to_string());
                let of_trace = newest.entry(ids.value(row).to_string()).or_default();
                let known = of_trace.entry(names.value(row).to_string()).or_insert_with(|| entry.clone());
                if (known.0, &known.1) < (entry.0, &entry.1) {
                    *known = entry;
                }
            }
        }
    }
    let values = |by_name: BTreeMap<String, (i64, String, String)>| {
        by_name.into_iter().map(|(name, (_, _, value))| (name, value)).collect()
    };
    Ok(newest.into_iter().map(|(id, by_name)| (id, values(by_name))).collect())
}

fn valid_expectations() -> RowFilter {
    let keep = |batch: &RecordBatch| {
        let kinds = text(batch, "type")?;
        let valid = batch.column_by_name("valid").and_then(|array| array.as_boolean_opt());
        let valid = valid.ok_or_else(|| tracehouse_storage::Error::internal("no boolean column valid"))?;
        let rows = kinds.iter().zip(valid.iter());
        Ok(rows.map(|(kind, valid)| Some(kind == Some("expectation") && valid == Some(true))).collect())
    };
    RowFilter { columns: vec!["type".into(), "valid".into()], keep: Arc::new(keep) }
}

fn of_traces(wanted: Arc<HashSet<String>>) -> RowFilter {
    let keep = move |batch: &RecordBatch| -> tracehouse_storage::Result<BooleanArray> {
        let ids = text(batch, "trace_id")?;
        Ok(ids.iter().map(|id| Some(id.is_some_and(|id| wanted.contains(id)))).collect())
    };
    RowFilter { columns: vec!["trace_id".into()], keep: Arc::new(keep) }
}
