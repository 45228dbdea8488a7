//! Bad input and bad surroundings: a clear message, and nothing already stored is lost. Rows of input, of
//! questions and of files that an attacker may send are in the files beside this one.

mod files;
mod ingest;
mod memory;
mod query;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use tracehouse::{Database, ErrorKind, ImportOptions, ImportReport, OpenOptions};
use tracehouse_storage::store::FORMAT_VERSION;

use crate::data;
use crate::support::{DiskDb, import_lines, number, open, quiet_settings};

/// A database with the generated data, and how many spans that is.
fn filled() -> (DiskDb, i64) {
    let disk = DiskDb::new();
    import_lines(&disk.db, &data::lines());
    let spans = number(&disk.db, "SELECT count(*) FROM spans");
    (disk, spans)
}

pub fn import(db: &Database, bytes: &[u8]) -> ImportReport {
    db.import(
        bytes,
        &ImportOptions::default().name("file.jsonl"),
        &mut |_| {},
    )
    .unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The first rejection's text.
pub fn first_error(report: &ImportReport) -> String {
    report
        .rejected
        .first()
        .map(|rejected| rejected.error.clone())
        .unwrap_or_default()
}

#[test]
fn files_of_another_kind_are_refused() {
    let (disk, spans) = filled();
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01".as_slice();
    for (what, bytes) in [
        ("png", png),
        ("zip", b"PK\x03\x04\x14\x00\x00\x00\x08\x00".as_slice()),
        ("noise", &noise),
        ("gzip of noise", &gzip(&noise)),
        ("prose", b"Dear reader,\nthis is a letter.\n".as_slice()),
        ("csv", b"trace_id,span_id\n1,2\n".as_slice()),
        ("another JSON", b"{\"hello\": \"world\"}\n".as_slice()),
        ("html", b"<!doctype html><html></html>".as_slice()),
    ] {
        let report = import(&disk.db, bytes);
        assert_eq!(report.spans, 0, "{what}");
        assert!(report.rejected_count > 0, "{what}: nothing said");
        assert!(!first_error(&report).is_empty(), "{what}");
        let error = disk
            .db
            .import_otlp(bytes, &ImportOptions::default())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{what}: {error}");
    }
    assert_eq!(number(&disk.db, "SELECT count(*) FROM spans"), spans);
}

#[test]
fn a_cut_gzip_keeps_what_came_before() {
    let text = data::lines().join("\n");
    let whole = gzip(text.as_bytes());
    let disk = DiskDb::new();
    let report = import(&disk.db, &whole[..whole.len() * 2 / 3]);
    assert!(report.spans > 0 && report.incomplete, "{report:?}");
    assert_eq!(report.rejected_count, 1, "{report:?}");
    assert_eq!(report.rejected[0].file, "file.jsonl");
    // The rest can be imported afterwards: nothing is there twice.
    let rest = import(&disk.db, &whole);
    assert_eq!((rest.rejected_count, rest.incomplete), (0, false));
    let all = DiskDb::new();
    assert_eq!(report.spans + rest.spans, import(&all.db, &whole).spans);
}

#[test]
fn a_bad_line_costs_only_itself() {
    let mut lines = data::lines();
    let whole = DiskDb::new();
    let spans = import_lines(&whole.db, &lines).spans;
    lines.insert(3, "{\"resourceSpans\": [{]}".into());
    lines.insert(9, "not json at all".into());
    let disk = DiskDb::new();
    let report = import(&disk.db, lines.join("\n").as_bytes());
    let bad: Vec<_> = report
        .rejected
        .iter()
        .map(|rejected| rejected.line)
        .collect();
    assert_eq!((report.spans, bad), (spans, vec![Some(4), Some(10)]));
    assert!(!report.incomplete);

    let strict = DiskDb::new();
    let options = ImportOptions::default()
        .name("file.jsonl")
        .strict(true)
        .batch_lines(2);
    let error = strict
        .db
        .import(lines.join("\n").as_bytes(), &options, &mut |_| {})
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("file.jsonl:4: "), "{error}");
    let kept = number(&strict.db, "SELECT count(*) FROM spans");
    assert!(
        kept > 0 && kept < spans as i64,
        "what was acknowledged before stays: {kept}"
    );
}

#[test]
fn a_missing_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere.traces");
    for options in [
        OpenOptions::new().create(false),
        OpenOptions::new().read_only(true),
    ] {
        let error = options.open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("nowhere.traces"), "{error}");
    }
    assert!(!path.exists(), "a failed open leaves nothing behind");
}

#[test]
fn a_folder_or_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("photos");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("cat.jpg"), b"meow").unwrap();
    let error = Database::open(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert_eq!(fs::read_dir(&other).unwrap().count(), 1, "{error}");
    let error = Database::open(other.join("cat.jpg")).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Io | ErrorKind::InvalidInput),
        "{error}"
    );
    assert!(error.to_string().contains("cat.jpg"), "{error}");
}

