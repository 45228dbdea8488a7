//! `LIKE` and `ILIKE` compiled: the one matcher of the filter language and of SQL.
//!
//! `%` is any run of characters, `_` one character; an escape character, if there is one, makes the next
//! character stand for itself. A pattern is cut at `%` into pieces, which are found one after another, each as
//! early as it can be. A piece of characters is searched for as bytes; one with `_` between characters by
//! following all of its beginnings at once, one bit each.
//!
//! **Invariant**: a match takes time that grows with the length of the text times the length of the longest
//! piece with `_` in it, divided by 64, whatever the pattern; and it ends early when its reader is to stop
//! (see [`interrupt`]).

use std::collections::{BTreeSet, HashMap};

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};
use tracehouse_storage::interrupt;

/// Pieces up to which a pattern in any case is left to a regular expression, whose search for bytes is quicker.
const REGEX_PIECES_MAX: usize = 4;
/// Longest pattern that is, bytes.
const REGEX_BYTES_MAX: usize = 256;
/// Bits of a word of the set of beginnings.
const WORD_BITS: usize = 64;

/// An item of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LikeItem {
    /// This character.
    Char(char),
    /// `_`
    One,
    /// `%`
    Any,
}

/// The items of a pattern.
///
/// # Errors
/// A message when the pattern ends in the escape character.
pub(crate) fn like_items(pattern: &str, escape: Option<char>) -> Result<Vec<LikeItem>, String> {
    let mut items = Vec::with_capacity(pattern.len());
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        items.push(match c {
            _ if Some(c) == escape => match chars.next() {
                Some(escaped) => LikeItem::Char(escaped),
                None => return Err(format!("the pattern ends in its escape character '{c}'")),
            },
            '%' => LikeItem::Any,
            '_' => LikeItem::One,
            _ => LikeItem::Char(c),
        });
    }
    Ok(items)
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Like(Matcher);

#[derive(Debug, Clone)]
enum Matcher {
    Exact(String),
    Any,
    Prefix(String),
    Suffix(String),
    Contains(Box<Finder<'static>>),
    Pieces(Box<Pieces>),
    /// In any case, by a regular expression.
    Regex(Regex),
    /// In any case, by bringing text and pattern to one case.
    Folded(Box<Folds>, Box<Matcher>),
}

impl Like {
    /// Compiles items.
    pub fn new(items: &[LikeItem], ignores_case: bool) -> Self {
        if !ignores_case {
            return Self(Matcher::of(items));
        }
        if let Some(regex) = regex_of(items) {
            return Self(Matcher::Regex(regex));
        }
        let folds = Folds::of(items);
        let folded: Vec<LikeItem> = items.iter().map(|item| folds.item(*item)).collect();
        Self(Matcher::Folded(
            Box::new(folds),
            Box::new(Matcher::of(&folded)),
        ))
    }

    /// Whether the text matches. When the reader is to stop the answer means nothing.
    pub fn is_match(&self, text: &str) -> bool {
        if !interrupt::spend(text.len()) {
            return false;
        }
        self.0.is_match(text)
    }
}

impl Matcher {
    fn of(items: &[LikeItem]) -> Self {
        let is_any = |item: &LikeItem| *item == LikeItem::Any;
        let first = items.iter().position(|item| !is_any(item));
        let Some(first) = first else {
            return if items.is_empty() {
                Matcher::Exact(String::new())
            } else {
                Matcher::Any
            };
        };
        let last = items
            .iter()
            .rposition(|item| !is_any(item))
            .unwrap_or(first);
        let inner = items.get(first..=last).unwrap_or_default();
        let Some(text) = literal(inner) else {
            return Matcher::Pieces(Box::new(Pieces::of(items)));
        };
        match (first > 0, last + 1 < items.len()) {
            (false, false) => Matcher::Exact(text),
            (true, true) => Matcher::Contains(finder(&text)),
            (true, false) => Matcher::Suffix(text),
            (false, true) => Matcher::Prefix(text),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Matcher::Exact(exact) => text == exact,
            Matcher::Any => true,
            Matcher::Prefix(prefix) => text.starts_with(prefix.as_str()),
            Matcher::Suffix(suffix) => text.ends_with(suffix.as_str()),
            Matcher::Contains(finder) => finder.find(text.as_bytes()).is_some(),
            Matcher::Pieces(pieces) => pieces.is_match(text),
            Matcher::Regex(regex) => regex.is_match(text),
            Matcher::Folded(folds, inner) => inner.is_match(&folds.text(text)),
        }
    }
}

/// The characters of items that are nothing else.
fn literal(items: &[LikeItem]) -> Option<String> {
    let char_of = |item: &LikeItem| match item {
        LikeItem::Char(c) => Some(*c),
        LikeItem::One | LikeItem::Any => None,
    };
    items.iter().map(char_of).collect()
}

fn finder(text: &str) -> Box<Finder<'static>> {
    Box::new(Finder::new(text).into_owned())
}

