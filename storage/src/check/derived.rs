//! Checks of what is derived: the metadata store (I8, I16) and the text indexes (I11), compared with a
//! rebuild from the segments.

use std::sync::Arc;

use super::{CheckReport, Part, Severity};
use crate::env::Env;
use crate::error::{Error, Result, guarded};
use crate::kv::MetaStore;
use crate::manifest::{ManifestState, SegmentMeta};
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{BlockCache, SegmentReader};
use crate::snapshot::build_index;
use crate::store::segment_dir;
use crate::text::{FreshText, TEXT_COLUMNS, TextReader};

pub(super) fn check(
    env: &Arc<dyn Env>,
    manifest: &ManifestState,
    meta_store: Option<&MetaStore>,
    report: &mut CheckReport,
) {
    for meta in &manifest.segments {
        let is_damaged = report
            .findings
            .iter()
            .any(|f| matches!(f.part, Part::Segment(id, _) if id == meta.id));
        if is_damaged {
            continue;
        }
        check_text(env, meta, report);
        if let (true, Some(meta_store)) = (report.deep, meta_store) {
            check_index(env, meta, meta_store, report);
        }
    }
    let failure = meta_store.and_then(|store| store.stats().failure);
    if let Some(failure) = failure {
        report.find("I8", Severity::Derived, Part::MetaStore, "kv", failure);
    }
    if report.deep && meta_store.is_none() {
        let message = "was not compared: only who writes can open it, such as repair";
        report.note("I8", "kv", message);
    }
}

fn reader(env: &Arc<dyn Env>, meta: &SegmentMeta) -> Result<SegmentReader> {
    SegmentReader::open(
        env.clone(),
        segment_dir(meta.id),
        meta,
        Arc::new(BlockCache::new(0)),
    )
}

fn check_index(
    env: &Arc<dyn Env>,
    meta: &SegmentMeta,
    meta_store: &MetaStore,
    report: &mut CheckReport,
) {
    let at = format!("kv, segment {}", meta.id);
    if !meta_store.has(meta.id) {
        report.note("I8", &at, "is not indexed; the first lookup does it");
        return;
    }
    let built = guarded(&at, || {
        let reader = reader(env, meta)?;
        build_index(|table, columns| {
            reader.scan(table, &ScanRequest::columns(columns.iter().copied()), None)
        })
    });
    match built.and_then(|index| meta_store.difference(meta.id, &index)) {
        Ok(None) => {}
        Ok(Some(what)) => report.find("I16", Severity::Derived, Part::MetaStore, &at, what),
        Err(error) => report.failed("I8", Severity::Derived, Part::MetaStore, &at, &error),
    }
}

fn check_text(env: &Arc<dyn Env>, meta: &SegmentMeta, report: &mut CheckReport) {
    let dir = segment_dir(meta.id).join("text");
    let at = dir.display().to_string();
    let Some(folder) = env.folder(&dir) else {
        return;
    };
    if !env.exists(&dir) {
        report.note(
            "I11",
            &at,
            "there is no text index yet; its rows are scanned",
        );
        return;
    }
    if TextReader::is_outdated(&folder) {
        report.note(
            "I11",
            &at,
            "the text index is of another version, and is built anew; its rows are scanned",
        );
        return;
    }
    let result = TextReader::open(&folder, meta.span_rows).and_then(|text| {
        if !report.deep {
            return Ok(());
        }
        let damaged = TextReader::damaged_files(&folder)?;
        if !damaged.is_empty() {
            return Err(Error::corrupt(format!(
                "damaged files: {}",
                damaged.join(", ")
            )));
        }
        compare_text(env, meta, &text)
    });
    if let Err(error) = result {
        report.failed("I11", Severity::Derived, Part::Text(meta.id), &at, &error);
    }
}

/// An index of other rows of the same number would have other lengths.
fn compare_text(env: &Arc<dyn Env>, meta: &SegmentMeta, text: &TextReader) -> Result<()> {
    let reader = reader(env, meta)?;
    let mut first_row = 0;
    for batch in reader.scan(
        Table::Spans,
        &ScanRequest::columns(TEXT_COLUMNS.iter().copied()),
        None,
    )? {
        let batch = batch?;
        let mut fresh = FreshText::default();
        fresh.add(&batch)?;
        if let Some(row) = text.first_difference(first_row, &fresh) {
            return Err(Error::corrupt(format!(
                "row {row} has other words than the segment"
            )));
        }
        first_row += batch.num_rows() as u32;
    }
    assert_eq!(first_row, meta.span_rows, "all rows are compared");
    Ok(())
}
