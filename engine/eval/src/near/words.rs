//! A text as normalised words: the step before shingles.
//!
//! What counts as a word is told character by character, so that texts of mixed scripts need no guess of a language:
//! * letters, digits and marks that stand together are one word, lower-cased, full-width forms as plain ones;
//! * a character of a script written without spaces (Han, kana, Bopomofo, Thai, Lao, Tibetan, Khmer, Myanmar and its
//!   neighbours) is a word by itself, which makes shingles of characters; Hangul has spaces and is not among them;
//! * a symbol (`+ < = > ^ ~ % $`, currency, mathematics, arrows, emoji) is a word by itself, so `a < 1` is not `a > 1`;
//! * `-`, `*` and `/` are such a symbol beside a digit (`7 - 2`, `-5`, `3*x`), else they part words;
//! * apostrophes, soft hyphens, zero-width and other invisible characters are nothing: `don’t` is `dont`;
//! * white space, control characters and all other punctuation part words.
//!
//! Invariant: a word is not empty and holds neither white space nor punctuation that parts words. Composed and decomposed
//! accents are not made alike.

/// What a character does to the words around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Part of a word.
    Letter,
    /// A word by itself, of a script without spaces.
    Dense,
    /// A word by itself.
    Symbol,
    /// A word by itself beside a digit, else a gap.
    Operator,
    /// Between words.
    Gap,
    /// As if it were not there.
    Nothing,
}

/// Calls `each` with every word of the text, in order.
pub(super) fn each_word(text: &str, mut each: impl FnMut(&str)) {
    let mut word = String::new();
    let mut after_digit = false;
    for (at, raw) in text.char_indices() {
        let character = folded(raw);
        let kind = match kind(character) {
            Kind::Operator if after_digit || digit_follows(text, at + raw.len_utf8()) => {
                Kind::Symbol
            }
            Kind::Operator => Kind::Gap,
            kind => kind,
        };
        if !raw.is_whitespace() {
            after_digit = character.is_numeric();
        }
        match kind {
            Kind::Letter => push_lower(&mut word, character),
            Kind::Nothing => {}
            Kind::Dense | Kind::Symbol => {
                flush(&mut word, &mut each);
                push_lower(&mut word, character);
                flush(&mut word, &mut each);
            }
            Kind::Gap | Kind::Operator => flush(&mut word, &mut each),
        }
    }
    flush(&mut word, &mut each);
}

/// The text with its white space made single and its letters small: what stands for a text that has no word.
pub(super) fn bare(text: &str) -> String {
    let mut bare = String::new();
    for piece in text.split_whitespace() {
        if !bare.is_empty() {
            bare.push(' ');
        }
        piece.chars().for_each(|c| push_lower(&mut bare, folded(c)));
    }
    bare
}

fn flush(word: &mut String, each: &mut impl FnMut(&str)) {
    if !word.is_empty() {
        each(word);
        word.clear();
    }
}

fn push_lower(word: &mut String, character: char) {
    if character.is_ascii() {
        word.push(character.to_ascii_lowercase());
    } else {
        // The small sigma at the end of a word is the same letter: its capital does not tell them apart.
        word.extend(
            character
                .to_lowercase()
                .map(|c| if c == 'ς' { 'σ' } else { c }),
        );
    }
}

/// Whether the next character that is not white space is a digit.
fn digit_follows(text: &str, at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    let next = rest.chars().find(|c| !c.is_whitespace());
    next.is_some_and(|c| folded(c).is_numeric())
}

/// Full-width forms and the minus sign as the ASCII characters they stand for.
fn folded(character: char) -> char {
    match character {
        '\u{FF01}'..='\u{FF5E}' => {
            char::from_u32(u32::from(character) - 0xFEE0).unwrap_or(character)
        }
        '\u{2212}' => '-',
        other => other,
    }
}

fn kind(character: char) -> Kind {
    if character.is_ascii() {
        return match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => Kind::Letter,
            '\'' => Kind::Nothing,
            '+' | '<' | '=' | '>' | '^' | '~' | '%' | '$' => Kind::Symbol,
            '-' | '*' | '/' => Kind::Operator,
            _ => Kind::Gap,
        };
    }
    let code = u32::from(character);
    let at = RANGES.partition_point(|(_, last, _)| *last < code);
    match RANGES.get(at) {
        Some((first, _, kind)) if *first <= code => *kind,
        _ if character.is_whitespace() || character.is_control() => Kind::Gap,
        // Letters, digits, and the marks that belong to letters of many scripts.
        _ => Kind::Letter,
    }
}

