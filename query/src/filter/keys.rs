//! The table of keys: names, aliases, what they read, how they compare.
//!
//! A key is resolved by its prefix and the rest, literally: `tags.name` is the tag called `name`.
//! Only MLflow's own reserved keys (`tags.mlflow.traceName`, ...) stand for columns.

use tracehouse_storage::model::{
    AssessmentKind, COST_METADATA, SESSION_METADATA, TOKEN_USAGE_METADATA, USER_METADATA,
};

use super::ast::{Key, Segment, join};
use super::error::FilterError;
use super::hints::did_you_mean;
use crate::predicate::Field;

/// How a key's values compare, and so which operators and literals it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// Text that may say a number: compared with numbers as well.
    Tag,
    /// Text with words: `MATCHES` as well.
    SearchableText,
    /// A trace id, in any of its spellings.
    TraceId,
    /// A time: whole milliseconds over nanoseconds, as MLflow's times: the fraction is cut off.
    TimeNs,
    /// A time: whole milliseconds over milliseconds.
    TimeMs,
    /// A duration: whole milliseconds over milliseconds.
    PlainMs,
    /// A duration: milliseconds over nanoseconds, exact.
    ExactMs,
    /// An integer.
    Count,
    /// A floating-point number.
    Float,
    /// A JSON value.
    Json,
    /// The text of a span: patterns and `MATCHES`.
    Content,
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// A field of the trace.
    Trace(Field, Kind),
    /// A field of a span.
    Span(Field, Kind),
    /// The value of an assessment.
    Assessment {
        kinds: Vec<AssessmentKind>,
        name: String,
    },
    /// The source of an assessment.
    AssessmentSource {
        kinds: Vec<AssessmentKind>,
        name: String,
    },
    /// The id of an issue.
    Issue,
    /// A linked prompt version.
    Prompt,
    /// The name of a dataset.
    Dataset,
}

/// One key of the table.
struct KeySpec {
    names: &'static [&'static str],
    field: Field,
    kind: Kind,
}

const fn key(names: &'static [&'static str], field: Field, kind: Kind) -> KeySpec {
    KeySpec { names, field, kind }
}

/// Keys of a trace; with or without the prefix `trace.`, `attribute.` or `attributes.`.
static TRACE_KEYS: &[KeySpec] = &[
    key(&["status", "state"], Field::Text("state"), Kind::Text),
    key(&["request_id", "trace_id"], Field::TraceId, Kind::TraceId),
    key(
        &["client_request_id"],
        Field::Text("client_request_id"),
        Kind::Text,
    ),
    key(
        &["timestamp", "timestamp_ms", "request_time"],
        Field::Int("request_time"),
        Kind::TimeNs,
    ),
    key(
        &["execution_time", "execution_time_ms"],
        Field::ExecutionTimeMs,
        Kind::PlainMs,
    ),
    key(&["end_time", "end_time_ms"], Field::EndTimeMs, Kind::TimeMs),
    key(&["name"], Field::Text("name"), Kind::Text),
    key(&["run_id"], Field::RunId, Kind::Text),
    key(&["experiment_id"], Field::Text("experiment_id"), Kind::Text),
    key(&["service_name"], Field::Text("service_name"), Kind::Text),
    key(
        &["session", "session_id"],
        Field::Text("session_id"),
        Kind::Text,
    ),
    key(&["user", "user_id"], Field::Text("user_id"), Kind::Text),
    key(&["model"], Field::Models, Kind::Text),
    key(
        &["duration_ms", "duration"],
        Field::Int("duration_ns"),
        Kind::ExactMs,
    ),
    key(&["input_tokens"], Field::Int("input_tokens"), Kind::Count),
    key(&["output_tokens"], Field::Int("output_tokens"), Kind::Count),
    key(&["total_tokens"], Field::Int("total_tokens"), Kind::Count),
    key(&["cost"], Field::Float("cost_usd"), Kind::Float),
    key(&["span_count"], Field::Int("span_count"), Kind::Count),
    key(
        &["error_span_count"],
        Field::Int("error_span_count"),
        Kind::Count,
    ),
    key(
        &["request_preview"],
        Field::Text("request_preview"),
        Kind::Text,
    ),
    key(
        &["response_preview"],
        Field::Text("response_preview"),
        Kind::Text,
    ),
];