/// A pattern cut at `%`.
#[derive(Debug, Clone)]
struct Pieces {
    /// What every match holds: most texts lack it.
    required: Option<Box<Finder<'static>>>,
    /// Where the text has to begin; without it, it may begin in any way.
    first: Option<Piece>,
    /// In this order between first and last.
    middle: Vec<Piece>,
    /// Where the text has to end.
    last: Option<Piece>,
    /// Whether the first piece is all there is.
    is_whole: bool,
}

impl Pieces {
    fn of(items: &[LikeItem]) -> Self {
        let runs = items
            .split(|item| !matches!(item, LikeItem::Char(_)))
            .filter_map(literal);
        let required = runs
            .max_by_key(String::len)
            .filter(|run| !run.is_empty())
            .map(|run| finder(&run));
        let mut cut: Vec<&[LikeItem]> = items.split(|item| *item == LikeItem::Any).collect();
        let is_whole = cut.len() == 1;
        // Empty where the pattern begins or ends in `%`.
        let last = if is_whole {
            None
        } else {
            cut.pop().filter(|piece| !piece.is_empty())
        };
        let mut cut = cut.into_iter();
        let first = cut.next().filter(|piece| !piece.is_empty()).map(Piece::of);
        let middle = cut
            .filter(|piece| !piece.is_empty())
            .map(Piece::of)
            .collect();
        Self {
            required,
            first,
            middle,
            last: last.map(Piece::of),
            is_whole,
        }
    }

    fn is_match(&self, text: &str) -> bool {
        if self
            .required
            .as_ref()
            .is_some_and(|required| required.find(text.as_bytes()).is_none())
        {
            return false;
        }
        self.rest(text).is_some()
    }

    fn rest(&self, text: &str) -> Option<()> {
        let mut rest = text;
        if let Some(first) = &self.first {
            rest = first.after_start(rest)?;
        }
        if self.is_whole {
            return rest.is_empty().then_some(());
        }
        if let Some(last) = &self.last {
            rest = last.before_end(rest)?;
        }
        for piece in &self.middle {
            rest = piece.after_earliest(rest)?;
        }
        Some(())
    }
}

/// Characters and `_`.
#[derive(Debug, Clone)]
struct Piece {
    items: Vec<LikeItem>,
    /// `_` before the first character and after the last; all of them when there is no character.
    before: usize,
    after: usize,
    core: Core,
}

/// From the first character of a piece to its last.
#[derive(Debug, Clone)]
enum Core {
    None,
    Literal(Box<Finder<'static>>, usize),
    Mixed(Box<Beginnings>),
}

impl Piece {
    fn of(items: &[LikeItem]) -> Self {
        let is_char = |item: &LikeItem| matches!(item, LikeItem::Char(_));
        let (first, last) = (
            items.iter().position(is_char),
            items.iter().rposition(is_char),
        );
        let (before, after, core) = match first.zip(last) {
            None => (items.len(), 0, Core::None),
            Some((first, last)) => {
                let inner = items.get(first..=last).unwrap_or_default();
                let core = match literal(inner) {
                    Some(text) => Core::Literal(finder(&text), text.len()),
                    None => Core::Mixed(Box::new(Beginnings::of(inner))),
                };
                (first, items.len() - last - 1, core)
            }
        };
        Self {
            items: items.to_vec(),
            before,
            after,
            core,
        }
    }

    /// What follows the piece, with which the text has to begin.
    fn after_start<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut chars = text.chars();
        for item in &self.items {
            let c = chars.next()?;
            if matches!(item, LikeItem::Char(wanted) if *wanted != c) {
                return None;
            }
        }
        Some(chars.as_str())
    }

