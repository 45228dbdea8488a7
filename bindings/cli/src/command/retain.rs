//! `retain`: deletes the traces that limits of age, number or size do not keep.

use std::io::Write;

use tracehouse::{Retention, RetentionReport};

use super::confirm::confirm;
use super::write_json;
use crate::args::RetainArgs;
use crate::context::Context;
use crate::failure::{Failure, Result};

/// Deletes, or with `--dry-run` says what would be.
pub fn run(context: &Context, args: &RetainArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let rules = rules(args)?;
    let db = match args.dry_run {
        true => context.open_to_read(&args.db)?,
        false => context.open_to_change(&args.db)?,
    };
    if !args.dry_run && !args.yes {
        let plan = db.retain(&rules, true)?;
        if !plan.trace_ids.is_empty() {
            confirm(&format!("delete {} traces", plan.trace_ids.len()))?;
        }
    }
    let report = db.retain(&rules, args.dry_run)?;
    if context.json {
        return write_json(out, &serde_json::to_value(&report)?);
    }
    show(context, &report, out)
}

fn rules(args: &RetainArgs) -> Result<Vec<Retention>> {
    let rule = rule(args.max_age, args.max_traces, args.max_size).ok_or_else(|| {
        Failure::bad_input("no limit: --max-age, --max-traces or --max-size is needed")
    })?;
    Ok(match args.experiment.as_slice() {
        [] => vec![rule],
        experiments => experiments
            .iter()
            .map(|id| rule.clone().experiment(id))
            .collect(),
    })
}

/// The rule of the limits that are given; `None` when there is none.
pub fn rule(
    max_age_ms: Option<u64>,
    max_traces: Option<u64>,
    max_size_bytes: Option<usize>,
) -> Option<Retention> {
    let mut rule = Retention::new();
    rule.max_age_ms = max_age_ms;
    rule.max_traces = max_traces;
    rule.max_bytes = max_size_bytes.map(|bytes| bytes as u64);
    (rule != Retention::new()).then_some(rule)
}

fn show(context: &Context, report: &RetentionReport, out: &mut (dyn Write + Send)) -> Result<()> {
    let verb = if report.dry_run {
        "would delete"
    } else {
        "deleted"
    };
    for (experiment, count) in &report.deleted {
        context.say(
            out,
            format_args!("{verb} {count} traces of experiment {experiment}"),
        )?;
    }
    context.say(out, format_args!("{} traces stay", report.kept))
}
