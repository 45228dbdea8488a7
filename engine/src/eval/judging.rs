//! Judging a chunk: every scorer looks at every item, items side by side.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;
use tracehouse_eval::{Item, Needs, Score, ScoreError, ScoreErrorKind, Scorer};

use super::info::is_judge;
use super::items::{Items, Keyed};
use super::judge_traces::JudgeCalls;
use super::part::ScoreRow;
#[cfg(feature = "sql")]
use super::sql_scorer::SqlScorer;
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// A scorer of a run.
#[derive(Clone)]
#[non_exhaustive]
pub enum EvalScorer {
    /// One that looks at an item at a time.
    Each(Arc<dyn Scorer>),
    /// An expression of SQL over the table of what is judged.
    #[cfg(feature = "sql")]
    Sql(SqlScorer),
}

impl EvalScorer {
    /// The name of its scores.
    pub fn name(&self) -> &str {
        match self {
            Self::Each(scorer) => scorer.name(),
            #[cfg(feature = "sql")]
            Self::Sql(scorer) => scorer.name(),
        }
    }

    /// Its version.
    pub fn version(&self) -> &str {
        match self {
            Self::Each(scorer) => scorer.version(),
            #[cfg(feature = "sql")]
            Self::Sql(scorer) => scorer.version(),
        }
    }

    /// What it is and with what settings.
    pub fn definition(&self) -> Value {
        match self {
            Self::Each(scorer) => scorer.definition(),
            #[cfg(feature = "sql")]
            Self::Sql(scorer) => scorer.definition(),
        }
    }

    /// Whether it asks a model.
    pub fn is_judge(&self) -> bool {
        is_judge(&self.definition())
    }

    pub(super) fn needs(&self) -> Needs {
        match self {
            Self::Each(scorer) => scorer.needs(),
            #[cfg(feature = "sql")]
            Self::Sql(_) => Needs::default(),
        }
    }
}

impl From<Arc<dyn Scorer>> for EvalScorer {
    fn from(scorer: Arc<dyn Scorer>) -> Self {
        Self::Each(scorer)
    }
}

/// What became of a chunk.
pub(super) struct Judged {
    /// In the order of the items, then of the scorers.
    pub rows: Vec<ScoreRow>,
    /// Why not all items were judged.
    pub given_up: Option<Error>,
}

/// Judges the items of a chunk; the calls of judges are kept where that is wanted.
pub(super) fn judge(
    db: &Database,
    scorers: &[EvalScorer],
    chunk: &[Keyed],
    items: &Items,
    concurrency: Option<usize>,
    calls: Option<&JudgeCalls>,
) -> Result<Judged> {
    #[cfg(feature = "sql")]
    let answers = super::sql_scorer::answers(db, scorers, chunk, items)?;
    let threads = concurrency
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
        .clamp(1, chunk.len().max(1));
    let (next, now_ns) = (AtomicUsize::new(0), db.store().env().now_ns());
    let work = || {
        let mut done: Vec<(usize, Vec<ScoreRow>)> = Vec::new();
        while items.snapshot.interrupt().check().is_ok() {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(keyed) = chunk.get(place) else { break };
            let _kept = calls.map(|calls| calls.of_item(keyed));
            let rows = scorers.iter().enumerate().map(|(number, scorer)| {
                #[cfg(not(feature = "sql"))]
                let _ = number;
                let started = Instant::now();
                let said = match scorer {
                    EvalScorer::Each(scorer) => caught(scorer.as_ref(), &keyed.item),
                    #[cfg(feature = "sql")]
                    EvalScorer::Sql(scorer) => answers.of(scorer, number, place),
                };
                row(scorer, keyed, said, started, now_ns)
            });
            let rows: Vec<ScoreRow> = rows.collect();
            // A judge that was cancelled said nothing: its item waits for the run to go on.
            if rows.iter().any(was_cancelled) {
                break;
            }
            done.push((place, rows));
        }
        done
    };
    let mut done = if threads == 1 {
        work()
    } else {
        std::thread::scope(|scope| -> Result<_> {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            let mut done = Vec::new();
            for worker in workers {
                let part = worker.join();
                done.extend(part.map_err(|_| Error::internal("a thread of scorers failed"))?);
            }
            Ok(done)
        })?
    };
    done.sort_unstable_by_key(|(place, _)| *place);
    let given_up = (done.len() < chunk.len()).then(|| match items.snapshot.interrupt().check() {
        Err(error) => Error::from(error),
        Ok(()) => Error::new(ErrorKind::Cancelled, "a judge was cancelled"),
    });
    Ok(Judged {
        rows: done.into_iter().flat_map(|(_, rows)| rows).collect(),
        given_up,
    })
}

fn was_cancelled(row: &ScoreRow) -> bool {
    let word = row
        .error
        .as_deref()
        .and_then(|error| error.split(':').next());
    word == Some(ScoreErrorKind::Cancelled.word())
}

/// A scorer that panics, or gives no value, fails on its item alone.
fn caught(scorer: &dyn Scorer, item: &Item) -> std::result::Result<Score, ScoreError> {
    let failed = |how: &str| {
        let message = format!("the scorer {} {how}", scorer.name());
        Err(ScoreError::new(ScoreErrorKind::Scorer, message))
    };
    match catch_unwind(AssertUnwindSafe(|| scorer.score(item))) {
        Err(_) => failed("panicked"),
        Ok(Ok(score)) if score.value.is_null() => failed("gave no value"),
        Ok(said) => said,
    }
}

fn row(
    scorer: &EvalScorer,
    keyed: &Keyed,
    said: std::result::Result<Score, ScoreError>,
    started: Instant,
    now_ns: i64,
) -> ScoreRow {
    let mut row = ScoreRow {
        scorer: scorer.name().to_string(),
        scorer_version: scorer.version().to_string(),
        trace_id: keyed.trace_id.clone(),
        span_id: keyed.key.span_id.clone(),
        dataset_record_id: keyed.key.dataset_record_id.clone(),
        session_id: keyed.key.session_id.clone(),
        duration_ns: i64::try_from(started.elapsed().as_nanos()).unwrap_or(i64::MAX),
        created_at_ns: now_ns,
        ..ScoreRow::default()
    };
    match said {
        Ok(score) => {
            row.value_number = score.number();
            row.value = Some(score.value.to_string());
            row.passed = score.passed;
            row.rationale = score.rationale;
            row.cost_usd = score.cost_usd;
            if let Some(question) = score.question {
                (row.question_key, row.answer) = (Some(question.key), Some(question.answer));
            }
        }
        Err(error) => row.error = Some(error.to_string()),
    }
    row
}
