//! `repair`: makes a damaged database usable again, and says what is lost.
//!
//! 1. Check everything (`check`). Without `apply` that is all: the report says what would be done.
//! 2. Copy what is damaged to `quarantine/<ulid>/`, synced, before anything else changes.
//! 3. `FORMAT`, manifest: written anew from what can be read; a `HOLDS` that cannot be read goes. Segments that the readable part of the
//!    manifest does not name are put aside in the quarantine.
//! 4. Segments: one with the rows of the undamaged tables takes the place of each damaged one. Catalogue
//!    files that are damaged leave the manifest. Damaged indexes are removed.
//! 5. Open, with what can be read of the log. Trace rows are folded again where spans or rows are gone. The
//!    segments put aside are stored again, row by row, by the rules for late and repeated rows.
//! 6. Seal, which cuts the damaged log; rebuild text indexes; check again.
//!
//! Every step commits by itself and may be repeated: a repair that was interrupted is run again. A file
//! that differs from its hash is given up as a whole, since Parquet cannot tell which of its rows are right;
//! it stays in the quarantine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use roaring::RoaringBitmap;
use serde::Serialize;

use crate::check::{CheckReport, Opened, Part, Severity, check, check_rows};
use crate::columns::{assessment_at, text, trace_at};
use crate::env::{Env, memory_len};
use crate::error::{Error, ErrorKind, Result, guarded};
use crate::fold::HintOfTop;
use crate::interrupt::spend;
use crate::kv::{Lookup, MetaStore};
use crate::manifest::{Manifest, ManifestEdit, ManifestState, SegmentId, SegmentMeta};
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{BlockCache, SegmentReader, describe, file_name};
use crate::store::{
    self, Assess, CATALOG_DIR, HOLDS, Store, StoreOptions, create_folders, raise_format,
    read_format, read_uuid, segment_dir, take_lock, write_format,
};

/// Trace ids that a report names; further ones are counted.
const TRACE_IDS_MAX: usize = 10_000;
/// Bytes copied at a time.
const COPY_BYTES: u64 = 1 << 20;

/// What is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Spans.
    pub spans: u64,
    /// Rows of `traces`: they are made again from spans, but tags, links and starts given apart are gone.
    pub trace_rows: u64,
    /// Assessments.
    pub assessments: u64,
    /// The traces all this belonged to, as far as that is known.
    pub trace_ids: Vec<String>,
    /// Traces beyond those named.
    pub more_traces: u64,
    /// Earliest time of the lost rows, Unix nanoseconds.
    pub min_time_ns: Option<i64>,
    /// Latest time of the lost rows, Unix nanoseconds.
    pub max_time_ns: Option<i64>,
    /// Parts of the log that cannot be read, and records that do not apply without them.
    pub log: Vec<String>,
    /// Descriptions of catalogue files that are gone.
    pub catalog: Vec<String>,
}

/// What a repair did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RepairReport {
    /// Whether it was done.
    pub applied: bool,
    /// Where copies of the damaged files are, relative to the database.
    pub quarantine: Option<String>,
    /// Steps, in words.
    pub actions: Vec<String>,
    /// What is lost.
    pub lost: Loss,
    /// The check before.
    pub before: CheckReport,
    /// The check after, when the repair was done.
    pub after: Option<CheckReport>,
}

