//! The life of an assessment: created, overridden, updated, deleted.
//!
//! An assessment is valid unless another one overrides it: creating one that overrides makes the
//! older one invalid, deleting it makes the older one valid again. Each call is one commit, durable
//! and visible when it returns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::time::Instant;

use tracehouse_storage::Snapshot;
use tracehouse_storage::model::{
    Assessment, AssessmentKind, TraceKey, check_id, normalize_trace_id,
};
use tracehouse_storage::store::{Assess, Reassess};

use crate::assess::{GivenAssessment, NewAssessment, checked_value, numbered_id, read_lines};
use crate::database::{Database, find, no_trace};
use crate::error::{Error, Result};
use crate::ingest::{ImportOptions, ImportReport};
use crate::redact::Pass;
use crate::trace::assessments_of;

/// What to change of an assessment; what is `None` stays. Source, span, kind and time of creation
/// cannot be changed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct AssessmentUpdate {
    /// Another name.
    pub name: Option<String>,
    /// Another value of a feedback; JSON text.
    pub feedback: Option<String>,
    /// Another value of an expectation; JSON text.
    pub expectation: Option<String>,
    /// Another reason.
    pub rationale: Option<String>,
    /// Pairs laid over the metadata.
    pub metadata: BTreeMap<String, String>,
}

impl AssessmentUpdate {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes the name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Changes the value of a feedback; JSON text.
    pub fn feedback(mut self, value: impl Into<String>) -> Self {
        self.feedback = Some(value.into());
        self
    }

    /// Changes the value of an expectation; JSON text.
    pub fn expectation(mut self, value: impl Into<String>) -> Self {
        self.expectation = Some(value.into());
        self
    }

    /// Changes the reason.
    pub fn rationale(mut self, text: impl Into<String>) -> Self {
        self.rationale = Some(text.into());
        self
    }

    /// Adds a metadata pair.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Changes a row.
    fn apply(self, row: &mut Assessment) -> Result<()> {
        let (kind, value) = match (self.feedback, self.expectation) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid_input(
                    "an assessment is a feedback or an expectation, not both",
                ));
            }
            (Some(value), None) => (AssessmentKind::Feedback, Some(value)),
            (None, Some(value)) => (AssessmentKind::Expectation, Some(value)),
            (None, None) => (row.kind, None),
        };
        if kind != row.kind {
            return Err(Error::invalid_input(format!(
                "assessment {} is a {}, not a {}",
                row.assessment_id,
                row.kind.as_str(),
                kind.as_str()
            )));
        }
        if let Some(name) = self.name {
            row.name = name;
        }
        if let Some(value) = value {
            row.value = checked_value(&row.name, kind, &value)?;
            (row.error_code, row.error_message) = (None, None);
        }
        if row.name.is_empty() {
            return Err(Error::invalid_input("the assessment name is empty"));
        }
        row.rationale = self.rationale.or(row.rationale.take());
        row.metadata.extend(self.metadata);
        Ok(())
    }
}

impl Database {
    /// Stores an assessment and gives its id. One that overrides another makes that one invalid.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::{NewAssessment, Search, TraceStart};
    /// db.start_trace(&TraceStart::new("t1", 0))?;
    /// let first = db.assess("t1", NewAssessment::feedback("ok", "false"))?;
    /// let second = db.assess("t1", NewAssessment::feedback("ok", "true").overrides(&first))?;
    /// assert_eq!(db.count_traces(&Search::new("feedback.ok = false"))?, 0);
    /// db.delete_assessment("t1", &second)?;
    /// assert_eq!(db.count_traces(&Search::new("feedback.ok = false"))?, 1);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound` when there is no such trace, or none with the overridden id on it; `InvalidInput` for
    /// a value that is not JSON.
    pub fn assess(&self, trace_id: &str, assessment: NewAssessment) -> Result<String> {
        let ids = self.assess_many([(trace_id, assessment)])?;
        ids.into_iter()
            .next()
            .ok_or_else(|| Error::internal("an assessment without id"))
    }

