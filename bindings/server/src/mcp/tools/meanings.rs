//! The tables of SQL and the keys of filters, in words: types and meanings of all columns. A test compares them with what
//! the database has.

/// One table of SQL.
pub(super) struct TableMeaning {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Name, type, meaning; an empty meaning where the name says it all.
    pub(super) columns: &'static [(&'static str, &'static str, &'static str)],
}

/// The tables, those that are asked most first.
pub(super) static TABLES: [TableMeaning; 16] = [
    TableMeaning {
        name: "traces",
        about: "a row per trace: one request to an application",
        columns: &[
            ("trace_id", "text", ""),
            (
                "experiment_id",
                "text",
                "scope the trace belongs to, '0' by default",
            ),
            ("name", "text", "trace name, else that of the root span"),
            (
                "state",
                "text",
                "OK, ERROR, IN_PROGRESS or STATE_UNSPECIFIED",
            ),
            ("request_time", "time", "first start of a span"),
            ("end_time", "time", "last end of a span"),
            ("duration_ns", "int", ""),
            ("service_name", "text", ""),
            ("session_id", "text", "conversation"),
            ("user_id", "text", ""),
            ("client_request_id", "text", ""),
            ("request_preview", "text", "beginning of what was asked"),
            ("response_preview", "text", "beginning of what was answered"),
            ("span_count", "int", ""),
            ("error_span_count", "int", "spans with status ERROR"),
            (
                "input_tokens",
                "int",
                "of all model calls, none counted twice",
            ),
            ("output_tokens", "int", ""),
            ("total_tokens", "int", ""),
            ("cache_read_input_tokens", "int", ""),
            ("cache_creation_input_tokens", "int", ""),
            ("cost_usd", "float", ""),
            ("models", "list", "models used"),
            ("tags", "map", "mutable labels: tags['env']"),
            ("metadata", "map", "set at start: metadata['k']"),
            ("inputs", "text", "of the root span; large"),
            ("outputs", "text", "of the root span; large"),
        ],
    },
    TableMeaning {
        name: "spans",
        about: "a row per span: one step, as a model or tool call",
        columns: &[
            ("trace_id", "text", ""),
            ("span_id", "text", ""),
            ("parent_span_id", "text", "NULL for the root"),
            ("experiment_id", "text", ""),
            ("session_id", "text", ""),
            ("user_id", "text", ""),
            ("name", "text", ""),
            (
                "span_type",
                "text",
                "LLM, CHAT_MODEL, AGENT, TOOL, RETRIEVER, CHAIN, EMBEDDING, .., UNKNOWN",
            ),
            ("kind", "text", "INTERNAL, CLIENT, SERVER, .."),
            ("status", "text", "OK, ERROR or UNSET"),
            ("status_message", "text", "error message"),
            ("start_time", "time", ""),
            ("end_time", "time", "NULL while open"),
            ("duration_ns", "int", ""),
            ("service_name", "text", ""),
            ("scope_name", "text", "instrumentation library"),
            ("scope_version", "text", ""),
            ("operation", "text", "chat, execute_tool, .."),
            ("model", "text", ""),
            ("provider", "text", ""),
            ("tool_name", "text", "tool that was called"),
            ("input_tokens", "int", ""),
            ("output_tokens", "int", ""),
            ("total_tokens", "int", ""),
            ("cache_read_input_tokens", "int", ""),
            ("cache_creation_input_tokens", "int", ""),
            ("cost_usd", "float", ""),
            ("cost_source", "text", "reported or computed"),
            (
                "inputs",
                "text",
                "what the step was given; large, often JSON",
            ),
            ("outputs", "text", "what it gave; large, often JSON"),
            (
                "attributes",
                "text",
                "JSON object of all attributes: attributes->>'key'; large",
            ),
            (
                "resource",
                "text",
                "JSON object of the process: resource->>'key'",
            ),
            (
                "events",
                "list",
                "of time, name, attributes; see table events",
            ),
            ("links", "list", "of trace_id, span_id, attributes"),
            ("extra", "text", "JSON object of further OTLP fields"),
        ],
    },
    TableMeaning {
        name: "assessments",
        about: "feedback and expectations on traces and spans",
        columns: &[
            ("assessment_id", "text", ""),
            ("trace_id", "text", ""),
            ("span_id", "text", "NULL when about the trace"),
            ("name", "text", "what is judged"),
            ("type", "text", "feedback, expectation or issue"),
            ("value", "text", "JSON text: 'true', '0.5', '\"good\"'"),
            ("value_number", "float", "of numbers"),
            ("source_type", "text", "HUMAN, LLM_JUDGE or CODE"),
            ("source_id", "text", "who"),
            ("rationale", "text", "why"),
            ("error_code", "text", ""),
            ("error_message", "text", ""),
            ("metadata", "map", ""),
            ("overrides", "text", "assessment that this one replaces"),
            ("valid", "bool", "false once replaced"),
            ("created_at", "time", ""),
            ("updated_at", "time", ""),
        ],
    },
    TableMeaning {
        name: "sessions",
        about: "a row per session of traces",
        columns: &[
            ("session_id", "text", ""),
            ("experiment_id", "text", ""),
            ("user_id", "text", ""),
            ("trace_count", "int", ""),
            ("error_count", "int", ""),
            ("first_request_time", "time", ""),
            ("last_request_time", "time", ""),
            ("total_tokens", "int", ""),
            ("cost_usd", "float", ""),
        ],
    },
    TableMeaning {
        name: "messages",
        about: "chat messages read out of inputs and outputs of spans",
        columns: &[
            ("trace_id", "text", ""),
            ("span_id", "text", ""),
            ("direction", "text", "input or output"),
            ("index", "int", "place in the conversation"),
            ("role", "text", "user, assistant, system, tool"),
            ("content", "text", "large"),
        ],
    },
    TableMeaning {
        name: "events",
        about: "points inside spans, as exceptions",
        columns: &[
            ("trace_id", "text", ""),
            ("span_id", "text", ""),
            ("time", "time", ""),
            ("name", "text", ""),
            ("attributes", "text", "JSON object"),
        ],
    },
    TableMeaning {
        name: "tags",
        about: "tags of traces, a row each",
        columns: &[
            ("trace_id", "text", ""),
            ("key", "text", ""),
            ("value", "text", ""),
        ],
    },
    TableMeaning {
        name: "metadata",
        about: "metadata of traces, a row each",
        columns: &[
            ("trace_id", "text", ""),
            ("key", "text", ""),
            ("value", "text", ""),
        ],
    },
    TableMeaning {
        name: "datasets",
        about: "evaluation datasets, as their newest versions are",
        columns: &[
            ("dataset_id", "text", ""),
            ("name", "text", ""),
            ("version", "int", ""),
            ("record_count", "int", ""),
            ("created_at", "time", ""),
            ("updated_at", "time", ""),
            ("experiment_ids", "text", "JSON list"),
            ("tags", "map", ""),
            ("query", "text", "filter it was made by"),
            ("schema", "text", "JSON: types of its records"),
        ],
    },
    TableMeaning {
        name: "dataset_records",
        about: "records of all versions of datasets",
        columns: &[
            ("dataset_record_id", "text", ""),
            ("dataset_id", "text", ""),
            ("dataset", "text", "name"),
            ("version", "int", ""),
            ("inputs", "text", "JSON; large"),
            ("outputs", "text", "JSON; large"),
            ("expectations", "text", "JSON"),
            ("tags", "text", "JSON"),
            ("source_type", "text", ""),
            ("source_trace_id", "text", "trace it was made of"),
            ("source_span_id", "text", ""),
            ("source_data", "text", "JSON"),
            ("content_hash", "text", ""),
            ("created_at", "time", ""),
            ("updated_at", "time", ""),
        ],
    },
    TableMeaning {
        name: "eval_runs",
        about: "evaluation runs of scorers over traces or datasets",
        columns: &[
            ("run_id", "text", ""),
            ("name", "text", ""),
            ("created_at", "time", ""),
            ("state", "text", "RUNNING, DONE, FAILED or CANCELLED"),
            ("source", "text", "traces, dataset or sessions"),
            ("dataset_id", "text", ""),
            ("dataset_version", "int", ""),
            ("filter", "text", ""),
            ("scorers", "text", "JSON"),
            ("row_count", "int", ""),
            ("error_count", "int", ""),
            ("cost_usd", "float", ""),
        ],
    },
    TableMeaning {
        name: "scores",
        about: "scores of evaluation runs",
        columns: &[
            ("run_id", "text", ""),
            ("scorer", "text", ""),
            ("scorer_version", "text", ""),
            ("trace_id", "text", ""),
            ("span_id", "text", ""),
            ("dataset_record_id", "text", ""),
            ("value", "text", "JSON"),
            ("value_number", "float", ""),
            ("passed", "bool", ""),
            ("rationale", "text", ""),
            ("error", "text", ""),
            ("duration_ns", "int", ""),
            ("cost_usd", "float", ""),
            ("created_at", "time", ""),
        ],
    },
    TableMeaning {
        name: "prompts",
        about: "prompts by name",
        columns: &[
            ("name", "text", ""),
            ("tags", "map", ""),
            ("created_at", "time", ""),
            ("latest_version", "int", ""),
        ],
    },
    TableMeaning {
        name: "prompt_versions",
        about: "versions of prompts; trace_prompts says which traces used them",
        columns: &[
            ("name", "text", ""),
            ("version", "int", ""),
            ("template", "text", "JSON"),
            ("type", "text", "text or chat"),
            ("commit_message", "text", ""),
            ("tags", "map", ""),
            ("aliases", "text", "JSON"),
            ("created_at", "time", ""),
        ],
    },
    TableMeaning {
        name: "trace_prompts",
        about: "prompt versions that traces used",
        columns: &[
            ("trace_id", "text", ""),
            ("prompt_name", "text", ""),
            ("prompt_version", "text", ""),
        ],
    },
    TableMeaning {
        name: "registered_scorers",
        about: "scorers that watch new traces",
        columns: &[
            ("name", "text", ""),
            ("version", "text", ""),
            ("definition", "text", "JSON"),
            ("filter", "text", ""),
            ("sample_rate", "float", ""),
            ("active", "bool", ""),
        ],
    },
];

