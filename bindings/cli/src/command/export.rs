//! `export`: the tables as Parquet files for other programs.

use std::io::Write;

use serde_json::json;
use tracehouse::Table;

use super::write_json;
use crate::args::ExportArgs;
use crate::context::Context;
use crate::failure::Result;
use crate::interrupt::{self, HalfWritten};

/// Writes a file for each table, and says how many rows each has.
pub fn run(context: &Context, args: &ExportArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let names = Table::ALL.map(|table| format!("{}.parquet", table.name()));
    let half = HalfWritten::into_folder(&args.dir, &names.each_ref().map(String::as_str));
    let exported = db.export_parquet(&args.dir, &args.filter);
    interrupt::finish();
    drop(half);
    let rows = exported?;
    if context.json {
        return write_json(out, &json!({ "rows": rows }));
    }
    for (table, rows) in &rows {
        context.say(
            out,
            format_args!("{}: {rows} rows", args.dir.join(table).display()),
        )?;
    }
    Ok(())
}
