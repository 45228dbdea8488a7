//! The table of tools. Names, parameters and limits are what assistants are set up with: they change with care.

use super::{Effect, Tool, explain, find, measure, schema, span, sql, trace, write};
use crate::mcp::parameters::{ID, Kind, Parameter, TEXT};

const FILTER: Parameter = Parameter::optional(
    "filter",
    TEXT,
    "Which traces, in the filter language; all when absent. Example: state = 'ERROR' AND span.tool = 'search'",
);
const TRACE_ID: Parameter = Parameter::required(
    "trace_id",
    ID,
    "Id of the trace, from search_traces, search_text or sql",
);

const fn limit(max: usize, default: usize, about: &'static str) -> Parameter {
    Parameter::optional(
        "limit",
        Kind::Integer {
            min: 1,
            max,
            default: Some(default),
        },
        about,
    )
}

const fn offset(max: usize, about: &'static str) -> Parameter {
    Parameter::optional(
        "offset",
        Kind::Integer {
            min: 0,
            max,
            default: Some(0),
        },
        about,
    )
}

/// Largest offset where only the position of the answer is at stake.
const ANY: usize = 1 << 40;

const READS: Tool = Tool {
    name: "",
    title: "",
    about: "",
    explains_filters: false,
    parameters: &[],
    effect: Effect::Reads,
    quotes_values: false,
    run: schema::run,
};

