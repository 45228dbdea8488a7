//! The one reader of message formats: what a person and a model said to each other, from the payload
//! of a span as its producer sent it.
//!
//! It stands behind view `messages`, previews of traces, `show` and datasets, so that all of them
//! read a format or none does. A payload is JSON text or plain text. Understood are OTel GenAI
//! (`role` and `parts`, system instructions), OpenAI chat and Responses, Anthropic, Gemini, Bedrock
//! Converse, Vercel AI, LangChain and LangGraph, LlamaIndex, Haystack, Strands, AutoGen,
//! pydantic-ai, Genkit, messages put together from indexed keys, and lists of retrieved documents.
//!
//! ```text
//! payload or attributes (telling, indexed)
//!         -> walk (wrappers: messages, choices, contents, ...) -> message (one JSON object) -> Message
//!            (role: who speaks; calls: items of calls)         -> content (parts to text)
//! ```
//!
//! Invariants
//! * A payload of a shape that is not known has no messages; it is never an error.
//! * Text is decoded: escapes of JSON are what they stand for. Structure that has no text stays the
//!   JSON that was sent, byte by byte.
//! * Nesting is followed to a fixed depth (`WRAPPERS_MAX`), so a payload cannot exhaust the stack.

mod calls;
mod content;
mod indexed;
mod message;
mod preview;
mod role;
mod shape;
mod telling;
mod walk;

#[cfg(test)]
mod tests;

pub use indexed::assemble;
#[cfg(feature = "sql")]
pub(crate) use preview::escaped_unit;
pub use preview::{decode_unicode_escapes, decoded, readable};
pub use telling::{given, made, telling, tells};
pub use walk::{read, read_instructions};

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant`, `tool`, `document`, or the producer's own word in lower case.
    pub role: String,
    /// What it says; `None` when it says nothing.
    pub content: Option<Content>,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text, decoded; images and the like stand in it as `[image]`.
    Text(String),
    /// Text, decoded, and calls of tools.
    TextAndCalls {
        /// The text alone.
        text: String,
        /// The text and below it the calls as a person reads them.
        all: String,
    },
    /// Calls of tools and nothing else, as a person reads them: `name(arguments)`.
    ToolCalls(String),
    /// Structure without text, as it was sent.
    Json(String),
}

impl Content {
    /// A text and the calls beside it.
    fn text_and_calls(text: String, calls: &str) -> Self {
        let all = format!("{text}\n{calls}");
        Self::TextAndCalls { text, all }
    }

    /// The column `content` of view `messages`: text with calls below it, calls, else the JSON that was sent.
    pub fn as_sent(&self) -> &str {
        match self {
            Self::Text(text) | Self::TextAndCalls { all: text, .. } | Self::ToolCalls(text) => text,
            Self::Json(json) => json,
        }
    }

    /// As a person reads it: calls where there is no text.
    pub fn as_text(&self) -> &str {
        match self {
            Self::Text(text) | Self::TextAndCalls { text, .. } | Self::ToolCalls(text) => text,
            Self::Json(json) => json,
        }
    }
}

/// Which payload of a span is read, which tells who speaks where a message does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What the span was given.
    Input,
    /// What the span made.
    Output,
    /// What a tool answered.
    ToolOutput,
    /// What was retrieved: each item of a list is a document where it is no message.
    Retrieved,
}

impl Side {
    /// That of the outputs of a span with this type.
    pub fn of_outputs(span_type: &str) -> Self {
        match span_type {
            "TOOL" => Self::ToolOutput,
            "RETRIEVER" | "RERANKER" | "MEMORY" => Self::Retrieved,
            _ => Self::Output,
        }
    }

    /// Who speaks in text that names nobody.
    fn default_role(self) -> &'static str {
        match self {
            Self::Input => "user",
            Self::Output => "assistant",
            Self::ToolOutput => "tool",
            Self::Retrieved => "document",
        }
    }
}
