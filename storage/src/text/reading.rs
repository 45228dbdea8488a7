//! How a text is read before it is cut into words: without the escape sequences that colour a terminal,
//! and in NFC. Of the index, of rows without one, of queries and of snippets, so that all agree.
//!
//! Invariants:
//! 1. A text that [`is_read_as_it_is`] is its own reading; most texts are, and are not copied.
//! 2. The reading is in NFC, and so is its lower-case form: `J` and a caron, which have no letter of their
//!    own, are read as the small letter that `j` and a caron have.
//! 3. What only begins like an escape sequence stays.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use memchr::{memchr, memchr2};

use super::cut::{cut, items};

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 7;
const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();

/// First bytes of the combining marks that letters are written with.
const MARKS: [u8; 2] = [0xcc, 0xcd];

/// The text as it is read.
pub(super) fn read(text: &str) -> Cow<'_, str> {
    if is_read_as_it_is(text) {
        return Cow::Borrowed(text);
    }
    let plain = without_sequences(text);
    let composed = NFC.normalize(&plain);
    let read = match has_marks(&composed) {
        false => composed.into_owned(),
        true => {
            let lowered = composed.to_lowercase();
            if NFC.is_normalized(&lowered) {
                composed.into_owned()
            } else {
                NFC.normalize(&lowered).into_owned()
            }
        }
    };
    debug_assert!(NFC.is_normalized(&read), "a reading is in NFC");
    Cow::Owned(read)
}

/// Whether reading changes nothing; of some other texts also false.
pub(super) fn is_read_as_it_is(text: &str) -> bool {
    memchr(ESCAPE, text.as_bytes()).is_none()
        && (text.is_ascii() || (!has_marks(text) && NFC.is_normalized(text)))
}

fn has_marks(text: &str) -> bool {
    let [first, second] = MARKS;
    memchr2(first, second, text.as_bytes()).is_some()
}

/// The text without escape sequences.
fn without_sequences(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let (mut start, mut at) = (0, 0);
    while let Some(found) = memchr(ESCAPE, items(text.as_bytes(), at..)) {
        let escape = at + found;
        at = escape + 1;
        if let Some(length) = sequence_len(items(text.as_bytes(), at..)) {
            kept.push_str(cut(text, start..escape));
            at += length;
            start = at;
        }
    }
    if start == 0 {
        return Cow::Borrowed(text);
    }
    kept.push_str(cut(text, start..));
    Cow::Owned(kept)
}

/// Bytes of an escape sequence (ECMA-48) after its escape character; `None` when it is not a whole one.
fn sequence_len(after: &[u8]) -> Option<usize> {
    match after.first()? {
        // Colours, cursor movements.
        b'[' => {
            let parameters = after
                .iter()
                .skip(1)
                .take_while(|byte| (0x20..0x40).contains(*byte))
                .count();
            let last = after.get(1 + parameters)?;
            (0x40..0x7f).contains(last).then_some(parameters + 2)
        }
        // Titles, links: a text up to a bell, or to an escape and a backslash.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let inside = after
                .iter()
                .skip(1)
                .take_while(|byte| **byte >= 0x20)
                .count();
            match after.get(1 + inside..)? {
                [BELL, ..] => Some(inside + 2),
                [ESCAPE, b'\\', ..] => Some(inside + 3),
                _ => None,
            }
        }
        // Character sets.
        0x20..0x30 => {
            let middle = after
                .iter()
                .take_while(|byte| (0x20..0x30).contains(*byte))
                .count();
            (0x30..0x7f)
                .contains(after.get(middle)?)
                .then_some(middle + 1)
        }
        0x30..0x7f => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_left_out() {
        let cases = [
            ("\u{1b}[31mERROR\u{1b}[0m: x", "ERROR: x"),
            ("re\u{1b}[1;38;5;208md\u{1b}[K", "red"),
            ("\u{1b}]8;;https://x.y\u{1b}\\link\u{1b}]8;;\u{7}!", "link!"),
            ("\u{1b}(Bplain\u{1b}7\u{1b}=", "plain"),
            ("天\u{1b}[0m気", "天気"),
            ("\u{1b}[3", "\u{1b}[3"),
            ("\u{1b}]0;never\nended", "\u{1b}]0;never\nended"),
            ("\u{1b}é \u{1b}", "\u{1b}é \u{1b}"),
            ("[31m stays", "[31m stays"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn readings_are_composed_also_in_lower_case() {
        assert_eq!(read("cafe\u{301} \u{3b}\u{212b}"), "café ;Å");
        assert_eq!(read("か\u{3099}"), "が");
        assert_eq!(read("\u{f900}"), "豈");
        assert_eq!(read("J\u{30c}et").to_lowercase(), "\u{1f0}et");
        assert_eq!(read("E\u{301}te\u{301} J"), "Été J");
        for text in ["", "plain", "Ünïcode 中文 나무 📶", "हिन्दी"] {
            assert!(
                is_read_as_it_is(text) && matches!(read(text), Cow::Borrowed(_)),
                "{text}"
            );
        }
    }
}
