//! Random clauses over every key of the language: filter text, SQL, plain code.

use std::rc::Rc;

use tracehouse::model::Span;

use super::comparisons::{self, Comparison, JsonColumns, like};
use super::verdicts;
use super::world::*;
use crate::order::Random;
use crate::support::quoted;

type OnTrace = Rc<dyn Fn(&Trace) -> bool>;

/// What a clause is about, and whether one such thing satisfies it.
#[derive(Clone)]
pub enum On {
    Trace(OnTrace),
    Span(Rc<dyn Fn(&Span) -> bool>),
    /// Some verdict satisfies the test, or none does.
    Verdict(Rc<dyn Fn(&Verdict) -> bool>, bool),
}

/// One clause; its SQL is about a row of `traces t`, `spans` or `assessments`.
#[derive(Clone)]
pub struct Clause {
    pub filter: String,
    pub sql: String,
    pub on: On,
}

type TraceText = (
    &'static [&'static str],
    &'static str,
    &'static [&'static str],
    fn(&Trace) -> Option<&str>,
);
type TraceNumber = (
    &'static [&'static str],
    &'static str,
    [i64; 3],
    usize,
    fn(&Trace) -> Option<i64>,
);
type SpanText = (
    &'static str,
    &'static str,
    &'static [&'static str],
    fn(&Span) -> Option<&str>,
);
type SpanNumber = (
    &'static str,
    &'static str,
    [i64; 3],
    usize,
    fn(&Span) -> Option<i64>,
);

/// Keys, column, values, reading.
const TRACE_TEXTS: &[TraceText] = &[
    (
        &["status", "state", "trace.status", "`state`"],
        "t.state",
        &["OK", "ERROR", "IN_PROGRESS"],
        |t| Some(t.state()),
    ),
    (
        &["name", "attribute.name", "tags.mlflow.traceName"],
        "t.name",
        &NAMES,
        |t| t.name(),
    ),
    (
        &["service_name", "attributes.service_name"],
        "t.service_name",
        &SERVICES,
        |t| t.service(),
    ),
    (
        &["session", "session_id", "metadata.mlflow.trace.session"],
        "t.session_id",
        &SESSIONS,
        |t| t.session(),
    ),
    (
        &["user", "user_id", "request_metadata.`mlflow.trace.user`"],
        "t.user_id",
        &PEOPLE,
        |t| t.user(),
    ),
    (&["experiment_id"], "t.experiment_id", &["0", "1"], |_| {
        Some("0")
    }),
    (&["request_preview"], "t.request_preview", &WORDS, |t| {
        t.hint()?.request_preview.as_deref()
    }),
    (&["response_preview"], "t.response_preview", &WORDS, |t| {
        t.hint()?.response_preview.as_deref()
    }),
    (
        &["tags.env", "tag.env", "tags.`env`", "tags.\"env\""],
        "t.tag",
        &ENVIRONMENTS,
        |t| t.tags.get(TAG).map(String::as_str),
    ),
    (
        &["metadata.team", "request_metadata.team"],
        "t.team",
        &PEOPLE,
        |t| t.hint()?.metadata.get(METADATA).map(String::as_str),
    ),
    (
        &["client_request_id"],
        "t.client_request_id",
        &["c-1"],
        |_| None,
    ),
];

const START_MS: i64 = 1_740_787_200_000;

