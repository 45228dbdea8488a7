//! What the items of a run answered, to be read beside what was said of them.
//!
//! A run keeps scores and no outputs: they are read where the run found them. So they are what is there now, and of what
//! was deleted or erased since there are none.

use std::collections::HashMap;

use tracehouse_storage::columns::text;
use tracehouse_storage::model::TraceKey;
use tracehouse_storage::schema::Table;

use super::chunk::output_text;
use super::info::EvalRun;
use super::part::ScoreRow;
use crate::database::Database;
use crate::dataset::{Kind, Subject, records_of, said_by};
use crate::error::{ErrorKind, Result};

/// Where the output of an item is.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Place {
    /// A record of the dataset's version that was judged.
    Record(String),
    Session(String),
    Span {
        trace_id: String,
        span_id: String,
    },
    Trace(String),
}

impl Place {
    /// Where the item of a score has its output; `None` for an item of a caller that names no trace.
    fn of(run: &EvalRun, row: &ScoreRow) -> Option<Self> {
        if let Some(session) = &row.session_id {
            return Some(Self::Session(session.clone()));
        }
        // A caller's record is told by an id, and what was answered to it is in its trace.
        if let (Some(record), Some(_)) = (&row.dataset_record_id, &run.dataset_version) {
            return Some(Self::Record(record.clone()));
        }
        let trace_id = row.trace_id.clone()?;
        Some(match &row.span_id {
            Some(span_id) => Self::Span {
                trace_id,
                span_id: span_id.clone(),
            },
            None => Self::Trace(trace_id),
        })
    }
}

impl Database {
    /// What items of a run answered, as a person reads it, each in its place: `None` for one that is not of the run, that
    /// has no output, or whose trace or dataset is gone. Items are named as [`ScoreRow::item_name`] does and comparisons
    /// do; records have the outputs of the version that was judged, sessions the last thing that was answered.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use tracehouse::eval::{EvalOptions, EvalSource, rule};
    /// let dataset = db.create_dataset("asked")?;
    /// dataset.merge(&[tracehouse::NewRecord::new(r#""how?""#).outputs(r#""so""#)])?;
    /// let source = EvalSource::Dataset { name: "asked".into(), version: None };
    /// let run = db.evaluate(&source, &[rule("max_words:3")?], &EvalOptions::new())?;
    /// let item = db.eval_scores(&run.run_id)?[0].item_name();
    /// assert_eq!(db.eval_outputs(&run.run_id, &[item])?, [Some("so".to_string())]);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`eval_scores`](Self::eval_scores).
    pub fn eval_outputs<S: AsRef<str>>(
        &self,
        run_id: &str,
        items: &[S],
    ) -> Result<Vec<Option<String>>> {
        let (run, _) = self.find_run(run_id)?;
        let mut places: HashMap<&str, Option<Place>> =
            items.iter().map(|item| (item.as_ref(), None)).collect();
        for row in self.eval_scores(run_id)? {
            if let Some(place) = places.get_mut(row.item_name().as_str()) {
                *place = Place::of(&run, &row);
            }
        }
        let found = self.outputs_at(&run, places.values().flatten())?;
        let output = |item: &S| {
            let place = places.get(item.as_ref()).and_then(Option::as_ref);
            place.and_then(|place| found.get(place)).cloned()
        };
        Ok(items.iter().map(output).collect())
    }

    fn outputs_at<'p>(
        &self,
        run: &EvalRun,
        places: impl Iterator<Item = &'p Place>,
    ) -> Result<HashMap<&'p Place, String>> {
        let (mut traces, mut spans, mut records) = (Vec::new(), Vec::new(), Vec::new());
        let mut found = HashMap::new();
        for place in places {
            match place {
                Place::Trace(_) => traces.push(place),
                Place::Span { .. } => spans.push(place),
                Place::Record(_) => records.push(place),
                Place::Session(id) => {
                    let last = self.last_output(id)?;
                    found.extend(last.map(|text| (place, text)));
                }
            }
        }
        found.extend(self.outputs_of_subjects(Kind::Trace, &traces)?);
        found.extend(self.outputs_of_subjects(Kind::Span, &spans)?);
        found.extend(self.outputs_of_records(run, &records)?);
        Ok(found)
    }

    /// The last thing that the traces of a session answered.
    fn last_output(&self, session_id: &str) -> Result<Option<String>> {
        let traces = self.session_traces(session_id, None)?.into_iter();
        let places: Vec<Place> = traces.map(|trace| Place::Trace(trace.trace_id)).collect();
        let places: Vec<&Place> = places.iter().collect();
        let mut outputs = self.outputs_of_subjects(Kind::Trace, &places)?;
        let last = places.iter().rev().find_map(|place| outputs.remove(place));
        Ok(last)
    }

    /// The outputs of traces or spans, of those that are there and have one.
    fn outputs_of_subjects<'p>(
        &self,
        kind: Kind,
        places: &[&'p Place],
    ) -> Result<HashMap<&'p Place, String>> {
        let snapshot = self.reading()?;
        let (mut there, mut subjects) = (Vec::new(), Vec::new());
        for place in places {
            let (trace_id, span_id) = match place {
                Place::Trace(trace_id) => (trace_id, None),
                Place::Span { trace_id, span_id } => (trace_id, Some(span_id)),
                Place::Record(_) | Place::Session(_) => continue,
            };
            let key = TraceKey::of(trace_id);
            let row = match span_id {
                None => snapshot.find_traces(&[key])?.into_iter().flatten().next(),
                Some(span_id) => {
                    let rows = snapshot.refs_of(Table::Spans, key)?;
                    let batch =
                        snapshot.read_rows(Table::Spans, &rows, &["trace_id", "span_id"])?;
                    let (traces, ids) = (text(&batch, "trace_id")?, text(&batch, "span_id")?);
                    let told = traces.iter().zip(ids).zip(&rows);
                    told.into_iter()
                        .find(|((of, id), _)| {
                            *of == Some(trace_id.as_str()) && *id == Some(span_id.as_str())
                        })
                        .map(|(_, row)| *row)
                }
            };
            let Some(row) = row else { continue };
            there.push(*place);
            subjects.push(Subject {
                row,
                trace_id: trace_id.clone(),
                span_id: span_id.cloned(),
            });
        }
        let said = said_by(&snapshot, &subjects, kind, true)?.into_iter();
        let outputs = there.into_iter().zip(said);
        Ok(outputs
            .filter_map(|(place, said)| Some((place, said.output_text?)))
            .collect())
    }

    /// The outputs of records of the version that a run judged.
    fn outputs_of_records<'p>(
        &self,
        run: &EvalRun,
        places: &[&'p Place],
    ) -> Result<HashMap<&'p Place, String>> {
        let mut found = HashMap::new();
        let (Some(id), false) = (&run.dataset_id, places.is_empty()) else {
            return Ok(found);
        };
        let version = self
            .dataset_by_id(id)
            .and_then(|dataset| Ok((dataset.version(run.dataset_version)?, dataset)));
        let (version, dataset) = match version {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            version => version?,
        };
        let records = records_of(&dataset.read(&version)?)?.into_iter();
        let outputs: HashMap<String, String> = records
            .filter_map(|record| Some((record.id, record.outputs?)))
            .collect();
        for place in places {
            if let Place::Record(id) = place
                && let Some(json) = outputs.get(id)
            {
                found.insert(*place, output_text(json));
            }
        }
        Ok(found)
    }
}
