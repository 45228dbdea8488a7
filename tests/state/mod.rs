//! The mutable state of traces: starts, tags, links, assessments, deletions; asked in memory, sealed,
//! compacted, reopened and without the metadata store.

mod assessments;
mod explain;
mod links;
mod metrics;
mod sessions;
mod start;
mod top_span;

use tracehouse::Database;
use tracehouse::model::Span;

use crate::support::{DiskDb, in_memory};

/// Does something to a database and asks it the same in every place where its rows may be.
fn in_every_place(act: impl Fn(&Database), ask: impl Fn(&Database, &str)) {
    let memory = in_memory();
    act(&memory);
    ask(&memory, "in memory");
    let mut disk = DiskDb::new();
    act(&disk.db);
    ask(&disk.db, "unsealed");
    disk = disk.reopen(false, |_| {});
    ask(&disk.db, "replayed");
    disk.db.seal().unwrap();
    ask(&disk.db, "sealed");
    disk.db.compact().unwrap();
    ask(&disk.db, "compacted");
    disk = disk.reopen(true, |path| {
        std::fs::remove_dir_all(path.join("kv")).unwrap()
    });
    ask(&disk.db, "without kv");
}

/// A span of trace `trace`: number 0 is the root.
fn span(trace: u32, number: u32) -> Span {
    let start = i64::from(trace) * 1_000_000_000 + i64::from(number) * 1_000_000;
    Span {
        trace_id: id(trace),
        span_id: format!("{number:016x}"),
        parent_span_id: (number > 0).then(|| format!("{:016x}", 0)),
        experiment_id: "0".into(),
        name: format!("span {number}"),
        span_type: "LLM".into(),
        kind: "INTERNAL".into(),
        status: if number == 2 { "ERROR" } else { "OK" }.into(),
        start_time_ns: start,
        end_time_ns: Some(start + 500_000),
        input_tokens: Some(i64::from(number) + 1),
        attributes: "{}".into(),
        resource: "{}".into(),
        ..Span::default()
    }
}

fn id(trace: u32) -> String {
    format!("{trace:032x}")
}
