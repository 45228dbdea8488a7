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
use crate::output::escape::{columns, line};
use crate::output::units::rfc3339;

/// Searches and shows the hits.
pub fn run(context: &Context, args: &TextArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let filter = args
        .period
        .filter(args.filter.as_deref().unwrap_or_default())?;
    let db = context.open_to_read(&args.db)?;
    let hits = search(
        &db,
        &args.query,
        Some(filter.as_str()).filter(|filter| !filter.is_empty()),
        args.limit,
    )?;
    if !filter.is_empty() {
        context.notice(&of_search(
            &db,
            &Search::new(filter.as_str()),
            !hits.is_empty(),
        )?);
    }
    let default = if context.json {
        TextFormat::Json
    } else {
        TextFormat::Table
    };
    match args.format.unwrap_or(default) {
        TextFormat::Table => show(context, &hits, out),
        TextFormat::Json => write_json(out, &Value::from_iter(hits.iter().map(as_json))),
        TextFormat::JsonLines => hits
            .iter()
            .try_for_each(|hit| write_json(out, &as_json(hit))),
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
        let place = format!("trace {}  span {}", line(&hit.trace_id), line(&hit.span_id));
        writeln!(
            out,
            "{rank:>3}. {:>6.2}  {}",
            hit.score,
            context.style.dim(&place)
        )?;
        for line in highlighted(hit, context.style) {
            writeln!(out, "{INDENT}{line}")?;
        }
    }
    Ok(())
}

/// What stands before each line of a snippet.
const INDENT: &str = "     ";

/// The field and its snippet with what matched in bold, in lines that fit; white space as single spaces.
fn highlighted(hit: &TextHit, style: Style) -> Vec<String> {
    let room = style
        .width
        .map_or(usize::MAX, |width| width.saturating_sub(INDENT.len()));
    let mut shown = style.dim(&format!("{}:", hit.field));
    let (mut lines, mut used) = (Vec::new(), columns(&hit.field) + 1);
    for word in words(hit, room) {
        let space = usize::from(word.is_apart);
        if used.saturating_add(space).saturating_add(word.columns) > room {
            lines.push(std::mem::take(&mut shown));
            used = 0;
        } else {
            shown.push_str(" ".get(..space).unwrap_or_default());
            used += space;
        }
        for (text, is_match) in word.parts {
            shown.push_str(&if is_match { style.bold(&text) } else { text });
        }
        used += word.columns;
    }
    lines.push(shown);
    lines
}

/// What is not broken over lines.
#[derive(Default)]
struct Word {
    /// Texts that are safe to show, with whether they matched.
    parts: Vec<(String, bool)>,
    columns: usize,
    /// Whether a space is before it.
    is_apart: bool,
}

/// The words of a snippet; one that is wider than `room` is cut.
fn words(hit: &TextHit, room: usize) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut is_apart = true;
    for (at, character) in hit.snippet.char_indices() {
        if character.is_whitespace() {
            is_apart = true;
            continue;
        }
        let text = line(character.encode_utf8(&mut [0; 4]));
        let (wide, is_match) = (
            columns(&text),
            hit.highlights.iter().any(|range| range.contains(&at)),
        );
        let is_full = words
            .last()
            .is_none_or(|word| word.columns.saturating_add(wide) > room);
        if is_apart || is_full {
            words.push(Word {
                is_apart,
                ..Word::default()
            });
        }
        if let Some(word) = words.last_mut() {
            word.columns += wide;
            match word
                .parts
                .last_mut()
                .filter(|(_, other)| *other == is_match)
            {
                Some((part, _)) => part.push_str(&text),
                None => word.parts.push((text, is_match)),
            }
        }
        is_apart = false;
    }
    words
}

fn as_json(hit: &TextHit) -> Value {
    let highlights = hit
        .highlights
        .iter()
        .map(|range| json!([range.start, range.end]));
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
            snippet: "a\u{1b}\n refund, b".into(),
            highlights: std::iter::once(4..10).collect(),
            start_time_ns: 0,
        };
        let style = Style {
            width: Some(20),
            color: true,
        };
        let field = "\u{1b}[2minputs:\u{1b}[0m";
        let bold = [
            format!("{field} a\\u{{1b}}"),
            "\u{1b}[1mrefund\u{1b}[0m, b".to_string(),
        ];
        assert_eq!(highlighted(&hit, style), bold);
        assert_eq!(
            highlighted(&hit, Style::PLAIN),
            ["inputs: a\\u{1b} refund, b"]
        );
        let long = TextHit {
            snippet: "字".repeat(10),
            highlights: std::iter::once(3..6).collect(),
            ..hit
        };
        let cut = ["inputs:".to_string(), "字".repeat(7), "字".repeat(3)];
        assert_eq!(
            highlighted(
                &long,
                Style {
                    color: false,
                    ..style
                }
            ),
            cut
        );
    }
}
