//! Text to words: maximal runs of letters, digits and `_`, lower-cased; a letter of a script without spaces
//! between words is a word of its own. Used by the index writer, by fresh rows, by queries and by snippets, so
//! that all agree; texts come as they are read (`reading`).
//!
//! Invariants:
//! 1. The words are those of Python's `re.findall(r"[alone]|[^\W alone]+", text.lower())` with the letters that
//!    stand alone: the text is lower-cased as a whole (a capital sigma looks at its neighbours, `İ` falls into
//!    `i` and a mark), then cut.
//! 2. A word longer than [`LONG_WORD_BYTES`] becomes a *short form*: its first bytes, U+0000 and the
//!    hash of the whole word. Equal words have equal short forms, everywhere; a prefix of at most
//!    [`QUERY_PART_BYTES_MAX`] bytes still finds it; the term dictionary stays bounded.
//! 3. [`SEPARATOR`] lies between the strings of a field and inside none of them.

use std::ops::Range;

use twox_hash::XxHash3_128;

use super::cut::{cut, items};
use super::letters::{is_joined, is_spaceless, is_word};
use super::reading::read;

/// Longest word kept as it is, bytes. tantivy drops terms above 65,530 bytes; base64 and hex blobs
/// would fill the dictionary long before.
pub(super) const LONG_WORD_BYTES: usize = 256;

/// Leading bytes of a long word kept in its short form.
pub(super) const LONG_WORD_KEPT_BYTES: usize = 200;

/// Longest prefix or fuzzy word of a query, bytes: far enough below [`LONG_WORD_KEPT_BYTES`] that
/// short forms can never change an answer.
pub(super) const QUERY_PART_BYTES_MAX: usize = 128;

/// Ends each string of a field; a phrase never crosses it.
pub(super) const SEPARATOR: char = '\0';

/// The words of a text, in order, lower-cased.
pub fn words(text: &str) -> Vec<String> {
    let text = read(text);
    let mut cursor = Words::new(&text);
    let mut word = String::new();
    let mut found = Vec::new();
    while cursor.next(&mut word).is_some() {
        found.push(word.clone());
    }
    found
}

