//! What a database should hold: rows as plain maps, the writes that change them, and reading them back from a
//! store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tracehouse_storage::columns::{assessment_at, span_at, spans_batch, trace_at};
use tracehouse_storage::manifest::CatalogFile;
use tracehouse_storage::model::{Assessment, AssessmentKind, Span, TraceEdit};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::store::{Assess, Reassess};
use tracehouse_storage::{Error, ErrorKind, Result, Snapshot, Store};

/// A span of a batch: trace, number, and what tells one version of it from another.
pub type SpanOf = (u8, u8, u16);

/// A write that is all there or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum Write {
    Spans(Vec<SpanOf>),
    /// Trace and value of its tag.
    Tag(u8, u16),
    /// Settles a trace.
    Settle(u8),
    /// Trace, id, value.
    Assess(u8, u8, u16),
    /// Trace and id.
    Unassess(u8, u8),
    Delete(u8),
    /// Deletes a trace and removes its bytes.
    Erase(u8),
    /// The catalogue file for a key, and what it holds; another one of the key goes.
    Catalog(u8, u16),
}

/// A write with its place in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    pub number: usize,
    pub write: Write,
}

/// All a database holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rows {
    pub spans: BTreeMap<(u8, u8), u16>,
    pub tags: BTreeMap<u8, u16>,
    /// Traces without a root that do not wait for it.
    pub settled: BTreeSet<u8>,
    pub assessments: BTreeMap<(u8, u8), u16>,
    pub catalog: BTreeMap<u8, u16>,
}

impl Rows {
    /// The rows after a write.
    pub fn after(&self, write: &Write) -> Self {
        let mut rows = self.clone();
        match write {
            Write::Spans(spans) => {
                rows.spans.extend(
                    spans
                        .iter()
                        .map(|(trace, span, version)| ((*trace, *span), *version)),
                );
                rows.settled
                    .retain(|trace| !rows.spans.contains_key(&(*trace, ROOT)));
            }
            Write::Tag(trace, value) if self.has(*trace) => drop(rows.tags.insert(*trace, *value)),
            Write::Settle(trace)
                if self.has(*trace) && !self.spans.contains_key(&(*trace, ROOT)) =>
            {
                rows.settled.insert(*trace);
            }
            Write::Tag(..) | Write::Settle(_) => {}
            Write::Assess(trace, id, value) => drop(rows.assessments.insert((*trace, *id), *value)),
            Write::Unassess(trace, id) => drop(rows.assessments.remove(&(*trace, *id))),
            Write::Delete(trace) | Write::Erase(trace) => {
                rows.spans.retain(|(of, _), _| of != trace);
                rows.tags.remove(trace);
                rows.settled.remove(trace);
                rows.assessments.retain(|(of, _), _| of != trace);
            }
            Write::Catalog(key, value) => drop(rows.catalog.insert(*key, *value)),
        }
        rows
    }

    /// Whether there is a trace.
    pub fn has(&self, trace: u8) -> bool {
        self.traces().contains(&trace)
    }

    fn traces(&self) -> BTreeSet<u8> {
        self.spans.keys().map(|(trace, _)| *trace).collect()
    }
}

/// The number of the span without a parent.
pub const ROOT: u8 = 1;

fn trace_id(trace: u8) -> String {
    format!("{trace:032x}")
}

fn number(text: &str) -> std::result::Result<u8, String> {
    u8::from_str_radix(text.trim_start_matches('0'), 16)
        .map_err(|_| format!("an id nobody wrote: {text}"))
}

fn span((trace, number, version): SpanOf) -> Span {
    let start_time_ns = 1_700_000_000_000_000_000 + i64::from(trace) * 1_000 + i64::from(number);
    Span {
        trace_id: trace_id(trace),
        span_id: format!("{number:016x}"),
        parent_span_id: (number != ROOT).then(|| format!("{ROOT:016x}")),
        experiment_id: "0".into(),
        name: format!("version {version}"),
        span_type: "LLM".into(),
        kind: "INTERNAL".into(),
        status: "OK".into(),
        start_time_ns,
        end_time_ns: Some(start_time_ns + 10),
        inputs: Some(format!("{{\"version\": {version}}}")),
        attributes: "{}".into(),
        resource: "{}".into(),
        ..Span::default()
    }
}

fn assessment(trace: u8, id: u8, value: u16) -> Assessment {
    Assessment {
        assessment_id: format!("{id:08x}"),
        trace_id: trace_id(trace),
        span_id: None,
        name: "good".into(),
        kind: AssessmentKind::Feedback,
        value: value.to_string(),
        source_type: "HUMAN".into(),
        source_id: None,
        rationale: None,
        error_code: None,
        error_message: None,
        metadata: BTreeMap::new(),
        overrides: None,
        valid: true,
        created_at_ns: 1,
        updated_at_ns: 1,
    }
}

