//! The commands of golden scripts.

use serde_json::{Map, Value};
use tracehouse::{Database, Error, ExportFormat, Search, Table};

use crate::data;
use crate::support::json_rows;

/// Longest text of a row that is printed whole.
const TEXT_CHARS_MAX: usize = 300;

/// What a command prints, an error included.
pub fn run(db: &Database, command: &str) -> String {
    let lines: Vec<&str> = command
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let command = lines.join(" ");
    let (verb, rest) = command.split_once(' ').unwrap_or((&command, ""));
    let printed = match verb {
        "sql" => sql(db, rest),
        "search" => pages(db, usize::MAX, rest),
        "pages" => {
            let (count, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            pages(db, count.parse().unwrap(), rest)
        }
        "count" => db
            .count_traces(&Search::new(rest))
            .map(|count| vec![count.to_string()]),
        "text" => text(db, rest),
        "show" => show(db, rest),
        "dataset" => dataset(db, rest),
        "datasets" => datasets(db),
        "export" => export(db, rest),
        other => panic!("unknown command {other}"),
    };
    match printed {
        Ok(lines) => lines.join("\n"),
        Err(error) => format!(
            "error {:?}: {}",
            error.kind(),
            error.to_string().replace('\n', " ")
        ),
    }
}

type Lines = Result<Vec<String>, Error>;

fn sql(db: &Database, statement: &str) -> Lines {
    let mut lines: Vec<String> = json_rows(&db.sql(statement)?)
        .into_iter()
        .map(shown)
        .collect();
    if !statement.to_uppercase().contains("ORDER BY") {
        lines.sort();
    }
    Ok(lines)
}

/// The number of a generated trace, or the id of another.
fn number(trace_id: &str) -> String {
    (0..100)
        .find(|n| data::trace_id(*n) == trace_id)
        .map_or(trace_id.to_string(), |n| n.to_string())
}

fn pages(db: &Database, page_traces: usize, rest: &str) -> Lines {
    let (filter, order) = rest.rsplit_once(';').unwrap_or((rest, ""));
    let order = order
        .split(',')
        .map(str::trim)
        .filter(|clause| !clause.is_empty());
    let mut search = Search::new(filter.trim()).order_by(order);
    search.limit = Some(page_traces).filter(|count| *count != usize::MAX);
    let mut lines = Vec::new();
    loop {
        let page = db.search_traces(&search)?;
        let numbers: Vec<String> = page
            .traces
            .iter()
            .map(|trace| number(&trace.trace_id))
            .collect();
        lines.push(if numbers.is_empty() {
            "(none)".to_string()
        } else {
            numbers.join(" ")
        });
        match page.next_page_token {
            Some(token) => search = search.page_token(token),
            None => return Ok(lines),
        }
    }
}

fn text(db: &Database, rest: &str) -> Lines {
    let hits = match rest.split_once(';') {
        Some((query, filter)) => db.search_text_where(query.trim(), filter.trim(), 20)?,
        None => db.search_text(rest, 20)?,
    };
    if hits.is_empty() {
        return Ok(vec!["(none)".into()]);
    }
    let line = |hit: tracehouse::TextHit| {
        let (trace, span) = (
            number(&hit.trace_id),
            hit.span_id.trim_start_matches(['b', '0']).to_string(),
        );
        let marked: Vec<&str> = hit
            .highlights
            .iter()
            .map(|range| &hit.snippet[range.clone()])
            .collect();
        let snippet = Value::from(hit.snippet.as_str());
        format!(
            "{trace} {span} {} {:.4} {snippet} {marked:?}",
            hit.field, hit.score
        )
    };
    Ok(hits.into_iter().map(line).collect())
}

fn show(db: &Database, rest: &str) -> Lines {
    let id = rest.parse().map_or(rest.to_string(), data::trace_id);
    let trace = db.get_trace(&id)?;
    let mut lines = Vec::new();
    for table in Table::ALL {
        let mut rows = json_rows(&[db.trace_rows(table, &id)?]);
        rows.sort_by_key(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or("").to_string();
            (
                text("start_time"),
                text("span_id"),
                text("name"),
                text("value"),
            )
        });
        lines.extend(
            rows.into_iter()
                .map(|row| format!("{}: {}", table.name(), shown(row))),
        );
    }
    let order: Vec<&str> = trace.spans.iter().map(|span| span.name.as_str()).collect();
    lines.push(format!("in order: {order:?}"));
    lines.push(format!(
        "root: {:?}, assessments: {}",
        trace.root().map(|root| &root.name),
        trace.assessments.len()
    ));
    Ok(lines)
}

fn dataset(db: &Database, name: &str) -> Lines {
    let mut lines: Vec<String> = json_rows(&[db.dataset(name)?.records(None)?])
        .into_iter()
        .map(shown)
        .collect();
    lines.sort();
    Ok(lines)
}

fn datasets(db: &Database) -> Lines {
    let line = |info: tracehouse::DatasetInfo| {
        format!(
            "{} version {} with {} records of {:?}",
            info.name, info.version, info.record_count, info.query
        )
    };
    Ok(db.datasets()?.into_iter().map(line).collect())
}

fn export(db: &Database, name: &str) -> Lines {
    let mut bytes = Vec::new();
    db.dataset(name)?
        .export(ExportFormat::parse("jsonl").unwrap(), None, &mut bytes)?;
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| shown(serde_json::from_str(line).unwrap()))
        .collect();
    lines.sort();
    Ok(lines)
}

/// A row without what is different in every run, and with long texts cut.
fn shown(row: Value) -> String {
    let Value::Object(members) = row else {
        return row.to_string();
    };
    let random = [
        "created_at",
        "updated_at",
        "create_time",
        "last_update_time",
        "dataset_record_id",
        "dataset_id",
        "record_id",
    ];
    let kept: Map<String, Value> = members
        .into_iter()
        .filter(|(key, _)| !random.contains(&key.as_str()))
        .filter(|(key, value)| key != "assessment_id" || !value.is_string())
        .map(|(key, value)| (key, cut(value)))
        .collect();
    Value::Object(kept).to_string()
}

fn cut(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > TEXT_CHARS_MAX => {
            let start: String = text.chars().take(TEXT_CHARS_MAX).collect();
            Value::String(format!("{start}... ({} characters)", text.chars().count()))
        }
        Value::Array(items) => items.into_iter().map(cut).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(key, value)| (key, cut(value)))
            .collect(),
        other => other,
    }
}