/// The keys of filters, by what they are about.
pub(super) static FILTER_KEYS: [(&str, &str); 6] = [
    (
        "trace",
        "trace_id, name, state, timestamp, end_time, duration (with a unit: 5s) or duration_ms, session, user, experiment_id, \
         service_name, client_request_id, run_id, model (any used), input_tokens, output_tokens, total_tokens, cost, span_count, \
         error_span_count, request_preview, response_preview, prompt, dataset",
    ),
    (
        "span",
        "span.name, span.type, span.status, span.kind, span.id, span.parent_id, span.model, span.provider, span.tool, \
         span.duration_ms, span.start_time_ms, span.input_tokens, span.output_tokens, span.total_tokens, span.cost, span.inputs, \
         span.outputs, span.attributes.KEY, resource.KEY",
    ),
    (
        "labels",
        "tags.KEY, metadata.KEY, feedback.NAME, expectation.NAME, assessment.NAME, feedback.NAME.source, issue.id; a KEY with \
         other signs in backticks: tags.`my key`",
    ),
    (
        "text",
        "trace.text or span.content: LIKE, ILIKE, RLIKE for patterns, MATCHES for words and phrases",
    ),
    (
        "values",
        "texts in single quotes ('it''s'), numbers bare, true and false; times as '2026-01-31', '2026-01-31T12:00:00Z', Unix \
         milliseconds or now() - 7d",
    ),
    (
        "absence",
        "a clause on something absent is false, also != and NOT IN; KEY IS NULL says that it is absent; NOT (..) is every other \
         trace",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tracehouse::Database;

    use super::*;

    /// The word for a type as the catalogue names it.
    fn word(sql: &str) -> &'static str {
        match sql {
            "VARCHAR" => "text",
            "BIGINT" | "BIGINT UNSIGNED" | "INTEGER" | "INTEGER UNSIGNED" => "int",
            "DOUBLE" => "float",
            "BOOLEAN" => "bool",
            other if other.starts_with("TIMESTAMP") => "time",
            other if other.starts_with("MAP") => "map",
            other if other.ends_with("[]") => "list",
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_column_of_the_database_has_its_meaning() {
        let db = Database::in_memory().unwrap();
        let statement = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_name != 'prices' ORDER BY table_name, ordinal_position";
        let mut real: BTreeMap<String, Vec<(String, &str)>> = BTreeMap::new();
        for row in db.sql_rows::<(String, String, String)>(statement).unwrap() {
            let (table, column, sql) = row.unwrap();
            real.entry(table).or_default().push((column, word(&sql)));
        }
        for table in &TABLES {
            let told = table.columns.iter();
            let told: Vec<(String, &str)> = told
                .map(|(name, kind, _)| (name.to_string(), *kind))
                .collect();
            assert_eq!(real.remove(table.name), Some(told), "{}", table.name);
        }
        assert_eq!(real, BTreeMap::new());
    }

    #[test]
    fn every_key_is_one_of_the_language() {
        for (about, keys) in &FILTER_KEYS[..2] {
            for key in keys.split(", ") {
                let key = key.split(' ').next().unwrap().replace("KEY", "k");
                let filter = format!("{key} IS NULL");
                tracehouse::check_filter(&filter)
                    .unwrap_or_else(|e| panic!("{about}: {filter}: {e}"));
            }
        }
    }
}
