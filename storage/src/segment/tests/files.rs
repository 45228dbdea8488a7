//! Files: hashes, syncs, damage, bytes read.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::record_batch::RecordBatch;

use super::{DIR, Fixture, cache, data, names, small, write};
use crate::env::Env;
use crate::error::ErrorKind;
use crate::manifest::FileMeta;
use crate::scan::ScanRequest;
use crate::schema::Table;
use crate::segment::{SegmentOptions, SegmentReader, SegmentWriter, file_name};

#[test]
fn files_are_hashed_and_synced_before_the_folder() {
    let fixture = Fixture::all(300);
    for file in &fixture.meta.files {
        let bytes = fixture.env.read(&Path::new(DIR).join(&file.name)).unwrap();
        assert_eq!(bytes.len() as u64, file.len);
        assert_eq!(twox_hash::XxHash3_128::oneshot(&bytes), file.hash);
    }
    fixture.reader.verify().unwrap();
    let mut expected: Vec<PathBuf> = Table::ALL
        .iter()
        .map(|table| Path::new(DIR).join(file_name(*table)))
        .collect();
    expected.push(PathBuf::from(DIR));
    assert_eq!(*fixture.env.synced.lock().unwrap(), expected);
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let hashes = |threads| -> Vec<FileMeta> {
        let env = super::mem::TestEnv::default();
        let options = SegmentOptions { threads, ..small() };
        write(&env, Path::new(DIR), options, &data::all_tables(400, 7)).unwrap()
    };
    assert_eq!(hashes(1), hashes(4));
}

