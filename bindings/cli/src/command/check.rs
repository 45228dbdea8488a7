//! `check`: looks for damage.

use std::io::Write;

use tracehouse::{CheckReport, Severity, check};

use super::write_json;
use crate::args::CheckArgs;
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;

/// Shows what was found; fails when it is damage.
pub fn run(context: &Context, args: &CheckArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let report = check(&args.db, args.deep)?;
    if context.json {
        let mut json = serde_json::to_value(&report)?;
        if let Some(object) = json.as_object_mut() {
            object.insert("clean".into(), report.is_clean().into());
        }
        write_json(out, &json)?;
    } else {
        write_findings(&report, out)?;
        if report.is_clean() {
            let how = if report.deep {
                "every byte and row"
            } else {
                "the files' ends; --deep reads them"
            };
            context.say(out, format_args!("no damage found ({how})"))?;
        }
    }
    match report.is_clean() {
        true => Ok(()),
        false => Err(Failure::failed(format!(
            "{} is damaged; tracehouse repair {} says what can be done",
            args.db.display(),
            args.db.display()
        ))),
    }
}

/// A line for each finding.
pub fn write_findings(report: &CheckReport, out: &mut (dyn Write + Send)) -> Result<()> {
    for finding in &report.findings {
        let word = match finding.severity {
            Severity::Damage => "damage",
            Severity::Derived => "index",
            Severity::Unchecked => "unseen",
            Severity::Note => "note",
        };
        writeln!(
            out,
            "{word:<7} {:<4} {}: {}",
            finding.invariant,
            line(&finding.at.to_string()),
            line(&finding.message)
        )?;
    }
    Ok(())
}
