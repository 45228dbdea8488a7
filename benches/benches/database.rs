//! Import, point, filter, SQL, text and mutation through the public API on one seeded workload:
//! `cargo bench` prints medians as a Markdown table. `TRACEHOUSE_BENCH_TRACES` sets the size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tracehouse::{Database, ImportOptions, Search};
use tracehouse_benches::{otlp_lines, trace_id};

const TRACES: u64 = 5_000;
const ROUNDS: usize = 15;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let traces = match std::env::var("TRACEHOUSE_BENCH_TRACES") {
        Ok(text) => text.parse()?,
        Err(_) => TRACES,
    };
    let lines = otlp_lines(1, traces);
    let dir = tempfile::tempdir()?;
    let db = Database::open(dir.path().join("bench.traces"))?;
    let started = Instant::now();
    let report = db.import_otlp_json_lines(lines.as_slice(), &ImportOptions::default())?;
    db.seal()?;
    db.index_text()?;
    let seconds = started.elapsed().as_secs_f64();
    let megabytes = lines.len() as f64 / 1e6;
    println!("{traces} traces, {} spans, {megabytes:.1} MB of OTLP/JSON\n", report.spans);
    println!("| what | median |\n|---|---|");
    println!("| import, durable, sealed and text-indexed | {:.1} MB/s |", megabytes / seconds);
    println!("| disk / OTLP bytes | {:.2} |", db.stats()?.disk_bytes as f64 / lines.len() as f64);
    let mut point = 0;
    measure("get_trace", || {
        point = (point + 7919) % traces;
        Ok(db.get_trace(&trace_id(point))?.spans.len())
    })?;
    for filter in [
        "state = 'ERROR'",
        "tag.env = 'prod' AND execution_time > 5000",
        "session = 's-17'",
        "span.name = 'tool' AND span.status = 'ERROR'",
        "trace.text MATCHES 'needleword'",
        "trace.text ILIKE '%eedlewor%'",
    ] {
        let search = Search::new(filter).limit(100);
        measure(&format!("search {filter}"), || Ok(db.search_traces(&search)?.traces.len()))?;
    }
    for statement in [
        "SELECT count(*) FROM spans",
        "SELECT model, count(*), sum(total_tokens) FROM spans GROUP BY model",
        "SELECT user_id, sum(total_tokens) t FROM traces GROUP BY 1 ORDER BY t DESC LIMIT 20",
    ] {
        measure(&format!("sql {statement}"), || Ok(db.sql(statement)?.len()))?;
    }
    measure("text refund policy", || Ok(db.search_text("\"refund policy\"", 10)?.len()))?;
    measure("set_tag, durable", || Ok(db.set_tag(&trace_id(1), "k", "v").map(|()| 1)?))
}

/// Runs `work` a number of times after one warm-up and prints the median.
fn measure(what: &str, mut work: impl FnMut() -> Result<usize, Failure>) -> Result<(), Failure> {
    black_box(work()?);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        black_box(work()?);
        times.push(started.elapsed());
    }
    times.sort();
    let median = times.get(ROUNDS / 2).copied().unwrap_or(Duration::ZERO);
    println!("| {what} | {median:.1?} |");
    Ok(())
}
