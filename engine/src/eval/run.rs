//! Carrying out a run: items are read, judged and stored a chunk at a time, the next chunk being read while one is
//! judged.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::PoisonError;

use tracehouse_eval::Needs;
use tracehouse_storage::manifest::CatalogFile;
use tracehouse_storage::model::check_id;

use super::info::{EvalRun, EvalState, ScorerInfo};
use super::items::{Items, Keyed, Selection};
use super::judge_traces::JudgeCalls;
use super::judging::{EvalScorer, Judged, judge};
use super::options::{EvalOptions, EvalSource};
use super::part::{ItemKey, Part, ScoreRow, part_batch, part_schema, scores_of};
use crate::catalog_entry::{described, entries};
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// Items whose scores are committed together.
const CHUNK_ITEMS: usize = 2_048;
/// A finished run of more parts than this, small ones, becomes one part.
const PARTS_MAX: usize = 8;
/// A run is told by the beginning of its id from so many bytes on.
const RUN_ID_BYTES_MIN: usize = 6;
/// A part with fewer scores is small.
const PART_ROWS_MIN: u64 = 4_096;

impl Database {
    /// Judges everything of a source by each scorer, and stores what they say: as rows of the table `scores` and, unless
    /// the options say otherwise, as feedback on the traces. Nothing that is there is replaced: a second run of the same
    /// scorers adds its own scores. What a scorer cannot judge is a row with an error.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::eval::{EvalOptions, EvalSource, rule};
    /// use tracehouse::{NewRecord, Search};
    /// let dataset = db.create_dataset("questions")?;
    /// dataset.merge(&[NewRecord::new(r#"{"q": "2 + 2"}"#)
    ///     .outputs(r#""4""#)
    ///     .expectations(r#"{"expected_response": "4"}"#)])?;
    /// let source = EvalSource::Dataset { name: "questions".into(), version: None };
    /// let run = db.evaluate(&source, &[rule("exact_match")?], &EvalOptions::new())?;
    /// assert_eq!((run.row_count, run.error_count), (1, 0));
    /// assert_eq!(db.eval_scores(&run.run_id)?[0].passed, Some(true));
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` without scorers, for two of one name or a wrong filter; `NotFound` for a dataset that is not there;
    /// `Cancelled` when it is given up, and whatever reading and writing give: what was stored by then is kept, and
    /// [`resume_eval`](Self::resume_eval) goes on.
    pub fn evaluate(
        &self,
        source: &EvalSource,
        scorers: &[EvalScorer],
        options: &EvalOptions,
    ) -> Result<EvalRun> {
        self.start_eval(source, scorers, options, None, &Selection::default())
    }

    /// Starts a run, perhaps one that collects the scores of a registered scorer.
    pub(super) fn start_eval(
        &self,
        source: &EvalSource,
        scorers: &[EvalScorer],
        options: &EvalOptions,
        monitor: Option<String>,
        selection: &Selection,
    ) -> Result<EvalRun> {
        check_scorers(scorers)?;
        if options
            .name
            .as_ref()
            .is_some_and(|name| name.trim().is_empty())
        {
            return Err(Error::invalid_input("the name of the run is empty"));
        }
        check_judge_traces(options, monitor.is_some())?;
        #[cfg(feature = "sql")]
        super::sql_scorer::check(self, scorers, source)?;
        let items = Items::find(self, source, selection)?;
        let run = new_run(self, source, scorers, options, &items, monitor);
        let _held = self.hold_eval(&run.run_id)?;
        self.commit_head(&run)?;
        Running::new(self, scorers, options, run).finish(&items)
    }

    /// Goes on with a run that was interrupted: what has no score in it yet is judged, in the source as it is now.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); `NotFound` when there is no such run; `InvalidInput` when the scorers are not
    /// those of the run, with their versions; `Conflict` while it is being carried out.
    pub fn resume_eval(
        &self,
        run_id: &str,
        source: &EvalSource,
        scorers: &[EvalScorer],
        options: &EvalOptions,
    ) -> Result<EvalRun> {
        self.continue_eval(run_id, source, scorers, options, &Selection::default())
    }

    /// Goes on with a run over what a selection takes of its source, and has no scores yet.
    pub(super) fn continue_eval(
        &self,
        run_id: &str,
        source: &EvalSource,
        scorers: &[EvalScorer],
        options: &EvalOptions,
        selection: &Selection,
    ) -> Result<EvalRun> {
        let _held = self.hold_eval(run_id)?;
        let (run, _) = self.find_run(run_id)?;
        check_same(&run, scorers)?;
        let (mut left, mut last) = (Selection::default(), Vec::new());
        check_judge_traces(options, run.monitor.is_some())?;
        left.sample = selection.sample;
        if run.monitor.is_none() {
            left.calls = self.judge_call_ids(&run.run_id)?;
        }
        let parts = self.parts(run_id)?;
        for (_, file) in &parts {
            last = self.part(file)?;
            left.done.extend(last.iter().map(ScoreRow::item_key));
        }
        let items = Items::find(self, source, &left)?;
        if run.state == EvalState::Done && items.len() == 0 {
            return Ok(run);
        }
        let was_cut_short = run.state != EvalState::Done;
        let mut running = Running::new(self, scorers, options, run);
        running.next_part = parts.last().map_or(0, |(part, _)| part.number + 1);
        // The process may have ended between the last part and its feedback.
        if was_cut_short && running.with_feedback() {
            self.put_feedback(&running.run, &last, true)?;
        }
        running.finish(&items)
    }

    /// All runs, newest first.
    ///
    /// # Errors
    /// `Corrupt` when the manifest describes one that cannot be read.
    pub fn eval_runs(&self) -> Result<Vec<EvalRun>> {
        let found = entries::<EvalRun>(self.snapshot()?.catalog())?;
        let mut runs: Vec<EvalRun> = found.into_iter().map(|(run, _)| run).collect();
        runs.sort_by(|a, b| (b.created_at_ns, &b.run_id).cmp(&(a.created_at_ns, &a.run_id)));
        Ok(runs)
    }

    /// A run by its id, the beginning of its id, or its name; of several with one name the newest.
    ///
    /// # Errors
    /// `NotFound` when there is none; `InvalidInput` when ids of several begin so.
    pub fn eval_run(&self, run: &str) -> Result<EvalRun> {
        let runs = self.eval_runs()?;
        if let Some(found) = (runs.iter()).find(|one| one.run_id == run || one.name == run) {
            return Ok(found.clone());
        }
        let is_enough = run.len() >= RUN_ID_BYTES_MIN;
        let begins = |one: &&EvalRun| is_enough && one.run_id.starts_with(run);
        let mut begin = runs.iter().filter(begins);
        match (begin.next(), begin.next()) {
            (Some(found), None) => Ok(found.clone()),
            (Some(_), Some(_)) => Err(Error::invalid_input(format!(
                "the ids of several runs begin with {run:?}: more of it is needed"
            ))),
            _ => Err(Error::not_found(format!(
                "evaluation run {run:?} not found"
            ))),
        }
    }

    /// The scores of a run, in the order in which they were stored.
    ///
    /// # Errors
    /// `NotFound` when there is no such run, `Corrupt` or `Io` from its files.
    pub fn eval_scores(&self, run_id: &str) -> Result<Vec<ScoreRow>> {
        let (run, _) = self.find_run(run_id)?;
        let mut scores = Vec::new();
        for (_, file) in self.parts(&run.run_id)? {
            scores.extend(self.part(&file)?);
        }
        Ok(scores)
    }

    /// Deletes a run with its scores; the feedback that it gave stays on its traces.
    ///
    /// # Errors
    /// `NotFound` when there is no such run, `Conflict` while it is being carried out.
    pub fn delete_eval(&self, run_id: &str) -> Result<()> {
        let _held = self.hold_eval(run_id)?;
        let (run, head) = self.find_run(run_id)?;
        let _changes = self.catalog().lock_changes();
        let parts = self.parts(&run.run_id)?.into_iter();
        let mut remove: Vec<String> = parts.map(|(_, file)| file.name).collect();
        remove.push(head.name);
        Ok(self.store().commit_catalog(Vec::new(), remove)?)
    }

    pub(crate) fn find_run(&self, run_id: &str) -> Result<(EvalRun, CatalogFile)> {
        let found = entries::<EvalRun>(self.snapshot()?.catalog())?;
        found
            .into_iter()
            .find(|(run, _)| run.run_id == run_id)
            .ok_or_else(|| Error::not_found(format!("evaluation run {run_id:?} not found")))
    }

    /// The parts of a run, in order.
    pub(crate) fn parts(&self, run_id: &str) -> Result<Vec<(Part, CatalogFile)>> {
        let mut parts = entries::<Part>(self.snapshot()?.catalog())?;
        parts.retain(|(part, _)| part.run_id == run_id);
        parts.sort_by_key(|(part, _)| part.number);
        Ok(parts)
    }

    pub(crate) fn part(&self, file: &CatalogFile) -> Result<Vec<ScoreRow>> {
        let batches = self.store().read_catalog_file(file, &part_schema())?;
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(scores_of(batch)?);
        }
        Ok(rows)
    }

    fn commit_head(&self, run: &EvalRun) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        let head = self
            .store()
            .write_catalog_file(&part_batch(&[])?, described(run)?)?;
        Ok(self.store().commit_catalog(vec![head], Vec::new())?)
    }

    /// Keeps others from carrying out the same run.
    fn hold_eval(&self, run_id: &str) -> Result<Held<'_>> {
        let mut running = self.catalog().running();
        if !running.insert(run_id.to_string()) {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("evaluation run {run_id:?} is being carried out"),
            ));
        }
        Ok(Held {
            database: self,
            run_id: run_id.to_string(),
        })
    }
}

/// A run that is being carried out.
struct Held<'d> {
    database: &'d Database,
    run_id: String,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.database.catalog().running().remove(&self.run_id);
    }
}

/// Calls for registered scorers would be traces that these judge in turn.
fn check_judge_traces(options: &EvalOptions, is_monitor: bool) -> Result<()> {
    let Some(experiment_id) = &options.judge_traces else {
        return Ok(());
    };
    if is_monitor {
        return Err(Error::invalid_input(
            "calls of registered judges are not stored as traces: they would be judged in turn",
        ));
    }
    Ok(check_id("experiment id", experiment_id)?)
}

fn check_scorers(scorers: &[EvalScorer]) -> Result<()> {
    if scorers.is_empty() {
        return Err(Error::invalid_input("a run needs a scorer"));
    }
    let mut names = HashSet::new();
    match scorers.iter().find(|scorer| !names.insert(scorer.name())) {
        Some(twice) => Err(Error::invalid_input(format!(
            "two scorers are named {:?}: each of a run needs its own name",
            twice.name()
        ))),
        None => Ok(()),
    }
}

/// The scorers of a run that goes on are those it began with.
fn check_same(run: &EvalRun, scorers: &[EvalScorer]) -> Result<()> {
    let began: Vec<(&str, &str)> = (run.scorers.iter())
        .map(|scorer| (scorer.name.as_str(), scorer.version.as_str()))
        .collect();
    let given: Vec<(&str, &str)> = scorers
        .iter()
        .map(|scorer| (scorer.name(), scorer.version()))
        .collect();
    if began == given {
        return Ok(());
    }
    let said = |all: &[(&str, &str)]| {
        let all: Vec<String> = all
            .iter()
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        all.join(", ")
    };
    Err(Error::invalid_input(format!(
        "run {} began with the scorers {}, not {}: start a new run",
        run.run_id,
        said(&began),
        said(&given)
    )))
}

fn new_run(
    db: &Database,
    source: &EvalSource,
    scorers: &[EvalScorer],
    options: &EvalOptions,
    items: &Items,
    monitor: Option<String>,
) -> EvalRun {
    let env = db.store().env();
    let now_ns = env.now_ns();
    let names: Vec<&str> = scorers.iter().map(EvalScorer::name).collect();
    let (word, filter, limit) = match source {
        EvalSource::Traces(search) => ("traces", Some(&search.filter), search.limit),
        EvalSource::Spans(search) => ("spans", Some(&search.filter), search.limit),
        EvalSource::Sessions(search) => ("sessions", Some(&search.filter), search.limit),
        EvalSource::Dataset { .. } => ("dataset", None, None),
        EvalSource::Given(_) => ("given", None, None),
    };
    EvalRun {
        run_id: format!("r-{:032x}", env.new_ulid()),
        name: options.name.clone().unwrap_or_else(|| names.join(", ")),
        created_at_ns: now_ns,
        updated_at_ns: now_ns,
        state: EvalState::Running,
        source: word.to_string(),
        dataset_id: items.dataset.as_ref().map(|(id, _)| id.clone()),
        dataset_version: items.dataset.as_ref().map(|(_, version)| *version),
        filter: filter.cloned().filter(|filter| !filter.is_empty()),
        limit,
        scorers: scorers
            .iter()
            .map(|scorer| ScorerInfo {
                name: scorer.name().to_string(),
                version: scorer.version().to_string(),
                definition: scorer.definition(),
            })
            .collect(),
        row_count: 0,
        error_count: 0,
        cost_usd: None,
        snapshot_sequence: items.snapshot.sequence(),
        monitor,
    }
}

struct Running<'d> {
    db: &'d Database,
    scorers: &'d [EvalScorer],
    options: &'d EvalOptions,
    run: EvalRun,
    next_part: u32,
    calls: JudgeCalls,
}

impl<'d> Running<'d> {
    fn new(
        db: &'d Database,
        scorers: &'d [EvalScorer],
        options: &'d EvalOptions,
        run: EvalRun,
    ) -> Self {
        Self {
            db,
            scorers,
            options,
            run,
            next_part: 0,
            calls: JudgeCalls::default(),
        }
    }

    fn with_feedback(&self) -> bool {
        self.options.feedback.unwrap_or(true)
    }

    /// Judges all items, and says at the end how it ended.
    fn finish(mut self, items: &Items) -> Result<EvalRun> {
        self.run.snapshot_sequence = items.snapshot.sequence();
        let ended = self.judge_all(items);
        self.run.state = match &ended {
            Ok(()) => EvalState::Done,
            Err(error) if error.kind() == ErrorKind::Cancelled => EvalState::Cancelled,
            Err(_) => EvalState::Failed,
        };
        let said = self.merge_parts().and_then(|()| self.commit(&[]));
        ended.and(said)?;
        Ok(self.run)
    }

    fn judge_all(&mut self, items: &Items) -> Result<()> {
        let needs = self
            .scorers
            .iter()
            .map(EvalScorer::needs)
            .fold(Needs::default(), Needs::and);
        let (len, step) = (items.len(), self.chunk_items());
        let mut at = 0;
        let mut chunk = items.read(self.db, range(at, step, len), needs)?;
        self.tell(0, len);
        while !chunk.is_empty() {
            let next = range(at + step, step, len);
            let read = std::thread::scope(|scope| {
                let reader = scope.spawn(|| items.read(self.db, next, needs));
                self.judge_chunk(items, &chunk)?;
                reader
                    .join()
                    .unwrap_or_else(|_| Err(Error::internal("reading the next items failed")))
            })?;
            at += step;
            self.tell(at.min(len), len);
            chunk = read;
        }
        Ok(())
    }

    fn chunk_items(&self) -> usize {
        self.options.chunk_items.unwrap_or(CHUNK_ITEMS).max(1)
    }

    fn tell(&self, done: usize, all: usize) {
        if let Some(progress) = &self.options.progress {
            progress(done as u64, all as u64);
        }
    }

    /// Stores what was judged, also of a chunk that was given up.
    fn judge_chunk(&mut self, items: &Items, chunk: &[Keyed]) -> Result<()> {
        let keeps_calls = self.options.judge_traces.is_some();
        let judged = judge(
            self.db,
            self.scorers,
            chunk,
            items,
            self.options.concurrency,
            keeps_calls.then_some(&self.calls),
        );
        if let Some(experiment_id) = &self.options.judge_traces {
            self.db
                .store_judge_calls(&self.run, experiment_id, &self.calls)?;
        }
        let Judged { rows, given_up } = judged?;
        let rows = self.db.redacted_scores(rows)?;
        self.commit(&rows)?;
        if self.with_feedback() {
            self.db.put_feedback(&self.run, &rows, false)?;
        }
        given_up.map_or(Ok(()), Err)
    }

    /// Stores scores with the run's new totals; without scores, its state alone.
    fn commit(&mut self, rows: &[ScoreRow]) -> Result<()> {
        let _changes = self.db.catalog().lock_changes();
        let store = self.db.store();
        // An erase may have taken scores out since.
        let (stored, head) = self.db.find_run(&self.run.run_id)?;
        (self.run.row_count, self.run.error_count) = (stored.row_count, stored.error_count);
        (self.run.name, self.run.filter) = (stored.name, stored.filter);
        let mut add = Vec::new();
        if !rows.is_empty() {
            let part = Part {
                run_id: self.run.run_id.clone(),
                number: self.next_part,
                row_count: rows.len() as u64,
            };
            add.push(store.write_catalog_file(&part_batch(rows)?, described(&part)?)?);
            self.next_part += 1;
        }
        self.count(rows);
        self.run.updated_at_ns = store.env().now_ns();
        let head = CatalogFile {
            meta_json: described(&self.run)?,
            ..head
        };
        let name = head.name.clone();
        add.push(head);
        Ok(store.commit_catalog(add, vec![name])?)
    }

    fn count(&mut self, rows: &[ScoreRow]) {
        self.run.row_count += rows.len() as u64;
        self.run.error_count += rows.iter().filter(|row| row.error.is_some()).count() as u64;
        for cost in rows.iter().filter_map(|row| row.cost_usd) {
            *self.run.cost_usd.get_or_insert(0.0) += cost;
        }
    }

    /// A run of slow scorers stores many small parts; when it ends they become one.
    fn merge_parts(&mut self) -> Result<()> {
        let parts = self.db.parts(&self.run.run_id)?;
        let rows: u64 = parts.iter().map(|(part, _)| part.row_count).sum();
        if parts.len() <= PARTS_MAX || rows / parts.len() as u64 >= PART_ROWS_MIN {
            return Ok(());
        }
        let _changes = self.db.catalog().lock_changes();
        let mut all = Vec::new();
        for (_, file) in &parts {
            all.extend(self.db.part(file)?);
        }
        let part = Part {
            run_id: self.run.run_id.clone(),
            number: self.next_part,
            row_count: all.len() as u64,
        };
        let store = self.db.store();
        let file = store.write_catalog_file(&part_batch(&all)?, described(&part)?)?;
        let remove = parts.into_iter().map(|(_, file)| file.name).collect();
        store.commit_catalog(vec![file], remove)?;
        self.next_part += 1;
        Ok(())
    }
}

fn range(at: usize, step: usize, len: usize) -> Range<usize> {
    at.min(len)..at.saturating_add(step).min(len)
}

/// The keys of everything that a run has scores of.
pub(crate) fn judged_keys(db: &Database, run_id: &str) -> Result<HashSet<ItemKey>> {
    let mut done = HashSet::new();
    for (_, file) in db.parts(run_id)? {
        done.extend(db.part(&file)?.iter().map(ScoreRow::item_key));
    }
    Ok(done)
}

impl crate::catalog::Catalog {
    /// The runs that are being carried out.
    fn running(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
