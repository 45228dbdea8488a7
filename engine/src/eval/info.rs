//! What a run says of itself: kept as JSON text beside its file's name in the manifest.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog_entry::Entry;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum EvalState {
    /// It is being carried out, or was when its process ended; [`resume_eval`](crate::Database::resume_eval) goes on.
    Running,
    /// Everything of its source has a score or an error.
    Done,
    /// It ended by an error; what it had stored is kept.
    Failed,
    /// It was given up; what it had stored is kept.
    Cancelled,
}

impl EvalState {
    /// The word in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Done => "DONE",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

/// A scorer of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScorerInfo {
    /// The name of its scores.
    pub name: String,
    /// Changes when the same item may get another score.
    pub version: String,
    /// What it is and with what settings.
    pub definition: Value,
}

/// An evaluation run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EvalRun {
    /// `r-` + 32 hex.
    pub run_id: String,
    /// What it was called, or its scorers' names.
    pub name: String,
    /// Unix nanoseconds.
    pub created_at_ns: i64,
    /// When it last stored scores, Unix nanoseconds.
    pub updated_at_ns: i64,
    /// How far it is.
    pub state: EvalState,
    /// `traces`, `spans`, `sessions`, `dataset` or `given`.
    pub source: String,
    /// The dataset whose records were judged.
    #[serde(default)]
    pub dataset_id: Option<String>,
    /// Its version.
    #[serde(default)]
    pub dataset_version: Option<u32>,
    /// The filter that chose the traces.
    #[serde(default)]
    pub filter: Option<String>,
    /// Most items that were judged.
    #[serde(default)]
    pub limit: Option<usize>,
    /// Its scorers, in order.
    pub scorers: Vec<ScorerInfo>,
    /// Scores, errors included.
    pub row_count: u64,
    /// Scores that are errors.
    pub error_count: u64,
    /// What its judges cost, in US dollars; `None` when none says.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// Sequence number of the snapshot that it last read.
    pub snapshot_sequence: u64,
    /// The registered scorer whose scores it collects.
    #[serde(default)]
    pub monitor: Option<String>,
}

impl ScorerInfo {
    /// Whether it asks a model.
    pub fn is_judge(&self) -> bool {
        is_judge(&self.definition)
    }
}

/// Whether a definition is a judge's.
pub(super) fn is_judge(definition: &Value) -> bool {
    definition.get("kind").and_then(Value::as_str) == Some("judge")
}

impl Entry for EvalRun {
    const KIND: &'static str = "eval_run";
}
