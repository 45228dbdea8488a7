//! Retention by age, number and size, by hand and by the settings.

use tracehouse::{Database, OpenOptions, Retention, TraceStart};

use crate::support::{DiskDb, number, quiet_settings, texts};

/// Ten traces in experiment `a`, five in `b`, a minute apart.
fn started(db: &Database) {
    let start = |experiment: &str, at: i64| {
        TraceStart::new(format!("{experiment}{at}"), at * 60_000_000_000)
            .state("OK")
            .experiment_id(experiment)
    };
    let mut all: Vec<TraceStart> = (0..10).map(|at| start("a", at)).collect();
    all.extend((0..5).map(|at| start("b", at)));
    db.start_traces(&all).unwrap();
}

fn ids(db: &Database) -> Vec<String> {
    texts(db, "SELECT trace_id FROM traces ORDER BY trace_id")
}

#[test]
fn a_dry_run_deletes_nothing_and_says_what_would_go() {
    let disk = DiskDb::new();
    started(&disk.db);
    let rules = [
        Retention::new().max_traces(4),
        Retention::new().experiment("b").max_traces(5),
    ];
    let plan = disk.db.retain(&rules, true).unwrap();
    assert_eq!(plan.trace_ids, ["a0", "a1", "a2", "a3", "a4", "a5"]);
    assert_eq!(
        (plan.kept, plan.deleted["a"], ids(&disk.db).len()),
        (9, 6, 15)
    );
    disk.db.seal().unwrap();
    let done = disk.db.retain(&rules, false).unwrap();
    assert_eq!(done.trace_ids, plan.trace_ids);
    assert_eq!(
        ids(&disk.db),
        ["a6", "a7", "a8", "a9", "b0", "b1", "b2", "b3", "b4"]
    );
    assert!(disk.db.retain(&rules, false).unwrap().trace_ids.is_empty());
    let old = disk
        .db
        .retain(
            &[Retention::new().experiment("b").max_age_ms(86_400_000)],
            false,
        )
        .unwrap();
    assert_eq!(old.deleted["b"], 5, "all of them began in 1970");
}

#[test]
fn size_counts_the_share_of_the_files() {
    let disk = DiskDb::new();
    crate::support::import_lines(&disk.db, &crate::data::lines());
    disk.db.compact().unwrap();
    let traces = number(&disk.db, "SELECT count(*) FROM traces");
    let bytes: u64 = texts(&disk.db, "SELECT sum(bytes) FROM segments()")[0]
        .parse()
        .unwrap();
    let whole = disk
        .db
        .retain(&[Retention::new().max_bytes(bytes * 2)], true)
        .unwrap();
    assert!(whole.trace_ids.is_empty());
    let half = disk
        .db
        .retain(&[Retention::new().max_bytes(bytes / 2)], false)
        .unwrap();
    assert!(!half.trace_ids.is_empty() && half.kept > 0, "{half:?}");
    assert_eq!(
        number(&disk.db, "SELECT count(*) FROM traces"),
        traces - half.trace_ids.len() as i64
    );
}

#[test]
fn the_settings_apply_it_at_open() {
    let disk = DiskDb::new();
    started(&disk.db);
    let path = disk.path();
    disk.db.close().unwrap();
    drop(disk.db);
    let mut settings = quiet_settings();
    settings.retention = vec![Retention::new().experiment("a").max_traces(1)];
    let db = OpenOptions::new().settings(settings).open(&path).unwrap();
    assert_eq!(ids(&db), ["a9", "b0", "b1", "b2", "b3", "b4"]);
    let mut settings = quiet_settings();
    settings.retention = vec![Retention::new()];
    drop(db);
    assert!(OpenOptions::new().settings(settings).open(&path).is_err());
}