fn catalog_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(
        "value",
        DataType::Utf8View,
        false,
    )]))
}

/// Does a write to a store; once this returns `Ok` it is acknowledged.
pub fn perform(store: &Store, write: &Write) -> Result<()> {
    match write {
        Write::Spans(spans) => {
            let spans: Vec<Span> = spans.iter().map(|of| span(*of)).collect();
            store.append_spans(spans_batch(&spans)?).map(drop)
        }
        Write::Tag(trace, value) => {
            let edit = TraceEdit::set_tags([("tag", value.to_string())]);
            store.edit_traces(vec![(trace_id(*trace), edit)]).map(drop)
        }
        Write::Settle(trace) => store.settle_traces(&[trace_id(*trace)]).map(drop),
        Write::Assess(trace, id, value) => {
            let rows = vec![assessment(*trace, *id, *value)];
            store
                .assess(Assess {
                    rows,
                    check_existing: true,
                })
                .map(drop)
        }
        Write::Unassess(trace, id) => {
            let removed = vec![(trace_id(*trace), format!("{id:08x}"))];
            store
                .reassess(Reassess {
                    removed,
                    rows: Vec::new(),
                })
                .map(drop)
        }
        Write::Delete(trace) => store.delete_traces(vec![trace_id(*trace)]).map(drop),
        Write::Erase(trace) => {
            store.begin_erase(&[trace_id(*trace)])?;
            complete_erase(store)
        }
        Write::Catalog(key, value) => {
            let column: ArrayRef = Arc::new(StringViewArray::from_iter_values([value.to_string()]));
            let rows = RecordBatch::try_new(catalog_schema(), vec![column])?;
            let file = store.write_catalog_file(&rows, key.to_string())?;
            let catalog = store.snapshot()?.catalog().to_vec();
            let ended = catalog
                .into_iter()
                .filter(|file| file.meta_json == key.to_string());
            store.commit_catalog(vec![file], ended.map(|file| file.name).collect())
        }
    }
}

/// Goes on with an erase that was begun, as an open for writing does.
pub fn complete_erase(store: &Store) -> Result<()> {
    let ids = store.unfinished_erase()?;
    if ids.is_empty() {
        return Ok(());
    }
    store.delete_traces(ids.clone())?;
    let pending = store.erase(&ids)?.pending;
    match pending.first() {
        None => Ok(()),
        Some(first) => Err(Error::new(
            ErrorKind::Conflict,
            format!("an erase could not remove {first}"),
        )),
    }
}

/// Why rows could not be read.
#[derive(Debug)]
pub enum Unread {
    /// The store said so.
    Error(tracehouse_storage::Error),
    /// What was read contradicts itself.
    Wrong(String),
}

impl From<tracehouse_storage::Error> for Unread {
    fn from(error: tracehouse_storage::Error) -> Self {
        Self::Error(error)
    }
}

