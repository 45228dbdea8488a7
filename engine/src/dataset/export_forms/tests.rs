//! Forms of other tools: what is written, and what comes back.

mod chat;

use serde_json::{Value, json};

use super::super::json::{content_hash, members};
use super::super::members::{Fields, record_of};
use super::super::record::Candidate;
use super::{ExportForm, ExportReport, opened};
use crate::{Database, Dataset, NewRecord};

fn dataset(records: &[NewRecord]) -> Dataset {
    let db = Database::in_memory().unwrap();
    let dataset = db.create_dataset("d").unwrap();
    let report = dataset.merge(records).unwrap();
    assert_eq!(report.inserted, records.len() as u64);
    dataset
}

fn written(dataset: &Dataset, form: ExportForm) -> (ExportReport, Vec<String>) {
    let mut out = Vec::new();
    let report = dataset.export_form(form, None, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_string).collect();
    assert_eq!(report.records, lines.len() as u64);
    (report, lines)
}

/// The record that a line is, as merging reads it.
fn back(line: &str) -> Candidate {
    let fields: Fields<'_> = members(line)
        .unwrap()
        .into_iter()
        .map(|(name, value)| (name, value.get().into()))
        .collect();
    let opened = opened(&fields);
    record_of(opened.as_ref().unwrap_or(&fields)).unwrap().0
}

/// Records with everything that a form could lose.
fn varied() -> Vec<NewRecord> {
    let trace = format!(
        r#"{{"trace_id":"{}","span_id":"b1","session_id":"s"}}"#,
        "a".repeat(32)
    );
    let of = |inputs: &str| NewRecord::new(inputs);
    vec![
        of(r#"{"q":"é \u001b","n":12345678901234567890123}"#)
            .outputs(r#"{"a":[1.50]}"#)
            .expectations(r#"{"expected_response":"A","facts":["x",2.50]}"#)
            .tags(r#"{"k":1,"metadata":{"a":2}}"#)
            .source("TRACE", trace),
        of(r#""text""#)
            .expectations(r#"{"expected_response":"A"}"#)
            .source("HUMAN", r#"{"user_name":"ana"}"#),
        of("12345678901234567890123")
            .expectations(r#"{"expectedOutput":{"a":1}}"#)
            .outputs("[]"),
        of("[1,2]")
            .expectations(r#"{"expected":null}"#)
            .tags(r#"{"t":"true"}"#),
        of(r#"{"input":"text"}"#)
            .expectations(r#"{"metadata":{"a":1}}"#)
            .source("DOCUMENT", ""),
        of(r#"{"messages":[{"role":"user","content":"q"}]}"#)
            .outputs(r#"{"role":"assistant","content":"a"}"#),
        of("{}").expectations(r#"{"tracehouse.expected":true}"#),
    ]
}

#[test]
fn records_come_back_from_mlflow_and_langfuse() {
    let records = varied();
    let dataset = dataset(&records);
    for form in [ExportForm::Mlflow, ExportForm::Langfuse] {
        let (report, lines) = written(&dataset, form);
        assert_eq!(
            (report.records, report.left_out_count),
            (records.len() as u64, 0)
        );
        for ((line, given), stored) in lines.iter().zip(&records).zip(dataset.rows(None).unwrap()) {
            let read = back(line);
            assert_eq!(read.hash, content_hash(&given.inputs), "{form:?} {line}");
            assert_eq!(read.inputs, stored.inputs, "{form:?} {line}");
            assert_eq!(read.outputs.flatten(), stored.outputs, "{form:?} {line}");
            assert_eq!(read.expectations, stored.expectations, "{form:?} {line}");
            assert_eq!(
                read.tags.unwrap_or("{}".into()),
                stored.tags,
                "{form:?} {line}"
            );
            let source = read.source.unwrap_or_default();
            assert_eq!(
                (source.kind, source.trace_id, source.span_id),
                (
                    stored.source_type,
                    stored.source_trace_id,
                    stored.source_span_id
                ),
                "{form:?} {line}"
            );
        }
    }
}

#[test]
fn lines_are_what_the_tools_take() {
    let dataset = dataset(&varied()[..2]);
    let id = |at: usize| dataset.rows(None).unwrap()[at].dataset_record_id.clone();
    let trace = "a".repeat(32);
    let (_, lines) = written(&dataset, ExportForm::Mlflow);
    assert_eq!(
        lines[0],
        format!(
            concat!(
                r#"{{"inputs":{{"q":"é \u001b","n":12345678901234567890123}},"outputs":{{"a":[1.50]}},"#,
                r#""expectations":{{"expected_response":"A","facts":["x",2.50]}},"tags":{{"k":1,"metadata":{{"a":2}}}},"#,
                r#""source":{{"source_type":"TRACE","source_data":{{"session_id":"s","span_id":"b1","trace_id":"tr-{}"}}}}}}"#
            ),
            trace
        )
    );
    let second: Value = serde_json::from_str(&lines[1]).unwrap();
    assert_eq!(
        second,
        json!({
            "inputs": {"input": "text"},
            "expectations": {"expected_response": "A"},
            "tags": {"tracehouse.wrapped": "input"},
            "source": {"source_type": "HUMAN", "source_data": {"user_name": "ana"}},
        })
    );
    let (_, lines) = written(&dataset, ExportForm::Langfuse);
    let value = |at: usize| serde_json::from_str::<Value>(&lines[at]).unwrap();
    let first = value(0);
    assert_eq!(first["id"], id(0));
    assert_eq!(first["status"], "ACTIVE");
    assert_eq!(
        (&first["sourceTraceId"], &first["sourceObservationId"]),
        (&json!(trace), &json!("b1"))
    );
    assert_eq!(
        first["expectedOutput"],
        json!({"expected_response": "A", "facts": ["x", 2.5]})
    );
    assert_eq!(
        (
            &first["metadata"]["k"],
            &first["metadata"]["tracehouse.expected"]
        ),
        (&json!(1), &json!(true))
    );
    assert_eq!(
        value(1),
        json!({
            "id": id(1),
            "input": "text",
            "expectedOutput": "A",
            "metadata": {
                "tracehouse.expected": "expected_response",
                "tracehouse.source": {"source_type": "HUMAN", "source_data": {"user_name": "ana"}},
            },
            "sourceTraceId": null,
            "sourceObservationId": null,
            "status": "ACTIVE",
        })
    );
}

#[test]
fn items_that_were_changed_elsewhere_are_read_as_they_say() {
    let lines = [
        (
            r#"{"input":1,"expectedOutput":"B","metadata":{"tracehouse.expected":true}}"#,
            Some(r#"{"expectedOutput":"B"}"#),
        ),
        (
            r#"{"input":1,"expected_output":"B","metadata":{"tracehouse.expected":"e"}}"#,
            Some(r#"{"e":"B"}"#),
        ),
        (
            r#"{"input":1,"expectedOutput":null,"metadata":{"tracehouse.expected":"e"}}"#,
            None,
        ),
        (
            r#"{"input":1,"expectedOutput":"B","metadata":{"k":1}}"#,
            Some(r#"{"expectedOutput":"B"}"#),
        ),
    ];
    for (line, expectations) in lines {
        assert_eq!(back(line).expectations.as_deref(), expectations, "{line}");
    }
    let more = r#"{"inputs":{"input":1,"b":2},"tags":{"tracehouse.wrapped":"input"}}"#;
    assert_eq!(back(more).inputs, r#"{"input":1,"b":2}"#);
}
