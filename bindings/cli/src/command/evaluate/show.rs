//! `eval list` and `eval show`: runs, what their scorers say, and the failures.

use std::io::Write;

use serde_json::{Value, json};
use tracehouse::Database;
use tracehouse::eval::statistics::{Interval, Summary};
use tracehouse::eval::{EvalRun, ScoreRow};

use crate::args::{DbArgs, EvalShowArgs};
use crate::command::write_json;
use crate::context::Context;
use crate::failure::Result;
use crate::output::escape::{line, preview};
use crate::output::table::TextTable;
use crate::output::units::time;

/// Columns of a text in a table.
pub(super) const TEXT_WIDTH: usize = 60;

/// Lists the runs.
pub fn list(context: &Context, args: &DbArgs, out: &mut dyn Write) -> Result<()> {
    let runs = context.open_to_read(&args.db)?.eval_runs()?;
    if context.json {
        return write_json(out, &json!(runs));
    }
    if runs.is_empty() {
        return context.say(out, "no evaluation runs");
    }
    let mut table = TextTable::new([
        "run", "name", "state", "of", ">scores", ">errors", ">cost", "created",
    ]);
    for run in &runs {
        table.add_row(vec![
            line(&run.run_id),
            preview(&run.name, TEXT_WIDTH),
            run.state.as_str().to_string(),
            run.source.clone(),
            run.row_count.to_string(),
            run.error_count.to_string(),
            cost(run.cost_usd),
            time(run.created_at_ns),
        ]);
    }
    table.write(out, context.style)
}

/// Shows one run.
pub fn show(context: &Context, args: &EvalShowArgs, out: &mut dyn Write) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let run = db.eval_run(&args.run)?;
    if context.json {
        return report_json(&db, &run, out);
    }
    writeln!(out, "{}", context.style.bold(&line(&run.name)))?;
    let of = match &run.filter {
        Some(filter) => format!("{} where {filter}", run.source),
        None => run.source.clone(),
    };
    writeln!(out, "{}  {}  {}", run.run_id, run.state.as_str(), line(&of))?;
    report(context, &db, &run, args.limit, out)
}

/// A run with what its scorers say, as JSON.
pub fn report_json(db: &Database, run: &EvalRun, out: &mut dyn Write) -> Result<()> {
    let report = db.eval_report(&run.run_id)?;
    let mut json = json!(run);
    if let Value::Object(members) = &mut json {
        members.insert("summaries".into(), json!(report.summaries));
    }
    write_json(out, &json)
}

/// What the scorers of a run say, and some failures.
pub fn report(
    context: &Context,
    db: &Database,
    run: &EvalRun,
    failures_max: usize,
    out: &mut dyn Write,
) -> Result<()> {
    let report = db.eval_report(&run.run_id)?;
    let mut table = TextTable::new([
        "scorer",
        ">scores",
        ">errors",
        ">passed",
        "95 % interval",
        ">mean",
        "95 % interval",
        ">median",
    ]);
    for summary in &report.summaries {
        table.add_row(summary_row(summary));
    }
    table.write(out, context.style)?;
    let scores = db.eval_scores(&run.run_id)?;
    failures(context, &scores, failures_max, out)
}

fn summary_row(summary: &Summary) -> Vec<String> {
    let dash = || String::from("-");
    let (passed, of_passed) = match &summary.passes {
        Some(passes) => (
            passes.rate.map_or_else(dash, percent),
            (passes.interval.as_ref()).map_or_else(dash, |interval| between(interval, percent)),
        ),
        None => (dash(), dash()),
    };
    let (mean, of_mean, median) = match &summary.numbers {
        Some(numbers) => (
            number(numbers.mean),
            (numbers.mean_interval.as_ref())
                .map_or_else(dash, |interval| between(interval, number)),
            number(numbers.p50),
        ),
        None => (dash(), dash(), dash()),
    };
    vec![
        line(&summary.scorer),
        summary.count.to_string(),
        summary.errors.to_string(),
        passed,
        of_passed,
        mean,
        of_mean,
        median,
    ]
}

/// The first failures and errors.
fn failures(
    context: &Context,
    scores: &[ScoreRow],
    failures_max: usize,
    out: &mut dyn Write,
) -> Result<()> {
    let is_failure = |row: &&ScoreRow| row.error.is_some() || row.passed == Some(false);
    let all = scores.iter().filter(is_failure);
    let count = all.clone().count();
    if count == 0 || failures_max == 0 {
        return Ok(());
    }
    writeln!(out)?;
    let mut table = TextTable::new(["failed", "item", "why"]);
    for row in all.take(failures_max) {
        table.add_row(vec![
            line(&row.scorer),
            line(item(row)),
            preview(why(row), TEXT_WIDTH),
        ]);
    }
    table.write(out, context.style)?;
    match count.saturating_sub(failures_max) {
        0 => Ok(()),
        more => context.say(out, format_args!("and {more} more; --limit shows them")),
    }
}

/// What a score is of.
pub(super) fn item(row: &ScoreRow) -> &str {
    let ids = [
        &row.dataset_record_id,
        &row.session_id,
        &row.span_id,
        &row.trace_id,
    ];
    ids.into_iter().flatten().next().map_or("-", String::as_str)
}

fn why(row: &ScoreRow) -> &str {
    let texts = [&row.error, &row.rationale, &row.value];
    texts
        .into_iter()
        .flatten()
        .next()
        .map_or("", String::as_str)
}

pub(super) fn cost(usd: Option<f64>) -> String {
    usd.map_or_else(|| "-".to_string(), |usd| format!("${usd:.4}"))
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A number with as many digits as matter.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

pub(super) fn between(interval: &Interval, form: fn(f64) -> String) -> String {
    format!("{} to {}", form(interval.low), form(interval.high))
}