/// A cursor over the words of a text.
pub(super) struct Words<'a> {
    text: &'a str,
    position: usize,
    /// Separators passed so far.
    separators: usize,
    /// Lower-case forms of the capital sigmas, in reverse order; computed at the first one.
    sigmas: Option<Vec<char>>,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            separators: 0,
            sigmas: None,
        }
    }

    /// Strings ended before the word last returned.
    pub(super) fn separators(&self) -> usize {
        self.separators
    }

    /// Puts the next word into `word` and returns its range in the text; `None` at the end.
    pub(super) fn next(&mut self, word: &mut String) -> Option<Range<usize>> {
        word.clear();
        let start = self.skip_to_word()?;
        self.take_word(word);
        shorten(word);
        debug_assert!(
            start < self.position && !word.is_empty(),
            "a word has characters"
        );
        Some(start..self.position)
    }

    /// The next word: packed, if it is short, else put into `word`. Does not count separators.
    pub(super) fn next_packed(&mut self, word: &mut String) -> Option<Option<PackedWord>> {
        let bytes = self.text.as_bytes();
        let mut at = self.position;
        while bytes.get(at).is_some_and(|&byte| kind(byte) == Kind::Gap) {
            at += 1;
        }
        let start = at;
        while bytes.get(at).is_some_and(|&byte| kind(byte) == Kind::Word) {
            at += 1;
        }
        if bytes.get(at).is_some_and(|&byte| kind(byte) == Kind::Other) {
            // The general way for words that are not ASCII alone.
            self.position = start;
            self.next(word)?;
            return Some(PackedWord::new(word.as_bytes()));
        }
        self.position = at;
        let ascii = self.text.get(start..at).filter(|ascii| !ascii.is_empty())?;
        let packed = PackedWord::lowered(items(bytes, start..), at - start);
        if packed.is_none() {
            word.clear();
            word.push_str(ascii);
            word.make_ascii_lowercase();
            shorten(word);
        }
        Some(packed)
    }

    fn skip_to_word(&mut self) -> Option<usize> {
        loop {
            let byte = *self.text.as_bytes().get(self.position)?;
            if byte < 0x80 {
                if is_ascii_word(byte) {
                    return Some(self.position);
                }
                self.separators += usize::from(byte == 0);
                self.position += 1;
                continue;
            }
            let c = self.char()?;
            if is_spaceless(c) && is_word(c) {
                return Some(self.position);
            }
            if c.to_lowercase().next().is_some_and(is_word) {
                return Some(self.position);
            }
            self.position += c.len_utf8();
        }
    }

    fn take_word(&mut self, word: &mut String) {
        loop {
            let rest = items(self.text.as_bytes(), self.position..);
            let run = rest
                .iter()
                .position(|&byte| !is_ascii_word(byte))
                .unwrap_or(rest.len());
            self.push_ascii(run, word);
            let Some(c) = self.char().filter(|c| !c.is_ascii()) else {
                return;
            };
            if is_spaceless(c) {
                if word.is_empty() {
                    word.push(c);
                    self.position += c.len_utf8();
                }
                return;
            }
            let before = word.len();
            let whole = self.push_lower(c, word);
            if word.len() > before {
                self.position += c.len_utf8();
            }
            if !whole {
                return;
            }
        }
    }

    fn push_ascii(&mut self, run: usize, word: &mut String) {
        let end = self.position + run;
        let before = word.len();
        word.push_str(cut(self.text, self.position..end));
        if let Some(tail) = word.get_mut(before..) {
            tail.make_ascii_lowercase();
        }
        self.position = end;
    }

    /// Pushes the lower-case form of `c` up to its first character that ends a word; whether none does.
    fn push_lower(&mut self, c: char, word: &mut String) -> bool {
        if c == 'Σ' {
            word.push(self.next_sigma());
            return true;
        }
        for lower in c.to_lowercase() {
            if !is_joined(lower) {
                return false;
            }
            word.push(lower);
        }
        true
    }

    fn next_sigma(&mut self) -> char {
        let text = self.text;
        let sigma = self.sigmas.get_or_insert_with(|| lower_sigmas(text)).pop();
        debug_assert!(
            sigma.is_some(),
            "each capital sigma of the text is a letter of one word"
        );
        sigma.unwrap_or('σ')
    }

    fn char(&self) -> Option<char> {
        self.text.get(self.position..)?.chars().next()
    }
}

/// A word or another term of at most [`PackedWord::BYTES_MAX`] bytes, as a number: its bytes, zeros, and its
/// length in the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedWord(pub(super) u128);

impl PackedWord {
    pub(super) const BYTES_MAX: usize = 15;
    const LENGTH_SHIFT: u32 = u128::BITS - u8::BITS;

    /// `None` for a longer one.
    pub(super) fn new(word: &[u8]) -> Option<PackedWord> {
        let length = u8::try_from(word.len())
            .ok()
            .filter(|_| word.len() <= Self::BYTES_MAX)?;
        let mut bytes = [0; 16];
        bytes
            .iter_mut()
            .zip(word)
            .for_each(|(to, from)| *to = *from);
        Some(PackedWord(
            u128::from_le_bytes(bytes) | (u128::from(length) << Self::LENGTH_SHIFT),
        ))
    }

