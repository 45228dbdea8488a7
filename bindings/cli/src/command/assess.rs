//! `assess`: one feedback or expectation about a trace or one of its spans.

use std::io::Write;

use serde_json::json;
use serde_json::value::RawValue;
use tracehouse::{Database, NewAssessment};

use super::write_json;
use crate::args::AssessArgs;
use crate::context::Context;
use crate::failure::{Failure, Result};

/// Stores it and prints its id.
pub fn run(context: &Context, args: &AssessArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let assessment = parse(args)?;
    let db = context.open_to_change(&args.db)?;
    if let Some(span_id) = &args.span {
        check_span(&db, &args.trace_id, span_id)?;
    }
    let (name, kind, value) = (
        assessment.name.clone(),
        assessment.kind,
        assessment.value.clone(),
    );
    let id = db.assess(&args.trace_id, assessment)?;
    if !context.json {
        writeln!(out, "{id}")?;
        return Ok(());
    }
    let value: Box<RawValue> = serde_json::from_str(&value)?;
    let shown = json!({
        "assessment_id": id,
        "trace_id": tracehouse::model::normalize_trace_id(&args.trace_id),
        "span_id": args.span,
        "name": name,
        "type": kind.as_str(),
        "value": value,
    });
    write_json(out, &shown)
}

fn parse(args: &AssessArgs) -> Result<NewAssessment> {
    let mut assessment = match (&args.feedback, &args.expectation) {
        (Some(text), _) => named(text, NewAssessment::feedback)?,
        (None, Some(text)) => named(text, NewAssessment::expectation)?,
        (None, None) => {
            return Err(Failure::bad_input(
                "--feedback or --expectation NAME=VALUE is missing",
            ));
        }
    };
    if let Some(source) = &args.source {
        let (kind, id) = source.split_once(':').unwrap_or((source, ""));
        assessment = assessment.source(kind, id);
    }
    if let Some(rationale) = &args.rationale {
        assessment = assessment.rationale(rationale);
    }
    if let Some(span_id) = &args.span {
        assessment = assessment.span_id(span_id);
    }
    if let Some(older) = &args.overrides {
        assessment = assessment.overrides(older);
    }
    Ok(assessment)
}

fn named(text: &str, make: fn(String, String) -> NewAssessment) -> Result<NewAssessment> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(make(name.to_string(), json_value(value))),
        _ => Err(Failure::bad_input(format!("{text:?} is not NAME=VALUE"))),
    }
}

/// JSON text as it is; anything else as a JSON string.
fn json_value(text: &str) -> String {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => value.get().to_string(),
        Err(_) => serde_json::Value::from(text).to_string(),
    }
}

fn check_span(db: &Database, trace_id: &str, span_id: &str) -> Result<()> {
    let trace = db.get_trace(trace_id)?;
    if trace.spans.iter().any(|span| span.span_id == span_id) {
        return Ok(());
    }
    Err(Failure::bad_input(format!(
        "trace {trace_id} has no span {span_id:?}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json_else_strings() {
        assert_eq!(json_value("0.5"), "0.5");
        assert_eq!(json_value(" true "), "true");
        assert_eq!(json_value("{\"a\":[1]}"), "{\"a\":[1]}");
        assert_eq!(json_value("well done"), "\"well done\"");
        assert_eq!(json_value("NaN"), "\"NaN\"");
        assert_eq!(json_value(""), "\"\"");
    }

    #[test]
    fn a_name_is_needed() {
        assert_eq!(named("=1", NewAssessment::feedback).unwrap_err().code, 2);
        assert_eq!(
            named("a=b=c", NewAssessment::feedback).unwrap().value,
            "\"b=c\""
        );
    }
}
