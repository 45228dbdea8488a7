//! Review by people: queues of traces or sessions, kept in the catalogue. The rules are `tracehouse_eval::review`'s;
//! here is where queues are stored, and where answers become assessments.
//!
//! A queue is one file: its row is the state as JSON text. A change writes the file anew and replaces the one before in
//! one commit. An answer is an assessment first, under an id told by the queue, the item, the reviewer and the label:
//! what was cut short between the two is answered again, and replaces itself.
//!
//! Invariants:
//! * RV-1 changes of queues are made one after the other (the catalogue's lock), each on the newest state, so that a
//!   seat is given once.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracehouse_eval::review::{
    Added, Answered, Assignment, ItemKey, LabelSchema, LabelValue, Next, Ratings, ReviewError,
    ReviewErrorKind, ReviewProgress, ReviewQueue,
};
use tracehouse_eval::statistics::{FleissKappa, fleiss_kappa};
use tracehouse_storage::columns::text;
use tracehouse_storage::manifest::CatalogFile;
use tracehouse_storage::model::Assessment;

use crate::assess::{NewAssessment, told_id};
use crate::catalog_entry::{Entry, described, entries};
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result};

/// Metadata of an answer: the queue that asked for it.
const QUEUE_METADATA: &str = "tracehouse.review.queue";

/// A review queue, as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReviewInfo {
    /// Unique in the database.
    pub name: String,
    /// How many items it has.
    pub item_count: u64,
    /// Unix nanoseconds.
    pub created_at_ns: i64,
    /// When it last changed, Unix nanoseconds.
    pub updated_at_ns: i64,
}

impl Entry for ReviewInfo {
    const KIND: &'static str = "review";
}

/// How far a queue is, and how well its reviewers agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReviewStatus {
    /// Counts, over all and by reviewer.
    pub progress: ReviewProgress,
    /// Fleiss' kappa by label, of labels that are true or false or one of several words.
    pub agreement: BTreeMap<String, FleissKappa>,
    /// Items on which reviewers disagree.
    pub disagreements: u64,
}

impl From<ReviewError> for Error {
    fn from(error: ReviewError) -> Self {
        let kind = match error.kind {
            ReviewErrorKind::NotFound => ErrorKind::NotFound,
            ReviewErrorKind::Conflict => ErrorKind::Conflict,
            _ => ErrorKind::InvalidInput,
        };
        Self::new(kind, error.message)
    }
}

