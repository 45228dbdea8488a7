//! Page tokens: where the last page ended, as opaque text.
//!
//! `base64url(version, checksum, JSON of the last row's place and a fingerprint of the order)`. A
//! token is a place in the order, not an offset: rows that arrive or move to another file meanwhile
//! neither repeat nor hide a row.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as CODE;
use serde::{Deserialize, Serialize};
use tracehouse_storage::{Error, Result};

use super::rank::Position;
use crate::filter::OrderKey;

const VERSION: u8 = 1;
/// Version and checksum.
const HEADER_BYTES: usize = 5;
/// Longest token read; the values of a row are far smaller.
const TOKEN_BYTES_MAX: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Payload {
    order: u32,
    last: Position,
}

/// The token of the page after `last`.
pub(crate) fn encode(order: &[OrderKey], last: &Position) -> Result<String> {
    let payload = Payload {
        order: fingerprint(order),
        last: last.clone(),
    };
    let json = serde_json::to_vec(&payload).map_err(|error| {
        Error::with_source(tracehouse_storage::ErrorKind::Internal, "page token", error)
    })?;
    let mut bytes = vec![VERSION];
    bytes.extend(fnv1a(&json).to_le_bytes());
    bytes.extend(json);
    Ok(CODE.encode(bytes))
}

/// The place a token stands for.
///
/// # Errors
/// `InvalidInput` for anything but a token made for the same order.
pub(crate) fn decode(order: &[OrderKey], token: &str) -> Result<Position> {
    let invalid = || {
        Error::invalid_input(format!(
            "{}: invalid page token",
            crate::filter::INVALID_PARAMETER_VALUE
        ))
    };
    if token.len() > TOKEN_BYTES_MAX {
        return Err(invalid());
    }
    let bytes = CODE.decode(token).map_err(|_| invalid())?;
    let (header, json) = bytes.split_at_checked(HEADER_BYTES).ok_or_else(invalid)?;
    let expected: Vec<u8> = [VERSION]
        .into_iter()
        .chain(fnv1a(json).to_le_bytes())
        .collect();
    if header != expected {
        return Err(invalid());
    }
    let payload: Payload = serde_json::from_slice(json).map_err(|_| invalid())?;
    if payload.order != fingerprint(order) || payload.last.values.len() != order.len() {
        let message = "the page token was made for another order_by";
        return Err(Error::invalid_input(format!(
            "{}: {message}",
            crate::filter::INVALID_PARAMETER_VALUE
        )));
    }
    Ok(payload.last)
}

fn fingerprint(order: &[OrderKey]) -> u32 {
    let keys: Vec<String> = order
        .iter()
        .map(|key| format!("{} {}\n", key.field, key.descending))
        .collect();
    fnv1a(keys.concat().as_bytes())
}

/// FNV-1a, 32 bits: tells a damaged token, not a forged one; a token grants nothing.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::super::rank::SortValue;
    use super::*;
    use crate::filter::parse_order_by;

    #[test]
    fn tokens_round_trip_and_refuse_changes() {
        let order = parse_order_by(&["tags.env DESC", "cost"]).unwrap();
        let last = Position {
            values: vec![SortValue::Text("é\"x".into()), SortValue::Float(0.1)],
            request_time_ns: -5,
            trace_id: "abc".into(),
        };
        let token = encode(&order, &last).unwrap();
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_eq!(decode(&order, &token).unwrap(), last);
        assert!(decode(&parse_order_by(&["tags.env", "cost"]).unwrap(), &token).is_err());
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(
                decode(&order, &changed).map_or(true, |place| place == last),
                "{at}"
            );
        }
        for text in [
            "",
            "A",
            "é",
            "AAAA",
            "eyJvZmZzZXQiOiAyfQ==",
            &"A".repeat(100),
        ] {
            assert!(decode(&order, text).is_err(), "{text}");
        }
    }
}
