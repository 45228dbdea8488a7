//! Numbers that JSON does not have and Python writes all the same (`json.dumps(float("nan"))`): `NaN`, `Infinity` and
//! `-Infinity`. Where a text is no JSON because of them, it is read with `null` in their place.

const WORDS: [&str; 2] = ["NaN", "Infinity"];

/// The text with `null` for each such number outside of strings; `None` where it has none.
pub fn nulled(text: &str) -> Option<String> {
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(next) = next_of(text, at) {
        let rest = text.get(next..)?;
        if rest.starts_with('"') {
            at = next + string_len(rest);
            continue;
        }
        let Some(word) = WORDS.iter().find(|word| rest.starts_with(**word)) else {
            at = next + 1;
            continue;
        };
        let before = text.get(kept..next)?;
        out.push_str(before.strip_suffix('-').unwrap_or(before));
        out.push_str("null");
        at = next + word.len();
        kept = at;
    }
    (kept > 0).then(|| out + text.get(kept..).unwrap_or_default())
}

/// Where a string or perhaps such a number begins.
fn next_of(text: &str, at: usize) -> Option<usize> {
    let found = memchr::memchr3(b'"', b'N', b'I', text.as_bytes().get(at..)?)?;
    Some(at + found)
}

/// The bytes of the string that a text begins with, its quotes among them.
fn string_len(text: &str) -> usize {
    let (bytes, mut at) = (text.as_bytes(), 1);
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            // What is escaped is one byte, or the first of one character.
            _ => at = (at + 2).min(bytes.len()),
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_of_strings_become_null() {
        for (text, wanted) in [
            (
                r#"{"loss": NaN, "a": [-Infinity,Infinity]}"#,
                Some(r#"{"loss": null, "a": [null,null]}"#),
            ),
            (
                r#"{"NaN": "Infinity \" NaN \\", "n": NaN}"#,
                Some(r#"{"NaN": "Infinity \" NaN \\", "n": null}"#),
            ),
            (r#"{"text": "NaN", "None": 1}"#, None),
            ("NaN", Some("null")),
            (r#""open NaN"#, None),
            (r#""\é NaN"#, None),
            ("", None),
        ] {
            assert_eq!(nulled(text).as_deref(), wanted, "{text}");
        }
    }
}
