//! What all tests use: databases in temporary folders, the example data, rows as JSON, id-set hashes.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tracehouse::{Database, ImportOptions, ImportReport, OpenOptions, Search, Settings};

/// A database in a temporary folder that goes away with it.
pub struct DiskDb {
    /// The open database.
    pub db: Database,
    folder: TempDir,
}

impl DiskDb {
    /// A new one without a background thread: nothing is sealed or merged unless asked for.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder.path().join("test.traces"));
        Self { db, folder }
    }

    /// Its folder.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("test.traces")
    }

    /// Closes it (or only lets go of it), changes its files, and opens it again.
    pub fn reopen(self, is_closed: bool, change: impl FnOnce(&Path)) -> Self {
        let path = self.path();
        if is_closed {
            self.db.close().unwrap();
        }
        drop(self.db);
        change(&path);
        Self {
            db: open(&path),
            folder: self.folder,
        }
    }
}

/// Settings under which a test decides itself when rows are sealed and merged.
pub fn quiet_settings() -> Settings {
    let mut settings = Settings::default();
    settings.background = false;
    settings
}

/// Opens a database without a background thread.
pub fn open(path: &Path) -> Database {
    OpenOptions::new()
        .settings(quiet_settings())
        .open(path)
        .unwrap()
}

/// A database in memory, without a background thread.
pub fn in_memory() -> Database {
    open(Path::new(":memory:"))
}

/// Turns computed costs off: what is compared is what was reported.
pub fn without_computed_costs(db: &Database) {
    db.set_prices(db.prices().enabled(false)).unwrap();
}

/// A number that whoever runs the tests may set in the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: a number expected"))
    })
}

/// The seed of what tests choose by chance: the same each time, so that a run that fails where another passed was
/// failed by the change. `TRACEHOUSE_SEED` gives another, `TRACEHOUSE_SEED=random` a new one for each process.
pub fn seed() -> u64 {
    const USUAL: u64 = 1;
    if std::env::var("TRACEHOUSE_SEED").is_ok_and(|text| text == "random") {
        return u64::from(std::process::id());
    }
    setting("TRACEHOUSE_SEED", USUAL)
}

/// Prints a line that shows also when tests capture their output.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A file or folder of the example data, or `None` with a notice. It is `shared` beside the clone, or
/// where `TRACEHOUSE_SHARED` says.
pub fn shared(relative: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let path = std::env::var_os("TRACEHOUSE_SHARED")
        .map_or_else(beside, PathBuf::from)
        .join(relative);
    if path.exists() {
        return Some(path);
    }
    say(&format!(
        "NOTICE: skipped, as {} is not there",
        path.display()
    ));
    None
}

/// The OTLP files of the example data in order of name; `None` with a notice when there is none.
pub fn data_files() -> Option<Vec<PathBuf>> {
    let folder = shared("data")?;
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .filter(|path| file_name(path).ends_with(".jsonl.gz"))
        .collect();
    files.sort();
    Some(files)
}

/// Last part of a path as text.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The lines of an OTLP/JSON lines file, decompressed.
pub fn lines_of(path: &Path) -> Vec<String> {
    let mut text = String::new();
    let mut decoder = flate2::read::MultiGzDecoder::new(File::open(path).unwrap());
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    text.lines().map(str::to_string).collect()
}

/// Imports a file; nothing of it may be rejected.
pub fn import_file(db: &Database, path: &Path) -> ImportReport {
    let options = ImportOptions::default().name(file_name(path));
    let report = db
        .import_otlp_json_lines(File::open(path).unwrap(), &options)
        .unwrap();
    assert_eq!(
        report.rejected_count,
        0,
        "{}: {:?}",
        path.display(),
        report.rejected.first()
    );
    report
}

/// Imports lines of OTLP/JSON; nothing of them may be rejected.
pub fn import_lines<S: AsRef<str>>(db: &Database, lines: &[S]) -> ImportReport {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.as_ref());
        text.push('\n');
    }
    let report = db
        .import_otlp_json_lines(text.as_bytes(), &ImportOptions::default())
        .unwrap();
    assert_eq!(report.rejected_count, 0, "{:?}", report.rejected.first());
    report
}