/// Checks, and with `apply` repairs, the database in `env`.
///
/// # Errors
/// `Conflict` when a process writes it, `InvalidInput` for a newer format, `Io` when it cannot be written.
pub fn repair(env: &Arc<dyn Env>, options: StoreOptions, apply: bool) -> Result<RepairReport> {
    let lock_file = take_lock(env.as_ref())?;
    match read_format(env.as_ref()) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => return Err(error),
        _ => {}
    }
    let meta_store = open_meta_store(env);
    let hint_of_top = options.hint_of_top;
    let opened = Opened {
        meta_store: meta_store.as_ref(),
        hint_of_top,
        ..Opened::default()
    };
    let before = check(env, true, &opened);
    if let Some(unchecked) = before.unchecked() {
        let message = format!(
            "cannot be checked, so nothing is repaired: {}",
            unchecked.message
        );
        return Err(Error::new(
            ErrorKind::Io,
            format!("{}: {message}", unchecked.at),
        ));
    }
    let mut repair = Repair::plan(env, before, meta_store.as_ref());
    drop(meta_store);
    if !apply || repair.report.actions.is_empty() {
        return Ok(repair.report);
    }
    repair.copy_damaged()?;
    repair.repair_format()?;
    let uuid = raise_format(env.as_ref())?;
    repair.remove_holds()?;
    repair.repair_manifest()?;
    repair.repair_segments(&options)?;
    repair.remove_indexes()?;
    let mut damage = Some(Vec::new());
    let store = Store::open_locked(env.clone(), options, lock_file, uuid, &mut damage)?;
    repair.report.lost.log.extend(damage.into_iter().flatten());
    repair.refold(&store, hint_of_top)?;
    if !repair.aside.is_empty() {
        // What they hold in common with the rest is found by the rows of traces.
        repair.adopt(&store)?;
        repair.refold(&store, hint_of_top)?;
    }
    while store.index_next_text()? {}
    store.close()?;
    repair.report.applied = true;
    repair.report.after = Some(check(
        env,
        true,
        &Opened {
            hint_of_top,
            ..Opened::default()
        },
    ));
    Ok(repair.report)
}

/// The metadata store of a database that is locked by the caller; `None` when its folder or `FORMAT`
/// cannot be used.
fn open_meta_store(env: &Arc<dyn Env>) -> Option<MetaStore> {
    let uuid = read_uuid(env.as_ref()).ok()?;
    let manifest = Manifest::read(env.as_ref(), Path::new("manifest")).ok()?;
    let live: Vec<SegmentId> = manifest.segments.iter().map(|segment| segment.id).collect();
    Some(store::open_meta_store(env.as_ref(), uuid, &live))
}

/// A repair under way.
struct Repair<'a> {
    env: &'a Arc<dyn Env>,
    report: RepairReport,
    /// Damaged tables by segment.
    segments: BTreeMap<SegmentId, Vec<Table>>,
    /// Damaged catalogue files.
    catalog: BTreeSet<String>,
    texts: Vec<SegmentId>,
    parts: Vec<Part>,
    quarantine: PathBuf,
    /// Segments put aside, in order of their making.
    aside: Vec<SegmentId>,
}

impl<'a> Repair<'a> {
    fn plan(env: &'a Arc<dyn Env>, before: CheckReport, meta_store: Option<&MetaStore>) -> Self {
        let mut repair = Self {
            env,
            report: RepairReport::default(),
            segments: BTreeMap::new(),
            catalog: BTreeSet::new(),
            texts: Vec::new(),
            parts: Vec::new(),
            quarantine: Path::new("quarantine").join(ulid::Ulid(env.new_ulid()).to_string()),
            aside: Vec::new(),
        };
        for finding in before
            .findings
            .iter()
            .filter(|finding| finding.severity != Severity::Note)
        {
            let action = repair.plan_part(&finding.part, &finding.at);
            if let Some(action) = action.filter(|action| !repair.report.actions.contains(action)) {
                repair.report.actions.push(action);
            }
        }
        repair.report.before = before;
        if let Ok(manifest) = Manifest::read(env.as_ref(), Path::new("manifest")) {
            repair.count_loss(&manifest, meta_store);
        }
        repair
    }

    fn plan_part(&mut self, part: &Part, at: &str) -> Option<String> {
        self.parts.push(part.clone());
        Some(match part {
            Part::Format => "write FORMAT anew".to_string(),
            Part::Manifest => {
                "go on from what can be read of the manifest, and store again the segments it does not name"
                    .to_string()
            }
            Part::Log => "keep what can be read of the log".to_string(),
            Part::Holds => "let go of the log that was held: nobody is known to wait for it".to_string(),
            Part::Segment(id, table) => {
                self.segments.entry(*id).or_default().push(*table);
                format!("give up {at}, keep the segment's other tables")
            }
            Part::Catalog(name) => {
                self.catalog.insert(name.clone());
                format!("give up {at}")
            }
            Part::MetaStore => "build the metadata store anew".to_string(),
            Part::Text(id) => {
                self.texts.push(*id);
                format!("build {at} anew")
            }
            Part::Rows => "fold the rows of traces again that do not fit their spans".to_string(),
            Part::Other => return None,
        })
    }

