//! sled behind a fence: which folder is opened, what is trusted, and how it is synced.
//!
//! sled 0.34.7 reports success after a power cut that lost data, may panic or fail to open after
//! one, and its `flush` does not sync the device. It only holds derived data here, so the treatment
//! is: in doubt, start an empty *generation* and let the index be rebuilt.
//!
//! ```text
//! kv/g<n>/marker   text: format, state (open or closed), boot id, database
//! kv/g<n>/sled/    sled's own files
//! ```
//!
//! Opening: 1. take the highest generation; 2. trust it only if its marker is of this database and
//! says *closed*, or *open* in the same boot (a dead process loses no page cache); 3. write the marker
//! *open* and sync it; 4. delete unfinished snapshots, open sled, check the database id inside;
//! 5. if any of this fails, do the same with a new generation; 6. remove the other generations.
//! Closing: flush, drop, wait until sled's threads let go of the file, sync every file ourselves,
//! then write the marker *closed*. sled opens files by their path whenever it likes, so the folder that the
//! path leads through is held until its threads have let go.
//!
//! Invariants:
//! * **KV-4** a generation whose marker is absent, foreign, left open by another boot, or left open in another
//!   folder (a copy, made while sled wrote) is not read.
//! * No panic of sled's in our thread leaves this file; after one, sled is leaked and not dropped.
//! * A forked process has a copy of sled without its threads, and the files are another's: it neither calls nor
//!   drops sled, and leaves marker and files alone.

// sled writes its own files; the folder is derived and no truth file (ST-5).
#![allow(clippy::disallowed_methods)]

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::backend::Kv;
use super::keys::{self, Family, Key};
use crate::env::{Folder, is_before_1970};
use crate::error::{Error, ErrorKind, Result};
use crate::manifest::SegmentId;

/// First line of a marker; another format is not read but rebuilt.
const FORMAT: &str = "tracehouse kv 2";
/// sled's page cache; its real memory use is a multiple.
const CACHE_BYTES: u64 = 32 << 20;
/// How long close waits for sled's threads to let go of the file.
const RELEASE_WAIT_MAX: Duration = Duration::from_secs(5);

/// Where the store is and for whom.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The folder of the generations.
    pub(super) dir: Folder,
    /// Identifies this run of the operating system; empty means unknown.
    pub(super) boot_id: String,
    /// The database the store belongs to.
    pub(super) db_uuid: u128,
}

impl Place {
    fn generation_dir(&self, generation: u64) -> PathBuf {
        self.dir.path().join(format!("g{generation}"))
    }

    /// Tells the folder of a generation from a copy of it.
    fn identity(&self, generation: u64) -> String {
        let seen = fs::metadata(self.generation_dir(generation));
        seen.map_or_else(
            |_| "unknown".to_string(),
            |seen| format!("{}:{}", seen.dev(), seen.ino()),
        )
    }

    fn marker_text(&self, generation: u64, state: &str) -> String {
        let (boot, folder, database) = (&self.boot_id, self.identity(generation), self.db_uuid);
        format!(
            "{FORMAT}\nstate {state}\nboot {boot:?}\nfolder {folder}\ndatabase {database:032x}\n"
        )
    }

    /// Holds KV-4. A closed marker of any boot is trusted, an open one only of this boot and folder.
    fn trusts(&self, generation: u64) -> bool {
        let Ok(text) = fs::read_to_string(self.generation_dir(generation).join("marker")) else {
            return false;
        };
        let mut lines = text.lines();
        let format = lines.next() == Some(FORMAT);
        let state = lines.next();
        let boot = lines.next() == Some(format!("boot {:?}", self.boot_id).as_str());
        let folder = lines.next() == Some(format!("folder {}", self.identity(generation)).as_str());
        let database = lines.next() == Some(format!("database {:032x}", self.db_uuid).as_str());
        let same_boot = boot && !self.boot_id.is_empty();
        let settled =
            state == Some("state closed") || (state == Some("state open") && same_boot && folder);
        format && database && settled && text.ends_with('\n')
    }

    /// Writes the marker so that it survives a power cut.
    fn write_marker(&self, generation: u64, state: &str) -> io::Result<()> {
        let dir = self.generation_dir(generation);
        let unfinished = dir.join("marker.tmp");
        let mut file = File::create(&unfinished)?;
        file.write_all(self.marker_text(generation, state).as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, dir.join("marker"))?;
        debug_assert!(
            state == "open" || self.trusts(generation),
            "KV-4: what was closed is trusted"
        );
        sync_dir(&dir)
    }
}

