//! Previews: the beginning of a text, short enough to be shown in a list and stored with each trace.

/// Longest preview, in characters.
pub const PREVIEW_CHARS_MAX: usize = 1000;

/// The text, or its first characters and `...`; NUL becomes U+FFFD.
pub fn cut_preview(text: &str) -> String {
    let is_long = text.chars().nth(PREVIEW_CHARS_MAX).is_some();
    let kept = if is_long { PREVIEW_CHARS_MAX - 3 } else { PREVIEW_CHARS_MAX };
    let mut preview: String =
        text.chars().take(kept).map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if is_long {
        preview.push_str("...");
    }
    preview
}