#[test]
fn another_format_is_refused_and_left_as_it_is() {
    let (disk, spans) = filled();
    let format = disk.path().join("FORMAT");
    let old = fs::read_to_string(&format).unwrap();
    let disk = disk.reopen(true, |path| {
        let with = |parts: &[&str], version: u32| {
            let changed = |text: String, part: &&str| {
                let before = format!("\"{part}\":{FORMAT_VERSION}");
                assert!(text.contains(&before), "{text}");
                text.replace(&before, &format!("\"{part}\":{version}"))
            };
            parts.iter().fold(old.clone(), changed)
        };
        let newer = with(&["reader_version_min", "writer_version_min"], 99);
        let unreleased = with(
            &["format_version", "reader_version_min", "writer_version_min"],
            1,
        );
        for (other, named) in [(newer, "version 99"), (unreleased, "format version 1,")] {
            fs::write(&format, other).unwrap();
            for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
                let error = options.open(path).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                assert!(error.to_string().contains(named), "{error}");
            }
        }
        fs::write(&format, b"{\"no\": \"format\"").unwrap();
        assert_eq!(Database::open(path).unwrap_err().kind(), ErrorKind::Corrupt);
        fs::write(&format, &old).unwrap();
    });
    assert_eq!(number(&disk.db, "SELECT count(*) FROM spans"), spans);
}

#[test]
fn a_second_writer_of_the_process_is_the_first() {
    let (disk, spans) = filled();
    let error = Database::open(disk.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(
        error.to_string().contains(&std::process::id().to_string()),
        "{error}"
    );
    let second = OpenOptions::new()
        .settings(quiet_settings())
        .open(disk.path())
        .unwrap();
    assert_eq!(number(&second, "SELECT count(*) FROM spans"), spans);
    let reader = OpenOptions::new()
        .read_only(true)
        .open(disk.path())
        .unwrap();
    assert_eq!(number(&reader, "SELECT count(*) FROM spans"), spans);
    let error = reader.set_tag(&data::trace_id(0), "k", "v").unwrap_err();
    assert!(!error.to_string().is_empty());
}

pub fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

pub fn notice(text: &str) {
    let _ = writeln!(std::io::stderr(), "NOTICE: {text}");
}

#[cfg(unix)]
#[test]
fn a_missing_permission_is_named() {
    use std::os::unix::fs::PermissionsExt;
    if is_root() {
        return notice("skipped: permissions do not stop root");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let error = Database::open(folder.path().join("new.traces")).unwrap_err();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    assert!(error.to_string().contains("new.traces"), "{error}");
}

/// A small file system in memory; unmounted when dropped.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub fn mount(folder: &'a Path) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"])
            .arg(folder)
            .output();
        done.is_ok_and(|output| output.status.success())
            .then(|| Self(folder))
    }

    pub fn grow(&self) {
        let done = Command::new("mount")
            .args(["-o", "remount,size=200m"])
            .arg(self.0)
            .status();
        assert!(done.unwrap().success());
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        return notice("skipped: a small file system cannot be mounted here");
    };
    let path = folder.path().join("full.traces");
    let line = |n: u64| {
        let noise: String = (0..400_u64)
            .map(|k| format!("{:x}", (n * 400 + k).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect();
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{n:032x}","spanId":"{n:016x}","name":"{noise}"}}]}}]}}]}}"#
        )
    };
    let text: String = (1..=4_000).map(|n| line(n) + "\n").collect();
    let db = open(&path);
    let mut acknowledged = 0;
    let options = ImportOptions::default().batch_lines(50);
    let error = db
        .import(text.as_bytes(), &options, &mut |p| {
            acknowledged = p.acked_spans
        })
        .unwrap_err();
    // Whichever comes first: the reserve, or the end of a disk that is filled in large steps.
    assert!(
        matches!(error.kind(), ErrorKind::Io | ErrorKind::Unavailable),
        "{error}"
    );
    assert!(
        error.to_string().to_lowercase().contains("space"),
        "{error}"
    );
    assert!(acknowledged > 0);
    let count = |db: &Database| number(db, "SELECT count(DISTINCT span_id) FROM spans") as u64;
    assert!(count(&db) >= acknowledged, "still readable");
    drop(db);
    let reader = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(&path)
        .unwrap();
    assert!(
        count(&reader) >= acknowledged,
        "readable while the disk is full"
    );
    drop(reader);
    disk.grow();
    let db = open(&path);
    assert!(count(&db) >= acknowledged);
    assert_eq!(
        db.import(text.as_bytes(), &options, &mut |_| {})
            .unwrap()
            .rejected_count,
        0
    );
    assert_eq!(count(&db), 4_000);
    db.compact().unwrap();
    assert_eq!(count(&db), 4_000);
}

#[test]
fn a_log_that_needs_a_damaged_segment_is_kept() {
    let (disk, _) = filled();
    disk.db.seal().unwrap();
    // The same spans with another name: the log now supersedes rows of the segment.
    let changed: Vec<String> = data::lines()
        .iter()
        .map(|line| line.replace("\"name\":\"", "\"name\":\"late "))
        .collect();
    import_lines(&disk.db, &changed);
    let asked = "SELECT count(*), count(DISTINCT span_id), count(DISTINCT name) FROM spans";
    assert!(
        number(
            &disk.db,
            "SELECT count(*) FROM spans WHERE name LIKE 'late %'"
        ) > 0
    );
    let expected = format!("{:?}", disk.db.sql(asked).unwrap());
    let disk = disk.reopen(false, |path| {
        let segment = fs::read_dir(path.join("seg"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let file = segment.join("spans.parquet");
        let whole = fs::read(&file).unwrap();
        fs::write(&file, vec![0; whole.len()]).unwrap();
        for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
            let error = options.open(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains("spans.parquet"), "{error}");
        }
        fs::write(&file, whole).unwrap();
    });
    assert_eq!(format!("{:?}", disk.db.sql(asked).unwrap()), expected);
}
