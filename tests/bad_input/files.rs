//! Names that would be paths, files that are not what they seem, and folders of somebody else.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tracehouse::{Database, ErrorKind, OpenOptions, Search, check};

use super::{SmallDisk, filled, notice};
use crate::care::files;
use crate::data;
use crate::support::{DiskDb, import_lines, number, open, quiet_settings};

#[test]
fn names_of_people_are_data_and_never_paths() {
    let disk = DiskDb::new();
    import_lines(&disk.db, &data::lines());
    let around = || {
        let mut names: Vec<PathBuf> = fs::read_dir(disk.path().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        names.sort();
        names
    };
    let before = around();
    let long = "x".repeat(255);
    let names = [
        "../../x",
        "/etc/passwd",
        "CON",
        "a/b",
        ".",
        "..",
        "d\u{202e}s",
        "ｄ",
        "-rf",
        "a b'c\"d",
        long.as_str(),
    ];
    for name in names {
        let dataset = disk
            .db
            .create_dataset(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        dataset.add_traces(&Search::new("").limit(1)).unwrap();
        assert_eq!(disk.db.dataset(name).unwrap().info().unwrap().name, name);
    }
    assert_eq!(disk.db.datasets().unwrap().len(), names.len());
    let too_long = "x".repeat(256);
    for name in ["", " ", "a\0b", "a\nb", too_long.as_str()] {
        assert_eq!(
            disk.db.create_dataset(name).unwrap_err().kind(),
            ErrorKind::InvalidInput,
            "{name:?}"
        );
    }
    let name = files(&disk.path()).into_iter().find(|file| {
        let text = file.to_string_lossy().into_owned();
        !text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'-' | b'_'))
    });
    assert_eq!(name, None, "a file is named by something else than ids");
    assert_eq!(around(), before);
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn files_and_folders_are_the_owners_alone() {
    let (disk, _) = filled();
    disk.db.seal().unwrap();
    disk.db.index_text().unwrap();
    disk.db
        .create_dataset("d")
        .unwrap()
        .add_traces(&Search::new(""))
        .unwrap();
    disk.db
        .count_traces(&Search::new("session_id = 's-1'"))
        .unwrap();
    assert_eq!(mode(&disk.path()), 0o700);
    let folders = [
        "manifest",
        "wal",
        "seg",
        "catalog",
        "kv",
        "tmp",
        "readers",
        "quarantine",
    ];
    for folder in folders
        .map(|name| disk.path().join(name))
        .iter()
        .filter(|path| path.exists())
    {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    // What sled and tantivy write lies in folders that are closed to others.
    let derived = |file: &Path| {
        file.starts_with("kv") || file.components().any(|part| part.as_os_str() == "text")
    };
    for file in files(&disk.path()).iter().filter(|file| !derived(file)) {
        assert_eq!(mode(&disk.path().join(file)), 0o600, "{}", file.display());
    }
}

/// The one file of a folder whose name has this part.
fn file_in(folder: &Path, part: &str) -> PathBuf {
    let name = files(folder)
        .into_iter()
        .find(|file| file.to_string_lossy().contains(part));
    folder.join(name.unwrap_or_else(|| panic!("no {part} in {}", folder.display())))
}

#[test]
fn symlinks_and_pipes_inside_a_database_are_refused() {
    let (disk, _) = filled();
    disk.db.seal().unwrap();
    import_lines(&disk.db, &data::corrections());
    let asked = "SELECT count(*), count(DISTINCT name), max(outputs) FROM spans";
    let expected = format!("{:?}", disk.db.sql(asked).unwrap());
    let secret = disk.path().with_file_name("secret");
    let mut disk = disk;
    for part in [
        "FORMAT",
        "CURRENT",
        "manifest/0",
        ".wal",
        "spans.parquet",
        "wal",
        "seg",
        "manifest",
    ] {
        disk = disk.reopen(false, |path| {
            let is_folder = !part.contains('.') && path.join(part).is_dir();
            let real = if is_folder {
                path.join(part)
            } else {
                file_in(path, part)
            };
            fs::rename(&real, &secret).unwrap();
            symlink(&secret, &real).unwrap();
            refused(path, &format!("symlink for {part}"));
            fs::remove_file(&real).unwrap();
            if !is_folder {
                let made = Command::new("mkfifo").arg(&real).status().unwrap();
                assert!(made.success());
                refused(path, &format!("pipe for {part}"));
                fs::remove_file(&real).unwrap();
            }
            fs::rename(&secret, &real).unwrap();
        });
        assert_eq!(
            format!("{:?}", disk.db.sql(asked).unwrap()),
            expected,
            "{part}"
        );
    }
}

/// Whether an open, or the first question that touches the file, is an error.
fn refused(path: &Path, what: &str) {
    for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
        let opened = options.create(false).settings(quiet_settings()).open(path);
        let error = match opened {
            Ok(db) => {
                let asked =
                    "SELECT max(s.outputs), max(s.name), max(t.name) FROM spans s, traces t";
                db.sql(asked).map(drop).expect_err(what)
            }
            Err(error) => error,
        };
        assert!(
            !matches!(error.kind(), ErrorKind::Internal),
            "{what}: {error}"
        );
    }
    assert!(
        !check(path, true).is_ok_and(|report| report.is_clean()),
        "{what}"
    );
}

#[test]
fn foreign_files_and_segments_are_noticed() {
    let (disk, spans) = filled();
    disk.db.seal().unwrap();
    let (other, _) = filled();
    other.db.seal().unwrap();
    let foreign = file_in(&other.path(), "spans.parquet");
    let disk = disk.reopen(true, |path| {
        fs::write(path.join("seg/notes.txt"), "hello").unwrap();
        fs::copy(&foreign, path.join("seg/spans.parquet")).unwrap();
        let report = check(path, false).unwrap();
        assert!(
            report.findings.iter().any(|f| f.at.contains("notes.txt")),
            "{report:?}"
        );
    });
    assert_eq!(number(&disk.db, "SELECT count(*) FROM spans"), spans);
    let disk = disk.reopen(true, |path| {
        let own = file_in(path, "traces.parquet");
        let whole = fs::read(&own).unwrap();
        fs::copy(file_in(&other.path(), "spans.parquet"), &own).unwrap();
        refused(path, "a file of another segment");
        fs::write(&own, whole).unwrap();
    });
    assert_eq!(number(&disk.db, "SELECT count(*) FROM spans"), spans);
}

#[test]
fn a_read_only_file_system_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        return notice("skipped: a small file system cannot be mounted here");
    };
    let path = folder.path().join("ro.traces");
    let db = open(&path);
    import_lines(&db, &data::lines());
    let spans = number(&db, "SELECT count(*) FROM spans");
    db.close().unwrap();
    drop(db);
    let remount = |mode: &str| {
        Command::new("mount")
            .args(["-o", mode])
            .arg(folder.path())
            .status()
            .unwrap()
    };
    assert!(remount("remount,ro").success());
    let error = Database::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    let db = OpenOptions::new()
        .read_only(true)
        .settings(quiet_settings())
        .open(&path)
        .unwrap();
    assert_eq!(number(&db, "SELECT count(*) FROM spans"), spans);
    assert_eq!(
        db.set_tag(&data::trace_id(0), "k", "v").unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    let done = crate::command_line::tracehouse(&["search", path.to_str().unwrap(), "", "--count"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(remount("remount,rw").success());
}