    /// What stands before the piece, with which the text has to end.
    fn before_end<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut chars = text.chars();
        for item in self.items.iter().rev() {
            let c = chars.next_back()?;
            if matches!(item, LikeItem::Char(wanted) if *wanted != c) {
                return None;
            }
        }
        Some(chars.as_str())
    }

    /// What follows the earliest place of the piece.
    fn after_earliest<'a>(&self, text: &'a str) -> Option<&'a str> {
        let text = skip(text, self.before)?;
        let end = match &self.core {
            Core::None => 0,
            Core::Literal(finder, length) => finder.find(text.as_bytes())? + length,
            Core::Mixed(beginnings) => beginnings.earliest_end(text)?,
        };
        skip(text.get(end..)?, self.after)
    }
}

/// The text after so many characters.
fn skip(text: &str, count: usize) -> Option<&str> {
    let mut chars = text.chars();
    match count.checked_sub(1) {
        Some(last) => chars.nth(last).map(|_| chars.as_str()),
        None => Some(text),
    }
}

/// A sequence of characters and `_` as sets of places, one bit each: which places a character may stand at.
#[derive(Debug, Clone)]
struct Beginnings {
    words: usize,
    /// Of the last place: its word and its bit.
    last: (usize, u64),
    /// The places of `_`, at which any character may stand.
    any: Vec<u64>,
    /// Of each character of the pattern: its places and those of `_`.
    of: HashMap<char, Vec<u64>>,
}

impl Beginnings {
    fn of(items: &[LikeItem]) -> Self {
        let words = items.len().div_ceil(WORD_BITS);
        let bit = |place: usize| (place / WORD_BITS, 1 << (place % WORD_BITS));
        let set = |places: &mut Vec<u64>, place: usize| {
            let (word, bit) = bit(place);
            if let Some(word) = places.get_mut(word) {
                *word |= bit;
            }
        };
        let mut any = vec![0; words];
        for (place, _) in items
            .iter()
            .enumerate()
            .filter(|(_, item)| **item == LikeItem::One)
        {
            set(&mut any, place);
        }
        let mut of: HashMap<char, Vec<u64>> = HashMap::new();
        for (place, item) in items.iter().enumerate() {
            if let LikeItem::Char(c) = item {
                set(of.entry(*c).or_insert_with(|| any.clone()), place);
            }
        }
        Self {
            words,
            last: bit(items.len().saturating_sub(1)),
            any,
            of,
        }
    }

    /// The end, in bytes, of the earliest place in a text.
    fn earliest_end(&self, text: &str) -> Option<usize> {
        let mut reached = vec![0_u64; self.words];
        for (at, c) in text.char_indices() {
            if !interrupt::spend(self.words) {
                return None;
            }
            let places = self.of.get(&c).unwrap_or(&self.any);
            // Every place may be the first of a match; a place is reached from the one before.
            let mut carry = 1;
            for (word, places) in reached.iter_mut().zip(places) {
                let shifted = (*word << 1) | carry;
                carry = *word >> (WORD_BITS - 1);
                *word = shifted & places;
            }
            let (word, bit) = self.last;
            if reached.get(word).is_some_and(|word| word & bit != 0) {
                return Some(at + c.len_utf8());
            }
        }
        None
    }
}

/// The characters of a pattern in all their cases, and one that stands for each, by the simple folding of
/// Unicode.
#[derive(Debug, Clone)]
struct Folds(HashMap<char, char>);

impl Folds {
    fn of(items: &[LikeItem]) -> Self {
        let chars: BTreeSet<char> = items
            .iter()
            .filter_map(|item| match item {
                LikeItem::Char(c) => Some(*c),
                LikeItem::One | LikeItem::Any => None,
            })
            .collect();
        let mut folds = HashMap::new();
        for c in chars {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
            // Without its tables a character has the one case that it is written in.
            let _ = class.try_case_fold_simple();
            let cases = class.iter().flat_map(|range| range.start()..=range.end());
            let cases: Vec<char> = cases.collect();
            let least = cases.iter().copied().min().unwrap_or(c);
            folds.extend(cases.into_iter().map(|case| (case, least)));
        }
        Self(folds)
    }

    fn char(&self, c: char) -> char {
        self.0.get(&c).copied().unwrap_or(c)
    }

    fn item(&self, item: LikeItem) -> LikeItem {
        match item {
            LikeItem::Char(c) => LikeItem::Char(self.char(c)),
            LikeItem::One | LikeItem::Any => item,
        }
    }

