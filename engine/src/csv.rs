//! Cells of CSV: what a spreadsheet would run as a formula, and what a terminal would obey, made harmless.
//!
//! Invariants
//! 1. Numbers, and texts that are neither, stay as they are.
//! 2. Two different texts without control characters stay different: `'` goes before a text that begins, after
//!    any number of `'`, like a formula, so that taking one `'` away from such a cell gives the text back.

use std::borrow::Cow;
use std::fmt::Write as _;

/// What a formula begins with: for one of the spreadsheets also a full-width sign, a tab or a line end.
const FORMULA_STARTS: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// A text as a cell of CSV, before quoting: `'` before what a spreadsheet takes for a formula, and control
/// characters other than tabs and line ends as in JSON, `\u001b`.
///
/// ```
/// assert_eq!(tracehouse::csv_cell("=1+1"), "'=1+1");
/// assert_eq!(tracehouse::csv_cell("-5"), "-5");
/// ```
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    let begins_like_formula = text.trim_start_matches('\'').starts_with(FORMULA_STARTS);
    let is_formula = begins_like_formula && !is_number(text);
    if !is_formula && !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut cell = String::with_capacity(text.len() + 8);
    if is_formula {
        cell.push('\'');
    }
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a text cannot fail.
            let _ = write!(cell, "\\u{:04x}", u32::from(character));
        } else {
            cell.push(character);
        }
    }
    Cow::Owned(cell)
}

/// Digits with a sign, a point, an exponent; `f64` also reads words such as `-inf`.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok() && text.ends_with(|c: char| c.is_ascii_digit() || c == '.')
}

fn is_unsafe(character: char) -> bool {
    character.is_control() && !matches!(character, '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_numbers_stay() {
        for (text, cell) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("-inf", "'-inf"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            ("'=1", "''=1"),
            ("'-5", "''-5"),
            ("-5", "-5"),
            ("+1.5e-3", "+1.5e-3"),
            ("it's", "it's"),
            ("'quoted'", "'quoted'"),
            ("{\"a\":\"=1\"}", "{\"a\":\"=1\"}"),
            ("a\nb", "a\nb"),
            ("", ""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }

    #[test]
    fn no_control_character_but_tabs_and_line_ends_passes() {
        for character in (0..=0x9f).filter_map(char::from_u32) {
            let cell = csv_cell(&format!("a{character}")).into_owned();
            let is_kept = !character.is_control() || matches!(character, '\t' | '\n' | '\r');
            assert_eq!(cell.contains(character), is_kept, "{character:?}");
        }
        assert_eq!(csv_cell("a\u{1b}[31m\u{9b}"), "a\\u001b[31m\\u009b");
    }
}
