//! From what a run judges to the items that scorers see, a chunk at a time.

use std::collections::{HashMap, HashSet};

use arrow::array::RecordBatch;
use serde_json::{Map, Value};
use tracehouse_eval::{Item, Needs, Turn};
use tracehouse_query::search::{self, Search, matching_spans};
use tracehouse_storage::Snapshot;

use super::chunk::{Facts, facts_of, spans_of};
use super::options::{EvalSource, GivenItem};
use super::part::ItemKey;
use crate::database::Database;
use crate::dataset::{
    Expectations, Kind, Record, Subject, expectations_of, records_of, said_by, shown,
};
use crate::error::{Error, Result};
use crate::sessions::Session;

/// An item and what tells it from others.
pub(super) struct Keyed {
    pub key: ItemKey,
    /// The trace that its feedback goes to.
    pub trace_id: Option<String>,
    pub item: Item,
}

/// What of a source is to be judged.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// What has scores already.
    pub done: HashSet<ItemKey>,
    /// Traces of the calls that judges made for the same run: they came of it, and are not for it.
    pub calls: HashSet<String>,
    /// The seed and the share of a sample of the traces.
    pub sample: Option<(u64, f64)>,
}

/// What is left to be judged.
pub(super) struct Items {
    pub snapshot: Snapshot,
    pub dataset: Option<(String, u32)>,
    /// The records of a dataset's version, with the columns of `dataset_records`, for expressions of SQL.
    #[cfg_attr(not(feature = "sql"), expect(dead_code, reason = "for SQL alone"))]
    pub records: Option<RecordBatch>,
    units: Units,
}

/// Most items that a source gives; what was judged before counts.
fn limit_of(source: &EvalSource) -> Option<usize> {
    match source {
        EvalSource::Traces(search) | EvalSource::Spans(search) => search.limit,
        EvalSource::Sessions(search) => search.limit,
        EvalSource::Dataset { .. } | EvalSource::Given(_) => None,
    }
}

enum Units {
    Subjects {
        kind: Kind,
        subjects: Vec<Subject>,
        expectations: HashMap<String, Expectations>,
    },
    Sessions(Vec<Session>),
    Records(Vec<Record>),
    Given(Vec<GivenItem>),
}

impl Items {
    /// What a selection takes of a source.
    ///
    /// # Errors
    /// `InvalidInput` for a wrong filter, `NotFound` for a dataset or version that is not there.
    pub fn find(db: &Database, source: &EvalSource, selection: &Selection) -> Result<Self> {
        let snapshot = db.reading()?;
        let (mut dataset, mut shown_records) = (None, None);
        let mut units = match source {
            EvalSource::Traces(search) => {
                traces(&snapshot, db.with_datasets(search)?.as_ref(), selection)?
            }
            EvalSource::Spans(search) => {
                spans(&snapshot, db.with_datasets(search)?.as_ref(), selection)?
            }
            EvalSource::Sessions(search) => Units::Sessions(db.sessions(search)?),
            EvalSource::Dataset { name, version } => {
                let found = db.dataset(name)?;
                let version = found.version(*version)?;
                let batch = found.read(&version)?;
                dataset = Some((version.info.dataset_id.clone(), version.info.version));
                shown_records = Some(shown(&version.info, &batch)?);
                Units::Records(records_of(&batch)?)
            }
            EvalSource::Given(items) => Units::Given(numbered(items)?),
        };
        units.retain(&selection.done);
        if let Some(limit) = limit_of(source) {
            units.truncate(limit.saturating_sub(selection.done.len()));
        }
        Ok(Self {
            snapshot,
            dataset,
            records: shown_records,
            units,
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.units {
            Units::Subjects { subjects, .. } => subjects.len(),
            Units::Sessions(sessions) => sessions.len(),
            Units::Records(records) => records.len(),
            Units::Given(items) => items.len(),
        }
    }

    /// Those at these places, with what the scorers need.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn read(
        &self,
        db: &Database,
        range: std::ops::Range<usize>,
        needs: Needs,
    ) -> Result<Vec<Keyed>> {
        self.snapshot.interrupt().check()?;
        match &self.units {
            Units::Subjects {
                kind,
                subjects,
                expectations,
            } => {
                let subjects = subjects.get(range).unwrap_or_default();
                of_subjects(&self.snapshot, *kind, subjects, expectations, needs)
            }
            Units::Sessions(sessions) => {
                let sessions = sessions.get(range).unwrap_or_default();
                let items = sessions.iter().map(|session| of_session(db, session));
                items.collect()
            }
            Units::Records(records) => {
                let records = records.get(range).unwrap_or_default();
                of_records(&self.snapshot, records, needs)
            }
            Units::Given(items) => Ok(items
                .get(range)
                .unwrap_or_default()
                .iter()
                .map(of_given)
                .collect()),
        }
    }
}

impl Units {
    fn truncate(&mut self, count: usize) {
        match self {
            Self::Subjects { subjects, .. } => subjects.truncate(count),
            Self::Sessions(all) => all.truncate(count),
            Self::Records(all) => all.truncate(count),
            Self::Given(all) => all.truncate(count),
        }
    }