/// sled as an ordered map.
#[derive(Debug)]
pub(super) struct SledKv {
    place: Place,
    generation: u64,
    /// Taken by close; `None` only after it.
    db: Option<sled::Db>,
    panicked: AtomicBool,
    /// The process that opened it.
    pid: u32,
}

impl SledKv {
    /// Opens the newest generation when it can be trusted, else, or when `fresh`, a new empty one.
    ///
    /// # Errors
    /// `Io` or `Internal` when not even a new generation can be made.
    pub(super) fn open(place: &Place, fresh: bool) -> Result<Self> {
        let failed = |error| Error::io(format!("metadata store {}", place.dir), error);
        check_clock().map_err(failed)?;
        create_dir(place.dir.path()).map_err(failed)?;
        let generations = list_generations(place.dir.path()).map_err(failed)?;
        let newest = generations.last().copied();
        let trusted = newest.filter(|newest| !fresh && place.trusts(*newest));
        let opened = match trusted.map(|generation| Self::open_generation(place, generation, false))
        {
            Some(Ok(kv)) => kv,
            _ => {
                let generation = newest.map_or(1, |newest| newest.saturating_add(1));
                create_dir(&place.generation_dir(generation)).map_err(failed)?;
                Self::open_generation(place, generation, true)?
            }
        };
        let is_newer = newest.is_none_or(|newest| opened.generation > newest);
        assert!(
            is_newer || trusted.is_some(),
            "KV-4: what is not trusted is not opened"
        );
        for other in generations
            .into_iter()
            .filter(|other| *other != opened.generation)
        {
            remove_generation(place, other);
        }
        Ok(opened)
    }

    fn open_generation(place: &Place, generation: u64, is_new: bool) -> Result<Self> {
        let failed = |error| Error::io(format!("metadata store generation {generation}"), error);
        let folder = place.generation_dir(generation).join("sled");
        place.write_marker(generation, "open").map_err(failed)?;
        create_dir(&folder).map_err(failed)?;
        remove_unfinished_snapshots(&folder).map_err(failed)?;
        let panicked = AtomicBool::new(false);
        let config = sled::Config::new()
            .path(&folder)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .use_compression(false);
        let db = guard(&panicked, || config.open())?;
        let kv = Self {
            place: place.clone(),
            generation,
            db: Some(db),
            panicked,
            pid: std::process::id(),
        };
        if is_new {
            kv.write_identity()?
        } else {
            kv.check_identity()?
        }
        Ok(kv)
    }

    fn write_identity(&self) -> Result<()> {
        let key = identity_key();
        self.put(&key, &keys::seal(&key, &self.place.db_uuid.to_be_bytes()))
    }

    fn check_identity(&self) -> Result<()> {
        let key = identity_key();
        let found = self.get_le(&key)?;
        let value = found
            .filter(|(found, _)| found.as_slice() == key)
            .map(|(_, value)| value);
        let value = value.ok_or_else(|| Error::corrupt("the metadata store names no database"))?;
        if keys::unseal(&key, &value)? != self.place.db_uuid.to_be_bytes() {
            return Err(Error::corrupt(
                "the metadata store belongs to another database",
            ));
        }
        Ok(())
    }

    fn is_forked(&self) -> bool {
        self.pid != std::process::id()
    }

    fn call<T>(&self, call: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T> {
        if self.is_forked() {
            return Err(Error::internal("the metadata store is another process's"));
        }
        let db = self
            .db
            .as_ref()
            .ok_or_else(|| Error::internal("the metadata store is closed"))?;
        guard(&self.panicked, || call(db))
    }

    fn sled_dir(&self) -> PathBuf {
        self.place.generation_dir(self.generation).join("sled")
    }

    fn finish(&self, db: sled::Db) -> Result<()> {
        assert!(
            !self.is_forked(),
            "a fork leaves the files of the process that it came from alone"
        );
        guard(&self.panicked, || db.flush())?;
        guard(&self.panicked, || {
            drop(db);
            Ok(())
        })?;
        let failed = |error| Error::io("closing the metadata store", error);
        let folder = self.sled_dir();
        wait_released(&folder.join("db")).map_err(failed)?;
        sync_files(&folder.join("blobs")).map_err(failed)?;
        sync_files(&folder).map_err(failed)?;
        self.place
            .write_marker(self.generation, "closed")
            .map_err(failed)
    }

    /// Leaves sled to itself, and with it the folder that it may still use.
    fn leak(&self, db: sled::Db) {
        std::mem::forget(db);
        std::mem::forget(self.place.dir.clone());
    }

    fn remove_marker(&self) {
        if self.is_forked() {
            return;
        }
        // If this fails too, damage is met again by the checksums on reading (KV-3).
        let _ = fs::remove_file(self.place.generation_dir(self.generation).join("marker"));
    }
}

impl Kv for SledKv {
    fn get_le(&self, key: &Key) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let found = self.call(|db| db.range(..=key.as_slice()).next_back().transpose())?;
        Ok(found.map(|(key, value)| (key.to_vec(), value.to_vec())))
    }

