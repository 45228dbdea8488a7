//! Round trips, rotation, and recovery after crashes and damage.

use std::io::{ErrorKind as IoKind, Write};
use std::sync::Arc;

use super::replay::Replayed;
use super::*;
use crate::env::{MemEnv, RealEnv};
use crate::error::ErrorKind;

const DIR: &str = "wal";

fn mem() -> (MemEnv, Arc<dyn Env>) {
    let env = MemEnv::default();
    env.create_dir_all(Path::new(DIR)).unwrap();
    (env.clone(), Arc::new(env))
}

fn append(writer: &mut WalWriter, records: u64) {
    for _ in 0..records {
        let sequence = writer.next_sequence();
        writer
            .append(7, sequence, format!("record {sequence}").as_bytes())
            .unwrap();
        writer.sync().unwrap();
    }
}

fn read(env: &dyn Env, replay_from: u64) -> Result<(Vec<u64>, Replayed)> {
    let mut sequences = Vec::new();
    let replayed = replay(env, Path::new(DIR), replay_from, &mut |record| {
        assert_eq!(record.kind, 7);
        assert_eq!(record.payload, format!("record {}", record.sequence));
        sequences.push(record.sequence);
        Ok(())
    })?;
    Ok((sequences, replayed))
}

fn edit(env: &dyn Env, first: u64, change: impl Fn(&mut Vec<u8>)) {
    let path = file_path(Path::new(DIR), first);
    let mut content = env.read(&path).unwrap();
    change(&mut content);
    env.remove_file(&path).unwrap();
    env.create(&path).unwrap().write_all(&content).unwrap();
}

fn firsts(env: &dyn Env) -> Vec<u64> {
    list_files(env, Path::new(DIR))
        .unwrap()
        .into_iter()
        .map(|(_, first)| first)
        .collect()
}

/// Files 1..=4, 5..=6, 7..=9.
fn three_files(env: &Arc<dyn Env>) {
    let mut writer = WalWriter::create(env, Path::new(DIR), 1).unwrap();
    append(&mut writer, 4);
    writer.rotate(5).unwrap();
    append(&mut writer, 2);
    writer.rotate(7).unwrap();
    append(&mut writer, 3);
}

#[test]
fn records_round_trip_over_rotation_on_a_real_disk() {
    let folder = tempfile::tempdir().unwrap();
    let env: Arc<dyn Env> = Arc::new(RealEnv::new(folder.path().to_path_buf()));
    env.create_dir_all(Path::new(DIR)).unwrap();
    three_files(&env);
    let (sequences, replayed) = read(env.as_ref(), 1).unwrap();
    assert_eq!(sequences, (1..=9).collect::<Vec<u64>>());
    assert_eq!((replayed.last_sequence, replayed.torn_bytes), (9, 0));
    let bounds: Vec<(u64, u64)> = replayed.files.iter().map(|file| (file.1, file.2)).collect();
    assert_eq!(bounds, [(1, 4), (5, 6), (7, 9)]);
    assert!(env.exists(Path::new("wal/00000000000000000005.wal")));
}

#[test]
fn an_empty_log_is_empty() {
    let (_, env) = mem();
    assert_eq!(
        read(env.as_ref(), 0).unwrap_err().kind(),
        ErrorKind::Corrupt,
        "it has a file always"
    );
    drop(WalWriter::create(&env, Path::new(DIR), 1).unwrap());
    let (sequences, replayed) = read(env.as_ref(), 1).unwrap();
    assert!(sequences.is_empty());
    assert_eq!(replayed.files, [(file_path(Path::new(DIR), 1), 1, 0)]);
    assert_eq!(
        WalWriter::create(&env, Path::new(DIR), 0)
            .unwrap_err()
            .kind(),
        ErrorKind::Internal
    );
}

