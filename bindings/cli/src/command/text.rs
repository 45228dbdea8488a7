//! `text`: spans ranked by their words, with snippets.

use std::io::Write;

use serde_json::{Value, json};
use tracehouse::{Database, Search, TextHit, TextHits};

use super::notices::of_search;
use super::write_json;
use crate::args::{TextArgs, TextFormat};
use crate::context::Context;
use crate::failure::Result;
use crate::output::Style;
use crate::output::escape::line;
use crate::output::units::rfc3339;

/// Searches and shows the hits.
pub fn run(context: &Context, args: &TextArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let filter = args.period.filter(args.filter.as_deref().unwrap_or_default())?;
    let db = context.open_to_read(&args.db)?;
    let hits =
        search(&db, &args.query, Some(filter.as_str()).filter(|filter| !filter.is_empty()), args.limit)?;
    if !filter.is_empty() {
        context.notice(&of_search(&db, &Search::new(filter.as_str()), !hits.is_empty())?);
    }
    let default = if context.json { TextFormat::Json } else { TextFormat::Table };
    match args.format.unwrap_or(default) {
        TextFormat::Table => show(context, &hits, out),
        TextFormat::Json => write_json(out, &Value::from_iter(hits.iter().map(as_json))),
        TextFormat::JsonLines => hits.iter().try_for_each(|hit| write_json(out, &as_json(hit))),
    }
}

/// The best spans for a query.
pub fn search(db: &Database, query: &str, filter: Option<&str>, limit: usize) -> Result<TextHits> {
    Ok(match filter {
        Some(filter) => db.search_text_where(query, filter, limit)?,
        None => db.search_text(query, limit)?,
    })
}

/// Shows hits for people: where, then the snippet.
pub fn show(context: &Context, hits: &[TextHit], out: &mut dyn Write) -> Result<()> {
    if hits.is_empty() {
        return context.say(out, "no spans");
    }
    for (rank, hit) in (1..).zip(hits) {
        let place = format!("trace {}  span {}  {}", line(&hit.trace_id), line(&hit.span_id), hit.field);
        writeln!(out, "{rank:>3}. {:>6.2}  {}", hit.score, context.style.dim(&place))?;
        writeln!(out, "     {}", highlighted(hit, context.style))?;
    }
    Ok(())
}

/// The snippet with what matched in bold.
fn highlighted(hit: &TextHit, style: Style) -> String {
    let mut shown = String::new();
    let mut end = 0;
    for range in &hit.highlights {
        let (Some(before), Some(word)) = (hit.snippet.get(end..range.start), hit.snippet.get(range.clone()))
        else {
            break;
        };
        shown.push_str(&line(before));
        shown.push_str(&style.bold(&line(word)));
        end = range.end;
    }
    shown.push_str(&line(hit.snippet.get(end..).unwrap_or_default()));
    shown
}

fn as_json(hit: &TextHit) -> Value {
    let highlights = hit.highlights.iter().map(|range| json!([range.start, range.end]));
    json!({
        "trace_id": hit.trace_id,
        "span_id": hit.span_id,
        "field": hit.field,
        "score": hit.score,
        "snippet": hit.snippet,
        "highlights": highlights.collect::<Vec<_>>(),
        "start_time": rfc3339(hit.start_time_ns),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_bold_and_the_rest_is_safe() {
        let hit = TextHit {
            trace_id: "t".into(),
            span_id: "s".into(),
            field: "inputs".into(),
            score: 1.0,
            snippet: "a\u{1b} refund b".into(),
            highlights: std::iter::once(3..9).collect(),
            start_time_ns: 0,
        };
        let style = Style { width: Some(80), color: true };
        assert_eq!(highlighted(&hit, style), "a\\u{1b} \u{1b}[1mrefund\u{1b}[0m b");
        assert_eq!(highlighted(&hit, Style::PLAIN), "a\\u{1b} refund b");
    }
}
