//! The store against a model of maps, and after every kind of damage we could think of. KV-4: see `sled_kv`.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use super::*;

const A: SegmentId = SegmentId(1);
const B: SegmentId = SegmentId(2);
const C: SegmentId = SegmentId(u128::MAX);
const UUID: u128 = 77;

/// A small seeded generator (Knuth's MMIX constants).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn key(&mut self) -> TraceKey {
        TraceKey(
            u128::from(self.next()) << 96 | u128::from(self.next()) << 48 | u128::from(self.next()),
        )
    }
}

fn text(kind: IndexKind, number: u64) -> String {
    match kind {
        IndexKind::Tag => format!("key {}\0value {number}", number % 3),
        _ => format!("{kind:?} {number}"),
    }
}

/// Values per kind: few and long lists, many and short ones.
fn value_count(kind: IndexKind, traces: u64) -> u64 {
    match kind {
        IndexKind::Session => traces / 4 + 1,
        IndexKind::User => traces / 20 + 1,
        IndexKind::Tag => 40,
        IndexKind::State | IndexKind::Service => 2,
    }
}

fn index(seed: u64, traces: u64) -> SegmentIndex {
    let mut random = Random(seed);
    let mut index = SegmentIndex::default();
    for row in 0..traces as u32 {
        let key = random.key();
        let row_count = random.below(50) as u32 + 1;
        let first_row = random.next() as u32 / 2;
        let root_row = (row % 3 != 0).then_some(first_row + random.below(row_count.into()) as u32);
        index.span_runs.push(SpanRun {
            key,
            first_row,
            row_count,
            root_row,
        });
        index.trace_rows.push((key, row));
        for kind in IndexKind::ALL {
            let value = text(kind, random.below(value_count(kind, traces)));
            index.postings.push((kind, value_hash(kind, &value), row));
        }
    }
    index
}

/// Asserts that every answer about the segment is right or unknown; returns whether all were known.
fn check(store: &MetaStore, segment: SegmentId, index: &SegmentIndex) -> bool {
    let mut all_known = true;
    let mut wanted: BTreeMap<(IndexKind, u64), RoaringBitmap> = BTreeMap::new();
    for (kind, hash, row) in &index.postings {
        wanted.entry((*kind, *hash)).or_default().insert(*row);
    }
    for run in &index.span_runs {
        let found = store.span_run(segment, run.key).known();
        all_known &= found.is_some();
        assert!(
            found.is_none_or(|found| found == Some(*run)),
            "{found:?} is not {run:?}"
        );
    }
    for (key, row) in &index.trace_rows {
        let found = store.trace_row(segment, *key).known();
        all_known &= found.is_some();
        assert!(found.is_none_or(|found| found == Some(*row)));
    }
    for ((kind, hash), rows) in &wanted {
        let found = store.postings_of_hash(segment, *kind, *hash).known();
        all_known &= found.is_some();
        assert!(found.is_none_or(|found| found == *rows));
    }
    all_known
}

struct Folder {
    root: tempfile::TempDir,
}

impl Folder {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
        }
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("kv")
    }

    fn open(&self, boot_id: &str, live: &[SegmentId]) -> MetaStore {
        MetaStore::open(crate::env::Folder::at(self.dir()), boot_id, UUID, live)
    }

    fn sled_dir(&self, generation: u64) -> PathBuf {
        self.dir().join(format!("g{generation}/sled"))
    }

    /// What a killed process leaves: the files as they are, sled still open.
    fn copy(&self) -> Self {
        let copy = Self::new();
        copy_dir(&self.dir(), &copy.dir());
        for generation in fs::read_dir(copy.dir()).unwrap() {
            take_for_original(&generation.unwrap().path());
        }
        copy
    }
}

