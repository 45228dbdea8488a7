//! Erasing traces: their bytes leave every file of the database.
//!
//! The order matters for an erase that is interrupted: the note of it comes first, datasets are looked
//! through while the traces can still be read, and the note goes last. The next open for writing goes on
//! where it was; every step may be done twice.

use serde::Serialize;
use tracehouse_storage::store::Erased;

use crate::database::Database;
use crate::dataset::DatasetsErased;
use crate::error::Result;

/// What an erase did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EraseReceipt {
    /// The traces, those of an erase that had been interrupted included.
    pub trace_ids: Vec<String>,
    /// Of these, how many could still be seen.
    pub deleted: u64,
    /// Dataset versions written again.
    pub dataset_versions: u64,
    /// Records that left them.
    pub dataset_records: u64,
    /// Dataset versions whose query, name or tags said something that identified the traces.
    pub dataset_texts: u64,
    /// Scores that left evaluation runs.
    pub scores: u64,
    /// Evaluation runs whose filter or name said something that identified the traces.
    pub eval_texts: u64,
    /// Items that left review queues.
    pub review_items: u64,
    /// What left the files.
    #[serde(flatten)]
    pub files: Erased,
    /// Whether nothing is pending; otherwise the next open for writing goes on.
    pub complete: bool,
}

impl Database {
    /// Deletes traces and removes their bytes from every file: segments, log, indexes, datasets, scores, review
    /// queues, unfinished work and the quarantine of repairs, which is emptied. Traces deleted before may be named, too; their
    /// bytes go. With them go the traces of calls of judges about them, which quote them. Old files that a reader still holds
    /// are pending in the receipt.
    ///
    /// What was written about datasets is looked through for what the traces say. A string of a stored query, or a
    /// key in backticks, that is in a text of theirs, or that one of their ids, their session, their user, or a
    /// value of their tags or metadata is in, becomes `[erased]`; texts under four characters must be equal. A query
    /// that still has an id, session or user of theirs becomes `[erased]` as a whole. Tags and names of datasets
    /// that have one become `[erased]` and `erased-` with the dataset's id. The receipt names traces by id; it is
    /// not stored.
    ///
    /// ```
    /// # let db = tracehouse::Database::in_memory()?;
    /// db.start_trace(&tracehouse::TraceStart::new("a", 0).state("OK"))?;
    /// let receipt = db.erase_traces(&["a"])?;
    /// assert!(receipt.complete && receipt.deleted == 1);
    /// # Ok::<(), tracehouse::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Corrupt` naming a file that cannot be read (repair first), `Io`, `Closed`. What was begun is completed
    /// by the next open for writing, or by calling it again.
    pub fn erase_traces<S: AsRef<str>>(&self, trace_ids: &[S]) -> Result<EraseReceipt> {
        let ids: Vec<String> = trace_ids.iter().map(|id| id.as_ref().to_string()).collect();
        let _alone = self.change_alone();
        let ids = self.with_judge_calls(&ids)?;
        let ids = self.store().begin_erase(&ids)?;
        self.erase(ids)
    }

    /// Completes an erase that was interrupted; `None` when there is none.
    pub(crate) fn complete_erase(&self) -> Result<Option<EraseReceipt>> {
        let _alone = self.change_alone();
        let ids = self.store().unfinished_erase()?;
        if ids.is_empty() {
            Ok(None)
        } else {
            self.erase(ids).map(Some)
        }
    }

    /// The changes' lock is held.
    fn erase(&self, trace_ids: Vec<String>) -> Result<EraseReceipt> {
        let DatasetsErased {
            versions,
            records,
            texts,
        } = self.erase_from_datasets(&trace_ids)?;
        let of_runs = self.erase_from_scores(&trace_ids)?;
        let review_items = self.erase_from_reviews(&trace_ids)?;
        let deleted = self.store().delete_traces(trace_ids.clone())?.traces;
        let files = self.store().erase(&trace_ids)?;
        let complete = files.pending.is_empty();
        Ok(EraseReceipt {
            trace_ids,
            deleted,
            dataset_versions: versions,
            dataset_records: records,
            dataset_texts: texts,
            scores: of_runs.scores,
            eval_texts: of_runs.texts,
            review_items,
            files,
            complete,
        })
    }
}
