//! Builds an evaluation dataset of the traces that people found wrong, corrects it, and writes it as JSON lines.

use std::error::Error;

use tracehouse::{Database, ExportFormat, NewAssessment, NewRecord, Search, SpanBuilder};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let db = Database::in_memory()?;
    for number in 1..=4 {
        let trace_id = format!("{number:032x}");
        let span = SpanBuilder::new(&trace_id, format!("{number:016x}"), "answer")
            .times_ns(number, Some(number + 1))
            .attribute(
                "input.value",
                format!(r#"{{"question": "question {number}"}}"#),
            )
            .attribute("output.value", "no idea")
            .build()?;
        db.append(&[span])?;
        let verdict = (number % 2 == 0).to_string();
        db.assess(
            &trace_id,
            NewAssessment::feedback("correct", verdict).source("HUMAN", "ana"),
        )?;
    }

    let dataset = db.create_dataset("regressions")?;
    let report = dataset.add_traces(&Search::new("feedback.correct = false"))?;
    assert_eq!((report.inserted, report.version), (2, 1));
    // Records with equal inputs are one: this adds what should have been answered, as version 2.
    let corrected =
        NewRecord::new(r#"{"question": "question 3"}"#).expectations(r#"{"answer": "42"}"#);
    dataset.merge(&[corrected])?;

    for record in dataset.rows(None)? {
        println!(
            "{} should be {}",
            record.inputs,
            record.expectations.as_deref().unwrap_or("unknown")
        );
    }
    for change in dataset.diff(1, 2)?.changes {
        println!("{}: {} parts changed", change.inputs, change.parts.len());
    }
    let mut lines = Vec::new();
    assert_eq!(
        dataset.export(ExportFormat::JsonLines, None, &mut lines)?,
        2
    );
    print!("{}", String::from_utf8(lines)?);
    Ok(())
}