    /// Stores many assessments in one commit and gives their ids, in order.
    ///
    /// # Errors
    /// As [`Database::assess`], for the first one at fault; then none is stored.
    pub fn assess_many<S: AsRef<str>>(
        &self,
        assessments: impl IntoIterator<Item = (S, NewAssessment)>,
    ) -> Result<Vec<String>> {
        let assessments: Vec<(S, NewAssessment)> = assessments.into_iter().collect();
        let overriding = assessments
            .iter()
            .any(|(_, assessment)| assessment.overrides.is_some());
        let (_alone, _shared);
        if overriding {
            _alone = self.change_alone();
        } else {
            _shared = self.change_shared();
        }
        let (snapshot, env) = (self.snapshot()?, self.store().env());
        let now_ns = env.now_ns();
        let (mut ids, mut rows) = (Vec::new(), Vec::new());
        let mut change = Change::new(&snapshot);
        let redactor = self.redactor()?;
        let mut pass = redactor.pass();
        let keys: Vec<TraceKey> = assessments
            .iter()
            .map(|(id, _)| TraceKey::of(&normalize_trace_id(id.as_ref())))
            .collect();
        let places = snapshot.find_traces(&keys)?;
        for ((trace_id, mut assessment), place) in assessments.into_iter().zip(places) {
            place.ok_or_else(|| no_trace(trace_id.as_ref()))?;
            if let Some(pass) = &mut pass {
                pass.assessment(&mut assessment);
            }
            let id = format!("a-{:032x}", env.new_ulid());
            let row = assessment.into_row(trace_id.as_ref(), id, now_ns)?;
            if let Some(older) = &row.overrides {
                change.get(&row.trace_id, older)?.valid = false;
            }
            ids.push(row.assessment_id.clone());
            rows.push(row);
        }
        if overriding {
            self.store().reassess(change.with(rows))?;
        } else {
            self.store().assess(Assess {
                rows,
                check_existing: false,
            })?;
        }
        pass.map(Pass::finish);
        Ok(ids)
    }

    /// Stores assessments as they are given, with their ids, times and validity, in one commit; each takes the place of
    /// the one with its id on its trace. For assessments that come from another store: nothing else is changed by them,
    /// and storing them again changes nothing.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace; `InvalidInput` for an empty id or name, an unknown type of source, or a
    /// value that is not JSON. Then none is stored.
    pub fn put_assessments(&self, assessments: impl IntoIterator<Item = Assessment>) -> Result<()> {
        let redactor = self.redactor()?;
        let mut pass = redactor.pass();
        let _alone = self.change_alone();
        let snapshot = self.snapshot()?;
        let mut change = Change::new(&snapshot);
        let now_ns = self.store().env().now_ns();
        for row in assessments {
            find(&snapshot, &row.trace_id)?;
            check_id("assessment id", &row.assessment_id)?;
            let id = row.assessment_id.clone();
            let mut given = GivenAssessment::from(row);
            if let Some(pass) = &mut pass {
                pass.assessment(&mut given.assessment);
            }
            change.put(given.into_row(id, now_ns)?);
        }
        self.store().reassess(change.with(Vec::new()))?;
        pass.map(Pass::finish);
        Ok(())
    }

    /// The assessments of traces, trace by trace in the order of the ids, oldest first; ids of no trace have none.
    ///
    /// # Errors
    /// `Closed`, or `Io` and `Corrupt` from reading.
    pub fn assessments<S: AsRef<str>>(&self, trace_ids: &[S]) -> Result<Vec<Assessment>> {
        let snapshot = self.reading()?;
        let mut found = Vec::new();
        for id in trace_ids {
            found.extend(assessments_of(&snapshot, id.as_ref())?);
        }
        Ok(found)
    }

