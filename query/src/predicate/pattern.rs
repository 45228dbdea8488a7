//! Compiled `LIKE`, `ILIKE` and `RLIKE` patterns.
//!
//! `LIKE` matches the whole text; `%` is any run of characters, `_` one character, and there is no
//! escape character (as in MLflow on SQLite). `ILIKE` folds case by Unicode's simple folding.
//! `RLIKE` is a regular expression found anywhere. Matching time is linear in the text.

use memchr::memchr;
use memchr::memmem::Finder;
use tracehouse_storage::text::any_decoded;

use super::like::{Like, LikeItem, like_items};
use super::regexes::RegexSearch;

/// The three pattern languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatternKind {
    /// `%` and `_`, whole string, case-sensitive.
    Like,
    /// As `LIKE`, ignoring case as Unicode folds it.
    ILike,
    /// A regular expression found anywhere.
    RLike,
}

/// A pattern and its compiled form.
#[derive(Debug, Clone)]
pub struct Pattern {
    kind: PatternKind,
    text: String,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Like(Like),
    Regex(RegexSearch),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.text == other.text
    }
}

impl Pattern {
    /// Compiles a pattern that is matched against one value.
    ///
    /// # Errors
    /// A message when `RLIKE` is not a regular expression, or the pattern is too large.
    pub fn new(kind: PatternKind, text: &str) -> Result<Self, String> {
        Self::compile(kind, text)
    }

    fn compile(kind: PatternKind, text: &str) -> Result<Self, String> {
        let like = |ignores_case| {
            Ok(Matcher::Like(Like::new(
                &like_items(text, None)?,
                ignores_case,
            )))
        };
        let matcher = match kind {
            PatternKind::Like => like(false),
            PatternKind::ILike => like(true),
            PatternKind::RLike => RegexSearch::new(text).map(Matcher::Regex),
        }?;
        Ok(Self {
            kind,
            text: text.to_string(),
            matcher,
        })
    }

    /// Which language the pattern is in.
    pub fn kind(&self) -> PatternKind {
        self.kind
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether every text that holds a matching one matches.
    fn is_floating(&self) -> bool {
        self.kind != PatternKind::RLike && self.text.starts_with('%') && self.text.ends_with('%')
    }

    /// Whether a text that does not match may decode to one that does. A pattern that may begin and end anywhere finds
    /// in raw text what has no escapes.
    pub fn looks_into(&self, text: &str) -> bool {
        !self.is_floating() || memchr(b'\\', text.as_bytes()).is_some()
    }

    /// Whether a text matches, or a string that it decodes to where it is JSON: what producers send of a person's
    /// words has escapes or not.
    pub fn is_match_decoded(&self, text: &str) -> bool {
        self.is_match(text)
            || (self.looks_into(text) && any_decoded(text, &|string| self.is_match(string)))
    }

    /// Whether the text matches.
    pub fn is_match(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Like(like) => like.is_match(text),
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }

    /// A finder of the longest piece every matching text contains literally, where pieces end at
    /// characters for which `breaks` is true. `None` when there is no such piece, or for `RLIKE`.
    pub fn required_piece(&self, breaks: impl Fn(char) -> bool) -> Option<Piece> {
        if self.kind == PatternKind::RLike {
            return None;
        }
        let pieces = self.text.split(|c| is_wildcard(c) || breaks(c));
        let longest = pieces
            .max_by_key(|piece| piece.len())
            .filter(|piece| !piece.is_empty())?;
        match self.kind {
            PatternKind::Like => Some(Piece::Bytes(Box::new(Finder::new(longest).into_owned()))),
            _ => {
                let mut items = vec![LikeItem::Any];
                items.extend(longest.chars().map(LikeItem::Char));
                items.push(LikeItem::Any);
                Some(Piece::Folded(Like::new(&items, true)))
            }
        }
    }
}

/// A literal every matching text contains.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Byte for byte.
    Bytes(Box<Finder<'static>>),
    /// In any case.
    Folded(Like),
}

impl Piece {
    /// Whether the text contains the piece.
    pub fn is_in(&self, text: &str) -> bool {
        match self {
            Piece::Bytes(finder) => finder.find(text.as_bytes()).is_some(),
            Piece::Folded(like) => like.is_match(text),
        }
    }
}

fn is_wildcard(c: char) -> bool {
    matches!(c, '%' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(kind: PatternKind, pattern: &str, text: &str) -> bool {
        Pattern::new(kind, pattern).unwrap().is_match(text)
    }

    #[test]
    fn like_is_whole_text_and_case_sensitive() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "ABC", false),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("%", "", true),
            ("%%", "abc", true),
            ("b%", "abc", false),
            ("a_c", "abc", true),
            ("a_c", "aéc", true),
            ("a_c", "ac", false),
            ("%a%c%", "xxaxxcxx", true),
            ("%c%a%", "xxaxxcxx", false),
            ("a%b", "a\nb", true),
            ("_%", "", false),
            ("100\\%%", "100%", false),
            ("a.c", "abc", false),
            ("%_x", "100%_x", true),
        ] {
            assert_eq!(
                matches(PatternKind::Like, pattern, text),
                expected,
                "{text:?} LIKE {pattern:?}"
            );
        }
    }

    #[test]
    fn ilike_folds_unicode_case() {
        assert!(matches(PatternKind::ILike, "%CAFÉ%", "naïve café"));
        assert!(matches(PatternKind::ILike, "a%", "Abc\n"));
        assert!(!matches(PatternKind::ILike, "a", "Abc"));
        assert!(matches(PatternKind::ILike, "%ΣΑΣ", "ΜΕΣΑΣ"));
    }

    #[test]
    fn rlike_searches_and_refuses_bad_expressions() {
        assert!(matches(PatternKind::RLike, "^A.*a$", "Alpha"));
        assert!(matches(PatternKind::RLike, "ph", "Alpha"));
        assert!(!matches(PatternKind::RLike, "^ph", "Alpha"));
        assert!(Pattern::new(PatternKind::RLike, "(").is_err());
        assert!(Pattern::new(PatternKind::RLike, "(a{1000}){1000}").is_err());
    }

    #[test]
    fn required_pieces_are_contained_in_every_match() {
        let piece = |kind, text: &str| {
            Pattern::new(kind, text)
                .unwrap()
                .required_piece(|c| c == '"')
        };
        assert!(
            piece(PatternKind::Like, "%a\"bcd_e%")
                .unwrap()
                .is_in("xbcdx")
        );
        assert!(
            !piece(PatternKind::Like, "%a\"bcd_e%")
                .unwrap()
                .is_in("a\"bce")
        );
        assert!(piece(PatternKind::ILike, "%BCD%").unwrap().is_in("abcde"));
        assert!(piece(PatternKind::Like, "%_%").is_none());
        assert!(piece(PatternKind::RLike, "abc").is_none());
    }
}
