//! `LIKE` and `ILIKE` over raw strings: `%` any text, `_` one character, the whole string must match.
//!
//! 1. `ILIKE` lower-cases pattern and string (Unicode, as a whole) and compares those.
//! 2. There is no escape character unless one is given: the filter language has none, SQL's is `\`.

use std::borrow::Cow;

use memchr::memmem::Finder;

use super::leaves::StringList;
use crate::{Error, Result};

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct LikePattern {
    ignore_case: bool,
    shape: Shape,
}

#[derive(Debug, Clone)]
enum Shape {
    /// `%literal%`.
    Contains(Box<Finder<'static>>),
    /// The pieces between the `%`, in order; the first is bound to the beginning, the last to the end.
    Pieces(Vec<Piece>),
}

/// Text without `%`.
#[derive(Debug, Clone, Default)]
struct Piece {
    /// `None` stands for any one character.
    chars: Vec<Option<char>>,
    /// Its literal text when it has no `_`.
    literal: Option<Finder<'static>>,
}

impl LikePattern {
    /// Compiles a pattern; `\` and every other character but `%` and `_` stands for itself.
    pub fn new(pattern: &str, ignore_case: bool) -> LikePattern {
        LikePattern::compile(pattern, ignore_case, None).unwrap_or_else(|_| LikePattern::nothing())
    }

    /// Compiles a pattern in which `escape` takes the meaning from the character after it.
    ///
    /// # Errors
    /// `InvalidInput` when the pattern ends with the escape character.
    pub fn with_escape(pattern: &str, ignore_case: bool, escape: char) -> Result<LikePattern> {
        LikePattern::compile(pattern, ignore_case, Some(escape))
    }

    fn nothing() -> LikePattern {
        LikePattern { ignore_case: false, shape: Shape::Pieces(Vec::new()) }
    }

    fn compile(pattern: &str, ignore_case: bool, escape: Option<char>) -> Result<LikePattern> {
        let pattern = if ignore_case { Cow::Owned(pattern.to_lowercase()) } else { Cow::Borrowed(pattern) };
        let mut pieces = vec![Piece::default()];
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            let meaning = match c {
                _ if Some(c) == escape => Some(chars.next().ok_or_else(|| {
                    Error::invalid_input(format!("pattern ends with the escape character `{c}`"))
                })?),
                '%' => {
                    pieces.push(Piece::default());
                    continue;
                }
                '_' => None,
                c => Some(c),
            };
            if let Some(piece) = pieces.last_mut() {
                piece.chars.push(meaning);
            }
        }
        pieces.iter_mut().for_each(Piece::find_literal);
        Ok(LikePattern { ignore_case, shape: Shape::of(pieces) })
    }

    /// Whether the whole of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        if self.ignore_case { self.matches_folded(&text.to_lowercase()) } else { self.matches_folded(text) }
    }

    /// Whether one of the strings matches.
    pub fn matches_any(&self, strings: &StringList) -> bool {
        strings.iter().any(|text| self.matches(text))
    }

    fn matches_folded(&self, text: &str) -> bool {
        match &self.shape {
            Shape::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Shape::Pieces(pieces) => matches_pieces(pieces, text),
        }
    }
}

impl Shape {
    fn of(pieces: Vec<Piece>) -> Shape {
        match pieces.as_slice() {
            [first, Piece { literal: Some(finder), .. }, last] if first.is_empty() && last.is_empty() => {
                Shape::Contains(Box::new(finder.clone()))
            }
            _ => Shape::Pieces(pieces),
        }
    }
}

impl Piece {
    fn is_empty(&self) -> bool {
        self.chars.is_empty()
    }

    fn find_literal(&mut self) {
        let literal: Option<String> = self.chars.iter().copied().collect();
        self.literal = literal.map(|literal| Finder::new(literal.as_bytes()).into_owned());
    }

    /// Bytes matched at the beginning of `text`.
    fn match_len(&self, text: &str) -> Option<usize> {
        let mut rest = text.chars();
        for wanted in &self.chars {
            let found = rest.next()?;
            if wanted.is_some_and(|wanted| wanted != found) {
                return None;
            }
        }
        Some(text.len() - rest.as_str().len())
    }

