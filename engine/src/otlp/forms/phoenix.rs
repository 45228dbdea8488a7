//! Phoenix's spans and annotations: as its API answers them (`{"data": [...]}`), and as rows of its spans table
//! (`context.trace_id`, `attributes.llm.model_name`, ...), one a line.
//! Form: `Span` and `SpanAnnotation` of `src/phoenix/server/api/routers/v1` of <https://github.com/Arize-ai/phoenix>.
//!
//! Attributes are OpenInference's. A table has lists of messages as lists; they get the numbered keys that
//! OpenInference has.

use serde_json::{Map, Value as Json};

use super::Found;
use super::object::{Record, SpanRecord, event, text_of, time_ns};
use super::score::{Score, score_value};
use crate::otlp::error::DecodeError;

pub(super) const SPAN_FORM: &str = "Phoenix span";
pub(super) const ANNOTATION_FORM: &str = "Phoenix annotation";

/// What the columns of a table begin with.
const ATTRIBUTES: &str = "attributes.";
const CONTEXT: &str = "context.";
/// The attribute that has a span's type.
const SPAN_KIND: &str = "openinference.span.kind";
/// Ends of keys whose values are structure sent as JSON text.
const JSON_TEXTS: &[&str] = &[
    "metadata",
    "parameters",
    "value",
    "json_schema",
    "arguments",
];

/// What the table of annotations calls their name.
const ANNOTATION_NAME: &str = "annotation_name";

/// What a record of Phoenix is.
pub(super) fn form(record: &Record) -> Option<&'static str> {
    let is_row = record.has("context.trace_id") && record.has("context.span_id");
    let is_span = record.has("context")
        && record.has("start_time")
        && (record.has("span_kind") || record.has("status_code"));
    let has_name = record.has("name") || record.has(ANNOTATION_NAME);
    let has_result = [
        "result",
        "result.score",
        "result.label",
        "result.explanation",
    ]
    .iter()
    .any(|name| record.has(name));
    let is_annotation = record.has("annotator_kind") && has_name && has_result;
    (is_row || is_span)
        .then_some(SPAN_FORM)
        .or(is_annotation.then_some(ANNOTATION_FORM))
}

/// Takes a record.
pub(super) fn add(found: &mut Found, form: &'static str, record: Record) {
    found.saw(form);
    match form {
        ANNOTATION_FORM => {
            if let Err(error) = annotation(found, record, None) {
                found.reject(form, error);
            }
        }
        _ => span(found, record),
    }
}

fn span(found: &mut Found, mut record: Record) {
    let mut annotations = record.list("annotations").unwrap_or_default();
    annotations.extend(record.list("spanAnnotations").unwrap_or_default());
    let span = span_record(record);
    let ids = span
        .as_ref()
        .ok()
        .map(|span| (span.trace_id.clone(), span.span_id.clone()));
    found.span(span);
    let Some((trace_id, span_id)) = ids else {
        return;
    };
    for item in annotations {
        let Json::Object(members) = item else {
            continue;
        };
        found.saw(ANNOTATION_FORM);
        if let Err(error) = annotation(found, Record::new(members), Some((&trace_id, &span_id))) {
            found.reject(ANNOTATION_FORM, error);
        }
    }
}

fn span_record(mut record: Record) -> Result<SpanRecord, DecodeError> {
    let mut context = Record::new(record.object("context").unwrap_or_default());
    let mut id = |name: &str| {
        context
            .text(name)
            .or_else(|| record.text(&format!("{CONTEXT}{name}")))
    };
    let (trace_id, span_id) = (id("trace_id"), id("span_id"));
    let span_id =
        span_id.ok_or_else(|| DecodeError::new("a Phoenix span without context.span_id"))?;
    let named = |error: DecodeError| DecodeError::new(format!("Phoenix span {span_id}: {error}"));
    let start_ns = record.time_ns("start_time").map_err(named)?;
    let mut span = SpanRecord {
        trace_id: trace_id.ok_or_else(|| named(DecodeError::new("context.trace_id is missing")))?,
        parent_id: record.text("parent_id"),
        name: record.text("name").unwrap_or_default(),
        start_ns: start_ns.ok_or_else(|| named(DecodeError::new("start_time is missing")))?,
        end_ns: record.time_ns("end_time").map_err(named)?,
        status: record.text("status_code").unwrap_or_default(),
        status_message: record.text("status_message").unwrap_or_default(),
        scope: "phoenix",
        span_id: span_id.clone(),
        ..SpanRecord::default()
    };
    let kind = record.take("span_kind");
    let events = record.list("events").unwrap_or_default();
    span.events = events.iter().filter_map(event_of).collect();
    let given = record.object("attributes").unwrap_or_default();
    given
        .into_iter()
        .for_each(|(key, value)| flatten(&mut span, key, value));
    for (key, value) in record.rest() {
        match key.strip_prefix(ATTRIBUTES) {
            Some(key) => flatten(&mut span, key.to_string(), value),
            None => span.add(format!("phoenix.{key}"), Some(value)),
        }
    }
    if !span.attributes.iter().any(|(key, _)| key == SPAN_KIND) {
        span.add(SPAN_KIND, kind);
    }
    Ok(span)
}

