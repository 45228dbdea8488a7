//! The tables that statements name, with the columns whose values do not differ from one database to the next.

use crate::differential::tree::Type;

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Int,
    Float,
    Text,
    Bool,
    Time,
    /// `List<Utf8>`.
    List,
    /// `Map<Utf8, Utf8>`.
    Map,
}

impl Kind {
    /// The type of its values in an expression; lists and maps have forms of their own.
    pub fn value(self) -> Option<Type> {
        match self {
            Kind::Int => Some(Type::Int),
            Kind::Float => Some(Type::Float),
            Kind::Text => Some(Type::Text),
            Kind::Bool => Some(Type::Bool),
            Kind::Time => Some(Type::Time),
            Kind::List | Kind::Map => None,
        }
    }
}

/// A table or view.
pub struct Table {
    pub name: &'static str,
    /// Columns that no two rows have in common.
    pub key: &'static [&'static str],
    /// `kind: names` pieces.
    columns: &'static [(Kind, &'static str)],
}

impl Table {
    pub fn columns(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.columns
            .iter()
            .flat_map(|(kind, names)| names.split(' ').map(move |name| (name, *kind)))
    }
}

pub const TABLES: &[Table] = &[
    Table {
        name: "traces",
        key: &["trace_id"],
        columns: &[
            (
                Kind::Text,
                "trace_id experiment_id name state service_name session_id user_id client_request_id",
            ),
            (
                Kind::Text,
                "request_preview response_preview inputs outputs",
            ),
            (Kind::Time, "request_time end_time"),
            (
                Kind::Int,
                "duration_ns span_count error_span_count input_tokens output_tokens total_tokens",
            ),
            (
                Kind::Int,
                "cache_read_input_tokens cache_creation_input_tokens",
            ),
            (Kind::Float, "cost_usd"),
            (Kind::List, "models"),
            (Kind::Map, "tags metadata"),
        ],
    },
    Table {
        name: "spans",
        key: &["trace_id", "span_id"],
        columns: &[
            (
                Kind::Text,
                "trace_id span_id parent_span_id experiment_id session_id user_id name span_type kind",
            ),
            (
                Kind::Text,
                "status status_message service_name scope_name scope_version operation model provider",
            ),
            (Kind::Text, "tool_name inputs outputs attributes resource"),
            (Kind::Time, "start_time end_time"),
            (
                Kind::Int,
                "duration_ns input_tokens output_tokens total_tokens",
            ),
            (
                Kind::Int,
                "cache_read_input_tokens cache_creation_input_tokens",
            ),
            (Kind::Float, "cost_usd"),
        ],
    },
    Table {
        name: "assessments",
        key: &[],
        columns: &[
            (
                Kind::Text,
                "trace_id span_id name type value source_type source_id rationale",
            ),
            (Kind::Float, "value_number"),
            (Kind::Bool, "valid"),
        ],
    },
    Table {
        name: "sessions",
        key: &["session_id", "experiment_id"],
        columns: &[
            (Kind::Text, "session_id experiment_id user_id"),
            (Kind::Int, "trace_count error_count total_tokens"),
            (Kind::Time, "first_request_time last_request_time"),
            (Kind::Float, "cost_usd"),
        ],
    },
    Table {
        name: "messages",
        key: &["trace_id", "span_id", "direction", "index"],
        columns: &[
            (Kind::Text, "trace_id span_id direction role content"),
            (Kind::Int, "index"),
        ],
    },
    Table {
        name: "events",
        key: &[],
        columns: &[
            (Kind::Text, "trace_id span_id name attributes"),
            (Kind::Time, "time"),
        ],
    },
    Table {
        name: "tags",
        key: &["trace_id", "key"],
        columns: &[(Kind::Text, "trace_id key value")],
    },
    Table {
        name: "metadata",
        key: &["trace_id", "key"],
        columns: &[(Kind::Text, "trace_id key value")],
    },
];
