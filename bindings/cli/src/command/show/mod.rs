//! `show`: one trace as a tree of spans with a waterfall of their times.

mod report;
mod tree;
mod waterfall;

use std::io::Write;

use tracehouse::{Database, Table};

use crate::args::{ShowArgs, ShowFormat};
use crate::context::Context;
use crate::failure::Result;
use crate::output::escape::EscapingWriter;
use crate::output::json;

/// Shows the trace.
pub fn run(context: &Context, args: &ShowArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let default = if context.json {
        ShowFormat::Json
    } else {
        ShowFormat::Tree
    };
    show_trace(
        context,
        &db,
        &args.trace_id,
        (args.format.unwrap_or(default), args.full),
        out,
    )
}

/// Shows the trace whose id begins so, in a form and perhaps in full.
pub fn show_trace(
    context: &Context,
    db: &Database,
    id: &str,
    (form, full): (ShowFormat, bool),
    out: &mut (dyn Write + Send),
) -> Result<()> {
    let trace_id = db.find_trace_id(id)?;
    let trace = db.get_trace(&trace_id)?;
    match form {
        ShowFormat::Tree => report::write(&trace, full, context.style, out),
        ShowFormat::Json if context.style.is_terminal() => {
            write_json(db, &trace_id, &mut EscapingWriter::new(out))
        }
        ShowFormat::Json => write_json(db, &trace_id, out),
    }
}

fn write_json(db: &Database, trace_id: &str, out: &mut dyn Write) -> Result<()> {
    out.write_all(b"{\"trace\":")?;
    json::write_first(out, &db.trace_rows(Table::Traces, trace_id)?)?;
    for table in [Table::Spans, Table::Assessments] {
        write!(out, ",\"{}\":", table.name())?;
        json::write_array(out, &[db.trace_rows(table, trace_id)?])?;
    }
    writeln!(out, "}}")?;
    Ok(())
}
