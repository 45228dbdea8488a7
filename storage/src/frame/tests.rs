//! Layout, chain, and the line between a torn tail and damage.

use std::io::{ErrorKind as IoKind, Write};
use std::path::Path;

use super::*;
use crate::env::{Env, MemEnv};
use crate::error::ErrorKind;

const PATH: &str = "file";

/// Replaces the file's content.
fn put(env: &MemEnv, content: &[u8]) {
    let _ = env.remove_file(Path::new(PATH));
    env.create(Path::new(PATH))
        .unwrap()
        .write_all(content)
        .unwrap();
}

fn content(env: &MemEnv) -> Vec<u8> {
    env.read(Path::new(PATH)).unwrap()
}

/// The sequences of the readable frames and the torn bytes behind them.
fn read(env: &MemEnv) -> crate::Result<(Vec<u64>, u64)> {
    let mut reader = FrameReader::open(env, Path::new(PATH))?;
    let mut sequences = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        sequences.push(frame.sequence);
    }
    assert_eq!(reader.next_frame()?, None);
    Ok((sequences, reader.torn_bytes()))
}

/// A file with head 7 and frames 8, 9, ... in groups of the given sizes; offsets of all frames.
fn write(env: &MemEnv, groups: &[usize]) -> Vec<usize> {
    let _ = env.remove_file(Path::new(PATH));
    let mut writer = FrameWriter::create(env, Path::new(PATH), 0, 7, b"").unwrap();
    let mut offsets = vec![0];
    for group in groups {
        let mut offset = writer.file_bytes() as usize;
        for _ in 0..*group {
            offsets.push(offset);
            let sequence = writer.next_sequence();
            let payload = format!("payload {sequence}");
            writer.append(1, sequence, payload.as_bytes()).unwrap();
            offset += HEADER_BYTES + payload.len();
        }
        writer.sync().unwrap();
    }
    offsets
}

#[test]
fn the_layout_is_as_documented() {
    let header = Header {
        version: 1,
        kind: 2,
        group_place: 0x0304,
        payload_bytes: 5,
        sequence: 6,
        previous_checksum: 7,
        payload_checksum: 8,
        epoch: 9,
    };
    let mut bytes = Vec::new();
    let checksum = header.encode(&mut bytes);
    let mut wanted = b"THFR\x01\x02\x04\x03".to_vec();
    wanted.extend([
        5, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0,
    ]);
    wanted.extend(checksum.to_le_bytes());
    assert_eq!(bytes, wanted);
    assert_eq!(bytes.len(), HEADER_BYTES);
    assert_eq!(Header::decode(&bytes), Some((header, checksum)));
    for i in 0..HEADER_BYTES {
        let mut damaged = bytes.clone();
        damaged[i] ^= 0x10;
        assert_eq!(Header::decode(&damaged), None);
    }
}

#[test]
fn frames_round_trip() {
    let env = MemEnv::default();
    let mut writer = FrameWriter::create(&env, Path::new(PATH), 3, 0, b"head").unwrap();
    writer.append(200, 1, b"").unwrap();
    writer.append(4, 2, &[5; 100_000]).unwrap();
    assert_eq!(read(&env).unwrap(), (vec![0], 0));
    writer.sync().unwrap();
    writer.sync().unwrap();
    assert_eq!(content(&env).len() as u64, writer.file_bytes());
    let mut reader = FrameReader::open(&env, Path::new(PATH)).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        frames.push((frame.kind, frame.sequence, frame.payload));
    }
    assert_eq!(
        frames,
        [
            (3, 0, "head".into()),
            (200, 1, Bytes::new()),
            (4, 2, Bytes::from(vec![5; 100_000]))
        ]
    );
}

#[test]
fn st_6_a_tail_torn_at_any_byte_is_cut() {
    let env = MemEnv::default();
    let offsets = write(&env, &[1, 1, 1]);
    let whole = content(&env);
    let last = offsets[3];
    for len in last..whole.len() {
        put(&env, &whole[..len]);
        assert_eq!(read(&env).unwrap(), (vec![7, 8, 9], (len - last) as u64));
    }
    // The same with the file's length extended and the sector never written.
    let mut zeros = whole[..last].to_vec();
    zeros.resize(whole.len() + 100, 0);
    put(&env, &zeros);
    assert_eq!(read(&env).unwrap().0, [7, 8, 9]);
    for len in 0..HEADER_BYTES {
        put(&env, &whole[..len]);
        assert_eq!(read(&env).unwrap(), (vec![], len as u64));
    }
}

#[test]
fn st_6_a_flip_before_a_synced_frame_is_damage() {
    let env = MemEnv::default();
    let offsets = write(&env, &[1, 2, 1]);
    let whole = content(&env);
    for position in 0..offsets[4] {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        put(&env, &damaged);
        assert_eq!(
            read(&env).unwrap_err().kind(),
            ErrorKind::Corrupt,
            "byte {position}"
        );
    }
}