/// First and last code point of what is not a letter, in ascending order.
#[rustfmt::skip]
const RANGES: &[(u32, u32, Kind)] = &[
    (0x00A1, 0x00A1, Kind::Gap), (0x00A2, 0x00A5, Kind::Symbol), (0x00A6, 0x00A8, Kind::Gap),
    (0x00A9, 0x00A9, Kind::Symbol), (0x00AB, 0x00AB, Kind::Gap), (0x00AC, 0x00AC, Kind::Symbol),
    (0x00AD, 0x00AD, Kind::Nothing), (0x00AE, 0x00AE, Kind::Symbol), (0x00AF, 0x00AF, Kind::Gap),
    (0x00B0, 0x00B1, Kind::Symbol), (0x00B4, 0x00B4, Kind::Nothing), (0x00B6, 0x00B8, Kind::Gap),
    (0x00BB, 0x00BB, Kind::Gap), (0x00BF, 0x00BF, Kind::Gap), (0x00D7, 0x00D7, Kind::Symbol),
    (0x00F7, 0x00F7, Kind::Symbol), (0x02BC, 0x02BC, Kind::Nothing), (0x037E, 0x037E, Kind::Gap),
    (0x0387, 0x0387, Kind::Gap),
    // Armenian, Hebrew, Arabic, Syriac.
    (0x055A, 0x055F, Kind::Gap), (0x0589, 0x058A, Kind::Gap), (0x05BE, 0x05BE, Kind::Gap),
    (0x05C0, 0x05C0, Kind::Gap), (0x05C3, 0x05C3, Kind::Gap), (0x05F3, 0x05F4, Kind::Nothing),
    (0x060C, 0x060D, Kind::Gap), (0x061B, 0x061B, Kind::Gap), (0x061C, 0x061C, Kind::Nothing),
    (0x061D, 0x061F, Kind::Gap), (0x0640, 0x0640, Kind::Nothing), (0x066A, 0x066D, Kind::Gap),
    (0x06D4, 0x06D4, Kind::Gap), (0x0700, 0x070D, Kind::Gap),
    // The dandas of the scripts of India.
    (0x0964, 0x0965, Kind::Gap), (0x0970, 0x0970, Kind::Gap), (0x0DF4, 0x0DF4, Kind::Gap),
    // Thai and Lao, Tibetan, Myanmar.
    (0x0E01, 0x0E2E, Kind::Dense), (0x0E2F, 0x0E2F, Kind::Gap), (0x0E30, 0x0E3A, Kind::Dense),
    (0x0E3F, 0x0E3F, Kind::Symbol), (0x0E40, 0x0E4E, Kind::Dense), (0x0E4F, 0x0E4F, Kind::Gap),
    (0x0E50, 0x0E59, Kind::Dense), (0x0E5A, 0x0E5B, Kind::Gap), (0x0E81, 0x0F03, Kind::Dense),
    (0x0F04, 0x0F14, Kind::Gap), (0x0F15, 0x0FFF, Kind::Dense), (0x1000, 0x1049, Kind::Dense),
    (0x104A, 0x104F, Kind::Gap), (0x1050, 0x109F, Kind::Dense),
    (0x1360, 0x1368, Kind::Gap), (0x166E, 0x166E, Kind::Gap),
    // Khmer, Mongolian, Tai scripts.
    (0x1780, 0x17D3, Kind::Dense), (0x17D4, 0x17DA, Kind::Gap), (0x17DB, 0x17DB, Kind::Symbol),
    (0x17DC, 0x17FF, Kind::Dense), (0x1800, 0x180A, Kind::Gap),
    (0x180B, 0x180E, Kind::Nothing), (0x1950, 0x19DF, Kind::Dense), (0x1A20, 0x1AAF, Kind::Dense),
    // General punctuation, currency, arrows, mathematics, boxes, dingbats.
    (0x2000, 0x200A, Kind::Gap), (0x200B, 0x200F, Kind::Nothing), (0x2010, 0x2017, Kind::Gap),
    (0x2018, 0x2019, Kind::Nothing), (0x201A, 0x201A, Kind::Gap), (0x201B, 0x201B, Kind::Nothing),
    (0x201C, 0x2029, Kind::Gap), (0x202A, 0x202E, Kind::Nothing), (0x202F, 0x205F, Kind::Gap),
    (0x2060, 0x206F, Kind::Nothing), (0x20A0, 0x20CF, Kind::Symbol), (0x2190, 0x24FF, Kind::Symbol),
    (0x2500, 0x259F, Kind::Gap), (0x25A0, 0x2BFF, Kind::Symbol), (0x2E00, 0x2E7F, Kind::Gap),
    // Han, kana, Bopomofo and their punctuation.
    (0x2E80, 0x2FDF, Kind::Dense), (0x2FF0, 0x3004, Kind::Gap), (0x3005, 0x3007, Kind::Dense),
    (0x3008, 0x3020, Kind::Gap), (0x3021, 0x3029, Kind::Dense), (0x3030, 0x3030, Kind::Gap),
    (0x303D, 0x303F, Kind::Gap), (0x3040, 0x309F, Kind::Dense), (0x30A0, 0x30A0, Kind::Gap),
    (0x30A1, 0x30FA, Kind::Dense), (0x30FB, 0x30FB, Kind::Gap), (0x30FC, 0x312F, Kind::Dense), (0x31A0, 0x31FF, Kind::Dense),
    (0x3200, 0x33FF, Kind::Symbol), (0x3400, 0x9FFF, Kind::Dense), (0xA9E0, 0xA9FF, Kind::Dense),
    (0xAA60, 0xAADF, Kind::Dense), (0xF900, 0xFAFF, Kind::Dense),
    // Presentation forms, half-width forms, the emoji.
    (0xFE00, 0xFE0F, Kind::Nothing), (0xFE10, 0xFE1F, Kind::Gap), (0xFE30, 0xFE6F, Kind::Gap),
    (0xFEFF, 0xFEFF, Kind::Nothing), (0xFF5F, 0xFF65, Kind::Gap), (0xFF66, 0xFF9F, Kind::Dense),
    (0xFFE0, 0xFFEE, Kind::Symbol), (0xFFF9, 0xFFFD, Kind::Gap), (0x1B000, 0x1B16F, Kind::Dense),
    (0x1F000, 0x1F3FA, Kind::Symbol), (0x1F3FB, 0x1F3FF, Kind::Nothing),
    (0x1F400, 0x1FAFF, Kind::Symbol), (0x20000, 0x3FFFF, Kind::Dense),
    (0xE0000, 0xE0FFF, Kind::Nothing),
];

