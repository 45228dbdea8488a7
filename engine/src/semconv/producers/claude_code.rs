//! Claude Code and the Claude Agent SDK, whose keys are plain words: read only where `span.type` is.
//! Its `input_tokens` leave out what came from the cache; `usage` adds it.

use super::Concern::{
    CacheCreationTokens, CacheReadTokens, InputTokens, Inputs, OutputTokens, Outputs, RequestModel,
    SpanType, ToolName,
};
use super::{Others, Producer, Words, key};

/// The key that marks its spans.
pub(in crate::semconv) const MARK: &str = "span.type";

/// Counts the tokens that neither came from the cache nor went into it.
pub(in crate::semconv) const INPUT_TOKENS: &str = "input_tokens";

pub(super) const PRODUCER: Producer = Producer {
    marks: &[MARK],
    keys: &[
        key(SpanType, MARK),
        key(RequestModel, "model"),
        key(ToolName, "tool_name"),
        key(InputTokens, INPUT_TOKENS),
        key(OutputTokens, "output_tokens"),
        key(CacheReadTokens, "cache_read_tokens"),
        key(CacheCreationTokens, "cache_creation_tokens"),
        key(Inputs, "user_prompt"),
        key(Inputs, "tool_input"),
        key(Inputs, "new_context"),
        key(Inputs, "full_command"),
        key(Inputs, "file_path"),
        key(Outputs, "response.model_output"),
        key(Outputs, "tool_output"),
    ],
    words: &[Words {
        key: MARK,
        types: &[
            ("interaction", "AGENT"),
            ("claude_code.interaction", "AGENT"),
            ("llm_request", "LLM"),
            ("claude_code.llm_request", "LLM"),
            ("tool", "TOOL"),
            ("claude_code.tool", "TOOL"),
            // Parts of a call, without its content: as tools they would count twice.
            ("tool.execution", "TASK"),
            ("tool.blocked_on_user", "TASK"),
            // VoltAgent's words for the same key.
            ("llm", "LLM"),
            ("memory", "MEMORY"),
        ],
        others: Others::Nothing,
    }],
    ..Producer::new(
        "Claude Code",
        "https://code.claude.com/docs/en/monitoring-usage",
    )
};
