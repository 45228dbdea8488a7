//! `backup`: a consistent copy of a database, also of one that another process writes meanwhile.
//!
//! 1. Read the manifest; copy the files it names that the copy does not have yet, comparing hashes.
//! 2. Copy the log's records from the replay point on.
//! 3. When a file or a part of the log was removed meanwhile, the manifest has changed: start over. What was
//!    copied is kept, segments being immutable.
//! 4. Remove from the copy what the last manifest does not name; write its manifest; `FORMAT` last, which
//!    makes the folder a database (a copy that was interrupted is none).
//!
//! The copy has every batch acknowledged before the backup began. Indexes by trace are not copied: they are
//! rebuilt when the copy is opened.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::interrupt;
use crate::manifest::{FileMeta, Manifest, ManifestState, SegmentMeta};
use crate::readers::pin_files;
use crate::repair::copy_file;
use crate::segment::verify_file;
use crate::store::{
    CATALOG_DIR, create_folders, named_entries, read_format, segment_dir, write_small_file,
};
use crate::wal::{self, WalWriter};

/// How often the copy starts over because the writer removed something.
const TRIES: usize = 32;
/// Bytes of the log that are written together.
const SYNC_BYTES: u64 = 8 << 20;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// Segments.
    pub segments: usize,
    /// Files of datasets.
    pub catalog_files: usize,
    /// Records of the log.
    pub log_records: u64,
    /// Bytes of all files of the copy.
    pub bytes: u64,
    /// The manifest version that was copied.
    pub manifest_version: u64,
}

/// Copies the database in `env` to the empty or missing folder `copy`, which is empty again after an error.
///
/// # Errors
/// `Conflict` when the folder is not empty, `Corrupt` naming a file of the database that is damaged, `Io`; `Cancelled`
/// or `Timeout` where an interrupt guards the thread.
pub fn backup(env: &Arc<dyn Env>, copy: &Arc<dyn Env>) -> Result<BackupReport> {
    read_format(env.as_ref())?;
    let root = Path::new("");
    copy.create_dir_all(root)
        .map_err(|e| Error::io("folder of the copy", e))?;
    if !copy
        .list(root)
        .map_err(|e| Error::io("folder of the copy", e))?
        .is_empty()
    {
        return Err(Error::new(
            ErrorKind::Conflict,
            "the folder of the copy is not empty",
        ));
    }
    let copied = fill(env, copy);
    if copied.is_err() {
        // What failed says more than what could not be removed after it.
        let _ = clear(copy.as_ref());
    }
    copied
}

/// Removes everything in the folder of a copy.
fn clear(copy: &dyn Env) -> std::io::Result<()> {
    for name in copy.list(Path::new(""))? {
        let path = Path::new(&name);
        copy.remove_dir_all(path)
            .or_else(|_| copy.remove_file(path))?;
    }
    Ok(())
}

fn fill(env: &Arc<dyn Env>, copy: &Arc<dyn Env>) -> Result<BackupReport> {
    create_folders(copy.as_ref())?;
    let mut tries = 0;
    let mut report = loop {
        tries += 1;
        // Where readers may say what they read, the writer keeps it.
        let pin = pin_files(env);
        let manifest = Manifest::read(env.as_ref(), Path::new("manifest"))?;
        match copy_state(env.as_ref(), copy, &manifest) {
            Ok(report) => break report,
            Err(error) => {
                let now = Manifest::read(env.as_ref(), Path::new("manifest"))?;
                if now.version == manifest.version || tries == TRIES {
                    return Err(error);
                }
            }
        }
        drop(pin);
    };
    assert!(
        !copy.exists(Path::new("FORMAT")),
        "a copy becomes a database when all else is there"
    );
    let format = env
        .read(Path::new("FORMAT"))
        .map_err(|e| Error::io("FORMAT", e))?;
    write_small_file(copy.as_ref(), "FORMAT", &format)?;
    report.bytes += format.len() as u64;
    Ok(report)
}