#[cfg(test)]
mod tests {
    use super::{RANGES, each_word};

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        each_word(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn ranges_ascend_and_do_not_overlap() {
        for pair in RANGES.windows(2) {
            assert!(pair[0].1 < pair[1].0, "{pair:x?}");
        }
        assert!(RANGES.iter().all(|(first, last, _)| first <= last));
    }

    #[test]
    fn case_space_and_punctuation_do_not_matter() {
        assert_eq!(words("Hello,  World!"), ["hello", "world"]);
        assert_eq!(words("\thello\u{a0}“world”…\n"), ["hello", "world"]);
        assert_eq!(words("I don’t; she didn't"), ["i", "dont", "she", "didnt"]);
        assert_eq!(
            words("well-known and/or *bold*"),
            ["well", "known", "and", "or", "bold"]
        );
        assert_eq!(words("ΟΔΟΣ οδος"), ["οδοσ", "οδοσ"]);
        assert_eq!(words("ＡＢＣ１"), ["abc1"]);
        assert!(words(" \n?!…—").is_empty());
    }

    #[test]
    fn symbols_that_change_the_meaning_are_words() {
        assert_eq!(words("7 - 2"), ["7", "-", "2"]);
        assert_eq!(words("7−2*x"), ["7", "-", "2", "*", "x"]);
        assert_eq!(words("a+b<=c"), ["a", "+", "b", "<", "=", "c"]);
        assert_eq!(words("at -5° or $5"), ["at", "-", "5", "°", "or", "$", "5"]);
        assert_eq!(words("good 👍🏽 bad👎"), ["good", "👍", "bad", "👎"]);
    }

    #[test]
    fn scripts_without_spaces_go_by_characters() {
        assert_eq!(
            words("使用Python语言。"),
            ["使", "用", "python", "语", "言"]
        );
        assert_eq!(
            words("これは・テスト"),
            ["こ", "れ", "は", "テ", "ス", "ト"]
        );
        assert_eq!(words("สวัสดี").len(), 6);
        assert_eq!(words("안녕 세상"), ["안녕", "세상"]);
        assert_eq!(words("नमस्ते दुनिया।"), ["नमस्ते", "दुनिया"]);
        assert_eq!(words("cafe\u{301} noir"), ["cafe\u{301}", "noir"]);
    }
}
