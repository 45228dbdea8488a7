//! Every kind of work through the public API on one seeded workload; medians as Markdown tables.
//!
//! `cargo bench -p tracehouse-benches`; `TRACEHOUSE_BENCH_TRACES` sets the sizes, such as `5000,50000`: with
//! several, each median is followed by its ratio to that at the size before.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use tracehouse::{Database, ImportOptions, NewAssessment, Search};
use tracehouse_benches::{otlp_lines, trace_id};

const TRACES: &str = "5000";
const ROUNDS: usize = 15;
/// Traces that a bulk mutation changes.
const BULK_TRACES: u64 = 1_000;

type Failure = Box<dyn std::error::Error>;
type Outcome<T> = Result<T, Failure>;
/// A row of the table.
type Row = (String, Duration);

const FILTERS: [&str; 7] = [
    "state = 'ERROR'",
    "tag.env = 'prod' AND execution_time > 5000",
    "session = 's-17'",
    "span.name = 'tool' AND span.status = 'ERROR'",
    "span.attributes.gen_ai.tool.name = 'search'",
    "trace.text MATCHES 'needleword'",
    "trace.text ILIKE '%eedlewor%'",
];

const STATEMENTS: [&str; 5] = [
    "SELECT count(*) FROM spans",
    "SELECT min(start_time), max(start_time) FROM spans",
    "SELECT model, count(*), sum(total_tokens) FROM spans GROUP BY model",
    "SELECT model, percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ns) FROM spans GROUP BY model",
    "SELECT user_id, sum(total_tokens) t FROM traces GROUP BY 1 ORDER BY t DESC LIMIT 20",
];

fn main() -> Outcome<()> {
    let sizes = std::env::var("TRACEHOUSE_BENCH_TRACES").unwrap_or_else(|_| TRACES.into());
    let mut columns: Vec<Vec<Row>> = Vec::new();
    for size in sizes.split(',') {
        columns.push(bench(size.trim().parse()?)?);
    }
    println!(
        "\n| what{} |",
        columns.iter().map(|_| " | median").collect::<String>()
    );
    println!("|---{}|", "|---".repeat(columns.len()));
    for (at, (what, _)) in columns.first().into_iter().flatten().enumerate() {
        let mut line = format!("| {what}");
        let mut before: Option<Duration> = None;
        for (_, time) in columns.iter().filter_map(|column| column.get(at)) {
            line += &format!(" | {time:.1?}");
            if let Some(before) = before.replace(*time) {
                line += &format!(" ({:.2}x)", time.as_secs_f64() / before.as_secs_f64());
            }
        }
        println!("{line} |");
    }
    Ok(())
}

/// All rows for a database of one size.
fn bench(traces: u64) -> Outcome<Vec<Row>> {
    let lines = otlp_lines(1, 0..traces);
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("bench.traces");
    let db = Database::open(&path)?;
    let started = Instant::now();
    let report = db.import_otlp_json_lines(lines.as_slice(), &ImportOptions::default())?;
    db.seal()?;
    db.index_text()?;
    let seconds = started.elapsed().as_secs_f64();
    let megabytes = lines.len() as f64 / 1e6;
    println!(
        "{traces} traces, {} spans, {megabytes:.1} MB of OTLP/JSON: import, durable, sealed and",
        report.spans
    );
    println!("text-indexed, {:.1} MB/s;", megabytes / seconds);
    println!(
        "disk / OTLP bytes {:.2}",
        db.stats()?.disk_bytes as f64 / lines.len() as f64
    );
    let mut rows = reads(&db, traces)?;
    rows.extend(writes(&db, traces)?);
    drop(db);
    rows.push(open(&path)?);
    Ok(rows)
}

fn reads(db: &Database, traces: u64) -> Outcome<Vec<Row>> {
    let mut point = 0;
    let mut rows = vec![measure("get_trace", || {
        point = (point + 7919) % traces;
        Ok(db.get_trace(&trace_id(point))?.spans.len())
    })?];
    for filter in FILTERS {
        let search = Search::new(filter).limit(100);
        rows.push(measure(&format!("search {filter}"), || {
            Ok(db.search_traces(&search)?.traces.len())
        })?);
    }
    for statement in STATEMENTS {
        rows.push(measure(&format!("sql {statement}"), || {
            Ok(db.sql(statement)?.len())
        })?);
    }
    rows.push(measure("text refund policy, best 10", || {
        Ok(db.search_text("\"refund policy\"", 10)?.len())
    })?);
    rows.push(measure(
        "dataset of 100 traces, built, read, deleted",
        || {
            let dataset = db.create_dataset("bench")?;
            dataset.add_traces(&Search::new("tag.env = 'prod'").limit(100))?;
            let records = dataset.records(None)?.num_rows();
            db.delete_dataset("bench")?;
            Ok(records)
        },
    )?);
    Ok(rows)
}

fn writes(db: &Database, traces: u64) -> Outcome<Vec<Row>> {
    let ids: Vec<String> = (0..BULK_TRACES.min(traces / 2)).map(trace_id).collect();
    let mut fresh = traces;
    let mut rows = vec![
        measure("append one trace, durable", || {
            fresh += 1;
            let line = otlp_lines(fresh, fresh..fresh + 1);
            Ok(db.import_otlp(&line, &ImportOptions::default())?.spans as usize)
        })?,
        measure("set_tag, durable", || {
            Ok(db.set_tag(&trace_id(1), "k", "v").map(|()| 1)?)
        })?,
    ];
    rows.push(measure(
        &format!("set_tag on {} traces", ids.len()),
        || Ok(db.set_tag_on(&ids, "reviewed", "yes")? as usize),
    )?);
    rows.push(measure(
        &format!("feedback on {} traces", ids.len()),
        || {
            let feedback = ids
                .iter()
                .map(|id| (id, NewAssessment::feedback("correctness", "true")));
            Ok(db.assess_many(feedback.collect::<Vec<_>>())?.len())
        },
    )?);
    rows.push(measure("search tag.reviewed = 'yes', after that", || {
        Ok(db
            .search_traces(&Search::new("tag.reviewed = 'yes'").limit(100))?
            .traces
            .len())
    })?);
    rows.push(once(&format!("delete {} traces", ids.len()), || {
        Ok(db.delete_traces(&ids)? as usize)
    })?);
    rows.push(once("compact", || Ok(db.compact().map(|_| 1)?))?);
    rows.push(once("check", || Ok(db.check(false)?.findings.len()))?);
    Ok(rows)
}

/// Opening to the first answer, the files still in memory of the system.
fn open(path: &Path) -> Outcome<Row> {
    measure("open and first search", || {
        let db = Database::open(path)?;
        Ok(db
            .search_traces(&Search::new("state = 'ERROR'").limit(100))?
            .traces
            .len())
    })
}

/// The median time of `work` after one warm-up.
fn measure(what: &str, mut work: impl FnMut() -> Outcome<usize>) -> Outcome<Row> {
    black_box(work()?);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        times.push(once(what, &mut work)?.1);
    }
    times.sort();
    Ok((
        what.to_string(),
        times.get(ROUNDS / 2).copied().unwrap_or_default(),
    ))
}

fn once(what: &str, work: impl FnOnce() -> Outcome<usize>) -> Outcome<Row> {
    let started = Instant::now();
    black_box(work()?);
    Ok((what.to_string(), started.elapsed()))
}
