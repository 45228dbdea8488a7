//! `backup`: a consistent copy, also of a database that another process writes.

use std::io::Write;

use tracehouse::backup_until;

use super::write_json;
use crate::args::BackupArgs;
use crate::context::Context;
use crate::failure::Result;
use crate::output::units::bytes;

/// Copies, and says what.
pub fn run(context: &Context, args: &BackupArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let report = backup_until(&args.db, &args.dest, context.cancel.clone())?;
    if context.json {
        return write_json(out, &serde_json::to_value(&report)?);
    }
    let (size, segments, records) = (bytes(report.bytes), report.segments, report.log_records);
    let dest = args.dest.display();
    context.say(out, format_args!("{dest}: {size}, {segments} segments and {records} records of the log"))
}
