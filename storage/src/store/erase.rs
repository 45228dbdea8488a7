//! Erasing: the bytes of deleted traces leave every file, not only every answer.
//!
//! 1. The ids are written to `ERASE`, synced: an erase that is interrupted is completed by the next open.
//! 2. (The caller takes what is theirs out of the catalogue, and deletes the traces.)
//! 3. Seal: the log is cut behind it, so no record of theirs is left there. Files of it that somebody holds are written
//!    again without: see `held.rs`.
//! 4. Each segment that holds a row of theirs, masked or not, is written again without, text included.
//! 5. The manifest changes its file, the metadata store its generation; `tmp/` and `quarantine/` are emptied.
//! 6. When the old files are gone, `ERASE` goes. As long as a reader in this or another process holds them,
//!    it stays, and the next open does it all again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{ERASE_INTENT, Store, lock, write_small_file};
use crate::error::{Error, Result};
use crate::model::{TraceKey, normalize_trace_id};
use crate::readers::remove_any;
use crate::schema::Table;
use crate::snapshot::{Rows, Segment, Source};

/// How long an erase waits for queries under way to let go of old files.
const READERS_WAIT: Duration = Duration::from_secs(5);
const READERS_PAUSE: Duration = Duration::from_millis(10);

/// Content of `ERASE`.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    trace_ids: Vec<String>,
}

/// What was removed from the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Erased {
    /// Segments written again.
    pub segments: Vec<String>,
    /// Bytes of the files of those that they replaced.
    pub segment_bytes: u64,
    /// Bytes of log files that were removed.
    pub log_bytes: u64,
    /// Entries of `tmp/` and `quarantine/` that were removed.
    pub other_entries: u64,
    /// What could not be removed yet, since a reader holds it.
    pub pending: Vec<String>,
}

impl Store {
    /// Notes durably that these traces are to be erased, besides those of an unfinished erase; all of them.
    ///
    /// # Errors
    /// `Closed`, `InvalidInput` when the store only reads, `Io`.
    pub fn begin_erase(&self, trace_ids: &[String]) -> Result<Vec<String>> {
        self.check_open()?;
        let mut ids = self.unfinished_erase()?;
        ids.extend(trace_ids.iter().map(|id| normalize_trace_id(id)));
        ids.sort();
        ids.dedup();
        let intent = Intent {
            trace_ids: ids.clone(),
        };
        let text = serde_json::to_vec(&intent)
            .map_err(|e| Error::internal(format!("{ERASE_INTENT}: {e}")))?;
        write_small_file(self.env.as_ref(), ERASE_INTENT, &text)?;
        debug_assert!(
            !matches!(self.unfinished_erase(), Ok(noted) if noted != ids),
            "an erase that is interrupted is completed by who reads the note"
        );
        Ok(ids)
    }

    /// The traces of an erase that was begun and is not done.
    ///
    /// # Errors
    /// `Corrupt` when the note cannot be read, `Io`.
    pub fn unfinished_erase(&self) -> Result<Vec<String>> {
        let path = Path::new(ERASE_INTENT);
        if !self.env.exists(path) {
            return Ok(Vec::new());
        }
        let text = self
            .env
            .read(path)
            .map_err(|e| Error::io(ERASE_INTENT, e))?;
        let intent: Intent = serde_json::from_slice(&text).map_err(|e| {
            Error::corrupt(format!(
                "{ERASE_INTENT} does not name the traces to erase: {e}"
            ))
        })?;
        Ok(intent.trace_ids)
    }

    /// Removes the bytes of deleted traces from all files, and with them everything else that nothing
    /// names. The erase is over when nothing is pending.
    ///
    /// # Errors
    /// `Corrupt` naming a segment that cannot be read, `Io`, `Closed`: it is to be done again then.
    pub fn erase(&self, trace_ids: &[String]) -> Result<Erased> {
        let keys: Vec<TraceKey> = trace_ids
            .iter()
            .map(|id| TraceKey::of(&normalize_trace_id(id)))
            .collect();
        let mut erased = Erased::default();
        let log_before = self.bytes_of("wal");
        self.seal()?;
        self.drop_log()?;
        self.erase_held(&keys)?;
        erased.log_bytes = log_before.saturating_sub(self.bytes_of("wal"));
        let old = self.rewrite_segments(&keys, &mut erased)?;
        if let Some(manifest) = lock(&self.manifest).as_mut() {
            manifest.change_file()?;
        }
        self.meta_store.restart();
        for segment in lock(&self.state).segments.clone() {
            segment.ensure_indexed()?;
        }
        self.wait_for_indexing();
        for dir in ["tmp", "quarantine"] {
            erased.other_entries += self.empty(dir)?;
        }
        self.wait_until_gone(&old, &mut erased.pending)?;
        if erased.pending.is_empty() {
            assert!(
                !old.iter().any(|dir| self.env.exists(dir)),
                "an erase is over when the old files are gone"
            );
            self.env
                .remove_file(Path::new(ERASE_INTENT))
                .map_err(|e| Error::io(ERASE_INTENT, e))?;
            self.env
                .sync_dir(Path::new(""))
                .map_err(|e| Error::io("database folder", e))?;
        }
        Ok(erased)
    }

