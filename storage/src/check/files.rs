//! Checks of the truth files, one by one: `FORMAT`, manifest, segments, log, catalogue, and the names of
//! everything else.

use std::path::Path;
use std::sync::Arc;

use super::{CheckReport, Part, Severity};
use crate::columns::times;
use crate::env::Env;
use crate::error::{Error, Result, guarded};
use crate::manifest::{Manifest, ManifestState, SegmentMeta};
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{BlockCache, SegmentReader, file_name, verify_file};
use crate::store::operation::Operation;
use crate::store::{
    CATALOG_DIR, ERASE_INTENT, HOLDS, is_of_layout, named_entries, read_format, read_holds,
    segment_dir,
};
use crate::wal;

pub(super) fn manifest_version(env: &dyn Env) -> Option<u64> {
    Manifest::read(env, Path::new("manifest"))
        .ok()
        .map(|manifest| manifest.version)
}

/// I1, I18.
pub(super) fn check_format(env: &dyn Env, report: &mut CheckReport) {
    match read_format(env) {
        Ok(format) => {
            for feature in format.features {
                let message = format!("the feature {feature:?} is not known to this program");
                report.damage("I18", Part::Other, "FORMAT", message);
            }
        }
        Err(error) => report.failed("I1", Severity::Damage, Part::Format, "FORMAT", &error),
    }
}

/// I2.
pub(super) fn check_manifest(env: &dyn Env, report: &mut CheckReport) -> Option<ManifestState> {
    let dir = Path::new("manifest");
    if !env.exists(&dir.join("CURRENT")) {
        report.damage(
            "I2",
            Part::Manifest,
            "manifest/CURRENT",
            "the file is missing",
        );
    }
    match Manifest::read(env, dir) {
        Ok(manifest) => {
            report.manifest_version = Some(manifest.version);
            report.segments = manifest.segments.len();
            Some(manifest)
        }
        Err(error) => {
            report.failed("I2", Severity::Damage, Part::Manifest, "manifest", &error);
            None
        }
    }
}

/// I3, I4, I5.
pub(super) fn check_segments(
    env: &Arc<dyn Env>,
    manifest: &ManifestState,
    report: &mut CheckReport,
) {
    for meta in &manifest.segments {
        let dir = segment_dir(meta.id);
        if meta.last_sequence >= manifest.replay_from {
            let (last, from) = (meta.last_sequence, manifest.replay_from);
            let message =
                format!("it has rows of sequence {last}, the log is replayed from {from} on");
            report.damage("I4", Part::Other, &dir.display().to_string(), message);
        }
        for table in Table::ALL.into_iter().filter(|table| meta.rows(*table) > 0) {
            let at = dir.join(file_name(table)).display().to_string();
            let result = guarded(&at, || check_table(env, meta, table, report));
            if let Err(error) = result {
                report.failed(
                    "I3",
                    Severity::Damage,
                    Part::Segment(meta.id, table),
                    &at,
                    &error,
                );
            }
        }
    }
}

fn check_table(
    env: &Arc<dyn Env>,
    meta: &SegmentMeta,
    table: Table,
    report: &mut CheckReport,
) -> Result<()> {
    let cache = Arc::new(BlockCache::new(0));
    let reader = SegmentReader::open(env.clone(), segment_dir(meta.id), meta, cache)?;
    if report.deep {
        report.bytes_hashed += reader.verify_table(table)?;
    }
    reader.check_end(table)?;
    if report.deep {
        check_times(&reader, meta, table)?;
    }
    Ok(())
}

/// Times outside the manifest's range would be left out of answers.
fn check_times(reader: &SegmentReader, meta: &SegmentMeta, table: Table) -> Result<()> {
    let column = match table {
        Table::Spans => "start_time",
        Table::Traces => "request_time",
        Table::Assessments => return Ok(()),
    };
    for batch in reader.scan(table, &ScanRequest::columns([column]), None)? {
        for time in times(&batch?, column)?.values() {
            if !(meta.min_time_ns..=meta.max_time_ns).contains(time) {
                let (min, max) = (meta.min_time_ns, meta.max_time_ns);
                let message =
                    format!("a row of time {time} outside {min} to {max} of the manifest");
                return Err(Error::corrupt(message));
            }
        }
    }
    Ok(())
}