impl Database {
    /// Makes a queue of items for people to judge.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// use std::time::Duration;
    /// use tracehouse::eval::review::{Assignment, LabelSchema, Next};
    /// use tracehouse::{Search, TraceStart};
    /// db.start_trace(&TraceStart::new("t", 0))?;
    /// let schema = LabelSchema::parse(r#"[{"name": "correct", "kind": "boolean"}]"#)?;
    /// let all = Assignment::Open { answers_per_item: 1 };
    /// db.create_review("refunds", schema, vec!["ann".into()], vec!["trace:t".parse()?], &all)?;
    /// let Next::Item { key, .. } = db.review_next("refunds", "ann", Duration::from_secs(600))? else {
    ///     panic!("an item waits")
    /// };
    /// let answer = serde_json::json!({"correct": true});
    /// db.review_answer("refunds", &key, "ann", answer.as_object().unwrap(), None)?;
    /// assert_eq!(db.count_traces(&Search::new("feedback.correct = true"))?, 1);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Conflict` when the name is taken, `InvalidInput` for what the rules refuse.
    pub fn create_review(
        &self,
        name: &str,
        schema: LabelSchema,
        reviewers: Vec<String>,
        items: Vec<ItemKey>,
        assignment: &Assignment,
    ) -> Result<Added> {
        let mut queue = ReviewQueue::new(name, schema, reviewers)?;
        let added = queue.add_items(items, assignment)?;
        let _changes = self.catalog().lock_changes();
        if self.find_review(name)?.is_some() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!("review queue {name:?} exists already"),
            ));
        }
        let now_ns = self.store().env().now_ns();
        self.replace_review(&queue, now_ns, None)?;
        Ok(added)
    }

    /// Adds items to a queue; those that it has stay as they are.
    ///
    /// # Errors
    /// `NotFound` when there is no such queue, `InvalidInput` for what the rules refuse.
    pub fn add_to_review(
        &self,
        name: &str,
        items: Vec<ItemKey>,
        assignment: &Assignment,
    ) -> Result<Added> {
        self.change_review(name, |queue| Ok(queue.add_items(items, assignment)?))
    }

    /// All queues by name.
    ///
    /// # Errors
    /// `Corrupt` when the manifest describes one that cannot be read.
    pub fn reviews(&self) -> Result<Vec<ReviewInfo>> {
        let found = entries::<ReviewInfo>(self.reading()?.catalog())?;
        let mut infos: Vec<ReviewInfo> = found.into_iter().map(|(info, _)| info).collect();
        infos.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(infos)
    }

    /// A queue with its items and answers.
    ///
    /// # Errors
    /// `NotFound` when there is none of the name.
    pub fn review(&self, name: &str) -> Result<ReviewQueue> {
        let (_, file) = self.known_review(name)?;
        self.queue_in(&file)
    }

    /// The next item for a reviewer, held for them for a while.
    ///
    /// # Errors
    /// `NotFound` when there is no such queue or reviewer.
    pub fn review_next(&self, name: &str, reviewer: &str, lease: Duration) -> Result<Next> {
        let now_ns = self.store().env().now_ns();
        let lease_ns = i64::try_from(lease.as_nanos()).unwrap_or(i64::MAX);
        self.change_review(name, |queue| Ok(queue.next(reviewer, now_ns, lease_ns)?))
    }

    /// Takes an answer, one value a label, and stores each as feedback of the reviewer. A second answer of the same
    /// reviewer takes the place of the first.
    ///
    /// # Errors
    /// `InvalidInput` with every fault of the answer, `NotFound` for an item or reviewer that the queue has not,
    /// `Conflict` when others have answered it as often as was asked.
    pub fn review_answer(
        &self,
        name: &str,
        key: &ItemKey,
        reviewer: &str,
        answer: &Map<String, Value>,
        comment: Option<String>,
    ) -> Result<Answered> {
        let now_ns = self.store().env().now_ns();
        self.change_review(name, |queue| {
            let answered = queue.answer(key, reviewer, answer, comment.clone(), now_ns)?;
            let given = queue.item(key)?.current_answers();
            let values = given.get(reviewer).map(|answer| answer.values.clone());
            let asked = Asked {
                queue: name,
                key,
                reviewer,
                comment,
                now_ns,
            };
            self.put_answers(&asked, &values.unwrap_or_default())?;
            Ok(answered)
        })
    }

    /// Notes that a reviewer will not answer an item.
    ///
    /// # Errors
    /// As [`review_answer`](Self::review_answer).
    pub fn review_skip(
        &self,
        name: &str,
        key: &ItemKey,
        reviewer: &str,
        reason: Option<String>,
    ) -> Result<()> {
        let now_ns = self.store().env().now_ns();
        self.change_review(name, |queue| Ok(queue.skip(key, reviewer, reason, now_ns)?))
    }

    /// How far a queue is, and how well its reviewers agree.
    ///
    /// # Errors
    /// `NotFound` when there is no such queue.
    pub fn review_status(&self, name: &str) -> Result<ReviewStatus> {
        let queue = self.review(name)?;
        let mut agreement = BTreeMap::new();
        for label in queue.schema().labels() {
            // A label of texts, or of several words at once, has no matrix.
            let Ok(matrix) = queue.matrix(&label.name) else {
                continue;
            };
            if let Ratings::Category { cells, .. } = matrix.ratings {
                let rows: Vec<Vec<usize>> = cells
                    .into_iter()
                    .map(|row| row.into_iter().flatten().collect())
                    .collect();
                agreement.insert(label.name.clone(), fleiss_kappa(&rows));
            }
        }
        Ok(ReviewStatus {
            progress: queue.progress(self.store().env().now_ns()),
            agreement,
            disagreements: queue.disagreements().len() as u64,
        })
    }

    /// Deletes a queue; what was answered stays on the traces.
    ///
    /// # Errors
    /// `NotFound` when there is no such queue.
    pub fn delete_review(&self, name: &str) -> Result<()> {
        let _changes = self.catalog().lock_changes();
        let (_, file) = self.known_review(name)?;
        Ok(self.store().commit_catalog(Vec::new(), vec![file.name])?)
    }

    /// Takes erased traces out of all queues, in one commit; how many items went.
    pub(crate) fn erase_from_reviews(&self, trace_ids: &[String]) -> Result<u64> {
        let _changes = self.catalog().lock_changes();
        let (mut add, mut remove, mut gone) = (Vec::new(), Vec::new(), 0);
        for (info, file) in entries::<ReviewInfo>(&self.store().catalog_files())? {
            let mut queue = self.queue_in(&file)?;
            let of_queue: usize = (trace_ids.iter())
                .map(|id| queue.remove_trace(id).len())
                .sum();
            if of_queue > 0 {
                gone += of_queue as u64;
                add.push(self.file_of(&queue, info.created_at_ns)?);
                remove.push(file.name);
            }
        }
        if !add.is_empty() {
            self.store().commit_catalog(add, remove)?;
        }
        Ok(gone)
    }

    fn change_review<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut ReviewQueue) -> Result<T>,
    ) -> Result<T> {
        let _changes = self.catalog().lock_changes();
        let (info, file) = self.known_review(name)?;
        let mut queue = self.queue_in(&file)?;
        let before = queue.clone();
        let done = change(&mut queue)?;
        if queue != before {
            self.replace_review(&queue, info.created_at_ns, Some(file))?;
        }
        Ok(done)
    }

    fn replace_review(
        &self,
        queue: &ReviewQueue,
        created_at_ns: i64,
        before: Option<CatalogFile>,
    ) -> Result<()> {
        let file = self.file_of(queue, created_at_ns)?;
        let before = before.into_iter().map(|file| file.name).collect();
        Ok(self.store().commit_catalog(vec![file], before)?)
    }

    fn file_of(&self, queue: &ReviewQueue, created_at_ns: i64) -> Result<CatalogFile> {
        let info = ReviewInfo {
            name: queue.name().to_string(),
            item_count: queue.items().len() as u64,
            created_at_ns,
            updated_at_ns: self.store().env().now_ns(),
        };
        let json = serde_json::to_string(queue)
            .map_err(|error| Error::internal(format!("a review queue as JSON: {error}")))?;
        let column: ArrayRef = Arc::new(StringViewArray::from_iter_values([json]));
        let rows = RecordBatch::try_new(ROWS.clone(), vec![column])?;
        Ok(self.store().write_catalog_file(&rows, described(&info)?)?)
    }

    fn find_review(&self, name: &str) -> Result<Option<(ReviewInfo, CatalogFile)>> {
        let mut found = entries::<ReviewInfo>(&self.store().catalog_files())?.into_iter();
        Ok(found.find(|(info, _)| info.name == name))
    }

    fn known_review(&self, name: &str) -> Result<(ReviewInfo, CatalogFile)> {
        self.find_review(name)?
            .ok_or_else(|| Error::not_found(format!("review queue {name:?} not found")))
    }

    fn queue_in(&self, file: &CatalogFile) -> Result<ReviewQueue> {
        let corrupt =
            |what: String| Error::new(ErrorKind::Corrupt, format!("catalog/{}: {what}", file.name));
        for batch in self.store().read_catalog_file(file, &ROWS)? {
            if let Some(json) = text(&batch, "queue")?.iter().flatten().next() {
                return serde_json::from_str(json)
                    .map_err(|error| corrupt(format!("a review queue: {error}")));
            }
        }
        Err(corrupt("a review queue without its row".into()))
    }

    /// Stores an answer as feedback on its trace, or on the first trace of its session.
    fn put_answers(&self, asked: &Asked<'_>, values: &BTreeMap<String, LabelValue>) -> Result<()> {
        let (trace_id, span_id, session_id) = match asked.key {
            ItemKey::Trace { trace_id } => (trace_id.clone(), None, None),
            ItemKey::Span { trace_id, span_id } => (trace_id.clone(), Some(span_id), None),
            ItemKey::Session { session_id } => {
                let traces = self.session_traces(session_id, None)?;
                let first = traces.first().map(|trace| trace.trace_id.clone());
                let first = first.ok_or_else(|| {
                    Error::not_found(format!("session {session_id:?} has no trace"))
                })?;
                (first, None, Some(session_id))
            }
        };
        let mut rows: Vec<Assessment> = Vec::with_capacity(values.len());
        for (label, value) in values {
            let mut new = NewAssessment::feedback(label, value.to_json().to_string())
                .source("HUMAN", asked.reviewer)
                .metadata(QUEUE_METADATA, asked.queue);
            if let Some(comment) = &asked.comment {
                new = new.rationale(comment);
            }
            if let Some(span_id) = span_id {
                new = new.span_id(span_id);
            }
            if let Some(session_id) = session_id {
                new = new.session(session_id);
            }
            rows.push(new.into_row(&trace_id, asked.assessment_id(label), asked.now_ns)?);
        }
        self.put_assessments(rows)
    }
}