/// Keys, SQL, units of one, first and step of literals, number of them, reading.
const TRACE_NUMBERS: &[TraceNumber] = &[
    (
        &["timestamp", "timestamp_ms", "request_time"],
        "(CAST(t.request_time AS BIGINT) / 1000000 * 10)",
        [10, START_MS * 10, 365],
        1_200,
        |t| Some(t.start_ns() / MS_NS * 10),
    ),
    (
        &["execution_time", "attribute.execution_time_ms"],
        "((CAST(t.request_time AS BIGINT) + t.duration_ns) / 1000000 * 10 - CAST(t.request_time AS BIGINT) / 1000000 * 10)",
        [10, 0, 5],
        20,
        |t| Some(((t.start_ns() + t.duration_ns()?) / MS_NS - t.start_ns() / MS_NS) * 10),
    ),
    (
        &["end_time", "end_time_ms"],
        "((CAST(t.request_time AS BIGINT) + coalesce(t.duration_ns, 0)) / 1000000)",
        [1, START_MS, 37],
        1_200,
        |t| Some((t.start_ns() + t.duration_ns().unwrap_or(0)) / MS_NS),
    ),
    (
        &["duration_ms"],
        "t.duration_ns",
        [MS_NS, 0, 250_000],
        30,
        |t| t.duration_ns(),
    ),
    (&["span_count"], "t.span_count", [1, 0, 1], 6, |t| {
        Some(t.spans.len() as i64)
    }),
    (
        &["error_span_count"],
        "t.error_span_count",
        [1, 0, 1],
        3,
        |t| Some(t.spans.iter().filter(|span| span.status == "ERROR").count() as i64),
    ),
    (&["input_tokens"], "t.input_tokens", [1, 0, 10], 12, |t| {
        t.sum(|span| span.input_tokens)
    }),
    (&["output_tokens"], "t.output_tokens", [1, 0, 10], 12, |t| {
        t.sum(|span| span.output_tokens)
    }),
    (&["total_tokens"], "t.total_tokens", [1, 0, 10], 15, |t| {
        t.sum(|span| span.total_tokens)
    }),
    (
        &["cost"],
        "CAST(t.cost_usd * 4 AS BIGINT)",
        [4, 0, 1],
        10,
        |t| t.cost_quarters(),
    ),
];

const SPAN_TEXTS: &[SpanText] = &[
    ("span.name", "name", &NAMES, |s| Some(&s.name)),
    ("span.type", "span_type", &TYPES, |s| Some(&s.span_type)),
    ("span.status", "status", &STATUSES, |s| Some(&s.status)),
    ("span.kind", "kind", &KINDS, |s| Some(&s.kind)),
    ("span.model", "model", &MODELS, |s| s.model.as_deref()),
    ("span.provider", "provider", &["openai", "anthropic"], |s| {
        s.provider.as_deref()
    }),
    ("span.tool", "tool_name", &["search", "pay"], |s| {
        s.tool_name.as_deref()
    }),
    (
        "span.id",
        "span_id",
        &["00000000000000031", "00000000000000200"],
        |s| Some(&s.span_id),
    ),
    (
        "span.parent_id",
        "parent_span_id",
        &["00000000000000030"],
        |s| s.parent_span_id.as_deref(),
    ),
    ("span.inputs", "inputs", &WORDS, |s| s.inputs.as_deref()),
    ("span.outputs", "outputs", &WORDS, |s| s.outputs.as_deref()),
];

const SPAN_NUMBERS: &[SpanNumber] = &[
    (
        "span.duration_ms",
        "duration_ns",
        [MS_NS, 0, 250_000],
        24,
        |s| s.duration_ns(),
    ),
    (
        "span.start_time_ms",
        "(CAST(start_time AS BIGINT) / 1000000)",
        [1, START_MS, 37],
        1_200,
        |s| Some(s.start_time_ns / MS_NS),
    ),
    ("span.input_tokens", "input_tokens", [1, 0, 10], 6, |s| {
        s.input_tokens
    }),
    ("span.output_tokens", "output_tokens", [1, 0, 10], 6, |s| {
        s.output_tokens
    }),
    ("span.total_tokens", "total_tokens", [1, 0, 10], 9, |s| {
        s.total_tokens
    }),
    (
        "span.cost",
        "CAST(cost_usd * 4 AS BIGINT)",
        [4, 0, 1],
        5,
        |s| s.cost_usd.map(|cost| (cost * 4.0) as i64),
    ),
];

/// A clause about a trace or its verdicts.
pub fn of_trace(random: &mut Random, world: &World) -> Clause {
    match random.below(12) {
        0..=3 => {
            let (keys, column, values, get) = TRACE_TEXTS[random.below(TRACE_TEXTS.len())];
            let test = comparisons::text(random, values);
            let accepts = test.accepts.clone();
            on_trace(pick(random, keys), &test, column, move |trace| {
                accepts(get(trace))
            })
        }
        4..=6 => {
            let (keys, column, [unit, first, step], most, get) =
                TRACE_NUMBERS[random.below(TRACE_NUMBERS.len())];
            let test = comparisons::integer(random, unit, first, step, most);
            let accepts = test.accepts.clone();
            on_trace(pick(random, keys), &test, column, move |trace| {
                accepts(get(trace).as_ref())
            })
        }
        7 => links(random, world),
        _ => verdicts::of_verdict(random),
    }
}

