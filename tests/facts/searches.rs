//! The trace searches of `facts.json`: each by its exact id set and by its newest five, in order.
//!
//! All of them can be said; most in the filter language, the others in SQL as noted at each.

use serde_json::{Value, json};
use tracehouse::Database;

use super::counts::{DEPTHS, USAGE};
use crate::support::{Check, ids_sha256, quoted, search_ids, texts};

/// How a search is asked.
enum Question {
    Filter(String),
    /// A statement whose only column is the ids.
    Sql(String),
}

pub fn check(db: &Database, facts: &Value, check: &mut Check) {
    let mut said = 0;
    for want in facts["searches"].as_array().unwrap() {
        let text = want["search"].as_str().unwrap();
        let Some(question) = question(text) else {
            continue;
        };
        said += 1;
        let ids = ask(db, &question);
        check.equal(
            &format!("traces: {text}"),
            json!(ids.len()),
            want["traces"].clone(),
        );
        check.equal(
            &format!("ids: {text}"),
            json!(ids_sha256(&ids)),
            want["ids_sha256"].clone(),
        );
        let newest: Vec<&String> = ids.iter().take(5).collect();
        check.equal(
            &format!("newest: {text}"),
            json!(newest),
            want["newest_first"].clone(),
        );
        if let Question::Filter(filter) = &question {
            let count = db
                .count_traces(&tracehouse::Search::new(filter.as_str()))
                .unwrap();
            check.equal(
                &format!("count: {text}"),
                json!(count),
                want["traces"].clone(),
            );
        }
    }
    check.equal(
        "searches said",
        said,
        facts["searches"].as_array().unwrap().len(),
    );
    let combined = &facts["combined"];
    for (key, question) in [
        (
            "error_and_over_30_spans",
            Question::Filter("span.status = 'ERROR' AND span_count > 30".into()),
        ),
        ("two_or_more_models", Question::Sql(two_models())),
        ("tokens_over_100k", Question::Sql(tokens("> 100000"))),
        ("no_tokens_at_all", Question::Sql(tokens("= 0"))),
    ] {
        check.equal(
            &format!("combined.{key}"),
            json!(ask(db, &question).len()),
            combined[key].clone(),
        );
    }
}

fn ask(db: &Database, question: &Question) -> Vec<String> {
    match question {
        Question::Filter(filter) => search_ids(db, filter),
        Question::Sql(ids) => texts(
            db,
            &format!(
                "SELECT trace_id FROM traces WHERE trace_id IN ({ids}) ORDER BY request_time DESC, trace_id"
            ),
        ),
    }
}

/// Sums of the conventions' own keys, which is not `total_tokens`: that counts each token once.
fn tokens(condition: &str) -> String {
    format!(
        "SELECT trace_id FROM {USAGE} GROUP BY trace_id HAVING sum(coalesce(i, 0) + coalesce(o, 0)) {condition}"
    )
}

fn two_models() -> String {
    format!("SELECT trace_id FROM {USAGE} GROUP BY trace_id HAVING count(DISTINCT m) > 1")
}

/// Traces with a term in an attribute that holds inputs or outputs (`IO_KEYS` of `facts.py`).
fn io_contains(term: &str) -> String {
    let exact = [
        "input.value",
        "output.value",
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "traceloop.entity.input",
        "traceloop.entity.output",
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "tool.parameters",
    ];
    let prefixes = [
        "gen_ai.prompt.",
        "gen_ai.completion.",
        "llm.input_messages.",
        "llm.output_messages.",
        "llm.prompts.",
        "llm.choices.",
    ];
    let exact = exact.map(quoted).join(", ");
    let prefixes = prefixes
        .map(|prefix| format!("starts_with(k, '{prefix}')"))
        .join(" OR ");
    format!(
        "SELECT trace_id FROM (SELECT trace_id, attributes, unnest(json_object_keys(attributes)) AS k FROM spans) \
         WHERE (k IN ({exact}) OR {prefixes}) AND json_as_text(attributes, k) ILIKE {}",
        quoted(&format!("%{term}%"))
    )
}

