//! What was said to be right: the valid expectations of traces, by one scan of each source. Feedback of one name is
//! found in the same way.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use tracehouse_storage::Snapshot;
use tracehouse_storage::columns::{text, text_at, times};
use tracehouse_storage::scan::{RowFilter, ScanRequest};
use tracehouse_storage::schema::Table;

use super::json::object;
use crate::error::Result;

/// The expectations of one trace.
#[derive(Debug, Default)]
pub(crate) struct Expectations(Vec<Assessed>);

/// An assessment, of whatever type.
#[derive(Debug, Clone)]
struct Assessed {
    name: String,
    /// The span it is about; `None` = the trace.
    span_id: Option<String>,
    /// The newest of a name counts.
    age: (i64, String),
    value: String,
}

impl Expectations {
    /// A JSON object with the newest of each name; `None` when there is none.
    pub fn of_trace(&self) -> Option<String> {
        self.newest(|_| true)
    }

    /// The expectations about one span; those about the trace are its root's, too.
    pub fn of_span(&self, span_id: &str, is_root: bool) -> Option<String> {
        self.newest(|expectation| match &expectation.span_id {
            Some(about) => about == span_id,
            None => is_root,
        })
    }

    fn newest(&self, wanted: impl Fn(&Assessed) -> bool) -> Option<String> {
        let mut by_name: BTreeMap<&String, &Assessed> = BTreeMap::new();
        for expectation in self.0.iter().filter(|expectation| wanted(expectation)) {
            let known = by_name.entry(&expectation.name).or_insert(expectation);
            if known.age < expectation.age {
                *known = expectation;
            }
        }
        let members = by_name
            .into_iter()
            .map(|(name, expectation)| (name, expectation.value.as_str()));
        Some(object(members)).filter(|text| text != "{}")
    }
}

/// The valid expectations of these traces.
pub(crate) fn expectations_of(
    snapshot: &Snapshot,
    trace_ids: impl IntoIterator<Item = String>,
) -> Result<HashMap<String, Expectations>> {
    let mut found: HashMap<String, Expectations> = HashMap::new();
    each_assessment(snapshot, trace_ids, "expectation", &mut |trace_id, one| {
        found.entry(trace_id).or_default().0.push(one);
    })?;
    Ok(found)
}

/// The newest valid assessment of a type (`feedback` or `expectation`) and a name of each of these traces, about the
/// trace or a span of it: its value as JSON text.
pub(super) fn newest_values(
    snapshot: &Snapshot,
    trace_ids: impl IntoIterator<Item = String>,
    of_type: &'static str,
    name: &str,
) -> Result<HashMap<String, String>> {
    let mut newest: HashMap<String, Assessed> = HashMap::new();
    each_assessment(snapshot, trace_ids, of_type, &mut |trace_id, one| {
        if one.name != name {
            return;
        }
        match newest.entry(trace_id) {
            Entry::Vacant(entry) => {
                entry.insert(one);
            }
            Entry::Occupied(mut known) if known.get().age < one.age => {
                known.insert(one);
            }
            Entry::Occupied(_) => {}
        }
    })?;
    let values = newest.into_iter();
    Ok(values
        .map(|(trace_id, one)| (trace_id, one.value))
        .collect())
}

/// Hands on every valid assessment of a type and these traces, with its trace's id.
fn each_assessment(
    snapshot: &Snapshot,
    trace_ids: impl IntoIterator<Item = String>,
    of_type: &'static str,
    take: &mut dyn FnMut(String, Assessed),
) -> Result<()> {
    let wanted: Arc<HashSet<String>> = Arc::new(trace_ids.into_iter().collect());
    if wanted.is_empty() {
        return Ok(());
    }
    let columns = [
        "trace_id",
        "span_id",
        "name",
        "value",
        "created_at",
        "assessment_id",
    ];
    for source in 0..snapshot.source_count() {
        let mut request = ScanRequest::columns(columns);
        request.filters = vec![valid(of_type), of_traces(wanted.clone())];
        for batch in snapshot.scan(source, Table::Assessments, &request)? {
            let batch = batch?;
            let (ids, names) = (text(&batch, "trace_id")?, text(&batch, "name")?);
            let (values, keys) = (text(&batch, "value")?, text(&batch, "assessment_id")?);
            let (spans, created) = (text(&batch, "span_id")?, times(&batch, "created_at")?);
            for row in 0..batch.num_rows() {
                let one = Assessed {
                    name: names.value(row).to_string(),
                    span_id: text_at(spans, row).map(str::to_string),
                    age: (created.value(row), keys.value(row).to_string()),
                    value: values.value(row).to_string(),
                };
                take(ids.value(row).to_string(), one);
            }
        }
    }
    Ok(())
}

/// Those of a type that hold.
fn valid(of_type: &'static str) -> RowFilter {
    let keep = move |batch: &RecordBatch| {
        let kinds = text(batch, "type")?;
        let valid = batch
            .column_by_name("valid")
            .and_then(|array| array.as_boolean_opt());
        let valid =
            valid.ok_or_else(|| tracehouse_storage::Error::internal("no boolean column valid"))?;
        let rows = kinds.iter().zip(valid.iter());
        Ok(rows
            .map(|(kind, valid)| Some(kind == Some(of_type) && valid == Some(true)))
            .collect())
    };
    RowFilter {
        columns: vec!["type".into(), "valid".into()],
        keep: Arc::new(keep),
    }
}

fn of_traces(wanted: Arc<HashSet<String>>) -> RowFilter {
    let keep = move |batch: &RecordBatch| -> tracehouse_storage::Result<BooleanArray> {
        let ids = text(batch, "trace_id")?;
        Ok(ids
            .iter()
            .map(|id| Some(id.is_some_and(|id| wanted.contains(id))))
            .collect())
    };
    RowFilter {
        columns: vec!["trace_id".into()],
        keep: Arc::new(keep),
    }
}