    fn count_loss(&mut self, manifest: &ManifestState, meta_store: Option<&MetaStore>) {
        let mut ids = BTreeSet::new();
        for (id, tables) in &self.segments {
            let Some(meta) = manifest.segment(*id) else {
                continue;
            };
            for table in tables {
                let masked = manifest
                    .masks
                    .get(&(*id, *table))
                    .map_or(0, RoaringBitmap::len);
                let rows = u64::from(meta.rows(*table)).saturating_sub(masked);
                match table {
                    Table::Spans => self.report.lost.spans += rows,
                    Table::Traces => self.report.lost.trace_rows += rows,
                    Table::Assessments => self.report.lost.assessments += rows,
                }
            }
            let lost = &mut self.report.lost;
            lost.min_time_ns = lost.min_time_ns.into_iter().chain([meta.min_time_ns]).min();
            lost.max_time_ns = lost.max_time_ns.into_iter().chain([meta.max_time_ns]).max();
            ids.extend(trace_ids(self.env, meta, tables, meta_store));
        }
        self.report.lost.more_traces = ids.len().saturating_sub(TRACE_IDS_MAX) as u64;
        self.report.lost.trace_ids = ids.into_iter().take(TRACE_IDS_MAX).collect();
        for file in manifest
            .catalog
            .iter()
            .filter(|file| self.catalog.contains(&file.name))
        {
            self.report.lost.catalog.push(file.meta_json.clone());
        }
    }

    fn has(&self, part: &Part) -> bool {
        self.parts.contains(part)
    }

    /// Step 2.
    fn copy_damaged(&mut self) -> Result<()> {
        let mut files: Vec<PathBuf> = Vec::new();
        if self.has(&Part::Format) {
            files.push("FORMAT".into());
        }
        if self.has(&Part::Holds) {
            files.push(HOLDS.into());
        }
        for (part, dir) in [(Part::Manifest, "manifest"), (Part::Log, "wal")] {
            if self.has(&part) {
                let names = self
                    .env
                    .list(Path::new(dir))
                    .map_err(|e| Error::io(dir, e))?;
                files.extend(names.iter().map(|name| Path::new(dir).join(name)));
            }
        }
        for id in self.segments.keys() {
            files.extend(Table::ALL.map(|table| segment_dir(*id).join(file_name(table))));
        }
        files.extend(
            self.catalog
                .iter()
                .map(|name| Path::new(CATALOG_DIR).join(name)),
        );
        files.retain(|file| self.env.exists(file));
        if !files.is_empty() {
            self.report.quarantine = Some(self.quarantine.display().to_string());
        }
        for file in files {
            copy_file(
                self.env.as_ref(),
                &file,
                self.env.as_ref(),
                &self.quarantine.join(&file),
            )?;
        }
        sync_up(self.env.as_ref(), &self.quarantine)
    }

    /// Step 3, `FORMAT`.
    fn repair_format(&self) -> Result<()> {
        if self.has(&Part::Format) {
            create_folders(self.env.as_ref())?;
            write_format(self.env.as_ref(), self.env.new_ulid())?;
        }
        Ok(())
    }

    /// Step 3, the manifest.
    fn repair_manifest(&mut self) -> Result<()> {
        if !self.has(&Part::Manifest) {
            return Ok(());
        }
        let dir = Path::new("manifest");
        let (mut state, damage) = Manifest::salvage(self.env.as_ref(), dir)?;
        self.report.actions.extend(
            damage
                .into_iter()
                .map(|damage| format!("left out: {damage}")),
        );
        let seg = Path::new("seg");
        let folders: Vec<String> = self.env.list(seg).map_err(|e| Error::io("seg", e))?;
        let gone = |segment: &SegmentMeta| !folders.contains(&segment.id.to_string());
        for segment in state.segments.iter().filter(|segment| gone(segment)) {
            let id = segment.id;
            self.report.actions.push(format!(
                "segment {id} is gone, a later merge may have taken its rows"
            ));
        }
        state
            .masks
            .retain(|(id, _), _| folders.contains(&id.to_string()));
        state.segments.retain(|segment| !gone(segment));
        state
            .catalog
            .retain(|file| self.env.exists(&Path::new(CATALOG_DIR).join(&file.name)));
        self.put_aside(&state, &folders)?;
        // The version grows past whatever was read of the old one by others.
        state.version += 1;
        Manifest::replace(self.env, dir, state)
    }

