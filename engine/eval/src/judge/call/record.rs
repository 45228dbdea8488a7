//! A record of every call, for whoever stores the judges' own traces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Turn;

/// One call to the server, whatever came of it. The key is in none of it, unless an item holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeCall {
    /// The judge's name.
    pub judge: String,
    /// The judge's version.
    pub judge_version: String,
    /// The model that was asked for.
    pub model: String,
    /// The model that answered, by the server's word.
    pub answer_model: Option<String>,
    /// What was sent.
    pub messages: Vec<Turn>,
    /// What the model wrote, when the call brought an answer.
    pub answer: Option<String>,
    /// What went wrong, when it brought none.
    pub error: Option<String>,
    /// 0 for the first try of these messages, 1 for the first retry, ...
    pub attempt: u32,
    /// Tokens of the question, when the server told them.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, when the server told them.
    pub output_tokens: Option<u64>,
    /// What it cost, in US dollars, when that is known.
    pub cost_usd: Option<f64>,
    /// When it was sent.
    pub started: Instant,
    /// From then to the end.
    pub duration: Duration,
}

/// Is given every call, in the thread that judges.
pub type Observer = Arc<dyn Fn(&JudgeCall) + Send + Sync>;