    fn text(&self, text: &str) -> String {
        text.chars().map(|c| self.char(c)).collect()
    }
}

/// The regular expression of a short pattern in any case that has few pieces and no `_`.
fn regex_of(items: &[LikeItem]) -> Option<Regex> {
    let pieces: Vec<&[LikeItem]> = items.split(|item| *item == LikeItem::Any).collect();
    if items.len() > REGEX_BYTES_MAX
        || pieces.len() > REGEX_PIECES_MAX
        || items.contains(&LikeItem::One)
    {
        return None;
    }
    let texts = pieces
        .into_iter()
        .map(literal)
        .collect::<Option<Vec<String>>>()?;
    let (is_open_before, is_open_after) = (
        texts.first().is_some_and(String::is_empty),
        texts.last().is_some_and(String::is_empty),
    );
    let mut regex = String::new();
    if !is_open_before || items.is_empty() {
        regex.push_str(r"\A");
    }
    let texts: Vec<String> = texts
        .iter()
        .filter(|text| !text.is_empty())
        .map(|text| regex::escape(text))
        .collect();
    regex.push_str(&texts.join(".*?"));
    if !is_open_after || items.is_empty() {
        regex.push_str(r"\z");
    }
    RegexBuilder::new(&regex)
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(pattern: &str, escape: Option<char>) -> Like {
        Like::new(&like_items(pattern, escape).unwrap(), false)
    }

    #[test]
    fn an_escaped_character_stands_for_itself() {
        for (pattern, escape, text, expected) in [
            (r"a\b", None, r"a\b", true),
            (r"100\%", None, "100%", false),
            ("100!%", Some('!'), "100%", true),
            ("100!%", Some('!'), "100!x", false),
            ("a!!b", Some('!'), "a!b", true),
            ("a!b", Some('!'), "ab", true),
            ("%é_%", Some('é'), "x_", true),
            ("%é_%", Some('é'), "x-", false),
            ("%%x", Some('%'), "%x", true),
            ("%%x", Some('%'), "yx", false),
        ] {
            assert_eq!(
                like(pattern, escape).is_match(text),
                expected,
                "{text:?} LIKE {pattern:?}"
            );
        }
        assert!(like_items("a!", Some('!')).is_err());
    }

    #[test]
    fn pieces_with_wildcards_are_found_at_their_earliest() {
        for (pattern, text, expected) in [
            ("%a_c%", "xxabcabc", true),
            ("%a_c%d_f", "abcdef", true),
            ("%a_c%c_f", "abcdef", false),
            ("%__b%", "ab", false),
            ("%__b%", "aab", true),
            ("%b__%", "xb1", false),
            ("_%_", "a", false),
            ("_%_", "ab", true),
            ("a_%", "a", false),
            ("%a_b_c%", "a1b2a3b4c", true),
            ("%ä_ü%", "xä→ü", true),
            ("a%a", "a", false),
            ("a%b%a", "aba", true),
        ] {
            assert_eq!(
                like(pattern, None).is_match(text),
                expected,
                "{text:?} LIKE {pattern:?}"
            );
        }
        // More places than one word has bits.
        let (long, text) = (format!("%x{}z%", "_".repeat(130)), "x".repeat(400));
        assert!(!like(&long, None).is_match(&text));
        assert!(like(&long, None).is_match(&format!("{text}{}z", "y".repeat(100))));
        assert!(!like(&long, None).is_match(&format!("{}z", "x".repeat(130))));
    }

    #[test]
    fn case_is_folded_alike_by_both_ways() {
        for pattern in ["k%ß", "%Σ_%", "ſ", "_%K%", "%a%b%c%d%e%", ""] {
            let items = like_items(pattern, None).unwrap();
            let folds = Folds::of(&items);
            let folded: Vec<LikeItem> = items.iter().map(|item| folds.item(*item)).collect();
            let by_folds = Matcher::of(&folded);
            for text in [
                "K...ẞ",
                "\u{212a}ß",
                "ς1",
                "S",
                "s",
                "xk",
                "ABCDE",
                "",
                "kß",
            ] {
                let is_match = by_folds.is_match(&folds.text(text));
                assert_eq!(
                    is_match,
                    Like::new(&items, true).is_match(text),
                    "{text:?} ILIKE {pattern:?}"
                );
            }
        }
        assert!(Like::new(&like_items("%\u{3c3}_", None).unwrap(), true).is_match("Σ1"));
    }
}