fn on_trace<T: ?Sized>(
    key: &str,
    test: &Comparison<T>,
    column: &str,
    accepts: impl Fn(&Trace) -> bool + 'static,
) -> Clause {
    Clause {
        filter: format!("{key} {}", test.filter),
        sql: test.sql(column),
        on: On::Trace(Rc::new(accepts)),
    }
}

/// Ids, models, runs and datasets.
fn links(random: &mut Random, world: &World) -> Clause {
    let listed: Vec<&Trace> = (0..1 + random.below(5))
        .map(|_| &world.traces[random.below(world.traces.len())])
        .collect();
    let ids: Vec<String> = listed.iter().map(|trace| quoted(&trace.id)).collect();
    let is_one = |wanted: Vec<String>| move |trace: &Trace| wanted.contains(&quoted(&trace.id));
    match random.below(5) {
        0 => Clause {
            filter: format!("request_id IN ({})", ids.join(", ").replace("'c", "'tr-C")),
            sql: format!("t.trace_id IN ({})", ids.join(", ")),
            on: On::Trace(Rc::new(is_one(ids))),
        },
        1 => Clause {
            filter: format!("trace_id = {}", ids[0]),
            sql: format!("t.trace_id = {}", ids[0]),
            on: On::Trace(Rc::new(is_one(ids[..1].to_vec()))),
        },
        2 => model(random),
        3 => {
            let run = pick(random, &["r1", "r2", "r3"]);
            let has = move |trace: &Trace| {
                let own = trace
                    .hint()
                    .and_then(|hint| hint.metadata.get("mlflow.sourceRun"));
                own.is_some_and(|own| own == run) || trace.runs.iter().any(|linked| linked == run)
            };
            // No table shows the links, so that SQL is told who they are.
            let linked = world
                .traces
                .iter()
                .filter(|trace| has(trace))
                .map(|trace| quoted(&trace.id));
            Clause {
                filter: format!(
                    "{} = '{run}'",
                    pick(random, &["run_id", "metadata.mlflow.sourceRun"])
                ),
                sql: format!("t.trace_id IN ({})", linked.collect::<Vec<_>>().join(", ")),
                on: On::Trace(Rc::new(has)),
            }
        }
        _ => {
            let (filter, exists) = [
                (format!("dataset = '{DATASET}'"), true),
                (format!("dataset IN ('none', '{DATASET}')"), true),
                ("dataset = 'none'".to_string(), false),
                ("dataset != 'none'".to_string(), true),
                (format!("dataset NOT IN ('none', '{DATASET}')"), false),
                ("dataset ILIKE 'PICK%'".to_string(), true),
                ("dataset IS NOT NULL".to_string(), true),
            ][random.below(7)]
            .clone();
            Clause {
                filter,
                sql: format!("(d.trace_id IS NOT NULL AND {exists})"),
                on: On::Trace(Rc::new(move |trace| exists && trace.is_picked)),
            }
        }
    }
}

/// `model` is any of the models used.
fn model(random: &mut Random) -> Clause {
    let wanted = pick(random, &MODELS);
    let (filter, sql, on): (String, String, OnTrace) = match random.below(3) {
        0 => (
            format!("model = '{wanted}'"),
            format!("array_has(t.models, '{wanted}')"),
            Rc::new(move |trace| trace.models().contains(wanted)),
        ),
        1 => (
            format!("model != '{wanted}'"),
            format!("array_length(array_remove_all(t.models, '{wanted}')) > 0"),
            Rc::new(move |trace| trace.models().iter().any(|model| *model != wanted)),
        ),
        _ => (
            "model IS NULL".to_string(),
            "coalesce(array_length(t.models), 0) = 0".to_string(),
            Rc::new(|trace| trace.models().is_empty()),
        ),
    };
    Clause {
        filter,
        sql,
        on: On::Trace(on),
    }
}