    /// Stores a verdict; `value` is JSON text.
    ///
    /// # Errors
    /// As [`Database::assess`].
    pub fn log_feedback(&self, trace_id: &str, name: &str, value: &str) -> Result<String> {
        self.assess(trace_id, NewAssessment::feedback(name, value))
    }

    /// Stores the truth a trace should have met; `value` is JSON text.
    ///
    /// # Errors
    /// As [`Database::assess`].
    pub fn log_expectation(&self, trace_id: &str, name: &str, value: &str) -> Result<String> {
        self.assess(trace_id, NewAssessment::expectation(name, value))
    }

    /// One assessment of a trace.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace or assessment.
    pub fn get_assessment(&self, trace_id: &str, assessment_id: &str) -> Result<Assessment> {
        let snapshot = self.reading()?;
        find(&snapshot, trace_id)?;
        Ok(Change::new(&snapshot).get(trace_id, assessment_id)?.clone())
    }

    /// Changes an assessment and gives it as it is now; its time of update is now.
    ///
    /// # Errors
    /// `NotFound` when there is no such trace or assessment; `InvalidInput` for a value of the wrong
    /// kind or one that is not JSON.
    pub fn update_assessment(
        &self,
        trace_id: &str,
        assessment_id: &str,
        mut update: AssessmentUpdate,
    ) -> Result<Assessment> {
        let redactor = self.redactor()?;
        if let Some(mut pass) = redactor.pass() {
            pass.update(&mut update);
            pass.finish();
        }
        let _alone = self.change_alone();
        let snapshot = self.snapshot()?;
        find(&snapshot, trace_id)?;
        let mut change = Change::new(&snapshot);
        let row = change.get(trace_id, assessment_id)?;
        update.apply(row)?;
        row.updated_at_ns = self.store().env().now_ns();
        let updated = row.clone();
        self.store().reassess(change.with(Vec::new()))?;
        Ok(updated)
    }