    /// The first `length` bytes of `text`, ASCII letters, digits and `_`, in lower case.
    fn lowered(text: &[u8], length: usize) -> Option<PackedWord> {
        const fn each(byte: u8) -> u128 {
            u128::from_le_bytes([byte; 16])
        }
        if length > Self::BYTES_MAX {
            return None;
        }
        let bytes = text.first_chunk().copied().unwrap_or_else(|| {
            let mut bytes = [0; 16];
            bytes
                .iter_mut()
                .zip(text)
                .for_each(|(to, from)| *to = *from);
            bytes
        });
        let bits = 8 * length as u32;
        let word = u128::from_le_bytes(bytes) & ((1 << bits) - 1);
        // All bytes at once: capitals and `_` are 0x40 to 0x5f, of these `_` alone ends with five ones. No
        // sum leaves its byte.
        let capitals = ((word & each(0x40)) >> 1) & !word & each(0x20);
        let underscores = ((word & each(0x1f)) + each(1)) & each(0x20);
        let word = word | (capitals & !underscores);
        Some(PackedWord(word | ((length as u128) << Self::LENGTH_SHIFT)))
    }

    /// The number of a longer word, in the slot of the word itself.
    pub(super) fn of_number(number: u32) -> PackedWord {
        let packed = PackedWord(u128::from(number) | (u128::from(u8::MAX) << Self::LENGTH_SHIFT));
        debug_assert_eq!(packed.as_number(), Some(number), "a number comes out again");
        packed
    }

    /// The number it was made of.
    pub(super) fn as_number(self) -> Option<u32> {
        let number = (self.0 >> Self::LENGTH_SHIFT) == u128::from(u8::MAX);
        number.then_some((self.0 & u128::from(u32::MAX)) as u32)
    }

    /// Its bytes, and how many they are.
    pub(super) fn bytes(self) -> ([u8; 16], usize) {
        let bytes = self.0.to_le_bytes();
        let [.., length] = bytes;
        (bytes, usize::from(length))
    }
}

/// What a byte is for words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gap,
    Word,
    /// Not ASCII.
    Other,
}

fn kind(byte: u8) -> Kind {
    const KINDS: [Kind; 256] = {
        let mut kinds = [Kind::Gap; 256];
        let (mut rest, mut byte) = (kinds.as_mut_slice(), 0_u8);
        while let Some((kind, after)) = rest.split_first_mut() {
            if byte >= 0x80 {
                *kind = Kind::Other;
            } else if is_ascii_word(byte) {
                *kind = Kind::Word;
            }
            (rest, byte) = (after, byte.wrapping_add(1));
        }
        kinds
    };
    // Each byte has a lane of its own.
    KINDS.get(usize::from(byte)).copied().unwrap_or(Kind::Gap)
}

const fn is_ascii_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What each capital sigma becomes when the whole text is lower-cased, last one first.
fn lower_sigmas(text: &str) -> Vec<char> {
    let lowered = text.to_lowercase();
    let mut lowered = lowered.chars();
    let mut sigmas = Vec::new();
    for c in text.chars() {
        let mut last = None;
        for _ in c.to_lowercase() {
            last = lowered.next();
        }
        if c == 'Σ' {
            debug_assert!(
                matches!(last, Some('σ' | 'ς')),
                "both texts are gone through letter by letter"
            );
            sigmas.push(last.unwrap_or('σ'));
        }
    }
    sigmas.reverse();
    sigmas
}