/// A clause about a span.
pub fn of_span(random: &mut Random) -> Clause {
    match random.below(12) {
        0..=3 => {
            let (key, column, values, get) = SPAN_TEXTS[random.below(SPAN_TEXTS.len())];
            let test = comparisons::text(random, values);
            let accepts = test.accepts.clone();
            on_span(key, &test.filter, test.sql(column), move |span| {
                accepts(get(span))
            })
        }
        4 | 5 => {
            let (key, column, [unit, first, step], most, get) =
                SPAN_NUMBERS[random.below(SPAN_NUMBERS.len())];
            let test = comparisons::integer(random, unit, first, step, most);
            let accepts = test.accepts.clone();
            on_span(key, &test.filter, test.sql(column), move |span| {
                accepts(get(span).as_ref())
            })
        }
        6..=8 => json_member(random),
        9 => attribute_pattern(random),
        10 => any_string(random),
        _ => words(random),
    }
}

fn on_span(
    key: &str,
    filter: &str,
    sql: String,
    accepts: impl Fn(&Span) -> bool + 'static,
) -> Clause {
    Clause {
        filter: format!("{key} {filter}"),
        sql,
        on: On::Span(Rc::new(accepts)),
    }
}

fn member(object: &str, key: &str) -> Option<Json> {
    serde_json::from_str::<serde_json::Map<String, Json>>(object)
        .unwrap()
        .remove(key)
}

/// An attribute or resource attribute by type.
fn json_member(random: &mut Random) -> Clause {
    let is_resource = random.below(4) == 0;
    let (column, prefix) = if is_resource {
        ("resource", "resource")
    } else {
        ("attributes", "span.attributes")
    };
    let key = if is_resource {
        pick(random, &RESOURCES)
    } else {
        pick(random, &ATTRIBUTES)
    };
    let object = move |span: &Span| {
        if is_resource {
            span.resource.clone()
        } else {
            span.attributes.clone()
        }
    };
    let columns = JsonColumns {
        text: format!("json_as_text({column}, '{key}')"),
        number: format!("json_get_float({column}, '{key}')"),
        boolean: format!("json_get_bool({column}, '{key}')"),
    };
    let name = if random.below(3) == 0 {
        format!("{prefix}.`{key}`")
    } else {
        format!("{prefix}.{key}")
    };
    if random.below(6) == 0 {
        let exists = random.below(2) == 0;
        let not = if exists { "NOT " } else { "" };
        let sql = format!("{} IS {not}NULL", columns.text);
        return on_span(&name, &format!("IS {not}NULL"), sql, move |span| {
            member(&object(span), key).is_some() == exists
        });
    }
    let values = ["eu", "us", "gpt-4", "claude-3", "it's late", "3", "0.5"];
    let test = comparisons::json(
        random,
        &values,
        &columns,
        (
            |columns, text| format!("{} = {}", columns.text, quoted(text)),
            |json, text| {
                json.as_str()
                    .map_or_else(|| json_text(json) == text, |own| own == text)
            },
        ),
    );
    let accepts = test.accepts.clone();
    on_span(&name, &test.filter, test.sql(""), move |span| {
        accepts(member(&object(span), key).as_ref())
    })
}

/// The text of an attribute's value.
fn value_text(span: &Span, key: &str) -> Option<String> {
    member(&span.attributes, key).map(|value| match value {
        Json::String(text) => text,
        other => other.to_string(),
    })
}

/// A pattern on an attribute: `LIKE` and `ILIKE` that begin with `%` go on to those after it.
fn attribute_pattern(random: &mut Random) -> Clause {
    let at = random.below(ATTRIBUTES.len());
    let key = ATTRIBUTES[at];
    let test = comparisons::pattern(
        random,
        &["gpt-4", "claude-3", "0.25", "flight refund", "true"],
    );
    let accepts = test.accepts.clone();
    let column = |key: &str| format!("json_as_text(attributes, '{key}')");
    let name = format!("span.attributes.{key}");
    let reads_on = test.filter.starts_with("LIKE '%") || test.filter.starts_with("ILIKE '%");
    if !reads_on {
        let sql = test.sql(&column(key));
        return on_span(&name, &test.filter, sql, move |span| {
            accepts(value_text(span, key).as_deref())
        });
    }
    let any: Vec<String> = ATTRIBUTES[at..]
        .iter()
        .map(|key| format!("coalesce({}, false)", test.sql(&column(key))))
        .collect();
    let sql = format!("({} IS NOT NULL AND ({}))", column(key), any.join(" OR "));
    on_span(&name, &test.filter, sql, move |span| {
        value_text(span, key).is_some()
            && ATTRIBUTES[at..]
                .iter()
                .any(|key| accepts(value_text(span, key).as_deref()))
    })
}

