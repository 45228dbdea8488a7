//! `backup`: a consistent copy, also of a database that another process writes.

use std::io::Write;

use tracehouse::backup_until;

use super::write_json;
use crate::args::BackupArgs;
use crate::context::Context;
use crate::failure::Result;
use crate::interrupt::{self, HalfWritten};
use crate::output::units::bytes;

/// Copies, and says what.
pub fn run(context: &Context, args: &BackupArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let half = HalfWritten::into_folder(&args.dest, &[]);
    let copied = backup_until(&args.db, &args.dest, context.cancel.clone());
    interrupt::finish();
    drop(half);
    let report = copied?;
    if context.json {
        return write_json(out, &serde_json::to_value(&report)?);
    }
    let (size, segments, records) = (bytes(report.bytes), report.segments, report.log_records);
    let dest = args.dest.display();
    context.say(
        out,
        format_args!("{dest}: {size}, {segments} segments and {records} records of the log"),
    )
}