    /// What remains after the first match in `text`.
    fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        if let Some(finder) = &self.literal {
            let at = finder.find(text.as_bytes())?;
            return text.get(at + finder.needle().len()..);
        }
        let starts = text.char_indices().map(|(start, _)| start);
        starts.filter_map(|start| text.get(start..)).find_map(|rest| rest.get(self.match_len(rest)?..))
    }

    /// Whether `text` ends with a match.
    fn ends(&self, text: &str) -> bool {
        let mut rest = text.chars();
        self.chars
            .iter()
            .rev()
            .all(|wanted| rest.next_back().is_some_and(|c| wanted.is_none_or(|wanted| wanted == c)))
    }
}

/// First piece at the beginning, last at the end, those between as early as they come.
fn matches_pieces(pieces: &[Piece], text: &str) -> bool {
    let [first, middle @ ..] = pieces else { return false };
    let Some(len) = first.match_len(text) else { return false };
    let Some((last, middle)) = middle.split_last() else { return len == text.len() };
    let mut rest = text.get(len..).unwrap_or_default();
    for piece in middle {
        match piece.find(rest) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    last.ends(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_strings() {
        let cases = [
            ("%cat%", "concatenate", true),
            ("cat", "cat", true),
            ("cat", "cats", false),
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("_", "é", true),
            ("_", "ab", false),
            ("a%b%c", "a-b-b-c", true),
            ("a%b", "ab", true),
            ("a%b", "abx", false),
            ("%a_c%", "xxabc", true),
            ("%a_c%", "xxac", false),
            ("%\n%", "a\nb", true),
            ("100\\%", "100\\", true),
            ("100\\%", "100%", false),
            ("a%a", "a", false),
            ("%📶%", "x📶", true),
            ("%_b", "ab", true),
            ("%_b", "b", false),
            ("_%_", "ab", true),
            ("_%_", "a", false),
            ("%ab%ab%", "xabab", true),
            ("%ab%ab%", "xabb", false),
            ("%%", "", true),
            ("Cat", "cat", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(LikePattern::new(pattern, false).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn case_is_folded_by_unicode() {
        for (pattern, text) in
            [("%ÉTÉ%", "l'été"), ("straSSE", "STRASSE"), ("%σας%", "ΝΑ ΣΑΣ"), ("k", "\u{212a}")]
        {
            assert!(LikePattern::new(pattern, true).matches(text), "{pattern} {text}");
        }
        assert!(!LikePattern::new("é", true).matches("e"));
    }

    #[test]
    fn an_escape_character_can_be_asked_for() {
        let pattern = LikePattern::with_escape("100\\%_", false, '\\').unwrap();
        assert!(pattern.matches("100%x") && !pattern.matches("1000x"));
        assert!(LikePattern::with_escape("x\\", false, '\\').is_err());
    }

    #[test]
    fn agrees_with_a_naive_matcher() {
        fn naive(pattern: &[char], text: &[char]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some(('%', rest)) => (0..=text.len()).any(|i| naive(rest, &text[i..])),
                Some(('_', rest)) => !text.is_empty() && naive(rest, &text[1..]),
                Some((c, rest)) => text.first() == Some(c) && naive(rest, &text[1..]),
            }
        }
        let mut state = 7_u64;
        let mut pick = |choices: &[char]| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            choices[(state >> 33) as usize % choices.len()]
        };
        for _ in 0..20_000 {
            let pattern: Vec<char> = (0..pick(&['0', '3', '5', '6']) as usize - 48)
                .map(|_| pick(&['a', 'b', '%', '_', 'é']))
                .collect();
            let text: Vec<char> =
                (0..pick(&['0', '2', '4', '7']) as usize - 48).map(|_| pick(&['a', 'b', 'é'])).collect();
            let compiled = LikePattern::new(&pattern.iter().collect::<String>(), false);
            let string: String = text.iter().collect();
            assert_eq!(compiled.matches(&string), naive(&pattern, &text), "{pattern:?} {string}");
        }
    }
}