/// Replaces a long word by its short form.
fn shorten(word: &mut String) {
    if word.len() <= LONG_WORD_BYTES {
        return;
    }
    let hash = XxHash3_128::oneshot(word.as_bytes());
    word.truncate(word.floor_char_boundary(LONG_WORD_KEPT_BYTES));
    word.push(SEPARATOR);
    word.push_str(&format!("{hash:032x}"));
    debug_assert!(
        word.len() <= LONG_WORD_BYTES,
        "a short form is no long word"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_cased_runs() {
        assert_eq!(
            words("Hello, gpt-4_o WORLD 42!"),
            ["hello", "gpt", "4_o", "world", "42"]
        );
        assert_eq!(
            words("Straße ÉTÉ 中文 나무 📶"),
            ["straße", "été", "中", "文", "나무"]
        );
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn letters_of_scripts_without_spaces_are_words() {
        assert_eq!(
            words("東京の天気はGPT-4です"),
            ["東", "京", "の", "天", "気", "は", "gpt", "4", "で", "す"]
        );
        assert_eq!(
            words("审批流程abc流程"),
            ["审", "批", "流", "程", "abc", "流", "程"]
        );
        assert_eq!(words("ที่นี่ ๑๒"), ["ท", "น", "๑", "๒"]);
        assert_eq!(
            words("カフェー々〇・ﾃｽ"),
            ["カ", "フ", "ェ", "ー", "々", "〇", "ﾃ", "ｽ"]
        );
        assert_eq!(
            words("か\u{3099}x\u{1b}[31mred\u{1b}[0m cafe\u{301}"),
            ["が", "xred", "café"]
        );
    }

    #[test]
    fn lower_casing_looks_at_the_whole_text() {
        // The dot above that İ leaves behind is a mark and cuts the word, as in Python.
        assert_eq!(words("İstanbul xİy"), ["i", "stanbul", "xi", "y"]);
        assert_eq!(words("ΟΔΟΣ ΣΑΣ"), ["οδος", "σας"]);
        assert_eq!(words("ΑΣ'Α ΑΣ"), ["ασ", "α", "ας"]);
        assert_eq!(words("हिन्दी e\u{301}a"), ["ह", "न", "द", "éa"]);
        assert_eq!(words("\u{212a}elvin"), ["kelvin"]);
    }

    #[test]
    fn long_words_have_equal_short_forms_and_keep_their_beginning() {
        let long = "Ab1".repeat(30_000);
        let short = words(&long);
        assert_eq!(short.len(), 1);
        assert!(short[0].starts_with(&"ab1".repeat(66)));
        assert!(short[0].len() < LONG_WORD_BYTES);
        assert_eq!(short, words(&long.to_lowercase()));
        assert_ne!(short, words(&format!("{long}x")));
        assert!(words(&"나".repeat(100))[0].starts_with('나'));
        assert_eq!(
            words(&"x".repeat(LONG_WORD_BYTES)),
            ["x".repeat(LONG_WORD_BYTES)]
        );
    }

    #[test]
    fn packed_words_are_the_words() {
        let every: String = (1..0x250)
            .filter_map(char::from_u32)
            .flat_map(|c| [c, 'x', c, ' '])
            .collect();
        let long = format!("{} {}", "Y".repeat(16), "Z".repeat(LONG_WORD_BYTES + 1));
        let texts = [
            "Hello, gpt-4_O WORLD 42! @[`{/:_",
            "A_Z0__9 abcdefghijklmno ABCDEFGHIJKLMNOP Straße naïve x",
            "ΟΔΟΣ İstanbul",
            "a天気b c天",
            "",
            "é",
            &every,
            &long,
        ];
        for text in texts {
            let text = &read(text);
            let (mut cursor, mut word, mut found) = (Words::new(text), String::new(), Vec::new());
            while let Some(packed) = cursor.next_packed(&mut word) {
                found.push(match packed {
                    Some(packed) => {
                        let (bytes, length) = packed.bytes();
                        assert_eq!(PackedWord::new(&bytes[..length]), Some(packed));
                        String::from_utf8(bytes[..length].to_vec()).unwrap()
                    }
                    None => word.clone(),
                });
            }
            assert_eq!(found, words(text), "{text}");
        }
    }

    #[test]
    fn ranges_point_into_the_text() {
        let text = "a\0Été\0\0b";
        let mut cursor = Words::new(text);
        let mut word = String::new();
        let mut found = Vec::new();
        while let Some(range) = cursor.next(&mut word) {
            found.push((text[range].to_owned(), cursor.separators()));
        }
        assert_eq!(
            found,
            [
                ("a".to_owned(), 0),
                ("Été".to_owned(), 1),
                ("b".to_owned(), 3)
            ]
        );
    }
}
