//! Trace and span ids: from the text received to lower-case hex, or the reason why not.
//!
//! Hex is case-insensitive. Base64, which is what protobuf's own JSON mapping writes, is accepted
//! when it decodes to the right number of bytes and is not hex.

use std::fmt::Write as _;

use tracehouse_storage::model::{check_id, normalize_trace_id};

use super::base64;

/// Bytes of a trace id.
pub(super) const TRACE_ID_BYTES: usize = 16;
/// Bytes of a span id.
pub(super) const SPAN_ID_BYTES: usize = 8;

/// The lower-case hex form of an id of `bytes` bytes.
///
/// # Errors
/// Says what is wrong: empty, all zero, wrong length, not hex.
pub(super) fn hex_id(what: &str, text: &str, bytes: usize) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("the {what} is missing"));
    }
    let Some(id) = canonical(text, bytes) else {
        return Err(format!(
            "the {what} has to be {bytes} bytes ({} hex digits)",
            bytes * 2
        ));
    };
    if id.bytes().all(|digit| digit == b'0') {
        Err(format!("the {what} is all zero"))
    } else {
        Ok(id)
    }
}

/// An id of any kind, as it is stored: 32 hex digits, with `tr-` before them or not, in lower case.
///
/// # Errors
/// Says what is wrong: empty, too long, a control character.
pub(super) fn any_id(what: &str, text: &str) -> Result<String, String> {
    check_id(what, text).map_err(|error| error.to_string())?;
    Ok(normalize_trace_id(text))
}

/// The hex form of a parent's id: `None` when it is empty or all zero.
///
/// # Errors
/// As `hex_id`.
pub(super) fn parent_id(text: &str) -> Result<Option<String>, String> {
    if text.bytes().all(|digit| digit == b'0') {
        return Ok(None);
    }
    match canonical(text, SPAN_ID_BYTES) {
        Some(id) if id.bytes().all(|digit| digit == b'0') => Ok(None),
        Some(id) => Ok(Some(id)),
        None => Err(format!(
            "the parent span id has to be {SPAN_ID_BYTES} bytes ({} hex digits)",
            SPAN_ID_BYTES * 2
        )),
    }
}

/// The hex form of a link's id; a text that is not an id of the right length is kept as it is.
pub(super) fn link_id(text: &str, bytes: usize) -> String {
    canonical(text, bytes).unwrap_or_else(|| text.to_string())
}

fn canonical(text: &str, bytes: usize) -> Option<String> {
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return (text.len() == 2 * bytes).then(|| text.to_ascii_lowercase());
    }
    let decoded = base64::decode(text).filter(|decoded| decoded.len() == bytes)?;
    let mut hex = String::with_capacity(2 * bytes);
    for byte in decoded {
        let _ = write!(hex, "{byte:02x}");
    }
    Some(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_lower_case_hex_of_the_right_length() {
        let id = "925D3A4ECA7C378E6D4F031CF523748D";
        assert_eq!(hex_id("trace id", id, 16).unwrap(), id.to_lowercase());
        assert_eq!(
            hex_id("trace id", "inmyB8/qrDAAP6cV5ZFR9A==", 16).unwrap(),
            "8a79b207cfeaac30003fa715e59151f4"
        );
        for bad in [
            "",
            "925d",
            &"0".repeat(32),
            "xyz",
            &"a".repeat(24),
            "AAAAAAAAAAAAAAAAAAAAAA==",
        ] {
            assert!(hex_id("trace id", bad, 16).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_or_zero_parent_means_root() {
        assert_eq!(parent_id("").unwrap(), None);
        assert_eq!(parent_id("0000000000000000").unwrap(), None);
        assert_eq!(
            parent_id("00000000000000AB").unwrap().unwrap(),
            "00000000000000ab"
        );
        assert!(parent_id("ab").is_err());
    }
}
