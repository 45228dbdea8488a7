//! `repair`: says what a repair would do and lose, or does it.

use std::io::Write;

use tracehouse::{RepairReport, repair};

use super::check::write_findings;
use super::write_json;
use crate::args::RepairArgs;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;
use crate::output::units::rfc3339;

/// Trace ids shown to people.
const SHOWN_IDS_MAX: usize = 20;

/// Shows the report; fails when there is damage left.
pub fn run(context: &Context, args: &RepairArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let report = repair(&args.db, args.apply)?;
    let is_clean = report.after.as_ref().unwrap_or(&report.before).is_clean();
    if context.json {
        write_json(out, &serde_json::to_value(&report)?)?;
    } else {
        write_report(&report, out)?;
        if report.before.is_clean() {
            context.say(out, "nothing to repair")?;
        }
    }
    match (is_clean, report.applied) {
        (true, _) => Ok(()),
        (false, true) => Err(Failure::failed("there is damage left; see the report")),
        (false, false) => Err(Failure::failed("nothing was changed; --apply does it")),
    }
}

fn write_report(report: &RepairReport, out: &mut (dyn Write + Send)) -> Result<()> {
    write_findings(&report.before, out)?;
    let (word, verb) = if report.applied {
        ("done", "lost")
    } else {
        ("would", "would be lost")
    };
    for action in &report.actions {
        writeln!(out, "{word:<7} {}", line(&action.to_string()))?;
    }
    let lost = &report.lost;
    if lost.spans + lost.trace_rows + lost.assessments > 0 {
        let (spans, rows, assessments) = (lost.spans, lost.trace_rows, lost.assessments);
        writeln!(
            out,
            "{verb}: {spans} spans, {rows} trace rows, {assessments} assessments"
        )?;
        let time = |ns: Option<i64>| {
            ns.and_then(rfc3339)
                .unwrap_or_else(|| "unknown".to_string())
        };
        writeln!(
            out,
            "  from {} to {}",
            time(lost.min_time_ns),
            time(lost.max_time_ns)
        )?;
    }
    let traces = lost.trace_ids.len() as u64 + lost.more_traces;
    if traces > 0 {
        writeln!(out, "traces concerned: {traces}")?;
        for id in lost.trace_ids.iter().take(SHOWN_IDS_MAX) {
            writeln!(out, "  {}", line(id))?;
        }
    }
    for text in lost.log.iter().chain(&lost.catalog) {
        writeln!(out, "{verb}: {}", line(text))?;
    }
    if let Some(quarantine) = &report.quarantine {
        writeln!(out, "copies of the damaged files are in {quarantine}")?;
    }
    if let Some(after) = &report.after {
        write_findings(after, out)?;
    }
    Ok(())
}
