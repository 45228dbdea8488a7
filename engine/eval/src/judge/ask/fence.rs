//! The fence around judged content: the model is told that what stands inside is data.
//!
//! Invariants:
//! 1. Fenced content never has three `<` in a row, so it can neither end its block nor begin another.
//! 2. Content without three `<` in a row stands as it is.

/// The content of one block.
pub(crate) fn fenced(name: &str, content: &str) -> String {
    let content = neutral(content);
    format!("<<<BEGIN {name}>>>\n{content}\n<<<END {name}>>>")
}

/// A space after every two `<` of a longer row.
pub(crate) fn neutral(content: &str) -> String {
    let mut text = String::with_capacity(content.len());
    let mut row = 0;
    for letter in content.chars() {
        if letter == '<' {
            if row == 2 {
                text.push(' ');
                row = 0;
            }
            row += 1;
        } else {
            row = 0;
        }
        text.push(letter);
    }
    text
}
