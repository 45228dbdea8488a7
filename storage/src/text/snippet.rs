//! The piece of a span's text that shows best why it matches, with the matches marked.

use std::ops::Range;

use super::cut::cut;
use super::leaves::SpanText;
use super::query::{TextField, TextQuery, TextTerm};
use super::tokenizer::Words;

/// Marks text left out at either side of a snippet.
const ELLIPSIS: char = '…';

/// A piece of text around matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Where it is from.
    pub field: TextField,
    /// At most the characters asked for, besides an ellipsis at each side where text is left out.
    pub text: String,
    /// Byte ranges of the matches in `text`, ascending, not overlapping.
    pub highlights: Vec<Range<usize>>,
}

/// A match in a string: its bytes and which of the query's terms it is.
struct Match {
    range: Range<usize>,
    term: usize,
}

/// A window and how much it shows: distinct terms first, then matches.
struct Window<'a> {
    field: TextField,
    string: &'a str,
    matches: Vec<Range<usize>>,
    value: (usize, usize),
}

/// The best window of `max_chars` characters in the strings of a span; `None` when no term of the
/// query outside NOT occurs. Among equals the first wins: inputs, outputs, then the rest.
pub fn snippet(text: &SpanText, query: &TextQuery, max_chars: usize) -> Option<Snippet> {
    let terms = query.positive_terms();
    let mut best: Option<Window<'_>> = None;
    let fields = [TextField::Inputs, TextField::Outputs, TextField::Other];
    for (i, (list, field)) in text.fields().into_iter().zip(fields).enumerate() {
        let wanted: Vec<(usize, &TextTerm)> = terms
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, term)| term.field.covers().get(i) == Some(&true))
            .collect();
        for string in list.iter().filter(|_| !wanted.is_empty()) {
            let matches = find_matches(string, &wanted);
            if let Some(window) = best_window(field, string, &matches, max_chars)
                && best.as_ref().is_none_or(|best| window.value > best.value)
            {
                best = Some(window);
            }
        }
    }
    best.map(|window| cut_out(&window, max_chars))
}

fn find_matches(string: &str, wanted: &[(usize, &TextTerm)]) -> Vec<Match> {
    let mut words = Words::new(string);
    let mut word = String::new();
    let mut found: Vec<(Range<usize>, String)> = Vec::new();
    let longest = wanted
        .iter()
        .map(|(_, term)| term.slots.len())
        .max()
        .unwrap_or(1);
    let mut matches = Vec::new();
    loop {
        let next = words.next(&mut word);
        let ended = next.is_none();
        found.extend(next.map(|range| (range, word.clone())));
        // Only as many words are kept as the longest phrase has.
        if found.len() > longest {
            found.remove(0);
        }
        if ended {
            break;
        }
        for &(term, wanted) in wanted {
            matches.extend(match_at_end(&found, wanted).map(|range| Match { range, term }));
        }
    }
    matches.sort_by_key(|found| (found.range.start, found.range.end));
    matches
}

/// The match of `term` that ends with the last of the words.
fn match_at_end(words: &[(Range<usize>, String)], term: &TextTerm) -> Option<Range<usize>> {
    let start = words.len().checked_sub(term.slots.len())?;
    let words = words.get(start..)?;
    let fits = term
        .slots
        .iter()
        .zip(words)
        .all(|(slot, (_, word))| slot.fits(word));
    let ((first, _), (last, _)) = (words.first()?, words.last()?);
    fits.then_some(first.start..last.end)
}

/// The best run of matches that fits into `max_chars` characters, taken from each match onwards.
fn best_window<'a>(
    field: TextField,
    string: &'a str,
    matches: &[Match],
    max_chars: usize,
) -> Option<Window<'a>> {
    let mut best: Option<Window<'a>> = None;
    for (i, first) in matches.iter().enumerate() {
        let limit = byte_after(string, first.range.start, max_chars);
        let inside: Vec<&Match> = matches
            .iter()
            .skip(i)
            .take_while(|found| found.range.start < limit)
            // A first match longer than the window is shown as far as it goes.
            .filter(|found| found.range.end <= limit || std::ptr::eq(*found, first))
            .collect();
        let mut terms: Vec<usize> = inside.iter().map(|found| found.term).collect();
        terms.sort_unstable();
        terms.dedup();
        let value = (terms.len(), inside.len());
        if best.as_ref().is_none_or(|best| value > best.value) {
            let matches = inside.iter().map(|found| found.range.clone()).collect();
            best = Some(Window {
                field,
                string,
                matches,
                value,
            });
        }
    }
    best
}

