//! `search`: one page of traces that match a filter.

use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use serde_json::Value;
use tracehouse::model::TraceRow;
use tracehouse::{Database, Explain, Search, Table, TraceBatches};

use super::notices::of_search;
use crate::args::{SearchArgs, SearchFormat};
use crate::context::Context;
use crate::failure::{Result, report};
use crate::output::columns::Columns;
use crate::output::escape::{EscapingWriter, line, lines, preview};
use crate::output::table::TextTable;
use crate::output::units::{count, duration, time, usd};
use crate::output::{Style, csv, json};

/// Columns of a preview, and of a name, in the table.
const PREVIEW_WIDTH: usize = 60;
const NAME_WIDTH: usize = 32;

/// Searches and shows the page.
pub fn run(context: &Context, args: &SearchArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let search = search_of(args)?;
    let schema = Table::Traces.public_schema();
    let chosen = match args.columns.is_empty() {
        true => None,
        false => Some(Columns::choose(&args.columns, &schema)?),
    };
    let db = context.open_to_read(Path::new(&args.db))?;
    if args.count {
        let count = db.count_traces(&search)?;
        writeln!(out, "{count}")?;
        context.notice(&of_search(&db, &search, count > 0)?);
        return Ok(());
    }
    let default = if context.json {
        SearchFormat::Json
    } else {
        SearchFormat::Table
    };
    let form = args.format.unwrap_or(default);
    let style = if args.wide {
        Style {
            width: None,
            ..context.style
        }
    } else {
        context.style
    };
    match (form, &chosen) {
        (SearchFormat::Table, None) => {
            return show_page(context, &db, &search, (style, args.wide), out);
        }
        (SearchFormat::Table, Some(columns)) => {
            return show_columns(context, &db, &search, columns, (style, args.wide), out);
        }
        _ => {}
    }
    let columns = chosen.as_ref();
    if context.style.is_terminal() {
        return write(
            context,
            &db,
            &search,
            form,
            columns,
            &mut EscapingWriter::new(out),
        );
    }
    write(context, &db, &search, form, columns, out)
}

/// Writes a page for machines.
fn write(
    context: &Context,
    db: &Database,
    search: &Search,
    form: SearchFormat,
    columns: Option<&Columns>,
    out: &mut dyn Write,
) -> Result<()> {
    let mut found = db.search_batches(search)?;
    let notices = of_search(db, search, !found.trace_ids().is_empty())?;
    match form {
        SearchFormat::Table | SearchFormat::Json => {
            context.notice(&notices);
            return write_json(&mut found, &notices, columns, out);
        }
        SearchFormat::Ids => {
            for id in found.trace_ids() {
                writeln!(out, "{id}")?;
            }
        }
        SearchFormat::JsonLines => {
            for batch in found.by_ref() {
                json::write_lines(out, &[of(columns, batch?)?])?;
            }
        }
        SearchFormat::Csv => {
            let none = of(
                columns,
                RecordBatch::new_empty(Table::Traces.public_schema()),
            )?;
            csv::write(out, false, &none.schema(), &[])?;
            for batch in found.by_ref() {
                csv::write_more(out, &of(columns, batch?)?)?;
            }
        }
    }
    out.flush()?;
    report_beside(context, &found);
    context.notice(&notices);
    Ok(())
}

/// The chosen columns of a batch, or all.
fn of(columns: Option<&Columns>, batch: RecordBatch) -> Result<RecordBatch> {
    columns.map_or(Ok(batch.clone()), |columns| columns.of(&batch))
}

fn search_of(args: &SearchArgs) -> Result<Search> {
    let filter = args.period.filter(&args.filter)?;
    let mut search = Search::new(filter)
        .order_by(args.order_by.iter().cloned())
        .limit(args.limit);
    search.offset = args.offset;
    search.explain = args.explain;
    search.analyze = args.analyze;
    search.page_token = args.page_token.clone();
    if !args.experiment.is_empty() {
        search = search.experiments(args.experiment.iter().cloned());
    }
    Ok(search)
}

/// Shows a page as a table of the columns that were chosen.
fn show_columns(
    context: &Context,
    db: &Database,
    search: &Search,
    columns: &Columns,
    (style, is_wide): (Style, bool),
    out: &mut dyn Write,
) -> Result<()> {
    let mut found = db.search_batches(search)?;
    let mut batches = Vec::new();
    for batch in found.by_ref() {
        batches.push(columns.of(&batch?)?);
    }
    context.notice(&of_search(db, search, !batches.is_empty())?);
    if batches.is_empty() {
        context.say(out, "no traces")?;
    } else {
        columns
            .table(&batches, if is_wide { usize::MAX } else { PREVIEW_WIDTH })?
            .write(out, style)?;
    }
    say_rest(context, found.next_page_token(), found.explain(), out)
}

fn say_rest(
    context: &Context,
    token: Option<&str>,
    explain: Option<&Explain>,
    out: &mut dyn Write,
) -> Result<()> {
    if let Some(token) = token {
        context.say(out, format_args!("\nmore with --page-token {token}"))?;
    }
    if let Some(explain) = explain {
        writeln!(out, "\n{}", lines(&explain.to_string()))?;
    }
    Ok(())
}

