//! The producers' tables as plain rows, for documentation.

use serde::Serialize;

use super::producers::{Concern, Into, PRODUCERS, Producer};

/// One attribute key that is understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Convention {
    /// Who sends it.
    pub producer: &'static str,
    /// Where the producer documents its keys.
    pub source: &'static str,
    /// The key; `N` stands for a number and `*` for a name.
    pub key: String,
    /// What it fills: a column of `spans`, or of `traces` for what a root span says of its trace.
    pub fills: &'static str,
}

/// All attribute keys that fill typed columns, by producer, in the order in which they are believed.
///
/// ```
/// let conventions = tracehouse::conventions();
/// assert!(conventions.iter().any(|c| c.key == "gen_ai.usage.input_tokens" && c.fills == "input_tokens"));
/// ```
pub fn conventions() -> Vec<Convention> {
    PRODUCERS.iter().flat_map(of_producer).collect()
}

fn of_producer(producer: &Producer) -> Vec<Convention> {
    let row = |key: String, fills: &'static str| Convention {
        producer: producer.name,
        source: producer.source,
        key,
        fills,
    };
    let mut rows = Vec::new();
    for key in producer.keys {
        let fills = column(key.concern);
        match key.members {
            [] => rows.push(row(key.name.to_string(), fills)),
            members => rows.push(row(format!("{} ({})", key.name, members.join(", ")), fills)),
        }
    }
    rows.extend(
        producer
            .indexed_inputs
            .iter()
            .map(|prefix| row(format!("{prefix}N.*"), "inputs")),
    );
    rows.extend(
        producer
            .indexed_outputs
            .iter()
            .map(|prefix| row(format!("{prefix}N.*"), "outputs")),
    );
    rows.extend(producer.entries.iter().map(|entries| {
        let fills = match entries.into {
            Into::Tags => "traces.tags",
            Into::Metadata => "traces.metadata",
        };
        row(format!("{}*", entries.prefix), fills)
    }));
    rows
}

fn column(concern: Concern) -> &'static str {
    match concern {
        Concern::SpanType => "span_type",
        Concern::Operation => "operation",
        Concern::ResponseModel | Concern::RequestModel => "model",
        Concern::Provider => "provider",
        Concern::ToolName => "tool_name",
        Concern::InputTokens => "input_tokens",
        Concern::OutputTokens => "output_tokens",
        Concern::TotalTokens => "total_tokens",
        Concern::CacheReadTokens => "cache_read_input_tokens",
        Concern::CacheCreationTokens => "cache_creation_input_tokens",
        Concern::Cost | Concern::CostPart => "cost_usd",
        Concern::Inputs => "inputs",
        Concern::Outputs => "outputs",
        Concern::SessionId | Concern::ThreadId => "session_id",
        Concern::UserId => "user_id",
        Concern::TraceName => "traces.name",
        Concern::TraceLabels => "traces.tags",
        Concern::TraceMetadata => "traces.metadata",
        Concern::Level => "status",
        Concern::LevelMessage => "status_message",
    }
}
