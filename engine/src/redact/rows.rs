//! Redaction of the rows that come in otherwise than by OTLP: spans of the model, starts, tags,
//! assessments, dataset records.

use tracehouse_storage::model::{Event, Link, Span, TraceEdit, TraceHint};

use super::redactor::Pass;
use crate::assess::NewAssessment;
use crate::assessments::AssessmentUpdate;
use crate::dataset::{Candidate, Record};
use crate::start::TraceStart;

impl Pass<'_> {
    /// A span given as a row, typed columns and all.
    pub(crate) fn span(&mut self, span: &mut Span) {
        for (part, text) in [
            ("session_id", &mut span.session_id),
            ("user_id", &mut span.user_id),
            ("status_message", &mut span.status_message),
            ("service_name", &mut span.service_name),
            ("scope", &mut span.scope_name),
            ("scope", &mut span.scope_version),
            ("operation", &mut span.operation),
            ("model", &mut span.model),
            ("provider", &mut span.provider),
            ("tool_name", &mut span.tool_name),
            ("inputs", &mut span.inputs),
            ("outputs", &mut span.outputs),
        ] {
            self.replace_some(part, text);
        }
        self.replace("name", &mut span.name);
        self.replace("span_type", &mut span.span_type);
        self.document("attributes", &mut span.attributes);
        self.document("resource", &mut span.resource);
        if let Some(extra) = &mut span.extra {
            self.document("extra", extra);
        }
        for Event {
            name, attributes, ..
        } in &mut span.events
        {
            self.replace("events", name);
            self.document("events", attributes);
        }
        for Link { attributes, .. } in &mut span.links {
            self.document("links", attributes);
        }
        if let Some(TraceHint {
            request_preview,
            response_preview,
            tags,
            metadata,
        }) = &mut span.hint
        {
            self.replace_some("inputs", request_preview);
            self.replace_some("outputs", response_preview);
            self.map("tags", tags);
            self.map("metadata", metadata);
        }
    }

    /// The start of a trace, before its previews are cut.
    pub(crate) fn start(&mut self, start: &mut TraceStart) {
        for (part, text) in [
            ("name", &mut start.name),
            ("client_request_id", &mut start.client_request_id),
            ("inputs", &mut start.request_preview),
            ("outputs", &mut start.response_preview),
            ("session_id", &mut start.session_id),
            ("user_id", &mut start.user_id),
        ] {
            self.replace_some(part, text);
        }
        self.map("tags", &mut start.tags);
        self.map("metadata", &mut start.metadata);
    }

    /// The tags of a change, set and deleted ones.
    pub(crate) fn edit(&mut self, edit: &mut TraceEdit) {
        for (key, value) in std::mem::take(&mut edit.tags) {
            let (key, value) = match value {
                Some(value) => {
                    let (key, value) = self.pair("tags", key, value);
                    (key, Some(value))
                }
                None => (self.matches(&key).unwrap_or(key), None),
            };
            edit.tags.insert(key, value);
        }
    }

    /// An assessment, before it gets its id.
    pub(crate) fn assessment(&mut self, assessment: &mut NewAssessment) {
        self.replace("assessment", &mut assessment.name);
        self.document("value", &mut assessment.value);
        for (part, text) in [
            ("source", &mut assessment.source_id),
            ("rationale", &mut assessment.rationale),
            ("error", &mut assessment.error_code),
            ("error", &mut assessment.error_message),
        ] {
            self.replace_some(part, text);
        }
        self.map("metadata", &mut assessment.metadata);
    }

    /// A change of an assessment.
    pub(crate) fn update(&mut self, update: &mut AssessmentUpdate) {
        self.replace_some("assessment", &mut update.name);
        for value in update.feedback.iter_mut().chain(&mut update.expectation) {
            self.document("value", value);
        }
        self.replace_some("rationale", &mut update.rationale);
        self.map("metadata", &mut update.metadata);
    }

    /// A record to be merged into a dataset; records are one by what is left of their inputs.
    pub(crate) fn candidate(&mut self, candidate: &mut Candidate) {
        let before = candidate.inputs.clone();
        self.document("records", &mut candidate.inputs);
        if candidate.inputs != before {
            candidate.hash = crate::dataset::content_hash(&candidate.inputs);
        }
        let outputs = candidate.outputs.iter_mut().flatten();
        for json in outputs
            .chain(&mut candidate.expectations)
            .chain(&mut candidate.tags)
        {
            self.document("records", json);
        }
        if let Some(data) = candidate
            .source
            .as_mut()
            .and_then(|source| source.data.as_mut())
        {
            self.document("records", data);
        }
    }

    /// A stored record that is copied.
    pub(crate) fn record(&mut self, record: &mut Record) {
        let before = record.inputs.clone();
        self.document("records", &mut record.inputs);
        if record.inputs != before {
            record.hash = crate::dataset::content_hash(&record.inputs);
        }
        for json in record.outputs.iter_mut().chain(&mut record.expectations) {
            self.document("records", json);
        }
        self.document("records", &mut record.tags);
        if let Some(data) = &mut record.source.data {
            self.document("records", data);
        }
    }
}
