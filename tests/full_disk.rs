//! A disk that becomes full, of bytes or of names: whoever writes is told, reading goes on, nothing acknowledged
//! is lost, and everything goes on when there is room again.
//!
//! It takes root to mount a small file system: in memory, and of ext4 in an image, where room is given out only
//! when bytes are written back. Where that cannot be a notice says so. `TRACEHOUSE_FULL_DISKS` sets how often each
//! is filled.

use std::fs::{File, OpenOptions as FileOptions};
use std::io::Write as _;
use std::path::Path;

use tracehouse::{Database, ErrorKind, ImportOptions, OpenOptions, Settings};

use crate::kill::{BATCH_LINES, assert_intact, busy_settings, text};
use crate::order::Random;
use crate::power::Mounted;
use crate::support::{quiet_settings, say, seed, setting};

const ROUNDS: u64 = 4;

/// Imports from a line on until there is no room; the lines acknowledged, and the error.
fn import(db: &Database, first: usize) -> (usize, Option<tracehouse::Error>) {
    let options = ImportOptions::default().batch_lines(BATCH_LINES);
    let mut acknowledged = 0;
    let imported = db.import(text(first).as_bytes(), &options, &mut |progress| {
        acknowledged = progress.acked_lines as usize;
    });
    (acknowledged, imported.err())
}

/// Fills the disk with a file but for some bytes.
fn fill_up(path: &Path, room: u64) {
    let chunk = vec![0; 64 << 10];
    let mut file = File::create(path).unwrap();
    let mut written = 0;
    while let Ok(bytes) = file.write(&chunk) {
        written += bytes as u64;
        // Room is given out late.
        if file.sync_data().is_err() {
            break;
        }
    }
    drop(file);
    FileOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(written.saturating_sub(room))
        .unwrap();
}

/// With the reserve that a database keeps for deletes, or down to the last byte.
fn settings(has_reserve: bool) -> Settings {
    let mut settings = busy_settings();
    if !has_reserve {
        settings.disk_reserve_bytes = 0;
    }
    settings
}

/// An open for writing; without room it may be refused.
fn open_if_room(path: &Path, has_reserve: bool, what: &str) -> Option<Database> {
    match OpenOptions::new()
        .settings(settings(has_reserve))
        .open(path)
    {
        Ok(db) => Some(db),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Io, "{what}: {error}");
            None
        }
    }
}

/// Imports into a database until the disk is full, looks at it in every way, makes room, and goes on. Gives how
/// many lines were acknowledged before the disk was full; `None` when it never was.
fn fill(root: &Path, room: u64, has_reserve: bool, what: &str) -> Option<usize> {
    let (path, ballast) = (root.join("full.traces"), root.join("ballast"));
    let step = |step: &str| format!("{what}, {step}");
    let (acknowledged, error) = {
        let db = OpenOptions::new()
            .settings(settings(has_reserve))
            .open(&path)
            .unwrap();
        fill_up(&ballast, room);
        let (acknowledged, error) = import(&db, 0);
        assert_intact(&db, acknowledged, &step("full"));
        // Closing seals, and may fail: the log has everything.
        let closed = db.close();
        assert!(closed.is_ok() || error.is_some(), "{what}: {closed:?}");
        (acknowledged, error)
    };
    if let Some(error) = &error {
        let refused = has_reserve && error.kind() == ErrorKind::Unavailable;
        assert!(refused || error.kind() == ErrorKind::Io, "{what}: {error}");
    }
    let reader = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(&path);
    assert_intact(&reader.unwrap(), acknowledged, &step("full, to read"));
    if let Some(db) = open_if_room(&path, has_reserve, what) {
        assert_intact(&db, acknowledged, &step("full, opened again"));
    }
    std::fs::remove_file(&ballast).unwrap();
    let db = OpenOptions::new()
        .settings(settings(has_reserve))
        .open(&path)
        .unwrap();
    assert_intact(&db, acknowledged, &step("with room again"));
    let (more, failed) = import(&db, acknowledged);
    assert!(failed.is_none(), "{what}, with room again: {failed:?}");
    assert_intact(&db, acknowledged + more, &step("to the end"));
    let report = db.check(true).unwrap();
    assert!(report.is_clean(), "{what}: {report:?}");
    db.close().unwrap();
    drop(db);
    std::fs::remove_dir_all(&path).unwrap();
    error.map(|_| acknowledged)
}

/// Fills a disk again and again, with more or less room.
fn fill_again_and_again(kind: &str, mounted: &Mounted, room_max: usize) {
    let rounds = setting("TRACEHOUSE_FULL_DISKS", ROUNDS);
    let seed = seed();
    let mut random = Random::new(seed);
    let mut full = Vec::new();
    for round in 1..=rounds {
        let room = random.below(room_max) as u64;
        let what = format!("{kind}, seed {seed}, round {round}, {room} bytes of room");
        full.extend(fill(&mounted.root(), room, round % 2 == 0, &what));
    }
    say(&format!(
        "full disks: {} of {rounds} on {kind}, after {full:?} lines, seed {seed}",
        full.len()
    ));
    assert!(!full.is_empty(), "{kind}: the disk was never full");
}

#[test]
fn a_full_disk_in_memory_loses_nothing() {
    let Some(mounted) = Mounted::in_memory("size=32m") else {
        return;
    };
    fill_again_and_again("tmpfs", &mounted, 1 << 20);
}

#[test]
fn a_full_disk_loses_nothing() {
    let Some(mounted) = Mounted::new("ext4", 48, &["-q", "-F", "-m", "0"]) else {
        return;
    };
    fill_again_and_again("ext4", &mounted, 1 << 20);
}
