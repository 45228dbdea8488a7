//! Round trips, the rules of edits, and recovery after crashes and damage.

use std::io::{ErrorKind as IoKind, Write};
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::*;
use crate::env::{Env, MemEnv, RealEnv};
use crate::error::ErrorKind;
use crate::schema::Table;

const DIR: &str = "manifest";

fn dir() -> &'static Path {
    Path::new(DIR)
}

fn mem() -> (MemEnv, Arc<dyn Env>) {
    let env = MemEnv::default();
    env.create_dir_all(dir()).unwrap();
    (env.clone(), Arc::new(env))
}

fn segment(id: u128) -> SegmentMeta {
    SegmentMeta {
        id: SegmentId(id),
        span_rows: 1000,
        trace_rows: 100,
        assessment_rows: 0,
        min_time_ns: -5,
        max_time_ns: i64::MAX,
        first_sequence: id as u64,
        last_sequence: id as u64 + 1,
        files: vec![FileMeta {
            name: "spans.parquet".into(),
            len: 1 << 40,
            hash: u128::MAX - id,
            end: None,
        }],
    }
}

fn add(id: u128) -> ManifestEdit {
    ManifestEdit {
        add_segments: vec![segment(id)],
        replay_from: Some(id as u64),
        ..Default::default()
    }
}

fn mask(id: u128, table: Table, rows: &[u32]) -> ManifestEdit {
    ManifestEdit {
        add_masks: vec![(SegmentId(id), table, rows.iter().copied().collect())],
        ..Default::default()
    }
}

fn catalog(name: &str, len: u64) -> CatalogFile {
    CatalogFile {
        name: name.into(),
        len,
        hash: 3,
        meta_json: "{\"a\":1}".into(),
    }
}

fn put(env: &dyn Env, name: &str, content: &[u8]) {
    let path = dir().join(name);
    let _ = env.remove_file(&path);
    env.create(&path).unwrap().write_all(content).unwrap();
}

/// The names of the manifest files.
fn files(env: &dyn Env) -> Vec<String> {
    env.list(dir())
        .unwrap()
        .into_iter()
        .filter(|name| !name.starts_with("CURRENT"))
        .collect()
}

fn recover_error(env: &Arc<dyn Env>) -> ErrorKind {
    Manifest::recover(env, dir()).unwrap_err().kind()
}

#[test]
fn commits_are_found_again_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(folder.path().to_path_buf()));
    env.create_dir_all(dir()).unwrap();
    let (mut manifest, state) = Manifest::create(&env, dir()).unwrap();
    assert_eq!(state, ManifestState::default());
    manifest.commit(add(2)).unwrap();
    manifest.commit(mask(2, Table::Spans, &[1, 999])).unwrap();
    manifest.commit(mask(2, Table::Spans, &[2])).unwrap();
    let edit = ManifestEdit {
        add_catalog: vec![catalog("d/2", 1), catalog("d/1", 2)],
        ..add(3)
    };
    let committed = manifest.commit(edit).unwrap();
    assert_eq!(committed.version, 4);
    assert_eq!(committed.replay_from, 3);
    assert_eq!(
        committed.masks[&(SegmentId(2), Table::Spans)]
            .iter()
            .collect::<Vec<_>>(),
        [1, 2, 999]
    );
    assert_eq!(committed.catalog, [catalog("d/1", 2), catalog("d/2", 1)]);
    drop(manifest);
    assert_eq!(Manifest::read(env.as_ref(), dir()).unwrap(), *committed);
    for number in ["0000000002", "0000000003"] {
        let (manifest, state) = Manifest::recover(&env, dir()).unwrap();
        assert_eq!(state, *committed);
        assert_eq!(*manifest.state(), state);
        assert_eq!(files(env.as_ref()), [number]);
        assert_eq!(
            env.read(&dir().join("CURRENT")).unwrap(),
            format!("{number}\n").as_bytes()
        );
    }
}

#[test]
fn segments_are_kept_oldest_first_and_take_their_masks_with_them() {
    let (_, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    manifest.commit(add(3)).unwrap();
    manifest.commit(add(5)).unwrap();
    manifest.commit(mask(3, Table::Traces, &[7])).unwrap();
    manifest.commit(mask(5, Table::Traces, &[8])).unwrap();
    let compacted = SegmentMeta {
        first_sequence: 3,
        ..segment(9)
    };
    let edit = ManifestEdit {
        add_segments: vec![compacted],
        remove_segments: vec![SegmentId(3)],
        add_masks: vec![(SegmentId(9), Table::Spans, RoaringBitmap::from_iter([1]))],
        ..Default::default()
    };
    let before = manifest.state();
    let state = manifest.commit(edit).unwrap();
    assert_eq!(
        state.segments.iter().map(|s| s.id.0).collect::<Vec<_>>(),
        [9, 5]
    );
    let masks: Vec<_> = state.masks.keys().copied().collect();
    assert_eq!(
        masks,
        [(SegmentId(5), Table::Traces), (SegmentId(9), Table::Spans)]
    );
    // A reader's state does not move.
    assert_eq!(before.segments.len(), 2);
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *state);
}