fn copy_state(
    env: &dyn Env,
    copy: &Arc<dyn Env>,
    manifest: &ManifestState,
) -> Result<BackupReport> {
    let mut report = BackupReport {
        segments: manifest.segments.len(),
        catalog_files: manifest.catalog.len(),
        manifest_version: manifest.version,
        ..BackupReport::default()
    };
    for segment in &manifest.segments {
        report.bytes += copy_segment(env, copy.as_ref(), segment)?;
    }
    for file in &manifest.catalog {
        let meta = file.file();
        report.bytes += copy_named(env, copy.as_ref(), Path::new(CATALOG_DIR), &meta)?;
    }
    let (records, bytes) = copy_log(env, copy, manifest.replay_from.max(1))?;
    report.log_records = records;
    report.bytes += bytes;
    remove_others(copy.as_ref(), manifest)?;
    for dir in ["seg", CATALOG_DIR, "wal"] {
        copy.sync_dir(Path::new(dir))
            .map_err(|e| Error::io(dir, e))?;
    }
    Manifest::replace(copy, Path::new("manifest"), manifest.clone())?;
    Ok(report)
}

/// Copies the files of a segment, its text index as far as it is there.
fn copy_segment(env: &dyn Env, copy: &dyn Env, segment: &SegmentMeta) -> Result<u64> {
    let dir = segment_dir(segment.id);
    let mut bytes = 0;
    for file in &segment.files {
        bytes += copy_named(env, copy, &dir, file)?;
    }
    let text = dir.join("text");
    if !env.exists(&text) || copy.exists(&text) {
        return Ok(bytes);
    }
    // Under another name until it is whole, since an index that is there is taken for whole.
    let unfinished = Path::new("tmp").join(segment.id.to_string());
    for name in env.list(&text).map_err(|e| Error::io(text.display(), e))? {
        let target = unfinished.join(&name);
        if copy.exists(&target) {
            copy.remove_file(&target)
                .map_err(|e| Error::io(target.display(), e))?;
        }
        bytes += copy_file(env, &text.join(&name), copy, &target)?;
    }
    copy.rename(&unfinished, &text)
        .map_err(|e| Error::io(text.display(), e))?;
    copy.sync_dir(&dir)
        .map_err(|e| Error::io(dir.display(), e))?;
    Ok(bytes)
}

/// Copies a file that the manifest describes, unless the copy has it, and compares it with its hash.
fn copy_named(env: &dyn Env, copy: &dyn Env, dir: &Path, meta: &FileMeta) -> Result<u64> {
    let path = dir.join(&meta.name);
    if copy.exists(&path) {
        if verify_file(copy, dir, meta, false).is_ok() {
            return Ok(meta.len);
        }
        copy.remove_file(&path)
            .map_err(|e| Error::io(path.display(), e))?;
    }
    copy_file(env, &path, copy, &path)?;
    if let Err(error) = verify_file(copy, dir, meta, true) {
        copy.remove_file(&path)
            .map_err(|e| Error::io(path.display(), e))?;
        return Err(error);
    }
    Ok(meta.len)
}

/// Copies the log's records into one new file; how many, and its bytes.
fn copy_log(env: &dyn Env, copy: &Arc<dyn Env>, replay_from: u64) -> Result<(u64, u64)> {
    let dir = Path::new("wal");
    for (path, _) in wal::list_files(copy.as_ref(), dir)? {
        copy.remove_file(&path)
            .map_err(|e| Error::io(path.display(), e))?;
    }
    let mut writer = WalWriter::create(copy, dir, replay_from)?;
    let (mut records, mut bytes, mut synced) = (0, 0, 0);
    wal::replay(env, dir, replay_from, &mut |record| {
        interrupt::of_thread().check()?;
        records += 1;
        bytes += record.payload.len() as u64;
        writer.append(record.kind, record.sequence, &record.payload)?;
        if bytes - synced > SYNC_BYTES {
            synced = bytes;
            writer.sync()?;
        }
        Ok(())
    })?;
    writer.sync()?;
    assert_eq!(
        writer.next_sequence(),
        replay_from + records,
        "the copy of the log has no gap"
    );
    Ok((records, bytes))
}

/// Removes what an earlier try copied and the manifest no longer names.
fn remove_others(copy: &dyn Env, manifest: &ManifestState) -> Result<()> {
    for (dir, named) in named_entries(manifest) {
        for name in copy.list(Path::new(dir)).map_err(|e| Error::io(dir, e))? {
            let path = Path::new(dir).join(&name);
            if !named.contains(&name) {
                copy.remove_dir_all(&path)
                    .or_else(|_| copy.remove_file(&path))
                    .map_err(|e| Error::io(path.display(), e))?;
            }
        }
    }
    Ok(())
}