#[test]
fn a_group_is_invisible_until_synced() {
    let (_, env) = mem();
    let mut writer = WalWriter::create(&env, Path::new(DIR), 1).unwrap();
    writer.append(7, 1, b"record 1").unwrap();
    writer.append(7, 2, b"record 2").unwrap();
    assert!(read(env.as_ref(), 1).unwrap().0.is_empty());
    writer.sync().unwrap();
    assert_eq!(read(env.as_ref(), 1).unwrap().0, [1, 2]);
    assert_eq!(
        writer.append(KIND_HEAD, 3, b"").unwrap_err().kind(),
        ErrorKind::Internal
    );
    assert_eq!(
        writer.append(7, 4, b"").unwrap_err().kind(),
        ErrorKind::Internal
    );
}

#[test]
fn replay_starts_where_told_and_old_files_can_go() {
    let (_, env) = mem();
    three_files(&env);
    let (sequences, replayed) = read(env.as_ref(), 6).unwrap();
    assert_eq!(sequences, [6, 7, 8, 9]);
    assert_eq!(replayed.files.len(), 3);
    assert_eq!(remove_below(env.as_ref(), Path::new(DIR), 6).unwrap(), 1);
    assert_eq!(firsts(env.as_ref()), [5, 7]);
    assert_eq!(read(env.as_ref(), 6).unwrap().0, [6, 7, 8, 9]);
    let sealed = read(env.as_ref(), 10).unwrap_err();
    assert!(
        sealed
            .to_string()
            .contains("from sequence 10 on is missing"),
        "{sealed}"
    );
    drop(WalWriter::create(&env, Path::new(DIR), 10).unwrap());
    assert_eq!(remove_below(env.as_ref(), Path::new(DIR), 10).unwrap(), 2);
    assert_eq!(firsts(env.as_ref()), [10]);
    assert_eq!(read(env.as_ref(), 10).unwrap().1.last_sequence, 9);
}

/// The last group may be in memory of the system only, so that a power cut takes it later.
#[test]
fn st_1_what_is_in_doubt_is_written_again_before_the_log_grows() {
    for (groups, in_doubt) in [(vec![1, 3], vec![2, 3, 4]), (vec![3], vec![1, 2, 3])] {
        let (_, env) = mem();
        let mut writer = WalWriter::create(&env, Path::new(DIR), 1).unwrap();
        for records in groups {
            for _ in 0..records {
                let sequence = writer.next_sequence();
                writer
                    .append(7, sequence, format!("record {sequence}").as_bytes())
                    .unwrap();
            }
            writer.sync().unwrap();
        }
        let (all, replayed) = read(env.as_ref(), 1).unwrap();
        let sequences: Vec<u64> = replayed
            .in_doubt
            .iter()
            .map(|record| record.sequence)
            .collect();
        assert_eq!(sequences, in_doubt);
        append(
            &mut WalWriter::resume(&env, Path::new(DIR), &replayed).unwrap(),
            1,
        );
        let last = all.len() as u64 + 1;
        assert_eq!(
            read(env.as_ref(), 1).unwrap().0,
            (1..=last).collect::<Vec<u64>>()
        );
        if in_doubt[0] > 1 {
            // The group is gone from the file that it was in first.
            edit(env.as_ref(), 1, |content| {
                content.truncate(36 + 36 + "record 1".len())
            });
            assert_eq!(
                read(env.as_ref(), 1).unwrap().0,
                (1..=last).collect::<Vec<u64>>()
            );
        }
    }
}

