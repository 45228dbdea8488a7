//! What the system refuses is not damage: a check that lacks descriptors says that it could not check.

use std::process::Command;

use tracehouse::{ErrorKind, OpenOptions, check};

use super::{SPILLS, SPILLS_AT_BYTES};
use crate::care::closed;
use crate::support::quiet_settings;

#[test]
fn a_check_without_descriptors_calls_nothing_damaged() {
    let (_folder, path) = closed();
    crate::support::open(&path).close().unwrap();
    let (mut done, mut refused) = (0, 0);
    for descriptors in 4..24 {
        for how in ["", "--deep"] {
            let binary = env!("CARGO_BIN_EXE_tracehouse-under-test");
            let script = format!(
                "ulimit -n {descriptors}; exec {binary} check {} {how}",
                path.display()
            );
            let ended = Command::new("sh").args(["-c", &script]).output().unwrap();
            let (out, err) = (
                String::from_utf8_lossy(&ended.stdout),
                String::from_utf8_lossy(&ended.stderr),
            );
            let said = format!("{descriptors} descriptors: {out}{err}");
            match ended.status.code() {
                Some(0) => done += 1,
                Some(1) if err.contains("could not be checked") => refused += 1,
                // Without any, not even the program or the folder can be opened.
                _ => assert!(err.contains("Too many open files"), "{said}"),
            }
            assert!(
                !out.lines().any(|line| line.starts_with("damage")) && !err.contains("is damaged"),
                "{said}"
            );
            assert!(!err.contains("panicked"), "{said}");
        }
    }
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
}

#[test]
fn a_check_without_rights_calls_nothing_damaged() {
    if crate::support::is_root() {
        crate::support::say("NOTICE: missing rights are not tested, since root has all");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let (_folder, path) = closed();
    let spans = path.join(crate::care::files_with(&path, "spans.parquet").remove(0));
    std::fs::set_permissions(&spans, std::fs::Permissions::from_mode(0o000)).unwrap();
    let refused = check(&path, true).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Io, "{refused}");
    assert!(
        refused.to_string().contains("could not be checked"),
        "{refused}"
    );
}

/// A query that cannot spill says so, and is no bug.
#[test]
fn a_query_that_outgrows_memory_spills_or_says_that_it_cannot() {
    let mut settings = quiet_settings();
    settings.query_bytes_max = SPILLS_AT_BYTES;
    settings.threads = 2;
    let folder = tempfile::tempdir().unwrap();
    let filled = |place: &std::path::Path| {
        let db = OpenOptions::new()
            .settings(settings.clone())
            .open(place)
            .unwrap();
        crate::care::fill(&db);
        db
    };
    let on_disk = filled(&folder.path().join("app.traces"));
    assert!(crate::support::number(&on_disk, SPILLS) > 10_000);
    assert_eq!(
        std::fs::read_dir(folder.path().join("app.traces/tmp"))
            .unwrap()
            .count(),
        0
    );
    let in_memory = filled(std::path::Path::new(":memory:"));
    assert_eq!(
        in_memory.sql(SPILLS).unwrap_err().kind(),
        ErrorKind::ResourceExhausted
    );
}