impl From<String> for Unread {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

/// All rows of a store, each read once and checked against the others.
pub fn read(store: &Store) -> std::result::Result<Rows, Unread> {
    let snapshot = store.snapshot()?;
    let mut rows = Rows::default();
    read_spans(&snapshot, &mut rows)?;
    read_traces(&snapshot, &mut rows)?;
    read_assessments(&snapshot, &mut rows)?;
    for file in snapshot.catalog() {
        let key = file
            .meta_json
            .parse()
            .map_err(|_| "a catalogue file nobody wrote".to_string())?;
        once(
            rows.catalog
                .insert(key, catalog_value(store, file)?)
                .is_none(),
            "a catalogue file",
        )?;
    }
    Ok(rows)
}

/// Refuses what is there already.
fn once(is_new: bool, what: &str) -> std::result::Result<(), String> {
    if is_new {
        Ok(())
    } else {
        Err(format!("{what} is there twice"))
    }
}

fn read_spans(snapshot: &Snapshot, rows: &mut Rows) -> std::result::Result<(), Unread> {
    for batch in batches(snapshot, Table::Spans)? {
        for at in 0..batch.num_rows() {
            let read = span_at(&batch, at)?;
            let version = read
                .name
                .rsplit(' ')
                .next()
                .and_then(|version| version.parse().ok());
            let version = version.ok_or_else(|| format!("a span nobody wrote: {}", read.name))?;
            let key = (number(&read.trace_id)?, number(&read.span_id)?);
            if read != span((key.0, key.1, version)) {
                return Err(format!("span {key:?} is not as it was written: {read:?}").into());
            }
            once(rows.spans.insert(key, version).is_none(), "a span")?;
        }
    }
    Ok(())
}

/// Traces, of which the spans were read, with their tags.
fn read_traces(snapshot: &Snapshot, rows: &mut Rows) -> std::result::Result<(), Unread> {
    let mut counts: BTreeMap<u8, i64> = BTreeMap::new();
    for batch in batches(snapshot, Table::Traces)? {
        for at in 0..batch.num_rows() {
            let read = trace_at(&batch, at)?;
            let trace = number(&read.trace_id)?;
            once(counts.insert(trace, read.span_count).is_none(), "a trace")?;
            let has_root = rows.spans.contains_key(&(trace, ROOT));
            match (has_root, read.state.as_str()) {
                (true, "OK") | (false, "IN_PROGRESS") => {}
                (false, "OK") => drop(rows.settled.insert(trace)),
                (_, state) => {
                    return Err(format!("trace {trace} is {state}, root {has_root}").into());
                }
            }
            if let Some(tag) = read.tags.get("tag") {
                rows.tags.insert(
                    trace,
                    tag.parse()
                        .map_err(|_| format!("a tag nobody set: {tag}"))?,
                );
            }
        }
    }
    let spans_of = |trace: &u8| rows.spans.keys().filter(|(of, _)| of == trace).count() as i64;
    if counts
        != rows
            .traces()
            .into_iter()
            .map(|trace| (trace, spans_of(&trace)))
            .collect()
    {
        return Err(format!("traces with {counts:?} spans, but {:?}", rows.spans).into());
    }
    Ok(())
}

fn read_assessments(snapshot: &Snapshot, rows: &mut Rows) -> std::result::Result<(), Unread> {
    for batch in batches(snapshot, Table::Assessments)? {
        for at in 0..batch.num_rows() {
            let read = assessment_at(&batch, at)?;
            let key = (number(&read.trace_id)?, number(&read.assessment_id)?);
            let value = read
                .value
                .parse()
                .map_err(|_| format!("a value nobody gave: {}", read.value))?;
            once(
                rows.assessments.insert(key, value).is_none(),
                "an assessment",
            )?;
        }
    }
    Ok(())
}

fn batches(snapshot: &Snapshot, table: Table) -> Result<Vec<RecordBatch>> {
    let mut found = Vec::new();
    for source in 0..snapshot.source_count() {
        let request = ScanRequest::columns(table.columns());
        for batch in snapshot.scan(source, table, &request)? {
            found.push(batch?);
        }
    }
    Ok(found)
}

fn catalog_value(store: &Store, file: &CatalogFile) -> std::result::Result<u16, Unread> {
    let schema = catalog_schema();
    let batches = store.read_catalog_file(file, &schema)?;
    let value = batches
        .first()
        .map(|batch| tracehouse_storage::columns::text(batch, "value"))
        .transpose()?;
    let value = value.and_then(|value| value.value(0).parse().ok());
    Ok(value.ok_or_else(|| format!("catalogue file {} holds something else", file.name))?)
}

/// What a database may hold: each possibility, and which writes of unknown outcome are in it.
#[derive(Debug, Clone)]
pub struct Possible(Vec<(Rows, Vec<usize>)>);

impl Possible {
    /// Just these rows.
    pub fn only(rows: Rows) -> Self {
        Self(vec![(rows, Vec::new())])
    }

    /// A write was begun: it may be there, or not.
    pub fn begin(&mut self, action: &Action) {
        let with = |(rows, done): &(Rows, Vec<usize>)| {
            let done = done.iter().copied().chain([action.number]).collect();
            (rows.after(&action.write), done)
        };
        let more: Vec<_> = self.0.iter().map(with).collect();
        self.0.extend(more);
    }

    /// It was acknowledged: it is there.
    pub fn acknowledge(&mut self, number: usize) {
        self.0.retain(|(_, done)| done.contains(&number));
    }

    /// It was refused before it was written anywhere.
    pub fn refuse(&mut self, number: usize) {
        self.0.retain(|(_, done)| !done.contains(&number));
    }

    /// These rows were read: whoever saw them relies on them.
    pub fn see(&mut self, rows: &Rows) {
        self.0.retain(|(possible, _)| possible == rows);
        self.0.dedup_by(|a, b| a.0 == b.0);
    }

    /// Whether a database may hold these rows.
    pub fn allows(&self, rows: &Rows) -> bool {
        self.0.iter().any(|(possible, _)| possible == rows)
    }
}
