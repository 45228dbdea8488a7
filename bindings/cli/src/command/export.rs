//! `export`: the tables as Parquet files for other programs.

use std::io::Write;

use serde_json::json;

use super::write_json;
use crate::args::ExportArgs;
use crate::context::Context;
use crate::failure::Result;

/// Writes a file for each table, and says how many rows each has.
pub fn run(context: &Context, args: &ExportArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let rows = db.export_parquet(&args.dir, &args.filter)?;
    if context.json {
        return write_json(out, &json!({ "rows": rows }));
    }
    for (table, rows) in &rows {
        context.say(out, format_args!("{}: {rows} rows", args.dir.join(table).display()))?;
    }
    Ok(())
}