/// Every string of a span, as it was sent.
fn strings(span: &Span) -> Vec<String> {
    let own = [
        Some(&span.name),
        span.status_message.as_ref(),
        span.inputs.as_ref(),
        span.outputs.as_ref(),
    ];
    let members = serde_json::from_str::<serde_json::Map<String, Json>>(&span.attributes).unwrap();
    let texts = members
        .into_iter()
        .filter_map(|(_, value)| value.as_str().map(str::to_string));
    own.into_iter().flatten().cloned().chain(texts).collect()
}

/// `trace.text` with a pattern: the strings each on its own, the type and the attributes' names whole.
fn any_string(random: &mut Random) -> Clause {
    let values = [&WORDS[..], &NAMES[..], &["LLM", "temp", "request.model"]].concat();
    let key = pick(
        random,
        &["trace.text", "span.content", "text", "attributes.text"],
    );
    let want = random.below(4) > 0;
    let not = if want { "" } else { "NOT " };
    let ignores_case = random.below(2) == 0;
    let word = if ignores_case { "ILIKE" } else { "LIKE" };
    let pattern = comparisons::like_pattern(random, &values);
    let is_like = |column: &str| format!("coalesce({column} {word} {}, false)", quoted(&pattern));
    let whole = pattern.trim_matches('%').to_string();
    let mut any: Vec<String> = ["name", "status_message", "inputs", "outputs"]
        .map(is_like)
        .to_vec();
    any.extend(ATTRIBUTES.map(|key| is_like(&format!("json_get_str(attributes, '{key}')"))));
    if !whole.is_empty() {
        any.push(format!("span_type {word} {}", quoted(&whole)));
        let named = ATTRIBUTES
            .iter()
            .filter(|key| like(key, &whole, ignores_case));
        any.extend(named.map(|key| format!("json_as_text(attributes, '{key}') IS NOT NULL")));
    }
    let sql = format!("({}) = {want}", any.join(" OR "));
    on_span(
        key,
        &format!("{not}{word} {}", quoted(&pattern)),
        sql,
        move |span| {
            let is_named = |name: &str| !whole.is_empty() && like(name, &whole, ignores_case);
            let found = strings(span)
                .iter()
                .any(|text| like(text, &pattern, ignores_case))
                || is_named(&span.span_type)
                || ATTRIBUTES
                    .iter()
                    .any(|key| is_named(key) && member(&span.attributes, key).is_some());
            found == want
        },
    )
}

/// The words of a text, lower-cased.
fn words_of(text: &str) -> Vec<String> {
    let pieces = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    pieces
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// `MATCHES` with one word or a phrase.
fn words(random: &mut Random) -> Clause {
    let text = pick(random, &[&WORDS[..7], &NAMES[..]].concat());
    let all = words_of(text);
    let first = random.below(all.len());
    let wanted: Vec<String> = all[first..first + 1 + random.below(all.len() - first)].to_vec();
    let query = quoted(&format!("\"{}\"", wanted.join(" ")));
    let (key, column) = [
        ("trace.text", "text"),
        ("span.inputs", "inputs"),
        ("span.outputs", "outputs"),
    ][random.below(3)];
    on_span(
        key,
        &format!("MATCHES {query}"),
        format!("matches({column}, {query})"),
        move |span| {
            let texts = match column {
                "inputs" => span.inputs.iter().cloned().collect(),
                "outputs" => span.outputs.iter().cloned().collect(),
                _ => strings(span),
            };
            texts.iter().any(|text| {
                words_of(text)
                    .windows(wanted.len())
                    .any(|window| window == wanted)
            })
        },
    )
}