/// Imports a file of assessments; nothing of it may be rejected.
pub fn import_assessments(db: &Database, path: &Path) -> ImportReport {
    let options = ImportOptions::default().name(file_name(path));
    let report = db
        .import_assessments(File::open(path).unwrap(), &options)
        .unwrap();
    assert_eq!(
        report.rejected_count,
        0,
        "{}: {:?}",
        path.display(),
        report.rejected.first()
    );
    report
}

/// The rows of a statement as JSON objects, in order, NULLs included.
pub fn rows(db: &Database, statement: &str) -> Vec<Value> {
    let batches = db
        .sql(statement)
        .unwrap_or_else(|error| panic!("{statement}\n{error}"));
    json_rows(&batches)
}

/// Batches as JSON objects.
pub fn json_rows(batches: &[RecordBatch]) -> Vec<Value> {
    let mut bytes = Vec::new();
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow::json::writer::JsonArray>(&mut bytes);
    writer
        .write_batches(&batches.iter().collect::<Vec<_>>())
        .unwrap();
    writer.finish().unwrap();
    drop(writer);
    match bytes.is_empty() {
        true => Vec::new(),
        false => serde_json::from_slice(&bytes).unwrap(),
    }
}

/// The rows of a statement as JSON texts, sorted.
pub fn sorted_rows(db: &Database, statement: &str) -> Vec<String> {
    let mut texts: Vec<String> = rows(db, statement).iter().map(Value::to_string).collect();
    texts.sort();
    texts
}

/// One column of a statement as text, NULL as the empty text.
pub fn texts(db: &Database, statement: &str) -> Vec<String> {
    let batches = db
        .sql(statement)
        .unwrap_or_else(|error| panic!("{statement}\n{error}"));
    let mut all = Vec::new();
    for batch in batches {
        let column = cast(batch.column(0), &DataType::Utf8).unwrap();
        let column = column.as_string::<i32>();
        all.extend((0..column.len()).map(|row| match column.is_null(row) {
            true => String::new(),
            false => column.value(row).to_string(),
        }));
    }
    all
}

/// The first column of the only row of a statement, as an integer.
pub fn number(db: &Database, statement: &str) -> i64 {
    let texts = texts(db, statement);
    assert_eq!(texts.len(), 1, "{statement}");
    texts[0]
        .parse()
        .unwrap_or_else(|_| panic!("{statement}: {}", texts[0]))
}

/// Ids of the traces that a filter finds, in order.
pub fn search_ids(db: &Database, filter: &str) -> Vec<String> {
    let page = db
        .search_traces(&Search::new(filter))
        .unwrap_or_else(|error| panic!("{filter}\n{error}"));
    page.traces
        .into_iter()
        .map(|trace| trace.trace_id)
        .collect()
}

/// SHA-256 of the sorted ids joined by newlines, in hex.
pub fn ids_sha256(ids: &[String]) -> String {
    let mut sorted = ids.to_vec();
    sorted.sort();
    let digest = Sha256::digest(sorted.join("\n").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `text` inside single quotes, for SQL and for filters.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Compares answers with what is expected and goes on after a difference, so that one run shows all.
#[derive(Default)]
pub struct Check {
    differences: Vec<String>,
    count: usize,
}

impl Check {
    /// Notes a difference.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, got: T, want: T) {
        self.count += 1;
        if got != want {
            let (got, want) = (format!("{got:?}"), format!("{want:?}"));
            self.differences.push(format!(
                "{what}\n    got  {}\n    want {}",
                shown(&got),
                shown(&want)
            ));
        }
    }

    /// Fails when there was a difference; otherwise gives the number of comparisons.
    pub fn finish(self) -> usize {
        let text = self.differences.join("\n");
        assert!(
            self.differences.is_empty(),
            "{} of {} differ:\n{text}",
            self.differences.len(),
            self.count
        );
        self.count
    }
}

fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 3_000;
    text.chars().take(CHARS_MAX).collect()
}
