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
    if args.max_age.is_none() && args.max_traces.is_none() && args.max_size.is_none() {
        return Err(Failure::bad_input(
            "no limit: --max-age, --max-traces or --max-size is needed",
        ));
    }
    let mut rule = Retention::new();
    rule.max_age_ms = args.max_age;
    rule.max_traces = args.max_traces;
    rule.max_bytes = args.max_size.map(|bytes| bytes as u64);
    Ok(match args.experiment.as_slice() {
        [] => vec![rule],
        experiments => experiments
            .iter()
            .map(|id| rule.clone().experiment(id))
            .collect(),
    })
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