/// I6.
pub(super) fn check_log(env: &dyn Env, manifest: &ManifestState, report: &mut CheckReport) {
    let mut records = 0;
    let replayed = wal::replay(
        env,
        Path::new("wal"),
        manifest.replay_from.max(1),
        &mut |record| {
            records += 1;
            guarded("write-ahead log record", || {
                Operation::decode(record.kind, &record.payload)
            })
            .map(drop)
        },
    );
    report.log_records = records;
    match replayed {
        Ok(replayed) if replayed.torn_bytes > 0 => {
            let message = format!(
                "{} bytes at its end were never acknowledged",
                replayed.torn_bytes
            );
            report.note("I6", "wal", message);
        }
        Ok(_) => {}
        Err(error) => report.failed("I6", Severity::Damage, Part::Log, "wal", &error),
    }
}

/// I19. That a held file is damaged is worth knowing and no more: replay does not need it, and its reader passes over it.
pub(super) fn check_holds(env: &dyn Env, manifest: &ManifestState, report: &mut CheckReport) {
    let held = match read_holds(env) {
        Ok(positions) => positions.into_iter().min(),
        Err(error) => return report.failed("I19", Severity::Damage, Part::Holds, HOLDS, &error),
    };
    let is_behind = |from: &u64| report.deep && *from < manifest.replay_from;
    let Some(from) = held.filter(is_behind) else {
        return;
    };
    let read = wal::Tail::new(from).read_until(
        env,
        Path::new("wal"),
        manifest.replay_from.saturating_sub(1),
        &mut |record| {
            guarded("write-ahead log record", || {
                Operation::decode(record.kind, &record.payload)
            })
            .map(|_| std::ops::ControlFlow::Continue(()))
        },
    );
    if let Err(error) = read {
        report.note("I19", "wal", format!("of the log that is held: {error}"));
    }
}

/// I14.
pub(super) fn check_catalog(env: &dyn Env, manifest: &ManifestState, report: &mut CheckReport) {
    for file in &manifest.catalog {
        let meta = file.file();
        match verify_file(env, Path::new(CATALOG_DIR), &meta, report.deep) {
            Ok(bytes) => report.bytes_hashed += bytes,
            Err(error) => {
                let at = format!("{CATALOG_DIR}/{}", file.name);
                report.failed(
                    "I14",
                    Severity::Damage,
                    Part::Catalog(file.name.clone()),
                    &at,
                    &error,
                );
            }
        }
    }
}

/// I12, I13.
pub(super) fn check_names(
    env: &dyn Env,
    manifest: Option<&ManifestState>,
    report: &mut CheckReport,
) {
    for name in names(env, "", report) {
        if name == ERASE_INTENT {
            let message = "an erase was interrupted; the next open for writing completes it";
            report.note("I12", ERASE_INTENT, message);
        } else if !is_of_layout(&name) {
            report.note("I13", &name, "is no part of a database");
        }
    }
    let Some(manifest) = manifest else { return };
    for (dir, named) in named_entries(manifest) {
        for name in names(env, dir, report) {
            if !named.contains(&name) {
                let message = "nothing names it; the next open for writing removes it";
                report.note("I13", &format!("{dir}/{name}"), message);
            }
        }
    }
    for name in names(env, "quarantine", report) {
        report.note(
            "I13",
            &format!("quarantine/{name}"),
            "was put there by a repair; delete it when done",
        );
    }
}

/// The names in a folder; one that is not there has none.
fn names(env: &dyn Env, dir: &str, report: &mut CheckReport) -> Vec<String> {
    env.list(Path::new(dir)).unwrap_or_else(|error| {
        let error = Error::io(dir, error);
        if error.is_refusal() {
            report.failed("I13", Severity::Damage, Part::Other, dir, &error);
        }
        Vec::new()
    })
}
