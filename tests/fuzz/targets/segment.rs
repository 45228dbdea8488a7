//! Files of segments: any file in the place of a table's is refused, or gives as many rows as it says.
//!
//! The first byte of an input chooses the table.

use std::path::Path;
use std::sync::Arc;

use tracehouse::decode_otlp;
use tracehouse_storage::columns::spans_batch;
use tracehouse_storage::env::{Env, MemEnv};
use tracehouse_storage::manifest::SegmentId;
use tracehouse_storage::scan::{ScanRequest, Zone};
use tracehouse_storage::schema::Table;
use tracehouse_storage::segment::{BlockCache, SegmentReader, describe, file_name};
use tracehouse_storage::{ErrorKind, Result, Store, StoreOptions};

use crate::data;

const DIR: &str = "segment";
const CACHE_BYTES_MAX: usize = 1 << 20;

/// The files of a segment, and damaged ones that were found.
pub fn files() -> Vec<Vec<u8>> {
    let env = MemEnv::default();
    let store = Store::open(Arc::new(env.clone()), StoreOptions::default()).unwrap();
    let spans = decode_otlp(data::lines()[..6].join("\n").as_bytes(), "0")
        .unwrap()
        .spans;
    store.append_spans(spans_batch(&spans).unwrap()).unwrap();
    store.seal().unwrap();
    let folder = Path::new("seg").join(&env.list(Path::new("seg")).unwrap()[0]);
    let tables = Table::ALL.iter().enumerate();
    let content = |(at, table): (usize, &Table)| {
        let content = env.read(&folder.join(file_name(*table))).ok()?;
        Some([&[at as u8], content.as_slice()].concat())
    };
    let mut seeds: Vec<Vec<u8>> = tables.filter_map(content).collect();
    seeds.push(include_bytes!("../corpus/segment/bloom_filter_without_blocks").to_vec());
    seeds
}

/// A file in the place of a table's.
pub fn file(data: &[u8]) {
    let Some((choice, content)) = data.split_first() else {
        return;
    };
    let table = Table::ALL[usize::from(*choice) % Table::ALL.len()];
    if let Err(error) = read(table, content) {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(&file_name(table)), "{error}");
    }
}

fn read(table: Table, content: &[u8]) -> Result<()> {
    let env = MemEnv::default();
    env.create_dir_all(Path::new(DIR)).unwrap();
    env.create(&Path::new(DIR).join(file_name(table)))
        .unwrap()
        .write_all(content)
        .unwrap();
    let meta = describe(&env, Path::new(DIR), SegmentId(1))?;
    let cache = Arc::new(BlockCache::new(CACHE_BYTES_MAX));
    let reader = SegmentReader::open(Arc::new(env), DIR.into(), &meta, cache)?;
    let zone = Zone::Text {
        column: "trace_id".into(),
        values: vec![data::trace_id(1)],
    };
    let few = ScanRequest {
        zones: vec![zone],
        ..ScanRequest::columns(["trace_id", "_row"])
    };
    for (request, is_all) in [(ScanRequest::columns(table.columns()), true), (few, false)] {
        let mut rows = 0;
        for batch in reader.scan(table, &request, None)? {
            rows += batch?.num_rows();
        }
        assert!(
            !is_all || rows == reader.rows(table) as usize,
            "{rows} of {}",
            reader.rows(table)
        );
    }
    Ok(())
}
