//! Files of frames: any write-ahead log and any manifest opens, or is refused with nothing lost of it, and
//! what opens can be read, sealed and opened again.
//!
//! The first byte of an input chooses: odd, and the checksums and numbers of its frames are set right, so
//! that what lies behind them is reached, too. Spans in the log are an Arrow stream, whose reader allocates
//! whatever length it reads: such a frame stays as it was or is left out.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use tracehouse::decode_otlp;
use tracehouse::model::TraceEdit;
use tracehouse_storage::columns::spans_batch;
use tracehouse_storage::env::{Env, MemEnv};
use tracehouse_storage::scan::ScanRequest;
use tracehouse_storage::schema::Table;
use tracehouse_storage::{ErrorKind, Result, Store, StoreOptions};

use crate::data;

const HEADER_BYTES: usize = 36;
const MAGIC: &[u8] = b"THFR";
/// Kinds of the log's frames that hold spans.
const KINDS_OF_SPANS: [u8; 2] = [1, 3];

/// A database with two segments, masks, and records in its log; the paths of its log and its manifest.
static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::new);

struct Template {
    env: MemEnv,
    log: PathBuf,
    manifest: PathBuf,
    /// Checksums of the records of spans.
    spans: Vec<u32>,
}

impl Template {
    fn new() -> Self {
        let env = MemEnv::default();
        let store = Store::open(Arc::new(env.clone()), options()).unwrap();
        let lines = data::lines();
        let append = |lines: &[String]| {
            let spans = decode_otlp(lines.join("\n").as_bytes(), "0").unwrap().spans;
            store.append_spans(spans_batch(&spans).unwrap()).unwrap();
        };
        append(&lines[..8]);
        store.seal().unwrap();
        store
            .edit_traces(vec![(data::trace_id(1), TraceEdit::set_tags([("k", "v")]))])
            .unwrap();
        append(&lines[6..12]);
        store.seal().unwrap();
        store.delete_traces(vec![data::trace_id(2)]).unwrap();
        append(&lines[12..14]);
        store
            .edit_traces(vec![(data::trace_id(0), TraceEdit::set_tags([("k", "w")]))])
            .unwrap();
        drop(store);
        let newest = |folder: &str, end: &str| {
            let names = env.list(Path::new(folder)).unwrap();
            Path::new(folder).join(
                names
                    .iter()
                    .rfind(|name| name.ends_with(end) && !name.starts_with('C'))
                    .unwrap(),
            )
        };
        let (log, manifest) = (newest("wal", ".wal"), newest("manifest", ""));
        let mut spans = Vec::new();
        framed(&env.read(&log).unwrap(), |kind, payload| {
            spans.extend(
                KINDS_OF_SPANS
                    .contains(&kind)
                    .then(|| crc32c::crc32c(payload)),
            );
            true
        });
        Self {
            env,
            log,
            manifest,
            spans,
        }
    }

    /// The content of a file as an input, as it is and with its checksums to be made.
    fn seeds(&self, path: &Path) -> Vec<Vec<u8>> {
        let content = self.env.read(path).unwrap();
        [0, 1]
            .map(|choice| [&[choice], content.as_slice()].concat())
            .to_vec()
    }

    /// A copy of the database with a file replaced.
    fn with(&self, path: &Path, content: &[u8]) -> MemEnv {
        let copy = MemEnv::default();
        copy_folder(&self.env, &copy, Path::new(""), &mut |from, bytes| {
            if from == path {
                content.to_vec()
            } else {
                bytes
            }
        });
        copy
    }
}

fn options() -> StoreOptions {
    StoreOptions {
        inline_maintenance: true,
        ..StoreOptions::default()
    }
}

fn copy_folder(
    from: &MemEnv,
    to: &MemEnv,
    folder: &Path,
    change: &mut dyn FnMut(&Path, Vec<u8>) -> Vec<u8>,
) {
    for name in from.list(folder).unwrap() {
        let path = folder.join(name);
        match from.read(&path) {
            Ok(bytes) => write(to, &path, &change(&path, bytes)),
            Err(_) => {
                to.create_dir_all(&path).unwrap();
                copy_folder(from, to, &path, change);
            }
        }
    }
}

