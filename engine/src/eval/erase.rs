//! Taking erased traces out of runs: their scores go, also those of their sessions, and what a run's filter says of
//! them.

use std::collections::HashSet;

use serde_json::json;
use tracehouse_storage::columns::text;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;

use super::feedback::feedback_of;
use super::info::EvalRun;
use super::part::{Part, ScoreRow, part_batch};
use crate::catalog_entry::{described, entries};
use crate::database::Database;
use crate::dataset::{DatasetInfo, ErasedTexts};
use crate::error::Result;
use tracehouse_storage::manifest::CatalogFile;
use tracehouse_storage::store::Reassess;

/// What an erase took out of evaluation runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ScoresErased {
    /// Scores that runs lost.
    pub scores: u64,
    /// Runs whose filter lost something.
    pub texts: u64,
}

impl Database {
    /// Takes what is of these traces out of all runs, in one commit.
    pub(crate) fn erase_from_scores(&self, trace_ids: &[String]) -> Result<ScoresErased> {
        let _changes = self.catalog().lock_changes();
        let snapshot = self.snapshot()?;
        let mut done = ScoresErased::default();
        let runs = entries::<EvalRun>(snapshot.catalog())?;
        if runs.is_empty() {
            return Ok(done);
        }
        let traces: HashSet<&String> = trace_ids.iter().collect();
        let sessions = self.sessions_of(trace_ids)?;
        let is_theirs = |row: &ScoreRow| {
            row.trace_id.as_ref().is_some_and(|id| traces.contains(id))
                || (row.session_id.as_ref()).is_some_and(|id| sessions.contains(id))
        };
        let (mut add, mut remove) = (Vec::new(), Vec::new());
        let (mut lost, mut feedback) = (Lost::default(), Vec::new());
        for (mut part, file) in entries::<Part>(snapshot.catalog())? {
            let before = self.part(&file)?;
            let (gone, left): (Vec<ScoreRow>, Vec<ScoreRow>) =
                before.into_iter().partition(is_theirs);
            if gone.is_empty() {
                continue;
            }
            done.scores += gone.len() as u64;
            lost.count(&part.run_id, &gone);
            feedback.extend(gone.iter().filter_map(|row| feedback_of(&part.run_id, row)));
            part.row_count = left.len() as u64;
            remove.push(file.name);
            add.push(
                self.store()
                    .write_catalog_file(&part_batch(&left)?, described(&part)?)?,
            );
        }
        let texts = ErasedTexts::of(
            self.store(),
            trace_ids,
            runs.iter()
                .map(|(run, _)| said_by(run))
                .collect::<Vec<_>>()
                .iter(),
        )?;
        for (mut run, file) in runs {
            let loses_text = take_out(&texts, &mut run);
            done.texts += u64::from(loses_text);
            if loses_text | lost.take_from(&mut run) {
                remove.push(file.name.clone());
                add.push(CatalogFile {
                    meta_json: described(&run)?,
                    ..file
                });
            }
        }
        // Feedback of a session is on its first trace, which may stay.
        if !feedback.is_empty() {
            self.store().reassess(Reassess {
                removed: feedback,
                rows: Vec::new(),
            })?;
        }
        if !add.is_empty() {
            self.store().commit_catalog(add, remove)?;
        }
        Ok(done)
    }

    pub(super) fn sessions_of(&self, trace_ids: &[String]) -> Result<HashSet<String>> {
        let snapshot = self.snapshot()?;
        let keys: Vec<TraceKey> = trace_ids.iter().map(|id| TraceKey::of(id)).collect();
        let rows: Vec<_> = snapshot.find_traces(&keys)?.into_iter().flatten().collect();
        let batch = snapshot.read_rows(Table::Traces, &rows, &["session_id"])?;
        let sessions = text(&batch, "session_id")?.iter().flatten();
        Ok(sessions.map(str::to_string).collect())
    }
}

/// What runs lose of their totals.
#[derive(Default)]
struct Lost(std::collections::HashMap<String, (u64, u64)>);

impl Lost {
    fn count(&mut self, run_id: &str, gone: &[ScoreRow]) {
        let (rows, errors) = self.0.entry(run_id.to_string()).or_default();
        *rows += gone.len() as u64;
        *errors += gone.iter().filter(|row| row.error.is_some()).count() as u64;
    }

    fn take_from(&self, run: &mut EvalRun) -> bool {
        let Some((rows, errors)) = self.0.get(&run.run_id) else {
            return false;
        };
        debug_assert!(run.row_count >= *rows, "a run counts all its scores");
        run.row_count = run.row_count.saturating_sub(*rows);
        run.error_count = run.error_count.saturating_sub(*errors);
        true
    }
}

/// A run as the texts of datasets are looked through.
fn said_by(run: &EvalRun) -> DatasetInfo {
    // The names of its scorers are no trace's, though their feedback has them.
    let names: Vec<&str> = run.scorers.iter().map(|one| one.name.as_str()).collect();
    let is_default = run.name == names.join(", ");
    let mut info = DatasetInfo {
        name: if is_default {
            String::new()
        } else {
            run.name.clone()
        },
        dataset_id: run.run_id.clone(),
        ..DatasetInfo::default()
    };
    info.query = (run.filter.as_ref()).map(|filter| json!({ "filter": filter }).to_string());
    info
}

fn take_out(texts: &ErasedTexts, run: &mut EvalRun) -> bool {
    let mut info = said_by(run);
    if !texts.take_out(&mut info) {
        return false;
    }
    if !info.name.is_empty() {
        run.name = info.name;
    }
    if run.filter.is_some() {
        let left = (info.query.as_deref())
            .and_then(|query| serde_json::from_str::<serde_json::Value>(query).ok());
        let left = left
            .as_ref()
            .and_then(|query| query.get("filter")?.as_str());
        run.filter = Some(left.unwrap_or("[erased]").to_string());
    }
    true
}