    fn keys(&self, first: &Key, last: &Key, limit: usize) -> Result<Vec<Vec<u8>>> {
        self.call(|db| {
            let range = db
                .range(first.as_slice()..=last.as_slice())
                .keys()
                .take(limit);
            range.map(|key| key.map(|key| key.to_vec())).collect()
        })
    }

    fn put(&self, key: &Key, value: &[u8]) -> Result<()> {
        self.call(|db| db.insert(key.as_slice(), value).map(|_| ()))
    }

    fn remove(&self, key: &[u8]) -> Result<()> {
        self.call(|db| db.remove(key).map(|_| ()))
    }

    fn flush(&self) -> Result<()> {
        self.call(|db| db.flush().map(|_| ()))
    }

    fn disk_bytes(&self) -> u64 {
        self.call(sled::Db::size_on_disk).unwrap_or(0)
    }

    fn generation(&self) -> Option<u64> {
        Some(self.generation)
    }

    fn close(self: Arc<Self>) -> Result<()> {
        let mut kv = Arc::try_unwrap(self).map_err(|kv| {
            kv.remove_marker();
            Error::internal("the metadata store is in use while it is closed")
        })?;
        match kv.db.take() {
            Some(db) if kv.is_forked() => {
                kv.leak(db);
                Ok(())
            }
            Some(db) => kv.finish(db).inspect_err(|_| {
                kv.remove_marker();
                // Its threads may not have let go.
                std::mem::forget(kv.place.dir.clone());
            }),
            None => Ok(()),
        }
    }

    fn abandon(self: Arc<Self>) {
        self.remove_marker();
    }
}

impl Drop for SledKv {
    fn drop(&mut self) {
        let Some(db) = self.db.take() else { return };
        if self.panicked.load(Ordering::Relaxed) || self.is_forked() {
            // After a panic or a fork its locks and buffers may be in any state: dropping could hang.
            self.leak(db);
            return;
        }
        // Nobody is left to tell; the marker still says open, so another boot will not trust the files.
        let dropped = guard(&self.panicked, || {
            drop(db);
            Ok(())
        });
        if dropped.is_err() || wait_released(&self.sled_dir().join("db")).is_err() {
            std::mem::forget(self.place.dir.clone());
        }
    }
}

/// Runs a call into sled; its errors and panics become errors of ours.
fn guard<T>(panicked: &AtomicBool, call: impl FnOnce() -> sled::Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let kind = match &error {
                sled::Error::Io(_) => ErrorKind::Io,
                sled::Error::Corruption { .. } => ErrorKind::Corrupt,
                _ => ErrorKind::Internal,
            };
            Err(Error::with_source(kind, "the metadata store failed", error))
        }
        Err(panic) => {
            panicked.store(true, Ordering::Relaxed);
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(Error::internal(format!(
                "the metadata store panicked: {text}"
            )))
        }
    }
}

/// sled asks what time it is since 1970, and panics before that. Not needed any more when it does not.
fn check_clock() -> io::Result<()> {
    match is_before_1970() {
        true => Err(io::Error::other(
            "the clock of the machine says a time before 1970",
        )),
        false => Ok(()),
    }
}

fn identity_key() -> Key {
    keys::key(Family::Identity, SegmentId(0), 0)
}

fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    builder.mode(0o700).create(path)
}

/// Numbers of the generations, ascending.
fn list_generations(dir: &Path) -> io::Result<Vec<u64>> {
    let mut generations = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix('g'));
        let number = number.and_then(|number| number.parse::<u64>().ok());
        generations
            .extend(number.filter(|number| name.to_str() == Some(format!("g{number}").as_str())));
    }
    generations.sort_unstable();
    Ok(generations)
}

