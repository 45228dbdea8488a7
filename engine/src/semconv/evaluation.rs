//! What the event `gen_ai.evaluation.result` says: a judgement of a span, which becomes feedback.
//! See <https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/>.

use tracehouse_storage::model::Assessment;

use super::keys::word;
use crate::NewAssessment;
use crate::assess::content_id;
use crate::otlp::value::{KeyValue, Value, write_string, write_value};

/// The name of the event.
pub(crate) const EVENT: &str = "gen_ai.evaluation.result";

const NAME: &str = "gen_ai.evaluation.name";
const SCORE: &str = "gen_ai.evaluation.score.value";
const LABEL: &str = "gen_ai.evaluation.score.label";
const EXPLANATION: &str = "gen_ai.evaluation.explanation";
const ERROR: &str = "error.type";
/// The response that is judged.
pub(crate) const RESPONSE_ID: &str = "gen_ai.response.id";
/// Further attributes that are kept with the feedback begin so.
const KEPT: &[&str] = &["gen_ai.evaluation.", RESPONSE_ID];

/// The response that an event names, if it does.
pub(crate) fn response_id(attributes: &[KeyValue<'_>]) -> Option<String> {
    let id = attributes
        .iter()
        .find(|pair| pair.key == RESPONSE_ID)
        .and_then(|pair| word(&pair.value))?;
    Some(id.into_owned()).filter(|id| !id.is_empty())
}

/// The feedback of an event; without a trace that of a response, whose span is not known. Its id is that of its content and time, so that a repeat is not another one.
///
/// # Errors
/// Says what is missing.
pub(crate) fn feedback(
    trace_id: &str,
    span_id: Option<&str>,
    time_ns: i64,
    attributes: &[KeyValue<'_>],
) -> Result<Assessment, String> {
    let get = |key: &str| {
        attributes
            .iter()
            .find(|pair| pair.key == key)
            .map(|pair| &pair.value)
    };
    let text = |key: &str| get(key).and_then(word).map(|text| text.into_owned());
    let what = match trace_id.is_empty() {
        true => format!(
            "the event {EVENT} of response {}",
            response_id(attributes).unwrap_or_default()
        ),
        false => format!("the event {EVENT} of trace {trace_id}"),
    };
    let name = text(NAME).ok_or_else(|| format!("{what} has no {NAME}"))?;
    // A judge gives reasons, code does not.
    let (explanation, error) = (text(EXPLANATION), text(ERROR));
    let source = if explanation.is_some() {
        "LLM_JUDGE"
    } else {
        "CODE"
    };
    let mut feedback =
        NewAssessment::feedback(name, value(get(SCORE), text(LABEL).as_deref())).source(source, "");
    feedback.span_id = span_id.map(str::to_string);
    feedback.rationale = explanation;
    feedback.error_code = error;
    let told = [NAME, SCORE, EXPLANATION];
    for pair in attributes
        .iter()
        .filter(|pair| KEPT.iter().any(|kept| pair.key.starts_with(kept)))
    {
        if let Some(text) = pair
            .value
            .to_text()
            .filter(|_| !told.contains(&pair.key.as_ref()))
        {
            feedback.metadata.insert(pair.key.to_string(), text);
        }
    }
    let id = content_id(&format!("{trace_id} {time_ns}"), &feedback, 0);
    feedback
        .into_row(trace_id, id, time_ns)
        .map_err(|error| format!("{what}: {error}"))
}

/// The score, else the label, as JSON text.
fn value(score: Option<&Value<'_>>, label: Option<&str>) -> String {
    let mut out = String::new();
    match (score, label) {
        (Some(score @ (Value::Int(_) | Value::Bool(_))), _) => write_value(score, &mut out),
        (Some(Value::Double(score)), _) if score.is_finite() => {
            write_value(&Value::Double(*score), &mut out)
        }
        (_, Some(label)) => write_string(label, &mut out),
        _ => out.push_str("null"),
    }
    out
}