/// Shows a page as a table, the token of the next page below it.
pub fn show_table(
    context: &Context,
    db: &Database,
    search: &Search,
    out: &mut dyn Write,
) -> Result<()> {
    show_page(context, db, search, (context.style, false), out)
}

fn show_page(
    context: &Context,
    db: &Database,
    search: &Search,
    (style, is_wide): (Style, bool),
    out: &mut dyn Write,
) -> Result<()> {
    let page = db.search_traces(search)?;
    context.notice(&of_search(db, search, !page.traces.is_empty())?);
    if page.traces.is_empty() {
        context.say(out, "no traces")?;
    } else {
        table_of(&page.traces, style, is_wide).write(out, style)?;
        let left_out = COLUMNS.get(shown_columns(style)..).unwrap_or_default();
        if !left_out.is_empty() {
            let names: Vec<&str> = left_out
                .iter()
                .map(|(name, _)| name.trim_start_matches(['!', '>']))
                .collect();
            let names = names.join(", ");
            context.say(
                out,
                format_args!("\nleft out: {names}; --wide or --columns shows them"),
            )?;
        }
    }
    say_rest(
        context,
        page.next_page_token.as_deref(),
        page.explain.as_ref(),
        out,
    )
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

/// How many columns there is room for.
fn shown_columns(style: Style) -> usize {
    COLUMNS
        .iter()
        .filter(|(_, width)| style.width.is_none_or(|room| room >= *width))
        .count()
}

fn table_of(traces: &[TraceRow], style: Style, is_wide: bool) -> TextTable {
    let shown = shown_columns(style);
    let mut table = TextTable::new(COLUMNS.iter().take(shown).map(|(name, _)| *name));
    let text = |text: &Option<String>, width| match text.as_deref().unwrap_or_default() {
        text if is_wide => line(text),
        text => preview(text, width),
    };
    for trace in traces {
        let mut cells = vec![
            line(&trace.trace_id),
            line(&trace.state),
            time(trace.request_time_ns),
            text(&trace.name, NAME_WIDTH),
            trace.duration_ns.map(duration).unwrap_or_default(),
            trace.usage.total_tokens.map(count).unwrap_or_default(),
            trace.usage.cost_usd.map(usd).unwrap_or_default(),
            text(&trace.request_preview, PREVIEW_WIDTH),
        ];
        cells.truncate(shown);
        table.add_row(cells);
    }
    table
}

fn write_json(
    found: &mut TraceBatches,
    notices: &[String],
    columns: Option<&Columns>,
    out: &mut dyn Write,
) -> Result<()> {
    out.write_all(b"{\"traces\":")?;
    let mut failure = None;
    let batches = found.by_ref().map_while(|batch| {
        match batch
            .map_err(Into::into)
            .and_then(|batch| of(columns, batch))
        {
            Ok(batch) => Some(Ok(batch)),
            Err(error) => {
                failure = Some(error);
                None
            }
        }
    });
    json::write_stream(out, batches)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    write!(
        out,
        ",\"next_page_token\":{}",
        Value::from(found.next_page_token())
    )?;
    if let Some(explain) = found.explain() {
        out.write_all(b",\"explain\":")?;
        serde_json::to_writer(EscapingWriter::json(&mut *out), explain)?;
    }
    if !notices.is_empty() {
        out.write_all(b",\"notices\":")?;
        serde_json::to_writer(EscapingWriter::json(&mut *out), notices)?;
    }
    writeln!(out, "}}")?;
    Ok(())
}

/// What has no place in a result of lines goes to standard error: that there is more, which a script
/// would take for all, and the explanation.
fn report_beside(context: &Context, found: &TraceBatches) {
    if let Some(token) = found.next_page_token().filter(|_| !context.quiet) {
        report(format_args!(
            "{} traces shown; more with --page-token {token}",
            found.trace_ids().len()
        ));
    }
    if let Some(explain) = found.explain() {
        report(explain);
    }
}

#[cfg(test)]
mod tests {
    use tracehouse::TraceStart;

    use super::*;
    use crate::args::GlobalArgs;

    #[test]
    fn a_narrow_table_says_what_it_leaves_out() {
        let db = Database::in_memory().unwrap();
        db.start_trace(&TraceStart::new("t1", 1).previews(Some("x".repeat(90)), None))
            .unwrap();
        let context = Context::of(&GlobalArgs::default());
        let shown = |width, is_wide| {
            let mut out = Vec::new();
            let style = Style {
                width,
                color: false,
            };
            show_page(&context, &db, &Search::new(""), (style, is_wide), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let narrow = shown(Some(80), false);
        assert!(
            narrow.ends_with(
                "\nleft out: duration, tokens, cost, request; --wide or --columns shows them\n"
            ),
            "{narrow}"
        );
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 80),
            "{narrow}"
        );
        assert!(shown(Some(120), false).contains("left out: request;"));
        for wide in [shown(None, false), shown(None, true)] {
            assert!(
                !wide.contains("left out") && wide.contains("request"),
                "{wide}"
            );
        }
        assert!(
            shown(None, true).contains(&"x".repeat(90))
                && !shown(None, false).contains(&"x".repeat(90))
        );
    }
}