    fn put_aside(&mut self, state: &ManifestState, folders: &[String]) -> Result<()> {
        let aside = self.quarantine.join("aside");
        for name in folders {
            let Ok(id) = name.parse::<ulid::Ulid>() else {
                continue;
            };
            let id = SegmentId(id.0);
            if state.segment(id).is_none() {
                self.env
                    .create_dir_all(&aside)
                    .map_err(|e| Error::io(aside.display(), e))?;
                let target = aside.join(name);
                self.env
                    .rename(&segment_dir(id), &target)
                    .map_err(|e| Error::io(target.display(), e))?;
                self.report.quarantine = Some(self.quarantine.display().to_string());
                self.aside.push(id);
            }
        }
        self.aside.sort();
        if self.aside.is_empty() {
            Ok(())
        } else {
            sync_up(self.env.as_ref(), &aside)
        }
    }

    /// Step 4, segments and catalogue files.
    fn repair_segments(&self, options: &StoreOptions) -> Result<()> {
        let store = Store::open_segments_alone(self.env, options.clone())?;
        let live: Vec<String> = store
            .snapshot()?
            .catalog()
            .iter()
            .map(|file| file.name.clone())
            .collect();
        for (id, tables) in &self.segments {
            store.replace_segment(*id, tables)?;
        }
        let ended: Vec<String> = live
            .into_iter()
            .filter(|name| self.catalog.contains(name))
            .collect();
        if !ended.is_empty() {
            let edit = ManifestEdit {
                remove_catalog: ended,
                ..ManifestEdit::default()
            };
            store.commit_manifest(edit, |_| {})?;
        }
        Ok(())
    }

    /// Step 3, `HOLDS`.
    fn remove_holds(&self) -> Result<()> {
        if !self.has(&Part::Holds) {
            return Ok(());
        }
        self.env
            .remove_file(Path::new(HOLDS))
            .and_then(|()| self.env.sync_dir(Path::new("")))
            .map_err(|e| Error::io(HOLDS, e))
    }

    /// Step 4, indexes.
    fn remove_indexes(&self) -> Result<()> {
        let remove = |dir: &Path| match self.env.exists(dir) {
            true => self
                .env
                .remove_dir_all(dir)
                .map_err(|e| Error::io(dir.display(), e)),
            false => Ok(()),
        };
        for id in &self.texts {
            remove(&segment_dir(*id).join("text"))?;
        }
        if self.has(&Part::MetaStore) {
            remove(Path::new("kv"))?;
        }
        Ok(())
    }

    /// Step 5, segments that were put aside.
    fn adopt(&mut self, store: &Store) -> Result<()> {
        for id in &self.aside {
            let dir = self.quarantine.join("aside").join(id.to_string());
            let what = dir.display().to_string();
            let meta = guarded(&what, || describe(self.env.as_ref(), &dir, *id));
            let adopted =
                meta.and_then(|meta| guarded(&what, || adopt_rows(self.env, store, dir, &meta)));
            self.report.actions.push(match adopted {
                Ok(rows) => format!(
                    "{rows} rows of segment {id} stored again: deletes after it was made may be undone"
                ),
                Err(error) => format!("segment {id} cannot be read and stays in the quarantine: {error}"),
            });
        }
        Ok(())
    }

    /// Step 5, trace rows.
    fn refold(&mut self, store: &Store, hint_of_top: HintOfTop) -> Result<()> {
        let rows = check_rows(&store.snapshot()?, hint_of_top)?;
        let keys: Vec<_> = rows.stale.iter().map(|(key, _)| *key).collect();
        let known: BTreeSet<String> = self.report.lost.trace_ids.iter().cloned().collect();
        for (_, id) in rows.stale.into_iter().filter(|(_, id)| !known.contains(id)) {
            if self.report.lost.trace_ids.len() < TRACE_IDS_MAX {
                self.report.lost.trace_ids.push(id);
            } else {
                self.report.lost.more_traces += 1;
            }
        }
        assert!(
            self.report.lost.trace_ids.len() <= TRACE_IDS_MAX,
            "further traces are counted"
        );
        store.refold(&keys)
    }
}

