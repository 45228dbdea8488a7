//! Raw text as patterns see it: characters folded one by one, tokens cut by the same rule.
//!
//! Words (`tokenizer`) are made for people: a text is lower-cased as a whole. Patterns compare character
//! by character, `ILIKE` and `(?i)` by Unicode's simple folding. Both sides of a pattern lookup, the raw
//! strings of a row and the literals of a pattern, are therefore folded and cut here.
//!
//! Invariants:
//! 1. Two characters that a case-insensitive pattern takes for equal have the same [`fold`]; a character
//!    equals itself. So a text that holds a literal holds the literal's tokens.
//! 2. On ASCII text the tokens are the words.

use std::ops::Range;

use super::letters::{is_joined, is_word};

/// The character that stands for all that equal `c` in any case.
pub(super) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    match c {
        // Pairs that are folded into one but have no upper case of one character.
        '\u{1FD3}' => '\u{390}',
        '\u{1FE3}' => '\u{3B0}',
        '\u{FB05}' => '\u{FB06}',
        // Has an upper case that is another letter's.
        'ı' => c,
        _ => only(
            only(c, c.to_uppercase()),
            only(c, c.to_uppercase()).to_lowercase(),
        ),
    }
}

/// The one character of `mapped`, else `c`.
fn only(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// The text with every character folded: equal for texts that a case-insensitive pattern takes for equal.
pub fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// A cursor over the tokens of a raw text.
pub(super) struct Tokens<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// Puts the next token, folded, into `token` and returns its range in the text; `None` at the end.
    pub(super) fn next(&mut self, token: &mut String) -> Option<Range<usize>> {
        token.clear();
        loop {
            let (c, size) = self.folded_char()?;
            if is_word(c) {
                break;
            }
            self.position += size;
        }
        let start = self.position;
        if let Some((c, size)) = self.folded_char().filter(|(c, _)| !is_joined(*c)) {
            // A letter that stands alone.
            token.push(c);
            self.position += size;
            return Some(start..self.position);
        }
        while let Some((c, size)) = self.folded_char().filter(|(c, _)| is_joined(*c)) {
            token.push(c);
            self.position += size;
        }
        debug_assert!(
            start < self.position && !token.is_empty(),
            "a token has characters"
        );
        Some(start..self.position)
    }

    /// The folded character here and the bytes it takes in the text.
    fn folded_char(&self) -> Option<(char, usize)> {
        let byte = *self.text.as_bytes().get(self.position)?;
        if byte < 0x80 {
            return Some((char::from(byte.to_ascii_lowercase()), 1));
        }
        let c = self.text.get(self.position..)?.chars().next()?;
        Some((fold(c), c.len_utf8()))
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn folding_is_that_of_case_insensitive_patterns() {
        let cased: Vec<char> = (0x80..0x11_0000)
            .chain(0..0x80)
            .filter_map(char::from_u32)
            .filter(|c| !c.to_lowercase().eq([*c]) || !c.to_uppercase().eq([*c]))
            .collect();
        let all: String = cased.iter().collect();
        assert!(cased.len() > 2_500);
        for &c in &cased {
            let equal = Regex::new(&format!("(?i){}", regex::escape(&c.to_string()))).unwrap();
            for other in equal
                .find_iter(&all)
                .filter_map(|found| found.as_str().chars().next())
            {
                assert_eq!(fold(c), fold(other), "{c:?} and {other:?}");
            }
        }
    }

    #[test]
    fn tokens_are_folded_runs() {
        let tokens = |text: &str| {
            let (mut cursor, mut token, mut found) = (Tokens::new(text), String::new(), Vec::new());
            while let Some(range) = cursor.next(&mut token) {
                found.push((token.clone(), range));
            }
            found
        };
        assert_eq!(
            tokens("a\\nWord, \u{212a}x"),
            [
                ("a".to_owned(), 0..1),
                ("nword".to_owned(), 2..7),
                ("kx".to_owned(), 9..13)
            ]
        );
        assert_eq!(
            tokens("İx ΣΑς!"),
            [("İx".to_owned(), 0..3), ("σασ".to_owned(), 4..10)]
        );
        assert_eq!(
            tokens("abc天気x"),
            [
                ("abc".to_owned(), 0..3),
                ("天".to_owned(), 3..6),
                ("気".to_owned(), 6..9),
                ("x".to_owned(), 9..10)
            ]
        );
        assert_eq!(tokens("-- "), []);
    }
}