/// Keys after `span.`, besides `attributes.K`.
static SPAN_KEYS: &[KeySpec] = &[
    key(&["name"], Field::Text("name"), Kind::Text),
    key(&["type"], Field::Text("span_type"), Kind::Text),
    key(&["status"], Field::Text("status"), Kind::Text),
    key(&["id"], Field::Text("span_id"), Kind::Text),
    key(&["parent_id"], Field::Text("parent_span_id"), Kind::Text),
    key(&["kind"], Field::Text("kind"), Kind::Text),
    key(
        &["duration_ms", "duration"],
        Field::Int("duration_ns"),
        Kind::ExactMs,
    ),
    key(&["start_time_ms"], Field::Int("start_time"), Kind::TimeNs),
    key(&["model"], Field::Text("model"), Kind::Text),
    key(&["provider"], Field::Text("provider"), Kind::Text),
    key(&["tool"], Field::Text("tool_name"), Kind::Text),
    key(&["input_tokens"], Field::Int("input_tokens"), Kind::Count),
    key(&["output_tokens"], Field::Int("output_tokens"), Kind::Count),
    key(&["total_tokens"], Field::Int("total_tokens"), Kind::Count),
    key(&["cost"], Field::Float("cost_usd"), Kind::Float),
    key(&["inputs"], Field::Text("inputs"), Kind::SearchableText),
    key(&["outputs"], Field::Text("outputs"), Kind::SearchableText),
    key(&["content"], Field::Content, Kind::Content),
];

/// Bare keys that are no field of the trace.
const OTHER_KEYS: [&str; 3] = ["text", "prompt", "dataset"];
/// Every prefix.
const PREFIXES: [&str; 14] = [
    "trace",
    "attribute",
    "attributes",
    "tag",
    "tags",
    "metadata",
    "request_metadata",
    "span",
    "resource",
    "assessment",
    "feedback",
    "expectation",
    "issue",
    "spans",
];

const FEEDBACK: &[AssessmentKind] = &[AssessmentKind::Feedback];
const EXPECTATION: &[AssessmentKind] = &[AssessmentKind::Expectation];
const VERDICTS: &[AssessmentKind] = &[AssessmentKind::Feedback, AssessmentKind::Expectation];

/// Finds what a key stands for.
pub(super) fn resolve(source: &str, key: &Key) -> Result<Target, FilterError> {
    let (prefix, rest) = match key.segments.as_slice() {
        [] => return bare(source, key, ""),
        [only] => return bare(source, key, &only.text),
        [prefix, rest @ ..] => (prefix.text.as_str(), rest),
    };
    let name = join(rest);
    match prefix {
        "trace" | "attribute" | "attributes" => bare(source, key, &name),
        "tag" | "tags" => Ok(tag(non_empty(source, key, name, "Tag key")?)),
        "metadata" | "request_metadata" => {
            Ok(metadata(non_empty(source, key, name, "Metadata key")?))
        }
        "resource" => {
            let name = non_empty(source, key, name, "Resource attribute name")?;
            Ok(Target::Span(
                Field::Json {
                    column: "resource",
                    key: name,
                },
                Kind::Json,
            ))
        }
        "span" => span(source, key, rest),
        "feedback" => assessment(source, key, FEEDBACK, rest),
        "expectation" => assessment(source, key, EXPECTATION, rest),
        "assessment" => assessment(source, key, VERDICTS, rest),
        "issue" if name == "id" => Ok(Target::Issue),
        "issue" => Err(error(source, key, |at| {
            format!("Invalid issue attribute '{name}' at position {at}. Supported: issue.id")
        })),
        _ => Err(unknown_prefix(source, key, prefix)),
    }
}

fn error(source: &str, key: &Key, message: impl FnOnce(usize) -> String) -> FilterError {
    FilterError::at(source, key.at.start, message)
}

fn non_empty(source: &str, key: &Key, name: String, what: &str) -> Result<String, FilterError> {
    if name.is_empty() {
        return Err(error(source, key, |at| {
            format!(
                "{what} cannot be empty after '{}' at position {at}",
                key.text()
            )
        }));
    }
    Ok(name)
}

fn bare(source: &str, key: &Key, name: &str) -> Result<Target, FilterError> {
    if let Some(spec) = TRACE_KEYS.iter().find(|spec| spec.names.contains(&name)) {
        return Ok(Target::Trace(spec.field.clone(), spec.kind));
    }
    match name {
        "text" => return Ok(Target::Span(Field::Content, Kind::Content)),
        "prompt" => return Ok(Target::Prompt),
        "dataset" => return Ok(Target::Dataset),
        _ => {}
    }
    let names = || {
        TRACE_KEYS
            .iter()
            .flat_map(|spec| spec.names.iter().copied())
            .chain(OTHER_KEYS)
    };
    let hint = match name {
        name if PREFIXES.contains(&name) => format!(" It takes a name: {name}.NAME"),
        name => did_you_mean(name, names().chain(["tags.NAME", "span.name"])),
    };
    Err(error(source, key, |at| {
        let list = listed_without(&hint, || {
            format!(
                "Valid keys are {}, and those that begin with tags., metadata., span., resource., feedback., \
                 expectation., assessment., issue.",
                names().collect::<Vec<_>>().join(", ")
            )
        });
        format!(
            "Invalid attribute key '{}' specified at position {at}.{hint}{list}",
            shown(name)
        )
    }))
}