    /// Deletes an assessment; the one it overrode is valid again unless another overrides it too.
    /// Returns whether it was there: deleting again is no error.
    ///
    /// # Errors
    /// `Closed` or `Io` from writing.
    pub fn delete_assessment(&self, trace_id: &str, assessment_id: &str) -> Result<bool> {
        let _alone = self.change_alone();
        let snapshot = self.snapshot()?;
        let mut change = Change::new(&snapshot);
        let overridden = match change.get(trace_id, assessment_id) {
            Ok(row) => row.overrides.clone(),
            Err(error) if error.kind() == crate::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if let Some(older) = overridden {
            let others = assessments_of(&snapshot, trace_id)?;
            let mut others = others
                .iter()
                .filter(|other| other.assessment_id != assessment_id);
            if !others.any(|other| other.overrides.as_ref() == Some(&older)) {
                match change.get(trace_id, &older) {
                    Ok(row) => row.valid = true,
                    Err(error) if error.kind() == crate::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        change.remove(trace_id, assessment_id);
        self.store().reassess(change.with(Vec::new()))?;
        Ok(true)
    }

    /// Imports assessments: JSON lines with `trace_id`, `name`, `value`, `source`, `rationale`,
    /// `type` and perhaps `span_id`, or MLflow's form of one; anything else of a line becomes metadata.
    /// Whether an assessment is valid is what its own line says: a line that overrides another does not
    /// change it. Importing a file again adds nothing. Lines about unknown traces, or about spans that their trace
    /// does not have, are rejected.
    ///
    /// # Errors
    /// `Io` when the input cannot be read; `InvalidInput` in strict mode for the first bad line.
    pub fn import_assessments<R: Read>(
        &self,
        input: R,
        options: &ImportOptions,
    ) -> Result<ImportReport> {
        let started = Instant::now();
        let lines = read_lines(input)?;
        let given = lines.iter().filter_map(|(_, line)| line.as_ref().ok());
        let spans = given.filter_map(|line| line.assessment.span_id.clone());
        let traces_of_spans = self.traces_of_spans(&spans.collect())?;
        let _shared = self.change_shared();
        let (snapshot, now_ns) = (self.snapshot()?, self.store().env().now_ns());
        let mut report = ImportReport::default();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut rows = Vec::new();
        let redactor = self.redactor()?;
        let mut pass = redactor.pass();
        for (number, parsed) in lines {
            let row = parsed.and_then(|mut line| {
                find(&snapshot, &line.trace_id)?;
                check_span(&line, &traces_of_spans)?;
                if let Some(pass) = &mut pass {
                    pass.assessment(&mut line.assessment);
                }
                let id = match line.assessment_id.take() {
                    Some(id) => id,
                    None => numbered_id(&mut seen, &line.trace_id, &line.assessment),
                };
                line.into_row(id, now_ns)
            });
            match row {
                Ok(row) => rows.push(row),
                Err(error) if options.strict => {
                    return Err(Error::new(
                        error.kind(),
                        format!("{}:{number}: {error}", options.name),
                    ));
                }
                Err(error) => report.reject(&options.name, Some(number), error.to_string()),
            }
        }
        let applied = self.store().assess(Assess {
            rows,
            check_existing: true,
        })?;
        report.assessments = applied.assessments;
        report.redacted = pass.map_or(0, Pass::finish);
        report.seconds = started.elapsed().as_secs_f64();
        Ok(report)
    }
}

/// Refuses one about a span that its trace does not have.
fn check_span(
    line: &GivenAssessment,
    traces_of_spans: &BTreeMap<String, BTreeSet<String>>,
) -> Result<()> {
    let trace_id = normalize_trace_id(&line.trace_id);
    match &line.assessment.span_id {
        Some(span_id)
            if traces_of_spans
                .get(span_id)
                .is_none_or(|traces| !traces.contains(&trace_id)) =>
        {
            Err(Error::not_found(format!(
                "trace {trace_id} has no span {span_id:?}"
            )))
        }
        _ => Ok(()),
    }
}

/// Stored assessments that a commit puts others in the place of.
struct Change<'a> {
    snapshot: &'a Snapshot,
    /// By trace and id, as they will be.
    rows: BTreeMap<(String, String), Assessment>,
    removed: Vec<(String, String)>,
}

impl<'a> Change<'a> {
    fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            rows: BTreeMap::new(),
            removed: Vec::new(),
        }
    }

    /// An assessment of a trace, to be changed.
    fn get(&mut self, trace_id: &str, assessment_id: &str) -> Result<&mut Assessment> {
        let key = (normalize_trace_id(trace_id), assessment_id.to_string());
        if !self.rows.contains_key(&key) {
            let stored = assessments_of(self.snapshot, trace_id)?;
            let found = stored
                .into_iter()
                .find(|row| row.assessment_id == assessment_id);
            self.rows.extend(found.map(|row| (key.clone(), row)));
        }
        self.rows.get_mut(&key).ok_or_else(|| {
            Error::not_found(format!(
                "assessment {assessment_id} not found on trace {trace_id}"
            ))
        })
    }

    /// An assessment as it will be, whatever is stored.
    fn put(&mut self, row: Assessment) {
        let key = (row.trace_id.clone(), row.assessment_id.clone());
        self.rows.insert(key, row);
    }

    fn remove(&mut self, trace_id: &str, assessment_id: &str) {
        let key = (normalize_trace_id(trace_id), assessment_id.to_string());
        self.rows.remove(&key);
        self.removed.push(key);
    }

    /// The commit: the changed rows in the place of the stored ones, and `new` ones.
    fn with(self, new: Vec<Assessment>) -> Reassess {
        let mut removed = self.removed;
        removed.extend(self.rows.keys().cloned());
        let rows = self.rows.into_values().chain(new).collect();
        Reassess { removed, rows }
    }
}