/// Whose answer it is.
struct Asked<'a> {
    queue: &'a str,
    key: &'a ItemKey,
    reviewer: &'a str,
    comment: Option<String>,
    now_ns: i64,
}

impl Asked<'_> {
    fn assessment_id(&self, label: &str) -> String {
        let key = self.key.to_string();
        told_id([self.queue, key.as_str(), self.reviewer, label])
    }
}

/// The columns of a queue's file.
static ROWS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let queue = Field::new("queue", DataType::Utf8View, false);
    Arc::new(Schema::new(vec![queue]))
});

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Search, TraceStart};

    fn queue(db: &Database) {
        db.start_traces(&[TraceStart::new("t1", 0), TraceStart::new("t2", 0)])
            .unwrap();
        let schema = LabelSchema::parse(r#"[{"name":"good","kind":"boolean"}]"#).unwrap();
        let keys = ["trace:t1", "trace:t2"].map(|key| key.parse().unwrap());
        let twice = Assignment::Open {
            answers_per_item: 2,
        };
        let reviewers = vec!["ann".into(), "bo".into()];
        let added = db
            .create_review("q", schema, reviewers, keys.to_vec(), &twice)
            .unwrap();
        assert_eq!(added.added, 2);
    }

    fn answer(db: &Database, item: &str, reviewer: &str, good: bool) -> Result<Answered> {
        let answer = json!({"good": good});
        let answer = answer.as_object().unwrap();
        db.review_answer("q", &item.parse().unwrap(), reviewer, answer, None)
    }

    #[test]
    fn answers_are_feedback_of_people_and_replace_themselves() {
        let db = Database::in_memory().unwrap();
        queue(&db);
        for (item, reviewer, good) in [
            ("trace:t1", "ann", true),
            ("trace:t1", "bo", true),
            ("trace:t2", "ann", true),
            ("trace:t2", "bo", true),
        ] {
            assert!(!answer(&db, item, reviewer, good).unwrap().supersedes);
        }
        assert!(answer(&db, "trace:t2", "bo", false).unwrap().supersedes);
        let count = |filter: &str| db.count_traces(&Search::new(filter)).unwrap();
        assert_eq!(
            (
                count("feedback.good = true"),
                count("feedback.good = false")
            ),
            (2, 1)
        );
        let given = db.assessments(&["t2"]).unwrap();
        assert_eq!(given.len(), 2);
        assert!(given.iter().all(|one| one.source_type == "HUMAN"));
        let status = db.review_status("q").unwrap();
        assert_eq!((status.progress.complete, status.disagreements), (2, 1));
        assert!(status.agreement["good"].percent_agreement.unwrap() < 1.0);
        assert!(answer(&db, "trace:t1", "eve", true).is_err());
    }

    #[test]
    fn an_item_is_held_and_an_erased_one_goes() {
        let db = Database::in_memory().unwrap();
        queue(&db);
        let lease = Duration::from_secs(60);
        let next = |who: &str| match db.review_next("q", who, lease).unwrap() {
            Next::Item { key, .. } => key.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (next("ann"), next("ann")),
            ("trace:t1".into(), "trace:t1".into())
        );
        assert_eq!(db.erase_traces(&["t1"]).unwrap().review_items, 1);
        assert_eq!(next("ann"), "trace:t2");
        assert_eq!(db.reviews().unwrap()[0].item_count, 1);
        db.review_skip("q", &"trace:t2".parse().unwrap(), "ann", None)
            .unwrap();
        assert_eq!(db.review_next("q", "ann", lease).unwrap(), Next::Done);
        db.delete_review("q").unwrap();
        assert!(db.review("q").is_err());
    }
}
