//! A number as the user wrote it, comparable exactly with integers in other units.

use std::cmp::Ordering;

/// Powers of ten beyond this are out of every column's range (or below its resolution).
const EXPONENT_MAX: i64 = 60;

/// A finite number literal; keeps its digits so that scaling to nanoseconds is exact.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    text: String,
    value: f64,
}

/// A scaled number: the largest integer not above it, and whether they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaled {
    /// The floor, clamped to the range of `i64`.
    pub floor: i64,
    /// Whether the floor is the number itself.
    pub exact: bool,
}

impl Number {
    /// Parses `[+-] digits [. digits] [e [+-] digits]`; the dot may lead or trail. `None` for
    /// anything else, and for numbers that overflow a double.
    pub fn parse(text: &str) -> Option<Self> {
        decimal(text)?;
        let value: f64 = text.parse().ok()?;
        value.is_finite().then(|| Self {
            text: text.to_string(),
            value,
        })
    }

    /// The nearest double.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The integer written, when it is one.
    pub fn integer(&self) -> Option<i128> {
        self.text.parse().ok()
    }

    /// The number times `scale`.
    pub fn scaled(&self, scale: i64) -> Scaled {
        let inexact = || Scaled {
            floor: (self.value * scale as f64).floor() as i64,
            exact: false,
        };
        let Some((mantissa, exponent)) = decimal(&self.text) else {
            return inexact();
        };
        let Some(mantissa) = mantissa.checked_mul(i128::from(scale)) else {
            return inexact();
        };
        if mantissa == 0 {
            return Scaled {
                floor: 0,
                exact: true,
            };
        }
        let power = u32::try_from(exponent.unsigned_abs())
            .ok()
            .and_then(|e| 10_i128.checked_pow(e));
        match (exponent.cmp(&0), power) {
            (Ordering::Less, Some(power)) => {
                let floor = mantissa.div_euclid(power);
                clamped(floor, mantissa.rem_euclid(power) == 0)
            }
            (Ordering::Less, None) => Scaled {
                floor: if mantissa < 0 { -1 } else { 0 },
                exact: false,
            },
            (_, Some(power)) => clamped(mantissa.saturating_mul(power), true),
            (_, None) => clamped(if mantissa < 0 { i128::MIN } else { i128::MAX }, false),
        }
    }
}

fn clamped(value: i128, exact: bool) -> Scaled {
    let floor = value.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    Scaled {
        floor: i64::try_from(floor).unwrap_or(0),
        exact: exact && floor == value,
    }
}

/// Mantissa and power of ten of a number text; `None` when it is not one or has too many digits.
fn decimal(text: &str) -> Option<(i128, i64)> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (digits, power) = match digits.split_once(['e', 'E']) {
        Some((digits, power)) => (digits, exponent(power)?),
        None => (digits, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa: i128 = 0;
    let mut dropped: i64 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        let digit = char::from(digit).to_digit(10)?;
        // Beyond 29 digits nothing changes a comparison with 64-bit columns.
        if mantissa.unsigned_abs() < 10_u128.pow(28) {
            mantissa = mantissa * 10 + i128::from(digit);
        } else {
            dropped += 1;
        }
    }
    let scale = i64::try_from(fraction.len()).ok()?;
    let power = power
        .saturating_sub(scale)
        .saturating_add(dropped)
        .clamp(-EXPONENT_MAX, EXPONENT_MAX);
    Some((if negative { -mantissa } else { mantissa }, power))
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let clamped: i64 = digits.parse().unwrap_or(i64::MAX / 4);
    Some(if text.starts_with('-') {
        -clamped
    } else {
        clamped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(text: &str, scale: i64) -> (i64, bool) {
        let scaled = Number::parse(text).unwrap().scaled(scale);
        (scaled.floor, scaled.exact)
    }

    #[test]
    fn milliseconds_scale_exactly() {
        assert_eq!(scaled("5000", 1_000_000), (5_000_000_000, true));
        assert_eq!(scaled("0.1", 1_000_000), (100_000, true));
        assert_eq!(scaled("1.0000001", 1_000_000), (1_000_000, false));
        assert_eq!(scaled("-1.5", 1), (-2, false));
        assert_eq!(
            scaled("1700000000000", 1_000_000),
            (1_700_000_000_000_000_000, true)
        );
        assert_eq!(scaled("1e3", 1), (1_000, true));
        assert_eq!(scaled(".5", 10), (5, true));
        assert_eq!(scaled("5.", 1), (5, true));
    }

    #[test]
    fn extremes_are_clamped() {
        assert_eq!(scaled("1e300", 1_000_000), (i64::MAX, false));
        assert_eq!(scaled("-1e300", 1_000_000), (i64::MIN, false));
        assert_eq!(scaled("1e-300", 1_000_000), (0, false));
        assert_eq!(scaled("-1e-300", 1), (-1, false));
        assert_eq!(scaled("0e999999999999999999999", 1), (0, true));
        assert_eq!(
            scaled(&format!("1{}", "0".repeat(200)), 1),
            (i64::MAX, false)
        );
        assert_eq!(scaled(&format!("0.{}1", "0".repeat(200)), 1), (0, false));
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "", "-", ".", "e5", "1e", "0x10", "nan", "inf", "1_000", "1e400", "1 2",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