fn write(env: &MemEnv, path: &Path, content: &[u8]) {
    env.create(path).unwrap().write_all(content).unwrap();
}

/// Logs.
pub fn logs() -> Vec<Vec<u8>> {
    TEMPLATE.seeds(&TEMPLATE.log)
}

/// Manifests.
pub fn manifests() -> Vec<Vec<u8>> {
    TEMPLATE.seeds(&TEMPLATE.manifest)
}

/// A file in the place of the log's newest.
pub fn log(data: &[u8]) {
    let is_whole = |payload: &[u8]| TEMPLATE.spans.contains(&crc32c::crc32c(payload));
    check(&TEMPLATE.log, data, |kind, payload| {
        !KINDS_OF_SPANS.contains(&kind) || is_whole(payload)
    });
}

/// A file in the place of the manifest.
pub fn manifest(data: &[u8]) {
    check(&TEMPLATE.manifest, data, |_, _| true);
}

fn check(path: &Path, data: &[u8], keep: impl FnMut(u8, &[u8]) -> bool) {
    let Some((choice, content)) = data.split_first() else {
        return;
    };
    let content = if choice % 2 == 1 {
        framed(content, keep)
    } else {
        content.to_vec()
    };
    let env = TEMPLATE.with(path, &content);
    match open(&env) {
        Ok(store) => check_open(&env, store),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            let log = if path == TEMPLATE.log {
                content
            } else {
                TEMPLATE.env.read(&TEMPLATE.log).unwrap()
            };
            assert_eq!(
                env.read(&TEMPLATE.log).unwrap(),
                log,
                "a refused open leaves the log as it is"
            );
        }
    }
}

fn open(env: &MemEnv) -> Result<Arc<Store>> {
    Store::open(Arc::new(env.clone()), options())
}

/// What opened is read; sealed and opened again, it is the same.
fn check_open(env: &MemEnv, store: Arc<Store>) {
    let Some(rows) = rows(&store) else { return };
    if let Err(error) = store.close() {
        return assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    drop(store);
    let again = open(env).unwrap();
    assert_eq!(self::rows(&again), Some(rows), "after sealing");
}

/// Visible rows of each table; `None` when the files say that they are damaged.
fn rows(store: &Store) -> Option<[usize; 3]> {
    let count = |table: Table| -> Result<usize> {
        let snapshot = store.snapshot()?;
        let request = ScanRequest::columns(table.columns());
        let mut rows = 0;
        for source in 0..snapshot.source_count() {
            for batch in snapshot.scan(source, table, &request)? {
                rows += batch?.num_rows();
            }
        }
        Ok(rows)
    };
    let mut counts = [0; 3];
    for (table, rows) in Table::ALL.into_iter().zip(&mut counts) {
        match count(table) {
            Ok(count) => *rows = count,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
                return None;
            }
        }
    }
    Some(counts)
}

/// The bytes as a chain of frames: sequences, links and checksums are set, kinds and payloads stay. Frames
/// that are not to be kept are left out.
fn framed(content: &[u8], mut keep: impl FnMut(u8, &[u8]) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len());
    let (mut rest, mut place, mut previous) = (content, 0, 0);
    let word = |bytes: &[u8], at: usize| bytes[at..at + 4].to_vec();
    let first = content
        .get(12..20)
        .map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    while rest.len() >= HEADER_BYTES {
        let (header, behind) = rest.split_at(HEADER_BYTES);
        let length = u32::from_le_bytes(word(header, 8).try_into().unwrap()) as usize;
        let (payload, behind) = behind.split_at(length.min(behind.len()));
        rest = behind;
        if !keep(header[5], payload) {
            continue;
        }
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[1, header[5], 0, 0]);
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&first.wrapping_add(place).to_le_bytes());
        out.extend_from_slice(&u32::to_le_bytes(previous));
        out.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        out.extend_from_slice(&word(content, 28));
        previous = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&previous.to_le_bytes());
        out.extend_from_slice(payload);
        place += 1;
    }
    out.extend_from_slice(rest);
    out
}