    fn retain(&mut self, done: &HashSet<ItemKey>) {
        match self {
            // They were chosen when they were found.
            Self::Subjects { .. } => {}
            Self::Sessions(all) => all.retain(|session| !done.contains(&session_key(session))),
            Self::Records(all) => all.retain(|record| !done.contains(&record_key(&record.id))),
            Self::Given(all) => all.retain(|given| !done.contains(&given_key(given))),
        }
    }
}

fn subject_key(subject: &Subject) -> ItemKey {
    ItemKey {
        trace_id: Some(subject.trace_id.clone()),
        span_id: subject.span_id.clone(),
        ..ItemKey::default()
    }
}

fn session_key(session: &Session) -> ItemKey {
    ItemKey {
        session_id: Some(session.session_id.clone()),
        ..ItemKey::default()
    }
}

fn record_key(record_id: &str) -> ItemKey {
    ItemKey {
        dataset_record_id: Some(record_id.to_string()),
        ..ItemKey::default()
    }
}

fn given_key(given: &GivenItem) -> ItemKey {
    match &given.dataset_record_id {
        Some(id) => record_key(id),
        None => ItemKey {
            trace_id: given.trace_id.clone(),
            span_id: given.span_id.clone(),
            ..ItemKey::default()
        },
    }
}

/// Items of a caller, of which those that nothing tells apart get the number of their place.
///
/// # Errors
/// `InvalidInput` for an item that is there twice.
fn numbered(items: &[GivenItem]) -> Result<Vec<GivenItem>> {
    let (mut items, mut known) = (items.to_vec(), HashSet::new());
    for (place, given) in items.iter_mut().enumerate() {
        if given.trace_id.is_none() && given.dataset_record_id.is_none() {
            given.dataset_record_id = Some(format!("item-{place}"));
        }
        let key = given_key(given);
        if !known.insert(key.clone()) {
            return Err(Error::invalid_input(format!(
                "item {place} is there twice: {key:?}"
            )));
        }
    }
    Ok(items)
}

impl Selection {
    fn takes(&self, subject: &Subject) -> bool {
        self.has(&subject.trace_id)
            && !self.calls.contains(&subject.trace_id)
            && !self.done.contains(&subject_key(subject))
    }
}

fn traces(snapshot: &Snapshot, search: &Search, selection: &Selection) -> Result<Units> {
    let page = search::search(&search.limited(snapshot), search)?;
    let subjects = page.rows.into_iter().zip(page.trace_ids);
    let mut subjects: Vec<Subject> = subjects
        .map(|(row, trace_id)| Subject {
            row,
            trace_id,
            span_id: None,
        })
        .collect();
    subjects.retain(|subject| selection.takes(subject));
    with_expectations(snapshot, Kind::Trace, subjects)
}

fn spans(snapshot: &Snapshot, search: &Search, selection: &Selection) -> Result<Units> {
    if !search.order_by.is_empty() || search.page_token.is_some() {
        return Err(Error::invalid_input(
            "spans are judged newest first: a run over them takes no order and no page token",
        ));
    }
    let found = matching_spans(snapshot, search)?.into_iter();
    let found = found
        .skip(search.offset)
        .take(search.limit.unwrap_or(usize::MAX));
    let mut subjects: Vec<Subject> = found
        .map(|span| Subject {
            row: span.row,
            trace_id: span.trace_id,
            span_id: Some(span.span_id),
        })
        .collect();
    subjects.retain(|subject| selection.takes(subject));
    with_expectations(snapshot, Kind::Span, subjects)
}

fn with_expectations(snapshot: &Snapshot, kind: Kind, subjects: Vec<Subject>) -> Result<Units> {
    let ids = subjects.iter().map(|subject| subject.trace_id.clone());
    let expectations = expectations_of(snapshot, ids)?;
    Ok(Units::Subjects {
        kind,
        subjects,
        expectations,
    })
}

fn of_subjects(
    snapshot: &Snapshot,
    kind: Kind,
    subjects: &[Subject],
    expectations: &HashMap<String, Expectations>,
    needs: Needs,
) -> Result<Vec<Keyed>> {
    let facts = facts_of(snapshot, kind, subjects)?;
    let said = match needs.texts || needs.messages {
        true => said_by(snapshot, subjects, kind, true)?,
        false => Vec::new(),
    };
    let calls = match needs.spans {
        true => spans_of(snapshot, subjects)?,
        false => HashMap::new(),
    };
    let mut items = Vec::with_capacity(subjects.len());
    let mut said = said.into_iter();
    for (subject, facts) in subjects.iter().zip(facts) {
        let (is_root, mut item) = (facts.is_root, item_of(facts));
        item.trace_id = Some(subject.trace_id.clone());
        if let Some(said) = said.next() {
            item.input_text = said.input_text;
            item.output_text = said.output_text;
            item.inputs = said.inputs.map(value_of);
            item.outputs = said.outputs.map(value_of);
            item.messages = turns(&item);
        }
        if let Some(of_trace) = calls.get(&subject.trace_id) {
            item.tool_calls.clone_from(&of_trace.tool_calls);
            item.documents.clone_from(&of_trace.documents);
        }
        let expected =
            expectations
                .get(&subject.trace_id)
                .and_then(|expected| match &subject.span_id {
                    Some(span_id) => expected.of_span(span_id, is_root),
                    None => expected.of_trace(),
                });
        item.expectations = object_of(expected.as_deref());
        items.push(Keyed {
            key: subject_key(subject),
            trace_id: Some(subject.trace_id.clone()),
            item,
        });
    }
    Ok(items)
}

/// What was asked, then what was answered.
fn turns(item: &Item) -> Vec<Turn> {
    let said = [("user", &item.input_text), ("assistant", &item.output_text)];
    let turns = said.into_iter().filter_map(|(role, text)| {
        Some(Turn {
            role: role.to_string(),
            text: text.clone()?,
        })
    });
    turns.collect()
}

fn item_of(facts: Facts) -> Item {
    Item {
        duration_ns: facts.duration_ns,
        total_tokens: facts.total_tokens,
        cost_usd: facts.cost_usd,
        ..Item::default()
    }
}

/// A session is a conversation: what each of its traces was asked and answered, in order.
fn of_session(db: &Database, session: &Session) -> Result<Keyed> {
    let (trace_id, item) = super::chunk::conversation(db, session)?;
    Ok(Keyed {
        key: session_key(session),
        trace_id,
        item,
    })
}

fn of_records(snapshot: &Snapshot, records: &[Record], needs: Needs) -> Result<Vec<Keyed>> {
    let sources: Vec<String> = records
        .iter()
        .filter_map(|record| record.source.trace_id.clone())
        .collect();
    let traces = super::chunk::traces_by_id(snapshot, &sources, needs.spans)?;
    let mut items = Vec::with_capacity(records.len());
    for record in records {
        let trace = (record.source.trace_id.as_ref()).and_then(|id| traces.get(id));
        let mut item = trace.map_or_else(Item::default, |(facts, _)| item_of(*facts));
        if let Some((_, Some(spans))) = trace {
            item.tool_calls.clone_from(&spans.tool_calls);
            item.documents.clone_from(&spans.documents);
        }
        item.trace_id = trace.and(record.source.trace_id.clone());
        item.inputs = Some(value_of(record.inputs.clone()));
        item.outputs = record.outputs.clone().map(value_of);
        item.input_text = Some(super::chunk::input_text(&record.inputs));
        item.output_text = record.outputs.as_deref().map(super::chunk::output_text);
        item.expectations = object_of(record.expectations.as_deref());
        items.push(Keyed {
            key: record_key(&record.id),
            trace_id: trace.and(record.source.trace_id.clone()),
            item,
        });
    }
    Ok(items)
}

fn of_given(given: &GivenItem) -> Keyed {
    Keyed {
        key: given_key(given),
        trace_id: given.trace_id.clone(),
        item: given.item.clone(),
    }
}

/// A payload as a value. One with a number that no double holds, or nested deeper than can be read, is a text.
fn value_of(json: String) -> Value {
    serde_json::from_str(&json).unwrap_or(Value::String(json))
}

fn object_of(json: Option<&str>) -> Map<String, Value> {
    match json.map(|json| value_of(json.to_string())) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