#[test]
fn contradicting_edits_are_internal_errors_and_change_nothing() {
    let (_, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    manifest.commit(add(3)).unwrap();
    manifest
        .commit(ManifestEdit {
            add_catalog: vec![catalog("d", 1)],
            ..Default::default()
        })
        .unwrap();
    let contradicting = [
        add(3),
        mask(4, Table::Spans, &[1]),
        mask(4, Table::Spans, &[]),
        mask(3, Table::Spans, &[1000]),
        mask(3, Table::Assessments, &[0]),
        ManifestEdit {
            remove_segments: vec![SegmentId(4)],
            ..Default::default()
        },
        ManifestEdit {
            remove_segments: vec![SegmentId(3)],
            ..mask(3, Table::Spans, &[1])
        },
        ManifestEdit {
            replay_from: Some(2),
            ..Default::default()
        },
        ManifestEdit {
            add_catalog: vec![catalog("d", 2)],
            ..Default::default()
        },
        ManifestEdit {
            remove_catalog: vec!["e".into()],
            ..Default::default()
        },
        ManifestEdit {
            add_segments: vec![SegmentMeta {
                last_sequence: 0,
                ..segment(8)
            }],
            ..Default::default()
        },
    ];
    let before = manifest.state();
    for edit in contradicting {
        assert_eq!(
            manifest.commit(edit).unwrap_err().kind(),
            ErrorKind::Internal
        );
    }
    assert_eq!(manifest.state(), before);
    let replaced = ManifestEdit {
        add_catalog: vec![catalog("d", 2)],
        remove_catalog: vec!["d".into()],
        ..mask(3, Table::Spans, &[])
    };
    let state = manifest.commit(replaced).unwrap();
    assert_eq!(state.catalog, [catalog("d", 2)]);
    assert!(state.masks.is_empty());
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *state);
}

#[test]
fn st_6_an_edit_torn_at_any_byte_is_not_in_force() {
    let (_, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    let first = manifest.commit(add(1)).unwrap();
    let good = env.read(&dir().join("0000000001")).unwrap().len();
    manifest.commit(mask(1, Table::Spans, &[5])).unwrap();
    let whole = env.read(&dir().join("0000000001")).unwrap();
    for len in good..whole.len() {
        let (_, env) = mem();
        put(env.as_ref(), "0000000001", &whole[..len]);
        put(env.as_ref(), "CURRENT", b"0000000001\n");
        let (mut manifest, state) = Manifest::recover(&env, dir()).unwrap();
        assert_eq!(state, *first);
        let second = manifest.commit(add(2)).unwrap();
        assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *second);
    }
}

#[test]
fn st_6_damage_before_the_last_edit_is_corrupt_and_nothing_is_modified() {
    let (_, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    manifest.commit(add(1)).unwrap();
    let last = env.read(&dir().join("0000000001")).unwrap().len();
    manifest.commit(add(2)).unwrap();
    let whole = env.read(&dir().join("0000000001")).unwrap();
    for position in 0..last {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x20;
        put(env.as_ref(), "0000000001", &damaged);
        assert_eq!(recover_error(&env), ErrorKind::Corrupt, "byte {position}");
        assert_eq!(env.list(dir()).unwrap(), ["0000000001", "CURRENT"]);
    }
}

#[test]
fn without_current_the_highest_manifest_with_a_head_counts() {
    let (_, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    let older = manifest.commit(add(1)).unwrap();
    let old_file = env.read(&dir().join("0000000001")).unwrap();
    let (mut manifest, _) = Manifest::recover(&env, dir()).unwrap();
    let newer = manifest.commit(add(2)).unwrap();
    put(env.as_ref(), "0000000001", &old_file);
    put(env.as_ref(), "0000000003", &old_file[..40]);
    env.remove_file(&dir().join("CURRENT")).unwrap();
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *newer);
    assert_eq!(files(env.as_ref()), ["0000000004"]);
    // CURRENT wins over higher files, which a crash left before CURRENT moved.
    put(env.as_ref(), "0000000001", &old_file);
    put(env.as_ref(), "CURRENT", b"0000000001\n");
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *older);
    assert_eq!(files(env.as_ref()), ["0000000005"]);
}

#[test]
fn damage_of_current_and_of_what_it_names_is_corrupt() {
    let (_, env) = mem();
    drop(Manifest::create(&env, dir()).unwrap());
    for text in [
        &b""[..],
        b"0000000001",
        b"1\n",
        b"../x\n",
        b"\xff\n",
        b"0000000009\n",
    ] {
        put(env.as_ref(), "CURRENT", text);
        assert_eq!(recover_error(&env), ErrorKind::Corrupt);
    }
    put(env.as_ref(), "CURRENT", b"0000000001\n");
    put(env.as_ref(), "0000000001", b"THFR");
    assert_eq!(recover_error(&env), ErrorKind::Corrupt);
    env.remove_file(&dir().join("CURRENT")).unwrap();
    env.rename(&dir().join("0000000001"), &dir().join("0000000002"))
        .unwrap();
    assert_eq!(recover_error(&env), ErrorKind::Corrupt);
}

