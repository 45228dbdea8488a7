//! What to judge, and how.

use std::fmt;
use std::sync::Arc;

use tracehouse_eval::Item;
use tracehouse_query::search::Search;

use crate::sessions::SessionSearch;

/// What a run judges.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EvalSource {
    /// The traces that a search finds, in its order.
    Traces(Search),
    /// The spans that a search finds, newest first.
    Spans(Search),
    /// Sessions, each as one conversation.
    Sessions(SessionSearch),
    /// The records of a dataset; of its newest version when none is named.
    Dataset {
        /// The dataset's name.
        name: String,
        /// Its version.
        version: Option<u32>,
    },
    /// Items that the caller made, each of which is told by its trace, span or record.
    Given(Vec<GivenItem>),
}

/// An item that a caller made.
#[derive(Debug, Clone, Default)]
pub struct GivenItem {
    /// The trace that it is of; its feedback goes there.
    pub trace_id: Option<String>,
    /// The span that it is of.
    pub span_id: Option<String>,
    /// The record that it is of; an item without any of the three is told by its place.
    pub dataset_record_id: Option<String>,
    /// What scorers see.
    pub item: Item,
}

/// Told of items judged, and how many there are.
pub type EvalProgress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// How a run is carried out.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct EvalOptions {
    /// What it is called; its scorers' names unless given.
    pub name: Option<String>,
    /// Items judged at the same time: those of slow scorers such as LLM judges wait for others. As many as the machine
    /// has processors unless given.
    pub concurrency: Option<usize>,
    /// Items whose scores are committed together.
    pub chunk_items: Option<usize>,
    /// Whether the scores are put on traces as feedback, too; they are unless this is false.
    pub feedback: Option<bool>,
    /// The experiment in which each call of a judge is stored as a trace; none is stored unless given.
    pub judge_traces: Option<String>,
    /// Told of what is done.
    pub progress: Option<EvalProgress>,
}

impl fmt::Debug for EvalOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvalOptions")
            .field("name", &self.name)
            .field("concurrency", &self.concurrency)
            .field("chunk_items", &self.chunk_items)
            .field("feedback", &self.feedback)
            .field("judge_traces", &self.judge_traces)
            .finish_non_exhaustive()
    }
}

impl EvalOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the run.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Judges so many items at the same time.
    pub fn concurrency(mut self, items: usize) -> Self {
        self.concurrency = Some(items);
        self
    }

    /// Commits the scores of so many items together.
    pub fn chunk_items(mut self, items: usize) -> Self {
        self.chunk_items = Some(items);
        self
    }

    /// Puts scores on traces as feedback, or not.
    pub fn feedback(mut self, feedback: bool) -> Self {
        self.feedback = Some(feedback);
        self
    }

    /// Stores each call of a judge whose client has [`judge_observer`](super::judge_observer) as a trace of this
    /// experiment. An answer that is kept from before is no call. They are erased with what they judged; runs over traces,
    /// and registered scorers, find them unless their filter leaves the experiment out.
    pub fn judge_traces(mut self, experiment_id: impl Into<String>) -> Self {
        self.judge_traces = Some(experiment_id.into());
        self
    }

    /// Tells of what is done.
    pub fn progress(mut self, progress: EvalProgress) -> Self {
        self.progress = Some(progress);
        self
    }
}