/// Adds an attribute; of structure one for each leaf, its path with dots for a key, as OpenInference numbers lists.
fn flatten(span: &mut SpanRecord, key: String, value: Json) {
    let is_text = JSON_TEXTS
        .iter()
        .any(|end| key == *end || key.ends_with(&format!(".{end}")));
    match value {
        Json::Object(_) if is_text => span.add_text(key, Some(value)),
        Json::Object(members) => {
            members
                .into_iter()
                .for_each(|(name, value)| flatten(span, format!("{key}.{name}"), value));
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            let numbered = items.into_iter().enumerate();
            numbered.for_each(|(number, value)| flatten(span, format!("{key}.{number}"), value));
        }
        value => span.add(key, Some(value)),
    }
}

fn event_of(json: &Json) -> Option<Json> {
    let time = json.get("timestamp").and_then(time_ns).unwrap_or_default();
    Some(event(
        json.get("name")?.as_str()?,
        time,
        json.get("attributes"),
    ))
}

/// An annotation: its score, else its label; of both the label is metadata.
fn annotation(
    found: &mut Found,
    mut record: Record,
    of: Option<(&str, &str)>,
) -> Result<(), DecodeError> {
    let name = match record.text(ANNOTATION_NAME) {
        Some(name) => name,
        None => record.required("name")?,
    };
    let trace_id = record
        .text("trace_id")
        .or_else(|| of.map(|(trace, _)| trace.to_string()));
    // Without a trace it is placed by its span, once that has come.
    let trace_id = match trace_id {
        Some(trace_id) => trace_id,
        None if record.has("span_id") => String::new(),
        None => {
            return Err(DecodeError::new(format!(
                "{name}: an annotation without trace_id and span_id, of nothing"
            )));
        }
    };
    let mut result = Record::new(record.object("result").unwrap_or_default());
    let mut part = |name: &str| {
        let of_table = format!("result.{name}");
        let own = result.take(name).or_else(|| record.take(name));
        own.or_else(|| record.take(&of_table))
    };
    let (number, label, explanation) = (part("score"), part("label"), part("explanation"));
    let value = score_value(number.as_ref());
    let other = label.clone().filter(|_| value.is_some());
    let mut score = Score::new(name, value.or(label).unwrap_or(Json::Null));
    let kind = record.text("annotator_kind").unwrap_or_default();
    let source_type = match kind.as_str() {
        "HUMAN" => "HUMAN",
        "LLM" => "LLM_JUDGE",
        "CODE" => "CODE",
        _ => "SOURCE_TYPE_UNSPECIFIED",
    };
    score.source = (source_type, record.text("user_id").unwrap_or_default());
    score.id = record.text("id");
    score.span_id = record
        .text("span_id")
        .or_else(|| of.map(|(_, span)| span.to_string()));
    score.rationale = explanation
        .as_ref()
        .map(text_of)
        .filter(|text| !text.is_empty());
    score.created_ns = record.time_ns("created_at")?;
    score.updated_ns = record.time_ns("updated_at")?;
    let metadata: Map<String, Json> = record.object("metadata").unwrap_or_default();
    score.metadata = metadata
        .iter()
        .map(|(key, value)| (key.clone(), text_of(value)))
        .collect();
    score
        .metadata
        .extend(other.map(|label| ("label".to_string(), text_of(&label))));
    score.metadata.extend(
        result
            .rest()
            .chain(record.rest())
            .map(|(key, value)| (key, text_of(&value))),
    );
    found.score(&trace_id, score);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{Database, ImportOptions};

    #[test]
    fn a_table_of_annotations_is_placed_by_its_spans() {
        let db = Database::in_memory().unwrap();
        let span = r#"{"id":"x","name":"ask","context":{"trace_id":"000000000000000000000000000000f1","span_id":"00000000000000f2"},
            "span_kind":"CHAIN","start_time":"2026-01-03T05:00:00Z","end_time":"2026-01-03T05:00:01Z","status_code":"OK"}"#
            .replace('\n', "");
        let table = concat!(
            "span_id,id,created_at,annotation_name,annotator_kind,metadata,result.label,result.score,result.explanation\n",
            "00000000000000f2,QTE=,2026-01-03T05:00:02+00:00,tone,LLM,{},curt,,\n",
            "00000000000000f2,QTI=,2026-01-03T05:00:02+00:00,correct,HUMAN,{'round': 2},yes,0.75,on the spot\n",
        );
        for input in [span.as_str(), table] {
            let report = db
                .import_otlp_json_lines(input.as_bytes(), &ImportOptions::default())
                .unwrap();
            assert_eq!(report.rejected, []);
        }
        let mut given = db
            .get_trace("000000000000000000000000000000f1")
            .unwrap()
            .assessments;
        given.sort_by(|a, b| a.name.cmp(&b.name));
        let told: Vec<(&str, &str, &str, Option<&str>)> = given
            .iter()
            .map(|a| {
                (
                    a.name.as_str(),
                    a.value.as_str(),
                    a.source_type.as_str(),
                    a.rationale.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("correct", "0.75", "HUMAN", Some("on the spot")),
                ("tone", "\"curt\"", "LLM_JUDGE", None)
            ]
        );
        assert_eq!(given[0].metadata["label"], "yes");
        assert!(
            given
                .iter()
                .all(|a| a.span_id.as_deref() == Some("00000000000000f2"))
        );
    }
}
