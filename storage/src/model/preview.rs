//! Previews: the beginning of a text, short enough to be shown in a list and stored with each trace.

/// Longest preview, in characters.
pub const PREVIEW_CHARS_MAX: usize = 1000;

/// The text, or its first characters and `...`; NUL becomes U+FFFD.
pub fn cut_preview(text: &str) -> String {
    let after = |chars: usize| text.char_indices().nth(chars).map(|(at, _)| at);
    // A short text has no more characters than bytes.
    let is_long = text.len() > PREVIEW_CHARS_MAX && after(PREVIEW_CHARS_MAX).is_some();
    let cut = if is_long {
        after(PREVIEW_CHARS_MAX - 3)
    } else {
        None
    };
    let mut preview = text
        .split_at(cut.unwrap_or(text.len()))
        .0
        .replace('\0', "\u{fffd}");
    if is_long {
        preview.push_str("...");
    }
    debug_assert!(
        preview.chars().count() <= PREVIEW_CHARS_MAX,
        "a preview is short"
    );
    preview
}