/// Cuts the window out of its string, with context shared out between both sides.
fn cut_out(window: &Window<'_>, max_chars: usize) -> Snippet {
    let string = window.string;
    let first = window.matches.first().map_or(0, |range| range.start);
    let last = window
        .matches
        .iter()
        .map(|range| range.end)
        .max()
        .unwrap_or(first);
    let used = cut(string, first..last).chars().count();
    let before = max_chars.saturating_sub(used) / 2;
    let mut start = byte_before(string, first, before);
    let end = byte_after(string, start, max_chars);
    if end == string.len() {
        // The string ends early: what is left over goes to the front.
        start = byte_before(string, end, max_chars).min(start);
    }
    let mut text = String::new();
    if start > 0 {
        text.push(ELLIPSIS);
    }
    let shift = text.len();
    text.push_str(cut(string, start..end));
    if end < string.len() {
        text.push(ELLIPSIS);
    }
    let visible = window
        .matches
        .iter()
        .filter(|range| range.start >= start && range.start < end);
    let shifted =
        visible.map(|range| range.start - start + shift..range.end.min(end) - start + shift);
    let highlights = merge_ranges(shifted);
    debug_assert!(
        highlights.is_sorted_by(|a, b| a.end <= b.start),
        "highlights do not overlap"
    );
    debug_assert!(
        highlights
            .iter()
            .all(|range| text.get(range.clone()).is_some()),
        "highlights are of the text"
    );
    Snippet {
        field: window.field,
        text,
        highlights,
    }
}

fn merge_ranges(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut merged: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start < last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The byte `chars` characters after `start`, or the end.
fn byte_after(string: &str, start: usize, chars: usize) -> usize {
    let rest = cut(string, start..);
    rest.char_indices()
        .nth(chars)
        .map_or(string.len(), |(at, _)| start + at)
}

/// The byte `chars` characters before `end`, or the beginning.
fn byte_before(string: &str, end: usize, chars: usize) -> usize {
    let before = cut(string, ..end);
    let Some(last) = chars.checked_sub(1) else {
        return end;
    };
    before.char_indices().nth_back(last).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(inputs: &[&str], outputs: &[&str]) -> SpanText {
        let mut text = SpanText::default();
        inputs
            .iter()
            .for_each(|string| text.inputs.push_leaves(string));
        outputs
            .iter()
            .for_each(|string| text.outputs.push_leaves(string));
        text
    }

    fn shown(text: &SpanText, query: &str, max_chars: usize) -> Option<(String, Vec<String>)> {
        let found = snippet(text, &TextQuery::parse(query).unwrap(), max_chars)?;
        let marks = found
            .highlights
            .iter()
            .map(|range| found.text[range.clone()].to_owned())
            .collect();
        Some((found.text, marks))
    }

    #[test]
    fn the_window_with_most_terms_wins() {
        let text = span(
            &["refund refund refund", "no"],
            &["a refund Policy for Étés here and there and everywhere"],
        );
        let (cut, marks) = shown(&text, "refund policy", 20).unwrap();
        assert_eq!(marks, ["refund", "Policy"]);
        assert!(
            cut.contains("refund Policy") && cut.chars().count() <= 22,
            "{cut}"
        );
        assert_eq!(
            shown(&text, "étés", 6).unwrap(),
            ("… Étés …".to_owned(), vec!["Étés".to_owned()])
        );
        assert_eq!(shown(&text, "no", 50).unwrap().0, "no");
        assert_eq!(shown(&text, "missing", 50), None);
    }

    #[test]
    fn phrases_are_marked_as_one_and_fields_are_kept_apart() {
        let text = span(&["x b a b"], &["a b"]);
        let found = snippet(&text, &TextQuery::parse("\"a b\"").unwrap(), 100).unwrap();
        assert_eq!(
            (found.field, found.text.as_str()),
            (TextField::Inputs, "x b a b")
        );
        assert!(found.highlights.iter().eq([&(4..7)]));
        let found = snippet(&text, &TextQuery::parse("outputs:a -b").unwrap(), 100).unwrap();
        assert_eq!(found.field, TextField::Outputs);
        assert!(found.highlights.iter().eq([&(0..1)]));
    }

    #[test]
    fn a_match_longer_than_the_window_is_not_lost() {
        let word = "w".repeat(300);
        let text = span(&[&format!("before {word}")], &[]);
        assert_eq!(
            shown(&text, &word, 10),
            Some(("…wwwwwwwwww…".to_owned(), vec!["wwwwwwwwww".to_owned()]))
        );
    }
}