/// Who follows the log reads each record once, also over the copies that the next process begins with.
#[test]
fn a_follower_goes_on_over_copies_of_what_was_in_doubt() {
    let follow = |tail: &mut Tail, env: &dyn Env| {
        let mut sequences = Vec::new();
        let read = tail.read(env, Path::new(DIR), &mut |record| {
            sequences.push(record.sequence);
            Ok(())
        });
        read.map(|()| sequences)
    };
    let (_, env) = mem();
    let mut writer = WalWriter::create(&env, Path::new(DIR), 1).unwrap();
    append(&mut writer, 3);
    let mut tail = Tail::new(1);
    assert_eq!(follow(&mut tail, env.as_ref()).unwrap(), [1, 2, 3]);
    let (_, replayed) = read(env.as_ref(), 1).unwrap();
    append(
        &mut WalWriter::resume(&env, Path::new(DIR), &replayed).unwrap(),
        1,
    );
    assert_eq!(firsts(env.as_ref()), [1, 3]);
    assert_eq!(follow(&mut tail, env.as_ref()).unwrap(), [4]);
    assert_eq!(follow(&mut Tail::new(2), env.as_ref()).unwrap(), [2, 3, 4]);
    // Killed again, with nothing new.
    let (_, replayed) = read(env.as_ref(), 1).unwrap();
    let mut writer = WalWriter::resume(&env, Path::new(DIR), &replayed).unwrap();
    assert_eq!(follow(&mut tail, env.as_ref()).unwrap(), [0; 0]);
    append(&mut writer, 1);
    assert_eq!(follow(&mut tail, env.as_ref()).unwrap(), [5]);
    // Without the file it read last, it is told to start over.
    env.remove_file(&file_path(Path::new(DIR), 4)).unwrap();
    assert_eq!(
        follow(&mut tail, env.as_ref()).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn files_removed_out_of_order_below_the_replay_point_are_fine() {
    let (_, env) = mem();
    three_files(&env);
    env.remove_file(&file_path(Path::new(DIR), 5)).unwrap();
    assert_eq!(read(env.as_ref(), 7).unwrap().0, [7, 8, 9]);
}

#[test]
fn st_6_missing_files_are_damage() {
    for (missing, replay_from) in [(1, 1), (5, 1), (5, 4), (1, 2), (7, 10)] {
        let (_, env) = mem();
        three_files(&env);
        env.remove_file(&file_path(Path::new(DIR), missing))
            .unwrap();
        let error = read(env.as_ref(), replay_from).unwrap_err();
        assert_eq!(
            error.kind(),
            ErrorKind::Corrupt,
            "{missing} {replay_from} {error}"
        );
    }
    let (_, env) = mem();
    assert_eq!(
        read(env.as_ref(), 2).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn st_6_a_tail_torn_at_any_byte_is_cut_and_the_next_file_goes_on() {
    let (_, probe) = mem();
    let mut writer = WalWriter::create(&probe, Path::new(DIR), 1).unwrap();
    append(&mut writer, 2);
    let good = probe.read(&file_path(Path::new(DIR), 1)).unwrap().len();
    append(&mut writer, 1);
    let whole = probe.read(&file_path(Path::new(DIR), 1)).unwrap().len();
    for len in good..whole {
        let (_, env) = mem();
        append(&mut WalWriter::create(&env, Path::new(DIR), 1).unwrap(), 3);
        edit(env.as_ref(), 1, |content| content.truncate(len));
        let (sequences, replayed) = read(env.as_ref(), 1).unwrap();
        assert_eq!(
            (sequences, replayed.torn_bytes),
            (vec![1, 2], (len - good) as u64)
        );
        let next = replayed.last_sequence + 1;
        append(
            &mut WalWriter::create(&env, Path::new(DIR), next).unwrap(),
            2,
        );
        let (sequences, replayed) = read(env.as_ref(), 1).unwrap();
        assert_eq!(
            (sequences, replayed.torn_bytes),
            (vec![1, 2, 3, 4], (len - good) as u64)
        );
    }
}

#[test]
fn st_6_a_torn_file_whose_records_later_files_build_on_is_damage() {
    let (_, env) = mem();
    three_files(&env);
    edit(env.as_ref(), 5, |content| {
        content.truncate(content.len() - 1)
    });
    assert_eq!(
        read(env.as_ref(), 1).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
    // Not when all of it is sealed already.
    assert_eq!(read(env.as_ref(), 7).unwrap().0, [7, 8, 9]);
}

#[test]
fn st_6_a_flipped_bit_in_the_middle_is_damage_and_nothing_is_modified() {
    let (_, env) = mem();
    three_files(&env);
    let path = file_path(Path::new(DIR), 7);
    edit(env.as_ref(), 7, |content| content[50] ^= 4);
    let before = env.read(&path).unwrap();
    let error = read(env.as_ref(), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("00000000000000000007.wal"),
        "{error}"
    );
    assert_eq!(env.read(&path).unwrap(), before);
    assert_eq!(firsts(env.as_ref()), [1, 5, 7]);
}

#[test]
fn a_renamed_file_is_damage() {
    let (_, env) = mem();
    append(&mut WalWriter::create(&env, Path::new(DIR), 5).unwrap(), 2);
    env.rename(&file_path(Path::new(DIR), 5), &file_path(Path::new(DIR), 3))
        .unwrap();
    assert_eq!(
        read(env.as_ref(), 3).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

#[test]
fn a_crash_while_a_file_is_created_leaves_nothing_in_the_way() {
    for len in [0, 10, 36, 60] {
        let (_, env) = mem();
        let mut writer = WalWriter::create(&env, Path::new(DIR), 1).unwrap();
        append(&mut writer, 2);
        writer.rotate(3).unwrap();
        append(&mut writer, 1);
        edit(env.as_ref(), 3, |content| content.truncate(len));
        let (sequences, replayed) = read(env.as_ref(), 1).unwrap();
        assert_eq!((sequences, replayed.last_sequence), (vec![1, 2], 2));
        append(&mut WalWriter::create(&env, Path::new(DIR), 3).unwrap(), 2);
        assert_eq!(read(env.as_ref(), 1).unwrap().0, [1, 2, 3, 4]);
    }
}

#[test]
fn a_file_with_records_is_never_replaced() {
    let (_, env) = mem();
    append(&mut WalWriter::create(&env, Path::new(DIR), 1).unwrap(), 1);
    assert_eq!(
        WalWriter::create(&env, Path::new(DIR), 1)
            .unwrap_err()
            .kind(),
        ErrorKind::Internal
    );
    assert_eq!(read(env.as_ref(), 1).unwrap().0, [1]);
}

#[test]
fn rotating_an_empty_file_keeps_it() {
    let (_, env) = mem();
    let mut writer = WalWriter::create(&env, Path::new(DIR), 4).unwrap();
    writer.rotate(4).unwrap();
    assert_eq!(writer.rotate(9).unwrap_err().kind(), ErrorKind::Internal);
    append(&mut writer, 1);
    assert_eq!(firsts(env.as_ref()), [4]);
}

#[test]
fn st_6_a_failed_sync_or_rotation_closes_the_writer() {
    let (disk, env) = mem();
    let mut writer = WalWriter::create(&env, Path::new(DIR), 1).unwrap();
    append(&mut writer, 1);
    disk.set_fault(Some(IoKind::Other));
    assert_eq!(writer.rotate(2).unwrap_err().kind(), ErrorKind::Io);
    disk.set_fault(None);
    assert_eq!(
        writer.append(7, 2, b"x").unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(writer.rotate(2).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(read(env.as_ref(), 1).unwrap().0, [1]);

    let mut writer = WalWriter::create(&env, Path::new(DIR), 2).unwrap();
    writer.append(7, 2, b"record 2").unwrap();
    disk.set_fault(Some(IoKind::StorageFull));
    assert_eq!(writer.sync().unwrap_err().kind(), ErrorKind::Io);
    disk.set_fault(None);
    assert_eq!(writer.sync().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(read(env.as_ref(), 1).unwrap().0, [1]);
}

#[test]
fn a_follower_does_not_pass_over_records_that_are_missing() {
    let (_, env) = mem();
    three_files(&env);
    let later = env.read(&file_path(Path::new(DIR), 7)).unwrap();
    edit(env.as_ref(), 5, |content| *content = later.clone());
    let error = Tail::new(1)
        .read(env.as_ref(), Path::new(DIR), &mut |_| Ok(()))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}
