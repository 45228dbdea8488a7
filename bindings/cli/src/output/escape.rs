//! Text that others wrote, made safe to show: no control character of it reaches a terminal.
//!
//! `is_unsafe` alone decides what that is, for tables, trees, snippets, errors and JSON. Besides C0 and C1
//! controls it is everything that has no look of its own: marks that reorder text, tags, joiners, fillers
//! would let a trace pretend to be something else, or carry what nobody sees.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether a character must not reach a terminal as it is: controls, format characters, separators of
/// lines, and what is invisible unless a program knows it. The two selectors of how an emoji looks stay.
pub fn is_unsafe(character: char) -> bool {
    match character {
        ' '..='~' => false,
        _ if character.is_control() => true,
        '\u{a0}'..='\u{2ff}' => character == '\u{ad}',
        _ => matches!(
            character,
            '\u{34f}'
                | '\u{600}'..='\u{605}'
                | '\u{61c}'
                | '\u{6dd}'
                | '\u{70f}'
                | '\u{890}'..='\u{891}'
                | '\u{8e2}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0d}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{110bd}'
                | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        ),
    }
}

fn push_escaped(text: &mut String, character: char) {
    match character {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        _ => text.push_str(&format!("\\u{{{:x}}}", u32::from(character))),
    }
}

/// `text` on one line: every control character escaped.
pub fn line(text: &str) -> String {
    escaped(text, |_| false)
}

/// `text` with its line ends and tabs, every other control character escaped.
pub fn lines(text: &str) -> String {
    escaped(text, |character| matches!(character, '\n' | '\t'))
}

/// JSON text with the escapes of JSON for what must not reach a terminal: it says the same to a parser.
fn json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        // Controls of ASCII are escaped in strings already; between values they lay the text out.
        if is_unsafe(character) && (!character.is_ascii() || character == '\u{7f}') {
            for unit in character.encode_utf16(&mut [0; 2]) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

fn escaped(text: &str, keep: fn(char) -> bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) && !keep(character) {
            push_escaped(&mut safe, character);
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The start of `text` on one line of at most `width` columns, white space as single spaces; `…`
/// stands for what was cut.
pub fn preview(text: &str, width: usize) -> String {
    let mut safe = String::new();
    for word in text.split_whitespace() {
        if !safe.is_empty() {
            safe.push(' ');
        }
        safe.push_str(&line(word));
        // Enough to be cut; the rest of a large text is not looked at.
        if safe.len() > width.saturating_mul(4) {
            break;
        }
    }
    fit(&safe, width)
}

/// Columns that `text` takes.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text`, already safe, cut to `width` columns.
pub fn fit(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_string();
    }
    let (mut cut, mut used) = (String::new(), 0);
    for character in text.chars() {
        let wide = character.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        cut.push(character);
        used += wide;
    }
    if width > 0 {
        cut.push('…');
    }
    cut
}

/// Passes text on to a terminal with its control characters escaped, line ends and tabs aside.
#[derive(Debug)]
pub struct EscapingWriter<W> {
    inner: W,
    escape: fn(&str) -> String,
    /// The begin of a character whose rest has not come yet.
    pending: Vec<u8>,
}

impl<W: Write> EscapingWriter<W> {
    /// A writer in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            escape: lines,
            pending: Vec::new(),
        }
    }

    /// One for JSON, wherever it goes.
    pub fn json(inner: W) -> Self {
        Self {
            inner,
            escape: json,
            pending: Vec::new(),
        }
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.is_empty() && bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
            self.inner.write_all(bytes)?;
            return Ok(bytes.len());
        }
        self.pending.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.pending) {
            Ok(_) => self.pending.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.pending.len(),
        };
        let rest = self.pending.split_off(whole);
        self.inner
            .write_all((self.escape)(&String::from_utf8_lossy(&self.pending)).as_bytes())?;
        self.pending = rest;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_passes() {
        assert_eq!(
            line("a\u{1b}[31m\n\u{9b}\u{202e}é"),
            "a\\u{1b}[31m\\n\\u{9b}\\u{202e}é"
        );
        assert_eq!(lines("a\n\u{7}"), "a\n\\u{7}");
    }

    /// Every character that Unicode calls a control, a format character or a separator of lines.
    fn without_look() -> impl Iterator<Item = char> {
        let class = regex::Regex::new(r"^[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]$").unwrap();
        let all = (0..=0x10_ffff).filter_map(char::from_u32);
        all.filter(move |character| class.is_match(character.encode_utf8(&mut [0; 4])))
    }

    #[test]
    fn nothing_without_a_look_passes() {
        assert!(without_look().count() > 200);
        for character in without_look() {
            let text = format!("a{character}b");
            for safe in [line(&text), preview(&text, 40), fit(&line(&text), 40)] {
                assert!(!safe.contains(character), "{character:?} in {safe:?}");
            }
            let is_kept = matches!(character, '\n' | '\t');
            assert_eq!(lines(&text).contains(character), is_kept, "{character:?}");
            let json_text = serde_json::to_string(&text).unwrap();
            let mut written = Vec::new();
            EscapingWriter::json(&mut written)
                .write_all(json_text.as_bytes())
                .unwrap();
            let written = String::from_utf8(written).unwrap();
            assert!(!written.contains(character), "{character:?} in {written:?}");
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
        assert_eq!(
            json("\"\u{9b}\u{202e}\u{e0041}\""),
            r#""\u009b\u202e\udb40\udc41""#
        );
    }

    #[test]
    fn letters_and_emoji_stay() {
        let plain = "é ß 日本語 العربية \u{2764}\u{fe0f} \u{1f511}\u{a0}ﬁ";
        assert_eq!(line(plain), plain);
        assert_eq!(json(plain), plain);
    }

    #[test]
    fn previews_are_one_line_of_bounded_width() {
        assert_eq!(preview("  two\n\n words ", 20), "two words");
        assert_eq!(preview("abcdef", 4), "abc…");
        assert_eq!(columns(&preview("日本語日本語", 5)), 5);
        assert_eq!(preview("abc", 0), "");
    }

    #[test]
    fn characters_split_over_two_writes_stay_whole() {
        let mut written = Vec::new();
        let mut writer = EscapingWriter::new(&mut written);
        writer.write_all(&"é".as_bytes()[..1]).unwrap();
        writer.write_all(&"é".as_bytes()[1..]).unwrap();
        writer.write_all(b"\x1b").unwrap();
        assert_eq!(written, "é\\u{1b}".as_bytes());
    }
}
