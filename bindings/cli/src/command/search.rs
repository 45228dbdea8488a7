//! `search`: one page of traces that match a filter.

use std::io::Write;
use std::path::Path;

use serde_json::Value;
use tracehouse::model::TraceRow;
use tracehouse::{Database, Search, TraceBatches};

use crate::args::{SearchArgs, SearchFormat};
use crate::context::Context;
use crate::failure::{Result, report};
use crate::output::escape::{EscapingWriter, line, lines, preview};
use crate::output::table::TextTable;
use crate::output::units::{count, duration, time, usd};
use crate::output::{Style, json};

/// Columns of a preview, and of a name, in the table.
const PREVIEW_WIDTH: usize = 60;
const NAME_WIDTH: usize = 32;

/// Searches and shows the page.
pub fn run(context: &Context, args: &SearchArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_read(Path::new(&args.db))?;
    let search = search_of(args);
    if args.count {
        writeln!(out, "{}", db.count_traces(&search)?)?;
        return Ok(());
    }
    let default = if context.json { SearchFormat::Json } else { SearchFormat::Table };
    match args.format.unwrap_or(default) {
        SearchFormat::Table => show_table(context, &db, &search, out),
        SearchFormat::Json if context.style.is_terminal() => {
            write_json(&db, &search, &mut EscapingWriter::new(out))
        }
        SearchFormat::Json => write_json(&db, &search, out),
        SearchFormat::JsonLines if context.style.is_terminal() => {
            write_lines(context, &db, &search, &mut EscapingWriter::new(out))
        }
        SearchFormat::JsonLines => write_lines(context, &db, &search, out),
        SearchFormat::Ids if context.style.is_terminal() => {
            write_ids(context, &db, &search, &mut EscapingWriter::new(out))
        }
        SearchFormat::Ids => write_ids(context, &db, &search, out),
    }
}

fn search_of(args: &SearchArgs) -> Search {
    let mut search =
        Search::new(args.filter.as_str()).order_by(args.order_by.iter().cloned()).limit(args.limit);
    search.offset = args.offset;
    search.explain = args.explain;
    search.analyze = args.analyze;
    search.page_token = args.page_token.clone();
    if !args.experiment.is_empty() {
        search = search.experiments(args.experiment.iter().cloned());
    }
    search
}

/// Shows a page as a table, the token of the next page below it.
pub fn show_table(context: &Context, db: &Database, search: &Search, out: &mut dyn Write) -> Result<()> {
    let page = db.search_traces(search)?;
    if page.traces.is_empty() {
        context.say(out, "no traces")?;
    } else {
        table_of(&page.traces, context.style).write(out, context.style)?;
    }
    if let Some(token) = &page.next_page_token {
        context.say(out, format_args!("\nmore with --page-token {token}"))?;
    }
    if let Some(explain) = &page.explain {
        writeln!(out, "\n{}", lines(&explain.to_string()))?;
    }
    Ok(())
}

/// Columns of the table from this width of the terminal on; narrower ones show the first of them.
const COLUMNS: [(&str, usize); 8] = [
    ("!trace_id", 0),
    ("!state", 0),
    ("!request_time", 0),
    ("name", 0),
    ("!>duration", 96),
    ("!>tokens", 108),
    ("!>cost", 118),
    ("request", 130),
];

fn table_of(traces: &[TraceRow], style: Style) -> TextTable {
    let shown = COLUMNS.iter().filter(|(_, width)| style.width.is_none_or(|room| room >= *width)).count();
    let mut table = TextTable::new(COLUMNS.iter().take(shown).map(|(name, _)| *name));
    for trace in traces {
        let mut cells = vec![
            line(&trace.trace_id),
            line(&trace.state),
            time(trace.request_time_ns),
            preview(trace.name.as_deref().unwrap_or_default(), NAME_WIDTH),
            trace.duration_ns.map(duration).unwrap_or_default(),
            trace.usage.total_tokens.map(count).unwrap_or_default(),
            trace.usage.cost_usd.map(usd).unwrap_or_default(),
            preview(trace.request_preview.as_deref().unwrap_or_default(), PREVIEW_WIDTH),
        ];
        cells.truncate(shown);
        table.add_row(cells);
    }
    table
}

fn write_json(db: &Database, search: &Search, out: &mut dyn Write) -> Result<()> {
    let mut found = db.search_batches(search)?;
    out.write_all(b"{\"traces\":")?;
    json::write_stream(out, found.by_ref())?;
    write!(out, ",\"next_page_token\":{}", Value::from(found.next_page_token()))?;
    if let Some(explain) = found.explain() {
        out.write_all(b",\"explain\":")?;
        serde_json::to_writer(EscapingWriter::json(&mut *out), explain)?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

fn write_lines(context: &Context, db: &Database, search: &Search, out: &mut dyn Write) -> Result<()> {
    let mut found = db.search_batches(search)?;
    for batch in found.by_ref() {
        json::write_lines(out, &[batch?])?;
    }
    out.flush()?;
    report_beside(context, &found);
    Ok(())
}

fn write_ids(context: &Context, db: &Database, search: &Search, out: &mut dyn Write) -> Result<()> {
    let found = db.search_batches(search)?;
    for id in found.trace_ids() {
        writeln!(out, "{id}")?;
    }
    out.flush()?;
    report_beside(context, &found);
    Ok(())
}

/// What has no place in a result of lines goes to standard error: that there is more, which a script
/// would take for all, and the explanation.
fn report_beside(context: &Context, found: &TraceBatches) {
    if let Some(token) = found.next_page_token().filter(|_| !context.quiet) {
        report(format_args!("{} traces shown; more with --page-token {token}", found.trace_ids().len()));
    }
    if let Some(explain) = found.explain() {
        report(explain);
    }
}
