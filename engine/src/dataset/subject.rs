//! What records are made from: traces or spans that a search found, read many at a time.
//!
//! A trace asks and answers what its root span does. Where a text may be JSON or not, the span's attributes decide
//! (`said`); they are read for those spans alone.

use std::collections::{HashMap, VecDeque};

use tracehouse_query::messages::{Side, readable};
use tracehouse_query::search::{self, Search, matching_spans};
use tracehouse_storage::columns::{text, text_at};
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{RowRef, Snapshot};

use super::expectations::{Expectations, expectations_of};
use super::json::quoted;
use super::record::Candidate;
use super::said::{Payload, is_doubtful, payload_json};
use super::source::Source;
use crate::error::{Error, Result};

/// Traces or spans whose payloads are read together.
pub(super) const SUBJECTS_A_READ: usize = 1_024;

/// What a record is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Trace,
    Span,
}

/// A trace or span that was found.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// Its row, of `traces` or of `spans`.
    pub row: RowRef,
    pub trace_id: String,
    /// The span; of a trace its root, which is not known before it is read.
    pub span_id: Option<String>,
}

impl Subject {
    /// What tells it from others of its kind.
    pub fn id(&self) -> String {
        match &self.span_id {
            None => self.trace_id.clone(),
            Some(span_id) => format!("{}/{span_id}", self.trace_id),
        }
    }
}

/// The subjects of a search in its order, without its limit, which is one of records.
pub(super) struct Subjects<'a> {
    snapshot: &'a Snapshot,
    kind: Kind,
    /// The search for the next page of traces; `None` when there is none.
    next: Option<Search>,
    found: VecDeque<Subject>,
    /// Those of the found traces, where they are wanted.
    expectations: Option<HashMap<String, Expectations>>,
}

impl<'a> Subjects<'a> {
    /// Those of a search, whose records have expectations if `with_expectations`.
    pub fn find(
        snapshot: &'a Snapshot,
        search: &Search,
        kind: Kind,
        with_expectations: bool,
    ) -> Result<Self> {
        let expectations = with_expectations.then(HashMap::new);
        let mut subjects = Self {
            snapshot,
            kind,
            next: None,
            found: VecDeque::new(),
            expectations,
        };
        match kind {
            Kind::Trace => subjects.next = Some(search.clone()),
            Kind::Span => {
                if !search.order_by.is_empty() || search.page_token.is_some() {
                    return Err(Error::invalid_input(
                        "records from spans are made newest first: they take no order and no page token",
                    ));
                }
                let spans = matching_spans(snapshot, search)?
                    .into_iter()
                    .skip(search.offset);
                subjects.found.extend(spans.map(|span| Subject {
                    row: span.row,
                    trace_id: span.trace_id,
                    span_id: Some(span.span_id),
                }));
                subjects.read_expectations()?;
            }
        }
        Ok(subjects)
    }

    /// The next of them, each with the record it makes, if any; nothing at the end.
    pub fn take(&mut self) -> Result<Vec<(Subject, Option<Candidate>)>> {
        if self.found.is_empty() {
            self.search_on()?;
        }
        let count = self.found.len().min(SUBJECTS_A_READ);
        let subjects: Vec<Subject> = self.found.drain(..count).collect();
        let none = HashMap::new();
        let expectations = self.expectations.as_ref().unwrap_or(&none);
        let made = candidates(self.snapshot, &subjects, self.kind, expectations)?;
        Ok(subjects.into_iter().zip(made).collect())
    }

    fn read_expectations(&mut self) -> Result<()> {
        if let Some(expectations) = &mut self.expectations {
            let ids = self.found.iter().map(|subject| subject.trace_id.clone());
            *expectations = expectations_of(self.snapshot, ids)?;
        }
        Ok(())
    }

    /// Searches for the next page. Traces that make no record are in the way, so each page is twice as large.
    fn search_on(&mut self) -> Result<()> {
        let Some(search) = self.next.take() else {
            return Ok(());
        };
        let page = search::search(self.snapshot, &search)?;
        let subjects = page.rows.into_iter().zip(page.trace_ids);
        self.found.extend(subjects.map(|(row, trace_id)| Subject {
            row,
            trace_id,
            span_id: None,
        }));
        self.next = page.next_page_token.map(|token| Search {
            limit: search
                .limit
                .map(|limit| limit.saturating_mul(2).max(SUBJECTS_A_READ)),
            offset: 0,
            ..search.page_token(token)
        });
        self.read_expectations()
    }
}

/// What a subject was asked and answered.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The span; of a trace its root, if it has one.
    span_id: Option<String>,
    session_id: Option<String>,
    /// Whether it is a span with a parent.
    has_parent: bool,
    /// As JSON.
    pub inputs: Option<String>,
    /// As JSON.
    pub outputs: Option<String>,
    /// What a person reads of the inputs.
    pub input_text: Option<String>,
    /// What a person reads of the outputs.
    pub output_text: Option<String>,
}