/// Makes a copied generation look like the folder that a process left when it was killed.
fn take_for_original(generation: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(text) = fs::read_to_string(generation.join("marker")) else {
        return;
    };
    let seen = fs::metadata(generation).unwrap();
    let own = format!("folder {}:{}", seen.dev(), seen.ino());
    let is_folder = |line: &&str| line.starts_with("folder ");
    let copied = text.lines().find(is_folder).unwrap();
    fs::write(generation.join("marker"), text.replace(copied, &own)).unwrap();
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn answers_equal_the_model() {
    let folder = Folder::new();
    for store in [MetaStore::in_memory(), folder.open("boot", &[])] {
        for (seed, segment) in [A, B, C].into_iter().enumerate() {
            let index = index(seed as u64, 700 * seed as u64);
            store.add_segment(segment, &index).unwrap();
            assert!(check(&store, segment, &index));
        }
        let absent = TraceKey(12345);
        assert_eq!(store.span_run(B, absent), Lookup::Known(None));
        assert_eq!(store.trace_row(B, absent), Lookup::Known(None));
        assert_eq!(
            store.postings(B, IndexKind::User, "nobody"),
            Lookup::Known(RoaringBitmap::new())
        );
        assert_eq!(store.trace_row(SegmentId(99), absent), Lookup::Unknown);
        assert_eq!(
            store.postings(SegmentId(99), IndexKind::User, "x"),
            Lookup::Unknown
        );
        let stats = store.stats();
        assert_eq!(
            (stats.segments, stats.stale, stats.degraded),
            (3, false, false)
        );
    }
}

#[test]
fn one_value_may_fill_many_blocks() {
    let store = MetaStore::in_memory();
    let mut index = SegmentIndex::default();
    for row in 0..5000 {
        for hash in [0, 1, u64::MAX] {
            index
                .postings
                .push((IndexKind::State, hash, row * (1 + hash as u32 % 7)));
        }
    }
    index.postings.extend_from_within(..100);
    index.postings.push((IndexKind::State, u64::MAX, u32::MAX));
    store.add_segment(A, &index).unwrap();
    assert!(check(&store, A, &index));
    assert_eq!(
        store.postings_of_hash(A, IndexKind::State, 2),
        Lookup::Known(RoaringBitmap::new())
    );
}

#[test]
fn removing_a_segment_leaves_the_others() {
    let folder = Folder::new();
    let store = folder.open("boot", &[]);
    let indexes = [(A, index(1, 900)), (B, index(2, 900)), (C, index(3, 900))];
    for (segment, index) in &indexes {
        store.add_segment(*segment, index).unwrap();
    }
    store.remove_segment(B).unwrap();
    store.remove_segment(SegmentId(55)).unwrap();
    assert!(!store.has(B) && store.span_run(B, TraceKey(1)) == Lookup::Unknown);
    assert!(check(&store, A, &indexes[0].1) && check(&store, C, &indexes[2].1));
    let first = keys::key(Family::Identity, SegmentId(0), 0);
    let last = [0xff; 33];
    let left = store.kv().unwrap().keys(&first, &last, usize::MAX).unwrap();
    assert!(left.iter().all(|key| key[1..17] != B.0.to_be_bytes()));
    store.add_segment(B, &indexes[1].1).unwrap();
    assert!(check(&store, B, &indexes[1].1));
}

#[test]
fn bad_input_is_refused_and_the_store_goes_on() {
    let store = MetaStore::in_memory();
    let key = TraceKey(1);
    let run = SpanRun {
        key,
        first_row: 0,
        row_count: 1,
        root_row: None,
    };
    let bad = [
        SegmentIndex {
            span_runs: vec![run; 2],
            ..Default::default()
        },
        SegmentIndex {
            span_runs: vec![SpanRun {
                row_count: 0,
                ..run
            }],
            ..Default::default()
        },
        SegmentIndex {
            trace_rows: vec![(key, 1), (key, 2)],
            ..Default::default()
        },
    ];
    for index in &bad {
        assert!(store.add_segment(A, index).is_err());
        assert!(!store.has(A) && !store.stats().stale);
    }
    let edge = SpanRun {
        first_row: u32::MAX,
        root_row: Some(u32::MAX),
        ..run
    };
    store
        .add_segment(
            A,
            &SegmentIndex {
                span_runs: vec![edge],
                ..Default::default()
            },
        )
        .unwrap();
    assert_eq!(store.span_run(A, key), Lookup::Known(Some(edge)));
}

#[test]
fn reopening_keeps_live_segments_and_drops_others() {
    let folder = Folder::new();
    let (index_a, index_b) = (index(1, 1500), index(2, 1500));
    let store = folder.open("boot", &[]);
    store.add_segment(A, &index_a).unwrap();
    store.add_segment(B, &index_b).unwrap();
    store.close();
    assert!(!store.has(A) && store.add_segment(C, &index_a).is_err());
    assert_eq!(store.stats().failure, None);
    let store = folder.open("another boot", &[A, C]);
    assert!(check(&store, A, &index_a) && !store.has(B) && !store.has(C));
    assert_eq!(store.stats().generation, Some(1));
    store.add_segment(B, &index_b).unwrap();
    drop(store);
    let store = folder.open("another boot", &[A, B]);
    assert!(check(&store, A, &index_a) && check(&store, B, &index_b));
}

#[test]
fn a_fork_does_not_wait_for_the_thread_that_opens_the_files() {
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let waiting = thread::spawn(move || {
        is_done
            .recv()
            .map(|()| State::in_memory())
            .unwrap_or_default()
    });
    let mut store = MetaStore::with(None, State::default(), Some(waiting));
    assert!(!store.is_open());
    // As in a fork: the process is not the one that has the thread.
    store.pid += 1;
    assert!(!store.has(A));
    assert_eq!(store.span_run(A, TraceKey(1)), Lookup::Unknown);
    store.pid -= 1;
    done.send(()).unwrap();
    store.add_segment(A, &index(1, 20)).unwrap();
    assert!(store.is_open() && check(&store, A, &index(1, 20)));
}

#[test]
fn many_segments_are_listed_in_steps() {
    let folder = Folder::new();
    let live: Vec<_> = (1..=250).map(SegmentId).collect();
    let store = folder.open("boot", &live);
    for segment in &live {
        store.add_segment(*segment, &index(5, 2)).unwrap();
    }
    drop(store);
    assert_eq!(folder.open("boot", &live).stats().segments, 250);
    assert_eq!(folder.open("boot", &live[..120]).stats().segments, 120);
}

/// KV-4, and a killed process of the same boot loses nothing.
#[test]
fn an_open_marker_counts_only_in_the_same_boot() {
    let folder = Folder::new();
    let index = index(1, 1500);
    let store = folder.open("boot 1", &[]);
    store.add_segment(A, &index).unwrap();
    let (same, other, unknown) = (folder.copy(), folder.copy(), folder.copy());
    let same_store = same.open("boot 1", &[A]);
    assert!(check(&same_store, A, &index));
    assert_eq!(same_store.stats().generation, Some(1));
    for (folder, boot) in [(other, "boot 2"), (unknown, "")] {
        let store = folder.open(boot, &[A]);
        assert!(!store.has(A));
        assert_eq!(store.stats().generation, Some(2));
        assert!(!folder.dir().join("g1").exists());
        store.add_segment(A, &index).unwrap();
        assert!(check(&store, A, &index));
    }
}

/// KV-2: blocks without a record that says complete do not count.
#[test]
fn a_half_written_segment_is_not_there() {
    let folder = Folder::new();
    let index = index(1, 1500);
    let store = folder.open("boot", &[]);
    store.add_segment(A, &index).unwrap();
    write_record(store.kv().unwrap().as_ref(), A, BUILDING, 0).unwrap();
    drop(store);
    let store = folder.open("boot", &[A]);
    assert!(!store.has(A));
    store.add_segment(A, &index).unwrap();
    assert!(check(&store, A, &index));
}

#[test]
fn a_store_of_another_database_is_not_read() {
    let folder = Folder::new();
    folder
        .open("boot", &[])
        .add_segment(A, &index(1, 10))
        .unwrap();
    let store = MetaStore::open(crate::env::Folder::at(folder.dir()), "boot", UUID + 1, &[A]);
    assert!(!store.has(A) && store.stats().generation == Some(2));
    drop(store);
    // The marker swapped too: the id inside sled decides.
    let own = fs::read_to_string(folder.dir().join("g2/marker")).unwrap();
    let forged = own.replace(&format!("{:032x}", UUID + 1), &format!("{UUID:032x}"));
    fs::write(folder.dir().join("g2/marker"), forged).unwrap();
    let store = folder.open("boot", &[A]);
    assert_eq!(store.stats().generation, Some(3));
}

#[test]
fn restart_begins_a_new_generation() {
    let folder = Folder::new();
    let index = index(1, 100);
    for store in [MetaStore::in_memory(), folder.open("boot", &[])] {
        store.add_segment(A, &index).unwrap();
        store.restart();
        assert!(!store.has(A) && !store.stats().stale);
        store.add_segment(A, &index).unwrap();
        assert!(check(&store, A, &index));
    }
    assert!(!folder.dir().join("g1").exists());
    assert!(folder.open("boot", &[A]).has(A));
}

#[test]
fn a_stale_or_outgrown_store_is_renewed() {
    let stats = |live_bytes, disk_bytes| MetaStats {
        live_bytes,
        disk_bytes,
        ..MetaStats::default()
    };
    assert!(!is_outgrown(&stats(0, 64 << 20)) && is_outgrown(&stats(0, (64 << 20) + 1)));
    assert!(!is_outgrown(&stats(1 << 30, 8 << 30)) && is_outgrown(&stats(1 << 30, 9 << 30)));
    let store = MetaStore::in_memory();
    assert!(!store.renew());
    let kv = store.kv().unwrap();
    store.fail(&kv, &Error::internal("a test"));
    assert!(store.renew() && !store.stats().stale);
}

#[test]
fn a_restart_after_close_leaves_the_files_alone() {
    let folder = Folder::new();
    let index = index(1, 100);
    let store = folder.open("boot", &[]);
    store.add_segment(A, &index).unwrap();
    store.close();
    assert!(!store.renew());
    store.restart();
    store.add_segment(A, &index).unwrap();
    assert!(check(&store, A, &index));
    drop(store);
    let store = folder.open("boot", &[A]);
    assert!(store.has(A) && store.stats().generation == Some(1));
}

#[test]
fn a_damaged_value_makes_the_store_stale_and_the_next_open_starts_anew() {
    let folder = Folder::new();
    let index = index(1, 3000);
    let store = folder.open("boot", &[]);
    store.add_segment(A, &index).unwrap();
    let kv = store.kv().unwrap();
    let key = keys::key(Family::TraceRow, A, index.trace_rows[0].0.0);
    let (key, mut value) = kv.get_le(&key).unwrap().unwrap();
    value[9] ^= 0x10;
    kv.put(&key.try_into().unwrap(), &value).unwrap();
    drop(kv);
    assert_eq!(store.trace_row(A, index.trace_rows[0].0), Lookup::Unknown);
    assert!(!store.has(A) && store.stats().stale);
    assert!(store.stats().failure.unwrap().contains("checksum"));
    assert!(store.add_segment(B, &index).is_err());
    store.remove_segment(A).unwrap();
    drop(store);
    let store = folder.open("boot", &[A]);
    assert_eq!((store.has(A), store.stats().generation), (false, Some(2)));
}

#[test]
fn a_folder_that_cannot_be_made_means_memory() {
    let folder = Folder::new();
    fs::write(folder.dir(), "a file").unwrap();
    let store = folder.open("boot", &[A]);
    let index = index(1, 10);
    store.add_segment(A, &index).unwrap();
    assert!(check(&store, A, &index));
    let stats = store.stats();
    assert!(
        stats.degraded && !stats.stale && stats.failure.is_some() && stats.generation.is_none()
    );
}

#[test]
fn a_generation_in_use_is_left_for_a_new_one() {
    let folder = Folder::new();
    let first = folder.open("boot", &[]);
    first.add_segment(A, &index(1, 10)).unwrap();
    let second = folder.open("boot", &[A]);
    assert_eq!((second.has(A), second.stats().generation), (false, Some(2)));
}

/// ST-5, for each damage: the open succeeds and no answer is wrong.
#[test]
fn damaged_folders_open_empty_or_right() {
    let folder = Folder::new();
    let (index_a, index_b) = (index(1, 3000), index(2, 300));
    let store = folder.open("boot", &[]);
    store.add_segment(A, &index_a).unwrap();
    store.add_segment(B, &index_b).unwrap();
    drop(store);
    let mut random = Random(9);
    let mut outcomes = [0; 3];
    for round in 0..42 {
        let copy = folder.copy();
        damage(&copy, round, &mut random);
        let store = copy.open("boot", &[A, B]);
        assert!(!store.stats().degraded && !store.stats().stale);
        let had = store.has(A);
        let right = check(&store, A, &index_a) & check(&store, B, &index_b);
        outcomes[usize::from(had) + usize::from(right)] += 1;
        if store.stats().stale {
            store.restart();
        }
        store.add_segment(A, &index_a).unwrap();
        assert!(
            check(&store, A, &index_a) || store.stats().stale,
            "round {round}"
        );
    }
    assert!(
        outcomes[0] > 0,
        "some damage must be met at open: {outcomes:?}"
    );
}

fn damage(folder: &Folder, round: usize, random: &mut Random) {
    let sled_dir = folder.sled_dir(1);
    let db = sled_dir.join("db");
    let bytes = fs::read(&db).unwrap();
    match round % 6 {
        0 => fs::write(&db, &bytes[..random.below(bytes.len() as u64) as usize]).unwrap(),
        1..=3 => {
            let mut bytes = bytes;
            for _ in 0..=random.below(8) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            fs::write(&db, bytes).unwrap();
        }
        4 => {
            let mut bytes = bytes;
            let at = random.below(bytes.len() as u64) as usize;
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
            fs::write(&db, bytes).unwrap();
        }
        _ => damage_other_files(folder, &sled_dir, round, random),
    }
}

fn damage_other_files(folder: &Folder, sled_dir: &Path, round: usize, random: &mut Random) {
    fs::write(
        sled_dir.join("snap.0000000000000FFF.generating"),
        b"unfinished",
    )
    .unwrap();
    let names = fs::read_dir(sled_dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let snapshot = names.into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("snap.") && !name.ends_with(".generating")
    });
    match (round / 6) % 7 {
        0 => {}
        1 => fs::remove_file(sled_dir.join("db")).unwrap(),
        2 => fs::remove_dir_all(sled_dir).unwrap(),
        3 => fs::remove_file(folder.dir().join("g1/marker")).unwrap(),
        4 => fs::write(sled_dir.join("conf"), b"").unwrap(),
        5 => snapshot
            .into_iter()
            .for_each(|path| fs::remove_file(path).unwrap()),
        _ => snapshot.into_iter().for_each(|path| {
            let mut bytes = fs::read(&path).unwrap();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] ^= 0xff;
            fs::write(path, bytes).unwrap();
        }),
    }
}

#[test]
fn an_unfinished_snapshot_is_removed_and_the_store_kept() {
    let folder = Folder::new();
    let index = index(1, 100);
    folder.open("boot", &[]).add_segment(A, &index).unwrap();
    let unfinished = folder.sled_dir(1).join("snap.0000000000000FFF.generating");
    fs::write(&unfinished, b"unfinished").unwrap();
    let store = folder.open("boot", &[A]);
    assert!(check(&store, A, &index) && !unfinished.exists());
}

#[test]
fn readers_go_on_while_a_segment_is_added_and_the_store_is_closed() {
    let folder = Folder::new();
    let store = folder.open("boot", &[]);
    let (index_a, index_b) = (index(1, 300), index(2, 3000));
    store.add_segment(A, &index_a).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while check(&store, A, &index_a) {
                    check(&store, B, &index_b);
                }
            });
        }
        store.add_segment(B, &index_b).unwrap();
        assert!(check(&store, B, &index_b));
        store.close();
    });
    assert_eq!(store.stats().failure, None);
    let store = folder.open("another boot", &[A, B]);
    assert!(check(&store, A, &index_a) && check(&store, B, &index_b));
}
