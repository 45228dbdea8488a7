//! Base64 of RFC 4648, as OTLP/JSON writes bytes: the standard alphabet with padding goes out, the
//! URL-safe alphabet and missing padding are accepted too. Wraps the crate `base64`, which knows one alphabet at a time.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Bits behind the last byte need not be zero: some encoders leave what was there.
const READ_LENIENTLY: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const CODE: GeneralPurpose = GeneralPurpose::new(&STANDARD, READ_LENIENTLY);

/// Appends the base64 text of `bytes`.
pub(super) fn encode(bytes: &[u8], out: &mut String) {
    CODE.encode_string(bytes, out);
}

/// The bytes of a base64 text, or `None` when it is not one.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = match text.contains(['-', '_']) {
        true => Cow::Owned(text.replace('-', "+").replace('_', "/")),
        false => Cow::Borrowed(text),
    };
    CODE.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_vectors_of_the_rfc_round_trip() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            encode(plain.as_bytes(), &mut out);
            assert_eq!(out, coded);
            assert_eq!(decode(coded).unwrap(), plain.as_bytes());
            assert_eq!(
                decode(coded.trim_end_matches('=')).unwrap(),
                plain.as_bytes()
            );
        }
        assert_eq!(decode("_-8=").unwrap(), decode("/+8=").unwrap());
        assert!(decode("Z").is_none() && decode("Zm9v!").is_none() && decode("Zg===").is_none());
    }
}