    /// Starts a new log file and removes the others, also when there was nothing to seal.
    fn drop_log(&self) -> Result<()> {
        {
            let mut log = lock(&self.log);
            let next = log.next_sequence;
            if let Some(wal) = &mut log.wal {
                wal.rotate(next)?;
            }
        }
        self.cut_wal()
    }

    /// Writes every segment with rows of these traces again; the folders of the old ones.
    fn rewrite_segments(&self, keys: &[TraceKey], erased: &mut Erased) -> Result<Vec<PathBuf>> {
        let _one_at_a_time = lock(&self.maintenance);
        let segments = lock(&self.state).segments.clone();
        let mut old = Vec::new();
        for segment in segments {
            if !holds_any(&segment, keys)? {
                continue;
            }
            erased.segments.push(segment.id().to_string());
            erased.segment_bytes += segment
                .meta()
                .files
                .iter()
                .map(|file| file.len)
                .sum::<u64>();
            old.push(segment.dir().clone());
            self.merge(std::slice::from_ref(&segment), None)?;
            debug_assert!(
                lock(&self.state).manifest.segment(segment.id()).is_none(),
                "what held them is replaced"
            );
        }
        assert_eq!(
            old.len(),
            erased.segments.len(),
            "each folder that goes is told"
        );
        Ok(old)
    }

    /// Removes everything in a folder. What running queries have spilled has no name and goes with them.
    fn empty(&self, dir: &str) -> Result<u64> {
        let mut removed = 0;
        for name in self
            .env
            .list(Path::new(dir))
            .map_err(|e| Error::io(dir, e))?
        {
            let path = Path::new(dir).join(&name);
            remove_any(self.env.as_ref(), &path).map_err(|e| Error::io(path.display(), e))?;
            removed += 1;
        }
        self.env
            .sync_dir(Path::new(dir))
            .map_err(|e| Error::io(dir, e))?;
        Ok(removed)
    }

    /// Queries under way hold old segments for a moment; so do other processes, for longer.
    fn wait_until_gone(&self, old: &[PathBuf], pending: &mut Vec<String>) -> Result<()> {
        let started = Instant::now();
        loop {
            lock(&self.state).snapshot = None;
            let waiting = self.deletions.clear(self.env.as_ref());
            let left: Vec<&PathBuf> = old.iter().filter(|dir| self.env.exists(dir)).collect();
            if left.is_empty() && waiting == 0 {
                break;
            }
            if started.elapsed() > READERS_WAIT {
                pending.extend(left.iter().map(|dir| dir.display().to_string()));
                if left.is_empty() {
                    pending
                        .push("files of an older version that another process reads".to_string());
                }
                break;
            }
            std::thread::sleep(READERS_PAUSE);
        }
        // Removed names must not come back after a power cut, when nobody knows any more what was to be erased.
        for dir in ["seg", super::CATALOG_DIR] {
            self.env
                .sync_dir(Path::new(dir))
                .map_err(|e| Error::io(dir, e))?;
        }
        Ok(())
    }

    fn bytes_of(&self, dir: &str) -> u64 {
        super::stats::folder_bytes(self.env.as_ref(), Path::new(dir))
    }
}

/// Whether a segment has a row of one of these traces, visible or not.
fn holds_any(segment: &std::sync::Arc<Segment>, keys: &[TraceKey]) -> Result<bool> {
    let all = Source::new(Rows::Segment(segment.clone()), [None, None, None]);
    for key in keys {
        for table in Table::ALL {
            if !all.rows_of(table, *key)?.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
