//! Haystack's own tracing: what a component, pipeline or agent got and gave, types by the names of classes.

use super::Concern::{Inputs, Outputs, SpanType};
use super::{Others, Producer, Words, key};

/// How names of component classes end, longer endings first.
const COMPONENTS: &[(&str, &str)] = &[
    ("Generator", "LLM"),
    ("Embedder", "EMBEDDING"),
    ("Retriever", "RETRIEVER"),
    ("Ranker", "RERANKER"),
    ("ToolInvoker", "TOOL"),
    ("Builder", "CHAIN"),
    ("Agent", "AGENT"),
];

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "haystack.component.type"),
        key(Inputs, "haystack.component.input"),
        key(Inputs, "haystack.agent.input"),
        key(Inputs, "haystack.pipeline.input_data"),
        key(Outputs, "haystack.component.output"),
        key(Outputs, "haystack.agent.output"),
        key(Outputs, "haystack.pipeline.output_data"),
    ],
    words: &[Words { key: "haystack.component.type", types: COMPONENTS, others: Others::BySuffix }],
    ..Producer::new("Haystack", "https://docs.haystack.deepset.ai/docs/tracing")
};
