//! Log records and events that say what a span was asked and what it answered, by the name of the event.

use super::Concern::{
    self, CacheCreationTokens, CacheReadTokens, Cost, InputTokens, Inputs, OutputTokens, Outputs,
    RequestModel, ToolName,
};

/// What a record says.
#[derive(Debug, Clone, Copy)]
pub(in crate::semconv) enum Says {
    /// One message of the inputs, by this role; the body or the attributes are its members.
    Message(&'static str),
    /// One message of the outputs.
    Choice,
    /// Its attributes are those that spans have.
    Attributes,
    /// What these attributes say: of inputs the first record that has some, of outputs the last; counts and costs
    /// are added.
    Keys(&'static [(Concern, &'static str)]),
    /// What the members `input` and `output` of its body have: lists of messages.
    Conversation,
    /// Something of the span that no column has.
    Nothing,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(in crate::semconv) struct LogEvent {
    pub(in crate::semconv) name: &'static str,
    pub(in crate::semconv) says: Says,
}

const fn event(name: &'static str, says: Says) -> LogEvent {
    LogEvent { name, says }
}

/// The scope whose events have the names of Claude Code, which are plain words.
pub(in crate::semconv) const CLAUDE_CODE_SCOPE: &str = "com.anthropic.claude_code.events";
/// What is put before those names, as its bodies have them.
pub(in crate::semconv) const CLAUDE_CODE_PREFIX: &str = "claude_code.";

/// All events that are kept.
pub(in crate::semconv) const EVENTS: &[LogEvent] = &[
    // OpenTelemetry GenAI before 1.37, https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/gen-ai-events.md
    event("gen_ai.system.message", Says::Message("system")),
    event("gen_ai.user.message", Says::Message("user")),
    event("gen_ai.assistant.message", Says::Message("assistant")),
    event("gen_ai.tool.message", Says::Message("tool")),
    event("gen_ai.choice", Says::Choice),
    // Since then, https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
    event(
        "gen_ai.client.inference.operation.details",
        Says::Attributes,
    ),
    event("gen_ai.evaluation.result", Says::Nothing),
    event(
        "gen_ai.content.prompt",
        Says::Keys(&[(Inputs, "gen_ai.prompt")]),
    ),
    event(
        "gen_ai.content.completion",
        Says::Keys(&[(Outputs, "gen_ai.completion")]),
    ),
    // Claude Code, https://code.claude.com/docs/en/monitoring-usage
    event("claude_code.user_prompt", Says::Keys(&[(Inputs, "prompt")])),
    event(
        "claude_code.assistant_response",
        Says::Keys(&[(Outputs, "response"), (RequestModel, "model")]),
    ),
    event(
        "claude_code.api_request",
        Says::Keys(&[
            (RequestModel, "model"),
            // Counts the tokens that neither came from the cache nor went into it.
            (InputTokens, "input_tokens"),
            (InputTokens, "cache_read_tokens"),
            (InputTokens, "cache_creation_tokens"),
            (OutputTokens, "output_tokens"),
            (CacheReadTokens, "cache_read_tokens"),
            (CacheCreationTokens, "cache_creation_tokens"),
            (Cost, "cost_usd"),
        ]),
    ),
    event(
        "claude_code.tool_result",
        Says::Keys(&[(Inputs, "tool_input"), (Inputs, "tool_parameters")]),
    ),
    event("claude_code.system_prompt", Says::Nothing),
    event("claude_code.tool", Says::Nothing),
    event("claude_code.tool_decision", Says::Nothing),
    event("claude_code.api_error", Says::Nothing),
    // Gemini CLI, https://github.com/google-gemini/gemini-cli/blob/main/docs/cli/telemetry.md
    event("gemini_cli.user_prompt", Says::Keys(&[(Inputs, "prompt")])),
    event(
        "gemini_cli.api_request",
        Says::Keys(&[(Inputs, "request_text"), (RequestModel, "model")]),
    ),
    event(
        "gemini_cli.api_response",
        Says::Keys(&[
            (Outputs, "response_text"),
            (RequestModel, "model"),
            (InputTokens, "input_token_count"),
            (OutputTokens, "output_token_count"),
            (CacheReadTokens, "cached_content_token_count"),
        ]),
    ),
    event("gemini_cli.api_error", Says::Nothing),
    event(
        "gemini_cli.tool_call",
        Says::Keys(&[(ToolName, "function_name"), (Inputs, "function_args")]),
    ),
];