/// What is there in full was written in full, so a flip is told from a torn tail in the last group as well.
#[test]
fn st_6_of_the_last_group_a_missing_sector_is_torn_and_a_flip_is_damage() {
    let env = MemEnv::default();
    let mut writer = FrameWriter::create(&env, Path::new(PATH), 0, 7, b"").unwrap();
    writer.append(1, 8, b"before").unwrap();
    writer.sync().unwrap();
    let start = writer.file_bytes() as usize;
    writer.append(1, 9, &[b'x'; 2000]).unwrap();
    writer.append(1, 10, b"after").unwrap();
    writer.sync().unwrap();
    let whole = content(&env);
    for position in start..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        put(&env, &damaged);
        assert_eq!(
            read(&env).unwrap_err().kind(),
            ErrorKind::Corrupt,
            "byte {position}"
        );
    }
    let sector = SECTOR_BYTES as usize;
    for missing in 0..whole.len().div_ceil(sector) {
        let mut torn = whole.clone();
        torn[(missing * sector).max(start)..((missing + 1) * sector).min(whole.len())].fill(0);
        put(&env, &torn);
        assert_eq!(read(&env).unwrap().0, [7, 8], "sector {missing}");
    }
}

#[test]
fn st_6_a_hole_inside_the_last_group_is_a_torn_tail() {
    let env = MemEnv::default();
    let offsets = write(&env, &[1, 4]);
    let mut damaged = content(&env);
    damaged[offsets[3]..offsets[4]].fill(0);
    put(&env, &damaged);
    let torn = damaged.len() - offsets[3];
    assert_eq!(read(&env).unwrap(), (vec![7, 8, 9], torn as u64));
}

#[test]
fn missing_and_exchanged_frames_are_damage() {
    let env = MemEnv::default();
    let offsets = write(&env, &[1, 1, 1]);
    let whole = content(&env);
    put(&env, &[&whole[..offsets[1]], &whole[offsets[2]..]].concat());
    let error = read(&env).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(
        error.to_string().contains("sequence 9 instead of 8"),
        "{error}"
    );
    put(&env, &whole[offsets[1]..]);
    assert_eq!(read(&env).unwrap_err().kind(), ErrorKind::Corrupt);
    // A frame of another file, with the sequence that is wanted here.
    write(&env, &[1, 1, 1]);
    let other = content(&env);
    put(&env, &[&whole[..offsets[2]], &other[offsets[2]..]].concat());
    assert_eq!(read(&env).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_log_inside_a_payload_is_not_taken_for_frames() {
    let env = MemEnv::default();
    write(&env, &[1, 1, 1, 1]);
    let inner = content(&env);
    env.remove_file(Path::new(PATH)).unwrap();
    let mut writer = FrameWriter::create(&env, Path::new(PATH), 0, 7, b"").unwrap();
    writer.append(1, 8, &inner).unwrap();
    writer.sync().unwrap();
    let mut torn = content(&env);
    torn.pop();
    put(&env, &torn);
    assert_eq!(read(&env).unwrap().0, [7]);
}

#[test]
fn damage_far_behind_is_found_across_search_chunks() {
    let env = MemEnv::default();
    for padding in [
        (1 << 20) - 40,
        (1 << 20) - 37,
        (1 << 20) - 36,
        (1 << 20) - 35,
        3 << 20,
    ] {
        let _ = env.remove_file(Path::new(PATH));
        let mut writer = FrameWriter::create(&env, Path::new(PATH), 0, 0, b"").unwrap();
        writer.append(1, 1, &vec![b'T'; padding]).unwrap();
        writer.sync().unwrap();
        writer.append(1, 2, b"x").unwrap();
        writer.sync().unwrap();
        let mut damaged = content(&env);
        damaged[HEADER_BYTES + 1] ^= 1;
        put(&env, &damaged);
        assert_eq!(read(&env).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_huge_group_does_not_lie_about_its_start() {
    let env = MemEnv::default();
    let offsets = write(&env, &[70_000, 1]);
    let whole = content(&env);
    let mut torn = whole[..offsets[70_001]].to_vec();
    torn[offsets[2]..offsets[3]].fill(0);
    put(&env, &torn);
    assert_eq!(read(&env).unwrap().0, [7, 8]);
    let mut damaged = whole;
    damaged[offsets[2]..offsets[3]].fill(0);
    put(&env, &damaged);
    assert_eq!(read(&env).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn wrong_sequences_and_sizes_are_refused_and_harmless() {
    let env = MemEnv::default();
    let mut writer = FrameWriter::create(&env, Path::new(PATH), 0, 0, b"").unwrap();
    assert_eq!(
        writer.append(1, 2, b"x").unwrap_err().kind(),
        ErrorKind::Internal
    );
    let large = vec![0; PAYLOAD_BYTES_MAX + 1];
    assert_eq!(
        writer.append(1, 1, &large).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    writer.append(1, 1, b"x").unwrap();
    writer.sync().unwrap();
    assert_eq!(read(&env).unwrap(), (vec![0, 1], 0));
}

#[test]
fn st_6_a_failed_write_fails_the_writer_for_good() {
    let env = MemEnv::default();
    let mut writer = FrameWriter::create(&env, Path::new(PATH), 0, 0, b"").unwrap();
    writer.append(1, 1, b"x").unwrap();
    env.set_fault(Some(IoKind::StorageFull));
    assert_eq!(writer.sync().unwrap_err().kind(), ErrorKind::Io);
    env.set_fault(None);
    assert_eq!(writer.sync().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(
        writer.append(1, 2, b"x").unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(read(&env).unwrap(), (vec![0], 0));
}