/// What subjects were asked and answered, each in its place.
pub(crate) fn said_by(
    snapshot: &Snapshot,
    subjects: &[Subject],
    kind: Kind,
    with_readable: bool,
) -> Result<Vec<Said>> {
    let rows: Vec<RowRef> = subjects.iter().map(|subject| subject.row).collect();
    let (table, relative) = match kind {
        Kind::Trace => (Table::Traces, "_root_span_id"),
        Kind::Span => (Table::Spans, "parent_span_id"),
    };
    let light = snapshot.read_rows(table, &rows, &[relative, "session_id"])?;
    let heavy = snapshot.read_rows(table, &rows, &["inputs", "outputs"])?;
    let (relatives, sessions) = (text(&light, relative)?, text(&light, "session_id")?);
    let (inputs, outputs) = (text(&heavy, "inputs")?, text(&heavy, "outputs")?);
    let mut said = Vec::with_capacity(subjects.len());
    let mut asked = Vec::new();
    for (row, subject) in subjects.iter().enumerate() {
        let relative = text_at(relatives, row);
        let span_id = match kind {
            Kind::Trace => relative.map(str::to_string),
            Kind::Span => subject.span_id.clone(),
        };
        let mut texts = [inputs, outputs].into_iter();
        let is_doubtful = texts.any(|texts| text_at(texts, row).is_some_and(is_doubtful));
        if is_doubtful && (kind == Kind::Span || span_id.is_some()) {
            asked.push((row, subject, span_id.clone().unwrap_or_default()));
        }
        said.push(Said {
            span_id,
            session_id: text_at(sessions, row).map(str::to_string),
            has_parent: kind == Kind::Span && relative.is_some(),
            ..Said::default()
        });
    }
    let attributes = attributes_of(snapshot, kind, &asked)?;
    for (row, said) in said.iter_mut().enumerate() {
        let attributes = attributes.get(&row).map(String::as_str);
        let read = |texts, payload, side| {
            let sent = text_at(texts, row)?;
            let readable = with_readable.then(|| readable(sent, side).into_owned());
            Some((payload_json(sent, payload, attributes), readable))
        };
        let asks = read(inputs, Payload::Inputs, Side::Input);
        let answers = read(outputs, Payload::Outputs, Side::Output);
        (said.inputs, said.input_text) = asks.unwrap_or_default();
        (said.outputs, said.output_text) = answers.unwrap_or_default();
    }
    Ok(said)
}

/// The records that subjects make, each in its place; `None` for one without inputs.
pub(super) fn candidates(
    snapshot: &Snapshot,
    subjects: &[Subject],
    kind: Kind,
    expectations: &HashMap<String, Expectations>,
) -> Result<Vec<Option<Candidate>>> {
    let said = said_by(snapshot, subjects, kind, false)?;
    let mut made = Vec::with_capacity(subjects.len());
    for (subject, said) in subjects.iter().zip(said) {
        let Some(asks) = said.inputs else {
            made.push(None);
            continue;
        };
        let expected = expectations
            .get(&subject.trace_id)
            .and_then(|expectations| match (kind, &said.span_id) {
                (Kind::Span, Some(span_id)) => expectations.of_span(span_id, !said.has_parent),
                _ => expectations.of_trace(),
            });
        // No outputs are none given, which replaces nothing that another one gave.
        let mut record = Candidate::from_compact(asks, said.outputs, expected.as_deref(), None)?;
        record.source = Some(source(
            &subject.trace_id,
            said.span_id.as_deref(),
            said.session_id.as_deref(),
        ));
        made.push(Some(record));
    }
    Ok(made)
}

/// The attributes of the spans that are asked, by position.
fn attributes_of(
    snapshot: &Snapshot,
    kind: Kind,
    asked: &[(usize, &Subject, String)],
) -> Result<HashMap<usize, String>> {
    let (mut positions, mut rows) = (Vec::new(), Vec::new());
    match kind {
        Kind::Span => {
            positions.extend(asked.iter().map(|(position, ..)| *position));
            rows.extend(asked.iter().map(|(_, subject, _)| subject.row));
        }
        Kind::Trace => {
            let (mut owners, mut spans) = (Vec::new(), Vec::new());
            for (at, (_, subject, _)) in asked.iter().enumerate() {
                let refs = snapshot.refs_of(Table::Spans, TraceKey::of(&subject.trace_id))?;
                owners.extend(std::iter::repeat_n(at, refs.len()));
                spans.extend(refs);
            }
            let batch = snapshot.read_rows(Table::Spans, &spans, &["trace_id", "span_id"])?;
            let (traces, ids) = (text(&batch, "trace_id")?, text(&batch, "span_id")?);
            for (row, (owner, span)) in owners.into_iter().zip(spans).enumerate() {
                let Some((position, subject, root)) = asked.get(owner) else {
                    continue;
                };
                if ids.value(row) == root && traces.value(row) == subject.trace_id {
                    positions.push(*position);
                    rows.push(span);
                }
            }
        }
    }
    let batch = snapshot.read_rows(Table::Spans, &rows, &["attributes"])?;
    let texts = text(&batch, "attributes")?;
    Ok(positions
        .into_iter()
        .zip(texts.iter().map(|text| text.unwrap_or("{}").to_string()))
        .collect())
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
