//! What a scorer sees, what it says, and the trait between the two.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One thing to judge: a trace, a span, a session or a dataset record. What a scorer does not need
/// ([`Scorer::needs`]) may be left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Item {
    /// The trace that it is of, when it is of one.
    pub trace_id: Option<String>,
    /// What the application was asked, as JSON.
    pub inputs: Option<Value>,
    /// What it answered, as JSON.
    pub outputs: Option<Value>,
    /// What a person reads of the inputs.
    pub input_text: Option<String>,
    /// What a person reads of the outputs.
    pub output_text: Option<String>,
    /// What was expected, by name: `expected_response`, `expected_facts`, `expected_tool_calls`, `guidelines`, ...
    pub expectations: Map<String, Value>,
    /// The calls of tools, in order of their starts.
    pub tool_calls: Vec<ToolCall>,
    /// Texts of the documents that were retrieved, in order.
    pub documents: Vec<String>,
    /// The turns of a session or of a conversation, in order.
    pub messages: Vec<Turn>,
    /// From start to end, in nanoseconds.
    pub duration_ns: Option<u64>,
    /// Tokens of the whole trace.
    pub total_tokens: Option<u64>,
    /// Cost of the whole trace, in US dollars.
    pub cost_usd: Option<f64>,
}

/// A tool that was called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments, `Null` when they are not known.
    #[serde(default)]
    pub arguments: Value,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What it says.
    pub text: String,
}

/// The costly parts of an [`Item`] that a scorer looks at; metadata is always there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Inputs and outputs.
    pub texts: bool,
    /// Tool calls and documents, which are read from the spans.
    pub spans: bool,
    /// The messages of a conversation.
    pub messages: bool,
}

impl Needs {
    /// What both need.
    pub fn and(self, other: Self) -> Self {
        Self {
            texts: self.texts || other.texts,
            spans: self.spans || other.spans,
            messages: self.messages || other.messages,
        }
    }
}

/// What a scorer says of one item.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// A boolean, a number or a text.
    pub value: Value,
    /// Whether it is good enough; `None` when the scorer only measures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// Why, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    /// What the judgement cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// What was asked and answered for it, by a judge.
    #[serde(skip)]
    pub question: Option<Box<Question>>,
}

/// A question that a judge asked: its key in a [`JudgeCache`](crate::judge::JudgeCache), and the answer kept there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The key.
    pub key: String,
    /// The [`CachedAnswer`](crate::judge::CachedAnswer) as JSON text.
    pub answer: String,
}

impl Score {
    /// A judgement that is good or bad, with its reason when it is bad.
    pub fn verdict(passed: bool, rationale: impl FnOnce() -> String) -> Self {
        Self {
            value: Value::Bool(passed),
            passed: Some(passed),
            rationale: (!passed).then(rationale),
            ..Self::default()
        }
    }

    /// A measure from 0 to 1 or of any size, neither good nor bad by itself.
    pub fn measure(value: f64) -> Self {
        Self {
            value: serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number),
            ..Self::default()
        }
    }

    /// The value as a number: a number itself, 1 for true and 0 for false.
    pub fn number(&self) -> Option<f64> {
        match &self.value {
            Value::Bool(value) => Some(f64::from(*value)),
            Value::Number(value) => value.as_f64(),
            _ => None,
        }
    }
}

/// Why an item got no score. An error is a row of the run, never a score of zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreError {
    /// What kind of trouble.
    pub kind: ScoreErrorKind,
    /// What is at fault and what would be right.
    pub message: String,
}

/// Kinds of [`ScoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ScoreErrorKind {
    /// The item lacks what the scorer compares: an output, an expectation.
    Missing,
    /// The item has it in a form that the scorer cannot read.
    Unreadable,
    /// The judge's server was not reached, or answered with an error, after all retries.
    Server,
    /// The judge's server was asked too often, after all retries.
    RateLimited,
    /// The judge's answer was not of the form asked for, after all retries.
    Malformed,
    /// No answer in the time allowed.
    Timeout,
    /// The run's budget is spent.
    Budget,
    /// The run was cancelled.
    Cancelled,
    /// The scorer itself failed.
    Scorer,
}

impl ScoreErrorKind {
    /// All kinds.
    const ALL: [Self; 9] = [
        Self::Missing,
        Self::Unreadable,
        Self::Server,
        Self::RateLimited,
        Self::Malformed,
        Self::Timeout,
        Self::Budget,
        Self::Cancelled,
        Self::Scorer,
    ];

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word that stands before the message: `missing`, `rate_limited`, ...
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::Server => "server",
            Self::RateLimited => "rate_limited",
            Self::Malformed => "malformed",
            Self::Timeout => "timeout",
            Self::Budget => "budget",
            Self::Cancelled => "cancelled",
            Self::Scorer => "scorer",
        }
    }
}

impl ScoreError {
    /// An error of a kind.
    pub fn new(kind: ScoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for ScoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.word(), self.message)
    }
}

impl std::error::Error for ScoreError {}

/// Judges one item at a time, from many threads.
pub trait Scorer: Send + Sync {
    /// The name of its scores.
    fn name(&self) -> &str;

    /// Its version: changes when the same item may get another score.
    fn version(&self) -> &str;

    /// What it is and with what settings, so that it can be made again ([`crate::scorer::from_definition`]).
    fn definition(&self) -> Value;

    /// The costly parts of items that it looks at.
    fn needs(&self) -> Needs;

    /// Judges one item.
    ///
    /// # Errors
    /// When the item cannot be judged: what it lacks, or what went wrong.
    fn score(&self, item: &Item) -> Result<Score, ScoreError>;
}