/// All tools, in the order in which they are listed; those that write are last.
pub(in crate::mcp) static ALL: [Tool; 13] = [
    Tool {
        name: "schema",
        title: "What the database holds",
        about: "Call this first. What this Tracehouse database holds: numbers of traces and spans, time range, services, \
            models, span types, the tags, metadata, attributes and feedback that are really there, the tables and columns of \
            `sql` with their meaning, and the keys of filters. Example: {\"section\": \"filter_keys\"} gives the keys alone.",
        parameters: &[
            Parameter::optional(
                "section",
                Kind::Word(&schema::SECTIONS),
                "A part of it alone: data (counts, names that are there), tables (columns of SQL), filter_keys",
            ),
            Parameter::optional(
                "table",
                ID,
                "The columns of this table of SQL alone. Example: spans",
            ),
        ],
        run: schema::run,
        ..READS
    },
    Tool {
        name: "search_traces",
        title: "Find traces",
        about: "Finds traces by a filter, newest first unless order_by says otherwise: ids, state, times, tokens, cost, tags \
            and the beginnings of request and response. Example: {\"filter\": \"state = 'ERROR' AND timestamp > now() - 1d\", \
            \"limit\": 10}. Give next_page_token as page_token for more. Look at one trace with get_trace.",
        explains_filters: true,
        parameters: &[
            FILTER,
            Parameter::optional(
                "order_by",
                Kind::Texts { items_max: 8 },
                "Order, as KEY or KEY DESC with keys of traces. Example: [\"duration_ms DESC\"]",
            ),
            limit(200, 20, "Most traces of this page"),
            Parameter::optional(
                "page_token",
                TEXT,
                "next_page_token of the page before, with the same filter and order_by",
            ),
        ],
        run: find::search_traces,
        ..READS
    },
    Tool {
        name: "count_traces",
        title: "Count traces",
        about: "How many traces match a filter, without reading them. Example: {\"filter\": \"feedback.correctness = false \
            AND model = 'gpt-4o'\"} gives {\"count\": 17}.",
        explains_filters: true,
        parameters: &[FILTER],
        run: find::count_traces,
        ..READS
    },
    Tool {
        name: "search_text",
        title: "Search texts of spans",
        about: "Full-text search over everything that spans say (names, inputs, outputs, attributes, errors), best first, \
            with a snippet of each: for questions about content. Query: words that all occur, \"a phrase\", OR, AND, -word, \
            pre*, fuzzy~1, inputs:word, outputs:word. Example: {\"query\": \"\\\"refund policy\\\" -test\", \"where\": \"state = \
            'ERROR'\"}. For punctuation and parts of words use search_traces with trace.text LIKE '%..%'.",
        parameters: &[
            Parameter::required(
                "query",
                TEXT,
                "The text query. Example: timeout OR \"connection reset\"",
            ),
            Parameter::optional(
                "where",
                TEXT,
                "Only spans of traces that match this filter; the language is explained with search_traces",
            ),
            Parameter::optional(
                "by_trace",
                Kind::Boolean,
                "Give only the best span of each trace",
            ),
            limit(100, 10, "Most hits"),
            offset(
                1_000,
                "Hits to leave out before: next_offset of the answer before",
            ),
        ],
        run: find::search_text,
        ..READS
    },
    Tool {
        name: "sql",
        title: "Ask by SQL",
        about: "Runs one read-only SQL statement (DataFusion; close to PostgreSQL and DuckDB) over the tables traces, spans, \
            assessments, sessions, messages, events, tags, metadata, datasets, dataset_records and others: for groups, joins \
            and what the other tools do not count. schema lists the columns. Durations are nanoseconds (duration_ns), times \
            are UTC; JSON columns take -> and ->>: attributes->>'gen_ai.system'. Use $name and params for values. Example: \
            {\"sql\": \"SELECT model, count(*) AS calls, avg(duration_ns) / 1e6 AS ms FROM spans WHERE status = $s GROUP BY \
            model ORDER BY calls DESC\", \"params\": {\"s\": \"ERROR\"}}. Do not select inputs, outputs or attributes of many \
            rows: read them with get_span.",
        parameters: &[
            Parameter::required(
                "sql",
                TEXT,
                "One SELECT, WITH, EXPLAIN, DESCRIBE or SHOW statement",
            ),
            Parameter::optional(
                "params",
                Kind::Scalars,
                "Values of $name in the statement, by name",
            ),
            limit(
                1_000,
                100,
                "Most rows given; LIMIT and OFFSET of the statement page through more",
            ),
            Parameter::optional(
                "cell_bytes",
                Kind::Integer {
                    min: 10,
                    max: 100_000,
                    default: Some(500),
                },
                "Longer texts in cells are given as {preview, bytes}",
            ),
        ],
        quotes_values: true,
        run: sql::run,
        ..READS
    },
    Tool {
        name: "get_trace",
        title: "Outline of a trace",
        about: "One trace as a tree: its spans in the order of the tree with depth, type, status, start and duration in \
            milliseconds, model, tool, tokens, cost and error messages, and its tags, metadata and assessments; no inputs and \
            outputs but their beginnings. Example: {\"trace_id\": \"4bf92f3577b34da6a3ce929d0e0e4736\"}. Read what a span was \
            given and gave with get_span.",
        parameters: &[
            TRACE_ID,
            Parameter::optional("errors_only", Kind::Boolean, "Only spans with status ERROR"),
            offset(
                ANY,
                "Spans to leave out before: next_offset of the answer before",
            ),
        ],
        run: trace::run,
        ..READS
    },
    Tool {
        name: "get_span",
        title: "Read a span",
        about: "One span. Without field: all its small columns, and size and beginning of inputs, outputs, attributes, \
            resource, events and links. With field: the text of that field from a byte on; join the texts of several calls, \
            each with the next_offset of the one before, to have it whole. Example: {\"trace_id\": \"..\", \"span_id\": \"..\", \
            \"field\": \"outputs\", \"offset\": 0, \"length\": 8000}. With field = attributes or resource, key gives the value \
            of one attribute alone.",
        parameters: &[
            TRACE_ID,
            Parameter::required(
                "span_id",
                ID,
                "Id of the span, from get_trace, search_text or sql",
            ),
            Parameter::optional(
                "field",
                Kind::Word(&span::FIELDS),
                "What to read; overview gives sizes and beginnings of all",
            ),
            Parameter::optional(
                "key",
                ID,
                "With field = attributes or resource: the name of one attribute",
            ),
            offset(
                ANY,
                "First byte of the text, in UTF-8: next_offset of the answer before",
            ),
            Parameter::optional(
                "length",
                Kind::Integer {
                    min: 1,
                    max: 200_000,
                    default: Some(200_000),
                },
                "Most bytes of the text; fewer are given when max_bytes does not hold them",
            ),
        ],
        run: span::run,
        ..READS
    },
    Tool {
        name: "metrics",
        title: "Metrics over time and groups",
        about: "Counts, sums, averages and percentiles over traces, spans or assessments, by group and time. Example: \
            {\"view\": \"traces\", \"metric\": \"latency\", \"aggregations\": [\"AVG\", \"P95\"], \"dimensions\": \
            [\"trace_name\"]}. Metrics of traces: trace_count, session_count, latency (ms), input_tokens, output_tokens, \
            total_tokens, cache_read_input_tokens, cache_creation_input_tokens (dimensions trace_name; of trace_count also \
            trace_status); of spans: span_count (span_name, span_type, span_status, span_model_name, span_model_provider), \
            latency (span_name, span_status), input_cost, output_cost, total_cost (span_model_name, span_model_provider); of \
            assessments: assessment_count (assessment_name, assessment_value), assessment_value (assessment_name).",
        parameters: &[
            Parameter::required("view", Kind::Word(&measure::VIEWS), "What is measured"),
            Parameter::required("metric", ID, "The metric, of those of the view"),
            Parameter::optional(
                "aggregations",
                Kind::Texts { items_max: 10 },
                "COUNT, SUM, AVG, MIN, MAX or P and a percentage, as P50, P99.9. Counts take COUNT alone and need none; \
                 others have AVG unless given",
            ),
            Parameter::optional(
                "dimensions",
                Kind::Texts { items_max: 5 },
                "What points are told apart by",
            ),
            Parameter::optional(
                "filters",
                Kind::Texts { items_max: 10 },
                "KEY = 'VALUE' each, all hold: trace.status, trace.tag.KEY, trace.metadata.KEY, span.name, span.status, \
                 span.type, assessment.name, assessment.type",
            ),
            Parameter::optional(
                "from",
                ID,
                "Earliest time: RFC 3339, a date, or how long ago (24h, 7d)",
            ),
            Parameter::optional(
                "to",
                ID,
                "Latest time, in the same forms; now unless given and from is",
            ),
            Parameter::optional(
                "interval_seconds",
                Kind::Integer {
                    min: 1,
                    max: 366 * 86_400,
                    default: None,
                },
                "A point for each bucket of so many seconds; needs from. Example: 3600",
            ),
            limit(1_000, 200, "Most points"),
            offset(
                ANY,
                "Points to leave out before: next_offset of the answer before",
            ),
        ],
        run: measure::metrics,
        ..READS
    },
    Tool {
        name: "sessions",
        title: "Sessions (conversations)",
        about: "Sessions: traces that share a session id, as the turns of a conversation, with their numbers of traces and \
            errors, times, tokens and cost; the last active first. Example: {\"filter\": \"state = 'ERROR'\", \"order_by\": \
            \"cost DESC\", \"limit\": 10}. The traces of one: search_traces with session = 'ID'.",
        parameters: &[
            Parameter::optional(
                "filter",
                TEXT,
                "Sessions of which some trace matches; the language is explained with search_traces",
            ),
            Parameter::optional(
                "order_by",
                ID,
                "KEY or KEY DESC: session_id, trace_count, error_count, first_request_time, last_request_time, total_tokens, \
                 cost",
            ),
            limit(200, 20, "Most sessions"),
            offset(
                ANY,
                "Sessions to leave out before: next_offset of the answer before",
            ),
        ],
        run: measure::sessions,
        ..READS
    },
    Tool {
        name: "explain_filter",
        title: "Check and explain a filter",
        about: "Checks a filter without giving traces: how many match, which indexes answer it, and notices, as of a tag that \
            no trace has or a value that a key never has. Use it when a filter is refused or finds nothing. Example: \
            {\"filter\": \"tags.evn = 'prod'\"}.",
        explains_filters: true,
        parameters: &[Parameter::required("filter", TEXT, "The filter")],
        run: explain::run,
        ..READS
    },
    Tool {
        name: "log_feedback",
        title: "Log feedback on a trace",
        about: "Stores a judgement of a trace or of one of its spans, to be found by feedback.NAME. Example: {\"trace_id\": \
            \"..\", \"name\": \"correctness\", \"value\": false, \"rationale\": \"The refund was promised twice\"}. Each call \
            adds one.",
        parameters: &[
            TRACE_ID,
            Parameter::required("name", ID, "What is judged. Example: correctness"),
            Parameter::required(
                "value",
                Kind::Json,
                "true, false, a number, a text, or any JSON value but null",
            ),
            Parameter::optional("rationale", TEXT, "Why"),
            Parameter::optional("span_id", ID, "The span it is about, when it is about one"),
            Parameter::optional(
                "source_type",
                Kind::Word(&write::SOURCE_TYPES),
                "Who judges: LLM_JUDGE for yourself, HUMAN when a person told you the judgement, CODE for a program",
            ),
            Parameter::optional(
                "source_id",
                ID,
                "Name of the judge. Example: the model or the person",
            ),
        ],
        effect: Effect::Writes {
            replaces: false,
            is_idempotent: false,
        },
        run: write::log_feedback,
        ..READS
    },
    Tool {
        name: "set_tag",
        title: "Set a tag of a trace",
        about: "Sets a tag of a trace, to be found by tags.KEY; a value that was there is replaced. Example: {\"trace_id\": \
            \"..\", \"key\": \"triage\", \"value\": \"tool timeout\"}.",
        parameters: &[
            TRACE_ID,
            Parameter::required("key", ID, "Key of the tag, at most 250 characters"),
            Parameter::required("value", Kind::Text { bytes_max: 1 << 20 }, "Its value"),
        ],
        effect: Effect::Writes {
            replaces: true,
            is_idempotent: true,
        },
        run: write::set_tag,
        ..READS
    },
    Tool {
        name: "dataset_add",
        title: "Add traces to a dataset",
        about: "Adds the traces that match a filter to an evaluation dataset, as records with their inputs, outputs and \
            expectations; a new version is made when something changed. A trace with the inputs of a record that is there \
            updates it. Example: {\"dataset\": \"regressions\", \"filter\": \"feedback.correctness = false\", \"limit\": 50, \
            \"create\": true}.",
        parameters: &[
            Parameter::required("dataset", ID, "Name of the dataset"),
            Parameter::required(
                "filter",
                TEXT,
                "Which traces; the language is explained with search_traces. Of one trace: trace_id = 'ID'",
            ),
            limit(10_000, 100, "Most records, newest traces first"),
            Parameter::optional(
                "create",
                Kind::Boolean,
                "Make the dataset when there is none of that name",
            ),
        ],
        effect: Effect::Writes {
            replaces: true,
            is_idempotent: true,
        },
        run: write::dataset_add,
        ..READS
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_say_what_they_are_for_within_bounds() {
        for tool in &ALL {
            let described = serde_json::to_value(tool.described(20_000)).unwrap();
            let about = described["description"].as_str().unwrap();
            assert!(about.contains("xample"), "{}", tool.name);
            assert!(about.len() < 2_600, "{}: {}", tool.name, about.len());
            assert!(!about.contains("  "), "{about}");
            for parameter in tool.all_parameters() {
                assert!(!parameter.about.is_empty() && !parameter.about.contains("  "));
            }
            let hints = &described["annotations"];
            assert_eq!(hints["readOnlyHint"], tool.effect == Effect::Reads);
        }
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|tool| tool.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
