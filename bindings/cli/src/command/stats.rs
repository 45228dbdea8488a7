//! `stats`: what a database holds and uses.

use std::io::Write;

use tracehouse::{Database, Stats};

use super::write_json;
use crate::args::DbArgs;
use crate::context::Context;
use crate::failure::Result;
use crate::output::units::{bytes, count, rfc3339};

/// Shows the figures.
pub fn run(context: &Context, args: &DbArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    show(context, &context.open_to_read(&args.db)?, out)
}

/// Shows the figures of an open database.
pub fn show(context: &Context, db: &Database, out: &mut dyn Write) -> Result<()> {
    let stats = db.stats()?;
    if context.json {
        return write_json(out, &as_json(&stats)?);
    }
    for (name, value) in lines(&stats) {
        writeln!(out, "{name:<13} {value}")?;
    }
    Ok(())
}

/// The figures as they are, with times for people and machines.
fn as_json(stats: &Stats) -> Result<serde_json::Value> {
    let mut json = serde_json::to_value(stats)?;
    if let Some(figures) = json.as_object_mut() {
        for (name, time_ns) in [
            ("min_time", stats.min_time_ns),
            ("max_time", stats.max_time_ns),
        ] {
            figures.remove(&format!("{name}_ns"));
            figures.insert(name.to_string(), time_ns.and_then(rfc3339).into());
        }
    }
    Ok(json)
}

fn lines(stats: &Stats) -> Vec<(&'static str, String)> {
    let figure = |value: u64| count(i64::try_from(value).unwrap_or(i64::MAX));
    let time = |time_ns: Option<i64>| {
        time_ns
            .and_then(rfc3339)
            .unwrap_or_else(|| "none".to_string())
    };
    let indexed = match stats.spans {
        spans if spans == stats.indexed_spans => figure(spans),
        spans => {
            let percent = stats.indexed_spans as f64 / spans as f64 * 100.0;
            format!(
                "{} ({percent:.0} %), the others are scanned",
                figure(stats.indexed_spans)
            )
        }
    };
    let mut lines = vec![
        ("traces", figure(stats.traces)),
        ("spans", figure(stats.spans)),
        ("assessments", figure(stats.assessments)),
        ("datasets", figure(stats.datasets)),
        ("from", time(stats.min_time_ns)),
        ("to", time(stats.max_time_ns)),
        ("segments", stats.segments.to_string()),
        (
            "on disk",
            format!(
                "{} of which the log {}",
                bytes(stats.disk_bytes),
                bytes(stats.wal_bytes)
            ),
        ),
        ("in memory", bytes(stats.memtable_bytes)),
        ("text indexed", indexed),
        ("format", stats.format_version.to_string()),
    ];
    if stats.awaited_spans > 0 {
        let awaited = figure(stats.awaited_spans);
        lines.push((
            "awaited",
            format!("{awaited} spans, of which only log records are there"),
        ));
    }
    if stats.unindexable_segments > 0 {
        lines.push((
            "no text index",
            format!("{} segments, scanned", stats.unindexable_segments),
        ));
    }
    if stats.refused_writes > 0 {
        lines.push((
            "refused",
            format!(
                "{} writes, older rows unreadable",
                figure(stats.refused_writes)
            ),
        ));
    }
    if let Some(failure) = &stats.maintenance_failure {
        lines.push(("maintenance", format!("failed: {failure}")));
    }
    lines
}