fn unknown_prefix(source: &str, key: &Key, prefix: &str) -> FilterError {
    let hint = did_you_mean(
        prefix,
        PREFIXES.into_iter().filter(|prefix| *prefix != "spans"),
    );
    error(source, key, |at| {
        format!(
            "Invalid entity type '{}' at position {at}.{hint}{}",
            shown(prefix),
            listed_without(&hint, || {
                let prefixes = PREFIXES.into_iter().filter(|prefix| *prefix != "spans");
                format!(
                    "Valid values are {}",
                    prefixes.collect::<Vec<_>>().join(", ")
                )
            })
        )
    })
}

/// All that would be right, where no word is near the one that is there.
fn listed_without(hint: &str, list: impl FnOnce() -> String) -> String {
    if hint.is_empty() {
        format!(" {}", list())
    } else {
        String::new()
    }
}

/// A word for a message: the beginning of an overlong one.
fn shown(word: &str) -> String {
    const CHARS_MAX: usize = 60;
    word.chars().take(CHARS_MAX).collect()
}

fn tag(key: String) -> Target {
    match key.as_str() {
        "mlflow.traceName" => Target::Trace(Field::Text("name"), Kind::Text),
        _ => Target::Trace(
            Field::Map {
                column: "tags",
                key,
            },
            Kind::Tag,
        ),
    }
}

fn metadata(key: String) -> Target {
    let field = match key.as_str() {
        SESSION_METADATA => Field::Text("session_id"),
        USER_METADATA => Field::Text("user_id"),
        TOKEN_USAGE_METADATA => Field::TokenUsage,
        COST_METADATA => Field::CostUsage,
        "mlflow.sourceRun" => Field::RunId,
        _ => {
            return Target::Trace(
                Field::Map {
                    column: "metadata",
                    key,
                },
                Kind::Tag,
            );
        }
    };
    Target::Trace(field, Kind::Text)
}

fn span(source: &str, key: &Key, rest: &[Segment]) -> Result<Target, FilterError> {
    if let [first, attribute @ ..] = rest
        && first.text == "attributes"
        && !attribute.is_empty()
    {
        let name = non_empty(source, key, join(attribute), "Span attribute name")?;
        return Ok(Target::Span(
            Field::Json {
                column: "attributes",
                key: name,
            },
            Kind::Json,
        ));
    }
    let name = join(rest);
    if let Some(spec) = SPAN_KEYS
        .iter()
        .find(|spec| spec.names.contains(&name.as_str()))
    {
        return Ok(Target::Span(spec.field.clone(), spec.kind));
    }
    let names = || SPAN_KEYS.iter().flat_map(|spec| spec.names.iter().copied());
    let hint = did_you_mean(&name, names().chain(["attributes"]));
    Err(error(source, key, |at| {
        format!(
            "Invalid span attribute '{}' at position {at}.{hint}{}",
            shown(&name),
            listed_without(&hint, || {
                let names = names().collect::<Vec<_>>().join(", ");
                format!("Supported attributes: {names}, attributes.<attribute_name>")
            })
        )
    }))
}

fn assessment(
    source: &str,
    key: &Key,
    kinds: &[AssessmentKind],
    rest: &[Segment],
) -> Result<Target, FilterError> {
    let kinds = kinds.to_vec();
    let name =
        |segments: &[Segment]| non_empty(source, key, join(segments), "Assessment field name");
    match rest.split_last() {
        Some((last, before)) if last.text == "source" && !last.quoted && !before.is_empty() => {
            Ok(Target::AssessmentSource {
                kinds,
                name: name(before)?,
            })
        }
        _ => Ok(Target::Assessment {
            kinds,
            name: name(rest)?,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracehouse_storage::schema::Table;

    #[test]
    fn every_key_reads_columns_of_its_table() {
        for (table, keys) in [(Table::Traces, TRACE_KEYS), (Table::Spans, SPAN_KEYS)] {
            for spec in keys {
                let condition = crate::predicate::Condition {
                    field: spec.field.clone(),
                    test: crate::predicate::Test::IsNull,
                };
                for column in condition.columns() {
                    assert!(
                        table.schema().field_with_name(column).is_ok(),
                        "{:?} reads {column}",
                        spec.names
                    );
                }
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for keys in [TRACE_KEYS, SPAN_KEYS] {
            let mut names: Vec<&str> = keys
                .iter()
                .flat_map(|spec| spec.names.iter().copied())
                .collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
