//! Identifiers: what ids are legal, and the fixed-size key a trace id is looked up by.

use crate::error::{Error, Result};

/// The longest id text accepted, in characters.
pub const ID_CHARS_MAX: usize = 128;

/// A trace id as a fixed-size key: the 128-bit value of a 32-hex id, else the XXH3-128 hash of the
/// text. Two different texts share a key only by a hash collision, which is not expected to occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceKey(pub u128);

impl TraceKey {
    /// The key of a (normalized) trace id.
    pub fn of(trace_id: &str) -> Self {
        match parse_hex32(trace_id) {
            Some(value) => Self(value),
            None => Self(twox_hash::XxHash3_128::oneshot(trace_id.as_bytes())),
        }
    }
}

/// The value of 32 lower-case hex digits. Searches ask this of every trace they look at.
fn parse_hex32(text: &str) -> Option<u128> {
    let (digits, rest) = text.as_bytes().as_chunks::<8>();
    if digits.len() != 4 || !rest.is_empty() {
        return None;
    }
    digits.iter().try_fold(0, |value, digits| {
        Some(value << 32 | u128::from(parse_hex8(*digits)?))
    })
}

/// The value of 8 lower-case hex digits, all of them at once in the bytes of a word.
fn parse_hex8(digits: [u8; 8]) -> Option<u64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let text = u64::from_be_bytes(digits);
    // A letter has bit 6 set, and its low bits count from 1.
    let values = ((text & (0x0f * EACH)) + 9 * (text >> 6 & EACH)) & (0x0f * EACH);
    let letters = (values + 6 * EACH) >> 4 & EACH;
    let written = values + u64::from(b'0') * EACH + u64::from(b'a' - b'0' - 10) * letters;
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    (text == written).then_some((fours | fours >> 16) & 0xffff_ffff)
}

/// Checks that `id` is 1 to 128 characters without control characters.
///
/// # Errors
/// `InvalidInput`, naming `what` the id is of.
pub fn check_id(what: &str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::invalid_input(format!(
            "{what} is empty: it needs 1 to {ID_CHARS_MAX} characters"
        )));
    }
    if id.chars().count() > ID_CHARS_MAX {
        return Err(Error::invalid_input(format!(
            "{what} is longer than {ID_CHARS_MAX} characters"
        )));
    }
    if id.chars().any(char::is_control) {
        return Err(Error::invalid_input(format!(
            "{what} has a control character: {id:?}"
        )));
    }
    Ok(())
}

/// The stored form of a trace id a user wrote: `tr-` + 32 hex means the 32 hex; hex ids are
/// lower case; anything else is itself.
pub fn normalize_trace_id(text: &str) -> String {
    let is_hex32 = |t: &str| t.len() == 32 && t.bytes().all(|b| b.is_ascii_hexdigit());
    match text.strip_prefix("tr-") {
        Some(rest) if is_hex32(rest) => rest.to_ascii_lowercase(),
        _ if is_hex32(text) => text.to_ascii_lowercase(),
        _ => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_ids_keep_their_value_and_other_texts_are_hashed() {
        assert_eq!(
            TraceKey::of("000000000000000000000000000000ff"),
            TraceKey(255)
        );
        assert_ne!(TraceKey::of("ff"), TraceKey(255));
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            TraceKey::of(id),
            TraceKey(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736)
        );
        for digit in '0'..='f' {
            let (id, is_digit) = (
                "0".repeat(31) + &digit.to_string(),
                digit.is_ascii_hexdigit(),
            );
            let is_value = digit
                .to_digit(16)
                .is_some_and(|value| TraceKey::of(&id) == TraceKey(value.into()));
            assert_eq!(is_value, is_digit && !digit.is_uppercase(), "{digit}");
        }
        for other in [
            "0",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "4bf92f3577b34da6a3ce929d0e0e473g",
            "é",
        ] {
            let hash = twox_hash::XxHash3_128::oneshot(other.as_bytes());
            assert_eq!(TraceKey::of(other), TraceKey(hash), "{other}");
        }
    }

    #[test]
    fn mlflow_prefix_and_upper_case_are_one_id() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(normalize_trace_id(&format!("tr-{}", id.to_uppercase())), id);
        assert_eq!(normalize_trace_id("tr-short"), "tr-short");
    }

    #[test]
    fn ids_are_bounded() {
        assert!(check_id("trace_id", "a b").is_ok());
        assert!(check_id("trace_id", "").is_err());
        assert!(check_id("trace_id", "a\nb").is_err());
        assert!(check_id("trace_id", &"é".repeat(129)).is_err());
    }
}
