//! What is found in a document: spans as OTLP/JSON, starts of traces, assessments, and what could not be taken.

use std::collections::{BTreeMap, HashMap};

use super::object::SpanRecord;
use super::score::Score;
use crate::assess::{GivenAssessment, given_json, override_unsaid};
use crate::otlp::error::DecodeError;
use crate::start::TraceStart;
use crate::tags::{check_pair, check_tag};

/// Spans, or log records, that are read together.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Part {
    /// Texts of `ResourceSpans`, or of `ResourceLogs`.
    resources: Vec<String>,
    /// Whether they are `ResourceLogs`.
    is_logs: bool,
    /// Whether ids may be any text; otherwise they are those of OTLP.
    pub(in crate::otlp) any_ids: bool,
    /// The experiment that the document names.
    pub(in crate::otlp) experiment_id: Option<String>,
}

impl Part {
    /// The text of an OTLP/JSON request.
    pub(in crate::otlp) fn request(&self) -> String {
        let key = if self.is_logs {
            "resourceLogs"
        } else {
            "resourceSpans"
        };
        format!("{{\"{key}\":[{}]}}", self.resources.join(","))
    }
}

/// What is found in a document.
#[derive(Debug, Default)]
pub(in crate::otlp) struct Found {
    pub(in crate::otlp) parts: Vec<Part>,
    pub(in crate::otlp) starts: Vec<TraceStart>,
    pub(in crate::otlp) assessments: Vec<GivenAssessment>,
    /// Why something was not taken.
    pub(in crate::otlp) rejected: Vec<String>,
    /// How many there were of each form.
    pub(in crate::otlp) forms: BTreeMap<&'static str, u64>,
    /// The time of what has none.
    pub(super) now_ns: i64,
    /// The experiment of the trace being taken.
    experiment_id: Option<String>,
    other_signal: bool,
    /// How often there was a score without an id, by its content.
    scores: HashMap<String, usize>,
}

impl Found {
    pub(super) fn at(now_ns: i64) -> Self {
        Self {
            now_ns,
            ..Self::default()
        }
    }

    /// Counts a document or record of a form.
    pub(super) fn saw(&mut self, form: &'static str) {
        *self.forms.entry(form).or_default() += 1;
    }

    /// Notes a request of another signal.
    pub(super) fn saw_other_signal(&mut self) {
        self.other_signal = true;
    }

    /// Whether there was a request of another signal and nothing else.
    pub(super) fn is_other_signal(&self) -> bool {
        self.other_signal && self.forms.is_empty()
    }

    /// Adds `ResourceSpans` with ids of OTLP.
    pub(super) fn otlp(&mut self, resource_spans: String) {
        self.add_to_part(resource_spans, false, false);
    }

    /// Adds `ResourceLogs` with ids of OTLP.
    pub(super) fn otlp_logs(&mut self, resource_logs: String) {
        self.add_to_part(resource_logs, false, true);
    }

    /// Adds a span, or the reason why it is none.
    pub(super) fn span(&mut self, span: Result<SpanRecord, DecodeError>) {
        match span {
            Ok(span) => self.add_to_part(span.into_resource_spans(), true, false),
            Err(error) => self.rejected.push(error.to_string()),
        }
    }

    fn add_to_part(&mut self, resource: String, any_ids: bool, is_logs: bool) {
        let fits = |part: &Part| {
            (part.any_ids, part.is_logs) == (any_ids, is_logs)
                && part.experiment_id == self.experiment_id
        };
        if !self.parts.last().is_some_and(fits) {
            let experiment_id = self.experiment_id.clone();
            self.parts.push(Part {
                resources: Vec::new(),
                is_logs,
                any_ids,
                experiment_id,
            });
        }
        if let Some(part) = self.parts.last_mut() {
            part.resources.push(resource);
        }
    }

    /// Adds what `add` adds to an experiment of the document's own.
    pub(super) fn own_part(&mut self, experiment_id: Option<String>, add: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.experiment_id, experiment_id);
        add(self);
        self.experiment_id = outer;
    }

    /// Notes that a record of a form could not be taken.
    pub(super) fn reject(&mut self, form: &str, error: DecodeError) {
        self.rejected.push(format!("{form}: {error}"));
    }

    /// Adds a score of a trace.
    pub(super) fn score(&mut self, trace_id: &str, score: Score) {
        let assessment = score.into_assessment(trace_id, &mut self.scores);
        self.assessments.push(assessment);
    }

    /// Adds the assessments of a trace in MLflow's form.
    pub(super) fn assess_json<'j>(
        &mut self,
        trace_id: &str,
        listed: impl Iterator<Item = &'j str>,
    ) {
        let mut given = Vec::new();
        for json in listed {
            match given_json(json, Some(trace_id)) {
                Ok(assessment) => given.push(assessment),
                Err(error) => self
                    .rejected
                    .push(format!("assessment of trace {trace_id}: {error}")),
            }
        }
        override_unsaid(given.iter_mut());
        self.assessments.append(&mut given);
    }

    /// Takes out of a start the tags and metadata that a trace cannot have.
    pub(super) fn keep_allowed(&mut self, start: &mut TraceStart) {
        let trace_id = start.trace_id.clone();
        let mut keep = |checked: crate::Result<()>| match checked {
            Ok(()) => true,
            Err(error) => {
                self.rejected.push(format!("trace {trace_id}: {error}"));
                false
            }
        };
        start.tags.retain(|key, value| keep(check_tag(key, value)));
        start
            .metadata
            .retain(|key, value| keep(check_pair("metadata", key, value)));
    }
}
