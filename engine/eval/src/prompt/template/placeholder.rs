//! Where placeholders stand in a text.
//!
//! A placeholder is `{{`, spaces, a name, spaces, `}}`. A name is steps joined by dots; a step is an ASCII letter or
//! `_`, then letters, digits and `_`. All else, `{{ 1st }}` too, is text and stays as it is: MLflow's rule.
//!
//! **Invariant** the pieces of a text, joined, are the text.

/// A stretch of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Text that stays.
    Text(&'a str),
    /// A placeholder: its whole text and the name in it.
    Placeholder { text: &'a str, name: &'a str },
}

/// The pieces of a text, in order.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut kept = text;
    let mut searched = 0;
    // `kept` begins after the last placeholder; the first `searched` bytes of it hold none.
    while let Some(open) = kept.get(searched..).and_then(|rest| rest.find("{{")) {
        let start = searched + open;
        let (before, from_open) = kept.split_at(start);
        let Some((name, len)) = placeholder_at(from_open) else {
            // Only one brace on: `{{{name}}}` holds `{{name}}`.
            searched = start + 1;
            continue;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let (text, after) = from_open.split_at(len);
        pieces.push(Piece::Placeholder { text, name });
        kept = after;
        searched = 0;
    }
    if !kept.is_empty() {
        pieces.push(Piece::Text(kept));
    }
    pieces
}

/// The name and the length of the placeholder with which a text starts.
fn placeholder_at(text: &str) -> Option<(&str, usize)> {
    let inner = text.strip_prefix("{{")?.trim_start_matches(is_space);
    let name_len = inner
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')))
        .unwrap_or(inner.len());
    let (name, after) = inner.split_at(name_len);
    let rest = after.trim_start_matches(is_space).strip_prefix("}}")?;
    is_variable_name(name).then_some((name, text.len() - rest.len()))
}

/// Whether a text may be the name of a variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    name.split('.').all(|step| {
        let mut letters = step.chars();
        letters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// What Python's `\s` takes: Unicode's white space and the four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}