/// Removes a generation, its marker first, so that what is left of a failed attempt is not trusted.
/// Failures are left for the next open: an older generation is never read.
fn remove_generation(place: &Place, generation: u64) {
    let dir = place.generation_dir(generation);
    let _ = fs::remove_file(dir.join("marker"));
    let _ = fs::remove_dir_all(&dir);
}

/// sled does not open with a snapshot it was interrupted in writing.
fn remove_unfinished_snapshots(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Waits until no thread of sled has its file open any more: the lock on it is then free.
fn wait_released(db_file: &Path) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(db_file)?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if started.elapsed() < RELEASE_WAIT_MAX => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "sled does not let go of its file",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Syncs every file of a folder, then the folder.
fn sync_files(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(entry.path())?
                .sync_all()?;
        }
    }
    sync_dir(folder)
}

fn sync_dir(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_is_remembered() {
        let panicked = AtomicBool::new(false);
        let result: Result<()> = guard(&panicked, || panic!("tried to serialize {}", 1));
        assert_eq!(
            result.unwrap_err().to_string(),
            "the metadata store panicked: tried to serialize 1"
        );
        assert!(panicked.load(Ordering::Relaxed));
    }

    #[test]
    fn a_forked_copy_leaves_the_files_alone() {
        let endings: [fn(Arc<SledKv>); 3] = [drop, |kv| kv.abandon(), |kv| kv.close().unwrap()];
        for ending in endings {
            let dir = tempfile::tempdir().unwrap();
            let place = Place {
                dir: Folder::at(dir.path()),
                boot_id: "boot".into(),
                db_uuid: 1,
            };
            let mut kv = SledKv::open(&place, false).unwrap();
            // As in a fork: the process is not the one that opened it.
            kv.pid = 0;
            assert!(kv.flush().is_err() && kv.get_le(&identity_key()).is_err());
            ending(Arc::new(kv));
            assert!(place.trusts(1), "the marker is as it was");
            assert_eq!(
                fs::read_to_string(dir.path().join("g1/marker")).unwrap(),
                place.marker_text(1, "open")
            );
            let file = File::open(dir.path().join("g1/sled/db")).unwrap();
            assert!(
                matches!(file.try_lock(), Err(TryLockError::WouldBlock)),
                "sled was not closed"
            );
        }
    }

    #[test]
    fn only_plain_generation_names_count() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["g2", "g10", "g007", "g", "gx", "h3", "g-1"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        assert_eq!(list_generations(dir.path()).unwrap(), [2, 10]);
    }

    /// KV-4.
    #[test]
    fn markers_are_trusted_by_state_boot_and_database() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            dir: Folder::at(dir.path()),
            boot_id: "boot a".into(),
            db_uuid: 1,
        };
        fs::create_dir(dir.path().join("g1")).unwrap();
        assert!(!place.trusts(1));
        let other_boot = Place {
            boot_id: "boot b".into(),
            ..place.clone()
        };
        let other_database = Place {
            db_uuid: 2,
            ..place.clone()
        };
        let no_boot = Place {
            boot_id: String::new(),
            ..place.clone()
        };
        place.write_marker(1, "open").unwrap();
        assert!(place.trusts(1));
        assert!(!other_boot.trusts(1) && !other_database.trusts(1));
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("g1")).unwrap();
        fs::copy(dir.path().join("g1/marker"), copy.path().join("g1/marker")).unwrap();
        let copied = Place {
            dir: Folder::at(copy.path()),
            ..place.clone()
        };
        assert!(!copied.trusts(1), "copied while it was open");
        place.write_marker(1, "closed").unwrap();
        assert!(place.trusts(1) && other_boot.trusts(1));
        fs::copy(dir.path().join("g1/marker"), copy.path().join("g1/marker")).unwrap();
        assert!(copied.trusts(1), "copied while it was closed");
        assert!(!other_database.trusts(1));
        no_boot.write_marker(1, "open").unwrap();
        assert!(!no_boot.trusts(1), "an unknown boot is never the same boot");
        fs::write(
            dir.path().join("g1/marker"),
            place.marker_text(1, "closed").trim_end(),
        )
        .unwrap();
        assert!(!place.trusts(1), "a torn marker");
    }
}