/// What a search's text means; `None` for one that is not known here.
fn question(text: &str) -> Option<Question> {
    let filter = |filter: String| Some(Question::Filter(filter));
    let sql = |statement: String| Some(Question::Sql(statement));
    if let Some(service) = inside(text, "service.name == ", " and some span has status ERROR") {
        return filter(format!(
            "HAS(resource.service.name = '{service}') AND HAS(span.status = 'ERROR')"
        ));
    }
    if let Some((first, second)) =
        inside(text, "tool ", " both used").and_then(|t| t.split_once(" and tool "))
    {
        return filter(format!(
            "HAS(span.tool = '{first}') AND HAS(span.tool = '{second}')"
        ));
    }
    if let Some((first, second)) =
        inside(text, "tool ", " not used").and_then(|t| t.split_once(" used and tool "))
    {
        return filter(format!(
            "span.tool = '{first}' AND NOT HAS(span.tool = '{second}')"
        ));
    }
    let model_end = " (gen_ai.request.model, else llm.model_name) and duration > 60 s";
    if let Some(model) = inside(text, "request model == ", model_end) {
        return filter(format!(
            "duration_ms > 60000 AND (span.attributes.gen_ai.request.model = '{model}' OR \
             (span.attributes.gen_ai.request.model IS NULL AND span.attributes.llm.model_name = '{model}'))"
        ));
    }
    if let Some(least) = inside(text, "tokens (input + output over all spans) > ", "") {
        return sql(tokens(&format!("> {least}")));
    }
    if let Some(day) = inside(text, "trace start on ", " (UTC)") {
        return sql(format!(
            "SELECT trace_id FROM traces WHERE CAST(request_time AS DATE) = DATE '{day}'"
        ));
    }
    if let Some(term) = inside(
        text,
        "io contains '",
        "' (substring) and assessment reward == 0",
    ) {
        let verdict = "SELECT trace_id FROM assessments WHERE name = 'reward' AND value_number = 0";
        return sql(format!("{} AND trace_id IN ({verdict})", io_contains(term)));
    }
    if let Some((with, without)) =
        inside(text, "io contains '", "'").and_then(|t| t.split_once("' (substring) and not '"))
    {
        return sql(format!(
            "{} AND trace_id NOT IN ({})",
            io_contains(with),
            io_contains(without)
        ));
    }
    fixed(text)
}

/// Searches without a name or number that could change.
fn fixed(text: &str) -> Option<Question> {
    let human =
        "SELECT trace_id FROM assessments WHERE source_type = 'HUMAN' AND type = 'feedback'";
    Some(match text {
        "duration between 10 s and 20 s inclusive" => {
            Question::Filter("duration_ms BETWEEN 10000 AND 20000".into())
        }
        "root span is not ERROR and some other span is" => Question::Filter(
            "span.status = 'ERROR' AND NOT HAS(span.parent_id IS NULL AND span.status = 'ERROR')"
                .into(),
        ),
        "assessment reward == 0" => Question::Filter("feedback.reward = 0".into()),
        // The filter language asks for the source of one named assessment, these for any.
        "has a HUMAN feedback assessment" => Question::Sql(human.into()),
        "has a HUMAN feedback assessment and a span with status ERROR" => Question::Sql(format!(
            "{human} AND trace_id IN (SELECT trace_id FROM spans WHERE status = 'ERROR')"
        )),
        "has an LLM_JUDGE assessment with value 0, false or 'I'" => Question::Sql(
            "SELECT trace_id FROM assessments WHERE source_type = 'LLM_JUDGE' AND \
             (value_number = 0 OR value IN ('false', '\"I\"'))"
                .into(),
        ),
        "more than 40 spans" => Question::Filter("span_count > 40".into()),
        "span tree at least 4 deep" => {
            Question::Sql(format!("SELECT trace_id FROM {DEPTHS} WHERE depth >= 4"))
        }
        "HTTP status 429 on some span" => {
            Question::Filter("span.attributes.http.response.status_code = 429".into())
        }
        // `model` of the filter language is the response's model where there is one.
        "two or more request models" => Question::Sql(two_models()),
        _ => return None,
    })
}

fn inside<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix(end)
}