#[test]
fn a_creation_cut_short_is_created_again() {
    let (_, env) = mem();
    assert_eq!(recover_error(&env), ErrorKind::NotFound);
    put(env.as_ref(), "0000000001", b"THFR");
    put(env.as_ref(), "CURRENT.tmp", b"000");
    assert_eq!(recover_error(&env), ErrorKind::NotFound);
    drop(Manifest::create(&env, dir()).unwrap());
    assert_eq!(env.list(dir()).unwrap(), ["0000000002", "CURRENT"]);
    assert_eq!(
        Manifest::create(&env, dir()).unwrap_err().kind(),
        ErrorKind::Conflict
    );
}

#[test]
fn a_long_file_is_left_for_a_new_one() {
    let (_, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    let large = CatalogFile {
        meta_json: "x".repeat(1 << 20),
        ..catalog("d", 1)
    };
    let edit = ManifestEdit {
        add_catalog: vec![large],
        ..Default::default()
    };
    manifest.commit(edit.clone()).unwrap();
    let replace = ManifestEdit {
        remove_catalog: vec!["d".into()],
        ..edit
    };
    for _ in 0..20 {
        manifest.commit(replace.clone()).unwrap();
    }
    // Edits of 1 MiB: four behind the small head, then five behind each head of 1 MiB.
    assert_eq!(files(env.as_ref()), ["0000000005"]);
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *manifest.state());
}

#[test]
fn st_6_a_failed_commit_closes_the_manifest() {
    let (disk, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    let before = manifest.commit(add(1)).unwrap();
    disk.set_fault(Some(IoKind::StorageFull));
    assert_eq!(manifest.commit(add(2)).unwrap_err().kind(), ErrorKind::Io);
    disk.set_fault(None);
    assert_eq!(
        manifest.commit(add(2)).unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(manifest.state(), before);
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *before);
}

#[test]
fn st_6_a_failed_change_of_file_closes_the_manifest() {
    let (disk, env) = mem();
    let (mut manifest, _) = Manifest::create(&env, dir()).unwrap();
    let large = CatalogFile {
        meta_json: "x".repeat(5 << 20),
        ..catalog("d", 1)
    };
    let before = manifest
        .commit(ManifestEdit {
            add_catalog: vec![large],
            ..Default::default()
        })
        .unwrap();
    disk.set_fault(Some(IoKind::StorageFull));
    assert_eq!(manifest.commit(add(1)).unwrap_err().kind(), ErrorKind::Io);
    disk.set_fault(None);
    assert_eq!(
        manifest.commit(add(1)).unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, *before);
}

#[test]
fn segment_ids_display_as_ulids() {
    assert_eq!(SegmentId(0).to_string(), "0".repeat(26));
    assert_eq!(
        SegmentId(u128::MAX).to_string(),
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
    );
}

#[test]
fn a_head_that_contradicts_itself_is_corrupt() {
    let mut state = ManifestState::default();
    for edit in [add(7), add(8), mask(7, Table::Spans, &[3])] {
        state = state.apply(&edit).unwrap();
    }
    state.catalog = vec![catalog("a", 1), catalog("b", 1)];
    let key = (SegmentId(7), Table::Spans);
    type Spoil<'a> = &'a dyn Fn(&mut ManifestState);
    let spoilt: [(&str, Spoil<'_>); 7] = [
        ("a segment twice", &|state| {
            state.segments[1].id = SegmentId(7)
        }),
        ("segments in no order", &|state| state.segments.reverse()),
        ("a segment that ends before it begins", &|state| {
            state.segments[1].last_sequence = 0
        }),
        ("an empty mask", &|state| {
            drop(state.masks.insert(key, RoaringBitmap::new()))
        }),
        ("a mask of no row", &|state| {
            drop(state.masks.insert(key, (999..1001).collect()))
        }),
        ("a mask of no segment", &|state| state.segments.truncate(0)),
        ("a catalogue file twice", &|state| {
            state.catalog[1] = catalog("a", 1)
        }),
    ];
    for (what, spoil) in spoilt {
        let (_, env) = mem();
        let mut spoilt = state.clone();
        spoil(&mut spoilt);
        Manifest::replace(&env, dir(), spoilt).unwrap();
        assert_eq!(recover_error(&env), ErrorKind::Corrupt, "{what}");
        let (salvaged, damage) = Manifest::salvage(env.as_ref(), dir()).unwrap();
        assert_eq!(
            (salvaged, damage.len()),
            (ManifestState::default(), 2),
            "{what}: {damage:?}"
        );
    }
    let (_, env) = mem();
    Manifest::replace(&env, dir(), state.clone()).unwrap();
    assert_eq!(Manifest::recover(&env, dir()).unwrap().1, state);
}