/// Ids of the traces with rows in a segment, from a table that is not damaged or from the index.
fn trace_ids(
    env: &Arc<dyn Env>,
    meta: &SegmentMeta,
    damaged: &[Table],
    meta_store: Option<&MetaStore>,
) -> Vec<String> {
    let whole = [Table::Traces, Table::Spans]
        .into_iter()
        .find(|table| !damaged.contains(table));
    let read = |table: Table| -> Result<Vec<String>> {
        let cache = Arc::new(BlockCache::new(0));
        let reader = SegmentReader::open(env.clone(), segment_dir(meta.id), meta, cache)?;
        let mut ids = Vec::new();
        for batch in reader.scan(table, &ScanRequest::columns(["trace_id"]), None)? {
            ids.extend(
                text(&batch?, "trace_id")?
                    .iter()
                    .flatten()
                    .map(str::to_string),
            );
        }
        Ok(ids)
    };
    if let Some(Ok(ids)) = whole.map(|table| guarded("segment", || read(table))) {
        return ids;
    }
    match meta_store.map(|store| store.trace_keys(meta.id)) {
        Some(Lookup::Known(keys)) => keys
            .into_iter()
            .map(|key| format!("{:032x}", key.0))
            .collect(),
        _ => Vec::new(),
    }
}

/// Stores the rows of a segment as if they came now; how many there were.
fn adopt_rows(env: &Arc<dyn Env>, store: &Store, dir: PathBuf, meta: &SegmentMeta) -> Result<u64> {
    let reader = SegmentReader::open(env.clone(), dir, meta, Arc::new(BlockCache::new(0)))?;
    let all = |table: Table| {
        let request = ScanRequest::columns(table.columns());
        if reader.rows(table) == 0 {
            Ok(None)
        } else {
            reader.scan(table, &request, None).map(Some)
        }
    };
    let mut rows = 0;
    for batch in all(Table::Spans)?.into_iter().flatten() {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        store.append_spans(batch)?;
    }
    for batch in all(Table::Traces)?.into_iter().flatten() {
        let batch = batch?;
        let mut edits = Vec::new();
        for row in 0..batch.num_rows() {
            let trace = trace_at(&batch, row)?;
            edits.push((trace.trace_id, trace.edit));
        }
        edits.retain(|(_, edit)| !edit.is_empty());
        rows += batch.num_rows() as u64;
        store.edit_traces(edits)?;
    }
    for batch in all(Table::Assessments)?.into_iter().flatten() {
        let batch = batch?;
        let assessments = (0..batch.num_rows())
            .map(|row| assessment_at(&batch, row))
            .collect::<Result<_>>()?;
        rows += batch.num_rows() as u64;
        store.assess(Assess {
            rows: assessments,
            check_existing: true,
        })?;
    }
    Ok(rows)
}

/// Copies a file, synced, into a folder that is created.
pub(crate) fn copy_file(env: &dyn Env, from: &Path, target: &dyn Env, to: &Path) -> Result<u64> {
    let io = |path: &Path| {
        let shown = path.display().to_string();
        move |e| Error::io(shown, e)
    };
    if let Some(dir) = to.parent() {
        target.create_dir_all(dir).map_err(io(dir))?;
    }
    let reader = env.open(from).map_err(io(from))?;
    let mut writer = target.create(to).map_err(io(to))?;
    let mut offset = 0;
    while offset < reader.len() {
        if !spend(COPY_BYTES as usize) {
            return Err(Error::new(ErrorKind::Cancelled, "the copy was given up"));
        }
        let len = (reader.len() - offset).min(COPY_BYTES);
        let bytes = memory_len(len)
            .and_then(|len| reader.read_at(offset, len))
            .map_err(io(from))?;
        assert_eq!(
            bytes.len() as u64,
            len,
            "a read gives what it was asked for, or fails"
        );
        writer.write_all(&bytes).map_err(io(to))?;
        offset += len;
    }
    writer.sync_data().map_err(io(to))?;
    if let Some(dir) = to.parent() {
        target.sync_dir(dir).map_err(io(dir))?;
    }
    Ok(offset)
}

/// Makes the name of a folder durable, and those above it.
fn sync_up(env: &dyn Env, dir: &Path) -> Result<()> {
    for folder in dir.ancestors().filter(|folder| env.exists(folder)) {
        env.sync_dir(folder)
            .map_err(|e| Error::io(folder.display(), e))?;
    }
    Ok(())
}
