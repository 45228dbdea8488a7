//! OpenTelemetry's semantic conventions for generative AI, all versions.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, Cost, InputTokens, Inputs, Operation, OutputTokens,
    Outputs, Provider, RequestModel, ResponseModel, SpanType, ThreadId, ToolName, TotalTokens,
    UserId,
};
use super::{Others, Producer, Words, key};

/// The words of `gen_ai.operation.name`.
const OPERATIONS: &[(&str, &str)] = &[
    ("chat", "CHAT_MODEL"),
    ("create_agent", "AGENT"),
    ("invoke_agent", "AGENT"),
    ("invoke_workflow", "WORKFLOW"),
    ("execute_task", "TASK"),
    ("embeddings", "EMBEDDING"),
    ("embedding", "EMBEDDING"),
    ("execute_tool", "TOOL"),
    ("generate_content", "LLM"),
    ("text_completion", "LLM"),
    ("completion", "LLM"),
    ("model_generation", "LLM"),
    ("llm_call", "LLM"),
    // Google ADK.
    ("call_llm", "LLM"),
    // Semantic Kernel.
    ("chat.completions", "CHAT_MODEL"),
    ("text.completions", "LLM"),
    ("tool_call", "TOOL"),
    ("agent_call", "AGENT"),
    ("agent_step", "CHAIN"),
    ("execute_event_loop_cycle", "CHAIN"),
    ("framework", "CHAIN"),
    ("vector_db_retrieve", "RETRIEVER"),
    ("response", "LLM"),
    ("retrieval", "RETRIEVER"),
    ("rerank", "RERANKER"),
    ("image", "LLM"),
    ("text_to_speech", "LLM"),
    // Pipecat.
    ("tts", "LLM"),
    ("stt", "LLM"),
    ("chain", "CHAIN"),
    ("plan", "CHAIN"),
    ("fetch_response", "LLM"),
    ("image_generation", "LLM"),
    ("transcription", "LLM"),
    ("create_memory_store", "MEMORY"),
    ("search_memory", "MEMORY"),
    ("create_memory", "MEMORY"),
    ("update_memory", "MEMORY"),
    ("upsert_memory", "MEMORY"),
    ("delete_memory", "MEMORY"),
    ("delete_memory_store", "MEMORY"),
    ("run_guardrail", "GUARDRAIL"),
    ("apply_guardrail", "GUARDRAIL"),
    ("guardrail", "GUARDRAIL"),
    ("guardrail.run", "GUARDRAIL"),
    ("guard", "GUARDRAIL"),
];

/// What was found in a memory, or is put into it: outputs of a search, inputs of any other operation.
pub(in crate::semconv) const MEMORY_RECORDS: &str = "gen_ai.memory.records";
/// The operation that finds them.
pub(in crate::semconv) const SEARCH_MEMORY: &str = "search_memory";

pub(super) const PRODUCER: Producer = Producer {
    keys: &[
        key(SpanType, "gen_ai.operation.name"),
        key(Operation, "gen_ai.operation.name"),
        key(ResponseModel, "gen_ai.response.model"),
        key(RequestModel, "gen_ai.request.model"),
        key(Provider, "gen_ai.provider.name"),
        key(Provider, "gen_ai.system"),
        key(ToolName, "gen_ai.tool.name"),
        key(InputTokens, "gen_ai.usage.input_tokens"),
        key(InputTokens, "gen_ai.usage.prompt_tokens"),
        key(OutputTokens, "gen_ai.usage.output_tokens"),
        key(OutputTokens, "gen_ai.usage.completion_tokens"),
        key(TotalTokens, "gen_ai.usage.total_tokens"),
        key(CacheReadTokens, "gen_ai.usage.cache_read.input_tokens"),
        key(CacheReadTokens, "gen_ai.usage.cache_read_input_tokens"),
        key(CacheReadTokens, "gen_ai.usage.input_cached_tokens"),
        key(CacheReadTokens, "gen_ai.usage.cached_tokens"),
        key(CacheCreationTokens, "gen_ai.usage.cache_write.input_tokens"),
        key(CacheCreationTokens, "gen_ai.usage.cache_write_input_tokens"),
        key(
            CacheCreationTokens,
            "gen_ai.usage.cache_creation.input_tokens",
        ),
        key(
            CacheCreationTokens,
            "gen_ai.usage.cache_creation_input_tokens",
        ),
        key(Cost, "gen_ai.usage.cost"),
        key(Cost, "gen_ai.usage.total_cost"),
        key(Cost, "gen_ai.cost.total_cost"),
        key(Inputs, "gen_ai.input.messages"),
        key(Inputs, "gen_ai.tool.call.arguments"),
        key(Inputs, "gen_ai.retrieval.query.text"),
        key(Inputs, "gen_ai.memory.query.text"),
        key(Inputs, MEMORY_RECORDS),
        key(Inputs, "gen_ai.guardrail.security.content.input.value"),
        key(Inputs, "gen_ai.prompt"),
        key(Outputs, "gen_ai.output.messages"),
        key(Outputs, "gen_ai.tool.call.result"),
        key(Outputs, "gen_ai.retrieval.documents"),
        key(Outputs, MEMORY_RECORDS),
        key(Outputs, "gen_ai.guardrail.security.content.output.value"),
        key(Outputs, "gen_ai.guardrail.verdict.type"),
        key(Outputs, "gen_ai.completion"),
        key(ThreadId, "gen_ai.conversation.id"),
        // Azure's agents.
        key(ThreadId, "gen_ai.thread.id"),
        key(UserId, "enduser.id"),
        key(UserId, "gen_ai.user"),
        key(UserId, "gen_ai.request.user"),
    ],
    words: &[Words {
        key: "gen_ai.operation.name",
        types: OPERATIONS,
        others: Others::Nothing,
    }],
    indexed_inputs: &["gen_ai.prompt."],
    indexed_outputs: &["gen_ai.completion."],
    ..Producer::new(
        "OpenTelemetry GenAI",
        "https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/",
    )
};
