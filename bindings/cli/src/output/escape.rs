//! Text that others wrote, made safe to show: no control character of it reaches a terminal.
//!
//! Besides C0 and C1 controls, the marks that reorder text are escaped: they would let a trace
//! pretend to be something else.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
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
    /// The begin of a character whose rest has not come yet.
    pending: Vec<u8>,
}

impl<W: Write> EscapingWriter<W> {
    /// A writer in front of `inner`.
    pub fn new(inner: W) -> Self {
        Self { inner, pending: Vec::new() }
    }
}

impl<W: Write> Write for EscapingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.pending) {
            Ok(_) => self.pending.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.pending.len(),
        };
        let rest = self.pending.split_off(whole);
        self.inner.write_all(lines(&String::from_utf8_lossy(&self.pending)).as_bytes())?;
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
        assert_eq!(line("a\u{1b}[31m\n\u{9b}\u{202e}é"), "a\\u{1b}[31m\\n\\u{9b}\\u{202e}é");
        assert_eq!(lines("a\n\u{7}"), "a\n\\u{7}");
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