#[test]
fn a_table_without_rows_has_no_file() {
    let spans = data::batch(Table::Spans, 3, 1);
    let fixture = Fixture::new(
        small(),
        vec![
            (Table::Spans, spans),
            (Table::Traces, data::batch(Table::Traces, 0, 1)),
        ],
    );
    assert_eq!(fixture.meta.files.len(), 1);
    let request = ScanRequest::columns(["trace_id"]);
    assert_eq!(
        fixture
            .reader
            .scan(Table::Traces, &request, None)
            .unwrap()
            .count(),
        0
    );
    let unknown = fixture
        .reader
        .scan(Table::Traces, &ScanRequest::columns(["nope"]), None)
        .err()
        .unwrap();
    assert_eq!(unknown.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_batch_of_another_table_is_refused() {
    let env = super::mem::TestEnv::default();
    let mut writer = SegmentWriter::create(&env, Path::new(DIR), small()).unwrap();
    let error = writer
        .write(Table::Spans, &data::batch(Table::Traces, 3, 1))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn light_scans_leave_heavy_columns_unread() {
    let options = SegmentOptions {
        heavy_page_bytes_max: 16 << 10,
        threads: 1,
        ..SegmentOptions::default()
    };
    let fixture = Fixture::new(options, data::all_tables(1000, 7));
    let total = fixture
        .meta
        .files
        .iter()
        .find(|file| file.name == "spans.parquet")
        .unwrap()
        .len;
    let light = ScanRequest::columns(["trace_id", "name", "start_time"]);
    fixture.scan(Table::Spans, &light, None).unwrap();
    fixture.env.take_bytes_read();
    fixture.scan(Table::Spans, &light, None).unwrap();
    let light_bytes = fixture.env.take_bytes_read();
    assert!(light_bytes * 10 < total, "{light_bytes} of {total}");

    let one_trace = ScanRequest {
        rows: Some((4000..4008).collect()),
        ..ScanRequest::columns(names(Table::Spans))
    };
    fixture.scan(Table::Spans, &one_trace, None).unwrap();
    let trace_bytes = fixture.env.take_bytes_read();
    // Of light columns a whole block is decoded, which is a row group here.
    assert!(trace_bytes * 5 < total, "{trace_bytes} of {total}");
}

#[test]
fn opening_reads_nothing_and_footers_are_parsed_once() {
    let fixture = Fixture::all(200);
    assert_eq!(fixture.env.take_bytes_read(), 0);
    assert_eq!(fixture.reader.metadata_bytes(), 0);
    let nothing = ScanRequest {
        rows: Some(roaring::RoaringBitmap::new()),
        ..ScanRequest::columns(["name"])
    };
    assert_eq!(
        fixture
            .reader
            .scan(Table::Spans, &nothing, None)
            .unwrap()
            .count(),
        0
    );
    assert!(fixture.env.take_bytes_read() > 0);
    assert!(fixture.reader.metadata_bytes() > 1000);
    assert_eq!(
        fixture
            .reader
            .scan(Table::Spans, &nothing, None)
            .unwrap()
            .count(),
        0
    );
    assert_eq!(fixture.env.take_bytes_read(), 0);
}

#[test]
fn damage_is_corrupt_and_names_the_file() {
    let path = Path::new(DIR).join("spans.parquet");
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("one byte short", |bytes| bytes.truncate(bytes.len() - 1)),
        ("empty", Vec::clear),
        ("other magic", |bytes| *bytes.last_mut().unwrap() = b'X'),
        ("footer", |bytes| {
            let at = bytes.len() - 4000;
            bytes[at..at + 2000].fill(0xAA);
        }),
    ];
    for (what, damage) in damages {
        let fixture = Fixture::all(100);
        fixture.env.change(&path, damage);
        let error = fixture
            .reader
            .scan(Table::Spans, &ScanRequest::columns(["name"]), None)
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert!(
            error.to_string().contains("spans.parquet"),
            "{what}: {error}"
        );
        assert_eq!(
            fixture.reader.verify().unwrap_err().kind(),
            ErrorKind::Corrupt,
            "{what}"
        );
    }
    let fixture = Fixture::all(100);
    fixture.env.remove_file(&path).unwrap();
    let error = fixture
        .reader
        .scan(Table::Spans, &ScanRequest::columns(["name"]), None)
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn a_footer_that_disagrees_with_the_manifest_is_corrupt() {
    let fixture = Fixture::all(100);
    let mut meta = fixture.meta.clone();
    meta.span_rows += 1;
    let reader = SegmentReader::open(fixture.env.clone(), DIR.into(), &meta, cache()).unwrap();
    let error = reader
        .scan(Table::Spans, &ScanRequest::columns(["name"]), None)
        .err()
        .unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt);

    meta.files.retain(|file| file.name != "spans.parquet");
    let error = SegmentReader::open(fixture.env.clone(), DIR.into(), &meta, cache()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_failing_disk_is_io_and_a_flipped_byte_fails_verify() {
    let fixture = Fixture::all(100);
    let request = ScanRequest::columns(["inputs"]);
    fixture.scan(Table::Spans, &request, None).unwrap();
    fixture.env.fail_reads.store(true, Ordering::Relaxed);
    let error = fixture.scan(Table::Spans, &request, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("disk on fire"), "{error}");
    fixture.env.fail_reads.store(false, Ordering::Relaxed);

    fixture
        .env
        .change(&Path::new(DIR).join("traces.parquet"), |bytes| {
            bytes[100] ^= 1
        });
    let error = fixture.reader.verify().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("traces.parquet"), "{error}");
}

#[test]
fn a_few_rows_do_not_hold_their_pages_in_memory() {
    let options = SegmentOptions {
        heavy_page_bytes_max: 64 << 10,
        ..SegmentOptions::default()
    };
    let fixture = Fixture::new(
        options,
        vec![(Table::Spans, data::batch(Table::Spans, 500, 9))],
    );
    let request = ScanRequest {
        rows: Some([17, 2000].into_iter().collect()),
        ..ScanRequest::columns(["inputs"])
    };
    let batch: RecordBatch = fixture.scan(Table::Spans, &request, None).unwrap();
    let held: usize = batch
        .column(0)
        .as_string_view()
        .data_buffers()
        .iter()
        .map(|buffer| buffer.len())
        .sum();
    assert!(
        held < 8192,
        "{held} bytes for {} rows",
        batch.column(0).len()
    );
}

#[test]
fn a_flipped_bit_is_noticed_by_the_scan_or_was_not_read() {
    let fixture = Fixture::all(60);
    let path = Path::new(DIR).join("spans.parquet");
    let columns = names(Table::Spans);
    let written = fixture.written(Table::Spans).clone();
    let mut lcg = data::Lcg(5);
    let mut corrupt = 0;
    for _ in 0..300 {
        let (at, bit) = (lcg.next() as usize, lcg.below(8));
        let flip = |bytes: &mut Vec<u8>| {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
        };
        fixture.env.change(&path, flip);
        let reader =
            SegmentReader::open(fixture.env.clone(), DIR.into(), &fixture.meta, cache()).unwrap();
        let request = ScanRequest::columns(columns.clone());
        let batches: crate::error::Result<Vec<RecordBatch>> = reader
            .scan(Table::Spans, &request, None)
            .and_then(Iterator::collect);
        match batches {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                assert!(error.to_string().contains("spans.parquet"), "{error}");
                corrupt += 1;
            }
            Ok(batches) => assert_eq!(
                concat_batches(&Table::Spans.schema(), &batches).unwrap(),
                written
            ),
        }
        assert_eq!(reader.verify().unwrap_err().kind(), ErrorKind::Corrupt);
        fixture.env.change(&path, flip);
    }
    // Bloom filters are not read here.
    assert!(corrupt > 250, "{corrupt} of 300");
}
